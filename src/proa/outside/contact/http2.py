"""One gRPC call over HTTP/2, with an empty message: enough to hear what a collector says.

Source: RFC 9113 (frames), RFC 7541 (headers), https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from urllib.parse import unquote

import msgspec

from proa.outside.contact.link import Journey

_DATA, _HEADERS, _RESET, _SETTINGS, _PING, _GOAWAY, _CONTINUATION = 0, 1, 3, 4, 6, 7, 9
_END_STREAM, _ACK, _END_HEADERS, _PADDED, _PRIORITY = 1, 1, 4, 8, 32
_MOST_FRAMES = 200
_MOST_HEADERS = 200
_STATUSES = ("200", "204", "206", "304", "400", "404", "500")
_FIRST_STATUS, _STATIC = 8, 61
_BY_LENGTH = {
    5: "012aceiost", 6: " %-./3456789=A_bdfghlmnpru", 7: ":BCDEFGHIJKLMNOPQRSTUVWYjkqvwxyz", 8: "&*,;XZ",
    10: '!"()?', 11: "'+|", 12: "#>", 13: "\0$@[]~", 14: "^}", 15: "<`{",
}  # fmt: skip
"""The code of RFC 7541, appendix B, is canonical: lengths say all. What is longer than 15 bits is no text."""


def _codes() -> dict[tuple[int, int], str]:
    codes, code, before = {}, 0, 0
    for length, signs in _BY_LENGTH.items():
        code <<= length - before
        before = length
        for sign in signs:
            codes[length, code] = sign
            code += 1
    return codes


_CODES = _codes()


class Called(msgspec.Struct, frozen=True, kw_only=True):
    """What came back of a call."""

    http_status: str = ""
    status: int | None = None
    """gRPC's; None where none was sent."""
    message: str = ""


def call(journey: Journey, path: str, authority: str, headers: Mapping[str, str]) -> Called:
    """Send an empty message and return how it ended. Raises Fault where it is no HTTP/2."""
    scheme = "http" if journey.target.tls == "off" else "https"
    told = {
        ":method": "POST", ":scheme": scheme, ":path": path, ":authority": authority,
        "content-type": "application/grpc", "te": "trailers", "user-agent": "proa-preflight",
    }  # fmt: skip
    block = b"".join(b"\0" + _plain(name) + _plain(text) for name, text in {**told, **headers}.items())
    # No table: then every header comes written out.
    settings = struct.pack("!HIHI", 1, 0, 2, 0)
    journey.send(
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
        + _frame(_SETTINGS, 0, 0, settings)
        + _frame(_HEADERS, _END_HEADERS, 1, block)
        + _frame(_DATA, _END_STREAM, 1, b"\0" * 5)
    )
    return _listen(journey)


def _listen(journey: Journey) -> Called:
    table: list[tuple[str, str]] = []
    block, told = b"", Called()
    is_first, ends = True, False
    for _ in range(_MOST_FRAMES):
        head = journey.exactly(9)
        size, kind, flags, stream = int.from_bytes(head[:3], "big"), head[3], head[4], int.from_bytes(head[5:], "big")
        if size > 1 << 14 or (is_first and kind != _SETTINGS):
            raise journey.fault("the answer is not HTTP/2")
        is_first = False
        body = journey.exactly(size)
        if kind == _SETTINGS and not flags & _ACK:
            journey.send(_frame(_SETTINGS, _ACK, 0, b""))
        elif kind == _PING and not flags & _ACK:
            journey.send(_frame(_PING, _ACK, 0, body))
        elif kind in (_GOAWAY, _RESET):
            code = int.from_bytes(body[-4:] if kind == _RESET else body[4:8], "big")
            raise journey.fault(f"the service ended the call (HTTP/2 error {code})")
        elif kind in (_HEADERS, _CONTINUATION) and stream == 1:
            block += _unpadded(body, flags) if kind == _HEADERS else body
            ends = ends or (kind == _HEADERS and bool(flags & _END_STREAM))
            if flags & _END_HEADERS:
                told, block = _heard(journey, told, block, table), b""
        if ends or (kind == _DATA and stream == 1 and flags & _END_STREAM):
            return told
    raise journey.fault("the service does not come to an end")


def _unpadded(body: bytes, flags: int) -> bytes:
    start = (1 if flags & _PADDED else 0) + (5 if flags & _PRIORITY else 0)
    return body[start : len(body) - (body[0] if flags & _PADDED and body else 0)]


def _heard(journey: Journey, told: Called, block: bytes, table: list[tuple[str, str]]) -> Called:
    try:
        headers = dict(_headers(block, table))
    except (ValueError, IndexError) as error:
        raise journey.fault("the answer is not HTTP/2's") from error
    status = headers.get("grpc-status", "")
    return Called(
        http_status=headers.get(":status", told.http_status),
        status=int(status) if status.isascii() and status.isdecimal() and len(status) < 4 else told.status,
        message=unquote(headers.get("grpc-message", told.message)),
    )


def _headers(block: bytes, table: list[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Yield the headers of a block; of the static table only what a status needs. Raises ValueError, IndexError."""
    at = 0
    for _ in range(_MOST_HEADERS):
        if at >= len(block):
            return
        first = block[at]
        if first & 0x80:
            number, at = _number(block, at, 7)
            yield _entry(number, table)
        elif first & 0xE0 == 0x20:
            _, at = _number(block, at, 5)
        else:
            is_kept = first & 0x40 != 0
            number, at = _number(block, at, 6 if is_kept else 4)
            name, at = (_entry(number, table)[0], at) if number else _text(block, at)
            text, at = _text(block, at)
            if is_kept:
                table.insert(0, (name, text))
            yield name, text
    raise ValueError("too many headers")


def _entry(number: int, table: list[tuple[str, str]]) -> tuple[str, str]:
    if number > _STATIC:
        return table[number - _STATIC - 1]
    if _FIRST_STATUS <= number < _FIRST_STATUS + len(_STATUSES):
        return ":status", _STATUSES[number - _FIRST_STATUS]
    return f"header {number}", ""


def _number(data: bytes, at: int, bits: int) -> tuple[int, int]:
    most = (1 << bits) - 1
    number = data[at] & most
    at += 1
    if number < most:
        return number, at
    for shift in range(0, 28, 7):
        number += (data[at] & 127) << shift
        at += 1
        if not data[at - 1] & 128:
            return number, at
    raise ValueError("a number without an end")


def _text(data: bytes, at: int) -> tuple[str, int]:
    is_packed = data[at] & 0x80 != 0
    size, at = _number(data, at, 7)
    if at + size > len(data):
        raise ValueError("it breaks off")
    piece = data[at : at + size]
    return (unpacked(piece) if is_packed else piece.decode("latin-1")), at + size


def unpacked(data: bytes) -> str:
    r"""Return a text of Huffman's code.

    The examples of RFC 7541, C.4.1 and C.4.3:

    >>> unpacked(bytes.fromhex("f1e3c2e5f23a6ba0ab90f4ff")), unpacked(bytes.fromhex("25a849e95bb8e8b4bf"))
    ('www.example.com', 'custom-value')
    """
    signs, code, length = [], 0, 0
    for byte in data:
        for bit in range(7, -1, -1):
            code, length = code << 1 | (byte >> bit & 1), length + 1
            if (sign := _CODES.get((length, code))) is not None:
                signs.append(sign)
                code, length = 0, 0
            elif length > 15:
                raise ValueError("no text")
    return "".join(signs)


def _plain(text: str) -> bytes:
    data = text.encode("latin-1", "replace")
    size = bytes([len(data)]) if len(data) < 127 else b"\x7f" + _rest(len(data) - 127)
    return size + data


def _rest(number: int) -> bytes:
    data = b""
    while number > 127:
        data, number = data + bytes([number & 127 | 128]), number >> 7
    return data + bytes([number])


def _frame(kind: int, flags: int, stream: int, body: bytes) -> bytes:
    return len(body).to_bytes(3, "big") + bytes([kind, flags]) + struct.pack("!I", stream) + body
