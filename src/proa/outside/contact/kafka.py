"""Kafka: ApiVersions, SASL (SCRAM, PLAIN), Metadata, and whether the address a broker tells its clients is there.

Source: https://kafka.apache.org/protocol (messages; the versions chosen are known to 0.11 and to 4.x alike).
"""

from __future__ import annotations

import base64
import secrets
import struct

import msgspec

from proa.outside.contact.link import Journey
from proa.outside.contact.scram import Exchange, is_signed
from proa.outside.contact.target import Fault

_METADATA, _HANDSHAKE, _VERSIONS, _AUTHENTICATE = 3, 17, 18, 36
_ALGORITHMS = {"SCRAM-SHA-512": "sha512", "SCRAM-SHA-256": "sha256", "PLAIN": ""}
"""What is spoken, best first."""
_UNSUPPORTED_MECHANISM, _NO_SASL_HERE, _NOT_LET_IN = 33, 34, 58
_MOST_ITEMS = 10_000


class _Reader:
    """The fields of an answer, one after the other."""

    def __init__(self, journey: Journey, data: bytes) -> None:
        self.journey = journey
        self.data = data
        self.at = 0

    def take(self, size: int) -> bytes:
        """Return the next bytes. Raises Fault."""
        if size < 0 or self.at + size > len(self.data):
            raise _foreign(self.journey)
        self.at += size
        return self.data[self.at - size : self.at]

    def number(self, size: int) -> int:
        """Return the next number. Raises Fault."""
        return int.from_bytes(self.take(size), "big", signed=True)

    def text(self) -> str:
        """Return the next text; a missing one is empty. Raises Fault."""
        size = self.number(2)
        return self.take(size).decode("utf-8", "replace") if size >= 0 else ""

    def count(self) -> int:
        """Return how many items follow. Raises Fault."""
        count = self.number(4)
        if count > _MOST_ITEMS:
            raise _foreign(self.journey)
        return max(count, 0)


def visit(journey: Journey) -> None:
    """Get in and ask for the brokers, and for the topic where one is set. Raises Fault."""
    if journey.target.tls != "off":
        journey.encrypt()
    journey.enter("protocol")
    _versions(journey)
    journey.enter("authentication")
    if journey.target.user:
        _log_in(journey)
    else:
        journey.asked_for_nothing = True
        _see_whether_it_asks(journey)
    journey.enter("read")
    _reach(journey, *_metadata(journey))


def _foreign(journey: Journey) -> Fault:
    return journey.fault("the answer is not Kafka's")


def _ask(journey: Journey, key: int, version: int, body: bytes) -> _Reader:
    """Send a request with header version 1 and return its answer after the correlation id. Raises Fault."""
    message = struct.pack("!hhi", key, version, key) + _text("proa-preflight") + body
    journey.send(struct.pack("!i", len(message)) + message)
    head = journey.exactly(4)
    if head[:2] == b"\x15\x03":
        raise journey.fault("the broker speaks TLS on this port", "set security.protocol to SSL or SASL_SSL")
    (size,) = struct.unpack("!i", head)
    if not 6 <= size <= 1 << 20:
        raise _foreign(journey)
    reader = _Reader(journey, journey.exactly(size))
    if reader.number(4) != key:
        raise _foreign(journey)
    return reader


def _text(text: str) -> bytes:
    data = text.encode()[:32767]
    return struct.pack("!h", len(data)) + data


def _versions(journey: Journey) -> None:
    answer = _ask(journey, _VERSIONS, 0, b"")
    error = answer.number(2)
    known = {answer.number(2): (answer.number(2), answer.number(2)) for _ in range(answer.count())}
    low, high = known.get(_METADATA, (1, 0))
    if error or low > high:
        raise _foreign(journey)
    if not low <= 4 <= high:
        raise journey.fault(f"the broker knows versions {low} to {high} of Metadata; 4 is spoken here (Kafka 0.11)")


def _handshake(journey: Journey, mechanism: str) -> tuple[int, list[str]]:
    """Return the error and the mechanisms the broker offers."""
    answer = _ask(journey, _HANDSHAKE, 1, _text(mechanism))
    return answer.number(2), [answer.text() for _ in range(answer.count())]


def _see_whether_it_asks(journey: Journey) -> None:
    error, offered = _handshake(journey, "PLAIN")
    if error != _NO_SASL_HERE:
        words = f"it asks for credentials: {', '.join(offered) or 'SASL'}"
        raise journey.fault(words, "set a user, a password and the SASL mechanism")


def _log_in(journey: Journey) -> None:
    wanted = journey.target.mechanism
    mechanism = wanted or next(iter(_ALGORITHMS))
    if mechanism not in _ALGORITHMS:
        raise journey.fault(f"the log-in {mechanism} is not spoken here", f"spoken are {', '.join(_ALGORITHMS)}")
    error, offered = _handshake(journey, mechanism)
    if error == _NO_SASL_HERE:
        journey.asked_for_nothing = True
        return
    if error == _UNSUPPORTED_MECHANISM:
        usable = [name for name in _ALGORITHMS if name in offered]
        if wanted or not usable:
            said = ", ".join(offered) or "none"
            raise journey.fault(f"the broker does not offer {mechanism}; it offers {said}", "set one of those")
        # It hangs up after a mechanism it does not have.
        mechanism = usable[0]
        journey.again()
        error, _ = _handshake(journey, mechanism)
    if error:
        raise journey.fault(f"the broker refused the SASL handshake (error {error})")
    if mechanism == "PLAIN":
        pair = f"\0{journey.target.user}\0{journey.target.password.reveal()}"
        _authenticate(journey, pair.encode(), mechanism)
    else:
        _scram(journey, mechanism)


def _scram(journey: Journey, mechanism: str) -> None:
    nonce = base64.b64encode(secrets.token_bytes(18)).decode()
    exchange = Exchange(nonce=nonce, user=journey.target.user, algorithm=_ALGORITHMS[mechanism])
    first = _authenticate(journey, exchange.first(), mechanism)
    try:
        final, signature = exchange.final(first, journey.target.password.reveal())
    except ValueError as error:
        raise journey.fault("the broker's part of SCRAM is wrong") from error
    if not is_signed(_authenticate(journey, final, mechanism), signature):
        raise journey.fault("the broker does not know the password itself: it may be somebody else")
    journey.is_proved = True


def _authenticate(journey: Journey, data: bytes, mechanism: str) -> str:
    """Send one message of a mechanism and return the broker's."""
    answer = _ask(journey, _AUTHENTICATE, 0, struct.pack("!i", len(data)) + data)
    error, words = answer.number(2), answer.text()
    if error:
        hint = f"set the user and password the broker knows for {mechanism}, or another SASL mechanism"
        raise journey.fault(words or f"the broker refused (error {error})", hint)
    return answer.take(max(answer.number(4), 0)).decode("utf-8", "replace")


_TOPIC_ERRORS = {
    3: ("there is no topic {}", "create it, or mend its name"),
    17: ("the broker takes {} for no name of a topic", "mend its name"),
    29: ("not allowed to see topic {}", "grant DESCRIBE, READ or WRITE on it: kafka-acls.sh --add …"),
}
"""By number. Source: https://kafka.apache.org/protocol#protocol_error_codes."""


def _metadata(journey: Journey) -> tuple[str, int]:
    """Return the address that the first broker tells its clients. Raises Fault."""
    topic = journey.target.database
    body = struct.pack("!i", 1) + _text(topic) if topic else struct.pack("!i", 0)
    # The last byte: do not create the topic.
    answer = _ask(journey, _METADATA, 4, body + b"\0")
    answer.number(4)
    brokers = []
    for _ in range(answer.count()):
        answer.number(4)
        brokers.append((answer.text(), answer.number(4)))
        answer.text()
    answer.text()
    answer.number(4)
    error = answer.number(2) if answer.count() else 0
    if topic and error in _TOPIC_ERRORS:
        words, hint = _TOPIC_ERRORS[error]
        raise journey.fault(words.format(topic), hint)
    if error > 0 and error != 5:  # 5: no leader yet, as after a topic was just made
        raise journey.fault(f"the broker knows nothing good of topic {topic} (error {error})")
    if not brokers:
        raise journey.fault("the broker knows of no brokers", "the cluster may still be starting: --wait 60s")
    return brokers[0]


def _reach(journey: Journey, host: str, port: int) -> None:
    """Connect to where clients are sent: a broker that is found, and sends them to a name nobody knows, is no use."""
    if (host, port) == (journey.target.host, journey.target.port):
        return
    another = journey.beside(msgspec.structs.replace(journey.target, host=host, port=port))
    try:
        another.connect()
    except Fault as fault:
        words = f"the broker sends its clients to {host}:{port}, which is not reached from here: {fault.message}"
        raise Fault("read", words, "set advertised.listeners to what clients can reach") from fault
    finally:
        another.close()
