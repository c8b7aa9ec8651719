"""Exact tables of two rank tests, and the intervals they give without any belief about how figures are spread.

Source: Hollander, Wolfe, Chicken, "Nonparametric Statistical Methods", 3rd ed., sections 3.1, 3.3 and 4.3.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

Values = Sequence[float]


def median_interval(samples: Values, *, level: float = 0.95) -> tuple[float, float, float]:
    """Return the median and an interval that covers the true one with at least ``level``, from order statistics.

    Fewer than 6 samples cannot say so much: then it is from the smallest to the largest.

    >>> median_interval([3.0, 1.0, 2.0])
    (2.0, 1.0, 3.0)
    """
    ordered = np.sort(np.asarray(samples, dtype=float))
    count = len(ordered)
    below, cut = 0.0, 0
    for number in range(count // 2):
        below += math.comb(count, number) / 2**count
        if 2 * below > 1 - level:
            break
        cut = number
    return float(np.median(ordered)), float(ordered[cut]), float(ordered[count - 1 - cut])


def paired_interval(differences: Values, *, error: float) -> tuple[float, float] | None:
    """Return the interval of a shift from its paired differences (Wilcoxon's signed ranks).

    It misses the true shift with at most ``error``, where the differences lie alike on both sides of it. None where
    so few pairs cannot say so much.

    >>> paired_interval([1.0] * 4, error=0.05) is None
    True
    """
    values = np.asarray(differences, dtype=float)
    cut = _cut(_signed_ranks(len(values)), error)
    if cut is None:
        return None
    first, second = np.triu_indices(len(values))
    averages = np.sort((values[first] + values[second]) / 2)
    return float(averages[cut]), float(averages[len(averages) - 1 - cut])


def outlasts_a_wild_round(pairs: int, *, error: float) -> bool:
    """Say whether so many pairs show what all but one show, however wild that one is: it has the highest rank.

    >>> outlasts_a_wild_round(21, error=0.0003), outlasts_a_wild_round(22, error=0.0003)
    (False, True)
    """
    cut = _cut(_signed_ranks(pairs), error)
    return cut is not None and cut >= pairs


def unpaired_interval(values: Values, others: Values, *, error: float) -> tuple[float, float] | None:
    """Return the interval of the shift from ``others`` to ``values`` (Mann and Whitney).

    It says more of few runs than their pairs can: 8 and 8 that do not overlap are one case in 6,435.
    """
    cut = _cut(_rank_sums(len(values), len(others)), error)
    if cut is None:
        return None
    gaps = np.sort(np.subtract.outer(np.asarray(values, dtype=float), np.asarray(others, dtype=float)).ravel())
    return float(gaps[cut]), float(gaps[len(gaps) - 1 - cut])


def _cut(chances: Any, error: float) -> int | None:
    """Return how many of the ordered values are left out at each end; None where even none is too many."""
    within = np.flatnonzero(2 * np.cumsum(chances) <= error * (1 + 1e-9))
    return int(within[-1]) if len(within) else None


@lru_cache(64)
def _signed_ranks(count: int) -> Any:
    """Return the chance of each sum of positive ranks of ``count`` pairs where nothing differs."""
    ways = np.ones(1)
    for rank in range(1, count + 1):
        ways = (np.pad(ways, (0, rank)) + np.pad(ways, (rank, 0))) / 2
    return ways


@lru_cache(64)
def _rank_sums(count: int, others: int) -> Any:
    """Return the chance of each of Mann and Whitney's U of two samples where nothing differs.

    The numbers of ways are the coefficients of the Gaussian binomial.
    """
    ways = np.ones(1)
    for number in range(1, others + 1):
        # Times (1 - q^(count + number)), by (1 - q^number).
        longer = np.pad(ways, (0, count + number))
        longer[count + number :] -= ways
        for at in range(number, len(longer)):
            longer[at] += longer[at - number]
        ways = longer[: count * number + 1]
    return ways / ways.sum()
