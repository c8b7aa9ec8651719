"""How a start is shown: a timeline in the terminal, Mermaid or a page in a file."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from proa.errors import WrongUsage
from proa.records.analysis import Analysis
from proa.records.evidence import Finding

_ENDINGS = (".html", ".htm", ".mmd", ".md")

timeline_option = click.option(
    "--timeline",
    "timeline_file",
    metavar="FILE",
    default="",
    help="Write the start-up as .html, .mmd or .md (Mermaid).",
)


def check_place(file: str, *, should_try: bool) -> None:
    """Refuse a file whose ending says nothing, and one that nothing would be written to. Raises WrongUsage."""
    if file and not file.lower().endswith(_ENDINGS):
        raise WrongUsage(f"--timeline {file} ends in none of {', '.join(_ENDINGS)}")
    if file and not should_try:
        raise WrongUsage("--timeline is of the start that --no-trial leaves out")


def write_timeline(file: str, analyses: Sequence[Analysis]) -> None:
    """Write the start of one program as the file's ending says. Raises WrongUsage, NoSpace, NotWritable."""
    from proa.cli import screen
    from proa.outside.machine import write_file
    from proa.report.timeline_mermaid import timeline_mermaid
    from proa.report.timeline_page import timeline_page

    if len(analyses) != 1:
        raise WrongUsage(f"--timeline is one file, and {len(analyses)} programs were started", hint="name one program")
    analysis = analyses[0]
    if analysis.start is None:
        raise WrongUsage(f"--timeline: nothing was started: {analysis.problem or 'no program was built'}")
    if file.lower().endswith((".html", ".htm")):
        text = timeline_page(analysis.start, findings=_delays(analysis))
    else:
        chart = timeline_mermaid(analysis.start)
        text = f"```mermaid\n{chart}```\n" if file.lower().endswith(".md") else chart
    write_file(Path(file), text.encode())
    screen.warn(f"wrote {file}")


def _delays(analysis: Analysis) -> tuple[Finding, ...]:
    return tuple(one for one in analysis.findings if one.id.startswith("start."))


def timeline_text(analysis: Analysis, *, width: int) -> Iterator[str]:
    """Yield the lines of a start for standard output, failures red where colour is wanted."""
    from proa.report.timeline_text import timeline_lines

    if analysis.start is None:
        return
    has_colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and not os.environ.get("CI")
    for line, has_failed in timeline_lines(analysis.start, width=width - 2):
        yield f"  {click.style(line, fg='red') if has_failed and has_colour else line}".rstrip()
