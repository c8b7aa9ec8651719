"""A small OAuth2 token endpoint and the resources its tokens, or an API key, open: HTTP over TLS or plain.

Source: RFC 6749 section 4.4 (client credentials), RFC 6750 (bearer tokens and their errors), RFC 7515 (JWS, here ES256).
"""

from __future__ import annotations

import base64
import json
import ssl
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from service_certificates import Certificates

CLIENT_SECRET = "oa-Gecko.11~tundra"
API_KEY = "ak-Bison.13~meadow"
AUDIENCE = "orders"
SCOPES = {"shop": ("orders.read", AUDIENCE), "guest": ("", AUDIENCE), "stranger": ("orders.read", "elsewhere")}
"""Client: the scope it is given, and for whom its tokens are meant."""


@dataclass(frozen=True)
class Oauth:
    """Ports of the same service under several certificates, and a token that was good once."""

    tls: int
    plain: int
    expired: int
    self_signed: int
    expired_token: str
    forged_token: str
    """Signed with somebody else's key."""


def _plain(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _raw(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def sign(claims: dict[str, Any], key: ec.EllipticCurvePrivateKey) -> str:
    """Return a JSON web token."""
    body = ".".join(_plain(json.dumps(part).encode()) for part in ({"alg": "ES256", "typ": "JWT"}, claims))
    r, s = decode_dss_signature(key.sign(body.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{body}.{_plain(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def claims_of(token: str, key: ec.EllipticCurvePublicKey, *, now: float) -> dict[str, Any] | None:
    """Return what a token says; None where it is not ours, not for us, or no longer good."""
    try:
        head, body, signature = token.split(".")
        r, s = _raw(signature)[:32], _raw(signature)[32:]
        signed = encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))
        key.verify(signed, f"{head}.{body}".encode(), ec.ECDSA(hashes.SHA256()))
        claims: dict[str, Any] = json.loads(_raw(body))
    except (ValueError, InvalidSignature):
        return None
    return claims if claims["exp"] > now and claims["aud"] == AUDIENCE else None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    key: ec.EllipticCurvePrivateKey

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that go away: most of the tests' do."""
        if not isinstance(sys.exception(), OSError):
            sys.excepthook(*sys.exc_info())


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = 30

    def log_message(self, *_: object) -> None:
        """Keep quiet."""

    def do_POST(self) -> None:
        """Answer the token endpoint."""
        length = int(self.headers.get("Content-Length") or 0)
        form = {name: values[0] for name, values in parse_qs(self.rfile.read(length).decode()).items()}
        if self.path != "/token":
            self._say(HTTPStatus.NOT_FOUND, {"error": "not_found"})
        elif form.get("grant_type") != "client_credentials":
            self._say(HTTPStatus.BAD_REQUEST, {"error": "unsupported_grant_type"})
        elif (client := self._client(form)) is None:
            self._say(HTTPStatus.UNAUTHORIZED, {"error": "invalid_client"}, 'Basic realm="token"')
        else:
            scope, audience = SCOPES[client]
            claims = {"sub": client, "scope": scope, "aud": audience, "exp": time.time() + 300}
            token = sign(claims, self.server.key)
            answer = {"access_token": token, "token_type": "Bearer", "expires_in": 300, "scope": scope}
            self._say(HTTPStatus.OK, answer)

    def do_GET(self) -> None:
        """Answer a resource: /orders wants a bearer token, /payments an API key, /health nothing."""
        path = self.path.partition("?")[0]
        if path == "/health":
            self._say(HTTPStatus.OK, {"status": "up"})
        elif path.startswith("/payments"):
            known = API_KEY in (self.headers.get("X-API-Key"), self._bearer())
            self._open(path) if known else self._say(HTTPStatus.UNAUTHORIZED, {"error": "unknown API key"}, "ApiKey")
        elif (claims := claims_of(self._bearer(), self.server.key.public_key(), now=time.time())) is None:
            challenge = 'Bearer error="invalid_token"' if self._bearer() else "Bearer"
            self._say(HTTPStatus.UNAUTHORIZED, {"error": "invalid_token"}, challenge)
        elif "orders.read" not in claims["scope"].split():
            self._say(HTTPStatus.FORBIDDEN, {"error": "insufficient_scope"}, 'Bearer error="insufficient_scope"')
        else:
            self._open(path)

    do_HEAD = do_GET  # noqa: N815

    def _open(self, path: str) -> None:
        if path.endswith("/broken"):
            self._say(HTTPStatus.INTERNAL_SERVER_ERROR, {"error": "no database"})
        elif path in {"/orders", "/payments"}:
            self._say(HTTPStatus.OK, {"items": []})
        else:
            self._say(HTTPStatus.NOT_FOUND, {"error": "not_found"})

    def _bearer(self) -> str:
        kind, _, token = (self.headers.get("Authorization") or "").partition(" ")
        return token.strip() if kind.lower() == "bearer" else ""

    def _client(self, form: dict[str, str]) -> str | None:
        """Return the client's name where its secret is right, as HTTP Basic or in the form."""
        name, secret = form.get("client_id", ""), form.get("client_secret", "")
        kind, _, pair = (self.headers.get("Authorization") or "").partition(" ")
        if kind.lower() == "basic":
            with suppress(ValueError):
                name, secret = (unquote(part) for part in base64.b64decode(pair).decode().split(":", 1))
        return name if name in SCOPES and secret == CLIENT_SECRET else None

    def _say(self, status: HTTPStatus, body: dict[str, Any], challenge: str = "") -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        if challenge:
            self.send_header("WWW-Authenticate", challenge)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


@contextmanager
def oauth_server(certificate: tuple[Path, Path] | None, key: ec.EllipticCurvePrivateKey) -> Iterator[int]:
    """Serve tokens and resources; without a certificate in plain text."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.key = key
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        # The handshake is left to the thread of the connection: a silent client must not keep others waiting.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)


@contextmanager
def oauth(certificates: Certificates) -> Iterator[Oauth]:
    """Run four servers that know each other's tokens."""
    key = ec.generate_private_key(ec.SECP256R1())
    good = {"sub": "shop", "scope": "orders.read", "aud": AUDIENCE}
    with ExitStack() as stack:
        yield Oauth(
            tls=stack.enter_context(oauth_server(certificates.localhost, key)),
            plain=stack.enter_context(oauth_server(None, key)),
            expired=stack.enter_context(oauth_server(certificates.expired, key)),
            self_signed=stack.enter_context(oauth_server(certificates.self_signed, key)),
            expired_token=sign({**good, "exp": time.time() - 60}, key),
            forged_token=sign({**good, "exp": time.time() + 300}, ec.generate_private_key(ec.SECP256R1())),
        )
