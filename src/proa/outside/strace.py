"""What strace wrote of a program: files it missed and wrote, neighbours it tried to reach. Pure parsing.

The trace begins with the sandbox's own work; what counts starts at the program's execve.
Source: strace(1), ``-f -e trace=file,network``; the layout of a line is PID CALL(ARGUMENTS) = RESULT.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence

import msgspec

_MOST = 60
_LINE = re.compile(r"^(\d+)\s+(\w+)\((.*)\)\s+= (-?\d+|\?)(?: (E[A-Z]+))?", re.DOTALL)
_UNFINISHED = " <unfinished ...>"
_RESUMED = re.compile(r"^(\d+)\s+<\.\.\. \w+ resumed>(.*)$", re.DOTALL)
_PATH = re.compile(r'"((?:[^"\\]|\\.)*)"(\.\.\.)?')
_INET = re.compile(r'sin_port=htons\((\d+)\), sin_addr=inet_addr\("([^"]+)"\)')
_INET6 = re.compile(r'sin6_port=htons\((\d+)\).*?inet_pton\(AF_INET6, "([^"]+)"')
_UNIX = re.compile(r'sun_path="([^"]+)"')
_MISSES = frozenset({"ENOENT", "EACCES", "EROFS", "EPERM"})
_WRITING_CALLS = frozenset({"mkdir", "mkdirat", "rename", "renameat", "renameat2", "unlink", "unlinkat", "symlink",
                            "symlinkat", "link", "linkat", "chmod", "fchmodat", "chown", "fchownat", "truncate",
                            "mknod", "mknodat", "rmdir", "creat"})  # fmt: skip

# What a runtime or C library looks for by itself and does without.
_NOISE = re.compile(
    r"^/(?:proc|sys|dev)(?:/|$)"
    r"|^/etc/(?:localtime|timezone|nsswitch\.conf|resolv\.conf|hosts|host\.conf|gai\.conf|mdns\.allow|ld\.so\..*)$"
    r"|/glibc-hwcaps/|/lib/time/zoneinfo\.zip$|^/usr/(?:lib|share)/locale/(?!TZ/)"
    r"|^/(?:run|var/run)/(?:nscd|systemd)/"
)
#: Where programs look for CA certificates. Source: Go's crypto/x509/root_linux.go, OpenSSL's defaults.
CERTIFICATE_FILES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/tls/cacert.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
_CERTIFICATE_PLACES = (*CERTIFICATE_FILES, "/etc/ssl/certs", "/etc/pki/tls/certs")
_ROUTE_PROBE_PORT = 9
"""Go connects a datagram socket to port 9 to learn its own address; nothing is sent. Source: net/addrselect.go."""


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """What the program asked the system for."""

    has_started: bool = False
    missed_files: tuple[str, ...] = ()
    """``ENOENT /etc/app.yaml``, in the order they were asked for."""
    wrote_files: tuple[str, ...] = ()
    contacted: tuple[str, ...] = ()
    """``db:5432``, by name where the name server was asked."""
    lacks_certificates: bool = False


class Call(msgspec.Struct, frozen=True):
    """One finished system call."""

    name: str
    arguments: str
    error: str


def read_trace(
    text: str,
    *,
    program: str,
    directory: str = "/",
    names: Mapping[str, str] | None = None,
    own_ports: Sequence[int] = (),
) -> Trace:
    """Return what a trace says of ``program``, the path it was executed by.

    ``names`` are the addresses that stood for host names; connections to ``own_ports`` on loopback are left out.
    """
    missed: dict[str, None] = {}
    wrote: dict[str, None] = {}
    contacted: dict[str, None] = {}
    opened: set[str] = set()
    has_started = False
    for call in parse_calls(text):
        if not has_started:
            has_started = call.name == "execve" and not call.error and _path(call, "/") == program
            continue
        if call.name == "connect":
            if peer := _peer(call.arguments, names or {}, own_ports):
                contacted[peer] = None
            continue
        path = _path(call, directory)
        if not path or _NOISE.search(path):
            continue
        if call.error in _MISSES:
            missed[f"{call.error} {path}"] = None
        elif not call.error:
            opened.add(path)
            if _is_writing(call):
                wrote[path] = None
    return Trace(
        has_started=has_started,
        missed_files=tuple(_without_alternatives(missed, opened))[:_MOST],
        wrote_files=tuple(wrote)[:_MOST],
        contacted=tuple(contacted)[:_MOST],
        lacks_certificates=all(f"ENOENT {path}" in missed for path in CERTIFICATE_FILES),
    )


def parse_calls(text: str) -> Iterator[Call]:
    r"""Yield the finished calls of a trace; those cut in two by another thread are joined.

    >>> next(parse_calls('7 openat(AT_FDCWD, "/x", O_RDONLY) = -1 ENOENT (No such file or directory)\n'))
    Call(name='openat', arguments='AT_FDCWD, "/x", O_RDONLY', error='ENOENT')
    """
    halves: dict[str, str] = {}
    for line in text.splitlines():
        whole = line
        if line.endswith(_UNFINISHED):
            halves[line.split(None, 1)[0]] = line.removesuffix(_UNFINISHED)
            continue
        if resumed := _RESUMED.match(line):
            whole = halves.pop(resumed[1], "") + resumed[2]
        if found := _LINE.match(whole):
            yield Call(found[2], found[3], found[5] or "")


def _path(call: Call, directory: str) -> str:
    """Return the path a call is about, absolute; empty where it is relative to an open folder."""
    arguments = call.arguments
    if call.name.endswith("at") or call.name in ("newfstatat", "openat2", "faccessat2", "statx", "renameat2"):
        if not arguments.startswith("AT_FDCWD") and not re.match(r'-?\w+, "/', arguments):
            return ""
    elif not arguments.startswith('"'):
        return ""
    found = _PATH.search(arguments)
    if not found or found[2] or not found[1]:
        return ""
    return posixpath.normpath(posixpath.join(directory, found[1]))


def _is_writing(call: Call) -> bool:
    if call.name in _WRITING_CALLS:
        return True
    return call.name.startswith("open") and any(
        flag in call.arguments for flag in ("O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC")
    )


def _peer(arguments: str, names: Mapping[str, str], own_ports: Sequence[int]) -> str:
    """Return whom a connect() is for; empty for the name server, itself and empty sockets."""
    if found := _UNIX.search(arguments):
        return "" if _NOISE.search(found[1]) else f"unix:{found[1]}"
    found = _INET.search(arguments) or _INET6.search(arguments)
    if not found:
        return ""
    port, address = int(found[1]), found[2].removeprefix("::ffff:")
    is_self = address in ("127.0.0.1", "::1") and port in own_ports
    if port in (0, _ROUTE_PROBE_PORT) or is_self or (port == 53 and address == "127.0.0.1"):
        return ""
    host = names.get(address, address)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _without_alternatives(missed: Mapping[str, None], opened: set[str]) -> Iterator[str]:
    """Leave out places that were passed over because another of the same kind was found."""
    has_certificates = any(path in opened for path in CERTIFICATE_FILES)
    zones = {tail for path in opened if (tail := _zone(path))}
    for miss in missed:
        error, _, path = miss.partition(" ")
        if has_certificates and path in _CERTIFICATE_PLACES:
            continue
        if error == "ENOENT" and _zone(path) and _zone(path) in zones:
            continue
        yield miss


def _zone(path: str) -> str:
    return path.partition("/zoneinfo/")[2]
