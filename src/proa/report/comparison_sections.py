"""A comparison on a page: the table of variants, one plot for each figure, what was run and where."""

from __future__ import annotations

from collections.abc import Iterator

from proa.records.comparison import Comparison, Variant
from proa.report import figures
from proa.report.elements import Child, Markup, facts, folded, section, table, tag
from proa.report.image_sections import finding_list
from proa.report.plots import Bar, interval_plot

_MOST_SAMPLES = 200


def comparison_sections(comparison: Comparison) -> Iterator[tuple[str, str, Markup]]:
    """Yield the anchor, the title and the markup of each part."""
    yield "variants", "Variants", section("Variants", "variants", *_variants(comparison))
    plots = list(_plots(comparison))
    if plots:
        note = (
            "A dot is the median, the line through it its 95 % interval, ticks below are the runs; the dashed line is "
            f"the baseline, {comparison.baseline}. Less is better, but for requests per second."
        )
        quiet = tag("p", "quiet", note)
        yield "plots", "Side by side", section("Side by side", "plots", quiet, tag("div", "plots", *plots))
    if comparison.findings:
        told = section("What was noticed", "noticed", *finding_list(comparison.findings))
        yield "noticed", "What was noticed", told
    yield "measured", "How it was measured", section("How it was measured", "measured", *_how(comparison))


def _variants(comparison: Comparison) -> Iterator[Child]:
    shown = figures.present(comparison)
    heads = ["Variant", "Result", *(one.title for one in shown)]
    rows = []
    for variant in comparison.variants:
        cells: list[Child] = [_named(variant, comparison), figures.VERDICTS[variant.verdict]]
        cells += [_cell(comparison, variant, figure) for figure in shown]
        rows.append(cells)
    yield table(
        f"{len(rows)} variants, measured in the same run; below a median its 95 % interval",
        heads,
        rows,
        numbers=range(2, len(heads)),
    )
    for variant in comparison.variants:
        yield folded(f"{variant.name}: what it is", *_details(variant))


def _cell(comparison: Comparison, variant: Variant, figure: figures.Figure) -> Markup | None:
    """Return the median, the interval below it, and what it is against the baseline."""
    median, interval = figures.median_of(variant, figure), figures.interval_of(variant, figure)
    if median is None:
        return None
    contrast = figures.contrast_of(comparison, variant.name, figure.field)
    lines = []
    if interval is not None and interval.low != interval.high:
        lines.append(tag("span", "note", f"{figure.written(interval.low)} to {figure.written(interval.high)}"))
    if contrast is not None:
        lines.append(tag("span", "against", figures.against(contrast, is_short=True)))
    return tag("span", "", tag("span", "amount", figure.written(median)), *lines)


def _named(variant: Variant, comparison: Comparison) -> Markup:
    name = tag("span", "variant", variant.name)
    if variant.name == comparison.baseline:
        name = tag("span", "", name, tag("span", "tagged", "baseline"))
    lines = [tag("span", "note", word) for word in (variant.description, variant.reason) if word]
    return tag("span", "", name, *lines)


def _details(variant: Variant) -> Iterator[Child]:
    libc = {None: "", True: "needs a C library", False: "needs none"}[variant.needs_libc]
    pairs = [
        ("what", variant.description),
        ("why not", variant.reason),
        ("C library", libc),
        ("digest", variant.digest),
        ("asked", variant.route),
        ("confined by", variant.engine),
        *((name, value) for name, value in sorted(variant.settings.items())),
    ]
    yield facts(pairs)
    for figure in figures.FIGURES:
        interval = figures.interval_of(variant, figure)
        if interval is not None and interval.samples:
            shown = ", ".join(figure.written(one) for one in interval.samples[:_MOST_SAMPLES])
            runs = f"{figure.title}, {len(interval.samples)} runs in their order: "
            yield tag("p", "samples", tag("strong", "", runs), shown)


def _plots(comparison: Comparison) -> Iterator[Markup]:
    for figure in figures.present(comparison):
        bars = []
        for variant in comparison.variants:
            median, interval = figures.median_of(variant, figure), figures.interval_of(variant, figure)
            if median is None:
                continue
            bars.append(
                Bar(
                    name=variant.name,
                    median=median,
                    low=interval.low if interval else None,
                    high=interval.high if interval else None,
                    samples=interval.samples if interval else (),
                    against=figures.against(figures.contrast_of(comparison, variant.name, figure.field)),
                    is_baseline=variant.name == comparison.baseline,
                )
            )
        if figure.field in figures.PLOTTED and len(bars) > 1:
            more = "more is better" if figure.field == "requests_per_s" else ""
            yield interval_plot(figure.title, bars, figure.written, note=more)


def _how(comparison: Comparison) -> Iterator[Child]:
    took = figures.seconds(comparison.took_s) if comparison.took_s else ""
    yield facts(
        [
            ("started", comparison.started_at),
            ("took", took),
            ("rounds", str(comparison.rounds) if comparison.rounds else ""),
            *figures.machine_words(comparison.machine),
        ],
        columns="two",
    )
    if comparison.command:
        yield tag("p", "", "To repeat it: ", tag("code", "", comparison.command))
    if comparison.machine.notes:
        yield tag("ul", "notes", *(tag("li", "", one) for one in comparison.machine.notes))
