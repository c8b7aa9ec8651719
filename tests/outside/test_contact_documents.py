"""What servers of MongoDB, Kafka, S3 and OTLP send, made up by hand: hostile, lying, and pleasing anybody."""

from __future__ import annotations

import contextlib
import datetime as dt
import socket
import struct
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outside.test_contact_faulty import close, endless, garbage, hang, reset, serving, web
from proa.outside.contact import bson, http2
from proa.outside.contact.link import Journey
from proa.outside.contact.target import Fault, Target
from proa.outside.contact.visit import contact
from proa.preflight.variables import services_in
from proa.records.preflight import Contact, Service

Serve = Callable[[socket.socket], None]
VALUES = st.recursive(
    st.booleans() | st.integers(-(2**31), 2**31 - 1) | st.text(st.characters(codec="utf-8")) | st.binary(),
    lambda inner: st.dictionaries(st.text("abc$", min_size=1), inner, max_size=3),
    max_leaves=8,
)


def told(serve: Serve, timeout_s: float = 2.0, **values: str) -> Contact:
    with serving(serve) as port:
        (found,) = services_in({name: value.replace("PORT", str(port)) for name, value in values.items()})
        return contact(found, timeout_s=timeout_s, environ={})


@given(st.dictionaries(st.text("abc$", min_size=1), VALUES, max_size=5))
def test_a_document_comes_back_as_it_was(document: dict[str, object]) -> None:
    assert bson.decode(bson.encode(document)) == document


@given(st.binary(max_size=200))
def test_bytes_that_are_no_document_are_told_from_one(data: bytes) -> None:
    with contextlib.suppress(ValueError):
        assert isinstance(bson.decode(data), dict)


def test_a_document_inside_itself_for_ever_is_refused() -> None:
    deep: dict[str, object] = {}
    for _ in range(50):
        deep = {"a": deep}
    with pytest.raises(ValueError, match="no document"):
        bson.decode(bson.encode(deep))


NEW_KINDS = [
    {
        "S3_ENDPOINT": "http://127.0.0.1:PORT",
        "S3_BUCKET": "b",
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "kelpkelp",
    },
    {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:PORT"},
    {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:PORT", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
]


@pytest.mark.parametrize("values", NEW_KINDS, ids=["s3", "otlp over http", "otlp over grpc"])
@pytest.mark.parametrize("serve", [hang, close, reset, garbage, endless])
def test_a_service_that_does_not_speak_its_protocol(serve: Serve, values: dict[str, str]) -> None:
    began = time.monotonic()
    found = told(serve, timeout_s=0.6 if serve is hang else 2.0, **values)
    assert (found.is_reachable, found.failed_layer) == (False, "protocol")
    assert found.hint
    assert time.monotonic() - began < 4


@pytest.mark.parametrize("url", ["mongodb://a:b@127.0.0.1:PORT/x", "kafka://a:b@127.0.0.1:PORT"])
def test_a_web_server_there(url: str) -> None:
    assert told(web, X_URL=url).failed_layer == "protocol"


def document(answer: dict[str, object]) -> bytes:
    body = struct.pack("<I", 0) + b"\0" + bson.encode(answer)
    return struct.pack("<iiii", len(body) + 16, 7, 1, 2013) + body


def mongodb(*answers: dict[str, object]) -> Serve:
    def serve(link: socket.socket) -> None:
        for answer in answers:
            if not link.recv(65536):
                return
            link.sendall(document(answer))
        link.recv(65536)

    return serve


HELLO = {"ok": 1, "maxWireVersion": 17}
URL = "mongodb://app:secretsecret@127.0.0.1:PORT/orders"


def test_a_mongodb_that_says_the_secret_back() -> None:
    found = told(mongodb(HELLO, {"ok": 0, "code": 18, "errmsg": "no secretsecret\x1b[31m"}), MONGODB_URL=URL)
    assert (found.failed_layer, found.message) == ("authentication", "no *** [31m")


def test_a_mongodb_that_lets_in_without_knowing_the_password_is_not_believed() -> None:
    first = {"ok": 1, "conversationId": 1, "done": False, "payload": b"r=x,s=AAAA,i=4096"}
    found = told(mongodb(HELLO, first, {"ok": 1, "done": True, "payload": b"v=AAAA"}), MONGODB_URL=URL)
    assert found.failed_layer == "authentication"
    assert found.is_authenticated is False


def test_a_mongodb_that_asks_for_endless_work_is_left() -> None:
    def serve(link: socket.socket) -> None:
        link.recv(65536)
        link.sendall(document(HELLO))
        nonce = link.recv(65536).partition(b"r=")[2][:24]
        link.sendall(document({"ok": 1, "conversationId": 1, "payload": b"r=" + nonce + b"x,s=AAAA,i=2000000000"}))

    began = time.monotonic()
    assert told(serve, MONGODB_URL=URL).failed_layer == "authentication"
    assert time.monotonic() - began < 2


def test_an_old_mongodb_is_greeted_by_its_old_word() -> None:
    refused = {"ok": 0, "code": 59, "errmsg": "no such command: hello"}
    collections = {"ok": 1, "cursor": {}}
    found = told(
        mongodb(refused, {**HELLO, "maxWireVersion": 6}, collections), MONGODB_URL="mongodb://127.0.0.1:PORT/x"
    )
    assert (found.is_reachable, found.authentication) == (True, "none")


def kafka(*bodies: bytes) -> Serve:
    """Answer each request with a body; the number of the request stands in its fourth to eighth byte."""

    def serve(link: socket.socket) -> None:
        for body in bodies:
            asked = link.recv(65536)
            answer = asked[8:12] + body
            link.sendall(struct.pack("!i", len(answer)) + answer)

    return serve


VERSIONS = struct.pack("!hi", 0, 1) + struct.pack("!hhh", 3, 0, 12)


@pytest.mark.parametrize(
    ("bodies", "layer"),
    [
        pytest.param([b"\0\0\x7f\xff\xff\xff"], "protocol", id="two thousand million versions"),
        pytest.param([b"\0\0\0\0\0\1\0\3\0\0"], "protocol", id="it breaks off"),
        pytest.param([struct.pack("!hi", 0, 1) + struct.pack("!hhh", 3, 5, 12)], "protocol", id="versions too new"),
        pytest.param(
            [VERSIONS, struct.pack("!hi", 33, 1) + b"\0\6GSSAPI"], "authentication", id="offers Kerberos alone"
        ),
        pytest.param([VERSIONS, struct.pack("!hi", 34, 0), b"\0" * 22], "read", id="knows no brokers"),
    ],
)
def test_what_brokers_may_say(bodies: list[bytes], layer: str) -> None:
    found = told(kafka(*bodies), KAFKA_URL="kafka://a:secretsecret@127.0.0.1:PORT")
    assert found.failed_layer == layer
    assert found.hint


def answering_with(status: int, body: str, headers: str = "") -> Serve:
    def serve(link: socket.socket) -> None:
        link.recv(65536)
        head = f"HTTP/1.1 {status} X\r\n{headers}Content-Length: {len(body)}\r\n\r\n"
        link.sendall((head + body).encode())

    return serve


LISTED = "<ListBucketResult><KeyCount>0</KeyCount></ListBucketResult>"


@pytest.mark.parametrize(
    ("status", "body", "layer", "words"),
    [
        pytest.param(403, "<Error><Code>AccessDenied</Code></Error>", "read", "AccessDenied", id="not this bucket"),
        pytest.param(403, "<Error><Code>ExpiredToken</Code></Error>", "authentication", "ExpiredToken", id="expired"),
        pytest.param(503, "<Error><Code>SlowDown</Code></Error>", "read", "SlowDown", id="busy"),
        pytest.param(200, "<html>welcome</html>", "protocol", "not S3's", id="a web page"),
        pytest.param(403, "<html>no</html>", "protocol", "not S3's", id="a firewall's page"),
        pytest.param(200, LISTED, None, "wrong credentials too", id="anybody is let in"),
    ],
)
def test_what_an_s3_may_say(status: int, body: str, layer: str | None, words: str) -> None:
    found = told(answering_with(status, body), **NEW_KINDS[0])
    assert found.failed_layer == layer
    assert words in found.message


def test_a_clock_that_is_wrong_is_named_with_its_difference() -> None:
    there = dt.datetime.now(dt.UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
    body = "<Error><Code>RequestTimeTooSkewed</Code><Message>too far</Message></Error>"
    with serving(answering_with(403, body, f"Date: {there}\r\n")) as port:
        (found,) = services_in({name: value.replace("PORT", str(port)) for name, value in NEW_KINDS[0].items()})
        later = lambda: dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)  # noqa: E731
        told = contact(found, timeout_s=2, environ={}, now=later)
    assert told.failed_layer == "authentication"
    assert "clock is 36" in told.message
    assert "ahead" in told.message


@pytest.mark.parametrize("code", [401, 403])
def test_a_collector_that_wants_a_key(code: int) -> None:
    values = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:PORT",
        "OTEL_EXPORTER_OTLP_HEADERS": "api-key=secretsecret",
    }
    found = told(answering_with(code, ""), **values)
    assert (found.failed_layer, found.authentication) == ("authentication", "api-key")


def test_a_key_with_a_line_end_begins_no_other_header() -> None:
    values = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:PORT", "OTEL_EXPORTER_OTLP_HEADERS": "k=a%0d%0ax: y"}
    asked: list[bytes] = []

    def serve(link: socket.socket) -> None:
        asked.append(link.recv(65536))

    assert told(serve, **values).is_reachable is False
    assert b"x: y" not in b"".join(asked)


class Scripted(Journey):
    """A contact whose peer says what it is given."""

    def __init__(self, data: bytes) -> None:
        target = Target(service=Service(name="X", kind="otlp"), host="x", port=1)
        super().__init__(target, timeout_s=1, environ={}, clock=time.monotonic)
        self.buffer = data
        self.layer = "protocol"

    def send(self, data: bytes) -> None:
        pass


@given(st.binary(max_size=400))
def test_any_bytes_after_the_settings_end_in_an_answer_or_a_fault(data: bytes) -> None:
    settings = b"\0\0\0\4\0\0\0\0\0"
    with contextlib.suppress(Fault):
        called = http2.call(Scripted(settings + data), "/x", "x", {"api-key": "a"})
        assert called.status is None or 0 <= called.status < 1000
