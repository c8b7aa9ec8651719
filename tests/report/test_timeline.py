"""A start as text, as Mermaid and as a page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.records.evidence import Finding
from proa.records.startup import Startup, Step
from proa.report.timeline_mermaid import timeline_mermaid
from proa.report.timeline_page import timeline_page
from proa.report.timeline_rows import picture
from proa.report.timeline_text import timeline_lines
from start_example import START

GOLDEN = Path(__file__).parent / "golden"


def test_the_timeline_of_a_terminal():
    shown = "\n".join(line for line, _ in timeline_lines(START, width=90)) + "\n"
    assert shown == (GOLDEN / "timeline.txt").read_text()


@pytest.mark.parametrize("width", [10, 40, 60, 80, 200])
def test_no_line_is_wider_than_the_terminal(width):
    assert all(len(line) <= max(40, width) for line, _ in timeline_lines(START, width=width))


def test_failures_are_told_apart_without_any_colour():
    failed = [line for line, has_failed in timeline_lines(START, width=90) if has_failed]
    assert len(failed) == 1
    assert "✗" in failed[0]


def test_the_chart_for_mermaid():
    assert timeline_mermaid(START) == (GOLDEN / "timeline.mmd").read_text()


STEPS = st.builds(
    Step,
    step=st.text(max_size=60),
    kind=st.sampled_from(["load", "connect", "listen", "initialise"]),
    at_s=st.floats(0, 1e4),
    duration_s=st.none() | st.floats(0, 1e4),
    what=st.text(max_size=5),
    has_failed=st.booleans(),
    message=st.text(max_size=20),
)


@given(st.lists(STEPS, max_size=8))
def test_whatever_a_program_names_its_files_the_chart_stays_a_chart(steps):
    """Each line has the one form the grammar knows for it: a task is a text without its signs, and then its data."""
    lines = timeline_mermaid(Startup(command=("x",), steps=tuple(steps))).splitlines()
    assert lines[0] == "gantt"
    for line in lines[4:]:
        assert re.fullmatch(
            r"    section \w+|    [^:;#]* :(?:crit, )?(?:milestone, s\d+, \d+, 0ms|s\d+, \d+, \d+)", line
        ), line


@given(st.lists(STEPS, max_size=8))
def test_every_row_lies_within_the_whole(steps):
    for row in picture(Startup(steps=tuple(steps))).rows:
        assert 0 <= row.from_ratio <= row.to_ratio <= 1


def test_the_page_holds_every_step_and_no_script_and_lets_no_request_out():
    hostile = Step(step="read <script>alert(1)</script>\u202e", kind="load", at_s=0.1)
    page = timeline_page(
        Startup(command=("a<b",), steps=(*START.steps, hostile)),
        findings=[Finding(id="start.slept", message="it slept & slept", hint="do not")],
    )
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "\u202e" not in page
    assert "default-src 'none'; style-src 'sha256-" in page
    assert "it slept &amp; slept" in page
    for step in START.steps:
        assert step.step in page
    assert not re.search(r"""(?:src|href)=|style=|url\(|@import""", page)


def test_a_program_that_ends_by_itself_is_no_problem_and_is_told():
    lines = timeline_lines(Startup(command=("x",), engine="bubblewrap", exit_status=0), width=100)
    assert next(lines) == ("start-up  ended by itself with 0 · without network", False)


def test_a_start_that_could_not_be_seen_says_why_everywhere():
    start = Startup(problem="bubblewrap is not installed here, so nothing was started")
    assert "bubblewrap is not installed" in next(timeline_lines(start, width=100))[0]
    assert "bubblewrap is not installed" in timeline_mermaid(start)
    assert "bubblewrap is not installed" in timeline_page(start)
