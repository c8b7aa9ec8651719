"""Whether the services a program needs are there and let it in: what ``proa preflight`` prints."""

from __future__ import annotations

from typing import Literal

import msgspec

from proa.records.evidence import Evidence, Finding

ServiceKind = Literal[
    "postgres", "mysql", "redis", "mongodb", "rabbitmq", "kafka", "nats", "s3", "smtp", "http", "oauth2", "otlp", "tcp"
]
FailedLayer = Literal["dns", "tcp", "tls", "protocol", "authentication", "read"]
"""In the order in which they are tried; the first that fails is the one to blame."""
Authentication = Literal["none", "password", "token", "api-key", "oauth2", "client-certificate", "anonymous", "unknown"]


class Service(msgspec.Struct, frozen=True, kw_only=True):
    """Something outside that a program talks to, as its configuration or source says. It never holds a secret."""

    name: str
    """The variable or setting it is found through (``DATABASE_URL``); else the host, or what the user calls it."""
    kind: ServiceKind
    address: str = ""
    """``host:port``, an https address without credentials, or empty where no value is known."""
    uses_tls: bool | None = None
    """None: nothing says so."""
    authentication: Authentication = "unknown"
    is_required: bool = True
    where: tuple[Evidence, ...] = ()


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    """One service, contacted."""

    name: str
    kind: ServiceKind
    address: str
    is_required: bool = True
    is_reachable: bool
    """Every layer that applies was passed, the harmless read included."""
    authentication: Authentication = "unknown"
    is_authenticated: bool | None = None
    """None where it asks for nothing, or was not reached so far."""
    latency_s: float | None = None
    """From the first packet to the answer of the harmless read; None where there was none."""
    layers_s: dict[FailedLayer, float] = {}
    """Seconds per layer passed."""
    failed_layer: FailedLayer | None = None
    message: str = ""
    """What happened, in the service's own words where it said any; no secrets."""
    hint: str = ""
    certificate_expires: str = ""
    """RFC 3339, of the peer's certificate."""
    attempts: int = 1


class Preflight(msgspec.Struct, frozen=True, kw_only=True):
    """All services of a program, contacted."""

    schema: Literal["proa/preflight/v1"] = "proa/preflight/v1"
    environment: str = ""
    """The ENV that was named: where values came from."""
    services: tuple[Contact, ...] = ()
    findings: tuple[Finding, ...] = ()
