"""PostgreSQL: SSLRequest, start-up, password or SCRAM, ``SELECT 1``.

Source: https://www.postgresql.org/docs/current/protocol-flow.html and protocol-message-formats.html.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import struct

from proa.outside.contact.link import Journey
from proa.outside.contact.scram import Exchange, end_point, is_signed
from proa.outside.contact.target import Fault
from proa.records.preflight import FailedLayer

_SSL_REQUEST = struct.pack("!ii", 8, 80877103)
_MOST_MESSAGE = 1 << 16


def visit(journey: Journey) -> None:
    """Get in and read one row. Raises Fault."""
    if journey.target.tls != "off":
        _encrypt(journey)
    journey.enter("protocol")
    journey.send(_startup(journey.target.user, journey.target.database))
    _authenticate(journey)
    journey.enter("read")
    _until_ready(journey)
    journey.send(_message(b"Q", b"SELECT 1\0"))
    if b"D" not in _until_ready(journey):
        raise journey.fault("SELECT 1 gave no row")
    journey.send(_message(b"X", b""))


def _encrypt(journey: Journey) -> None:
    journey.enter("protocol")
    journey.send(_SSL_REQUEST)
    answer = journey.exactly(1)
    if answer == b"S" and not journey.buffer:
        journey.encrypt()
    elif answer == b"N" and journey.target.tls == "prefer":
        return
    elif answer == b"N":
        raise Fault("tls", "the server offers no TLS", "switch on ssl in postgresql.conf, or set sslmode=disable")
    else:
        raise journey.fault("the answer is not PostgreSQL's", "")


def _startup(user: str, database: str) -> bytes:
    words = [b"user", user.encode(), b"database", (database or user).encode(), b"application_name", b"proa preflight"]
    body = struct.pack("!i", 196608) + b"\0".join(words) + b"\0\0"
    return struct.pack("!i", len(body) + 4) + body


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


def _next(journey: Journey) -> tuple[bytes, bytes]:
    """Return the next message. Raises Fault, also for the server's own errors."""
    kind = journey.exactly(1)
    if kind not in b"REKSZTDCNIAv":
        raise journey.fault("the answer is not PostgreSQL's")
    (size,) = struct.unpack("!i", journey.exactly(4))
    if not 4 <= size <= _MOST_MESSAGE:
        raise journey.fault("the answer is not PostgreSQL's")
    body = journey.exactly(size - 4)
    if kind == b"E":
        raise refused(body)
    return kind, body


_REMEDIES: dict[str, tuple[FailedLayer, str]] = {
    "28P01": ("authentication", "set the password this user has on the server"),
    "28000": ("authentication", "create the user with LOGIN, or let it in through pg_hba.conf"),
    "3D000": ("read", "create the database, or mend its name in the address"),
    "42501": ("read", "GRANT CONNECT ON DATABASE … TO the user"),
    "53300": ("read", "too many connections: raise max_connections, or close some"),
    "57P03": ("read", "the server is starting up: --wait 60s"),
}
"""By SQLSTATE. Source: https://www.postgresql.org/docs/current/errcodes-appendix.html."""


def refused(body: bytes) -> Fault:
    r"""Return what an ErrorResponse means.

    >>> fault = refused(b"SFATAL\0C28P01\0Mno\0\0")
    >>> fault.layer, fault.message
    ('authentication', 'no')
    """
    fields = {part[:1]: part[1:].decode("utf-8", "replace") for part in body.split(b"\0") if part}
    code, words = fields.get(b"C", ""), fields.get(b"M", "the server refused without a reason")
    if code == "28000" and "no pg_hba.conf entry" in words and "no encryption" in words:
        return Fault("tls", words, "the server wants TLS: set sslmode=verify-full (or require)")
    layer, hint = _REMEDIES.get(code, ("authentication" if code.startswith("28") else "read", ""))
    return Fault(layer, words, hint)


def _authenticate(journey: Journey) -> None:
    kind, body = _next(journey)
    if kind != b"R" or len(body) < 4:
        raise journey.fault("the answer is not PostgreSQL's")
    journey.enter("authentication")
    (method,) = struct.unpack("!i", body[:4])
    if method == 0:
        journey.asked_for_nothing = True
        return
    if not journey.target.password:
        raise journey.fault("the server asks for a password and none is set", "set the password")
    if method == 10:
        _scram(journey, body[4:])
    elif method in (3, 5):
        journey.send(_message(b"p", _password(journey, method, body[4:]) + b"\0"))
    else:
        raise journey.fault(f"the server asks for a way in that is not known here (number {method})")
    kind, body = _next(journey)
    if kind != b"R" or body != b"\0\0\0\0":
        raise journey.fault("the server did not say that it let us in")


def _password(journey: Journey, method: int, salt: bytes) -> bytes:
    password = journey.target.password.reveal().encode()
    if method == 3:
        return password
    inner = hashlib.md5(password + journey.target.user.encode()).hexdigest()  # noqa: S324 (the protocol's own)
    return b"md5" + hashlib.md5(inner.encode() + salt[:4]).hexdigest().encode()  # noqa: S324


def _scram(journey: Journey, names: bytes) -> None:
    mechanisms = names.split(b"\0")
    binding = end_point(journey.peer_certificate()) if b"SCRAM-SHA-256-PLUS" in mechanisms else b""
    name = b"SCRAM-SHA-256-PLUS" if binding else b"SCRAM-SHA-256"
    if name not in mechanisms:
        raise journey.fault("the server offers no SCRAM-SHA-256")
    exchange = Exchange(nonce=base64.b64encode(secrets.token_bytes(18)).decode(), binding=binding)
    first = exchange.first()
    journey.send(_message(b"p", name + b"\0" + struct.pack("!i", len(first)) + first))
    try:
        final, signature = exchange.final(_sasl(journey, 11), journey.target.password.reveal())
    except ValueError as error:
        raise journey.fault("the server's part of SCRAM is wrong") from error
    journey.send(_message(b"p", final))
    if not is_signed(_sasl(journey, 12), signature):
        raise journey.fault("the server does not know the password itself: it may be somebody else")
    journey.is_proved = True


def _sasl(journey: Journey, number: int) -> str:
    kind, body = _next(journey)
    if kind != b"R" or body[:4] != struct.pack("!i", number):
        raise journey.fault("the server's part of SCRAM is missing")
    return body[4:].decode("utf-8", "replace")


def _until_ready(journey: Journey) -> list[bytes]:
    kinds: list[bytes] = []
    while len(kinds) < 1000:
        kind, _ = _next(journey)
        kinds.append(kind)
        if kind == b"Z":
            return kinds
    raise journey.fault("the server does not get ready")
