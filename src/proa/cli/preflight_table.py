"""A ``Preflight`` as lines for the terminal, as Markdown, as JSON."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator
from typing import Any

import msgspec

from proa.cli.amounts import seconds_text
from proa.records.preflight import Contact, Preflight

_HEAD = ("service", "address", "reachable", "authentication", "latency")


def encoded(record: Preflight | dict[str, Any]) -> bytes:
    """Return a record or a manifest as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n"


def lines(record: Preflight, *, width: int = 0) -> Iterator[str]:
    """Yield the table, then what failed with its remedy; no line is wider than the terminal."""
    columns = width or min(shutil.get_terminal_size((100, 24)).columns, 160)
    rows = [_HEAD, *(_row(one) for one in record.services)] if record.services else []
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)] if rows else []
    # The address gives way first: the name is what a service is told by.
    for at, least in ((1, 12), (0, 12)):
        over = sum(widths) + 2 * (len(widths) - 1) - columns
        if widths and over > 0:
            widths[at] = max(min(widths[at], least), widths[at] - over)
    for row in rows:
        cells = (_clipped(cell, size).ljust(size) for cell, size in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()
    for one in record.services:
        if one.message or one.failed_layer:
            yield ""
            sign = "✗" if one.failed_layer else "·"
            layer = f"{one.failed_layer}: " if one.failed_layer else ""
            yield from _wrapped(f"{sign} {one.name}: {layer}{one.message}", columns, "  ")
            if one.hint:
                yield from _wrapped(f"  {one.hint}", columns, "  ")
    for finding in record.findings:
        yield from _wrapped(f"{finding.severity}: {finding.message}", columns, "  ")
        yield from _wrapped(f"  {finding.hint}", columns, "  ")


def _wrapped(text: str, columns: int, indent: str) -> list[str]:
    return textwrap.wrap(text, max(columns, 20), subsequent_indent=indent, break_on_hyphens=False)


def _row(one: Contact) -> tuple[str, ...]:
    reachable = "✓" if one.is_reachable else f"✗ {one.failed_layer}"
    if not one.is_required and not one.is_reachable:
        reachable += " (optional)"
    sign = {True: "✓ ", False: "✗ ", None: ""}[one.is_authenticated]
    latency = "" if one.latency_s is None else seconds_text(one.latency_s)
    return one.name, one.address, reachable, f"{sign}{_words(one)}", latency


def _words(one: Contact) -> str:
    if one.authentication == "none" and one.is_reachable:
        return "none needed"
    return one.authentication


def _clipped(text: str, size: int) -> str:
    return text if len(text) <= size else text[: size - 1] + "…"


def markdown(record: Preflight) -> str:
    """Return the table of the article, and a list of what failed."""
    told = ["| " + " | ".join(_HEAD) + " |", "|" + "---|" * len(_HEAD)]
    told += ["| " + " | ".join(_plain(cell) for cell in _row(one)) + " |" for one in record.services]
    failed = [one for one in record.services if one.failed_layer]
    told += [""] if failed else []
    told += [f"- **{one.name}**: {one.failed_layer}: {_plain(one.message)}. {_plain(one.hint)}" for one in failed]
    told += [f"\n{finding.severity}: {finding.message}" for finding in record.findings]
    return "\n".join(told) + "\n"


def _plain(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("`", "'")
