"""A trial run: the limits an image was given, what it did under them, and the verdict."""

from __future__ import annotations

from typing import Literal

import msgspec

Verdict = Literal["ready", "started", "not-ready", "failed", "skipped"]
"""``ready``: a health or given route answered · ``started``: it runs, or ended well, but nothing was asked ·
``not-ready``: it needs something outside · ``failed``: the image's own fault · ``skipped``: could not run here."""

Isolation = Literal["full", "partial", "none"]
"""How far it was confined: ``full``, every limit below held; ``partial``, some did; ``none``, a bare process."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits a container of the image is meant to run under."""

    user: str = "65532:65532"
    memory_bytes: int = 512 << 20
    cpus: float = 0.0
    """Processor time, in cores; 0: no limit."""
    is_root_read_only: bool = True
    as_image: bool = False
    """As a container runtime runs an image that nobody told anything: its own user, root too, and a root it may
    write."""
    start_timeout_s: float = 10.0
    """How long it may take until it listens and answers."""
    stop_timeout_s: float = 10.0
    """How long it may take to end after SIGTERM. Source: docker stop's default."""


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """What to ask the program once it runs."""

    arguments: tuple[str, ...] = ()
    """Given to the program after its entrypoint."""
    environment: tuple[tuple[str, str], ...] = ()
    ports: tuple[int, ...] = ()
    """Expected ports; empty: whatever it listens on."""
    routes: tuple[str, ...] = ()
    """Asked in turn; the first that answers below 500 and not 404 makes it ready."""
    is_server: bool | None = None
    """None: find out."""
    may_listen: bool = False
    """Its source holds an address to listen on; whether this way of starting it gets there is not said."""


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """What a trial run showed."""

    verdict: Verdict
    reason: str
    """One sentence: the cause where it is not ready."""
    remedy: str = ""
    isolation: Isolation = "none"
    engine: str = ""
    """``bubblewrap``, ``runc``, ``crun``, ``namespaces``, ``docker``, ``process``."""
    limits: Limits = Limits()
    listening_s: float | None = None
    """From start to the first listening port."""
    ready_s: float | None = None
    """From start to the first good answer."""
    rss_bytes: int | None = None
    """Peak memory (VmHWM), summed over the processes of the program."""
    stop_s: float | None = None
    """From SIGTERM to the end; None where it had to be killed."""
    exit_status: int | None = None
    ports: tuple[int, ...] = ()
    """The ports it listened on."""
    route: str = ""
    """The route that answered."""
    http_status: int | None = None
    environment: tuple[str, ...] = ()
    """Names of variables it was seen to ask for (from the source, or the trace)."""
    missed_files: tuple[str, ...] = ()
    """Paths it asked for and did not get, with the error: ``ENOENT /etc/app.yaml``."""
    wrote_files: tuple[str, ...] = ()
    contacted: tuple[str, ...] = ()
    """``host:port`` it tried to reach."""
    output: str = ""
    """The last lines of its own output."""
    was_traced: bool = False
