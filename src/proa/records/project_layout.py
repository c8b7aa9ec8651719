"""How a project is laid out: what each top-level folder and each file with a meaning of its own is for."""

from __future__ import annotations

from typing import Literal

import msgspec

LayoutRole = Literal[
    "sources", "entry-point", "configuration", "tests", "documentation", "assets", "generated", "vendored",
    "infrastructure", "dockerfile", "compose", "chart", "ci", "manifest", "lock", "migrations", "scripts", "examples",
    "other",
]  # fmt: skip


class LayoutEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One folder or file."""

    path: str
    """Relative to the project, with ``/``; a folder ends in one."""
    role: LayoutRole
    reason: str = ""
    """One line for people: ``package main with func main``, ``generated: first line says so``."""
    files: int = 1
    """How many files are in it."""
    bytes: int = 0
    languages: tuple[str, ...] = ()
    """Most bytes first."""
