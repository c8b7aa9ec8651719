"""Every byte of a file attributed once: ranges laid over each other, the first one laid wins.

A range has an owner (a number: a package from 0 on, a section below), a kind, and how it is known. What is laid last,
the sections and the file itself, leaves no byte over, so that the owners' bytes add up to the file exactly.
"""

from __future__ import annotations

from typing import Any, get_args

import msgspec

from proa.records.binary_anatomy import Kind, KnownBy

KINDS: tuple[str, ...] = (*get_args(Kind), "none")
KNOWN: tuple[str, ...] = (*get_args(KnownBy), "none")
NONE = len(KINDS) - 1


class Names:
    """Owners' names, numbered in the order in which they come up: packages from 0 up, sections from -1 down."""

    def __init__(self) -> None:
        self.packages: dict[str, int] = {}
        self.sections: dict[str, int] = {}
        self.meanings: dict[str, str] = {}

    def package(self, name: str) -> int:
        """Return a package's number; that of no owner, -1, for an empty name."""
        return self.packages.setdefault(name, len(self.packages)) if name else -1

    def section(self, name: str, meaning: str) -> int:
        """Return a section's number, -2 or less."""
        self.meanings.setdefault(name, meaning)
        return self.sections.setdefault(name, -2 - len(self.sections))


class Ranges(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Disjoint ranges of the file, ascending: where each starts, its owner, kind and how it is known.

    ``starts`` has one more, the end of the file.
    """

    starts: Any
    owners: Any
    kinds: Any
    known: Any

    @property
    def sizes(self) -> Any:
        """Return the bytes of each range."""
        import numpy as np

        return np.diff(self.starts)


class Layers:
    """What was laid, in order."""

    def __init__(self, total: int) -> None:
        self.total = total
        self._laid: list[tuple[Any, Any, Any, int, int]] = []

    def lay(self, starts: Any, ends: Any, owners: Any, *, kind: str, known: str) -> None:
        """Lay ranges under what lies there already; those without an owner (-1) and outside the file are left out.

        Where two of them overlap, the one that starts first keeps the overlap.
        """
        import numpy as np

        starts, ends = np.asarray(starts, "i8"), np.asarray(ends, "i8")
        owners = np.broadcast_to(np.asarray(owners, "i4"), starts.shape)
        starts, ends = np.maximum(starts, 0), np.minimum(ends, self.total)
        good = (ends > starts) & (owners != -1)
        starts, ends, owners = starts[good], ends[good], owners[good]
        if not len(starts):
            return
        order = starts.argsort(kind="stable")
        starts, ends, owners = starts[order], ends[order], owners[order]
        before = np.concatenate([[0], np.maximum.accumulate(ends)[:-1]])
        starts = np.maximum(starts, before)
        good = ends > starts
        self._laid.append((starts[good], ends[good], owners[good], KINDS.index(kind), KNOWN.index(known)))

    def resolved(self) -> Ranges:
        """Return who owns what. The last layer must have covered the file."""
        import numpy as np

        edges = distinct([[0, self.total], *(part for laid in self._laid for part in laid[:2])])
        lefts = edges[:-1]
        owners = np.full(len(lefts), -1, "i4")
        kinds, known = np.full(len(lefts), NONE, "u1"), np.full(len(lefts), NONE, "u1")
        for starts, ends, own, kind, how in self._laid:
            low, high = lefts.searchsorted([starts[0], ends[-1]])
            places = lefts[low:high]
            at = starts.searchsorted(places, side="right") - 1
            free = np.flatnonzero((places < ends[at]) & (owners[low:high] == -1))
            owners[low + free] = own[at[free]]
            kinds[low + free], known[low + free] = kind, how
        return Ranges(starts=edges, owners=owners, kinds=kinds, known=known)


def distinct(parts: list[Any]) -> Any:
    """Return the numbers of several columns, each once and ascending; numpy's own unique is slower at this."""
    import numpy as np

    found = np.concatenate([np.asarray(part, "i8") for part in parts])
    found.sort(kind="stable")
    return found[np.concatenate([[True], found[1:] != found[:-1]])] if len(found) else found


def voted(starts: Any, owners: Any, weights: Any) -> tuple[Any, Any]:
    """Return the places, each once and ascending, and who most refer to it: by weight, then the lower number.

    >>> [column.tolist() for column in voted([5, 1, 5, 5], [2, 7, 3, 3], [1, 1, 1, 1])]
    [[1, 5], [7, 3]]
    """
    import numpy as np

    starts, owners, weights = np.asarray(starts, "i8"), np.asarray(owners, "i8"), np.asarray(weights, "i8")
    order = np.lexsort((owners, starts))
    starts, owners, weights = starts[order], owners[order], weights[order]
    first = np.flatnonzero(np.diff(starts, prepend=-1) | np.diff(owners, prepend=-9))
    sums = np.add.reduceat(weights, first) if len(first) else weights
    starts, owners = starts[first], owners[first]
    order = np.lexsort((owners, -sums, starts))
    starts, owners = starts[order], owners[order]
    best = np.flatnonzero(np.diff(starts, prepend=-1))
    return starts[best], owners[best].astype("i4")


def until_next(starts: Any, end: int, stops: Any = ()) -> Any:
    """Return where each of some ascending places ends: at the next one, the next stop, or the end.

    >>> until_next([1, 5, 8], 10, stops=[6]).tolist()
    [5, 6, 10]
    """
    import numpy as np

    starts = np.asarray(starts, "i8")
    edges = distinct([starts, stops, [end]])
    return np.minimum(np.append(edges, end)[edges.searchsorted(starts, side="right")], end)
