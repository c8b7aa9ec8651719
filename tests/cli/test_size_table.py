"""The table of ``proa tune size``: it fits, says why, and is plain where it should be."""

from __future__ import annotations

import pytest

from proa.cli import size_table
from proa.records.platform import Platform
from proa.records.tuning import SizeTuning, Step

TUNING = SizeTuning(
    program="example.com/shop",
    platform=Platform("linux", "amd64"),
    steps=(
        Step(name="go build", bytes=2_000_000, compressed_bytes=900_000, build_s=6.8, ready_runs_s=(0.01, 0.02), rss_bytes=9_000_000),
        Step(name="strip: all", bytes=1_000_000, compressed_bytes=450_000, saved_bytes=1_000_000, saved_compressed_bytes=450_000),
        Step(name="--icf=safe", state="failed", reason="make failed | unsupported linker arg", is_kept=False),
        Step(name="[bold]odd[/bold]", bytes=1_100_000, compressed_bytes=1, saved_bytes=-100_000, is_kept=False, reason="saves nothing here"),
    ),
    winner="strip: all",
)  # fmt: skip


def test_the_winner_and_the_kept_are_marked_and_every_reason_is_below():
    shown = size_table.table(TUNING)
    assert "\n* strip: all" in shown
    assert "\n+ go build" in shown
    assert "--icf=safe: not measured: make failed" in shown
    assert "  [bold]odd[/bold]" in shown
    assert "1.00 MB (50.0 % smaller than go build)" in shown
    assert "-100 kB" in shown
    assert "\x1b" not in shown


@pytest.mark.parametrize(("width", "has_memory"), [(60, False), (70, False), (80, True), (200, True)])
def test_the_table_fits_and_no_figure_is_cut(width, has_memory):
    lines = size_table.table(TUNING, width=width).split("\n\n")[0].splitlines()
    assert max(map(len, lines)) <= width
    assert "…" not in "".join(lines)
    assert ("memory" in lines[0]) is has_memory
    # The first step's last figure is whole, whichever it is.
    assert lines[1].endswith(("9.00 MB", "15 ms ±33 %", "6.8 s", "0 B"))


def test_columns_with_nothing_to_show_are_left_out():
    assert "benchmark" not in size_table.table(TUNING)


def test_markdown_is_one_row_a_step_with_sizes_in_bytes():
    lines = size_table.markdown(TUNING).splitlines()
    assert lines[3].startswith("| `strip: all` | 1,000,000 | 1,000,000 | 450,000 | 450,000 |")
    assert "| winner |" in lines[3]
    assert r"make failed \| unsupported" in lines[4]
    columns = {line.replace(r"\|", "").count("|") for line in lines[:6]}
    assert len(columns) == 1
