"""make, asked in a workshop."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from proa.outside.command import Ran
from proa.outside.workshop import Workshop

_NO_RULE = ("No rule to make target 'install'", "No rule to make target `install'")


def make(
    shop: Workshop,
    targets: Sequence[str],
    *,
    directory: Path,
    variables: Mapping[str, str],
    words: Sequence[str],
    jobs: int,
) -> Ran:
    """Run make for some targets, or for the default one; variables stand before the user's words, which win."""
    named = [f"{name}={value}" for name, value in variables.items()]
    return shop.call(["make", f"-j{jobs}", *named, *words, *targets], directory=directory)


def can_install(shop: Workshop, *, directory: Path, words: Sequence[str]) -> bool:
    """Say whether the Makefile has an ``install`` target, by a dry run."""
    ran = shop.call(["make", "-n", *words, "install"], directory=directory)
    said = ran.stderr.decode(errors="replace")
    return not any(text in said for text in _NO_RULE)
