"""Plots as SVG that is as wide as its place: everything across is in per cent, so nothing is scaled, text least of all.

Names and figures stand beside each line as text, so that they wrap, are read out and can be copied.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import msgspec

from proa.report.elements import Markup, tag

Written = Callable[[float], str]
_MOST_SPREAD = 40.0
"""Where the largest is more than this many times the smallest, the axis is logarithmic."""
_MIDDLE = "11"
_ROOM = 0.04
"""Left empty on the right of the largest."""


class Bar(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a plot."""

    name: str
    median: float
    low: float | None = None
    high: float | None = None
    samples: tuple[float, ...] = ()
    against: str = ""
    """In words, what it is against the baseline."""
    is_baseline: bool = False


class Axis(msgspec.Struct, frozen=True, kw_only=True):
    """From a value to its place in per cent."""

    low: float
    high: float
    is_logarithmic: bool

    def at(self, value: float) -> str:
        """Return the place of a value."""
        return f"{100 * self.share(value):.2f}%"

    def share(self, value: float) -> float:
        """Return where a value is, from 0 to 1."""
        if self.is_logarithmic:
            value = max(value, self.low)
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)

    def ticks(self) -> list[float]:
        """Return round values, at most six."""
        if self.is_logarithmic:
            powers = range(math.ceil(math.log10(self.low)), math.floor(math.log10(self.high)) + 1)
            step = max(1, math.ceil(len(powers) / 5))
            return [10.0**power for power in powers][::step]
        width = _round_step((self.high - self.low) / 4)
        return [width * number for number in range(int(self.high / width) + 1)]


def axis_of(values: Sequence[float]) -> Axis:
    """Return the axis that has all these values, from zero where they are of one kind.

    >>> axis_of([0.5, 2.0]).ticks(), axis_of([0.004, 2.0]).is_logarithmic
    ([0.0, 1.0, 2.0], True)
    """
    good = [value for value in values if math.isfinite(value) and value > 0]
    high, low = max(good, default=1.0), min(good, default=1.0)
    if high / low > _MOST_SPREAD:
        return Axis(low=10 ** math.floor(math.log10(low)), high=high * 1.25, is_logarithmic=True)
    return Axis(low=0.0, high=high * (1 + _ROOM), is_logarithmic=False)


def _round_step(least: float) -> float:
    power: float = 10.0 ** math.floor(math.log10(least)) if least > 0 else 1.0
    return next(power * times for times in (1, 2, 5, 10) if power * times >= least * 0.999)


def interval_plot(title: str, bars: Sequence[Bar], written: Written, *, note: str = "") -> Markup:
    """Return medians with their intervals, one under the other; a dashed line is the baseline's median."""
    axis = axis_of([value for bar in bars for value in (bar.median, bar.low, bar.high, *bar.samples) if value])
    base = next((bar.median for bar in bars if bar.is_baseline), None)
    rows = [_row(bar, axis, written, base) for bar in bars]
    scale = "logarithmic axis" if axis.is_logarithmic else "axis from zero"
    said = ", ".join(word for word in (scale, note) if word)
    return tag(
        "figure",
        "plot",
        tag("figcaption", "", tag("strong", "", title), " ", tag("span", "quiet", said)),
        tag("ul", {"class": "bars", "aria-label": title}, *rows),
        _scale(axis, written),
    )


def _row(bar: Bar, axis: Axis, written: Written, base: float | None) -> Markup:
    has_interval = bar.low is not None and bar.high is not None and (bar.low, bar.high) != (bar.median, bar.median)
    value = [tag("strong", "", written(bar.median))]
    if has_interval:
        value.append(tag("span", "quiet", f" {written(bar.low or 0)} to {written(bar.high or 0)}"))
    return tag(
        "li",
        "bar-row",
        tag("span", "bar-name", bar.name, tag("span", "tagged", "baseline") if bar.is_baseline else None),
        _line(bar, axis, base, has_interval=has_interval),
        tag("span", "bar-value", *value),
        tag("span", "bar-against", bar.against) if bar.against else None,
    )


def _line(bar: Bar, axis: Axis, base: float | None, *, has_interval: bool) -> Markup:
    parts = [_rule(axis.at(tick), "grid") for tick in axis.ticks()]
    parts.append(tag("rect", {"x": "0", "y": "6", "width": axis.at(bar.median), "height": "10", "class": "bar-fill"}))
    if base is not None:
        parts.append(_rule(axis.at(base), "base-line"))
    parts += [
        tag("line", {"x1": axis.at(one), "x2": axis.at(one), "y1": "17", "y2": "21", "class": "sample"})
        for one in bar.samples[:60]
    ]
    if has_interval:
        low, high = axis.at(bar.low or 0), axis.at(bar.high or 0)
        parts.append(tag("line", {"x1": low, "x2": high, "y1": _MIDDLE, "y2": _MIDDLE, "class": "whisker"}))
        parts += [tag("line", {"x1": x, "x2": x, "y1": "6", "y2": "16", "class": "whisker"}) for x in (low, high)]
    parts.append(tag("circle", {"cx": axis.at(bar.median), "cy": _MIDDLE, "r": "4.5", "class": "dot"}))
    return tag("svg", {"class": "bar-line", "width": "100%", "height": "22", "aria-hidden": "true"}, *parts)


def _rule(x: str, kind: str) -> Markup:
    return tag("line", {"x1": x, "x2": x, "y1": "0", "y2": "22", "class": kind})


def _scale(axis: Axis, written: Written) -> Markup:
    ticks = axis.ticks()
    marks = [
        tag("text", {"x": axis.at(tick), "y": "12", "class": "tick", "text-anchor": _anchor(axis.share(tick))},
            written(tick))
        for tick in ticks
    ]  # fmt: skip
    return tag(
        "div",
        {"class": "scale", "aria-hidden": "true"},
        tag("svg", {"width": "100%", "height": "16"}, *marks),
    )


def _anchor(share: float) -> str:
    return "start" if share < 0.08 else "end" if share > 0.92 else "middle"


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """One release of a line."""

    name: str
    value: float | None
    is_this: bool = False


_HEIGHT = 132
_TOP, _BOTTOM = 24, 104


def history_plot(title: str, points: Sequence[Point], written: Written) -> Markup:
    """Return one figure over releases, the oldest on the left; a ring is this one, a gap is not known."""
    known = [one.value for one in points if one.value is not None]
    axis = msgspec.structs.replace(axis_of(known), low=0.0, is_logarithmic=False)
    places = [(number + 0.5) / len(points) for number in range(len(points))]
    dots = [
        (place, _BOTTOM - (_BOTTOM - _TOP) * axis.share(point.value), point)
        for place, point in zip(places, points, strict=True)
        if point.value is not None
    ]
    parts = [
        tag("line", {"x1": "0", "x2": "100%", "y1": str(y), "y2": str(y), "class": "grid"}) for y in (_TOP, _BOTTOM)
    ]
    parts += [
        tag("line", {"x1": _percent(a[0]), "y1": f"{a[1]:.1f}", "x2": _percent(b[0]), "y2": f"{b[1]:.1f}",
                     "class": "course"})
        for a, b in pairwise(dots)
    ]  # fmt: skip
    for place, y, point in dots:
        kind = "dot this" if point.is_this else "dot"
        circle = {"cx": _percent(place), "cy": f"{y:.1f}", "r": "6" if point.is_this else "4", "class": kind}
        parts.append(tag("circle", circle, tag("title", "", f"{point.name}: {written(point.value or 0)}")))
    for place, y, point in _labelled(dots):
        given = {"x": _percent(place), "y": f"{y - 10:.1f}", "class": "value", "text-anchor": _anchor(place)}
        parts.append(tag("text", given, written(point.value or 0)))
    for place, point in _named(places, points):
        given = {"x": _percent(place), "y": str(_HEIGHT - 10), "class": "tick", "text-anchor": _anchor(place)}
        parts.append(tag("text", given, point.name[:14]))
    low, high = min(known), max(known)
    said = f"{title} over {len(points)} shipments: from {written(low)} to {written(high)}; the table has each"
    return tag(
        "figure",
        "plot",
        tag(
            "figcaption",
            "",
            tag("strong", "", title),
            " ",
            tag("span", "quiet", "axis from zero; the ring is this one"),
        ),
        tag(
            "svg",
            {"class": "history", "width": "100%", "height": str(_HEIGHT), "role": "img", "aria-label": said},
            *parts,
        ),
    )


def _percent(share: float) -> str:
    return f"{100 * share:.2f}%"


_Dot = tuple[float, float, Point]


def _labelled(dots: Sequence[_Dot]) -> list[_Dot]:
    """Return the dots whose value is written: all of a few, else the first, the last, the extremes and this one."""
    if len(dots) <= 4:
        return list(dots)
    ends = {0, len(dots) - 1, *(number for number, dot in enumerate(dots) if dot[2].is_this)}
    kept: list[_Dot] = []
    for number in sorted(ends):
        if not kept or dots[number][0] - kept[-1][0] > 0.2:
            kept.append(dots[number])
    return kept


def _named(places: Sequence[float], points: Sequence[Point]) -> list[tuple[float, Point]]:
    step = max(1, math.ceil(len(points) / 4))
    return [(places[number], points[number]) for number in range(0, len(points), step)]
