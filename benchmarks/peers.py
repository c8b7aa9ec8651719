"""The peers, ko and dive, built from their published modules; ko is given what it needs to run without a network.

ko has no ``path@version``: a published program is built as an import path of a small wrapper module that names it
as a tool. ko must have a base image in a registry, so a loopback server hands out a tiny one. Both favour ko: the
modules are in the cache before it is timed, and no real registry answers as fast as the loopback.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
import threading
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from measure import Spent, environment, go, run

PINS: dict[str, Any] = tomllib.loads(Path(__file__).with_name("peers.toml").read_text(encoding="utf-8"))
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


@dataclass(frozen=True, kw_only=True)
class Program:
    """One published program."""

    name: str
    package: str
    version: str

    @property
    def source(self) -> str:
        """Return it as proa's SOURCE."""
        return f"{self.package}@{self.version}"


def programs(names: Sequence[str] = ()) -> tuple[Program, ...]:
    """Return the pinned programs, or those named."""
    pinned = {name: Program(name=name, **pin) for name, pin in PINS["programs"].items()}
    return tuple(pinned[name] for name in names or pinned)


def cache() -> Path:
    """Return the folder that built peers and wrapper modules are kept in between runs."""
    default = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "proa-benchmarks"
    folder = Path(os.environ.get("PROA_BENCH_CACHE") or default)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def ko() -> Path:
    """Return ko, built from its published module at the pinned version."""
    return _tool("ko")


def dive() -> Path:
    """Return dive, built from its published module at the pinned version."""
    return _tool("dive")


def _tool(name: str) -> Path:
    module, version = PINS[name]["module"], PINS[name]["version"]
    folder = cache() / f"{name}-{version}"
    if not (folder / name).exists():
        print(f"building {module}@{version} …", file=sys.stderr)
        run([go(), "install", f"{module}@{version}"], env=environment(GOBIN=str(folder), GOFLAGS="-trimpath"))
    return folder / name


def wrapper(program: Program) -> Path:
    """Return the folder of a module whose one requirement is the program, at its pinned version."""
    folder = cache() / "wrappers" / f"{program.name}-{program.version}"
    if not (folder / "go.sum").exists():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "go.mod").write_text("module example.com/wrapper\n\ngo 1.24\n", encoding="utf-8")
        run([go(), "get", "-tool", program.source], cwd=folder, env=environment())
    return folder


@dataclass(frozen=True, kw_only=True)
class Ko:
    """ko with a base image to build on."""

    program: Path
    base: str

    def build(self, package: str, *, directory: Path, layout: Path, env: Mapping[str, str] = {}) -> Spent:
        """Run ``ko build --push=false`` into an OCI layout; an ``env`` of GOFLAGS carries linker flags."""
        argv = [str(self.program), "build", "--push=false", "--sbom=none", f"--oci-layout-path={layout}", package]
        own = {"KO_DEFAULTBASEIMAGE": self.base, "KO_DOCKER_REPO": "registry.example/peer"}
        return run(argv, cwd=directory, env=environment(**own, **env))


@contextmanager
def ko_with_base() -> Iterator[Ko]:
    """Lend ko and, for as long as the block lasts, the loopback registry it takes its base image from."""
    program = ko()
    with _registry(_tiny_image()) as address:
        yield Ko(program=program, base=f"{address}/base:latest")


def program_layer_bytes(layout: Path) -> int:
    """Return the compressed size of the layer ko put the program in, from a layout with one image."""
    blobs = layout / "blobs" / "sha256"

    def blob(digest: str) -> dict[str, Any]:
        return dict(json.loads((blobs / digest.removeprefix("sha256:")).read_text(encoding="utf-8")))

    index = json.loads((layout / "index.json").read_text(encoding="utf-8"))
    manifest = blob(index["manifests"][-1]["digest"])
    while "manifests" in manifest:
        manifest = blob(manifest["manifests"][0]["digest"])
    filled = [entry for entry in blob(manifest["config"]["digest"])["history"] if not entry.get("empty_layer")]
    sizes = [
        int(layer["size"])
        for layer, entry in zip(manifest["layers"], filled, strict=True)
        if entry.get("comment", "").startswith("go build output")  # the other one holds kodata
    ]
    if len(sizes) != 1:
        sys.exit(f"expected one layer by ko build in {layout}, found {len(sizes)}")
    return sizes[0]


def _tiny_image() -> dict[str, bytes]:
    """Return an image of one small file for this machine's platform: its blobs by digest and its manifest."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        content = b"nonroot:x:65532:65532::/:/sbin/nologin\n"
        entry = tarfile.TarInfo("etc/passwd")
        entry.size = len(content)
        archive.addfile(entry, io.BytesIO(content))
    layer = gzip.compress(raw.getvalue(), mtime=0)
    architecture = subprocess.check_output([go(), "env", "GOARCH"], text=True).strip()
    config = json.dumps(
        {
            "architecture": architecture,
            "os": "linux",
            "config": {"User": "65532"},
            "rootfs": {"type": "layers", "diff_ids": [_digest(raw.getvalue())]},
            "history": [{"created_by": "benchmarks/peers.py"}],
        }
    ).encode()
    manifest = json.dumps(
        {
            "schemaVersion": 2,
            "mediaType": _MANIFEST,
            "config": {"mediaType": _CONFIG, "size": len(config), "digest": _digest(config)},
            "layers": [{"mediaType": _LAYER, "size": len(layer), "digest": _digest(layer)}],
        }
    ).encode()
    return {_digest(layer): layer, _digest(config): config, _digest(manifest): manifest, "latest": manifest}


def _digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@contextmanager
def _registry(contents: Mapping[str, bytes]) -> Iterator[str]:
    """Serve blobs and manifests by their last path element on a loopback port; yields ``host:port``."""

    class Answer(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def _answer(self, *, with_body: bool) -> None:
            is_ping = self.path.rstrip("/") == "/v2"
            body = b"{}" if is_ping else contents.get(self.path.rsplit("/", 1)[-1])
            self.send_response(200 if body is not None else 404)
            self.send_header("Content-Type", _MANIFEST if "/manifests/" in self.path else "application/octet-stream")
            self.send_header("Content-Length", str(len(body or b"")))
            if body:
                self.send_header("Docker-Content-Digest", _digest(body))
            self.end_headers()
            if with_body:
                self.wfile.write(body or b"")

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the base class's name
            pass

    class Server(ThreadingHTTPServer):
        def handle_error(self, request: object, client_address: object) -> None:
            pass  # ko hangs up when it has what it wanted

    server = Server(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
