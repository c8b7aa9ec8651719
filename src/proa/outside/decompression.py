"""Layers decompressed as a stream, with what passes counted and hashed; memory stays at a few pieces.

Source: RFC 1952; RFC 8878.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Literal

from proa.errors import HostileArchive

Compression = Literal["none", "gzip", "zstd"]

_MOST_WINDOW_BYTES = 128 << 20
"""zstd's own limit for decoders (``ZSTD_WINDOWLOG_LIMIT_DEFAULT`` is 27). Source: zstd.h."""


class Watched:
    """Count and hash what passes through."""

    def __init__(self) -> None:
        self._hash = hashlib.sha256()
        self.bytes = 0

    def watch(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Yield the same pieces."""
        for piece in pieces:
            self._hash.update(piece)
            self.bytes += len(piece)
            yield piece

    @property
    def digest(self) -> str:
        """Return the digest of all that has passed."""
        return f"sha256:{self._hash.hexdigest()}"


def decompress(pieces: Iterator[bytes], compression: Compression, *, piece_bytes: int, what: str) -> Iterator[bytes]:
    """Return the content, in pieces of at most ``piece_bytes``; where nothing is compressed, the pieces themselves.

    ``what`` is the subject of what is said of a corrupt stream. Raises HostileArchive.
    """
    match compression:
        case "none":
            return pieces
        case "gzip":
            return _gunzip(pieces, piece_bytes, what)
        case "zstd":
            return _unzstd(pieces, piece_bytes, what)


def _gunzip(pieces: Iterator[bytes], piece_bytes: int, what: str) -> Iterator[bytes]:
    """Yield the content of all members."""
    import zlib

    inflate = zlib.decompressobj(wbits=31)
    for piece in pieces:
        data = piece
        while data:
            if inflate.eof:
                # Zeros after the last member pad to a record; gzip itself lets them pass.
                data = data.lstrip(b"\0")
                if not data:
                    break
                inflate = zlib.decompressobj(wbits=31)
            try:
                content = inflate.decompress(data, piece_bytes)
            except zlib.error as error:
                raise HostileArchive(f"{what} is corrupt: {error}") from error
            if content:
                yield content
            data = inflate.unused_data if inflate.eof else inflate.unconsumed_tail
    if not inflate.eof:
        raise HostileArchive(f"{what} is cut short")


def _unzstd(pieces: Iterator[bytes], piece_bytes: int, what: str) -> Iterator[bytes]:
    """Yield the content of all frames."""
    import zstandard

    decoder = zstandard.ZstdDecompressor(max_window_size=_MOST_WINDOW_BYTES)
    reader = decoder.stream_reader(_Joined(pieces), read_across_frames=True, closefd=False)  # type: ignore[arg-type]
    try:
        while data := reader.read(piece_bytes):
            yield data
    except zstandard.ZstdError as error:
        raise HostileArchive(f"{what} is corrupt: {error}") from error
    # The reader ends quietly at the end of its input, wherever that is: the digest of the content tells.


class _Joined:
    """A file's ``read`` over pieces."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def read(self, _size: int = -1) -> bytes:
        return next(self._pieces, b"")
