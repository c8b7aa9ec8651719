"""What ``proa analyze`` says of one program."""

from __future__ import annotations

from typing import Literal

import msgspec

from proa.records.configuration import Configuration
from proa.records.evidence import Finding, Needs
from proa.records.platform import Platform
from proa.records.project import Project


class Analysis(msgspec.Struct, frozen=True, kw_only=True):
    """One program: what it is, what it needs, and the settings that hold for it."""

    schema: Literal["proa/analysis/v1"] = "proa/analysis/v1"
    project: Project
    platform: Platform
    """The platform the needs were read on."""
    needs: Needs
    settings: Configuration
    origins: dict[str, str] = {}
    """Where each setting that is no default came from, by dotted path."""
    findings: tuple[Finding, ...] = ()
