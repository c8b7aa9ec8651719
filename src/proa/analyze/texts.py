"""Texts that are known in part: what joining, formatting and paths make of them. Pure.

``Values`` of an expression are all the texts it can have, with ``HOLE`` in place of every part that is only known
at run time: ``"http://" + host`` is ``{"http://" + HOLE}``.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from itertools import product

HOLE = "\x00"
"""Stands for a part of a text that is not known before run time."""
SELF = "\x01"
"""Stands for the path of the program itself."""
TEMPORARY = "/tmp"  # noqa: S108 - the name it has in the image
MOST_VALUES = 64
"""More say no more than that it is not known (arbitrary)."""
Values = frozenset[str]
UNKNOWN: Values = frozenset({HOLE})


def joined(sides: Sequence[Values]) -> Values:
    """Return every text made of one of each side's, one after the other.

    >>> sorted(joined([frozenset({"a", "b"}), frozenset({".txt"})]))
    ['a.txt', 'b.txt']
    """
    if _too_many(sides):
        return UNKNOWN
    return frozenset("".join(parts) for parts in product(*sides))


def path_joined(parts: Sequence[Values]) -> Values:
    """Return every path made of one of each part's, as Go's path.Join writes it."""
    if not parts or _too_many(parts):
        return UNKNOWN
    return frozenset(posixpath.normpath("/".join(part for part in texts if part)) for texts in product(*parts))


def _too_many(sides: Sequence[Values]) -> bool:
    count = 1
    for side in sides:
        count *= max(len(side), 1)
    return count > MOST_VALUES


def formatted(given: Sequence[Values]) -> Values:
    r"""Return what Sprintf makes of a format and its arguments.

    >>> sorted(formatted([frozenset({"http://%s:%d/%q%%"}), frozenset({"db"}), UNKNOWN]))
    ['http://db:\x00/\x00%']
    """
    if not given or _too_many(given):
        return UNKNOWN
    return frozenset(_filled(texts[0], texts[1:]) for texts in product(*given))


def _filled(text: str, given: Sequence[str]) -> str:
    left = iter(given)

    def verb(found: re.Match[str]) -> str:
        if found[0] == "%%":
            return "%"
        following = next(left, HOLE)
        return following if found[0] in ("%s", "%d", "%v") else HOLE

    return re.sub(r"%[-+# 0]*[0-9*]*(?:\.[0-9*]+)?(?:\[\d+\])?[a-zA-Z%]", verb, text)
