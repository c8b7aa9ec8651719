"""What people see on standard error: progress while it runs, one screen when it is done."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from proa.cli.amounts import bytes_text, seconds_text
from proa.records.binary import Binary
from proa.records.debugging import Symbols
from proa.records.image import Image, ImageFile
from proa.records.shipment import Shipment
from proa.records.trial import Trial

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

_PLAIN_WIDTH = 110
"""Columns where standard error is no terminal: wide enough for a reason, narrow enough for a log viewer."""


def console() -> Console:
    """Return a console on standard error; plain where it is no terminal, or NO_COLOR or CI is set."""
    from rich.console import Console

    is_plain = not sys.stderr.isatty() or bool(os.environ.get("NO_COLOR")) or bool(os.environ.get("CI"))
    return Console(
        stderr=True,
        no_color=is_plain,
        force_terminal=False if is_plain else None,
        highlight=False,
        width=_PLAIN_WIDTH if not sys.stderr.isatty() else None,
        soft_wrap=False,
    )


def warn(what: str) -> None:
    """Print at once what cannot wait for the result."""
    sys.stderr.write(f"{what}\n")
    sys.stderr.flush()


@contextmanager
def progress() -> Iterator[Callable[[str], None]]:
    """Show what is running now, on a terminal only; yields the function that is told."""
    if not sys.stderr.isatty() or os.environ.get("CI"):
        yield lambda _what: None
        return
    from rich.markup import escape

    # Rich is slow to set up; a run that finds everything cached is over before anything need be shown.
    shown = console().status("")

    def show(what: str) -> None:
        shown.update(escape(what))
        shown.start()

    try:
        yield show
    finally:
        shown.stop()


def show_shipment(shipment: Shipment) -> None:
    """Print one screen: found, built, in the image and why, tried, where it went, how long it took."""
    out = console()
    out.print(f"[bold]{_escape(shipment.program)}[/bold] {_escape(shipment.version)}".rstrip())
    rows = _grid()
    for image in shipment.images:
        rows.add_row("image", _headline(image))
        for row in _contents(image):
            rows.add_row("", row)
        if image.binary and image.binary.debug:
            rows.add_row("debug", _debug(image.binary))
        rows.add_row("base", _escape(f"{image.base}: {image.base_reason}" if image.base_reason else image.base))
        rows.add_row("trial", trial_text(image.trial))
    for absent in shipment.left_out:
        rows.add_row("left out", f"[dim]{absent.kind}: {_escape(absent.reason)}[/dim]")
    for finding in shipment.findings:
        colour = {"error": "red", "warning": "yellow"}.get(finding.severity, "dim")
        rows.add_row(f"[{colour}]{finding.severity}[/{colour}]", _escape(finding.message))
        if finding.hint:
            rows.add_row("", f"[dim]{_escape(finding.hint)}[/dim]")
    rows.add_row("went to", _escape(shipment.reference))
    rows.add_row("took", f"[dim]{_timings(shipment)}[/dim]")
    out.print(rows)


def _grid() -> Table:
    """Return a table of labels and text, so that what is wrapped stays below its own words."""
    from rich.table import Table

    grid = Table.grid(padding=(0, 1), pad_edge=True)
    grid.add_column(min_width=8, no_wrap=True)
    grid.add_column(overflow="fold")
    return grid


def _headline(image: Image) -> str:
    command = _escape(" ".join(image.entrypoint))
    return (
        f"{image.platform} · {bytes_text(image.unpacked_bytes)} → "
        f"[bold]{bytes_text(image.compressed_bytes)}[/bold] compressed · user {image.user} · {command}"
    )


def _contents(image: Image) -> Iterator[str]:
    """Yield a line for each layer of the base and for each file with its reason."""
    for layer in image.layers:
        if not layer.files:
            yield f"{bytes_text(layer.bytes):>8}  {layer.holds} {layer.digest[:19]}"
        for size, where, reason in _grouped(layer.files):
            yield f"{size:>8}  {where}  [dim]{reason}[/dim]"


def _grouped(files: Sequence[ImageFile]) -> Iterator[tuple[str, str, str]]:
    """Yield one row per reason: a folder of zones is one line, not five hundred."""
    from itertools import groupby

    for reason, group in groupby(files, key=lambda file: file.reason):
        members = list(group)
        where = members[0].path
        if len(members) == 2:
            where = f"{members[0].path}, {members[1].path}"
        elif len(members) > 2:
            where = f"{os.path.commonpath([member.path for member in members])} ({len(members)} files)"
        yield bytes_text(sum(member.bytes for member in members)), _escape(where), _escape(reason)


def _debug(binary: Binary) -> str:
    """Return where a crash of the stripped program can be read with."""
    assert binary.debug is not None  # noqa: S101 - the caller's branch
    kept = f"{bytes_text(binary.debug.bytes)} kept beside the image"
    return _escape(f"{kept} · proa debug {binary.debug.build_id[:16]}" if binary.debug.build_id else kept)


def trial_text(trial: Trial | None) -> str:
    """Return a trial in one line of rich's markup, and what to do below it."""
    if trial is None:
        return "[yellow]not run (--no-trial)[/yellow]"
    colour = {"ready": "green", "started": "green", "failed": "red"}.get(trial.verdict, "yellow")
    figures = [
        f"listening after {seconds_text(trial.listening_s)}" if trial.listening_s is not None else "",
        f"first answer after {seconds_text(trial.ready_s)}" if trial.ready_s is not None else "",
        f"peak memory {bytes_text(trial.rss_bytes)}" if trial.rss_bytes else "",
        f"stopped in {seconds_text(trial.stop_s)}" if trial.stop_s is not None else "",
        f"isolation {trial.isolation} ({trial.engine})" if trial.engine else "",
    ]
    said = " · ".join(part for part in (_escape(trial.reason), *figures) if part)
    # A skipped trial says so itself, in whole words.
    word = "" if trial.verdict == "skipped" else f"{trial.verdict} "
    return f"[{colour}]{word}[/{colour}]{said}" + (f"\n[dim]{_escape(trial.remedy)}[/dim]" if trial.remedy else "")


def _timings(shipment: Shipment) -> str:
    return " · ".join(
        f"{stage} {seconds_text(seconds)}" + (" (cached)" if shipment.cache.get(stage) == "hit" else "")
        for stage, seconds in shipment.timings_s.items()
    )


def _escape(text: str) -> str:
    from rich.markup import escape

    return escape(text)


def show_trial(trial: Trial) -> None:
    """Print what a trial run showed, and the program's last lines where it did not go well."""
    rows = _grid()
    rows.add_row("trial", trial_text(trial))
    for missed in trial.missed_files:
        rows.add_row("missed", f"[dim]{_escape(missed)}[/dim]")
    for place in trial.contacted:
        rows.add_row("asked", f"[dim]{_escape(place)}[/dim]")
    if trial.verdict in ("failed", "not-ready") and trial.output:
        rows.add_row("output", f"[dim]{_escape(trial.output)}[/dim]")
    console().print(rows)


def show_binary(binary: Binary) -> None:
    """Print one line about a program that was built."""
    needs = ", ".join((*([binary.interpreter] if binary.interpreter else []), *binary.libraries))
    linkage = "static" if binary.is_static else f"needs {needs}" if needs else "not ELF, so not proved static"
    console().print(
        f"  built   {binary.name} {binary.platform} · {linkage} · {bytes_text(binary.unstripped_bytes)} linked → "
        f"[bold]{bytes_text(binary.bytes)}[/bold] (strip: {binary.strip}) · {binary.go_version or binary.compiler}"
    )


def show_symbols(symbols: Symbols) -> None:
    """Print one line about a debug file that was fetched."""
    parts = (symbols.program, symbols.platform, bytes_text(symbols.bytes), f"build-id {symbols.build_id or 'none'}")
    console().print(
        _escape(f"  debug   {' · '.join(part for part in parts if part)} · from {symbols.place}"), soft_wrap=True
    )
