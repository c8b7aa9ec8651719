"""What one ``proa ship`` did: the record printed by ``--format json`` and kept beside the image."""

from __future__ import annotations

from typing import Literal

import msgspec

from proa.records.evidence import Finding, LeftOut
from proa.records.image import Image
from proa.records.trial import Trial

CacheState = Literal["hit", "miss", "off"]


class Shipment(msgspec.Struct, frozen=True, kw_only=True):
    """One program, shipped."""

    schema: Literal["proa/shipment/v1"] = "proa/shipment/v1"
    program: str
    """The main package's import path."""
    reference: str
    """What stdout prints: ``name@sha256:…``, or ``name:tag`` for the docker daemon."""
    digest: str
    """Of the manifest, or of the index where there are several platforms."""
    version: str = ""
    images: tuple[Image, ...]
    trial: Trial | None = None
    """The trial of this machine's platform, or the first one."""
    timings_s: dict[str, float] = {}
    """Seconds per stage."""
    cache: dict[str, CacheState] = {}
    """``hit``: nothing was done · ``miss``: it was done · ``off``."""
    findings: tuple[Finding, ...] = ()
    left_out: tuple[LeftOut, ...] = ()


class Shipments(msgspec.Struct, frozen=True, kw_only=True):
    """Several programs, shipped in one call."""

    schema: Literal["proa/shipments/v1"] = "proa/shipments/v1"
    shipments: tuple[Shipment, ...]
