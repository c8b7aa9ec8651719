"""A registry in memory: a small working model of the distribution specification, with faults on demand.

The contract tests run on it and on real registries, so it may not be kinder than they are.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

INDEX = "application/vnd.oci.image.index.v1+json"
Fault = Callable[["Handler"], bool]
"""Called before every request; True where it has answered (or broken off) itself."""


class FakeRegistry:
    """A registry at ``host``; what it holds and what it was asked are plain fields."""

    def __init__(
        self, *, has_referrers: bool = True, auth: str = "", user: str = "ann", password: str = "s3cret-word"
    ) -> None:
        self.blobs: dict[tuple[str, str], bytes] = {}
        self.manifests: dict[tuple[str, str], tuple[str, bytes]] = {}
        self.uploads: dict[str, bytearray] = {}
        self.requests: list[str] = []
        self.authorizations: list[str] = []
        self.faults: list[Fault] = []
        self.has_referrers = has_referrers
        self.auth = auth
        self.user, self.password = user, password
        self.tokens_given = 0
        self.lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"registry": self}))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def asked(self, method: str, part: str = "") -> list[str]:
        return [line for line in self.requests if line.startswith(f"{method} ") and part in line]

    def fail(
        self, times: int, status: int, *, part: str = "", headers: dict[str, str] | None = None, body: bytes = b""
    ) -> None:
        """Answer the next ``times`` requests whose line has ``part`` with a status."""
        left = [times]

        def fault(handler: Handler) -> bool:
            if part not in f"{handler.command} {handler.path}" or left[0] == 0:
                return False
            left[0] -= 1
            handler.drain()
            handler.answer(status, body, headers or {})
            return True

        self.faults.append(fault)

    def break_off(self, times: int, *, part: str, after: int = 0) -> None:
        """Close the connection of the next requests, after ``after`` bytes of their bodies were read."""
        left = [times]

        def fault(handler: Handler) -> bool:
            if part not in f"{handler.command} {handler.path}" or left[0] == 0:
                return False
            left[0] -= 1
            if after:
                handler.rfile.read(after)
            handler.close_connection = True
            handler.connection.close()
            return True

        self.faults.append(fault)

    def manifest(self, repository: str, reference: str) -> dict[str, Any]:
        return json.loads(self.manifests[repository, reference][1])


class Handler(BaseHTTPRequestHandler):
    """One request."""

    registry: FakeRegistry
    protocol_version = "HTTP/1.1"

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def handle(self) -> None:
        try:
            super().handle()
        except (ConnectionError, ValueError, OSError):
            self.close_connection = True

    def finish(self) -> None:
        with suppress(ConnectionError, ValueError, OSError):
            super().finish()

    def drain(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def answer(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if "Content-Length" not in (headers or {}):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def refuse(self, status: int, code: str, message: str = "") -> None:
        body = json.dumps({"errors": [{"code": code, "message": message}]}).encode()
        self.answer(status, body, {"Content-Type": "application/json"})

    def route(self) -> None:
        registry = self.registry
        with registry.lock:
            registry.requests.append(f"{self.command} {self.path}")
            registry.authorizations.append(self.headers.get("Authorization", ""))
        if any(fault(self) for fault in list(registry.faults)):
            return
        parts = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(parts.query).items()}
        if parts.path == "/token":
            self.token(parse_qs(parts.query).get("scope", []))
            return
        if not self.is_allowed():
            self.drain()
            ways = {
                "basic": 'Basic realm="test"',
                "bearer": f'Bearer realm="http://{registry.host}/token",service="fake"',
            }
            self.send_response(401)
            self.send_header("WWW-Authenticate", ways[registry.auth])
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if parts.path == "/v2/":
            self.answer(200, b"{}")
            return
        for pattern, call in _ROUTES:
            if (match := re.fullmatch(pattern, parts.path)) and self.command in call.methods:  # type: ignore[attr-defined]
                with registry.lock:
                    call(self, query, **match.groupdict())
                return
        self.drain()
        self.refuse(404, "NOT_FOUND", "no such route")

    do_GET = do_HEAD = do_PUT = do_POST = do_PATCH = route  # noqa: N815 - http.server's names

    def is_allowed(self) -> bool:
        registry = self.registry
        given = self.headers.get("Authorization", "")
        if registry.auth == "basic":
            return given == "Basic " + base64.b64encode(f"{registry.user}:{registry.password}".encode()).decode()
        if registry.auth == "bearer":
            return given == f"Bearer token-{registry.tokens_given}"
        return True

    def token(self, scopes: list[str]) -> None:
        registry = self.registry
        body = self.drain().decode()
        basic = "Basic " + base64.b64encode(f"{registry.user}:{registry.password}".encode()).decode()
        if self.headers.get("Authorization") != basic and f"refresh_token={registry.password}" not in body:
            self.refuse(401, "UNAUTHORIZED", f"you said {self.headers.get('Authorization')}")
            return
        registry.tokens_given += 1
        self.answer(200, json.dumps({"token": f"token-{registry.tokens_given}", "scopes": scopes}).encode())


def _route(*methods: str) -> Callable[[Any], Any]:
    def mark(call: Any) -> Any:
        call.methods = methods
        return call

    return mark


@_route("GET", "HEAD")
def _read_blob(handler: Handler, query: dict[str, str], name: str, digest: str) -> None:
    content = handler.registry.blobs.get((name, digest))
    if content is None:
        handler.refuse(404, "BLOB_UNKNOWN")
    else:
        handler.answer(200, content, {"Docker-Content-Digest": digest})


@_route("POST")
def _begin(handler: Handler, query: dict[str, str], name: str) -> None:
    handler.drain()
    registry = handler.registry
    source = (query.get("from", ""), query.get("mount", ""))
    if source in registry.blobs:
        registry.blobs[name, source[1]] = registry.blobs[source]
        handler.answer(201, headers={"Location": f"/v2/{name}/blobs/{source[1]}"})
        return
    number = str(len(registry.uploads))
    registry.uploads[number] = bytearray()
    handler.answer(202, headers={"Location": f"/v2/{name}/blobs/uploads/{number}?state=a"})


@_route("PATCH", "PUT")
def _send(handler: Handler, query: dict[str, str], name: str, number: str) -> None:
    body = handler.drain()
    registry = handler.registry
    if number not in registry.uploads:
        handler.refuse(404, "BLOB_UPLOAD_UNKNOWN")
        return
    registry.uploads[number] += body
    if handler.command == "PATCH":
        handler.answer(202, headers={"Location": f"/v2/{name}/blobs/uploads/{number}?state=b"})
        return
    content = bytes(registry.uploads.pop(number))
    registry.uploads[number + "-done"] = bytearray()
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    if digest != query.get("digest"):
        handler.refuse(400, "DIGEST_INVALID")
        return
    registry.blobs[name, digest] = content
    handler.answer(201, headers={"Location": f"/v2/{name}/blobs/{digest}"})


@_route("GET", "HEAD")
def _read_manifest(handler: Handler, query: dict[str, str], name: str, reference: str) -> None:
    found = handler.registry.manifests.get((name, reference))
    if found is None:
        handler.refuse(404, "MANIFEST_UNKNOWN")
        return
    digest = f"sha256:{hashlib.sha256(found[1]).hexdigest()}"
    handler.answer(200, found[1], {"Content-Type": found[0], "Docker-Content-Digest": digest})


@_route("PUT")
def _write_manifest(handler: Handler, query: dict[str, str], name: str, reference: str) -> None:
    body = handler.drain()
    registry = handler.registry
    document = json.loads(body)
    named = [(blob["digest"], registry.blobs) for blob in (document.get("config"), *document.get("layers", ())) if blob]
    if not reference.startswith("sha256-"):
        named += [(child["digest"], registry.manifests) for child in document.get("manifests", ())]
    for digest, holder in named:
        if (name, digest) not in holder:
            handler.refuse(400, "MANIFEST_BLOB_UNKNOWN", digest)
            return
    digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
    kept = (handler.headers["Content-Type"], body)
    registry.manifests[name, digest] = registry.manifests[name, reference] = kept
    headers = {"Docker-Content-Digest": digest}
    if registry.has_referrers and document.get("subject"):
        headers["OCI-Subject"] = document["subject"]["digest"]
    handler.answer(201, headers=headers)


@_route("GET")
def _list_referrers(handler: Handler, query: dict[str, str], name: str, digest: str) -> None:
    registry = handler.registry
    if not registry.has_referrers:
        handler.refuse(404, "NOT_FOUND")
        return
    entries = {
        f"sha256:{hashlib.sha256(body).hexdigest()}": {
            "mediaType": kind,
            "digest": f"sha256:{hashlib.sha256(body).hexdigest()}",
            "size": len(body),
            "artifactType": json.loads(body).get("artifactType"),
        }
        for (repository, _), (kind, body) in registry.manifests.items()
        if repository == name and json.loads(body).get("subject", {}).get("digest") == digest
    }
    body = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": list(entries.values())}).encode()
    handler.answer(200, body, {"Content-Type": INDEX})


@_route("GET")
def _list_tags(handler: Handler, query: dict[str, str], name: str) -> None:
    tags = sorted(reference for repository, reference in handler.registry.manifests if repository == name)
    tags = [tag for tag in tags if ":" not in tag]
    if not tags:
        handler.refuse(404, "NAME_UNKNOWN")
        return
    # Pages of two, whatever is asked: registries may.
    page = [tag for tag in tags if tag > query.get("last", "")][:2]
    more = tags[-1] != page[-1]
    link = {"Link": f'</v2/{name}/tags/list?n=2&last={page[-1]}>; rel="next"'} if more else {}
    handler.answer(200, json.dumps({"name": name, "tags": page}).encode(), link)


_ROUTES = [
    (r"/v2/(?P<name>.+)/blobs/uploads/", _begin),
    (r"/v2/(?P<name>.+)/blobs/uploads/(?P<number>[^/]+)", _send),
    (r"/v2/(?P<name>.+)/blobs/(?P<digest>sha256:[0-9a-f]+)", _read_blob),
    (r"/v2/(?P<name>.+)/manifests/(?P<reference>[^/]+)", _read_manifest),
    (r"/v2/(?P<name>.+)/manifests/(?P<reference>[^/]+)", _write_manifest),
    (r"/v2/(?P<name>.+)/tags/list", _list_tags),
    (r"/v2/(?P<name>.+)/referrers/(?P<digest>sha256:[0-9a-f]+)", _list_referrers),
]
