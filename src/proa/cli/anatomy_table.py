"""An image's anatomy as lines that fit the terminal, or as Markdown."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator, Sequence
from itertools import zip_longest

from proa.cli.amounts import bytes_text
from proa.records.image_anatomy import ImageAnatomy, LayerAnatomy, WastedFile
from proa.report.markdown_text import plain

_PLAIN_WIDTH = 120
"""Columns where standard output is no terminal."""
_LEAST_WIDTH = 40
_REASONS = {
    "removed": "removed by",
    "overwritten": "overwritten by",
    "metadata": "only its mode, owner or time changed by",
    "replaced": "replaced by",
    "repeated": "stored twice by",
}


def terminal_width() -> int:
    """Return the columns of standard output."""
    return shutil.get_terminal_size((_PLAIN_WIDTH, 0)).columns if sys.stdout.isatty() else _PLAIN_WIDTH


def lines(anatomy: ImageAnatomy, *, top: int, width: int) -> Iterator[str]:
    """Yield what people read, no line wider than ``width``: layers, what is wasted, what is double, findings."""
    for line in _all(anatomy, top, max(width, _LEAST_WIDTH)):
        yield clipped(line, max(width, _LEAST_WIDTH))


def _all(anatomy: ImageAnatomy, top: int, width: int) -> Iterator[str]:
    yield f"{plain(anatomy.reference)} for {anatomy.platform}"
    yield summary(anatomy)
    yield ""
    yield from _layers(anatomy.layers, width)
    if anatomy.files:
        yield ""
        yield f"wasted: {_counted(anatomy.wasted_files, 'file')} that the image stores and does not show"
        for file in anatomy.files[:top]:
            yield f"  {bytes_text(file.bytes):>8}  {plain(file.path)}"
            yield f"            layer {_number(anatomy, file.layer)}, {_why(file, anatomy)}"
    if anatomy.duplicates:
        yield ""
        yield f"double: {bytes_text(anatomy.duplicate_bytes)} of equal contents at different paths"
        for one in anatomy.duplicates[:top]:
            yield f"  {bytes_text(one.wasted_bytes):>8}  {one.copies} copies: {', '.join(map(plain, one.paths[:3]))}"
    if anatomy.findings:
        yield ""
        yield "findings"
        for finding, following in zip_longest(anatomy.findings, anatomy.findings[1:]):
            where = f" (layer {_number(anatomy, finding.layer)})" if finding.layer else ""
            yield from _wrapped(f"  {finding.severity:<7}  {finding.id}: {plain(finding.message)}{where}", width)
            # Once below those that it is for, not below each.
            if finding.hint and (following is None or following.hint != finding.hint):
                yield from _wrapped(f"           {plain(finding.hint)}", width)


def summary(anatomy: ImageAnatomy) -> str:
    """Return the account in one line."""
    return (
        f"{bytes_text(anatomy.stored_bytes)} stored, {bytes_text(anatomy.visible_bytes)} visible, "
        f"{bytes_text(anatomy.wasted_bytes)} wasted, {bytes_text(anatomy.duplicate_bytes)} double: "
        f"efficiency {100 * anatomy.efficiency:.1f} %; {bytes_text(anatomy.compressed_bytes)} in a registry"
    )


def _layers(layers: Sequence[LayerAnatomy], width: int) -> Iterator[str]:
    yield f"{'layer':>5}  {'stored':>8}  {'wasted':>8}  {'files':<18}  made by"
    for number, layer in enumerate(layers, 1):
        files = f"+{layer.added.files} ~{layer.changed.files} -{layer.removed.files}"
        made_by = plain(layer.instruction) or layer.digest[:19]
        cells = f"{number:>5}  {bytes_text(layer.stored_bytes):>8}  {bytes_text(layer.wasted_bytes):>8}  {files:<18}"
        yield clipped(f"{cells}  {made_by}", width)


def _number(anatomy: ImageAnatomy, digest: str) -> int:
    return next((number for number, layer in enumerate(anatomy.layers, 1) if layer.digest == digest), 0)


def _why(file: WastedFile, anatomy: ImageAnatomy) -> str:
    by = plain(file.instruction)
    return f"{_REASONS[file.reason]} layer {_number(anatomy, file.hidden_by)}" + (f": {by}" if by else "")


def markdown(anatomy: ImageAnatomy, *, top: int) -> str:
    """Return the same for a pull request, sizes in bytes."""
    parts = [f"### {_cell(anatomy.reference)} for {anatomy.platform}\n\n{summary(anatomy)}\n"]
    rows = [
        [
            str(number),
            f"{layer.stored_bytes:,}",
            f"{layer.wasted_bytes:,}",
            f"+{layer.added.files} ~{layer.changed.files} -{layer.removed.files}",
            _cell(clipped(layer.instruction or layer.digest, 120)),
        ]
        for number, layer in enumerate(anatomy.layers, 1)
    ]
    parts.append(_table(["layer", "stored", "wasted", "files", "made by"], "---:|---:|---:|---|---", rows))
    if anatomy.files:
        rows = [
            [_cell(file.path), f"{file.bytes:,}", _cell(clipped(_why(file, anatomy), 120))]
            for file in anatomy.files[:top]
        ]
        parts.append(_table(["wasted file", "bytes", "why"], "---|---:|---", rows))
    if anatomy.duplicates:
        rows = [
            [_cell(", ".join(one.paths[:3])), str(one.copies), f"{one.wasted_bytes:,}"]
            for one in anatomy.duplicates[:top]
        ]
        parts.append(_table(["equal contents", "copies", "bytes too many"], "---|---:|---:", rows))
    if anatomy.findings:
        rows = [[one.severity, f"`{one.id}`", _cell(one.message), _cell(one.hint)] for one in anatomy.findings]
        parts.append(_table(["severity", "finding", "", "what to do"], "---|---|---|---", rows))
    return "\n".join(parts)


def _table(titles: Sequence[str], rule: str, rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(titles)} |", f"|{rule}|", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    # Names come from the image: no markup of theirs in somebody's pull request.
    for sign in "\\`|<>[]*_":
        text = text.replace(sign, f"\\{sign}")
    return plain(text)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def clipped(text: str, width: int) -> str:
    """Return text of at most ``width`` characters.

    >>> clipped("abcdef", 4)
    'abc…'
    """
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _wrapped(text: str, width: int) -> list[str]:
    import textwrap

    return textwrap.wrap(text, width, subsequent_indent=" " * 11, break_on_hyphens=False) or [""]
