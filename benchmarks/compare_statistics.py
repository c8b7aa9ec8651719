"""Claim: the statistics of `proa compare` keep their word, by simulation.

(1) A variant that is the baseline's equal is shown to differ in at most one comparison of a hundred, all figures and
looks together; (2) the intervals of medians cover the true median in at least 94 of a hundred; (3) a difference of 20
% is shown in at least 95 of a hundred at a spread of 10 %. Times are drawn from a skewed distribution with outliers
and with waves that the machine sends through all of a round. Nothing is run, so it says the same on any machine.

    python benchmarks/compare_statistics.py [TRIALS]
"""

from __future__ import annotations

import sys

import numpy as np

import measure
from proa.compare import LEAST_RUNS, LOOKS, Pace, contrasts, half_width, least_error, paired, ratio_of
from proa.compare.ranks import median_interval
from proa.records.comparison import Sample, Variant

FIGURES = ("ready_s", "rss_bytes", "steady_bytes", "page_faults", "requests_per_s", "p50_s", "p99_s")
PACE = Pace(precision=0.02)
"""Narrower than most reach, so that there is much looking."""


def main() -> None:
    """Simulate and print."""
    trials = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    measure.header("nothing is shown where nothing differs, and what differs is shown")
    chance = np.random.default_rng(7)
    results = []
    for name, spread, outliers in (("quiet", 0.03, 0.0), ("usual", 0.1, 0.05), ("wild", 0.4, 0.2)):
        shown, naive, covered, rounds = np.array([_equal(chance, spread, outliers) for _ in range(trials)]).mean(axis=0)
        print(f"     {name}: spread {spread:g}, outliers {outliers:g}: {rounds:.1f} rounds; 95 % t-intervals "
              f"after every round would show {naive:.1%}")  # fmt: skip
        results.append(measure.verdict(f"{name}: equal variants shown to differ", shown, 0.01 + 2 * _error(trials)))
        results.append(measure.verdict(f"{name}: medians not covered", 1 - covered, 0.06))
    resampled, ordered = np.array([_medians(chance, 8) for _ in range(trials)]).mean(axis=0)
    print(f"     median of 8 covered: bootstrap {resampled:.1%}, order statistics {ordered:.1%}")
    missed = 1 - np.mean([_different(chance, 1.2, 0.1) for _ in range(trials)])
    results.append(measure.verdict("a difference of 20 % not shown", missed, 0.05))
    measure.finish(results)


def _error(trials: int) -> float:
    return float(np.sqrt(0.01 * 0.99 / trials))


def _draw(chance: np.random.Generator, count: int, spread: float, outliers: float) -> np.ndarray:
    """Return times around 1 whose true median is 1, but for what hits a whole round."""
    slow = np.where(chance.random(count) < outliers, chance.exponential(1.0, count), 0.0)
    return np.exp(chance.normal(0.0, spread, count)) * (1 + slow)


def _samples(values: np.ndarray) -> list[Sample]:
    return [Sample(verdict="measured", **dict(zip(FIGURES, map(float, row), strict=True))) for row in values]


def _compare(one: np.ndarray, other: np.ndarray) -> tuple[bool, int]:
    """Look as `proa compare` looks; return whether anything is shown, and after how many rounds it was enough."""
    a, b = _samples(one), _samples(other)
    rounds = LOOKS[-1]
    for look in LOOKS:
        pairs = paired(a[:look], b[:look], "ready_s")
        if pairs is not None and half_width(ratio_of(*pairs, error=least_error(PACE))[0]) <= PACE.precision:
            rounds = look
            break
    variants = [Variant(name=name, verdict="measured") for name in ("a", "b")]
    found = contrasts(variants, {"a": a[:rounds], "b": b[:rounds]}, baseline="b", pace=PACE)
    return any(one.difference != "none_shown" for one in found), rounds


def _equal(chance: np.random.Generator, spread: float, outliers: float) -> tuple[float, float, float, float]:
    count = LOOKS[-1]
    waves = np.exp(chance.normal(0.0, spread / 2, (count, 1)))
    drawn = [np.stack([_draw(chance, count, spread, outliers) for _ in FIGURES], axis=1) * waves for _ in range(2)]
    shown, rounds = _compare(*drawn)
    logs = np.log(drawn[0][:, 0] / drawn[1][:, 0])
    naive = any(abs(logs[:n].mean()) > 1.96 * logs[:n].std(ddof=1) / np.sqrt(n) for n in range(LEAST_RUNS, rounds + 1))
    _, low, high = median_interval(_draw(chance, rounds, spread, 0.0))
    return float(shown), float(naive), float(low <= 1.0 <= high), float(rounds)


def _medians(chance: np.random.Generator, count: int) -> tuple[float, float]:
    """Say whether the bootstrap's 95 % interval, and that of order statistics, cover the true median."""
    values = _draw(chance, count, 0.1, 0.0)
    medians = np.median(values[chance.integers(0, count, (2000, count))], axis=1)
    low, high = np.quantile(medians, (0.025, 0.975))
    _, least, most = median_interval(values)
    return float(low <= 1.0 <= high), float(least <= 1.0 <= most)


def _different(chance: np.random.Generator, factor: float, spread: float) -> bool:
    count = LOOKS[-1]
    drawn = [np.stack([_draw(chance, count, spread, 0.05) for _ in FIGURES], axis=1) for _ in range(2)]
    drawn[0][:, 0] *= factor
    return _compare(*drawn)[0]


if __name__ == "__main__":
    main()
