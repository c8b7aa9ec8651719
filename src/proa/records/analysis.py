"""What ``proa analyze`` says of one program, or of a project that proa does not build."""

from __future__ import annotations

from typing import Literal

import msgspec

from proa.records.configuration import Configuration
from proa.records.contract import Setting, Variable
from proa.records.environment import Framework, Version
from proa.records.evidence import Finding, Needs
from proa.records.platform import Platform
from proa.records.preflight import Service
from proa.records.project import Project
from proa.records.project_layout import LayoutEntry
from proa.records.startup import Startup, Step


class Analysis(msgspec.Struct, frozen=True, kw_only=True):
    """One program or project: what it is made with, how it is laid out, what it needs, and the settings that hold."""

    schema: Literal["proa/analysis/v1"] = "proa/analysis/v1"
    name: str = ""
    """The program's import path; of what is not built here the folder's name."""
    project: Project | None = None
    """None where no program was linked: another language's, or ``problem`` says why."""
    platform: Platform | None = None
    """The platform the needs were read on."""
    needs: Needs = Needs()
    settings: Configuration = Configuration()
    origins: dict[str, str] = {}
    """Where each setting that is no default came from, by dotted path."""
    environment: tuple[Version, ...] = ()
    frameworks: tuple[Framework, ...] = ()
    layout: tuple[LayoutEntry, ...] = ()
    services: tuple[Service, ...] = ()
    """What it talks to, as its configuration and source say; ``proa preflight`` contacts them."""
    variables: tuple[Variable, ...] = ()
    settings_found: tuple[Setting, ...] = ()
    """What deployment files set, against what the program reads."""
    startup: tuple[Step, ...] = ()
    """The steps of ``start``, in order."""
    start: Startup | None = None
    findings: tuple[Finding, ...] = ()
    problem: str = ""
    """Why the program could not be built or read, where it should have been."""
