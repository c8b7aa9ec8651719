"""RabbitMQ and other AMQP 0-9-1 servers: the handshake up to an opened virtual host.

Source: https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf, sections 2.2.4 and 4.2.
"""

from __future__ import annotations

import struct

from proa.outside.contact.link import Journey

_END = b"\xce"
_NAMES = {(10, 10): "start", (10, 30): "tune", (10, 41): "open-ok", (10, 50): "close"}
_CAPABLE = b"authentication_failure_close"


def visit(journey: Journey) -> None:
    """Get in and open the virtual host. Raises Fault."""
    target = journey.target
    if target.tls != "off":
        journey.encrypt()
    journey.enter("protocol")
    journey.send(b"AMQP\0\0\x09\x01")
    name, _ = _method(journey)
    if name != "start":
        raise journey.fault("the greeting is not AMQP's")
    journey.enter("authentication")
    user, password = target.user or "guest", target.password.reveal() or "guest"
    response = b"\0" + user.encode() + b"\0" + password.encode()
    _send(journey, (10, 11), _table() + _short(b"PLAIN") + _long(response) + _short(b"en_US"))
    name, body = _method(journey)
    if name != "tune":
        raise journey.fault(_closed(body) if name == "close" else "login refused", _REMEDY)
    journey.enter("read")
    _send(journey, (10, 31), body[:8])
    _send(journey, (10, 40), _short((target.database or "/").encode()) + b"\0\0")
    name, body = _method(journey)
    if name != "open-ok":
        raise journey.fault(_closed(body), "create the virtual host, or give the user permissions on it")
    _send(journey, (10, 50), struct.pack("!H", 200) + _short(b"bye") + b"\0\0\0\0")


_REMEDY = "set the user and password the server knows; guest is let in from the server's own machine only"


def _table() -> bytes:
    """Return client properties that ask for a word before a refused login is hung up on."""
    inner = _short(_CAPABLE) + b"t\x01"
    capabilities = struct.pack("!I", len(inner)) + inner
    fields = _short(b"capabilities") + b"F" + capabilities
    return struct.pack("!I", len(fields)) + fields


def _short(text: bytes) -> bytes:
    return struct.pack("!B", min(len(text), 255)) + text[:255]


def _long(text: bytes) -> bytes:
    return struct.pack("!I", len(text)) + text


def _send(journey: Journey, method: tuple[int, int], arguments: bytes) -> None:
    payload = struct.pack("!HH", *method) + arguments
    journey.send(b"\x01\0\0" + struct.pack("!I", len(payload)) + payload + _END)


def _method(journey: Journey) -> tuple[str, bytes]:
    """Return the next method on channel 0; heartbeats are passed over."""
    for _ in range(10):
        head = journey.exactly(7)
        kind, _, size = struct.unpack("!BHI", head)
        if kind not in (1, 8) or size > 1 << 17:
            raise journey.fault("the answer is not AMQP 0-9-1's")
        payload = journey.exactly(size + 1)
        if payload[-1:] != _END:
            raise journey.fault("the answer is not AMQP 0-9-1's")
        if kind == 1 and size >= 4:
            number = struct.unpack("!HH", payload[:4])
            return _NAMES.get((number[0], number[1]), ""), payload[4:-1]
    raise journey.fault("the server does not go on")


def _closed(body: bytes) -> str:
    """Return the words of connection.close."""
    if len(body) < 3:
        return "the server closed without a reason"
    return body[3 : 3 + body[2]].decode("utf-8", "replace")
