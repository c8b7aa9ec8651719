"""From samples to figures: medians with intervals, ratios to the baseline, and what difference they show.

The error allowed is shared out: all figures that vary, of one variant, over all looks, together show a difference that
is not there once in a hundred comparisons at most (ADR 0036).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np

from proa.compare.ranks import median_interval, outlasts_a_wild_round, paired_interval, unpaired_interval
from proa.compare.schedule import Pace
from proa.records.comparison import Contrast, Interval, Sample, Shown, Variant

ERROR = 0.01
"""How often a variant that is the baseline's equal may be shown to differ in anything."""
VARYING = (
    "ready_s",
    "warm_ready_s",
    "rss_bytes",
    "steady_bytes",
    "page_faults",
    "requests_per_s",
    "p50_s",
    "p99_s",
)
FIXED = ("binary_bytes", "unpacked_bytes", "compressed_bytes", "layers")
_UP: dict[str, tuple[Shown, Shown]] = {
    "ready_s": ("slower", "faster"),
    "warm_ready_s": ("slower", "faster"),
    "p50_s": ("slower", "faster"),
    "p99_s": ("slower", "faster"),
    "requests_per_s": ("faster", "slower"),
}
"""What more and less of a figure is called; of all others ``larger`` and ``smaller``."""


def least_error(pace: Pace) -> float:
    """Return what a single figure may err at a single look."""
    return ERROR / len(VARYING) / pace.looks


def with_figures(variant: Variant, samples: Sequence[Sample]) -> Variant:
    """Return a variant with the medians and intervals of its runs."""
    found = {name: interval_of(values) for name in VARYING if (values := values_of(samples, name))}
    last = samples[-1] if samples else Sample(verdict="measured")
    return msgspec.structs.replace(variant, route=last.route, engine=last.engine, **found)


def values_of(samples: Sequence[Sample], name: str) -> list[float]:
    """Return one figure of every run that has it."""
    return [float(value) for one in samples if (value := getattr(one, name)) is not None]


def interval_of(values: Sequence[float]) -> Interval:
    """Return the median of at least one value, with its 95 % interval from the ranks."""
    middle, low, high = median_interval(values)
    return Interval(median=middle, low=low, high=high, samples=tuple(values))


def contrasts(
    variants: Sequence[Variant], samples: Mapping[str, Sequence[Sample]], *, baseline: str, pace: Pace
) -> Iterator[Contrast]:
    """Yield every figure that a variant and the baseline both have, as a ratio."""
    base = next(one for one in variants if one.name == baseline)
    for variant in variants:
        if variant.name == baseline:
            continue
        yield from _fixed(variant, base)
        if variant.verdict != "measured" or base.verdict != "measured":
            continue
        pairs = {
            name: found
            for name in VARYING
            if (found := paired(samples[variant.name], samples[baseline], name)) is not None
        }
        for name, (values, others) in pairs.items():
            ratio, is_wide = ratio_of(values, others, error=least_error(pace))
            yield Contrast(
                name=variant.name,
                figure=name,
                ratio=ratio,
                difference="none_shown" if is_wide else _shown(name, ratio),
            )


def paired(samples: Sequence[Sample], others: Sequence[Sample], name: str) -> tuple[Any, Any] | None:
    """Return one figure of both, of the rounds in which both have it; None where that is none or one is not positive.

    Sample N of each was made in round N.
    """
    pairs = [
        (getattr(one, name), getattr(other, name))
        for one, other in zip(samples, others, strict=False)
        if getattr(one, name) is not None and getattr(other, name) is not None
    ]
    found = np.asarray(pairs, dtype=float)
    return (found[:, 0], found[:, 1]) if pairs and bool((found > 0).all()) else None


def ratio_of(values: Any, others: Any, *, error: float) -> tuple[Interval, bool]:
    """Return the ratio with its interval, and whether so few rounds can show nothing.

    Pairs of a round are compared where they are so many that a single wild round hides nothing, all runs of one with
    all of the other otherwise: the number of rounds decides, never what they showed.
    """
    logs, other_logs = np.log(values), np.log(others)
    pairs = logs - other_logs
    if outlasts_a_wild_round(len(pairs), error=error):
        found = paired_interval(pairs, error=error)
    else:
        found = unpaired_interval(logs, other_logs, error=error)
    low, high = found or (float(pairs.min()), float(pairs.max()))
    middle = float(np.median(pairs))
    ratio = Interval(
        median=math.exp(middle),
        low=math.exp(min(low, middle)),
        high=math.exp(max(high, middle)),
        samples=tuple(float(one) for one in np.exp(pairs)),
    )
    return ratio, found is None


def half_width(ratio: Interval) -> float:
    """Return half the width of a ratio's interval, as a share of the ratio.

    >>> round(half_width(Interval(median=2.0, low=1.9, high=2.1)), 3)
    0.05
    """
    return (ratio.high - ratio.low) / 2 / ratio.median


def _shown(name: str, ratio: Interval) -> Shown:
    more, less = _UP.get(name, ("larger", "smaller"))
    return more if ratio.low > 1 else less if ratio.high < 1 else "none_shown"


def _fixed(variant: Variant, base: Variant) -> Iterator[Contrast]:
    for name in FIXED:
        size, other = getattr(variant, name), getattr(base, name)
        if size and other:
            ratio = Interval(median=size / other, low=size / other, high=size / other)
            yield Contrast(name=variant.name, figure=name, ratio=ratio, difference=_shown(name, ratio))
