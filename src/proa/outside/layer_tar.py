"""Read a layer's tar archive in one pass and keep a line of each entry; nothing is unpacked.

Names are made plain and checked, contents marked in place and shown once, up to 64 KiB, to whoever asks.
Source: POSIX.1-2017, pax, "ustar Interchange Format"; GNU tar manual, "Basic Tar Format".
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterator
from functools import lru_cache

import deflate

from proa.errors import HostileArchive
from proa.outside.pax import pax_records
from proa.records.layer_entry import Entry, EntryKind, Seen

Look = Callable[[str, bytes, int, int], Seen | None]
"""Path, a buffer, and where in it the file's first bytes are."""

HEAD_BYTES = 64 << 10
"""What is shown of a file at most: the program headers of ELF files and the keys people leave behind are in it."""
_BLOCK = 512
_WHOLE_BYTES = 1 << 20
"""Files up to this size are looked at in one go."""
_SMALL_BYTES = 4096
"""Adler-32 is weak on short contents, and sha256 takes 4 µs for these."""
_MARK = struct.Struct("<II")
_MOST_HEADER_BYTES = 1 << 20
_MOST_PATH = 4096
"""Source: Linux, limits.h, PATH_MAX."""
_MOST_DEPTH = 256
_KINDS: dict[int, EntryKind] = {
    ord("0"): "file",
    0: "file",
    ord("7"): "file",
    ord("1"): "hardlink",
    ord("2"): "symlink",
    ord("3"): "device",
    ord("4"): "device",
    ord("5"): "folder",
    ord("6"): "device",
}
_EXTENSIONS = frozenset(b"xgLK")


class _Buffer:
    """Pieces of a stream, joined where something spans two."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self.data = b""
        self.at = 0

    def need(self, size: int) -> bool:
        """Make ``size`` bytes lie at ``at``; False where the stream ends before."""
        if len(self.data) - self.at >= size:
            return True
        parts = [self.data[self.at :]]
        have = len(parts[0])
        while have < size and (piece := next(self._pieces, b"")):
            parts.append(piece)
            have += len(piece)
        self.data, self.at = b"".join(parts), 0
        return have >= size

    def drain(self) -> None:
        """Read the rest: it belongs to the layer's digest."""
        self.data, self.at = b"", 0
        for _ in self._pieces:
            pass


def read_entries(pieces: Iterator[bytes], look: Look) -> Iterator[Entry]:
    """Yield every entry in order and read the stream to its end. Raises HostileArchive."""
    buffer = _Buffer(pieces)
    extended: dict[str, str] = {}
    offset = 0
    while buffer.need(_BLOCK):
        block = buffer.data[buffer.at : buffer.at + _BLOCK]
        if not block[0] and not block.strip(b"\0"):
            break
        buffer.at += _BLOCK
        _check(block, offset)
        size = _number(block[124:136], "size")
        kind = block[156]
        if kind in _EXTENSIONS:
            content = _extension(buffer, size)
            offset += _BLOCK + size + -size % _BLOCK
            if kind == ord("x"):
                extended.update(_extended(content))
            elif kind != ord("g"):
                extended["path" if kind == ord("L") else "linkpath"] = _text(content)
            continue
        entry = _entry(block, kind, size, extended)
        if extended:
            extended = {}
        offset += _BLOCK + entry.size_bytes + -entry.size_bytes % _BLOCK
        if entry.size_bytes:
            _fill(entry, buffer, look)
        yield entry
    else:
        # An archive without its closing blocks is common; one that stops inside a block was cut.
        if len(buffer.data) > buffer.at:
            raise HostileArchive("the layer ends in the middle of a header")
    buffer.drain()


def _check(block: bytes, offset: int) -> None:
    stored = block[148:156]
    # Eight spaces stand for the checksum while it is made.
    # Adler-32's lower half is the sum of all bytes and one, modulo 65521, and made at the speed of memory.
    total = (deflate.adler32(block) & 0xFFFF) - 1 - sum(stored) + 256
    if stored[:6] == b"%06o" % total:
        return  # as nearly everybody writes it
    digits = stored.strip(b" \0")
    if not _is_octal(digits) or (int(digits, 8) - total) % 65521:
        raise HostileArchive(f"the layer is no tar archive: the header at byte {offset} has a wrong checksum")


def _extension(buffer: _Buffer, size: int) -> bytes:
    if size > _MOST_HEADER_BYTES:
        raise HostileArchive(f"an extended tar header claims {size} bytes (limit: {_MOST_HEADER_BYTES})")
    padded = size + -size % _BLOCK
    if not buffer.need(padded):
        raise HostileArchive("the layer ends in the middle of an extended header")
    content = buffer.data[buffer.at : buffer.at + size]
    buffer.at += padded
    return content


def _entry(block: bytes, code: int, size: int, extended: dict[str, str]) -> Entry:
    kind = _KINDS.get(code)
    if kind is None:
        raise HostileArchive(f"a layer has a tar entry of the unknown type {bytes([code])!r}")
    path = block[:100].split(b"\0", 1)[0].decode("utf-8", "backslashreplace")
    # GNU headers ("ustar  ") keep times where USTAR has its prefix.
    if block[345] and block[257:263] == b"ustar\0":
        path = f"{_text(block[345:500])}/{path}"
    target = ""
    if kind in ("symlink", "hardlink"):
        target = extended.get("linkpath") or _text(block[157:257])
    if extended:
        if any(key.startswith("GNU.sparse") for key in extended):
            raise HostileArchive("a layer has a sparse tar entry, which the image specification does not know")
        path = extended.get("path") or path
        size = _decimal(extended["size"], "size") if "size" in extended else size
    if kind == "file" and path.endswith("/"):
        kind = "folder"  # as written before USTAR
    return Entry(
        path=plain_path(path),
        kind=kind,
        mode=_mode(block[100:108]),
        size_bytes=size if kind == "file" else 0,
        target=plain_path(target) if kind == "hardlink" else target,
    )


def _fill(entry: Entry, buffer: _Buffer, look: Look) -> None:
    """Look at a file's content and pass it by."""
    size = entry.size_bytes
    if len(buffer.data) - buffer.at < size and not buffer.need(min(size, _WHOLE_BYTES)):
        raise HostileArchive(f"the layer ends in the middle of {entry.path[:200]!r}")
    start = buffer.at
    entry.seen = look(entry.path, buffer.data, start, start + min(size, HEAD_BYTES))
    if size <= _WHOLE_BYTES:
        entry.content = _mark(memoryview(buffer.data)[start : start + size])
        buffer.at += size
    else:
        entry.content = _mark_large(entry.path, size, buffer)
    # Some writers leave the last entry's padding out.
    if padding := -size % _BLOCK:
        is_whole = buffer.need(padding)  # moves ``at``, so not within the sum below
        buffer.at = buffer.at + padding if is_whole else len(buffer.data)


def _mark(content: memoryview) -> bytes:
    """Return what tells contents of one size apart: sha256 for small ones, two checksums for others.

    Checksums are not made against malice; they take a fiftieth of the time, and pairs of one size that are alike by
    chance are one in 2^60. See docs/decisions/0018-what-tells-contents-apart.md.
    """
    if len(content) <= _SMALL_BYTES:
        return hashlib.sha256(content).digest()[:16]
    return _MARK.pack(deflate.crc32(content), deflate.adler32(content))


def _mark_large(path: str, size: int, buffer: _Buffer) -> bytes:
    crc, adler = 0, 1
    while size:
        if not buffer.need(1):
            raise HostileArchive(f"the layer ends in the middle of {path[:200]!r}")
        count = min(size, len(buffer.data) - buffer.at)
        piece = memoryview(buffer.data)[buffer.at : buffer.at + count]
        crc, adler = deflate.crc32(piece, crc), deflate.adler32(piece, adler)
        buffer.at += count
        size -= count
    return _MARK.pack(crc, adler)


def plain_path(name: str) -> str:
    """Return a name relative to the root, without empty and ``.`` parts. Raises HostileArchive for what leads out.

    >>> plain_path("./usr//bin/"), plain_path("/etc/passwd"), plain_path("./")
    ('usr/bin', 'etc/passwd', '')
    """
    if len(name) > _MOST_PATH:
        raise HostileArchive(f"a layer has a path of {len(name)} characters (limit: {_MOST_PATH})")
    is_plain = name and name[0] not in "/." and name[-1] != "/" and "//" not in name and "/." not in name
    if is_plain and name.count("/") < _MOST_DEPTH:
        return name
    parts = name.split("/")
    if "" in parts or "." in parts:
        parts = [part for part in parts if part not in ("", ".")]
        name = "/".join(parts)
    if ".." in parts:
        raise HostileArchive(f"a layer has the entry {name[:200]!r}, which leads out of the image")
    if len(parts) > _MOST_DEPTH:
        raise HostileArchive(f"a layer has a path of {len(parts)} parts (limit: {_MOST_DEPTH})")
    return name


def _text(raw: bytes) -> str:
    return raw.split(b"\0", 1)[0].decode("utf-8", "backslashreplace")


def _number(field: bytes, what: str) -> int:
    r"""Return an octal field, or GNU's base-256 for large numbers. Raises HostileArchive.

    >>> _number(b"0000644\0", "mode"), _number(b"\x80" + b"\0" * 10 + b"\x05", "size")
    (420, 5)
    """
    digits = field.strip(b"\0 ")
    if _is_octal(digits):
        return int(digits, 8)
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    digits = field.split(b"\0", 1)[0].strip()
    if not digits:
        return 0
    if not _is_octal(digits):
        raise HostileArchive(f"a tar header has the {what} {digits!r}, which is no number")
    return int(digits, 8)


@lru_cache(maxsize=256)
def _mode(field: bytes) -> int:
    """Return the permissions; an image has a dozen different ones."""
    return _number(field, "mode") & 0o7777


def _is_octal(digits: bytes) -> bool:
    return digits.isdigit() and b"8" not in digits and b"9" not in digits


def _decimal(text: str, what: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 20:
        raise HostileArchive(f"an extended tar header has the {what} {text[:40]!r}, which is no number")
    return int(text)


def _extended(content: bytes) -> dict[str, str]:
    return {_text(key): value.decode("utf-8", "backslashreplace") for key, value in pax_records(content)}
