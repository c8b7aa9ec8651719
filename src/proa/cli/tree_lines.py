"""Branches as a tree with bars that fits the terminal: modules and packages, or folders and files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from proa.cli.amounts import bytes_text
from proa.report.branches import Branch
from proa.report.markdown_text import plain

_LEAST_WIDTH = 40
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def tree_lines(branches: Sequence[Branch], *, top: int, depth: int, width: int, whole: str) -> Iterator[str]:
    """Yield one line per branch, none wider than ``width`` columns, the largest first.

    ``top`` is how many are shown of each level, ``depth`` how many levels; ``whole`` is what the first line is called.
    What is not shown is one line with its sum, so every level adds up to the line above it.
    """
    tree = _Tree(sum(one.bytes for one in branches), top=top, depth=depth, width=max(width, _LEAST_WIDTH))
    yield tree.line(tree.whole_bytes, "", whole)
    yield from tree.level(branches, "", None, 1)


class _Tree:
    """How a tree is drawn."""

    def __init__(self, whole_bytes: int, *, top: int, depth: int, width: int) -> None:
        self.whole_bytes = whole_bytes
        self._top = top
        self._depth = depth
        self._width = width
        self._bar = 20 if width >= 100 else 10 if width >= 60 else 5

    def level(self, branches: Sequence[Branch], stem: str, above: Branch | None, depth: int) -> Iterator[str]:
        shown, left = branches[: self._top], branches[self._top :]
        for number, one in enumerate(shown, 1):
            is_last = number == len(shown) and not left
            yield self.line(one.bytes, f"{stem}{'└─ ' if is_last else '├─ '}", _name(one, above))
            if depth < self._depth:
                yield from self.level(one.below, f"{stem}{'   ' if is_last else '│  '}", one, depth + 1)
        if left:
            amount = sum(one.bytes for one in left)
            yield self.line(amount, f"{stem}└─ ", f"… {len(left):,} more")

    def line(self, amount: int, stem: str, name: str) -> str:
        share = amount / self.whole_bytes if self.whole_bytes else 0.0
        percent = f" {100 * share:5.1f} %" if self._width >= 60 else ""
        head = f"{bytes_text(amount):>8}{percent} {_bar(share, self._bar)} "
        # Deep levels lose their stems before their names.
        most_stem = max(3, (self._width - len(head)) // 2)
        if len(stem) > most_stem:
            stem = f"…{stem[len(stem) - most_stem + 1 :]}"
        return f"{head}{stem}{clipped_cells(name, self._width - len(head) - len(stem))}".rstrip()


def _name(branch: Branch, above: Branch | None) -> str:
    name = plain(branch.name)
    if above is not None and above.name and branch.name.startswith(f"{above.name}/"):
        name = f"…{plain(branch.name[len(above.name) :])}"
    if branch.kind == "folder":
        return f"{name}/"
    if branch.note and branch.kind in ("module", "symlink"):
        return f"{name} {plain(branch.note)}"
    return name


def _bar(share: float, width: int) -> str:
    """Return a bar of ``width`` columns, an eighth of a column fine.

    >>> _bar(0.5, 5), _bar(0.0, 5), _bar(1.0, 5)
    ('██▌  ', '     ', '█████')
    """
    eighths = min(8 * width, round(8 * width * share))
    return f"{'█' * (eighths // 8)}{_EIGHTHS[eighths % 8].strip()}".ljust(width)


def clipped_cells(text: str, width: int) -> str:
    """Return text that takes at most ``width`` columns; a wide letter takes two, a combining one none.

    >>> clipped_cells("漢字漢字", 5), clipped_cells("ab", 2), clipped_cells("abc", 2)
    ('漢字…', 'ab', 'a…')
    """
    from rich.cells import cell_len

    # Letters of no width could go on for ever.
    text = text[: 8 * max(width, 1)]
    if cell_len(text) <= width:
        return text
    kept, used = [], 1
    for letter in text:
        used += cell_len(letter)
        if used > width:
            break
        kept.append(letter)
    return f"{''.join(kept)}…"
