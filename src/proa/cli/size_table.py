"""What ``proa tune size`` measured, as a table that fits the terminal, or as Markdown."""

from __future__ import annotations

import os
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from io import StringIO
from typing import Any

import msgspec

from proa.cli.amounts import bytes_text, seconds_text
from proa.records.tuning import SizeTuning, Step

_PLAIN_WIDTH = 120
"""Columns where standard output is no terminal."""
_NAME_WIDTH = 16
"""What a step's name gets at least; longer ones are wrapped."""
_ABSENT = "-"


class _Column(msgspec.Struct, frozen=True):
    """One column: its title, what it shows of a step, and how early it goes where there is no room."""

    title: str
    text: Callable[[Step], str]
    goes: int = 0
    """0: never; otherwise the smallest goes first."""


def _saved(amount: int) -> str:
    return bytes_text(amount) if amount >= 0 else f"-{bytes_text(-amount)}"


def _seconds(values: Sequence[float]) -> str:
    """Return the median and, of several, how far they lie apart.

    >>> _seconds((1.0, 1.2, 1.1)), _seconds(())
    ('1.1 s ±9 %', '-')
    """
    if not values:
        return _ABSENT
    middle = statistics.median(values)
    spread = max(max(values) - middle, middle - min(values)) / middle if middle else 0.0
    return seconds_text(middle) + (f" ±{100 * spread:.0f} %" if len(values) > 1 else "")


_COLUMNS = (
    _Column("program", lambda step: bytes_text(step.bytes)),
    _Column("saved", lambda step: _saved(step.saved_bytes)),
    _Column("compressed", lambda step: bytes_text(step.compressed_bytes)),
    _Column("saved", lambda step: _saved(step.saved_compressed_bytes)),
    _Column("build", lambda step: seconds_text(step.build_s) if step.build_s is not None else _ABSENT, 1),
    _Column("start-up", lambda step: _seconds(step.ready_runs_s), 3),
    _Column("memory", lambda step: bytes_text(step.rss_bytes) if step.rss_bytes else _ABSENT, 2),
    _Column("benchmark", lambda step: _seconds(step.benchmark_s), 4),
)


def table(tuning: SizeTuning, *, width: int = 0) -> str:
    """Return the table for this terminal, and below it what there is to know of each step.

    ``width`` is in columns; 0: the terminal's own.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    is_plain = not sys.stdout.isatty() or bool(os.environ.get("NO_COLOR")) or bool(os.environ.get("CI"))
    width = width or (Console(file=sys.stdout).width if sys.stdout.isatty() else _PLAIN_WIDTH)
    columns = _fitting(tuning, width)
    drawn = Table(box=None, padding=(0, 1), pad_edge=False, header_style="bold")
    drawn.add_column("step", overflow="fold", min_width=_NAME_WIDTH)
    for column in columns:
        drawn.add_column(column.title, justify="right", no_wrap=True)
    for step in tuning.steps:
        style = "bold" if step.name == tuning.winner else "" if step.is_kept else "dim"
        drawn.add_row(*(Text(cell) for cell in (_marked(step, tuning), *_cells(step, columns))), style=style)
    file = StringIO()
    out = Console(file=file, width=width, no_color=is_plain, force_terminal=not is_plain, highlight=False)
    out.print(drawn)
    for line in _below(tuning):
        # Lines for a file are left for whoever reads it to wrap.
        out.print(Text(line), style="" if is_plain else "dim", soft_wrap=not sys.stdout.isatty())
    # Rich fills lines up to the width, which looks odd in a file.
    return "".join(f"{line.rstrip()}\n" for line in file.getvalue().splitlines())


def _fitting(tuning: SizeTuning, width: int) -> list[_Column]:
    """Return the columns that have something to show and fit."""
    columns = [
        column
        for column in _COLUMNS
        if not column.goes or any(column.text(step) != _ABSENT for step in tuning.steps if step.bytes)
    ]
    while sum(_width(column, tuning) + 2 for column in columns) + _NAME_WIDTH > width:
        going = [column for column in columns if column.goes]
        if not going:
            break
        columns.remove(min(going, key=lambda column: column.goes))
    return columns


def _width(column: _Column, tuning: SizeTuning) -> int:
    return max(len(column.title), *(len(column.text(step)) for step in tuning.steps))


def _marked(step: Step, tuning: SizeTuning) -> str:
    mark = "*" if step.name == tuning.winner else "+" if step.is_kept else " "
    return f"{mark} {step.name}"


def _cells(step: Step, columns: Sequence[_Column]) -> Iterator[str]:
    for column in columns:
        yield column.text(step) if step.bytes else _ABSENT


def _below(tuning: SizeTuning) -> Iterator[str]:
    yield ""
    yield "* the winner   + kept: the next step stands on it   saved: against the last step kept before it"
    if any(step.build_s for step in tuning.steps):
        yield "build: compiling and linking; dependencies come from the compiler's cache unless the step changes them"
    for step in tuning.steps:
        if step.reason:
            yield f"  {step.name}: {'not measured: ' if not step.bytes else ''}{step.reason}"
    yield summary(tuning)


def summary(tuning: SizeTuning) -> str:
    """Return the winner in one line, against the first step that was measured."""
    first = next(step for step in tuning.steps if step.bytes)
    best = next(step for step in tuning.steps if step.name == tuning.winner)
    return (
        f"{tuning.program} for {tuning.platform}: {best.name}, {bytes_text(best.bytes)} "
        f"({_less(best.bytes, first.bytes)} than {first.name}), {bytes_text(best.compressed_bytes)} compressed "
        f"({_less(best.compressed_bytes, first.compressed_bytes)})"
    )


def _less(size: int, of: int) -> str:
    share = 100 * (of - size) / of if of else 0.0
    return f"{abs(share):.1f} % {'smaller' if share >= 0 else 'larger'}"


def markdown(tuning: SizeTuning) -> str:
    """Return the same as a table for a pull request, sizes in bytes."""
    titles = ["step", *(column.title for column in _COLUMNS), "kept", "to know"]
    lines = [_row(titles), _row(["---", *(["---:"] * len(_COLUMNS)), "---", "---"])]
    for step in tuning.steps:
        sizes = (step.bytes, step.saved_bytes, step.compressed_bytes, step.saved_compressed_bytes)
        shown = [f"{size:,}" if step.bytes else _ABSENT for size in sizes]
        times = [column.text(step) if step.bytes else _ABSENT for column in _COLUMNS[4:]]
        kept = "winner" if step.name == tuning.winner else "yes" if step.is_kept else "no"
        lines.append(_row([f"`{step.name}`", *shown, *times, kept, step.reason]))
    return "\n".join([*lines, "", summary(tuning)]) + "\n"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", r"\|").replace("\n", " ") for cell in cells) + " |"


def settings_text(settings: Mapping[str, Any]) -> str:
    """Return settings as one line of proa.yaml.

    >>> settings_text({"build": {"strip": "all"}})
    'build: {strip: all}'
    """
    from proa.outside.configuration_writing import flow

    return flow(settings)[1:-1]
