"""The flags of a start that is seen, and how it is shown: a timeline in the terminal, Mermaid or a page in a file."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from proa.errors import WrongUsage
from proa.records.analysis import Analysis
from proa.records.evidence import Finding

_PLAIN_WIDTH = 110
_ENDINGS = (".html", ".htm", ".mmd", ".md")


def start_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the flags that say how a start is seen."""
    for option in reversed(
        (
            click.option(
                "--connect", "connects", is_flag=True, help="Start it with this machine's network and variables."
            ),
            click.option(
                "--command", metavar="LINE", default="", help="How the project is started, if not as its files say."
            ),
            click.option("--timeline", metavar="FILE", default="", help="Write the start-up as .html, .mmd or .md."),
        )
    ):
        command = option(command)
    return command


def check_place(file: str, count: int = 1) -> None:
    """Refuse a file whose ending says nothing, or that is to hold several programs. Raises WrongUsage."""
    if file and not file.lower().endswith(_ENDINGS):
        raise WrongUsage(f"--timeline {file} ends in none of {', '.join(_ENDINGS)}")
    if file and count > 1:
        raise WrongUsage(f"--timeline is one file, and {count} programs were started", hint="name one program")


def write_timeline(file: str, analysis: Analysis) -> None:
    """Write the start of one analysis as the file's ending says. Raises WrongUsage, NoSpace, NotWritable."""
    from proa.cli import screen
    from proa.outside.machine import write_file
    from proa.report.timeline_mermaid import timeline_mermaid
    from proa.report.timeline_page import timeline_page

    if analysis.start is None:
        raise WrongUsage("--timeline needs a start, and --no-trial forbids one")
    if file.lower().endswith((".html", ".htm")):
        text = timeline_page(analysis.start, findings=delays_of(analysis))
    else:
        chart = timeline_mermaid(analysis.start)
        text = f"```mermaid\n{chart}```\n" if file.lower().endswith(".md") else chart
    write_file(Path(file), text.encode())
    screen.warn(f"wrote {file}")


def delays_of(analysis: Analysis) -> tuple[Finding, ...]:
    """Return the findings of an analysis that are about its start."""
    return tuple(one for one in analysis.findings if one.id.startswith("start."))


def timeline(analysis: Analysis) -> Iterator[str]:
    """Yield the lines of a start for standard output: as wide as the terminal, failures red where colour is wanted."""
    from proa.report.timeline_text import timeline_lines

    if analysis.start is None:
        return
    is_terminal = sys.stdout.isatty()
    has_colour = is_terminal and not os.environ.get("NO_COLOR") and not os.environ.get("CI")
    width = shutil.get_terminal_size((_PLAIN_WIDTH, 0)).columns if is_terminal else _PLAIN_WIDTH
    yield from _coloured(timeline_lines(analysis.start, width=width), has_colour)


def _coloured(lines: Iterable[tuple[str, bool]], has_colour: bool) -> Iterator[str]:
    for line, has_failed in lines:
        yield click.style(line, fg="red") if has_failed and has_colour else line
