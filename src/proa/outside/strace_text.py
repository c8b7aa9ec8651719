"""Addresses and strings as strace writes them. Pure parsing."""

from __future__ import annotations

import re
from collections.abc import Iterator

_PATH = re.compile(r'"((?:[^"\\]|\\.)*)"(\.\.\.)?')
_INET = re.compile(r'sin_port=htons\((\d+)\), sin_addr=inet_addr\("([^"]+)"\)')
_INET6 = re.compile(r'sin6_port=htons\((\d+)\).*?inet_pton\(AF_INET6, "([^"]+)"')
_UNIX = re.compile(r'sun_path="((?:[^"\\]|\\.)*)"')
_ESCAPE = re.compile(rb"\\([0-7]{1,3}|x[0-9a-fA-F]{2}|.)", re.DOTALL)
_LETTERS = {b"n": b"\n", b"t": b"\t", b"v": b"\v", b"f": b"\f", b"r": b"\r"}


def address_of(text: str) -> str:
    """Return the address in a call's arguments; empty where there is none.

    >>> address_of('3, {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("10.0.0.1")}, 16')
    '10.0.0.1:80'
    """
    if found := _INET.search(text):
        return f"{found[2]}:{found[1]}"
    if found := _INET6.search(text):
        address = found[2].removeprefix("::ffff:")
        return f"[{address}]:{found[1]}" if ":" in address else f"{address}:{found[1]}"
    found = _UNIX.search(text)
    return f"unix:{unescaped(found[1]).decode(errors='replace')}" if found else ""


def first_text(text: str) -> str:
    """Return the first string of a call's arguments; empty where there is none, or strace cut it."""
    found = _PATH.search(text)
    return unescaped(found[1]).decode("utf-8", "surrogateescape") if found and not found[2] else ""


def strings(text: str) -> Iterator[bytes]:
    """Yield the data of a call that sends: one or several strings."""
    for found in _PATH.finditer(text):
        yield unescaped(found[1])


def unescaped(text: str) -> bytes:
    r"""Return what strace wrote with escapes.

    >>> unescaped(r"\2db\0\n")
    b'\x02db\x00\n'
    """

    def sign(found: re.Match[bytes]) -> bytes:
        code = found[1]
        if code[:1] == b"x" and len(code) == 3:
            return bytes([int(code[1:], 16)])
        if code[:1].isdigit():
            return bytes([int(code, 8) & 255])
        return _LETTERS.get(code, code)

    return _ESCAPE.sub(sign, text.encode("utf-8", "surrogateescape"))
