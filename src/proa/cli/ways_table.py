"""``Ways`` as a table for people, as Markdown, as JSON."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from proa.cli.amounts import bytes_text, seconds_text
from proa.records.comparison import Interval
from proa.records.ways import Way, Ways

_HEAD = ("way", "start (95 %)", "memory", "to fetch", "files", "commands", "update", "moving parts")


def encoded(record: Ways) -> bytes:
    """Return the record as indented JSON."""
    return msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n"


def lines(record: Ways) -> Iterator[str]:
    """Yield the table, what is not measured and why, the archive, and the advice."""
    rows = [_HEAD, *(_row(one) for one in record.ways)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(size) for cell, size in zip(row, widths, strict=True)).rstrip()
    yield ""
    for way in record.ways:
        yield f"{way.name}: {', '.join(way.effort.moving_parts)}" + (f"; {way.reason}" if way.reason else "")
    yield ""
    yield f"archive: {record.archive} ({record.archive_digest[:19]}…)"
    yield _hardened(record)
    yield f"advice: {record.advice}"
    yield from (f"  {reason}" for reason in record.why)


def _hardened(record: Ways) -> str:
    found = record.hardening
    if found is None:
        return "unit: not scored, systemd-analyze (250 or newer) is not here"
    left = f"; left open: {', '.join(found.open_points)}" if found.open_points else ""
    return f"unit: exposure {found.exposure:g} of 10, {found.rating}{left}"


def _row(way: Way) -> tuple[str, ...]:
    effort = way.effort
    return (
        way.name, _interval(way.ready_s), bytes_text(int(way.rss_bytes.median)) if way.rss_bytes else "",
        bytes_text(way.transfer_bytes) if way.transfer_bytes is not None else "", str(len(effort.files)),
        str(len(effort.commands)), str(len(effort.update)), str(len(effort.moving_parts)),
    )  # fmt: skip


def _interval(found: Interval | None) -> str:
    if found is None:
        return "not measured"
    return f"{seconds_text(found.median)} ({seconds_text(found.low)} to {seconds_text(found.high)})"


def markdown(record: Ways) -> str:
    """Return the table, the commands of each way, and the advice."""
    told = ["| " + " | ".join(_HEAD) + " |", "|" + "---|" * len(_HEAD)]
    told += ["| " + " | ".join(_row(one)) + " |" for one in record.ways]
    for way in record.ways:
        told += ["", f"**{way.name}**{f' ({way.reason})' if way.reason else ''}", ""]
        told += [f"{number}. `{command}`" for number, command in enumerate(way.effort.commands, 1)]
    told += ["", _hardened(record), "", f"Advice: **{record.advice}**", ""]
    told += [f"- {reason}" for reason in record.why]
    return "\n".join(told) + "\n"
