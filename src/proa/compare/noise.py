"""How quiet the machine was while it measured, and what a reader must know of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec
import numpy as np

_MOST_STEAL = 0.02
_MOST_OTHERS = 0.25
_MOST_SPREAD = 0.15
"""From where on it is said (arbitrary: each is several times what a quiet virtual machine with 2 cores showed)."""


class Conditions(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen of the machine during all rounds."""

    loops_s: tuple[float, ...] = ()
    """How long the same little work took, again and again."""
    steal: float = 0.0
    """The share of processor time that the hypervisor gave to others."""
    others: float = 0.0
    """Cores that other programs kept busy, on average."""
    cores: int = 1
    has_swap: bool = False
    is_cold: bool = False
    """Files were dropped from the page cache before each cold start."""
    limits: tuple[str, ...] = ()
    """What held, and what was asked for and could not be set."""


def notes(seen: Conditions) -> Iterator[str]:
    """Yield what must be known, one sentence each.

    >>> list(notes(Conditions(is_cold=True, cores=2, steal=0.1)))
    ['noisy: the hypervisor took 10 % of the processor time for others']
    """
    spread = loop_spread(seen.loops_s)
    if spread > _MOST_SPREAD:
        yield f"noisy: the same little work took {100 * spread:.0f} % longer in one run of ten than in most"
    if seen.steal > _MOST_STEAL:
        yield f"noisy: the hypervisor took {100 * seen.steal:.0f} % of the processor time for others"
    if seen.others > _MOST_OTHERS * seen.cores:
        yield f"noisy: other programs kept {seen.others:.1f} of {seen.cores} cores busy"
    if seen.cores == 1:
        yield "one core: programs, their load and the measuring take turns"
    if seen.has_swap:
        yield "swap is on: memory that was moved there is not in these figures"
    if not seen.is_cold:
        yield "page cache not dropped: files were in memory at every start"
    yield from seen.limits


def loop_spread(loops_s: Sequence[float]) -> float:
    """Return how much longer than the median the slowest tenth took.

    >>> round(loop_spread([1.0] * 8 + [1.5] * 2), 2)
    0.5
    """
    if len(loops_s) < 5:
        return 0.0
    return float(np.quantile(loops_s, 0.9, method="higher") / np.median(loops_s) - 1)
