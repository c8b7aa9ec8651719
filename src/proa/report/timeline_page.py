"""A start as one self-contained HTML page without any script: a picture, and the same as a table.

Its Content-Security-Policy allows its own stylesheet by its hash and nothing else: no request can leave it.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator

from proa.records.evidence import Finding
from proa.records.startup import Startup
from proa.report.markdown_text import plain
from proa.report.page import part, style_and_policy
from proa.report.timeline_rows import WORDS, Picture, Row, picture, said, sentence, summary

_WIDTH, _ROW, _TOP = 1000, 26, 30
_TICKS = 5
_MOST_ROWS = 200


def timeline_page(start: Startup, *, findings: Iterable[Finding] = ()) -> str:
    """Return the page of one start and of what delays it."""
    drawn = picture(start, most=_MOST_ROWS)
    style, policy = style_and_policy("page.css", "timeline.css")
    command = " ".join(start.command) or "nothing"
    parts = {
        "title": _text(f"proa: start-up of {command}"),
        "policy": policy,
        "style": style,
        "command": _text(command),
        "summary": _text(summary(start)),
        "picture": "".join(_picture(drawn)) if start.steps else "",
        "rows": "".join(_table_row(row) for row in drawn.rows),
        "left_out": f"{drawn.left_out} shorter steps are in the JSON alone." if drawn.left_out else "",
        "findings": _findings(findings),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], part("timeline.html"))


def _text(text: str) -> str:
    return html.escape(plain(text)).encode("ascii", "xmlcharrefreplace").decode()


def _picture(drawn: Picture) -> Iterator[str]:
    height = _TOP + _ROW * len(drawn.rows) + 6
    yield (
        f'<svg id="timeline" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}" role="img" '
        'aria-label="Timeline of the start; the table below has the same">'
    )
    for tick in range(_TICKS + 1):
        x = _x(tick / _TICKS)
        anchor = "start" if tick == 0 else "end" if tick == _TICKS else "middle"
        yield f'<line class="tick" x1="{x}" x2="{x}" y1="{_TOP - 8}" y2="{height}"/>'
        yield f'<text class="time" x="{x}" y="14" text-anchor="{anchor}">{said(drawn.whole_s * tick / _TICKS)}</text>'
    for number, row in enumerate(drawn.rows):
        yield from _bar(row, _TOP + number * _ROW)
    yield "</svg>"


def _x(ratio: float) -> float:
    return round(8 + ratio * (_WIDTH - 16), 1)


def _bar(row: Row, y: int) -> Iterator[str]:
    begins, ends = _x(row.from_ratio), _x(row.to_ratio)
    kind = "failed" if row.step.has_failed else WORDS[row.step.kind]
    width = max(3.0, round(ends - begins, 1))
    yield f'<rect class="bar {kind}" x="{begins}" y="{y}" width="{width}" height="9" rx="2"/>'
    is_right = begins > _WIDTH * 0.6
    place = f'x="{max(ends, begins + 3)}" text-anchor="end"' if is_right else f'x="{begins}"'
    text = sentence(row.step)
    shown = text if len(text) <= 90 else text[:89] + "\N{HORIZONTAL ELLIPSIS}"
    yield f'<text class="label" {place} y="{y + 20}">{_text(shown)}</text>'


def _table_row(row: Row) -> str:
    step = row.step
    length = said(step.duration_s) if step.duration_s else ""
    result = "failed" if step.has_failed else "ok"
    said_more = f" ({step.message})" if step.message else ""
    return (
        f'<tr class="{result}"><td class="number">{said(step.at_s)}</td><td class="number">{length}</td>'
        f"<td>{_text(WORDS[step.kind])}</td><td>{_text(step.step + said_more)}</td><td>{result}</td></tr>"
    )


def _findings(findings: Iterable[Finding]) -> str:
    rows = "".join(
        f"<li><strong>{_text(one.message)}</strong>{f'<br>{_text(one.hint)}' if one.hint else ''}</li>"
        for one in findings
    )
    return f'<h2 id="delays">What delays the start</h2><ul>{rows}</ul>' if rows else ""
