"""What a program was seen to do while it started, in order and with times."""

from __future__ import annotations

from typing import Literal

import msgspec

from proa.records.evidence import Evidence

StepKind = Literal[
    "start", "initialise", "environment", "load", "configuration", "resolve", "connect", "migrate", "listen", "ready",
    "exit",
]  # fmt: skip
"""``load``: code and libraries. ``resolve``: a host name looked up. ``migrate``: a change of a database's tables."""


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened between exec and the first healthy answer."""

    step: str
    """For people: ``read config/app.yaml``, ``connect to DATABASE_URL (127.0.0.1:5432)``, ``GET / answered 200``."""
    kind: StepKind
    at_s: float
    """From exec, in the traced run; a Go package's initialisation is of an untraced one."""
    duration_s: float | None = None
    """None where it has no length, or its end was not seen."""
    what: str = ""
    """The file, package, host:port, route or variable alone."""
    has_failed: bool = False
    message: str = ""
    """``ECONNREFUSED``, ``ENOENT``, in words where there are any."""
    allocated_bytes: int | None = None
    """Of a Go package's initialisation."""
    evidence: tuple[Evidence, ...] = ()


class Startup(msgspec.Struct, frozen=True, kw_only=True):
    """One start, seen."""

    command: tuple[str, ...] = ()
    engine: str = ""
    """What confined it: ``bubblewrap``, ``process``."""
    has_network: bool = False
    """Whether it could reach the services: False is the trial's own empty network."""
    listening_s: float | None = None
    """Untraced, from exec to the first port that listens."""
    ready_s: float | None = None
    """Untraced, from exec to the first good answer."""
    traced_listening_s: float | None = None
    traced_ready_s: float | None = None
    """The same in the traced run: how much tracing stretched it."""
    exit_status: int | None = None
    """Where it ended before anybody asked it to."""
    problem: str = ""
    """Why it could not be seen, or did not become ready."""
    steps: tuple[Step, ...] = ()
