"""A start as a Mermaid gantt chart, which GitHub, GitLab and many editors draw.

Source: https://mermaid.js.org/syntax/gantt.html; ``dateFormat x`` is milliseconds, and ``axisFormat`` is d3's.
"""

from __future__ import annotations

import re

from proa.records.startup import Startup, Step
from proa.report.markdown_text import plain
from proa.report.timeline_rows import WORDS, picture, sentence, summary

_FINE_S = 0.1
"""Below this a millisecond of the chart stands for a microsecond."""
_MOST_TEXT = 100
_KEYWORD = re.compile(
    r"\d|(?:gantt|section|title|click|dateformat|axisformat|tickinterval|excludes|includes|todaymarker|weekday|weekend"
    r"|inclusiveenddates|topaxis|acctitle|accdescr|call|href)",
    re.IGNORECASE,
)
"""What begins a statement of its own instead of a task."""


def timeline_mermaid(start: Startup) -> str:
    """Return the chart; steps of one kind are a section, failures are marked critical."""
    drawn = picture(start)
    is_fine = drawn.whole_s < _FINE_S
    lines = [
        "gantt",
        f"    title {_text(f'{_command(start)}: {summary(start)}')}",
        "    dateFormat x",
        # %Q is milliseconds since 1970, %s is seconds: of the chart's own clock.
        f"    axisFormat {'%s' if is_fine else '%Q'} ms",
    ]
    scale = 1e6 if is_fine else 1e3
    section = ""
    order = list(dict.fromkeys(WORDS.values()))
    for number, row in enumerate(sorted(drawn.rows, key=lambda one: order.index(WORDS[one.step.kind]))):
        if WORDS[row.step.kind] != section:
            section = WORDS[row.step.kind]
            lines.append(f"    section {section}")
        lines.append(f"    {_task(row.step, number, scale)}")
    return "\n".join(lines) + "\n"


def _task(step: Step, number: int, scale: float) -> str:
    begins = round(step.at_s * scale)
    ends = round((step.at_s + (step.duration_s or 0.0)) * scale)
    tags = "crit, " if step.has_failed else ""
    if ends <= begins:
        return f"{_text(sentence(step))} :{tags}milestone, s{number}, {begins}, 0ms"
    return f"{_text(sentence(step))} :{tags}s{number}, {begins}, {ends}"


def _command(start: Startup) -> str:
    return " ".join(start.command) or "start-up"


def _text(text: str) -> str:
    """Return text that ends no task: colons, semicolons and hashes have meanings there.

    >>> _text("connect to db:5432; #1")
    'connect to db\N{RATIO}5432, 1'
    """
    text = plain(text).replace(":", "\N{RATIO}").replace(";", ",").replace("%%", "%")
    text = re.sub(r"[#<>{}\"`\\]", "", text).strip()
    if _KEYWORD.match(text):
        text = f"\N{MIDDLE DOT} {text}"
    return text if len(text) <= _MOST_TEXT else text[: _MOST_TEXT - 1] + "\N{HORIZONTAL ELLIPSIS}"
