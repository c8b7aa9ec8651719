"""NATS: INFO, CONNECT, PING. Source: https://docs.nats.io/reference/reference-protocols/nats-protocol."""

from __future__ import annotations

import json
from typing import Any

from proa.outside.contact.link import Journey
from proa.outside.contact.target import Fault


def visit(journey: Journey) -> None:
    """Get in and ping. Raises Fault."""
    journey.enter("protocol")
    info = _info(journey)
    wants = bool(info.get("tls_required"))
    if journey.target.tls != "off" and not (wants or info.get("tls_available")):
        raise Fault("tls", "the server offers no TLS", "configure tls in the server, or use nats:// in the address")
    if wants or journey.target.tls != "off":
        journey.encrypt()
        journey.enter("protocol")
    journey.send(b"CONNECT " + json.dumps(_words(journey)).encode() + b"\r\nPING\r\n")
    journey.enter("authentication")
    journey.asked_for_nothing = not info.get("auth_required")
    _pong(journey)
    journey.enter("read")
    journey.send(b"PING\r\n")
    _pong(journey)


def _info(journey: Journey) -> dict[str, Any]:
    line = journey.line()
    if not line.upper().startswith(b"INFO "):
        raise journey.fault("the greeting is not NATS's")
    try:
        info = json.loads(line[5:])
    except (ValueError, RecursionError) as error:
        raise journey.fault("the greeting is not NATS's") from error
    if not isinstance(info, dict):
        raise journey.fault("the greeting is not NATS's")
    return info


def _words(journey: Journey) -> dict[str, Any]:
    target = journey.target
    words: dict[str, Any] = {"verbose": False, "pedantic": False, "lang": "proa", "version": "1", "protocol": 1}
    if target.token:
        words["auth_token"] = target.token.reveal()
    elif target.password:
        words |= {"user": target.user, "pass": target.password.reveal()}
    elif target.user:
        words["auth_token"] = target.user
    return words


def _pong(journey: Journey) -> None:
    for _ in range(20):
        line = journey.line().decode("utf-8", "replace")
        if line == "PONG":
            return
        if line.startswith("-ERR"):
            raise journey.fault(line[4:].strip(" '"), "set the user, password or token that the server's config knows")
        if line == "PING":
            journey.send(b"PONG\r\n")
        elif not line.startswith(("INFO", "+OK")):
            break
    journey.layer = "protocol"
    raise journey.fault("the answer is not NATS's")
