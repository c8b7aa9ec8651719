"""What the Go runtime says of the initialisation of packages: ``GODEBUG=inittrace=1``. Pure parsing.

Source: the documentation of package runtime, "inittrace".
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

VARIABLE = ("GODEBUG", "inittrace=1")
_LINE = re.compile(r"init (\S+) @([0-9.]+) ms, ([0-9.]+) ms clock, (\d+) bytes, (\d+) allocs")


class PackageInit(msgspec.Struct, frozen=True, kw_only=True):
    """One package's initialisation."""

    package: str
    at_s: float
    """From the start of the Go runtime, which is part of a millisecond after exec."""
    duration_s: float
    allocated_bytes: int
    allocations: int


def parse_inittrace(text: str) -> tuple[PackageInit, ...]:
    """Return the packages in the order they were initialised; other lines of the program are passed over.

    >>> parse_inittrace("init time @1.3 ms, 0.007 ms clock, 16 bytes, 1 allocs")[0].duration_s
    7e-06
    """
    return tuple(_packages(text.splitlines()))


def _packages(lines: Iterable[str]) -> Iterable[PackageInit]:
    for line in lines:
        # The program may have written the beginning of a line itself.
        if (found := _LINE.search(line)) and all(one.count(".") <= 1 for one in (found[2], found[3])):
            yield PackageInit(
                package=found[1],
                at_s=round(float(found[2]) / 1000, 9),
                duration_s=round(float(found[3]) / 1000, 9),
                allocated_bytes=int(found[4]),
                allocations=int(found[5]),
            )
