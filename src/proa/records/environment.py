"""With which versions a project is made: run times, package managers, frameworks; declared, locked and installed."""

from __future__ import annotations

from typing import Literal

import msgspec

from proa.records.evidence import Evidence

Ecosystem = Literal["go", "node", "python", "java", "rust"]
VersionRole = Literal["run-time", "package-manager", "build-tool"]
FrameworkRole = Literal["web", "rpc", "application", "data", "client", "test", "other"]


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One run time, package manager or build tool of the project."""

    name: str
    """As its users write it: ``go``, ``node``, ``npm``, ``python``, ``java``, ``maven``, ``rustc``."""
    ecosystem: Ecosystem
    role: VersionRole = "run-time"
    declared: str = ""
    """What the project asks for, in its own words: ``>=18 <21``, ``1.24``, ``18.17.0``."""
    locked: str = ""
    """The exact version a lock or version file holds: ``.nvmrc``, ``packageManager``, ``toolchain`` in go.mod."""
    installed: str = ""
    """What answers on this machine; empty where nothing does."""
    is_satisfied: bool | None = None
    """Whether what is installed is what is asked for; None where either is unknown."""
    end_of_life: str = ""
    """The day (``2025-04-30``) support ends or ended for the version the project will run on; empty: not known."""
    where: tuple[Evidence, ...] = ()


class Framework(msgspec.Struct, frozen=True, kw_only=True):
    """A framework or a library worth knowing, that the project depends on."""

    name: str
    """As its users write it: ``Express``, ``gin``, ``Spring Boot``."""
    package: str
    """As the package manager writes it: ``express``, ``github.com/gin-gonic/gin``."""
    ecosystem: Ecosystem
    role: FrameworkRole = "web"
    declared: str = ""
    locked: str = ""
    installed: str = ""
    """In node_modules, the virtual environment, the module cache; empty where it is not there."""
    end_of_life: str = ""
    where: tuple[Evidence, ...] = ()
