"""A difference as lines that fit the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from proa.cli.anatomy_table import clipped, plain
from proa.records.difference import Delta, Difference
from proa.report.sizes import growth_text, size_text

_LEAST_WIDTH = 40


def lines(difference: Difference, *, top: int, width: int) -> Iterator[str]:
    """Yield what people read, no line wider than ``width``; ``top`` is how many rows each list has at most."""
    width = max(width, _LEAST_WIDTH)
    for line in _all(difference, top, width):
        yield clipped(plain(line), width).rstrip()


def _all(difference: Difference, top: int, width: int) -> Iterator[str]:
    yield f"{_side(difference, 'before')} → {_side(difference, 'after')}"
    is_image = difference.after.kind == "image"
    yield _total("in a registry" if is_image else "compressed, about", difference.compressed)
    yield _total("unpacked" if is_image else "program", difference.total)
    if is_image and difference.program is not None:
        yield _total(f"program {difference.program.name}", difference.program)
    if difference.wasted is not None and (difference.wasted.before_bytes or difference.wasted.after_bytes):
        yield _total("stored, not shown", difference.wasted)
    for title, deltas in (
        ("layers", difference.layers),
        ("modules", difference.modules),
        ("packages", difference.packages),
        ("what no package owns", difference.sections),
        ("files", difference.files),
    ):
        yield from _deltas(title, deltas, top)
    yield from _words(difference, top)
    if difference.budgets:
        yield ""
        yield "budgets"
        for one in difference.budgets:
            yield from _wrapped(f"  {'kept' if one.is_within else 'EXCEEDED':<8}  {one.budget}: {one.message}", width)


def _side(difference: Difference, which: str) -> str:
    side = difference.before if which == "before" else difference.after
    return f"{side.reference} ({side.version})" if side.version and side.version != side.reference else side.reference


def _total(name: str, delta: Delta) -> str:
    return f"  {name:<20} {size_text(delta.before_bytes):>8} → {size_text(delta.after_bytes):>8}  {growth_text(delta)}"


def _deltas(title: str, deltas: Sequence[Delta], top: int) -> Iterator[str]:
    if not deltas:
        return
    yield ""
    yield title
    for one in deltas[:top]:
        word = one.change if one.change in ("added", "removed") or not one.grown_bytes else ""
        grown = growth_text(one) if one.grown_bytes else ""
        yield f"  {grown or '±0 B':<20} {word:<8} {one.name}"
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
