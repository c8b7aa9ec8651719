"""A working model of a Kubernetes API server for kubectl: secrets, config maps, Jobs that end, pods that get ready.

The shapes are those of core/v1 and batch/v1 as a server of 1.31 answers them; nothing is scheduled, a Job's pod is
given by the test.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Api:
    """What the server knows, and what it was asked."""

    secrets: dict[str, dict[str, str]] = field(default_factory=dict)
    """``NAMESPACE/NAME`` to variables."""
    config_maps: dict[str, dict[str, str]] = field(default_factory=dict)
    pod_status: dict[str, Any] = field(default_factory=dict)
    log: str = ""
    looks_until_over: int = 1
    forbids: str = ""
    """Part of a path that the user may not see."""
    has_pods: bool = True
    pods: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Those that were made by themselves, and are there now."""
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Those that are there now."""
    created: list[dict[str, Any]] = field(default_factory=list)
    deleted: list[str] = field(default_factory=list)
    kubeconfig: Path = Path()

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: bytes) -> tuple[int, Any]:
        """Return the status and the document or text."""
        if self.forbids and self.forbids in path:
            return 403, _status(403, "Forbidden", f'User "dev" cannot get resource at "{path}"')
        parts = path.strip("/").split("/")
        match method, parts:
            case "GET", ["api", "v1", "namespaces", namespace, ("secrets" | "configmaps") as kind, name]:
                return self._held(kind, namespace, name)
            case "POST", ["apis", "batch", "v1", "namespaces", _, "jobs"]:
                job = json.loads(body)
                self.created.append(job)
                self.jobs[job["metadata"]["name"]] = {**job, "status": {}}
                return 201, job
            case "GET", ["apis", "batch", "v1", "namespaces", _, "jobs", name] if name in self.jobs:
                self.looks_until_over -= 1
                over = [{"type": "Failed", "status": "True"}] if self.looks_until_over < 0 else []
                return 200, {**self.jobs[name], "status": {"conditions": over}}
            case "DELETE", ["apis", "batch", "v1", "namespaces", _, "jobs", name] if name in self.jobs:
                self.deleted.append(name)
                del self.jobs[name]
                return 200, _status(200, "", "")
            case "GET", ["version"]:
                return 200, {"major": "1", "minor": "31", "gitVersion": "v1.31.0"}
            case "POST", ["api", "v1", "namespaces", _, "pods"]:
                pod = json.loads(body)
                self.created.append(pod)
                self.pods[pod["metadata"]["name"]] = {**pod, "status": self.pod_status}
                return 201, pod
            case "GET", ["api", "v1", "namespaces", _, "pods", name] if name in self.pods:
                return 200, self.pods[name]
            case "DELETE", ["api", "v1", "namespaces", _, "pods", name] if name in self.pods:
                self.deleted.append(name)
                return 200, self.pods.pop(name)
            case "GET", ["api", "v1", "namespaces", _, "pods"]:
                name = query["labelSelector"][0].removeprefix("job-name=")
                pod = {"metadata": {"name": f"{name}-x7k2p"}, "status": self.pod_status}
                return 200, {"kind": "PodList", "apiVersion": "v1", "items": [pod] if self.has_pods else []}
            case "GET", ["api", "v1", "namespaces", _, "pods", _, "log"]:
                return 200, self.log
        return 404, _status(404, "NotFound", f"the server could not find {path}")

    def _held(self, kind: str, namespace: str, name: str) -> tuple[int, Any]:
        held = (self.secrets if kind == "secrets" else self.config_maps).get(f"{namespace}/{name}")
        if held is None:
            return 404, _status(404, "NotFound", f'{kind} "{name}" not found')
        data = held if kind == "configmaps" else {key: _encoded(text) for key, text in held.items()}
        return 200, {"kind": kind, "apiVersion": "v1", "metadata": {"name": name}, "data": data}


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _status(code: int, reason: str, message: str) -> dict[str, Any]:
    state = "Failure" if code >= 400 else "Success"
    return {
        "kind": "Status", "apiVersion": "v1", "status": state, "code": code, "reason": reason, "message": message,
        "metadata": {},
    }  # fmt: skip


@contextmanager
def api_server(folder: Path, api: Api) -> Iterator[Api]:
    """Serve it on loopback, and write a kubeconfig that names it."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def _do(self) -> None:
            parts = urlsplit(self.path)
            body = self._body()
            code, told = api.answer(self.command, parts.path, parse_qs(parts.query), body)
            data = told.encode() if isinstance(told, str) else json.dumps(told).encode()
            self.send_response(code)
            self.send_header("Content-Type", "text/plain" if isinstance(told, str) else "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def _body(self) -> bytes:
            """Return what was sent; kubectl sends a file in chunks."""
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length") or 0))
            data = b""
            while size := int(self.rfile.readline(), 16):
                data += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return data

        do_GET = do_POST = do_DELETE = _do  # noqa: N815 (the base class's names)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    api.kubeconfig = folder / "kubeconfig"
    address = f"http://127.0.0.1:{server.server_address[1]}"
    api.kubeconfig.write_text(
        json.dumps(
            {
                "apiVersion": "v1", "kind": "Config", "current-context": "bed",
                "clusters": [{"name": "bed", "cluster": {"server": address}}],
                "contexts": [{"name": "bed", "context": {"cluster": "bed", "user": "dev"}}],
                "users": [{"name": "dev", "user": {}}],
            }
        )
    )  # fmt: skip
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
