"""One request of HTTP/1.1 and its answer, on a connection of its own. Source: RFC 9112."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from proa.outside.contact.link import Journey
from proa.outside.contact.target import Fault, Target

_MOST_BODY = 64 << 10
_MOST_HEADERS = 100


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came back."""

    status: int
    reason: str = ""
    headers: dict[str, str] = {}
    body: bytes = b""


def host_of(target: Target) -> str:
    """Return the host header's value; a usual port is left out."""
    host = f"[{target.host}]" if ":" in target.host else target.host
    standard = target.port == (443 if target.tls != "off" else 80)
    return host if standard else f"{host}:{target.port}"


def words_of(answer: Answer) -> str:
    """Return the status as people say it."""
    return f"HTTP {answer.status} {answer.reason}".strip()


def ask(
    journey: Journey,
    *,
    method: str = "GET",
    path: str = "",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> Answer:
    """Ask for a path, the target's own where none is said. Raises Fault."""
    target = journey.target
    lines = [
        f"{method} {path or target.path.reveal()} HTTP/1.1",
        f"Host: {host_of(target)}",
    ]
    lines += ["User-Agent: proa-preflight", "Accept: */*", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items() if name != "Accept"]
    lines += [f"Content-Length: {len(body)}"] if body is not None else []
    journey.send("\r\n".join(lines).encode("latin-1", "replace") + b"\r\n\r\n" + (body or b""))
    return _answer(journey)


def _answer(journey: Journey) -> Answer:
    first = journey.line(4096).decode("latin-1")
    words = first.split(" ", 2)
    if not words[0].startswith("HTTP/1.") or len(words) < 2 or not (words[1].isdecimal() and len(words[1]) == 3):
        raise journey.fault("the answer is not HTTP")
    headers: dict[str, str] = {}
    for _ in range(_MOST_HEADERS):
        line = journey.line(16384).decode("latin-1")
        if not line:
            break
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    reason = words[2] if len(words) > 2 else ""
    return Answer(status=int(words[1]), reason=reason, headers=headers, body=_body(journey, headers))


def _body(journey: Journey, headers: Mapping[str, str]) -> bytes:
    """Return the beginning of the body; one that breaks off is taken as it is."""
    data = b""
    try:
        if headers.get("transfer-encoding", "").lower() == "chunked":
            while len(data) < _MOST_BODY and (size := int(journey.line(64).split(b";")[0], 16)):
                data += journey.exactly(size)
                journey.line(64)
            return data
        wanted = int(headers.get("content-length", _MOST_BODY))
        while len(data) < min(wanted, _MOST_BODY):
            data += journey.more()
    except (Fault, ValueError):
        pass
    return data[:_MOST_BODY]
