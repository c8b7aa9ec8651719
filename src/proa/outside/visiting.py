"""Requests to a server beyond the first: the ones that are asked for, error pages, and the pages its answers link to.

Bounded in number, bytes and time; nothing is kept of an answer but its status. Standard library only, like all that
the prober imports.
"""

from __future__ import annotations

import http.client
import time
import zlib
from collections import deque
from collections.abc import Iterable, Sequence
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

from proa.outside.asking import unverified

_ANSWER_S = 10.0
"""How long one answer may take: longer than a health route's, since a traced program is slow (arbitrary)."""
_MOST_PAGE_BYTES = 1 << 20
_MOST_DEPTH = 2
_MOST_LINKS_OF_A_PAGE = 200
_LINKS = {
    "a": "href",
    "link": "href",
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "form": "action",
}

Visit = tuple[int, str, str, int]
"""Port, method, route, status (0: no answer)."""


class Server:
    """One port that speaks HTTP."""

    def __init__(self, address: str, port: int, *, is_secure: bool = False) -> None:
        self.address = address
        self.port = port
        self.is_secure = is_secure

    @property
    def url(self) -> str:
        """Return what its routes are appended to."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"http{'s' if self.is_secure else ''}://{host}:{self.port}"

    def fetch(self, method: str, route: str, *, until_s: float) -> tuple[int, str, bytes]:
        """Return status, where it leads (redirects), and the beginning of the body where that is HTML."""
        timeout_s = max(0.05, min(_ANSWER_S, until_s - time.monotonic()))
        until_s = time.monotonic() + timeout_s
        verb, _, coding = method.partition(" ")
        if self.is_secure:
            link: http.client.HTTPConnection = http.client.HTTPSConnection(
                self.address, self.port, timeout=timeout_s, context=unverified()
            )
        else:
            link = http.client.HTTPConnection(self.address, self.port, timeout=timeout_s)
        try:
            headers = {"User-Agent": "proa-trial", "Accept": "*/*", "Connection": "close"}
            if verb == "POST":
                headers["Content-Length"] = "0"
            link.putrequest(verb, route, skip_accept_encoding=True)
            for name, value in headers.items():
                link.putheader(name, value)
            link.putheader("Accept-Encoding", coding or "identity")
            link.endheaders()
            answer = link.getresponse()
            body = b""
            while len(body) < _MOST_PAGE_BYTES and time.monotonic() < until_s and (piece := answer.read1(1 << 16)):
                body += piece
            is_page = "html" in (answer.getheader("Content-Type") or "")
            body = _unpacked(body, answer.getheader("Content-Encoding") or "") if is_page else b""
            return answer.status, answer.getheader("Location") or "", body
        except (OSError, http.client.HTTPException, ValueError):
            # ValueError: a route with a control character, a length that is no number.
            return 0, "", b""
        finally:
            link.close()


def _unpacked(body: bytes, coding: str) -> bytes:
    if coding != "gzip":
        return body
    try:
        return zlib.decompressobj(wbits=16 + zlib.MAX_WBITS).decompress(body, _MOST_PAGE_BYTES)
    except zlib.error:
        return b""


def visit(
    servers: Sequence[Server], requests: Iterable[Sequence[object]], *, most_links: int, timeout_s: float
) -> list[Visit]:
    """Send every request, then follow links for as many more; whatever an answer holds."""
    until_s = time.monotonic() + timeout_s
    found: list[Visit] = []
    queue: deque[tuple[Server, str, int]] = deque()
    known: set[tuple[int, str]] = set()
    for wanted, method, route in requests:
        for server in servers:
            if wanted not in (0, server.port) or time.monotonic() > until_s:
                continue
            status, leads, body = server.fetch(str(method), str(route), until_s=until_s)
            found.append((server.port, str(method), str(route), status))
            if method == "GET":
                known.add((server.port, str(route)))
                queue.extend((server, link, 1) for link in _onward(server, str(route), leads, body))
    while queue and most_links > 0 and time.monotonic() < until_s:
        server, route, depth = queue.popleft()
        if (server.port, route) in known:
            continue
        known.add((server.port, route))
        most_links -= 1
        status, leads, body = server.fetch("GET", route, until_s=until_s)
        found.append((server.port, "GET", route, status))
        if depth < _MOST_DEPTH:
            queue.extend((server, link, depth + 1) for link in _onward(server, route, leads, body))
    return found


def _onward(server: Server, route: str, leads: str, body: bytes) -> list[str]:
    return links_of(server.url + route, ([leads] if leads else []) + _Links.of(body.decode("utf-8", "replace")))


def links_of(page: str, links: Iterable[str]) -> list[str]:
    """Return the routes on the same host that a page's links lead to, each once.

    >>> links_of("http://a:1/x/", ["y?q=1#top", "/z", "http://b/", "mailto:c@d"])
    ['/x/y?q=1', '/z']
    """
    found: dict[str, None] = {}
    here = urlsplit(page)
    for link in links:
        try:
            there = urlsplit(urljoin(page, link.strip()))
        except ValueError:
            continue
        if (there.scheme, there.netloc) != (here.scheme, here.netloc):
            continue
        route = (there.path or "/") + (f"?{there.query}" if there.query else "")
        if route.isascii() and route.isprintable() and " " not in route and len(route) < 2048:
            found[route] = None
    return list(found)[:_MOST_LINKS_OF_A_PAGE]


class _Links(HTMLParser):
    """Gathers what a page refers to."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []

    @classmethod
    def of(cls, page: str) -> list[str]:
        """Return the links of a page, however broken it is."""
        parser = cls()
        try:
            parser.feed(page)
        except (AssertionError, ValueError):
            # What html.parser raises for declarations it cannot make sense of.
            return parser.links
        return parser.links

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        wanted = _LINKS.get(tag)
        self.links += [value for name, value in attrs if name == wanted and value]
