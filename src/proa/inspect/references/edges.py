"""Edges as columns of node numbers: gathered stage by stage, then sorted by where they begin."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec


class Edges(msgspec.Struct, frozen=True, eq=False):
    """Who refers to whom, in the order in which it was found."""

    sources: Any
    targets: Any


def joined(parts: Sequence[Edges]) -> Edges:
    """Return the edges of all parts, one part after the other, in half the memory (int32)."""
    import numpy as np

    return Edges(
        np.concatenate([part.sources.astype("i4", copy=False) for part in parts]),
        np.concatenate([part.targets.astype("i4", copy=False) for part in parts]),
    )


def by_source(edges: Edges, count: int) -> tuple[Any, Any]:
    """Return where the edges of each of ``count`` nodes begin, with one place more for the end, and the targets.

    >>> import numpy
    >>> columns = by_source(Edges(numpy.array([1, 0, 1]), numpy.array([5, 6, 4])), 3)
    >>> [column.tolist() for column in columns]
    [[0, 1, 3, 3], [6, 5, 4]]
    """
    import numpy as np

    first = np.concatenate([[0], np.bincount(edges.sources, minlength=count).cumsum()]).astype("i4")
    return first, edges.targets[edges.sources.argsort(kind="stable")]
