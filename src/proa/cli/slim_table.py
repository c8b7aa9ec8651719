"""A slimmed image as one screen: before and after, what was kept and why, the runs, what was left out."""

from __future__ import annotations

from collections.abc import Iterator

from rich.markup import escape

from proa.cli.amounts import bytes_text
from proa.cli.screen import console, trial_text
from proa.records.slimming import LeftOutGroup, Slimming
from proa.report.markdown_text import plain

_MOST_GROUPS = 10


def show(slimming: Slimming) -> None:
    """Print one screen to standard error."""
    from rich.table import Table

    out = console()
    out.print(f"[bold]{_safe(slimming.source)}[/bold] {slimming.platform}")
    rows = Table.grid(padding=(0, 1), pad_edge=True)
    rows.add_column(min_width=8, no_wrap=True)
    rows.add_column(overflow="fold")
    for label, text in _rows(slimming):
        rows.add_row(label, text)
    out.print(rows)


def _rows(slimming: Slimming) -> Iterator[tuple[str, str]]:
    yield "size", headline(slimming)
    yield "files", f"{slimming.kept_files} kept, {slimming.left_out_files} left out"
    for number, one in enumerate(slimming.rules):
        yield "" if number else "kept", f"{bytes_text(one.bytes):>8}  {one.rule} ({one.files})"
    for run in slimming.runs:
        asked = f", {run.requests} requests" if run.requests else ""
        yield "run", _safe(f"{run.name}: {run.verdict}{asked}, {run.touched} files touched")
    if slimming.before:
        yield "before", trial_text(slimming.before)
    if slimming.after:
        yield "after", trial_text(slimming.after)
    for number, group in enumerate(slimming.left_out[:_MOST_GROUPS]):
        yield "" if number else "left out", _group(group)
    if len(slimming.left_out) > _MOST_GROUPS:
        rest = slimming.left_out[_MOST_GROUPS:]
        yield "", f"[dim]and {len(rest)} more, {bytes_text(sum(group.bytes for group in rest))}: --left-out FILE[/dim]"
    for finding in slimming.findings:
        colour = {"error": "red", "warning": "yellow"}.get(finding.severity, "dim")
        yield f"[{colour}]{finding.severity}[/{colour}]", _safe(finding.message)
        if finding.hint:
            yield "", f"[dim]{_safe(finding.hint)}[/dim]"
    yield "went to", _safe(slimming.reference) or "[dim]nowhere (--dry-run)[/dim]"


def headline(slimming: Slimming) -> str:
    """Return the sizes before and after, compressed and as contents."""
    less = 100 * (1 - slimming.after_bytes / slimming.before_bytes) if slimming.before_bytes else 0.0
    return (
        f"{bytes_text(slimming.before_bytes)} → [bold]{bytes_text(slimming.after_bytes)}[/bold] compressed, "
        f"{less:.1f} % less · {bytes_text(slimming.before_unpacked_bytes)} → "
        f"{bytes_text(slimming.after_unpacked_bytes)} of files"
    )


def _group(group: LeftOutGroup) -> str:
    files = f"{group.files} file{'' if group.files == 1 else 's'}"
    # What lies at the root has no name for all of it.
    words = f" · --keep {_safe(group.name)}" if group.name != "/" else ""
    return f"{bytes_text(group.bytes):>8}  {_safe(group.name)} [dim]{files}{words}[/dim]"


def _safe(text: str) -> str:
    return escape(plain(text))
