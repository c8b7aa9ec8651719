"""Certificates, proxies, schemes and challenges."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import msgspec
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from fakes.images import make_image
from fakes.registry import FakeRegistry
from proa.errors import RegistryUnreachable
from proa.outside.access import Access
from proa.outside.images import fetch_image, write_image
from proa.outside.network import proxy_for
from proa.outside.registry_answers import parse_challenges, read_errors, read_token, retry_after_s
from proa.outside.registry_http import Session
from proa.outside.store import Store
from proa.records.platform import Platform
from proa.records.reference import parse_reference

AMD64 = Platform("linux", "amd64")


def access(**changes: object) -> Access:
    return msgspec.structs.replace(Access(sleep=lambda _: None, certificate_folders=()), **changes)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def certificate(folder: Path) -> Path:
    """Write a self-signed certificate for loopback and its key into one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "registry of the tests")])
    now = dt.datetime.now(dt.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = serialization.PrivateFormat.PKCS8
    file = folder / "registry.pem"
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, private, serialization.NoEncryption())
        + built.public_bytes(serialization.Encoding.PEM)
    )
    (folder / "ca.crt").write_bytes(built.public_bytes(serialization.Encoding.PEM))
    return file


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[FakeRegistry]:
    """Give a registry that speaks TLS with a certificate nobody knows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate(tmp_path))
    registry = FakeRegistry()
    registry._server.socket = context.wrap_socket(registry._server.socket, server_side=True)
    registry._server.handle_error = lambda *_: None  # type: ignore[method-assign]
    with registry:
        yield registry


def test_an_unknown_certificate_is_not_trusted(secure: FakeRegistry, store: Store) -> None:
    with pytest.raises(RegistryUnreachable, match="certificate"):
        write_image(make_image(store), parse_reference(f"docker://{secure.host}/a:1"), store=store, access=access())


@pytest.mark.parametrize("way", ["SSL_CERT_FILE", "certs.d", "insecure host", "any insecure"])
def test_a_private_ca_or_the_users_word_opens_the_door(
    secure: FakeRegistry, store: Store, tmp_path: Path, way: str
) -> None:
    folder = tmp_path / "certs.d" / secure.host
    folder.mkdir(parents=True)
    (folder / "ca.crt").write_bytes((tmp_path / "ca.crt").read_bytes())
    ways: dict[str, dict[str, object]] = {
        "SSL_CERT_FILE": {"environ": {"SSL_CERT_FILE": str(tmp_path / "ca.crt")}},
        "certs.d": {"certificate_folders": (str(tmp_path / "certs.d"),)},
        "insecure host": {"insecure_registries": (secure.host,)},
        "any insecure": {"allows_any_insecure": True},
    }
    image = make_image(store)
    target = parse_reference(f"docker://{secure.host}/a:1")
    write_image(image, target, store=store, access=access(**ways[way]))
    assert fetch_image(target, AMD64, store=Store(tmp_path / "o"), access=access(**ways[way])) == image


def test_a_certificate_file_that_is_none_is_named(secure: FakeRegistry, store: Store, tmp_path: Path) -> None:
    environ = {"SSL_CERT_FILE": str(tmp_path / "missing.pem")}
    with pytest.raises(RegistryUnreachable, match="cannot be read"):
        write_image(
            make_image(store),
            parse_reference(f"docker://{secure.host}/a:1"),
            store=store,
            access=access(environ=environ),
        )


class _Proxy(BaseHTTPRequestHandler):
    """A proxy that refuses everything and remembers for whom."""

    asked: list[str]

    def do_CONNECT(self) -> None:
        self.asked.append(self.path)
        self.send_error(403)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_a_connection_that_is_made_while_the_session_ends_is_closed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[socket.socket] = []
    connect = socket.create_connection
    with FakeRegistry() as fake, Session(fake.host, "a", access=access(), scopes=()) as session:

        def connect_and_close(*args: object, **settings: object) -> socket.socket:
            made.append(connect(*args, **settings))  # type: ignore[arg-type]
            session.close()
            return made[-1]

        monkeypatch.setattr(socket, "create_connection", connect_and_close)
        with pytest.raises(RegistryUnreachable, match="the session was closed"):
            session.origin()
        assert made
        assert [each.fileno() for each in made] == [-1] * len(made)
        assert len(made) <= 2, "a session that was closed tries nothing again"


def test_a_proxy_is_used_and_its_password_never_shown(store: Store) -> None:
    asked: list[str] = []
    server = HTTPServer(("127.0.0.1", 0), type("Bound", (_Proxy,), {"asked": asked}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    environ = {"HTTPS_PROXY": f"http://me:hidden-word@127.0.0.1:{server.server_address[1]}"}
    try:
        with pytest.raises(RegistryUnreachable) as stopped:
            fetch_image(parse_reference("docker://r.example/a:1"), AMD64, store=store, access=access(environ=environ))
    finally:
        server.shutdown()
        server.server_close()
    assert set(asked) == {"r.example:443"}
    assert "hidden-word" not in f"{stopped.value} {stopped.value.output} {stopped.value.hint}"


@pytest.mark.parametrize(
    ("url", "environ", "proxy"),
    [
        ("https://r.example/", {}, ""),
        ("https://r.example/", {"HTTPS_PROXY": "p:1"}, "http://p:1"),
        ("https://r.example/", {"https_proxy": "http://low:1", "HTTPS_PROXY": "http://up:1"}, "http://low:1"),
        ("http://r.example/", {"HTTPS_PROXY": "http://p:1"}, ""),
        ("https://r.example/", {"ALL_PROXY": "http://p:1"}, "http://p:1"),
        ("https://r.example/", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": ".example"}, ""),
        ("https://r.example:5000/", {"HTTPS_PROXY": "http://p:1", "no_proxy": "r.example"}, ""),
        ("https://r.example/", {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "*"}, ""),
        ("https://localhost:5000/", {"HTTPS_PROXY": "http://p:1"}, ""),
        ("https://[::1]:5000/", {"HTTPS_PROXY": "http://p:1"}, ""),
    ],
)
def test_which_proxy(url: str, environ: dict[str, str], proxy: str) -> None:
    assert proxy_for(url, environ) == proxy


def test_challenges_of_real_registries() -> None:
    hub = 'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push"'
    found = parse_challenges(hub)
    assert [each.scheme for each in found] == ["bearer"]
    assert found[0].parameters["scope"] == "repository:a/b:pull,push"
    assert [each.scheme for each in parse_challenges('Basic realm="x y", Bearer realm="z"')] == ["basic", "bearer"]
    assert parse_challenges("Negotiate")[0].scheme == "negotiate"


@given(st.text(max_size=200) | st.text('Bearer ="\\,', max_size=60))
def test_any_header_is_read_to_its_end(header: str) -> None:
    assert all(each.scheme == each.scheme.lower() for each in parse_challenges(header))
    wait = retry_after_s(header, now_s=0.0)
    assert wait is None or 0 <= wait <= 30


@given(st.binary(max_size=200))
def test_any_body_of_an_error_is_printable(content: bytes) -> None:
    assert all(sign.isprintable() or sign == "\n" for sign in read_errors(content))
    assert read_token(content).isprintable()
