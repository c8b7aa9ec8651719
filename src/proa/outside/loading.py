"""A bounded load on one route of a program that is ready, over loopback: how many answers, and how long each took.

Each connection asks, waits for the whole answer, and asks again. Standard library only, like all that the prober
imports; asking takes this process some 40 µs of its own, the same for whatever is measured.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import time
from typing import Any

_MOST_REQUESTS = 200_000
_MOST_BYTES = 8 << 20
"""Of one answer: a route with more is no route for a load."""
_CONNECT_S = 1.0


class _Link:
    """One connection and the answer it waits for."""

    def __init__(self, address: str, port: int, question: bytes) -> None:
        self._place = (address, port)
        self._question = question
        self._received = bytearray()
        self._whole = 0
        self.asked_s = 0.0
        self.socket = self._connected()

    def _connected(self) -> socket.socket:
        link = socket.create_connection(self._place, timeout=_CONNECT_S)
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return link

    def ask(self) -> None:
        """Send the question. Raises OSError."""
        self._received.clear()
        self._whole = 0
        self.asked_s = time.perf_counter()
        self.socket.sendall(self._question)

    def take(self) -> tuple[bool, bool]:
        """Read what is there; say whether the answer is whole, and whether more can come. Raises OSError."""
        chunk = self.socket.recv(1 << 16)
        self._received += chunk
        if len(self._received) > _MOST_BYTES:
            raise OSError("an answer without end")
        self._whole = self._whole or length_of(self._received)
        is_whole = 0 < self._whole <= len(self._received) or (self._whole < 0 and ends(self._received))
        if not chunk:
            # Without a length, the end of the connection is the end of the answer.
            return bool(self._received) and not self._whole, False
        return is_whole, not is_whole or stays(self._received)

    def is_good(self) -> bool:
        """Say whether the answer is one of success."""
        return bytes(self._received[9:10]) in (b"2", b"3")

    def again(self) -> None:
        """Connect anew. Raises OSError."""
        self.socket.close()
        self.socket = self._connected()


_CHUNKED = -1


def stays(received: bytes | bytearray) -> bool:
    r"""Say whether a server keeps the connection after this answer. Source: RFC 9112 section 9.3.

    >>> stays(b"HTTP/1.0 200 OK\r\n\r\n"), stays(b"HTTP/1.1 200 OK\r\n\r\n")
    (False, True)
    """
    head = bytes(received[:2048]).lower()
    if head.startswith(b"http/1.0"):
        return b"\r\nconnection: keep-alive" in head
    return b"\r\nconnection: close" not in head


def length_of(received: bytes | bytearray) -> int:
    r"""Return how long an answer will be, head included; 0: not known yet or never, -1: in chunks.

    >>> length_of(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"), length_of(b"HTTP/1.1 204 None\r\n\r\n")
    (40, 21)
    """
    end = received.find(b"\r\n\r\n")
    if end < 0:
        return 0
    for line in bytes(received[:end]).lower().split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name == b"content-length" and value.strip().isdigit() and len(value) < 12:
            return end + 4 + int(value)
        if name == b"transfer-encoding" and b"chunked" in value:
            return _CHUNKED
    return end + 4 if bytes(received[9:12]) in (b"204", b"304") else 0


def ends(received: bytes | bytearray) -> bool:
    r"""Say whether an answer in chunks is whole. Source: RFC 9112 section 7.1; trailers are not asked for.

    >>> ends(b"HTTP/1.1 200 OK\r\n\r\n1\r\na\r\n0\r\n\r\n")
    True
    """
    return received.endswith(b"\r\n0\r\n\r\n")


def load(asked: dict[str, Any], answers: list[list[Any]]) -> dict[str, Any]:
    """Ask the route that answered, as long and by as many connections as ``asked``; nothing where none speaks HTTP."""
    done: dict[str, Any] = {}
    good = [one for one in answers if one[2] == "http" and one[3] is not None and one[3] < 400]
    if good and asked["seconds"] > 0:
        port, route = good[-1][0], good[-1][1]
        head = f"GET {route} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUser-Agent: proa-compare\r\nAccept: */*\r\n\r\n"
        for address in ("127.0.0.1", "::1"):
            with contextlib.suppress(OSError):
                done = _asked(asked, address, port, head.encode("ascii", "replace"))
                break
    time.sleep(asked["rest_s"])
    return done


def _asked(asked: dict[str, Any], address: str, port: int, question: bytes) -> dict[str, Any]:
    times: list[float] = []
    failed = 0
    with selectors.DefaultSelector() as selector:
        for _ in range(asked["connections"]):
            link = _Link(address, port, question)
            selector.register(link.socket, selectors.EVENT_READ, link)
            link.ask()
        began_s = time.perf_counter()
        counted_s = began_s + asked["seconds"] / 5
        until_s = began_s + asked["seconds"] * 6 / 5
        while (now_s := time.perf_counter()) < until_s and len(times) + failed < _MOST_REQUESTS and selector.get_map():
            for key, _ in selector.select(max(0.001, until_s - now_s)):
                link = key.data
                try:
                    is_whole, is_open = link.take()
                    if not is_whole and is_open:
                        continue
                    moment_s = time.perf_counter()
                    if moment_s >= counted_s:
                        # What came before is warming up.
                        times.extend([moment_s - link.asked_s] if is_whole and link.is_good() else [])
                        failed += not (is_whole and link.is_good())
                    if not is_open:
                        selector.unregister(link.socket)
                        link.again()
                        selector.register(link.socket, selectors.EVENT_READ, link)
                    link.ask()
                except OSError:
                    failed += 1
                    with contextlib.suppress(KeyError, ValueError):
                        selector.unregister(link.socket)
        took_s = time.perf_counter() - counted_s
        for key in list(selector.get_map().values()):
            key.data.socket.close()
    if not times or failed > len(times) / 100:
        # Answers that are errors come fast, and say nothing.
        return {"load_failed": failed}
    times.sort()
    return {
        "requests_per_s": len(times) / took_s,
        "p50_s": times[len(times) // 2],
        "p99_s": times[min(len(times) - 1, len(times) * 99 // 100)],
        "load_failed": failed,
    }
