"""SMTP: greeting, EHLO, STARTTLS, AUTH PLAIN, NOOP. Source: RFC 5321, RFC 3207, RFC 4954."""

from __future__ import annotations

import base64

from proa.outside.contact.link import Journey
from proa.outside.contact.target import Fault


def visit(journey: Journey) -> None:
    """Get in and do nothing. Raises Fault."""
    target = journey.target
    if target.tls != "off" and not target.starts_tls:
        journey.encrypt()
    journey.enter("protocol")
    code, _ = _answer(journey)
    if code != 220:
        raise journey.fault(f"the greeting is {code}")
    able = _hello(journey)
    if target.starts_tls and "STARTTLS" in able:
        _ask(journey, "STARTTLS", 220)
        journey.encrypt()
        journey.enter("protocol")
        able = _hello(journey)
    elif target.starts_tls and target.tls != "prefer":
        raise Fault("tls", "the server offers no STARTTLS")
    journey.enter("authentication")
    if target.password:
        if not any(word.startswith("AUTH") for word in able):
            raise journey.fault("the server offers no login", "it may offer one only with TLS")
        pair = base64.b64encode(f"\0{target.user}\0{target.password.reveal()}".encode()).decode()
        _ask(journey, f"AUTH PLAIN {pair}", 235)
    else:
        journey.asked_for_nothing = True
    journey.enter("read")
    _ask(journey, "NOOP", 250)
    journey.send(b"QUIT\r\n")


def _hello(journey: Journey) -> list[str]:
    journey.send(b"EHLO proa.invalid\r\n")
    code, lines = _answer(journey)
    if code != 250:
        raise journey.fault(f"EHLO was answered with {code}")
    return [line.upper() for line in lines]


def _ask(journey: Journey, words: str, wanted: int) -> None:
    journey.send(words.encode() + b"\r\n")
    code, lines = _answer(journey)
    if code != wanted:
        raise journey.fault(f"{code} {' '.join(lines)}")


def _answer(journey: Journey) -> tuple[int, list[str]]:
    lines: list[str] = []
    for _ in range(100):
        line = journey.line(2048).decode("utf-8", "replace")
        if not line[:3].isdecimal():
            break
        lines.append(line[4:])
        if line[3:4] != "-":
            return int(line[:3]), lines
    raise journey.fault("the answer is not SMTP's")
