"""From what runs touched to seeds: each with its reason, the links on the way, and what only the kernel reads.

A folder that was listed counts itself, since a program that lists one mostly looks for what it then opens. Where it
may be data (outside /usr and the like), the files directly in it count as well.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from proa.outside.touched import Touched, Use
from proa.outside.trails import Trails
from proa.records.slimming import Seed
from proa.trial.program import find_program

_MOST_LISTED = 1000
"""Files of one listed folder (arbitrary: above that it is a store, not a configuration)."""
_OF_THE_SYSTEM = re.compile(
    r"^/$|^/(?:usr|bin|sbin|lib\w*|boot)(?:/|$)|^/var/(?:lib/(?:dpkg|apt|rpm)|cache)(?:/|$)"
    r"|/(?:site-packages|dist-packages|node_modules|__pycache__)(?:/|$)"
)
_OF_THE_RUNTIME = re.compile(r"^/(?:proc|sys|dev)(?:/|$)|^/etc/(?:resolv\.conf|hosts|hostname)$")
_WORDS: Mapping[Use, str] = {
    "looked at": "looked at it", "changed": "changed it", "opened": "opened it", "listed": "listed it",
    "executed": "ran it",
}  # fmt: skip


class Gathered:
    """Seeds of several runs of one image, each path once, for the first reason."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._trails = Trails(root)
        self._found: dict[str, str] = {}

    def add(self, run: str, touched: Touched) -> int:
        """Take in one run; return how many files of the image it touched."""
        files = set()
        for path, use in touched.uses.items():
            for end, because in self._of(path, use, run):
                self._found.setdefault(end, because)
                files.add(end)
        # After all that was used itself: that is the better reason.
        for path, use in touched.uses.items():
            if use == "listed":
                for name in self._listed(path):
                    self._found.setdefault(name, f"run {run!r} listed the folder it is in")
        return sum(map(self._trails.is_file, files))

    def seeds(self) -> tuple[Seed, ...]:
        """Return them by path."""
        found = {_shown(path): because for path, because in self._found.items() if not _OF_THE_RUNTIME.search(path)}
        return tuple(Seed(path=path, rule="traced", because=because) for path, because in sorted(found.items()))

    def _of(self, path: str, use: Use, run: str) -> Iterator[tuple[str, str]]:
        trail = self._trails.follow(path)
        for link in trail.links:
            yield link, f"run {run!r} went through it to {_shown(path)}"
        if not trail.is_whole:
            # What the run made itself; the folder it made it in has to be there again.
            if trail.end != "/":
                yield trail.end, f"run {run!r} made {_shown(path)} in it"
            return
        if trail.end == "/":
            return
        yield trail.end, f"run {run!r} {_WORDS[use]}"
        if use == "executed":
            yield from self._interpreters(trail.end, run)

    def _listed(self, path: str) -> list[str]:
        trail = self._trails.follow(path)
        if not trail.is_whole or _OF_THE_SYSTEM.search(trail.end):
            return []
        return self._trails.names(trail.end, _MOST_LISTED)

    def _interpreters(self, end: str, run: str) -> Iterator[tuple[str, str]]:
        """Yield what the kernel itself starts a program with: its loader, or what stands after ``#!``."""
        for _ in range(2):
            interpreter = find_program(self._root, end, {}, "/").interpreter
            if not interpreter.startswith("/"):
                return
            trail = self._trails.follow(interpreter)
            because = f"run {run!r} ran {_shown(end)}, which needs it"
            yield from ((link, because) for link in trail.links)
            if not trail.is_whole:
                return
            yield trail.end, because
            end = trail.end


def _shown(path: str) -> str:
    """Return a path as records have it: bytes that are no UTF-8 written out."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
