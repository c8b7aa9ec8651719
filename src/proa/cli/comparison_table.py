"""A ``Comparison`` as a table for the terminal, as Markdown, as JSON."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from io import StringIO

import msgspec

from proa.cli.amounts import bytes_text
from proa.records.comparison import Comparison, Contrast, Interval, Variant
from proa.report.markdown_text import code, plain, prose

_PLAIN_WIDTH = 140
_ABSENT = "-"
Contrasts = Mapping[tuple[str, str], Contrast]


class _Column(msgspec.Struct, frozen=True):
    """One column: its title, what it shows of a variant, and how early it goes where there is no room."""

    title: str
    text: Callable[[Variant, Contrasts], str]
    goes: int = 0
    """0: never; otherwise the smallest goes first."""


def time_text(seconds: float) -> str:
    """Return a time with three significant digits.

    >>> time_text(0.01542), time_text(2.3456), time_text(0.000081)
    ('15.4 ms', '2.35 s', '0.081 ms')
    """
    if seconds >= 1:
        return f"{seconds:.3g} s"
    return f"{seconds * 1000:.3g} ms"


def _size(name: str) -> Callable[[Variant, Contrasts], str]:
    def text(variant: Variant, _found: Contrasts) -> str:
        value = getattr(variant, name)
        return bytes_text(value) if value is not None else _ABSENT

    return text


def _interval(name: str, show: Callable[[float], str]) -> Callable[[Variant, Contrasts], str]:
    def text(variant: Variant, _found: Contrasts) -> str:
        value: Interval | None = getattr(variant, name)
        if value is None:
            return _ABSENT
        spread = max(value.high - value.median, value.median - value.low) / value.median if value.median else 0.0
        return f"{show(value.median)} ±{100 * spread:.0f} %"

    return text


def _against(name: str) -> Callable[[Variant, Contrasts], str]:
    def text(variant: Variant, found: Contrasts) -> str:
        one = found.get((variant.name, name))
        if one is None:
            return _ABSENT
        return "=" if one.difference == "none_shown" else f"x{one.ratio.median:.3g}"

    return text


def _libc(variant: Variant, _found: Contrasts) -> str:
    return {True: "yes", False: "no", None: _ABSENT}[variant.needs_libc]


def _count(name: str) -> Callable[[Variant, Contrasts], str]:
    def text(variant: Variant, _found: Contrasts) -> str:
        value = getattr(variant, name)
        return str(value) if value is not None else _ABSENT

    return text


def _bytes(amount: float) -> str:
    return bytes_text(round(amount))


_COLUMNS = (
    _Column("program", _size("binary_bytes"), 9),
    _Column("unpacked", _size("unpacked_bytes"), 5),
    _Column("compressed", _size("compressed_bytes")),
    _Column("layers", _count("layers"), 2),
    _Column("libc", _libc, 3),
    _Column("packages", _count("packages_seen"), 1),
    _Column("start-up", _interval("ready_s", time_text)),
    _Column("", _against("ready_s")),
    _Column("warm", _interval("warm_ready_s", time_text), 8),
    _Column("", _against("warm_ready_s"), 8),
    _Column("memory", _interval("rss_bytes", _bytes), 10),
    _Column("", _against("rss_bytes"), 10),
    _Column("at rest", _interval("steady_bytes", _bytes), 4),
    _Column("faults", _interval("page_faults", lambda value: f"{value:.0f}"), 4),
    _Column("requests/s", _interval("requests_per_s", lambda value: f"{value:.0f}"), 7),
    _Column("", _against("requests_per_s"), 7),
    _Column("p50", _interval("p50_s", time_text), 4),
    _Column("p99", _interval("p99_s", time_text), 6),
)


def encoded(record: Comparison) -> bytes:
    """Return the record as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n"


def table(record: Comparison, *, width: int = 0) -> str:
    """Return the table for this terminal, and below it what there is to know; ``width`` 0: the terminal's own."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    is_plain = not sys.stdout.isatty() or bool(os.environ.get("NO_COLOR")) or bool(os.environ.get("CI"))
    width = width or (Console(file=sys.stdout).width if sys.stdout.isatty() else _PLAIN_WIDTH)
    found = {(one.name, one.figure): one for one in record.comparisons}
    columns = _fitting(record, found, width)
    drawn = Table(box=None, padding=(0, 1), pad_edge=False, header_style="bold")
    drawn.add_column("", overflow="fold", min_width=12)
    for column in columns:
        drawn.add_column(column.title, justify="right", no_wrap=True)
    for variant in record.variants:
        style = "bold" if variant.name == record.baseline else "dim" if variant.verdict != "measured" else ""
        cells = (column.text(variant, found) for column in columns)
        drawn.add_row(*(Text(cell) for cell in (_marked(variant, record), *cells)), style=style)
    file = StringIO()
    out = Console(file=file, width=width, no_color=is_plain, force_terminal=not is_plain, highlight=False)
    out.print(drawn)
    for line in _below(record):
        out.print(Text(line), style="" if is_plain else "dim", soft_wrap=not sys.stdout.isatty())
    return "".join(f"{line.rstrip()}\n" for line in file.getvalue().splitlines())


def _fitting(record: Comparison, found: Contrasts, width: int) -> list[_Column]:
    """Return the columns that have something to show and fit."""
    shown = [column for column in _COLUMNS if any(column.text(one, found) != _ABSENT for one in record.variants)]
    names = max((len(_marked(one, record)) for one in record.variants), default=0)
    room = width - min(max(names, 12), 40)
    while sum(_width(column, record, found) + 2 for column in shown) > room:
        going = [column.goes for column in shown if column.goes]
        if not going:
            break
        shown = [column for column in shown if column.goes != min(going)]
    return shown


def _width(column: _Column, record: Comparison, found: Contrasts) -> int:
    return max(len(column.title), *(len(column.text(one, found)) for one in record.variants))


def _marked(variant: Variant, record: Comparison) -> str:
    return f"{'*' if variant.name == record.baseline else ' '} {plain(variant.name)}"


def _below(record: Comparison) -> Iterator[str]:
    yield ""
    yield (
        f"* the baseline   ± the 95 % interval of the median   x times the baseline's   = no difference shown"
        f"   {record.rounds} rounds"
    )
    for one in record.variants:
        if one.verdict != "measured":
            yield f"  {plain(one.name)}: {one.verdict}: {plain(one.reason)}"
        elif one.reason:
            yield f"  {plain(one.name)}: {plain(one.reason)}"
    for finding in record.findings:
        yield f"{finding.severity}: {plain(finding.message)}" + (f" ({finding.hint})" if finding.hint else "")
    yield machine_text(record)
    for note in record.machine.notes:
        yield f"  {plain(note)}"


def machine_text(record: Comparison) -> str:
    """Return where the figures come from, in one line."""
    machine = record.machine
    memory = f"{machine.memory_bytes / (1 << 30):.1f} GiB"
    tools = "".join(f", {tool}" for tool in machine.tools)
    return (
        f"{machine.processor}, {machine.cores} cores, {memory}, {machine.system}, {machine.kernel}{tools}; "
        f"{record.started_at}"
    )


def markdown(record: Comparison) -> str:
    """Return the same as a table for a pull request or a page."""
    found = {(one.name, one.figure): one for one in record.comparisons}
    columns = _fitting(record, found, 1 << 16)
    lines = [_row(["", *(column.title or "x" for column in columns)]), _row(["---", *["---:"] * len(columns)])]
    for one in record.variants:
        name = code(one.name) + (" (baseline)" if one.name == record.baseline else "")
        lines.append(_row([name, *(column.text(one, found) for column in columns)]))
    notes = [f"- {code(one.name)}: {_why(one)}" for one in record.variants if one.verdict != "measured" or one.reason]
    notes += [f"- {prose(finding.message)}" for finding in record.findings]
    notes += [f"- {prose(note)}" for note in record.machine.notes]
    told = f"{record.rounds} rounds. {prose(machine_text(record))}. `=`: no difference shown."
    return "\n".join([*lines, "", told, *(["", *notes] if notes else [])]) + "\n"


def _why(variant: Variant) -> str:
    return prose(f"{variant.verdict}: {variant.reason}" if variant.verdict != "measured" else variant.reason)


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"
