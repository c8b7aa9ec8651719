"""The figures of a comparison in words: which there are, how each is written, and what it is against the baseline."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from proa.records.comparison import Comparison, Contrast, Interval, Machine, Shown, Variant, VariantVerdict
from proa.report.sizes import size_text

SHOWN: dict[Shown, str] = {
    "none_shown": "= no difference shown",
    "slower": "\N{BLACK UP-POINTING TRIANGLE} slower",
    "faster": "\N{BLACK DOWN-POINTING TRIANGLE} faster",
    "larger": "\N{BLACK UP-POINTING TRIANGLE} larger",
    "smaller": "\N{BLACK DOWN-POINTING TRIANGLE} smaller",
}
"""A sign for each, so that no colour is needed."""
VERDICTS: dict[VariantVerdict, str] = {
    "measured": "\N{CHECK MARK} measured",
    "does-not-build": "\N{HEAVY MULTIPLICATION X} does not build",
    "does-not-start": "\N{HEAVY MULTIPLICATION X} does not start",
    "not-ready": "\N{HEAVY MULTIPLICATION X} never ready",
    "left-out": "\N{EN DASH} left out",
}


def size(value: float) -> str:
    """Return a number of bytes as people read it."""
    return size_text(round(value))


def seconds(value: float) -> str:
    """Return a time with three significant digits.

    >>> seconds(0.000052), seconds(0.01543), seconds(2.345), seconds(0.0)
    ('52.0 µs', '15.4 ms', '2.35 s', '0 s')
    """
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("µs", 1e6)):
        scaled = value * factor
        if scaled >= 0.9995:
            return f"{scaled:.{2 if scaled < 9.995 else 1 if scaled < 99.95 else 0}f} {unit}"
    return f"{value * 1e6:.2f} µs" if value > 0 else "0 s"


def number(value: float) -> str:
    """Return a count with its thousands apart.

    >>> number(12345.6), number(3.25)
    ('12,346', '3.2')
    """
    return f"{value:,.0f}" if value >= 100 or value == round(value) else f"{value:,.1f}"


class Figure(msgspec.Struct, frozen=True):
    """One figure of a variant."""

    field: str
    title: str
    written: Callable[[float], str]


FIGURES = (
    Figure("binary_bytes", "Program", size),
    Figure("unpacked_bytes", "Unpacked", size),
    Figure("compressed_bytes", "Compressed", size),
    Figure("layers", "Layers", number),
    Figure("ready_s", "Cold start", seconds),
    Figure("warm_ready_s", "Warm start", seconds),
    Figure("rss_bytes", "Peak memory", size),
    Figure("steady_bytes", "Memory at rest", size),
    Figure("page_faults", "Page faults", number),
    Figure("requests_per_s", "Requests per second", number),
    Figure("p50_s", "Latency, median", seconds),
    Figure("p99_s", "Latency, 99 %", seconds),
    Figure("packages_seen", "Packages a scanner names", number),
)
"""Sizes first, then times and memory: the order of the tables and plots."""
PLOTTED = frozenset(one.field for one in FIGURES) - {"layers", "packages_seen"}


def present(comparison: Comparison) -> list[Figure]:
    """Return the figures that at least one variant has."""
    return [one for one in FIGURES if any(getattr(variant, one.field) is not None for variant in comparison.variants)]


def median_of(variant: Variant, figure: Figure) -> float | None:
    """Return a figure's value; of an interval its median."""
    value: Interval | float | None = getattr(variant, figure.field)
    return value.median if isinstance(value, Interval) else value


def interval_of(variant: Variant, figure: Figure) -> Interval | None:
    """Return a figure's interval, None where it is one number."""
    value = getattr(variant, figure.field)
    return value if isinstance(value, Interval) else None


def written(variant: Variant, figure: Figure) -> str:
    """Return a figure with its interval; empty where it is not known."""
    median, interval = median_of(variant, figure), interval_of(variant, figure)
    if median is None:
        return ""
    if interval is None or interval.low == interval.high:
        return figure.written(median)
    return f"{figure.written(median)} ({figure.written(interval.low)} to {figure.written(interval.high)})"


def contrast_of(comparison: Comparison, variant: str, field: str) -> Contrast | None:
    """Return a variant's figure against the baseline's."""
    return next((one for one in comparison.comparisons if (one.name, one.figure) == (variant, field)), None)


def against(contrast: Contrast | None, *, is_short: bool = False) -> str:
    """Return in words what a variant's figure is against the baseline's; short without the interval.

    >>> ratio = Interval(median=1.5, low=1.4, high=1.6)
    >>> against(Contrast(name="a", figure="ready_s", ratio=ratio, difference="slower"))
    '▲ slower: 1.50 times (1.40 to 1.60)'
    """
    if contrast is None:
        return ""
    ratio = contrast.ratio
    if is_short:
        by = "" if contrast.difference == "none_shown" else f": {times(ratio.median)} times"
        return f"{SHOWN[contrast.difference]}{by}"
    spread = "" if ratio.low == ratio.high else f" ({times(ratio.low)} to {times(ratio.high)})"
    return f"{SHOWN[contrast.difference]}: {times(ratio.median)} times{spread}"


def times(value: float) -> str:
    """Return a ratio.

    >>> times(0.0213), times(1.5), times(153.2)
    ('0.021', '1.50', '153')
    """
    if value < 0.1:
        return f"{value:.2g}"
    return f"{value:.{2 if value < 9.95 else 1 if value < 99.5 else 0}f}"


def machine_words(machine: Machine) -> Iterator[tuple[str, str]]:
    """Yield what is said of the machine, by name."""
    yield "processor", machine.processor
    yield "cores", str(machine.cores) if machine.cores else ""
    yield "memory", size_text(machine.memory_bytes) if machine.memory_bytes else ""
    yield "system", ", ".join(word for word in (machine.system, machine.kernel) if word)
    yield "tools", ", ".join(machine.tools)
