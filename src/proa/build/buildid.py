"""A build-id that is the same on every machine: made of what runs and what it was made from.

Linkers hash the whole file, debugging sections too, and those hold where a C library was compiled on this machine.
"""

from __future__ import annotations

import hashlib
import os
import struct
from pathlib import Path

from proa.outside import elf
from proa.outside.elf import Elf, Section

_NAME = ".note.gnu.build-id"
_CHUNK_BYTES = 1 << 20


def stamp_build_id(file: Path, source: str) -> str:
    """Write a build-id over the linker's and return it; empty, and nothing written, where there is none of 20 bytes.

    It is the sha1 over ``source`` (a digest of what was compiled: line tables differ where the code does not) and
    over all that is loaded. Raises BinaryDamaged.
    """
    program = elf.open_elf(file)
    place = _place(program)
    if place is None:
        return ""
    whole = hashlib.sha1(source.encode(), usedforsecurity=False)
    for section in program.sections:
        if section.is_allocated and section.name != _NAME:
            whole.update(f"{section.name} {section.address} {section.size}\n".encode(errors="surrogateescape"))
            _hash(whole.update, program, section)
    with file.open("r+b") as stream:
        os.pwrite(stream.fileno(), whole.digest(), place)
    return whole.hexdigest()


def _hash(update: object, program: Elf, section: Section) -> None:
    content = program.content(section)
    for at in range(0, len(content), _CHUNK_BYTES):
        update(content[at : at + _CHUNK_BYTES])  # type: ignore[operator]


def _place(program: Elf) -> int | None:
    """Return where the 20 bytes of the build-id are in the file."""
    section = program.section(_NAME)
    if section is None or section.file_bytes != 36:
        return None
    owner, content, kind = struct.unpack_from(f"{program.order}III", program.content(section))
    is_plain = (owner, content, kind) == (4, 20, elf.NT_GNU_BUILD_ID)
    return section.offset + 16 if is_plain else None
