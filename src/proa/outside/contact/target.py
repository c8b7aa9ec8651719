"""A service with what it takes to get in, and the failure of one of its layers."""

from __future__ import annotations

from typing import Literal
from urllib.parse import quote, quote_plus

import msgspec

from proa.records.preflight import Authentication, FailedLayer, Service

TlsMode = Literal["off", "prefer", "require", "verify-ca", "verify-full"]
"""libpq's words: ``require`` encrypts and checks nothing. Source: https://www.postgresql.org/docs/current/libpq-ssl.html."""


class Secret:
    """Text that is shown nowhere: its repr, str and format are stars.

    >>> f"{Secret('hunter2')} {Secret('hunter2')!r}", bool(Secret()), Secret("a").reveal()
    ('*** ***', False, 'a')
    """

    __slots__ = ("_text",)

    def __init__(self, text: str = "") -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text; only what goes into a socket may ask for it."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """Where a service is and how to get in."""

    service: Service
    host: str = ""
    port: int = 0
    tls: TlsMode = "off"
    starts_tls: bool = False
    """The protocol itself turns to TLS, after some words in plain text."""
    ca: str = ""
    """PEM file of the authorities to trust; empty: the system's."""
    client_certificate: str = ""
    client_key: str = ""
    user: str = ""
    password: Secret = Secret()
    token: Secret = Secret()
    """A bearer token."""
    api_key: Secret = Secret()
    client_id: str = ""
    client_secret: Secret = Secret()
    token_target: Target | None = None
    """Where a bearer token is fetched with the client's secret."""
    scope: str = ""
    database: str = ""
    """Database, virtual host, bucket or topic."""
    auth_source: str = ""
    """The database in which MongoDB keeps the user."""
    mechanism: str = ""
    """Of SASL, where the settings choose one; of OTLP: ``grpc`` or ``http``."""
    headers: dict[str, Secret] = {}
    """What is sent along to an OTLP collector; keys of the service are in it."""
    region: str = ""
    is_srv: bool = False
    """Host and port are asked of the resolver's SRV records."""
    path: Secret = Secret("/")
    """Of an http address, with its query; it may hold secrets and is not shown."""
    others: tuple[Secret, ...] = ()
    """Further secrets that came with the address: parts of its query."""
    fault: str = ""
    """Why its value is no address; nothing is contacted then."""

    def secrets(self) -> tuple[Secret, ...]:
        """Return everything that may not be shown."""
        held = (self.password, self.token, self.api_key, self.client_secret, *self.others, *self.headers.values())
        return held + (self.token_target.secrets() if self.token_target else ())

    def authentication(self) -> Authentication:
        """Return how it would let us in, as far as its settings say."""
        if self.service.kind == "oauth2" or self.token_target is not None:
            return "oauth2"
        if self.api_key or self.headers:
            return "api-key"
        if self.token:
            return "token"
        if self.password or self.user:
            return "password"
        return "client-certificate" if self.client_certificate else "none"


class Fault(Exception):
    """One layer failed; ``hint`` may be empty, then the layer's own remedy holds."""

    def __init__(self, layer: FailedLayer, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.layer: FailedLayer = layer
        self.message = message
        self.hint = hint


def masked(text: str, secrets: tuple[Secret, ...]) -> str:
    """Return a text without any of the secrets, as they are or encoded for a URL, and without control characters.

    >>> masked("no user app with s3cret!/ s3cret%21%2F", (Secret("s3cret!/"),))
    'no user app with *** ***'
    """
    for secret in sorted((one.reveal() for one in secrets if one), key=len, reverse=True):
        for form in (secret, quote(secret, safe=""), quote(secret), quote_plus(secret)):
            text = text.replace(form, "***")
    shown = "".join(sign if sign.isprintable() else " " for sign in text)
    return " ".join(shown.split())[:300]
