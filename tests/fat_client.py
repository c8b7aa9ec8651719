"""Ask one server on loopback: requests as JSON on stdin, answers on stdout. Run inside the server's network namespace."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import socket
import ssl
import sys
import time
from typing import Any


def wait_for(port: int) -> None:
    """Wait until somebody listens."""
    for _ in range(600):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=2).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    sys.exit(f"nobody listens on port {port}")


def ask(wanted: dict[str, Any]) -> dict[str, Any]:
    """Send one request on a connection of its own; a connection that breaks is an answer too: status 0."""
    kind: Any = http.client.HTTPConnection
    more: dict[str, Any] = {}
    if wanted["tls"]:
        kind, more = http.client.HTTPSConnection, {"context": ssl._create_unverified_context()}
    connection = kind("127.0.0.1", wanted["port"], timeout=30, **more)
    body = base64.b64decode(wanted["body"])
    try:
        connection.putrequest(
            wanted["method"], wanted["path"], skip_accept_encoding=True, skip_host="Host" in wanted["headers"]
        )
        for name, value in wanted["headers"].items():
            connection.putheader(name, value)
        if body or wanted["method"] in ("POST", "PUT", "PATCH"):
            connection.putheader("Content-Length", str(len(body)))
        connection.endheaders()
        with contextlib.suppress(OSError):  # It may say no before the end of a large body.
            connection.send(body)
        answer = connection.getresponse()
        return {
            "status": answer.status,
            "headers": answer.getheaders(),
            "body": base64.b64encode(answer.read()).decode(),
        }
    except (OSError, http.client.HTTPException) as error:
        return {"status": 0, "headers": [], "body": base64.b64encode(type(error).__name__.encode()).decode()}
    finally:
        connection.close()


if __name__ == "__main__":
    wait_for(int(sys.argv[1]))
    json.dump([ask(wanted) for wanted in json.load(sys.stdin)], sys.stdout)
