"""MongoDB and its kin: hello, SCRAM, the names of the collections one may see.

Source: https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/ (OP_MSG) and, for the log-in,
https://github.com/mongodb/specifications/blob/master/source/auth/auth.md.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import struct
from typing import Any

from proa.outside.contact import bson
from proa.outside.contact.link import Journey
from proa.outside.contact.scram import Exchange, is_signed

_OP_MSG = 2013
_MORE_TO_COME, _CHECKSUM = 2, 1
_ALGORITHMS = {"SCRAM-SHA-256": "sha256", "SCRAM-SHA-1": "sha1"}
_UNAUTHORIZED, _UNKNOWN_COMMAND = 13, 59
"""Source: https://github.com/mongodb/mongo/blob/master/src/mongo/base/error_codes.yml."""


def visit(journey: Journey) -> None:
    """Get in and list names. Raises Fault."""
    target = journey.target
    if target.tls != "off":
        journey.encrypt()
    journey.enter("protocol")
    hello = _hello(journey)
    journey.enter("authentication")
    if target.user:
        _log_in(journey, hello)
        journey.enter("read")
    else:
        journey.asked_for_nothing = True
    asked = {"listCollections": 1, "nameOnly": True, "authorizedCollections": True, "$db": target.database or "admin"}
    answer = _command(journey, {**asked, "$readPreference": {"mode": "nearest"}})
    code = answer.get("code")
    if not target.user:
        if code == _UNAUTHORIZED:
            raise journey.fault(_words(answer), "it asks for a user and a password: set them in the address")
        journey.enter("read")
    if not _is_fine(answer):
        raise journey.fault(_words(answer), _READ.get(code, "") if isinstance(code, int) else "")


_READ = {
    _UNAUTHORIZED: "give the user a role on this database: db.grantRolesToUser(…)",
    13435: "this node is neither primary nor secondary: look at rs.status()",
    11600: "the server is shutting down",
    91: "the server is shutting down",
    73: "mend the name of the database in the address",
}


def _hello(journey: Journey) -> dict[str, Any]:
    target = journey.target
    asked = {"saslSupportedMechs": f"{_source(journey)}.{target.user}"} if target.user else {}
    answer = _command(journey, {"hello": 1, **asked, "$db": "admin"})
    if answer.get("code") == _UNKNOWN_COMMAND:
        # Servers before 4.4.2 know it by its old name only.
        answer = _command(journey, {"isMaster": 1, **asked, "$db": "admin"})
    if not _is_fine(answer) or "maxWireVersion" not in answer:
        raise journey.fault("the answer is not MongoDB's")
    return answer


def _source(journey: Journey) -> str:
    """Return the database in which the user is kept."""
    return journey.target.auth_source or journey.target.database or "admin"


def _log_in(journey: Journey, hello: dict[str, Any]) -> None:
    target = journey.target
    offered = hello.get("saslSupportedMechs")
    known = [name for name in _ALGORITHMS if isinstance(offered, list) and name in offered]
    # Without a list the user is not known, or the server does not say: SHA-256 is asked, as drivers do for old ones.
    mechanism = target.mechanism or (known[0] if known else "SCRAM-SHA-1" if _is_old(hello) else "SCRAM-SHA-256")
    if mechanism not in _ALGORITHMS:
        raise journey.fault(f"the log-in {mechanism} is not spoken here", f"spoken are {', '.join(_ALGORITHMS)}")
    nonce = base64.b64encode(secrets.token_bytes(18)).decode()
    exchange = Exchange(nonce=nonce, user=target.user, algorithm=_ALGORITHMS[mechanism])
    source, options = _source(journey), {"skipEmptyExchange": True}
    start = {"saslStart": 1, "mechanism": mechanism, "payload": exchange.first(), "options": options, "$db": source}
    first = _step(journey, start)
    number = first.get("conversationId")
    if not isinstance(number, int):
        raise journey.fault("the server's part of SCRAM is wrong")
    going_on = {"saslContinue": 1, "conversationId": number, "$db": source}
    try:
        final, signature = exchange.final(_payload(first), _secret(journey, mechanism))
    except ValueError as error:
        raise journey.fault("the server's part of SCRAM is wrong") from error
    last = _step(journey, {**going_on, "payload": final})
    if not is_signed(_payload(last), signature):
        raise journey.fault("the server does not know the password itself: it may be somebody else")
    if last.get("done") is not True:
        # Servers that do not know skipEmptyExchange want one more word.
        _step(journey, {**going_on, "payload": b""})
    journey.is_proved = True


def _is_old(hello: dict[str, Any]) -> bool:
    """Whether the server is from before SCRAM-SHA-256 (MongoDB 4.0, wire version 7)."""
    version = hello.get("maxWireVersion")
    return isinstance(version, int) and version < 7


def _secret(journey: Journey, mechanism: str) -> str:
    password = journey.target.password.reveal()
    if mechanism == "SCRAM-SHA-256":
        return password
    pair = f"{journey.target.user}:mongo:{password}"
    return hashlib.md5(pair.encode()).hexdigest()  # noqa: S324 (the protocol's own)


def _step(journey: Journey, document: dict[str, Any]) -> dict[str, Any]:
    answer = _command(journey, document)
    if not _is_fine(answer):
        raise journey.fault(_words(answer), _REMEDY)
    return answer


_REMEDY = "set the user and password the server knows, and authSource to the database the user was made in"


def _payload(answer: dict[str, Any]) -> str:
    payload = answer.get("payload")
    return payload.decode("utf-8", "replace") if isinstance(payload, bytes) else str(payload)


def _is_fine(answer: dict[str, Any]) -> bool:
    return answer.get("ok") in (1, 1.0, True)


def _words(answer: dict[str, Any]) -> str:
    return str(answer.get("errmsg") or answer.get("codeName") or "the server refused without a reason")


def _command(journey: Journey, document: dict[str, Any]) -> dict[str, Any]:
    """Send one command and return the answer's first document. Raises Fault."""
    body = struct.pack("<I", 0) + b"\0" + bson.encode(document)
    journey.send(struct.pack("<iiii", len(body) + 16, 1, 0, _OP_MSG) + body)
    size, _, answers, code = struct.unpack("<iiii", journey.exactly(16))
    if code != _OP_MSG or answers != 1 or not 26 <= size <= 1 << 20:
        raise journey.fault("the answer is not MongoDB's")
    data = journey.exactly(size - 16)
    (flags,) = struct.unpack_from("<I", data)
    end = len(data) - (4 if flags & _CHECKSUM else 0)
    if flags & _MORE_TO_COME or data[4]:
        raise journey.fault("the answer is not MongoDB's")
    try:
        return bson.decode(data[5:end])
    except ValueError as error:
        raise journey.fault("the answer is not MongoDB's") from error
