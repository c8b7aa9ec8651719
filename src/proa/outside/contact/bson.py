"""MongoDB's documents, as far as a log-in needs them. Source: https://bsonspec.org/spec.html."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any

_DEEPEST = 20
_FIXED = {1: 8, 7: 12, 8: 1, 9: 8, 16: 4, 17: 8, 18: 8, 19: 16}
"""Bytes of the types that always have as many."""
_EMPTY = frozenset({6, 10, 127, 255})
_NUMBERS = {1: "<d", 16: "<i", 18: "<q"}
_TEXTS = frozenset({2, 13, 14})


def encode(document: Mapping[str, Any]) -> bytes:
    r"""Return a document of texts, truths, whole numbers of 32 bits, bytes and documents.

    >>> decode(encode({"ping": 1, "payload": b"\0x", "options": {"quick": True}, "$db": "admin"}))
    {'ping': 1, 'payload': b'\x00x', 'options': {'quick': True}, '$db': 'admin'}
    """
    body = b"".join(_element(name, value) for name, value in document.items())
    return struct.pack("<i", len(body) + 5) + body + b"\0"


def _element(name: str, value: Any) -> bytes:
    key = name.encode().replace(b"\0", b"") + b"\0"
    match value:
        case bool():
            return b"\x08" + key + bytes([value])
        case int():
            return b"\x10" + key + struct.pack("<i", value)
        case str():
            text = value.encode() + b"\0"
            return b"\x02" + key + struct.pack("<i", len(text)) + text
        case bytes():
            return b"\x05" + key + struct.pack("<i", len(value)) + b"\0" + value
        case Mapping():
            return b"\x03" + key + encode(value)
        case _:
            raise TypeError(f"no {type(value).__name__} is sent")


def decode(data: bytes) -> dict[str, Any]:
    """Return a document; what a log-in has no use for is None. Raises ValueError."""
    try:
        document, end = _document(data, 0, deep=0)
    except (struct.error, UnicodeDecodeError, IndexError) as error:
        raise ValueError("no document") from error
    if end != len(data):
        raise ValueError("more than a document")
    return document


def _document(data: bytes, at: int, *, deep: int) -> tuple[dict[str, Any], int]:
    (size,) = struct.unpack_from("<i", data, at)
    end = at + size
    if size < 5 or end > len(data) or data[end - 1] or deep > _DEEPEST:
        raise ValueError("no document")
    found: dict[str, Any] = {}
    at += 4
    while at < end - 1:
        kind = data[at]
        stop = data.index(b"\0", at + 1, end)
        name = data[at + 1 : stop].decode()
        found[name], at = _value(data, kind, stop + 1, end, deep=deep)
    if at != end - 1:
        raise ValueError("no document")
    return found, end


def _value(data: bytes, kind: int, at: int, end: int, *, deep: int) -> tuple[Any, int]:
    """Return one value, and where the next element begins."""
    if kind in _EMPTY:
        return None, at
    if kind in _FIXED:
        if kind == 8:
            return data[at] != 0, at + 1
        number = struct.unpack_from(_NUMBERS[kind], data, at)[0] if kind in _NUMBERS else None
        return number, at + _FIXED[kind]
    if kind in (3, 4):
        inner, after = _document(data, at, deep=deep + 1)
        return (list(inner.values()) if kind == 4 else inner), after
    if kind == 11:
        return None, data.index(b"\0", data.index(b"\0", at, end) + 1, end) + 1
    (size,) = struct.unpack_from("<i", data, at)
    at += 4 + (kind == 5)
    if size < 0 or at + size > end or not (kind == 5 or (kind in _TEXTS and size)):
        raise ValueError("no document")
    text = data[at : at + size]
    return (text if kind == 5 else text[:-1].decode("utf-8", "replace")), at + size
