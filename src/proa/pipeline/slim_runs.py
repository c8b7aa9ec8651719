"""Traced runs of an image that is to be made small, and the same trial before and after.

Each run gets a root of its own laid over the unpacked image, so that ``root`` stays as it was but for mount points.

    traced: probe ─▶ --help, --version or healthcheck ─▶ each test      files touched, what was asked
    untraced: the trial of the original                                 verdict, ports, statuses
    untraced: the trial of the slimmed image (``try_again``)            must be the same
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import msgspec

from proa.pipeline.plan import Bench
from proa.records import oci
from proa.records.configuration import SlimSettings, TrialSettings
from proa.records.evidence import Finding
from proa.records.platform import Platform
from proa.records.slimming import Seed, SlimRun
from proa.records.trial import Trial


class Visit(msgspec.Struct, frozen=True, kw_only=True):
    """One request and its answer."""

    port: int
    method: str
    route: str
    status: int
    """0: no answer that was HTTP."""


class Observed(msgspec.Struct, frozen=True, kw_only=True):
    """What the runs of the original showed."""

    seeds: tuple[Seed, ...] = ()
    """Every path of ``root`` that was used, and every link on the way to it; absolute, by path, each once. Rule
    ``traced``. Paths are real: no ``..``, and only the last component may be a link."""
    runs: tuple[SlimRun, ...] = ()
    before: Trial
    """Of the original, untraced. ``skipped``: nothing could be run here (or the platform is another), and there are
    no seeds and no runs."""
    visits: tuple[Visit, ...] = ()
    """What the original answers the same each time; asked of the slimmed image again."""


class Again(msgspec.Struct, frozen=True, kw_only=True):
    """The trial of the slimmed image."""

    after: Trial
    reason: str = ""
    """How it differs from the original's; empty: it does the same."""
    output: str = ""
    """The last lines of a test that failed."""


def observe(
    bench: Bench, root: Path, config: oci.Config, platform: Platform, *, trial: TrialSettings, slim: SlimSettings
) -> Observed:
    """Run an unpacked image as a container runtime would, traced and untraced, and return what that showed.

    ``root`` is scratch with owners restored where this process is root (``pack.unpack`` does both); read what is
    packed from the layers, or before this. ``trial.args``, ``env``, ``ports``, ``routes`` and ``slim.routes``,
    ``tests`` hold. Raises ToolFailed where a test fails on the original already, WrongConfiguration.
    """
    raise NotImplementedError


def try_again(
    bench: Bench,
    root: Path,
    config: oci.Config,
    platform: Platform,
    observed: Observed,
    *,
    trial: TrialSettings,
    slim: SlimSettings,
) -> Again:
    """Run the unpacked slimmed image as ``observe`` ran the original, and return whether it does the same."""
    raise NotImplementedError


def missed_by_closure(observed: Observed, kept: Collection[str]) -> tuple[Finding, ...]:
    """Return a finding where runs touched what the static closure alone (``kept``: its paths) had left out."""
    raise NotImplementedError
