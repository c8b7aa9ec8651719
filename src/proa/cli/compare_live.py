"""What is seen while a comparison runs: a table on a terminal, a line now and then without one."""

from __future__ import annotations

import os
import statistics
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec

from proa.cli.comparison_table import time_text
from proa.cli.screen import console
from proa.pipeline.compare_job import Row, Standing
from proa.report.markdown_text import plain

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table


class Screen:
    """Takes what is being done, and where it stands."""

    def __init__(self, live: Live | None) -> None:
        self._live = live
        self._last = Standing(rows=(), doing="")

    def say(self, what: str) -> None:
        """Show what is being done now."""
        self._last = msgspec.structs.replace(self._last, doing=what)
        if self._live is not None:
            self._live.update(_drawn(self._last))

    def watch(self, standing: Standing) -> None:
        """Show where it stands; without a terminal, only what is worth a line."""
        self._last = standing
        if self._live is not None:
            self._live.update(_drawn(standing))
        elif standing.is_milestone:
            left = f" (at most {standing.left_s:.0f} s left)" if standing.left_s else ""
            sys.stderr.write(f"{plain(standing.doing)}{left}\n")
            sys.stderr.flush()

    def warn(self, what: str) -> None:
        """Print at once what cannot wait, above the table."""
        if self._live is not None:
            self._live.console.print(what, markup=False)
        else:
            sys.stderr.write(f"{what}\n")
            sys.stderr.flush()


@contextmanager
def screen() -> Iterator[Screen]:
    """Draw on standard error as long as the block lasts; the table is gone afterwards."""
    if not sys.stderr.isatty() or os.environ.get("CI"):
        yield Screen(None)
        return
    from rich.live import Live

    with Live(console=console(), transient=True, refresh_per_second=4) as live:
        yield Screen(live)


def _drawn(standing: Standing) -> Table:
    from rich.table import Table
    from rich.text import Text

    drawn = Table.grid(padding=(0, 2))
    for row in standing.rows:
        drawn.add_row(Text(plain(row.name)), Text(row.state, style="dim"), Text(_start_up(row)))
    left = f", at most {standing.left_s:.0f} s left" if standing.left_s else ""
    drawn.add_row(Text(f"{plain(standing.doing)}{left}", style="bold"))
    return drawn


def _start_up(row: Row) -> str:
    found = [one.ready_s for one in row.samples if one.ready_s is not None]
    return time_text(statistics.median(found)) if found else ""
