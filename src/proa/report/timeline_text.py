"""A start as a timeline of text, as wide as the terminal."""

from __future__ import annotations

from collections.abc import Iterator

from proa.records.startup import Startup
from proa.report.markdown_text import plain
from proa.report.timeline_rows import Row, picture, said, sentence, summary

_LEAST_WIDTH = 40
_MOST_BAR = 32
_TIME = 9


def timeline_lines(start: Startup, *, width: int) -> Iterator[tuple[str, bool]]:
    """Yield the lines and whether each tells of a failure; none is wider than ``width`` (40 at least)."""
    width = max(_LEAST_WIDTH, width)
    for place, part in enumerate(_wrapped(plain(summary(start)), width - 10)):
        yield (f"start-up  {part}" if place == 0 else f"          {part}"), bool(start.problem)
    if not start.steps:
        return
    drawn = picture(start)
    bar = max(6, min(_MOST_BAR, (width - _TIME) // 3))
    room = width - _TIME - bar - 3
    for row in drawn.rows:
        mark = "\N{BALLOT X} " if row.step.has_failed else ""
        text = _clipped(mark + plain(sentence(row.step)), room)
        yield f"{said(row.step.at_s):>{_TIME}} {_bar(row, bar)}  {text}".rstrip(), row.step.has_failed
    if drawn.left_out:
        yield " " * (_TIME + bar + 3) + _clipped(f"and {drawn.left_out} shorter steps (--format json)", room), False


def _bar(row: Row, width: int) -> str:
    begins = min(width - 1, int(row.from_ratio * width))
    ends = max(begins + 1, min(width, round(row.to_ratio * width)))
    sign = "\N{FULL BLOCK}" if row.step.duration_s else "\N{LEFT HALF BLOCK}"
    return " " * begins + sign * (ends - begins) + " " * (width - ends)


def _clipped(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 1] + "\N{HORIZONTAL ELLIPSIS}"


def _wrapped(text: str, width: int) -> list[str]:
    import textwrap

    return textwrap.wrap(text, width) or [""]
