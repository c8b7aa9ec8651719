"""A difference as lines that fit the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from proa.cli.anatomy_table import clipped
from proa.records.difference import Delta, Difference
from proa.report.markdown_text import plain
from proa.report.sizes import growth_text, size_text

_LEAST_WIDTH = 40
_WIDTH_OF_SHARES = 60
"""Below it, the names have the room that growth in percent would take."""


def lines(difference: Difference, *, top: int, width: int) -> Iterator[str]:
    """Yield what people read, no line wider than ``width``; ``top`` is how many rows each list has at most."""
    width = max(width, _LEAST_WIDTH)
    for line in _all(difference, top, width):
        yield clipped(plain(line), width).rstrip()


def _all(difference: Difference, top: int, width: int) -> Iterator[str]:
    yield f"{_side(difference, 'before')} → {_side(difference, 'after')}"
    for name, delta in _wholes(difference):
        yield from _total(name, delta, width)
    for title, deltas in (
        ("layers", difference.layers),
        ("modules", difference.modules),
        ("packages", difference.packages),
        ("what no package owns", difference.sections),
        ("files", difference.files),
    ):
        yield from _deltas(title, deltas, top, has_shares=width >= _WIDTH_OF_SHARES)
    yield from _words(difference, top)
    if difference.budgets:
        yield ""
        yield "budgets"
        for one in difference.budgets:
            yield from _wrapped(f"  {'kept' if one.is_within else 'EXCEEDED':<8}  {one.budget}: {one.message}", width)


def _side(difference: Difference, which: str) -> str:
    side = difference.before if which == "before" else difference.after
    return f"{side.reference} ({side.version})" if side.version and side.version != side.reference else side.reference


def _wholes(difference: Difference) -> Iterator[tuple[str, Delta]]:
    is_image = difference.after.kind == "image"
    yield "in a registry" if is_image else "compressed, about", difference.compressed
    yield "unpacked" if is_image else "program", difference.total
    if is_image and difference.program is not None:
        yield f"program {difference.program.name}", difference.program
    if difference.wasted is not None and (difference.wasted.before_bytes or difference.wasted.after_bytes):
        yield "stored, not shown", difference.wasted


def _total(name: str, delta: Delta, width: int) -> Iterator[str]:
    before, after, grown = size_text(delta.before_bytes), size_text(delta.after_bytes), growth_text(delta)
    line = f"  {name:<20} {before:>8} → {after:>8}  {grown}"
    # The sizes are what was asked for: where the line is too long, they have one of their own.
    yield from [line] if len(line) <= width else [f"  {name}", f"  {before} → {after}  {grown}"]


def _deltas(title: str, deltas: Sequence[Delta], top: int, *, has_shares: bool) -> Iterator[str]:
    if not deltas:
        return
    yield ""
    yield title
    rows = []
    for one in deltas[:top]:
        grown, share, rest = growth_text(one).partition(" (")
        word = "" if one.change == "changed" and one.grown_bytes else one.change
        rows.append((f"{grown}{share}{rest}" if has_shares else grown, word))
    widths = [max((len(row[number]) for row in rows), default=0) for number in (0, 1)]
    for one, (grown, word) in zip(deltas, rows, strict=False):
        yield f"  {grown:<{widths[0]}}  {word:<{widths[1]}}{'  ' if widths[1] else ''}{one.name}"
    if len(deltas) > top:
        yield f"  {len(deltas) - top} more"


def _words(difference: Difference, top: int) -> Iterator[str]:
    most = max(top, 20)
    rows = [f"  {_change(one.before, one.after)} {one.kind} {one.name}" for one in difference.dependencies]
    yield from _listed("dependencies", rows, most)
    settings = [
        f"  {one.name}: {one.before or '(not set)'} → {one.after or '(not set)'}" for one in difference.settings
    ]
    yield from _listed("configuration", settings, most)
    for title, findings in (("new findings", difference.new_findings), ("gone findings", difference.gone_findings)):
        yield from _listed(title, [f"  {one.severity:<7}  {one.id}: {one.message}" for one in findings], most)


def _change(before: str, after: str) -> str:
    if not before:
        return f"+ {after}"
    return f"- {before}" if not after else f"~ {before} → {after}"


def _listed(title: str, rows: Sequence[str], most: int) -> Iterator[str]:
    if not rows:
        return
    yield ""
    yield title
    yield from rows[:most]
    if len(rows) > most:
        yield f"  {len(rows) - most} more"


def _wrapped(text: str, width: int) -> list[str]:
    import textwrap

    return textwrap.wrap(plain(text), width, subsequent_indent=" " * 12, break_on_hyphens=False) or [""]
