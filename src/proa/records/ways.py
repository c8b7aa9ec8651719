"""The same program deployed in three ways: as a service of a machine, as a container, as a pod of a cluster."""

from __future__ import annotations

from typing import Literal

import msgspec

from proa.records.comparison import Interval
from proa.records.evidence import Finding

WayName = Literal["service", "container", "pod"]


class Effort(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody has to keep, type and understand, counted."""

    files: tuple[str, ...]
    """To be written and kept."""
    commands: tuple[str, ...]
    """From what was built until it serves, the first time."""
    update: tuple[str, ...]
    """The same for each later version."""
    moving_parts: tuple[str, ...]
    """What has to work besides the program itself."""


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """One way to deploy."""

    name: WayName
    is_measured: bool = False
    reason: str = ""
    """Why it was not measured; else what the figure does not hold."""
    engine: str = ""
    """What started it: ``process``, ``bubblewrap``, ``runc``, …"""
    ready_s: Interval | None = None
    """From start to the first good answer."""
    rss_bytes: Interval | None = None
    transfer_bytes: int | None = None
    """What the machine has to fetch."""
    effort: Effort


class Hardening(msgspec.Struct, frozen=True, kw_only=True):
    """What systemd thinks of the unit."""

    exposure: float
    """From 0 (nothing left to take away) to 10; ``systemd-analyze security``."""
    rating: str
    """``OK``, ``MEDIUM``, ``EXPOSED``, ``UNSAFE``."""
    open_points: tuple[str, ...] = ()
    """What weighs most of what is left open."""


class Ways(msgspec.Struct, frozen=True, kw_only=True):
    """What ``proa ways`` prints."""

    schema: Literal["proa/ways/v1"] = "proa/ways/v1"
    program: str
    archive: str
    """The file that was written."""
    archive_digest: str
    image_digest: str
    unit: str
    """The text of the unit in it."""
    hardening: Hardening | None = None
    """None where systemd-analyze is not here."""
    ways: tuple[Way, ...]
    advice: WayName
    why: tuple[str, ...]
    findings: tuple[Finding, ...] = ()
