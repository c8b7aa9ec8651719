"""``proa tune deadcode``."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import groupby
from typing import Any

import click

from proa.cli import options
from proa.cli.amounts import bytes_text
from proa.records.tuning import Cause, Deadcode


@click.command()
@options.source_options
@click.option(
    "--measure/--no-measure",
    "should_measure",
    default=True,
    help="Link again without the causes; else the saving is an estimate.",
)
@click.option("--fail", "should_fail", is_flag=True, help="Exit with 1 where something is found, for CI.")
@options.format_or_markdown_option
def deadcode(**flags: Any) -> None:
    """Find what makes the linker keep methods that nobody calls in the Go program in SOURCE.

    One function that looks methods up by a name not known beforehand is enough, wherever it is: text/template has
    one. Shown are the chain from main to it, the module responsible, what helps, and what the program would lose,
    measured by linking it again without. That program is never run.
    """
    from proa.cli import screen
    from proa.errors import DeadCodeKept
    from proa.pipeline.tune_deadcode import find_deadcode
    from proa.records.tuning import encode_tunings

    with screen.progress() as progress:
        found = find_deadcode(
            options.request(**flags),
            should_measure=flags["should_measure"],
            environ=os.environ,
            progress=progress,
        )
    match flags["form"]:
        case "json":
            click.echo(encode_tunings(found), nl=False)
        case "markdown":
            click.echo("\n\n".join("\n".join(markdown(one)) for one in found))
        case _:
            click.echo("\n".join(line for one in found for line in lines(one)))
    kept = [one.program for one in found if not one.is_eliminating]
    if flags["should_fail"] and kept:
        raise DeadCodeKept(f"{', '.join(dict.fromkeys(kept))}: every method is kept, called or not")


def headline(one: Deadcode) -> str:
    """Return in one line whether methods are left out, and what it would save if they were.

    >>> from proa.records.platform import Platform
    >>> headline(Deadcode(program="a.org/b", platform=Platform("linux", "amd64"), is_eliminating=True, bytes=2_000_000))
    'a.org/b for linux/amd64 (2.00 MB): methods that nobody calls are left out'
    """
    program = f"{one.program} for {one.platform} ({bytes_text(one.bytes)})"
    if one.is_eliminating:
        return f"{program}: methods that nobody calls are left out"
    share = f" ({100 * one.saving_bytes / one.bytes:.0f} %)" if one.bytes else ""
    is_measured = all(cause.is_measured for cause in one.causes)
    saving = f"{'' if is_measured else 'about '}{bytes_text(one.saving_bytes)}{share} smaller without"
    how = "measured" if is_measured else "an estimate"
    kept = f"{program}: every method is kept, called or not"
    return f"{kept}; {saving}, {how}" if one.saving_bytes else kept


def lines(one: Deadcode) -> Iterator[str]:
    """Yield what people read: the headline, then each cause with its chain, those of one root together."""
    yield headline(one)
    for symbol, causes in groupby(one.causes, key=lambda cause: cause.symbol):
        together = list(causes)
        yield f"  {symbol}" + (f", reached from {len(together)} modules" if len(together) > 1 else "")
        for cause in together:
            yield from _cause_lines(cause)
    for finding in one.findings:
        yield f"  {finding.severity}: {finding.message}" + (f" ({finding.hint})" if finding.hint else "")


def _cause_lines(cause: Cause) -> Iterator[str]:
    yield f"    {' '.join(part for part in (cause.module, cause.version) if part)}"
    for place in cause.evidence:
        yield f"      at {place}"
    for at, symbol in enumerate(cause.chain):
        yield f"      {'→ ' if at else ''}{symbol}"
    yield f"      remedy: {cause.remedy}"


def markdown(one: Deadcode) -> Iterator[str]:
    """Yield the same as a section of a Markdown page."""
    yield f"### {headline(one)}"
    if one.causes:
        yield ""
        yield "| module | where | chain | remedy |"
        yield "|---|---|---|---|"
    for cause in one.causes:
        module = f"{cause.module} {cause.version}".strip()
        places = "<br>".join(f"`{place}`" for place in cause.evidence)
        chain = " → ".join(f"`{symbol}`" for symbol in cause.chain)
        yield f"| {_cell(module)} | {_cell(places)} | {_cell(chain)} | {_cell(cause.remedy)} |"
    for finding in one.findings:
        yield ""
        yield f"{finding.severity}: {finding.message}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
