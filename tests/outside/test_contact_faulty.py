"""Services that hang, send garbage, reset, lie about who they are, or please anybody: the right layer is blamed."""

from __future__ import annotations

import contextlib
import datetime as dt
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from proa.outside.contact.visit import contact
from proa.preflight.variables import services_in
from proa.records.preflight import Contact

Serve = Callable[[socket.socket], None]


@contextlib.contextmanager
def serving(serve: Serve) -> Iterator[int]:
    """Answer every connection in a thread of its own; gives the port."""
    listener = socket.create_server(("127.0.0.1", 0))
    stopped = threading.Event()

    def one(link: socket.socket) -> None:
        with contextlib.suppress(OSError), link:
            link.settimeout(3)
            serve(link)

    def accept() -> None:
        while not stopped.is_set():
            with contextlib.suppress(OSError):
                link, _ = listener.accept()
                threading.Thread(target=one, args=(link,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        stopped.set()
        with contextlib.suppress(OSError):
            socket.create_connection(listener.getsockname(), 1).close()
        listener.close()


def told(serve: Serve, url: str, *, timeout_s: float = 2.0, **values: str) -> Contact:
    with serving(serve) as port:
        (found,) = services_in({"X_API_URL": url.replace("PORT", str(port)), **values})
        return contact(found, timeout_s=timeout_s, environ=values)


def hang(link: socket.socket) -> None:
    time.sleep(1.5)


def close(link: socket.socket) -> None:
    link.recv(1)


def reset(link: socket.socket) -> None:
    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def garbage(link: socket.socket) -> None:
    link.sendall(b"\x07\x00\xff{]" * 50 + b"\r\n")
    time.sleep(0.1)


def endless(link: socket.socket) -> None:
    while True:
        link.sendall(b"x" * 65536)


def web(link: socket.socket) -> None:
    link.recv(1)
    link.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")


PLAIN = [
    "postgres://a:b@127.0.0.1:PORT/x",
    "mysql://a:b@127.0.0.1:PORT/x",
    "redis://a:b@127.0.0.1:PORT",
    "amqp://a:b@127.0.0.1:PORT",
    "nats://a:b@127.0.0.1:PORT",
    "smtp://a:b@127.0.0.1:PORT",
    "http://127.0.0.1:PORT/",
    "mongodb://a:b@127.0.0.1:PORT/x",
    "kafka://a:b@127.0.0.1:PORT",
]


@pytest.mark.parametrize("url", PLAIN)
@pytest.mark.parametrize("serve", [hang, close, reset, garbage, endless])
def test_a_service_that_does_not_speak_its_protocol(serve: Serve, url: str) -> None:
    began = time.monotonic()
    found = told(serve, url, timeout_s=0.6 if serve is hang else 2.0)
    assert (found.is_reachable, found.failed_layer) == (False, "protocol")
    assert found.hint
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("url", [url for url in PLAIN if not url.startswith("http")])
def test_a_web_server_on_a_database_s_port(url: str) -> None:
    assert told(web, url).failed_layer == "protocol"


@pytest.mark.parametrize("serve", [hang, close, reset, garbage, web])
def test_a_port_that_speaks_no_tls(serve: Serve) -> None:
    assert told(serve, "https://127.0.0.1:PORT/", timeout_s=0.9 if serve is hang else 3.0).failed_layer == "tls"


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    (found,) = services_in({"X": f"redis://127.0.0.1:{port}"})
    assert contact(found, timeout_s=1, environ={}).failed_layer == "tcp"


def test_nobody_knows_the_name() -> None:
    (found,) = services_in({"X": "redis://no-such-host.invalid"})
    assert contact(found, timeout_s=3, environ={}).failed_layer == "dns"


def status(answer: Callable[[bytes], int]) -> Serve:
    def serve(link: socket.socket) -> None:
        asked = b""
        while b"\r\n\r\n" not in asked:
            if not (more := link.recv(65536)):
                return
            asked += more
        link.sendall(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % answer(asked))

    return serve


@pytest.mark.parametrize(
    ("answer", "layer", "shown", "is_in"),
    [
        pytest.param(lambda asked: 200 if b"X-API-Key: good" in asked else 401, None, "api-key", True, id="let in"),
        pytest.param(lambda asked: 401, "authentication", "api-key", False, id="refused"),
        pytest.param(lambda asked: 403, "authentication", "api-key", False, id="forbidden, like any key"),
        pytest.param(
            lambda asked: 403 if b"good" in asked else 401, "read", "api-key", None, id="a key without the right"
        ),
        pytest.param(lambda asked: 200, None, "none", None, id="no key needed"),
        pytest.param(lambda asked: 200 if b"X-API-Key" in asked else 401, None, "api-key", None, id="any key will do"),
        pytest.param(lambda asked: 500, "read", "api-key", None, id="broken"),
        pytest.param(lambda asked: 404, "read", "api-key", None, id="not there"),
    ],
)
def test_an_api_key(answer: Callable[[bytes], int], layer: str | None, shown: str, is_in: bool | None) -> None:
    found = told(status(answer), "http://127.0.0.1:PORT/", timeout_s=2, X_API_KEY="goodgoodgood")
    assert (found.failed_layer, found.authentication, found.is_authenticated) == (layer, shown, is_in)


def test_a_redis_that_accepts_any_password_proves_nothing() -> None:
    def serve(link: socket.socket) -> None:
        while asked := link.recv(4096):
            link.sendall(b"+PONG\r\n" if b"PING" in asked else b"+OK\r\n")

    found = told(serve, "redis://a:secretsecret@127.0.0.1:PORT", timeout_s=2)
    assert (found.is_reachable, found.is_authenticated) == (True, None)
    assert "proves nothing" in found.message


def test_a_service_that_says_the_secret_back() -> None:
    def serve(link: socket.socket) -> None:
        link.recv(4096)
        link.sendall(b"-WRONGPASS your password is secretsecret\x1b[31m\r\n")

    found = told(serve, "redis://a:secretsecret@127.0.0.1:PORT", timeout_s=2)
    assert found.failed_layer == "authentication"
    assert found.message == "WRONGPASS your password is *** [31m"


def certificate(folder: Path, *, name: str, days: int) -> Path:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - dt.timedelta(days=30))
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / f"{name}{days}.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file


@pytest.mark.parametrize(
    ("name", "days", "is_trusted", "layer", "words"),
    [
        pytest.param("localhost", 9, True, None, "", id="good"),
        pytest.param("localhost", 9, False, "tls", "self", id="self-signed"),
        pytest.param("localhost", -1, True, "tls", "expired", id="expired"),
        pytest.param("other.example", 9, True, "tls", "mismatch", id="another name"),
    ],
)
def test_certificates(tmp_path: Path, name: str, days: int, is_trusted: bool, layer: str | None, words: str) -> None:
    file = certificate(tmp_path, name=name, days=days)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)

    def serve(link: socket.socket) -> None:
        with contextlib.suppress(ssl.SSLError), context.wrap_socket(link, server_side=True) as inside:
            status(lambda asked: 200)(inside)

    trust = {"SSL_CERT_FILE": str(file)} if is_trusted else {}
    found = told(serve, "https://localhost:PORT/", timeout_s=2, **trust)
    assert found.failed_layer == layer
    assert words in found.message.lower()
    assert bool(found.hint) == bool(layer)
    assert found.certificate_expires.startswith("20") == (layer is None)


@pytest.mark.parametrize(
    ("place", "layer"),
    [
        ("https://sso.example/login?next=x", "authentication"),
        ("https://127.0.0.1/", "tls"),
        ("http://other.example/", "read"),
    ],
)
def test_a_redirect_lets_nobody_in(place: str, layer: str) -> None:
    def serve(link: socket.socket) -> None:
        link.recv(65536)
        link.sendall(f"HTTP/1.1 302 Found\r\nLocation: {place}\r\nContent-Length: 0\r\n\r\n".encode())

    found = told(serve, "http://127.0.0.1:PORT/", X_API_KEY="goodgoodgood")
    assert (found.is_reachable, found.failed_layer) == (False, layer)
