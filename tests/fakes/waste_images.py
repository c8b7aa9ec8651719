"""Synthetic images whose waste is known, by their layers' entries."""

from __future__ import annotations

from typing import Any

import msgspec

from fakes.layers import item

K = 1000


def bulk(kib: int, seed: int = 0) -> bytes:
    """Return so many kilobytes that equal no others of another seed."""
    return (bytes([seed % 256, seed // 256]) * 500) * kib


class Truth(msgspec.Struct, frozen=True):
    layers: list[list[Any]]
    stored: int
    wasted: tuple[int, ...]
    """Per layer."""
    double: int = 0
    reasons: tuple[str, ...] = ()
    """Of the wasted files, largest first."""


KEPT = item("app", bulk(10, 99))
MANY = [item(f"big/{n}", bulk(1, n)) for n in range(20)]
CASES = {
    "a folder added, then whited out whole": Truth(
        [[KEPT, item("big"), *MANY], [item(".wh.big", b"")]], 30 * K, (20 * K, 0), reasons=("removed",) * 20
    ),
    "a folder hidden by an opaque whiteout": Truth(
        [[KEPT, item("big"), *MANY], [item("big"), item("big/.wh..wh..opq", b"")]],
        30 * K,
        (20 * K, 0),
        reasons=("removed",) * 20,
    ),
    "equal contents at two paths": Truth(
        [[item("a", bulk(10, 1))], [item("b/c", bulk(10, 1))]], 20 * K, (0, 0), double=10 * K
    ),
    "one file whited out": Truth(
        [[KEPT, item("old", bulk(5, 1))], [item(".wh.old", b"")]], 15 * K, (5 * K, 0), reasons=("removed",)
    ),
    "one file rewritten once": Truth(
        [[item("a", bulk(10, 1))], [item("a", bulk(10, 2))]], 20 * K, (10 * K, 0), reasons=("overwritten",)
    ),
    "chmod alone stores the file again": Truth(
        [[item("a", bulk(10, 1))], [item("a", bulk(10, 1), mode=0o755)]], 20 * K, (10 * K, 0), reasons=("metadata",)
    ),
    "a hard link outlives its first name": Truth(
        [[item("a", bulk(10, 1)), item("b", hard="a")], [item(".wh.a", b"")]], 10 * K, (0, 0)
    ),
    "both names of a hard link removed": Truth(
        [[item("a", bulk(10, 1)), item("b", hard="a")], [item(".wh.a", b""), item(".wh.b", b"")]],
        10 * K,
        (10 * K, 0),
        reasons=("removed",),
    ),
    "a folder replaced by a link": Truth(
        [[item("d/x", bulk(3, 1)), item("d/y", bulk(4, 2))], [item("d", link="e")]],
        7 * K,
        (7 * K, 0),
        reasons=("replaced", "replaced"),
    ),
    "an opaque folder keeps what its own layer puts there, before and after the mark": Truth(
        [
            [item("d/old", bulk(3, 1))],
            [item("d/new", bulk(1, 2)), item("d/.wh..wh..opq", b""), item("d/two", bulk(1, 3))],
        ],
        5 * K,
        (3 * K, 0),
        reasons=("removed",),
    ),
    "whited out, and written anew by the same layer": Truth(
        [[item("a", bulk(3, 1))], [item("a", bulk(2, 2)), item(".wh.a", b"")]],
        5 * K,
        (3 * K, 0),
        reasons=("overwritten",),
    ),
    "written through a link among the folders": Truth(
        [[item("usr/lib/x", bulk(4, 1)), item("lib", link="usr/lib")], [item("lib/x", bulk(5, 2))]],
        9 * K,
        (4 * K, 0),
        reasons=("overwritten",),
    ),
    "rewritten in three layers, then removed": Truth(
        [[item("a", bulk(1, 1))], [item("a", bulk(2, 2))], [item("a", bulk(3, 3))], [item(".wh.a", b"")]],
        6 * K,
        (1 * K, 2 * K, 3 * K, 0),
        reasons=("removed", "overwritten", "overwritten"),
    ),
    "twice in one layer": Truth(
        [[item("a", bulk(2, 1)), item("a", bulk(3, 2))]], 5 * K, (2 * K,), reasons=("repeated",)
    ),
    "nothing at all": Truth([[]], 0, (0,)),
}
