"""Explanations of facts and of settings as lines."""

from __future__ import annotations

from collections.abc import Sequence

from proa.cli.prose import setting_explanations
from proa.errors import WrongUsage
from proa.records.analysis import Analysis
from proa.records.explanation import Explanation
from proa.report.markdown_text import plain


def explained(analyses: Sequence[Analysis], fact: str) -> tuple[tuple[Explanation, ...], tuple[str, ...]]:
    """Return what is known of a fact in any of the analyses, as records and as lines. Raises WrongUsage."""
    from proa.analyze.explain import explain

    records: list[Explanation] = []
    unknown: list[WrongUsage] = []
    for analysis in analyses:
        if found := setting_explanations(analysis, fact):
            records += found
            continue
        try:
            records += explain(analysis, fact)
        except WrongUsage as error:
            unknown.append(error)
    if not records and unknown:
        raise unknown[0]
    return tuple(records), tuple(line for one in records for line in _lines(one))


def _lines(one: Explanation) -> list[str]:
    told = [f"{plain(one.fact)} = {plain(one.value)}" if one.value else plain(one.fact)]
    if one.origin:
        told.append(f"  from {plain(one.origin)}")
    told += [f"  found in {plain(str(place))}" for place in one.where if str(place)]
    told += [f"  decides {plain(what)}" for what in one.decides] or ["  decides nothing by itself: it is for people"]
    return told
