"""What was seen of one image in its trial: the only thing the verdict is made from."""

from __future__ import annotations

import msgspec

from proa.records.evidence import Needs
from proa.records.trial import Isolation, Limits
from proa.trial.program import Program


class Listener(msgspec.Struct, frozen=True, kw_only=True):
    """A port it listened on."""

    address: str
    port: int
    protocol: str = "tcp"

    @property
    def is_loopback(self) -> bool:
        """Say whether nothing outside the container could reach it."""
        return self.address == "::1" or self.address.startswith(("127.", "::ffff:127."))

    def __str__(self) -> str:
        """Return ``address:port``, an IPv6 address in brackets."""
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a route answered last."""

    port: int
    route: str
    speaks: str
    """``http``, ``https``, ``http2``, ``tls``, ``other``, ``silent``, ``closed`` or ``refused``."""
    status: int | None = None


class Traced(msgspec.Struct, frozen=True, kw_only=True):
    """What the tracer saw the program ask the system for."""

    missed_files: tuple[str, ...] = ()
    """``ENOENT /etc/app.yaml``."""
    wrote_files: tuple[str, ...] = ()
    contacted: tuple[str, ...] = ()
    """``db:5432``."""
    output: str = ""
    """What it said in the traced run, where names exist and a TLS peer answers."""
    lacks_certificates: bool = False
    """It looked for CA certificates in every place and found none."""


class Observations(msgspec.Struct, frozen=True, kw_only=True):
    """One program under one set of limits."""

    program: Program
    arguments: tuple[str, ...] = ()
    """What it was started with, after the entrypoint; the last attempt's where there were several."""
    limits: Limits
    engine: str
    isolation: Isolation
    expects_port: bool | None = None
    """True: the project says it listens · False: it says it does not · None: unknown."""
    may_listen: bool = False
    """Its source holds an address to listen on."""
    exec_errno: int = 0
    listeners: tuple[Listener, ...] = ()
    answers: tuple[Answer, ...] = ()
    listening_s: float | None = None
    ready_s: float | None = None
    has_ended: bool = False
    """By itself, before it was asked to."""
    exit_status: int | None = None
    stop_s: float | None = None
    was_killed: bool = False
    rss_bytes: int | None = None
    most_processes: int = 1
    is_over_memory: bool = False
    output: str = ""
    traced: Traced | None = None
    needs: Needs = Needs()
    """What the source says it needs: named beside a cause it explains."""
    names: dict[str, str] = {}
    """Addresses that stood for host names in the trial, and those names."""
    environment: tuple[str, ...] = ()
    first_try: str = ""
    """How it ended without arguments, where others were tried after that: ``exited with 2``."""
    is_emulated: bool = False
    sees_machine: bool = False
    """It was not given a root of its own: what it finds or misses may be this machine's."""
