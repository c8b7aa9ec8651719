"""What a slimmed image missed in its trial, as far as the original has it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from proa.pipeline.slim_runs import Again
from proa.pipeline.slim_view import FinalView, displayed
from proa.records.evidence import Finding
from proa.records.slimming import Seed

_MISSED = re.compile(r"^E[A-Z]+ (/.+)$")
_PATH = re.compile(r"(?<![\w.:/])/[\w.+@:,~%/-]{1,400}[\w+~-]")
"""An absolute path in what a program says: ``can't open '/etc/app.conf'``."""
_LIBRARY = re.compile(r"(?<![\w/])[\w.+-]{1,200}\.so(?:\.[0-9][\w.]{0,30})?\b")
_MOST = 2_000
_BECAUSE = "the slimmed image missed it in its trial"


def brought_back(again: Again, view: FinalView, kept: Collection[str]) -> tuple[Seed, ...]:
    """Return what the trial asked for, the original has and the slimmed image has not; in order, each once.

    Of a folder it is the files directly in it.
    """
    found = {path: None for asked in _asked_for(again) for path in _there(asked, view) if path not in kept}
    return tuple(Seed(path=f"/{path}", rule="traced", because=_BECAUSE) for path in list(found)[:_MOST])


def _asked_for(again: Again) -> Iterator[str]:
    for missed in again.after.missed_files:
        if match := _MISSED.match(missed):
            yield match[1]
    for text in (again.reason, again.output, again.after.output, again.after.reason):
        yield from (match[0] for match in _PATH.finditer(text))
        yield from (match[0] for match in _LIBRARY.finditer(text))


def _there(asked: str, view: FinalView) -> Iterator[str]:
    if "/" not in asked:
        # A library by its name alone, as the loader says it.
        yield from sorted(path for path in view.paths() if path.endswith(f"/{asked}"))
        return
    path = displayed(asked)
    located = view.locate(path)
    if located is not None and located in view.paths():
        yield located
    elif path.count("/") and view.has_folder(path):
        # A folder at the root holds too much to be what was missed.
        yield from view.below(path, _MOST)


def told(seeds: Collection[Seed], again: Again) -> Finding:
    """Return the finding that says what was brought back and why."""
    paths = [seed.path for seed in seeds]
    shown = ", ".join(paths[:5]) + (f" and {len(paths) - 5} more" if len(paths) > 5 else "")
    return Finding(
        id="slim.brought-back",
        severity="info",
        message=f"the trial missed what was left out, and it was brought back: {shown}",
        hint=f"without it: {again.reason}",
    )
