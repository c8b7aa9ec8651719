r"""How a linked file is put together again from the shipped one and its debug file, byte for byte.

The note is a section of the debug file: one line of JSON, then the bytes that neither file has (section headers,
names, fields of the ELF header).

    {"version":1,"sha256":"…","bytes":12703833,"pieces":[[0,0,4096,0],[4096,0,512,2],…]}\n<literal bytes>

Each piece is where it goes, where it starts, its size, and its source: 0 the shipped file, 1 the debug file, 2 the
literal bytes. What no piece covers is zero. Nothing is compressed, so the note is the same on every machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated

import msgspec

from proa.build.pieces import Piece
from proa.errors import BinaryDamaged

OWN = ".proa."
"""How the names of sections begin that are in no linked file."""
LAYOUT = f"{OWN}layout"
SHIPPED, DEBUG, LITERAL = 0, 1, 2
_MOST_LINE_BYTES = 8 << 20
_MOST_PIECES = 100_000
_ZERO_RUN = 64
"""A run of zeros this long is worth a piece less (arbitrary)."""

_MOST_BYTES = 1 << 40

_Size = Annotated[int, msgspec.Meta(ge=0, le=_MOST_BYTES)]


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """The note's first line."""

    version: int = 1
    sha256: str
    bytes: _Size
    pieces: tuple[Piece, ...]


def layout_of(linked: memoryview, claims: Iterable[Piece], sha256: str) -> bytes:
    """Return the note for a linked file; a claim's ``start`` is where the linked bytes are in its ``source``.

    Where claims overlap the one that begins first is taken.
    """
    pieces: list[Piece] = []
    literal = bytearray()
    at = 0
    for claim in [*sorted(claims, key=lambda one: (one.at, one.source)), Piece(len(linked), 0, 0)]:
        if claim.at > at:
            for start, end in _without_zeros(bytes(linked[at : claim.at])):
                pieces.append(Piece(at + start, len(literal), end - start, LITERAL))
                literal += linked[at + start : at + end]
        skipped = max(0, at - claim.at)
        if claim.size > skipped:
            pieces.append(Piece(claim.at + skipped, claim.start + skipped, claim.size - skipped, claim.source))
        at = max(at, claim.at + claim.size)
    line = msgspec.json.encode(Layout(sha256=sha256, bytes=len(linked), pieces=tuple(pieces)))
    return line + b"\n" + literal


def _without_zeros(content: bytes) -> Iterator[tuple[int, int]]:
    r"""Yield the ranges of a content that hold more than zeros.

    >>> list(_without_zeros(b"ab" + bytes(100) + b"c" + bytes(2)))
    [(0, 2), (102, 103)]
    """
    zeros = bytes(_ZERO_RUN)
    at = 0
    while at < len(content):
        end = content.find(zeros, at)
        end = len(content) if end < 0 else end
        if kept := content[at:end].rstrip(b"\0"):
            yield at, at + len(kept)
        rest = content[end:]
        at = end + len(rest) - len(rest.lstrip(b"\0"))


def read_layout(note: memoryview, debug_bytes: int) -> tuple[Layout, bytes]:
    """Read the note of a debug file of this size, and its literal bytes.

    Every piece is checked against its source, but for those of the shipped file. Raises BinaryDamaged.
    """
    line, end, _ = bytes(note[:_MOST_LINE_BYTES]).partition(b"\n")
    try:
        layout = msgspec.json.decode(line, type=Layout)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BinaryDamaged(f"the section {LAYOUT} is not understood: {error}") from error
    literal = bytes(note[len(line) + 1 :]) if end else b""
    if len(layout.pieces) > _MOST_PIECES:
        raise BinaryDamaged(f"the section {LAYOUT} has {len(layout.pieces)} pieces")
    lengths, done = {DEBUG: debug_bytes, LITERAL: len(literal)}, 0
    for piece in layout.pieces:
        if not 0 <= piece.source <= LITERAL or min(piece.at, piece.start, piece.size) < 0:
            raise BinaryDamaged(f"the section {LAYOUT} has a piece that cannot be, for offset {piece.at:#x}")
        if piece.start + piece.size > lengths.get(piece.source, _MOST_BYTES) or piece.at < done:
            raise BinaryDamaged(f"the section {LAYOUT} has a piece for offset {piece.at:#x} that is not there")
        done = piece.at + piece.size
    if done > layout.bytes:
        raise BinaryDamaged(f"the section {LAYOUT} promises {layout.bytes} bytes and has {done}")
    return layout, literal
