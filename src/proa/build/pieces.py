"""A file made of ranges of other files and of new bytes: planned as data, then written without holding it in memory."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

import msgspec

from proa.errors import BinaryDamaged
from proa.outside.store import disk_errors

_CHUNK_BYTES = 1 << 20
_MOST_ADDED_BYTES = 64 << 20
"""What a file may be longer than all it is made of: headers and alignment of honest ones take a MiB (arbitrary)."""


class Piece(msgspec.Struct, frozen=True, array_like=True):
    """A range of a source, and where it goes."""

    at: int
    start: int
    size: int
    source: int = 0
    """Which of the sources."""


class Pieces(msgspec.Struct, frozen=True, kw_only=True):
    """A file as pieces. What neither a piece nor new bytes cover is zero."""

    pieces: tuple[Piece, ...]
    written: tuple[tuple[int, bytes], ...]
    """New bytes and where they go, laid over the pieces; later ones over earlier ones."""
    total_bytes: int


def write(made: Pieces, sources: Sequence[Path], target: Path) -> None:
    """Write a new file. Raises BinaryDamaged, NoSpace, NotWritable; FileExistsError where ``target`` is there."""
    _check(made, sources)
    with ExitStack() as stack:
        stack.enter_context(disk_errors(target))
        opened = [stack.enter_context(source.open("rb")).fileno() for source in sources]
        file = stack.enter_context(target.open("xb")).fileno()
        for piece in made.pieces:
            _copy(opened[piece.source], file, piece.start, piece.at, piece.size)
        for at, content in made.written:
            _put(file, content, at)
        # Where nothing follows the last section, its end is the file's.
        os.ftruncate(file, made.total_bytes)


def _check(made: Pieces, sources: Sequence[Path]) -> None:
    """Refuse what an alignment or offset of 2 to the power of 63 makes of a small file. Raises BinaryDamaged."""
    most = sum(source.stat().st_size for source in sources) + sum(len(new) for _, new in made.written)
    end = max((made.total_bytes, *(piece.at + piece.size for piece in made.pieces), *(at for at, _ in made.written)))
    if end > most + _MOST_ADDED_BYTES:
        raise BinaryDamaged(f"its sections ask for a file of {end} bytes, where there are {most}")


def _put(target: int, content: bytes, at: int) -> None:
    view = memoryview(content)
    while view:
        # On a disk that is nearly full the kernel writes a part, and says so only here.
        done = os.pwrite(target, view, at)
        view, at = view[done:], at + done


def _copy(source: int, target: int, start: int, at: int, size: int) -> None:
    """Copy a range between files: inside the kernel where it can, else a chunk at a time."""
    with suppress(OSError):
        while size > 0:
            done = os.copy_file_range(source, target, size, start, at)
            if done == 0:
                break
            start, at, size = start + done, at + done, size - done
    while size > 0:
        chunk = os.pread(source, min(size, _CHUNK_BYTES), start)
        if not chunk:
            break
        done = os.pwrite(target, chunk, at)
        start, at, size = start + done, at + done, size - done


def copied(made: Pieces, *, source: int = 0) -> Iterator[Piece]:
    """Yield what of a source is in the file unchanged: its pieces, without what new bytes are laid over.

    >>> made = Pieces(pieces=(Piece(0, 100, 50),), written=((10, b"12345"),), total_bytes=50)
    >>> [(piece.at, piece.start, piece.size) for piece in copied(made)]
    [(0, 100, 10), (15, 115, 35)]
    """
    over = sorted((at, at + len(content)) for at, content in made.written if content)
    for piece in made.pieces:
        if piece.source != source:
            continue
        at, end = piece.at, piece.at + piece.size
        for low, high in over:
            if high <= at or low >= end:
                continue
            if low > at:
                yield Piece(at, piece.start + at - piece.at, low - at, source)
            at = max(at, high)
        if at < end:
            yield Piece(at, piece.start + at - piece.at, end - at, source)
