"""Read layers that others made: decompress and parse as a stream, and believe nothing.

Every length is bounded before memory is taken for it, and every oddity raises HostileArchive. Nothing here writes.
Source: POSIX.1-2017, pax, "ustar Interchange Format"; GNU tar manual, "Basic Tar Format"; RFC 1952; RFC 8878.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, Literal, Protocol

import msgspec

from proa.errors import HostileArchive, StoreDamaged
from proa.outside.decompression import Compression, Watched, decompress
from proa.outside.pax import pax_records
from proa.outside.store import Store
from proa.records.oci import DOCKER_LAYER, LAYER_GZIP, LAYER_TAR, LAYER_ZSTD, Descriptor

Kind = Literal["file", "folder", "symlink", "hardlink", "device"]

_BLOCK = 512
_PIECE_BYTES = 256 << 10
_MOST_HEADER_BYTES = 1 << 20
"""Of one extended header: names are at most 4 kB each on Linux, so this is far more than any honest one."""
_RATIO_GRACE_BYTES = 64 << 20
_KINDS: dict[bytes, Kind] = {
    b"0": "file",
    b"\0": "file",
    b"7": "file",
    b"1": "hardlink",
    b"2": "symlink",
    b"3": "device",
    b"4": "device",
    b"5": "folder",
    b"6": "device",
}
_COMPRESSIONS: dict[str, Compression] = {
    LAYER_TAR: "none",
    LAYER_GZIP: "gzip",
    LAYER_ZSTD: "zstd",
    DOCKER_LAYER: "gzip",
    "application/vnd.docker.image.rootfs.diff.tar": "none",
    "application/vnd.docker.image.rootfs.diff.tar.zstd": "zstd",
}


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What is taken from an image before it counts as hostile; for all its layers together."""

    total_bytes: int = 16 << 30
    """Unpacked. Larger than any image worth a base (CUDA's are 8 GB)."""
    entries: int = 1_000_000
    """Fedora's largest images have about 200,000."""
    ratio: float = 300.0
    """Unpacked to compressed, judged after the first 64 MiB of a layer; a Go binary has 3, logs of zeros 1,000."""
    allows_absolute: bool = False
    """Take ``/a`` as ``a``, as docker does; ko's own layers are written so."""
    skips_devices: bool = False
    """Leave device nodes and pipes out instead of refusing the archive."""


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """What a device node or pipe is."""

    kind: Literal["character", "block", "pipe"]
    major: int = 0
    minor: int = 0


_DEVICES: dict[bytes, Literal["character", "block", "pipe"]] = {b"3": "character", b"4": "block", b"6": "pipe"}
_MOST_DEVICE = (1 << 20) - 1
"""Source: Linux, kdev_t.h, MINORBITS."""
_ATTRIBUTE = "SCHILY.xattr."


class Member(msgspec.Struct, frozen=True, kw_only=True):
    """One header of an archive, names not yet judged."""

    path: str
    kind: Kind
    mode: int
    uid: int
    gid: int
    size_bytes: int
    target: str = ""
    mtime: str = ""
    """Seconds since 1970, as an extended header says them; empty for none or nonsense."""
    attributes: tuple[tuple[str, str], ...] = ()
    """Extended attributes of the file, under their keys in the extended header: ``SCHILY.xattr.security.capability``.
    Source: star(5), "Extended attributes"; bytes that are no UTF-8 as surrogates."""
    device: Device | None = None


class Budget:
    """What is left of the limits while an image is read."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.bytes = 0
        self.entries = 0

    def take_bytes(self, count: int) -> None:
        """Count unpacked bytes. Raises HostileArchive."""
        self.bytes += count
        if self.bytes > self.limits.total_bytes:
            raise HostileArchive(f"the image unpacks to more than {self.limits.total_bytes} bytes (limit: total bytes)")

    def take_entry(self, *, depth: int) -> None:
        """Count an entry; a very deep one, which takes longer to reach, for several. Raises HostileArchive."""
        self.entries += 1 + depth // 16
        if self.entries > self.limits.entries:
            raise HostileArchive(f"the image has more than {self.limits.entries} entries (limit: entries)")


class Readable(Protocol):
    """Something with bytes to read."""

    def read(self, size: int, /) -> bytes: ...  # noqa: D102 - the class says it


class Layered:
    """A layer's archive: iterate the members, read each one's content before the next."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._held = b""
        self._left = 0
        """Bytes of the current member's content not yet read, and of its padding."""
        self._padding = 0

    def read(self, size: int, /) -> bytes:
        """Return at most ``size`` bytes of the current member's content."""
        data = self._take(min(size, self._left, _PIECE_BYTES))
        self._left -= len(data)
        return data

    def members(self) -> Iterator[Member]:
        """Yield every member in order. Raises HostileArchive."""
        extended: dict[str, str] = {}
        while block := self._next_header():
            kind = block[156:157]
            size = _number(block[124:136], "size")
            if kind in (b"x", b"g", b"L", b"K"):
                content = self._extension(size)
                if kind == b"x":
                    extended.update(_extended(content))
                elif kind != b"g":
                    extended["path" if kind == b"L" else "linkpath"] = _text(content)
                continue
            member = _member(block, size, extended)
            extended = {}
            self._left = member.size_bytes
            self._padding = -member.size_bytes % _BLOCK
            yield member
        self._drain()

    def _next_header(self) -> bytes:
        while self._left:
            self.read(_PIECE_BYTES)
        if self._padding and not self._held:
            self._held = next(self._pieces, b"")
        # Some writers leave the last entry's padding out.
        if self._held:
            self._take(self._padding)
        self._padding = 0
        block = self._take_if_any(_BLOCK)
        if not block or not block.strip(b"\0"):
            return b""
        digits = block[148:156].strip(b" \0")
        if not digits.isdigit() or not set(digits) <= set(b"01234567") or _checksum(block) != int(digits, 8):
            raise HostileArchive("the layer is no tar archive: a header's checksum is wrong")
        return block

    def _extension(self, size: int) -> bytes:
        if size > _MOST_HEADER_BYTES:
            raise HostileArchive(f"an extended tar header claims {size} bytes (limit: {_MOST_HEADER_BYTES})")
        content = self._take(size)
        self._take(-size % _BLOCK)
        return content

    def _take_if_any(self, size: int) -> bytes:
        """Return ``size`` bytes, or nothing at the very end: an archive without its closing blocks is common."""
        if not self._held:
            self._held = next(self._pieces, b"")
        return self._take(size) if self._held else b""

    def _take(self, size: int) -> bytes:
        if len(self._held) >= size:
            data, self._held = self._held[:size], self._held[size:]
            return data
        parts = [self._held]
        missing = size - len(self._held)
        self._held = b""
        while missing > 0:
            piece = next(self._pieces, b"")
            if not piece:
                raise HostileArchive("the layer ends in the middle of an entry")
            parts.append(piece[:missing])
            self._held = piece[missing:]
            missing -= len(parts[-1])
        return b"".join(parts)

    def _drain(self) -> None:
        # What follows the closing blocks belongs to the layer's digest.
        self._held = b""
        for _ in self._pieces:
            pass


@contextmanager
def open_layer(layer: Descriptor, diff_id: str, *, store: Store, budget: Budget) -> Iterator[Layered]:
    """Read one layer; when the block ends well, its digests were right.

    The block must read every member. Raises HostileArchive (which limit, or what is wrong), StoreDamaged, ImageMissing.
    """
    compression = _COMPRESSIONS.get(layer.media_type)
    if compression is None:
        raise HostileArchive(f"layer {layer.digest} has the media type {layer.media_type!r}, which is no layer")
    raw, plain = Watched(), Watched()
    with store.open_blob(layer.digest) as file:
        compressed = raw.watch(_file_pieces(file))
        unpacked = decompress(compressed, compression, piece_bytes=_PIECE_BYTES, what=f"a {compression} layer")
        yield Layered(plain.watch(_bounded(unpacked, raw, budget)))
        for _ in compressed:
            pass
    if raw.digest != layer.digest:
        raise StoreDamaged(f"blob {layer.digest} has the content of {raw.digest}")
    if raw.bytes != layer.size:
        raise HostileArchive(f"layer {layer.digest} is {raw.bytes} bytes long, not {layer.size} as its manifest says")
    if plain.digest != diff_id:
        raise HostileArchive(f"layer {layer.digest} unpacks to {plain.digest}, not to {diff_id} as its config says")


def _file_pieces(file: BinaryIO) -> Iterator[bytes]:
    while data := file.read(_PIECE_BYTES):
        yield data


def _bounded(pieces: Iterator[bytes], raw: Watched, budget: Budget) -> Iterator[bytes]:
    unpacked = 0
    for piece in pieces:
        unpacked += len(piece)
        budget.take_bytes(len(piece))
        if unpacked > _RATIO_GRACE_BYTES and unpacked > budget.limits.ratio * raw.bytes:
            raise HostileArchive(f"a layer unpacks to more than {budget.limits.ratio:g} times its size (limit: ratio)")
        yield piece


def _member(block: bytes, size: int, extended: dict[str, str]) -> Member:
    kind = _KINDS.get(block[156:157])
    if kind is None:
        raise HostileArchive(f"a layer has a tar entry of the unknown type {block[156:157]!r}")
    if any(key.startswith("GNU.sparse") for key in extended):
        raise HostileArchive("a layer has a sparse tar entry, which the image specification does not know")
    path = extended.get("path") or _name(block)
    if kind == "file" and path.endswith("/"):
        kind = "folder"  # as written before USTAR
    size = _decimal(extended.get("size"), size, "size")
    return Member(
        path=path,
        kind=kind,
        mode=_number(block[100:108], "mode") & 0o7777,
        uid=_decimal(extended.get("uid"), _number(block[108:116], "uid"), "uid"),
        gid=_decimal(extended.get("gid"), _number(block[116:124], "gid"), "gid"),
        size_bytes=size if kind == "file" else 0,
        target=extended.get("linkpath") or _text(block[157:257]),
        mtime=_mtime(block, extended),
        attributes=tuple(sorted((key, value) for key, value in extended.items() if key.startswith(_ATTRIBUTE))),
        device=_device(block) if kind == "device" else None,
    )


def _mtime(block: bytes, extended: dict[str, str]) -> str:
    text = extended.get("mtime", "")
    if re.fullmatch(r"-?[0-9]{1,18}(\.[0-9]{1,30})?", text, re.ASCII):
        # Written one way, however many zeros it had.
        whole, _, part = text.partition(".")
        return f"{whole}.{part}".rstrip("0").rstrip(".") if part else whole
    try:
        return str(_number(block[136:148], "time"))
    except HostileArchive:
        return ""  # before 1970, as GNU tar writes it, or nonsense: no reason to refuse an image


def _device(block: bytes) -> Device:
    kind = _DEVICES[block[156:157]]
    if kind == "pipe":
        return Device(kind=kind)
    major, minor = _number(block[329:337], "device"), _number(block[337:345], "device")
    if max(major, minor) > _MOST_DEVICE:
        raise HostileArchive(f"a layer has the device {major}, {minor}, which no system has")
    return Device(kind=kind, major=major, minor=minor)


def _name(block: bytes) -> str:
    name = _text(block[:100])
    # GNU headers ("ustar  ") keep times where USTAR has its prefix.
    prefix = _text(block[345:500]) if block[257:263] == b"ustar\0" else ""
    return f"{prefix}/{name}" if prefix else name


def _text(raw: bytes) -> str:
    return raw.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")


def _checksum(block: bytes) -> int:
    return sum(block[:148]) + sum(b" " * 8) + sum(block[156:])


def _number(field: bytes, what: str) -> int:
    r"""Return an octal field, or GNU's base-256 for large numbers. Raises HostileArchive.

    >>> _number(b"0000644\0", "mode"), _number(b"\x80" + b"\0" * 10 + b"\x05", "size")
    (420, 5)
    """
    if field[0] == 0x80:
        return int.from_bytes(field[1:], "big")
    digits = field.split(b"\0", 1)[0].strip()
    if not digits:
        return 0
    if not set(digits) <= set(b"01234567"):
        raise HostileArchive(f"a tar header has the {what} {digits!r}, which is no number")
    return int(digits, 8)


def _decimal(text: str | None, otherwise: int, what: str) -> int:
    if text is None:
        return otherwise
    if not text.isascii() or not text.isdecimal() or len(text) > 20:
        raise HostileArchive(f"an extended tar header has the {what} {text[:40]!r}, which is no number")
    return int(text)


def _extended(content: bytes) -> dict[str, str]:
    return {
        key.decode("utf-8", "surrogateescape"): value.decode("utf-8", "surrogateescape")
        for key, value in pax_records(content)
    }
