"""A difference as Markdown: a pull request's comment, or a job's summary on GitHub."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from proa.records.difference import Delta, Dependency, Difference, Judged
from proa.report.markdown_text import code, prose
from proa.report.sizes import growth_text, size_text

MARKER = "<!-- proa diff -->"
"""Hidden in the first line, so that a second run updates the comment of the first."""
MOST_BYTES = 65_536
"""Source: GitHub refuses comments of more than 65536 characters; in bytes, it holds whatever is counted."""
_CUT = "\n_The rest was cut off: GitHub takes 65536 characters. `proa diff --format json` has all of it._\n"
_MOST_BUDGETS = 50
_MOST_TEXT = 60
_LEAST_ROWS = 20
"""Of what is not sorted by size."""
_RIGHT = "---|---:|---:|---:"
_NONE = "none"


def markdown(difference: Difference, *, top: int = 10) -> str:
    """Return the comment, at most 65,536 bytes; ``top`` is how many rows each table has at most."""
    text = _cut(difference, top)
    # A table that is too long would take all after it along; half the rows say more than none.
    while text.endswith(_CUT) and top > 1:
        top //= 2
        text = _cut(difference, top)
    return text


def _cut(difference: Difference, top: int) -> str:
    kept: list[str] = []
    room = MOST_BYTES - len(_CUT.encode())
    for block in _blocks(difference, top):
        size = len(block.encode()) + 1
        if size > room:
            return "\n".join([*kept, _CUT])
        kept.append(block)
        room -= size
    return "\n".join(kept)


def _blocks(difference: Difference, top: int) -> Iterator[str]:
    """Yield what can stand for itself: headings with their tables, the most important first."""
    before, after = difference.before, difference.after
    yield f"{MARKER}\n### Size: {code(before.reference)} → {code(after.reference)}\n"
    yield _verdict(difference)
    yield _totals(difference)
    yield from _budgets(difference.budgets)
    for title, deltas in (
        ("Layers", difference.layers),
        ("Modules", difference.modules),
        ("Packages", difference.packages),
        ("Sections", difference.sections),
        ("Files", difference.files),
    ):
        rows = [_sizes(one) for one in deltas[:top]]
        yield from _folded(title, (title.lower()[:-1], "before", "after", "change"), _RIGHT, rows, total=len(deltas))
    most = max(top, _LEAST_ROWS)
    rows = [[_what(one), code(one.name), _or_none(one.before), _or_none(one.after)] for one in difference.dependencies]
    yield from _folded("Dependencies", ("", "name", "before", "after"), "---|---|---|---", rows[:most], total=len(rows))
    rows = [[code(one.name), _or_none(one.before), _or_none(one.after)] for one in difference.settings]
    yield from _folded("Configuration", ("setting", "before", "after"), "---|---|---", rows[:most], total=len(rows))
    for title, findings in (("New findings", difference.new_findings), ("Gone findings", difference.gone_findings)):
        rows = [[one.severity, code(one.id), prose(one.message)] for one in findings[:most]]
        yield from _folded(title, ("severity", "finding", ""), "---|---|---", rows, total=len(findings))
    if difference.findings:
        yield "\n".join([*(f"- {one.severity}: {prose(one.message)}" for one in difference.findings[:_LEAST_ROWS]), ""])


def _verdict(difference: Difference) -> str:
    over, count = difference.exceeded_budgets, len({one.budget for one in difference.budgets})
    if over:
        return f"**{over} of {count} budget{'' if count == 1 else 's'} exceeded**\n"
    return f"Budgets kept: {count}.\n" if count else "No budget is set.\n"


def _totals(difference: Difference) -> str:
    is_image = difference.after.kind == "image"
    wholes = [
        ("in a registry" if is_image else "compressed, about", difference.compressed),
        ("unpacked" if is_image else "program", difference.total),
    ]
    if is_image and difference.program is not None:
        wholes.append((f"program {code(difference.program.name)}", difference.program))
    if difference.wasted is not None and (difference.wasted.before_bytes or difference.wasted.after_bytes):
        wholes.append(("stored and not shown", difference.wasted))
    rows = [[name, size_text(one.before_bytes), size_text(one.after_bytes), growth_text(one)] for name, one in wholes]
    return _table(("", "before", "after", "change"), _RIGHT, rows)


def _budgets(budgets: Sequence[Judged]) -> Iterator[str]:
    rows = [
        [
            "✅ kept" if one.is_within else "❌ exceeded",
            code(one.budget, most=_MOST_TEXT),
            code(one.limit, most=_MOST_TEXT),
            prose(one.message),
        ]
        for one in sorted(budgets, key=lambda one: one.is_within)
    ]
    titles = ("", "budget", "limit", "what it says")
    yield from _folded("Budgets", titles, "---|---|---:|---", rows[:_MOST_BUDGETS], total=len(rows), is_open=True)


def _sizes(delta: Delta) -> list[str]:
    before = _NONE if delta.change == "added" else size_text(delta.before_bytes)
    after = _NONE if delta.change == "removed" else size_text(delta.after_bytes)
    word = {"added": "new, ", "removed": "gone, "}.get(delta.change, "")
    is_same_size = delta.change == "changed" and not delta.grown_bytes
    return [code(delta.name), before, after, "changed" if is_same_size else f"{word}{growth_text(delta)}"]


def _what(dependency: Dependency) -> str:
    word = "new" if not dependency.before else "gone" if not dependency.after else "changed"
    return word if dependency.kind == "module" else f"{word} {dependency.kind}"


def _or_none(text: str) -> str:
    return code(text) or _NONE


def _folded(
    title: str,
    titles: Sequence[str],
    rule: str,
    rows: Sequence[Sequence[str]],
    *,
    total: int,
    is_open: bool = False,
) -> Iterator[str]:
    """Yield a table that opens on a click; nothing where there is nothing to say."""
    if not total:
        return
    rest = f"\n…and {total - len(rows)} more\n" if total > len(rows) else ""
    body = _table(titles, rule, rows) if rows else ""
    head = f"<details{' open' if is_open else ''}><summary>{title} ({total})</summary>"
    yield f"{head}\n\n{body}{rest}\n</details>\n"


def _table(titles: Sequence[str], rule: str, rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(titles)} |", f"|{rule}|", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines) + "\n"
