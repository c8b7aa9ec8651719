"""What a program did while it started, from strace's own words with times. Pure parsing, line by line.

The trace begins with the sandbox's own work; time 0 is the program's execve. Data that programs send are looked at
for three things only: the name in a question to a name server, the status of an HTTP answer, and the words CREATE
or ALTER with what they make; nothing else of it is kept.

Source: strace(1), 6.1: ``-f -ttt -T``; the layout of a line is PID TIME CALL(ARGUMENTS) = RESULT <SECONDS>.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable
from typing import Literal

import msgspec

from proa.outside.peers import parse_name
from proa.outside.strace_text import address_of, first_text, strings

_CALLS = (
    "execve", "?open", "openat", "?openat2", "chdir", "?fork", "?vfork", "clone", "?clone3", "exit_group",
    "clock_nanosleep", "socket", "connect", "bind", "listen", "?accept", "accept4", "sendto", "sendmsg", "sendmmsg",
    "getsockopt", "write", "writev", "close", "dup", "?dup2", "dup3",
)  # fmt: skip
"""?: not on every processor."""
OPTIONS = (
    # Not --pidns-translation: it reads all of /proc for every thread, 15 to 20 ms each (measured).
    "-f", "-qq", "-ttt", "-T", "-s", "192",
    "-e", "signal=none",
    "-e", f"trace={','.join(_CALLS)}",
)  # fmt: skip
"""How strace is started for a trace that is read here; strace 5.9 or later."""

EventKind = Literal["open", "resolve", "connect", "query", "listen", "answer", "sleep", "exec", "exit"]

_MOST_EVENTS = 200_000
_MOST_LINE_BYTES = 16 << 10
_CALL = re.compile(r"^(\d+) +(\d+\.\d+) (?:<\.\.\. (\w+) resumed>|(\w+)\()(.*)$", re.DOTALL)
_RESULT = re.compile(r"\) += (-?\d+|\?|0x[0-9a-f]+)(?: (E[A-Z0-9]+))?[^\"]*?(?: <(\d+\.\d+)>)?$")
_CLONES = frozenset({"clone", "clone3", "fork", "vfork"})
_SO_ERROR = re.compile(r"SO_ERROR, +\[(\w+)\]")
_HTTP = re.compile(rb"^HTTP/\d(?:\.\d)? (\d{3})\b")
_CHANGE = re.compile(
    rb"\b(CREATE|ALTER|DROP)\s+(?:UNIQUE\s+|OR\s+REPLACE\s+|TEMP(?:ORARY)?\s+)?"
    rb"(TABLE|INDEX|SCHEMA|TYPE|SEQUENCE|VIEW|EXTENSION|COLLECTION)\s+(?:CONCURRENTLY\s+)?"
    rb"(?:IF\s+(?:NOT\s+)?EXISTS\s+)?([\w.\"`-]{1,80})",
    re.IGNORECASE,
)
_OF_NAMES = re.compile(r"/(?:nscd|systemd)/|^/run/user/")


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One thing a program was seen to do."""

    kind: EventKind
    at_s: float
    """From the program's execve."""
    ended_s: float | None = None
    """When it was done; None where that was not seen."""
    what: str = ""
    """A path, ``host:port``, a host name, an address listened on, the words of a query, an HTTP status."""
    error: str = ""
    """``ECONNREFUSED``; ``given up`` where a connection was closed before it was made."""
    peer: str = ""
    """Of a query: whom it was sent to."""


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """What one trace shows."""

    has_started: bool = False
    events: tuple[Event, ...] = ()
    """In the order they began."""
    exit_status: int | None = None
    """Of the program itself, where it ended by itself."""
    is_cut: bool = False


class _Socket:
    """What is known of one descriptor."""

    __slots__ = ("address", "began_s", "is_datagram", "kind", "names")

    def __init__(self, kind: str, *, is_datagram: bool = False) -> None:
        self.kind = kind
        self.is_datagram = is_datagram
        self.address = ""
        self.began_s = 0.0
        self.names: dict[str, int] = {}


class _Process:
    """Descriptors and folder of one process; its threads share them."""

    __slots__ = ("directory", "sockets")

    def __init__(self, directory: str, sockets: dict[str, _Socket]) -> None:
        self.directory = directory
        self.sockets = sockets


def read_start(lines: Iterable[str], *, program: str, directory: str = "/") -> Seen:
    """Return what a trace says of ``program``, the path it was executed by, in ``directory``."""
    reader = _Reader(program, directory)
    for line in lines:
        if len(line) <= _MOST_LINE_BYTES:
            reader.take(line.rstrip("\n"))
        if len(reader.events) >= _MOST_EVENTS:
            break
    events = tuple(sorted(reader.events, key=lambda one: one.at_s))
    return Seen(
        has_started=reader.began_s is not None,
        events=events,
        exit_status=reader.exit_status,
        is_cut=len(events) >= _MOST_EVENTS,
    )


class _Reader:
    """The state between two lines."""

    def __init__(self, program: str, directory: str) -> None:
        self._program, self._directory = program, directory
        self._main = ""
        self._halves: dict[str, tuple[str, str, str]] = {}
        self._processes: dict[str, _Process] = {}
        self._others: set[str] = set()
        self._unborn: list[_Process] = []
        self._early: set[str] = set()
        self.began_s: float | None = None
        self.events: list[Event] = []
        self.exit_status: int | None = None

    def take(self, line: str) -> None:
        found = _CALL.match(line)
        if found is None:
            return
        pid, moment, name, rest = found[1], found[2], found[3] or found[4], found[5]
        if self.began_s is None:
            self._others.add(pid)
        elif pid not in self._processes and pid not in self._others:
            self._adopt(pid)
        if rest.endswith("<unfinished ...>"):
            self._halves[pid] = (name, moment, rest.removesuffix("<unfinished ...>"))
            return
        if found[3]:
            name, moment, half = self._halves.pop(pid, (name, moment, ""))
            rest = half + rest
        result = _RESULT.search(rest)
        if result is None:
            return
        if self.began_s is None:
            if name == "execve" and result[1] == "0" and first_text(rest) == self._program:
                self.began_s = float(moment)
                self._main = pid
                self._processes[pid] = _Process(self._directory, {})
            return
        at_s = float(moment) - self.began_s
        ended_s = at_s + float(result[3]) if result[3] else None
        read = _READERS.get(name)
        if read is not None and pid in self._processes:
            read(self, _Call(pid, name, rest, at_s, ended_s, result[1], result[2] or ""))

    def add(self, kind: EventKind, call: _Call, what: str, **more: str) -> None:
        event = Event(kind=kind, at_s=round(call.at_s, 6), ended_s=_rounded(call.ended_s), what=what, **more)
        self.events.append(event)

    # Processes and files

    def cloned(self, call: _Call) -> None:
        """Take a child that is told before its own first line; the sandbox's number for it is not that line's."""
        if call.pid in self._early:
            self._early.discard(call.pid)
        elif not call.error:
            self._unborn.append(self._child_of(call.pid, call.text))

    def _child_of(self, pid: str, text: str) -> _Process:
        parent = self._processes[pid]
        return parent if "CLONE_FILES" in text else _Process(parent.directory, {**parent.sockets})

    def _adopt(self, pid: str) -> None:
        """Say whose child a new number is: of the oldest clone whose child has not been seen, or of one under way."""
        if self._unborn:
            self._processes[pid] = self._unborn.pop(0)
            return
        for parent, (name, _, text) in self._halves.items():
            if name in _CLONES and parent in self._processes and parent not in self._early:
                self._early.add(parent)
                self._processes[pid] = self._child_of(parent, text)
                return

    def executed(self, call: _Call) -> None:
        if not call.error:
            self.add("exec", call, first_text(call.text))

    def exited(self, call: _Call) -> None:
        status = re.match(r"(\d+)", call.text)
        if call.pid == self._main and status:
            self.exit_status = int(status[1])
            self.add("exit", call, status[1])

    def moved(self, call: _Call) -> None:
        if not call.error:
            self._processes[call.pid].directory = self._absolute(call, first_text(call.text))

    def opened(self, call: _Call) -> None:
        path = first_text(call.text)
        if path and "O_DIRECTORY" not in call.text and (path.startswith("/") or _is_here(call)):
            self.add("open", call, self._absolute(call, path), error=call.error)

    def _absolute(self, call: _Call, path: str) -> str:
        return posixpath.normpath(posixpath.join(self._processes[call.pid].directory, path))

    def slept(self, call: _Call) -> None:
        self.add("sleep", call, "")

    # Sockets

    def _sockets(self, call: _Call) -> dict[str, _Socket]:
        return self._processes[call.pid].sockets

    def made(self, call: _Call) -> None:
        if not call.error:
            self._sockets(call)[call.result] = _Socket("new", is_datagram="SOCK_DGRAM" in call.text)

    def copied(self, call: _Call) -> None:
        old = self._sockets(call).get(_descriptor(call.text))
        if old and not call.error:
            self._sockets(call)[call.result] = old

    def connected(self, call: _Call) -> None:
        one = self._sockets(call).setdefault(_descriptor(call.text), _Socket("new"))
        address = address_of(call.text)
        if not address or address.endswith(":0"):
            return
        if address.endswith(":53"):
            one.kind, one.address = "names", address
        elif one.is_datagram or _OF_NAMES.search(address):
            one.kind = "other"
        elif one.kind == "connecting":
            if call.error in ("", "EISCONN"):
                self._finish(one, call.at_s)
            elif call.error not in ("EALREADY", "EINPROGRESS"):
                self._finish(one, call.ended_s, call.error)
        else:
            one.kind, one.address, one.began_s = "connecting", address, call.at_s
            if call.error not in ("EINPROGRESS", "EAGAIN", "EINTR"):
                self._finish(one, call.ended_s, call.error)

    def _finish(self, one: _Socket, ended_s: float | None, error: str = "") -> None:
        one.kind = "other" if error else "service"
        began_s = round(one.began_s, 6)
        self.events.append(
            Event(kind="connect", at_s=began_s, ended_s=_rounded(ended_s), what=one.address, error=error)
        )

    def asked(self, call: _Call) -> None:
        """Take the outcome of a connection that was made in the background."""
        one, told = self._sockets(call).get(_descriptor(call.text)), _SO_ERROR.search(call.text)
        if one and told and one.kind == "connecting":
            self._finish(one, call.ended_s, "" if told[1] == "0" else told[1])

    def closed(self, call: _Call) -> None:
        one = self._sockets(call).pop(_descriptor(call.text), None)
        if one is None:
            return
        if one.kind == "connecting":
            self._finish(one, call.at_s, "given up")
        self._end_names(one, call.at_s)

    def _end_names(self, one: _Socket, ended_s: float) -> None:
        """Say of every question asked on a socket when it was closed, which is when its asker had its answer."""
        for name, place in one.names.items():
            event = self.events[place]
            if event.ended_s is None and event.what == name:
                self.events[place] = msgspec.structs.replace(event, ended_s=_rounded(ended_s))
        one.names = {}

    def bound(self, call: _Call) -> None:
        one = self._sockets(call).setdefault(_descriptor(call.text), _Socket("new"))
        if not call.error:
            one.address = address_of(call.text)
        elif "sin" in call.text:
            self.add("listen", call, address_of(call.text), error=call.error)

    def listened(self, call: _Call) -> None:
        one = self._sockets(call).get(_descriptor(call.text))
        address = one.address if one else ""
        if not address.startswith("unix:"):
            self.add("listen", call, address, error=call.error)

    def accepted(self, call: _Call) -> None:
        if not call.error:
            self._sockets(call)[call.result] = _Socket("client")

    def sent(self, call: _Call) -> None:
        one = self._sockets(call).get(_descriptor(call.text))
        if one is None and call.name == "sendto" and "htons(53)" in call.text:
            one = self._sockets(call).setdefault(_descriptor(call.text), _Socket("names", is_datagram=True))
        if one is None:
            return
        if "htons(53)" in call.text and one.kind == "new" and one.is_datagram:
            one.kind = "names"
        if one.kind == "names":
            self._ask_names(one, call)
        elif one.kind == "client":
            self._answer(call)
        elif one.kind in ("service", "connecting") and not call.error:
            if one.kind == "connecting":
                self._finish(one, call.at_s)
            for data in strings(call.text):
                if found := _CHANGE.search(data):
                    words = b" ".join((found[1].upper(), found[2].upper(), found[3].strip(b'"`')))
                    self.add("query", call, words.decode(errors="replace"), peer=one.address)

    def _answer(self, call: _Call) -> None:
        # A connection that stays open may be asked again.
        status = next((found[1] for data in strings(call.text) if (found := _HTTP.match(data))), None)
        if status:
            self.add("answer", call, status.decode())

    def _ask_names(self, one: _Socket, call: _Call) -> None:
        for data in strings(call.text):
            try:
                name, _ = parse_name(data)
            except (IndexError, ValueError):
                continue
            if name and name not in one.names:
                one.names[name] = len(self.events)
                event = Event(kind="resolve", at_s=round(call.at_s, 6), what=name, error=call.error)
                self.events.append(event)


class _Call(msgspec.Struct, frozen=True):
    pid: str
    name: str
    text: str
    at_s: float
    ended_s: float | None
    result: str
    error: str


_READERS = {
    **dict.fromkeys(_CLONES, _Reader.cloned),
    **dict.fromkeys(("open", "openat", "openat2"), _Reader.opened),
    **dict.fromkeys(("accept", "accept4"), _Reader.accepted),
    **dict.fromkeys(("write", "writev", "sendto", "sendmsg", "sendmmsg"), _Reader.sent),
    **dict.fromkeys(("dup", "dup2", "dup3"), _Reader.copied),
    "execve": _Reader.executed,
    "exit_group": _Reader.exited,
    "chdir": _Reader.moved,
    "clock_nanosleep": _Reader.slept,
    "socket": _Reader.made,
    "connect": _Reader.connected,
    "getsockopt": _Reader.asked,
    "close": _Reader.closed,
    "bind": _Reader.bound,
    "listen": _Reader.listened,
}


def _rounded(moment: float | None) -> float | None:
    return None if moment is None else round(moment, 6)


def _descriptor(text: str) -> str:
    return text.partition(",")[0].partition(")")[0].strip()


def _is_here(call: _Call) -> bool:
    return call.name == "open" or call.text.startswith("AT_FDCWD")
