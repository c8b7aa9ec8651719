"""One question to a server that may speak anything: HTTP, HTTPS, HTTP/2 only, or none of them.

Standard library only, and no more of it than a socket: the prober's start-up is part of every trial.
"""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import ssl

_MOST_BYTES = 4096
_HTTP2_SETTINGS = b"\x04"


class Answer(NamedTuple):
    """What came back."""

    speaks: str
    """``http``, ``https``, ``http2``, ``tls``, ``other``, ``silent``, ``closed`` or ``refused``."""
    status: int | None = None

    @property
    def is_good(self) -> bool:
        """Whether a server that answers so is ready: below 500, and not 404."""
        return self.status is not None and self.status < 500 and self.status != 404


def ask(address: str, port: int, route: str, *, timeout_s: float, secure: bool = False) -> Answer:
    """Ask ``GET route`` and return what the server speaks and its status; never raises for what it does."""
    host = f"[{address}]" if ":" in address else address
    lines = (
        f"GET {route} HTTP/1.1",
        f"Host: {host}:{port}",
        "User-Agent: proa-trial",
        "Accept: */*",
        "Connection: close",
    )
    question = "\r\n".join(lines) + "\r\n\r\n"
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as plain:
        plain.settimeout(timeout_s)
        try:
            plain.connect((address, port))
            link = _wrap(plain) if secure else plain
            link.sendall(question.encode("ascii", "replace"))
            return classify(_first_bytes(link), secure=secure)
        except TimeoutError:
            return Answer("silent")
        except ConnectionRefusedError:
            return Answer("refused")
        except OSError:
            return Answer("tls" if secure else "closed")


def is_open(address: str, port: int, *, timeout_s: float) -> bool:
    """Say whether somebody takes connections there."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as plain:
        plain.settimeout(timeout_s)
        return plain.connect_ex((address, port)) == 0


def _wrap(plain: socket.socket) -> socket.socket:
    return unverified().wrap_socket(plain, server_hostname="localhost")


def unverified() -> ssl.SSLContext:
    """Return what takes any certificate."""
    import ssl

    context = ssl.create_default_context()
    context.check_hostname = False
    # The program's own certificate for its own address: nothing here could vouch for it.
    context.verify_mode = ssl.CERT_NONE
    return context


def _first_bytes(link: socket.socket) -> bytes:
    received = b""
    with contextlib.suppress(ConnectionResetError):
        # A 400 is read to its end: its body says whether TLS was expected.
        while (b"\n" not in received or received[9:12] == b"400") and len(received) < _MOST_BYTES:
            chunk = link.recv(_MOST_BYTES)
            if not chunk:
                break
            received += chunk
            if received[3:4] == _HTTP2_SETTINGS and received[:1] == b"\x00":
                break
    return received


def classify(received: bytes, *, secure: bool = False) -> Answer:
    r"""Say what a server speaks from the first bytes of its answer.

    Source: RFC 9112 section 4 (status line), RFC 9113 section 3.4 (SETTINGS come first), RFC 8446 section 6 (alerts).

    >>> classify(b"HTTP/1.1 200 OK\r\n"), classify(b"\x00\x00\x06\x04\x00\x00\x00\x00\x00")
    (Answer(speaks='http', status=200), Answer(speaks='http2', status=None))
    """
    if received.startswith(b"HTTP/1."):
        parts = received.split(b"\n", 1)[0].split()
        status = int(parts[1]) if len(parts) > 1 and parts[1].isdigit() and len(parts[1]) == 3 else None
        if status == 400 and not secure and (b"HTTPS server" in received or b"HTTPS port" in received):
            # What Go's net/http and nginx say to plain HTTP on a TLS port.
            return Answer("tls")
        if status is not None:
            return Answer("https" if secure else "http", status)
    if received[3:4] == _HTTP2_SETTINGS and received[:1] == b"\x00":
        return Answer("http2")
    if received[:2] == b"\x15\x03":
        return Answer("tls")
    return Answer("other" if received else "closed")
