"""An HTTP server for debuggers: the debuginfod protocol, GET and HEAD below /buildid/ID.

    /buildid/ID/debuginfo        symbols and DWARF
    /buildid/ID/executable       the program as it was shipped
    /buildid/ID/section/NAME     one section's bytes, of the first of the two that has them
    /buildid/ID/source/PATH      not found: sources are not kept

It only reads, and only what ``find`` gives it for a build-id: no path of a request ever names a file here. Requests are
answered by a bounded number of threads, and a client that sends or reads nothing is dropped.
Source: elfutils, debuginfod(8), "WEBAPI", and debuginfod.cxx for the X-DEBUGINFOD headers; RFC 9110, 14 (ranges).
"""

from __future__ import annotations

import re
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO, Literal
from urllib.parse import unquote, urlsplit

import msgspec

from proa.errors import BinaryDamaged, NotWritable, ProaError, WrongUsage
from proa.outside import elf
from proa.records.debugging import is_build_id

Kind = Literal["debuginfo", "executable"]
_KINDS: tuple[Kind, ...] = ("debuginfo", "executable")
_MOST_THREADS = 32
"""gdb and perf ask one after the other; more at once is a crowd or an attack (arbitrary)."""
_IDLE_S = 30.0
_CHUNK_BYTES = 1 << 20
_MOST_SECTION = 256
_RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})")


class Served(msgspec.Struct, frozen=True, kw_only=True):
    """A file that answers a request."""

    file: Path
    name: str
    """For X-DEBUGINFOD-FILE."""
    image: str = ""
    """For X-DEBUGINFOD-ARCHIVE: the image it is from."""


Find = Callable[[Kind, str], "Served | None"]
"""Return the file for a build-id; may take long, and may raise ProaError. Called by several threads."""
Log = Callable[[str], None]


class _Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of a file to be sent."""

    served: Served
    start: int
    size: int
    is_whole: bool = True


def address_of(text: str) -> tuple[str, int]:
    """Return host and port of ``--listen``: ``HOST:PORT``, ``[::1]:PORT`` or a port alone on loopback.

    Raises WrongUsage.

    >>> address_of("127.0.0.1:8002"), address_of("[::1]:0"), address_of("8002")
    (('127.0.0.1', 8002), ('::1', 0), ('127.0.0.1', 8002))
    """
    host, colon, port = text.rpartition(":")
    if not (port.isascii() and port.isdigit() and int(port) < 65536) or (colon and not host):
        raise WrongUsage(f"--listen {text!r} is not HOST:PORT", hint="write it as 127.0.0.1:8002")
    return host.strip("[]") or "127.0.0.1", int(port)


@contextmanager
def serving(host: str, port: int, *, find: Find, log: Log) -> Iterator[Server]:
    """Listen on an address for as long as the block lasts. Raises NotWritable where the address is taken."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        server = Server((host, port), family, find=find, log=log)
    except OSError as error:
        raise NotWritable(
            f"cannot listen on {host}:{port}: {error.strerror or error}", hint="choose another --listen HOST:PORT"
        ) from error
    try:
        yield server
    finally:
        server.server_close()


class Server(ThreadingHTTPServer):
    """The server; ``serve_forever`` answers until it is interrupted."""

    daemon_threads = True
    # gdb, perf and a few colleagues may begin at the same moment; the default of 5 makes them wait a second.
    request_queue_size = 64
    # Not waited for at the end: a client that reads slowly must not hold up Ctrl-C.
    block_on_close = False

    def __init__(self, address: tuple[str, int], family: socket.AddressFamily, *, find: Find, log: Log) -> None:
        self.address_family = family
        self.find = find
        self.log = log
        self._room = threading.BoundedSemaphore(_MOST_THREADS)
        super().__init__(address, Handler)

    @property
    def url(self) -> str:
        """Return what to put into DEBUGINFOD_URLS."""
        host, port = self.server_address[:2]
        shown = f"[{host!s}]" if ":" in str(host) else str(host)
        return f"http://{shown}:{port}"

    def server_bind(self) -> None:
        """Bind without asking the name service for this machine's name, which may take seconds."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()

    def process_request(self, request: object, client_address: object) -> None:
        """Answer in a thread of its own, or hang up where too many are busy."""
        if not self._room.acquire(blocking=False):
            self.log("too many requests at once: one was dropped")
            self.shutdown_request(request)  # type: ignore[arg-type]
            return
        try:
            super().process_request(request, client_address)  # type: ignore[arg-type]
        except BaseException:
            self._room.release()
            raise

    def process_request_thread(self, request: object, client_address: object) -> None:
        """Answer one client."""
        try:
            super().process_request_thread(request, client_address)  # type: ignore[arg-type]
        finally:
            self._room.release()

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002
        """Say that a client went away; anything else is a bug, named in one line as well."""
        error = sys.exception()
        if not isinstance(error, ConnectionError | TimeoutError):
            self.log(f"a request could not be answered: {type(error).__name__}: {error}")


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Server
    protocol_version = "HTTP/1.1"
    server_version = "proa"
    sys_version = ""
    timeout = _IDLE_S

    def do_GET(self) -> None:
        """Send a file."""
        self._respond(has_body=True)

    def do_HEAD(self) -> None:
        """Send what would be sent, without it."""
        self._respond(has_body=False)

    def _respond(self, *, has_body: bool) -> None:
        try:
            answer = self._answer()
        except ProaError as error:
            # The place that was asked is not reachable or damaged: that is no proof that there is no such file.
            self.server.log(str(error))
            self._refuse(502, "the file could not be fetched", has_body=has_body)
            return
        if answer is None:
            self._refuse(404, "not found", has_body=has_body)
            return
        with answer.served.file.open("rb") as file:
            self._send(answer, file, has_body=has_body)

    def _answer(self) -> _Answer | None:
        parts = [unquote(part) for part in urlsplit(self.path).path.split("/")]
        match parts:
            case ["", "buildid", build_id, "debuginfo" | "executable" as kind] if is_build_id(build_id):
                served = self.server.find(kind, build_id)
                return _Answer(served=served, start=0, size=served.file.stat().st_size) if served else None
            case ["", "buildid", build_id, "section", name] if is_build_id(build_id) and 0 < len(name) < _MOST_SECTION:
                return self._section(build_id, name)
            case _:
                return None

    def _section(self, build_id: str, name: str) -> _Answer | None:
        for kind in _KINDS:
            if (served := self.server.find(kind, build_id)) is not None:
                with suppress(BinaryDamaged):
                    section = elf.open_elf(served.file).section(name)
                    if section is not None and section.kind != elf.SHT_NOBITS:
                        return _Answer(served=served, start=section.offset, size=section.size, is_whole=False)
        return None

    def _send(self, answer: _Answer, file: BinaryIO, *, has_body: bool) -> None:
        first, last = _range(self.headers.get("Range", ""), answer.size)
        if first > last and answer.size:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{answer.size}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        size = last - first + 1
        is_part = size != answer.size
        self.send_response(206 if is_part else 200)
        if is_part:
            self.send_header("Content-Range", f"bytes {first}-{last}/{answer.size}")
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(size))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Last-Modified", formatdate(answer.served.file.stat().st_mtime, usegmt=True))
        self.send_header("X-DEBUGINFOD-SIZE", str(answer.size))
        if answer.is_whole:
            self.send_header("X-DEBUGINFOD-FILE", _plain(answer.served.name))
            if answer.served.image:
                self.send_header("X-DEBUGINFOD-ARCHIVE", _plain(answer.served.image))
        self.end_headers()
        if has_body:
            file.seek(answer.start + first)
            while size > 0 and (chunk := file.read(min(size, _CHUNK_BYTES))):
                self.wfile.write(chunk)
                size -= len(chunk)
            if size:
                # Fewer bytes than promised: only hanging up tells the client.
                self.close_connection = True

    def _refuse(self, status: int, reason: str, *, has_body: bool) -> None:
        body = f"{reason}\n".encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        # What is not there now may be shipped the next minute.
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        if has_body:
            self.wfile.write(body)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:  # noqa: ARG002
        """Tell of every request in one line."""
        number = int(code) if isinstance(code, int) else code
        self.server.log(f"{self.client_address[0]} {_plain(self.requestline)} {number}")

    def log_error(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing twice: the request's own line has the status."""


def _range(header: str, size: int) -> tuple[int, int]:
    """Return the first and last byte asked for; the whole where the header says nothing that is understood.

    >>> _range("", 10), _range("bytes=2-", 10), _range("bytes=-3", 10), _range("bytes=2-99", 10), _range("lines=1-2", 9)
    ((0, 9), (2, 9), (7, 9), (2, 9), (0, 8))
    """
    match = _RANGE.fullmatch(header.strip())
    if match is None or not (match[1] or match[2]):
        return 0, size - 1
    if not match[1]:
        return max(size - int(match[2]), 0), size - 1
    return int(match[1]), min(int(match[2]), size - 1) if match[2] else size - 1


def _plain(text: str) -> str:
    r"""Return text as it may stand in a header or a line of a log.

    >>> _plain("a\r\nX-Evil: 1\x1b[2J")
    'a??X-Evil: 1?[2J'
    """
    return "".join(character if " " <= character <= "~" else "?" for character in text)[:300]
