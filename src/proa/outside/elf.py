"""ELF files read: header, segments, sections, notes, the loader they name, symbols.

Nothing in a file is believed: every offset is checked against the file's size, every count is bounded, and what
does not hold raises BinaryDamaged with the offset. Source: System V ABI, chapters 4 and 5 (gabi.xinuos.com).
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from proa.errors import BinaryDamaged, ImageMissing

if TYPE_CHECKING:
    import numpy as np

MAGIC = b"\x7fELF"
ET_EXEC, ET_DYN = 2, 3
PT_LOAD, PT_DYNAMIC, PT_INTERP, PT_NOTE, PT_PHDR = 1, 2, 3, 4, 6
SHT_NULL, SHT_PROGBITS, SHT_SYMTAB, SHT_STRTAB, SHT_NOTE, SHT_NOBITS = 0, 1, 2, 3, 7, 8
SHT_GROUP, SHT_SYMTAB_SHNDX = 17, 18
STT_OBJECT, STT_FUNC, STT_FILE = 1, 2, 4
SHF_ALLOC, SHF_INFO_LINK = 2, 0x40
SHN_UNDEF, SHN_LORESERVE, SHN_XINDEX = 0, 0xFF00, 0xFFFF
NT_GNU_BUILD_ID = 3
MACHINES = {
    "386": (3, False, True),
    "amd64": (62, True, True),
    "arm": (40, False, True),
    "arm64": (183, True, True),
    "loong64": (258, True, True),
    "mips": (8, False, False),
    "mipsle": (8, False, True),
    "mips64": (8, True, False),
    "mips64le": (8, True, True),
    "ppc64": (21, True, False),
    "ppc64le": (21, True, True),
    "riscv64": (243, True, True),
    "s390x": (22, True, False),
}
"""GOARCH: e_machine, 64 bits, little-endian. Source: cmd/link/internal/ld/elf.go, gabi e_machine."""

MOST_SECTIONS = 16_384
"""Honest programs have fewer than 100 (arbitrary, far above)."""
MOST_SEGMENTS = 4_096
_MOST_NAME_BYTES = 4_096
_MOST_NOTES = 1_024


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """One section header."""

    index: int
    name: str
    name_offset: int
    kind: int
    flags: int
    address: int
    offset: int
    size: int
    link: int
    info: int
    alignment: int
    entry_size: int

    @property
    def is_allocated(self) -> bool:
        """Say whether the section is part of the running program."""
        return bool(self.flags & SHF_ALLOC)

    @property
    def file_bytes(self) -> int:
        """Return how many bytes the section has in the file."""
        return 0 if self.kind in (SHT_NULL, SHT_NOBITS) else self.size


class Segment(msgspec.Struct, frozen=True, kw_only=True):
    """One program header."""

    kind: int
    flags: int
    offset: int
    address: int
    file_bytes: int
    memory_bytes: int
    alignment: int


class Note(msgspec.Struct, frozen=True, kw_only=True):
    """One note: whose it is, its type, its content."""

    owner: str
    kind: int
    content: bytes


class Elf(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """An ELF file: its header, tables, and its bytes as a view that copies nothing."""

    data: memoryview
    is_64: bool
    is_little: bool
    kind: int
    """ET_EXEC, ET_DYN, …"""
    machine: int
    """EM_X86_64 = 62 and so on, as the specification numbers them."""
    flags: int
    entry: int
    segments_offset: int
    sections_offset: int
    names_index: int
    """Index of the section that holds the sections' names; 0 where there is none."""
    segments: tuple[Segment, ...]
    sections: tuple[Section, ...]

    @property
    def order(self) -> str:
        """Return the byte order as struct and numpy write it."""
        return "<" if self.is_little else ">"

    def section(self, *names: str) -> Section | None:
        """Return the first section with one of these names, or None."""
        return next((section for section in self.sections if section.name in names), None)

    def content(self, section: Section) -> memoryview:
        """Return a section's bytes in the file; empty for those that have none. Raises BinaryDamaged."""
        # A section without bytes in the file may have an offset behind its end.
        return cut(self.data, section.offset, section.file_bytes) if section.file_bytes else self.data[:0]

    def offset_of(self, address: int) -> int:
        """Return where in the file the byte at a virtual address is. Raises BinaryDamaged."""
        for segment in self.segments:
            if segment.kind == PT_LOAD and segment.address <= address < segment.address + segment.file_bytes:
                return segment.offset + address - segment.address
        raise BinaryDamaged(f"address {address:#x} is in no loaded segment")


def open_elf(file: Path) -> Elf:
    """Map a file and read its tables. Raises BinaryDamaged, ImageMissing."""
    return read_elf(map_file(file))


def map_file(file: Path) -> memoryview:
    """Return a file's bytes as a view that copies nothing. Raises BinaryDamaged where it is empty, ImageMissing."""
    try:
        with file.open("rb") as stream:
            return memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))
    except FileNotFoundError as error:
        raise ImageMissing(f"{file} is not there") from error
    except ValueError as error:
        raise BinaryDamaged(f"{file.name} is empty") from error


def cut(data: memoryview, offset: int, size: int) -> memoryview:
    """Return ``size`` bytes at ``offset``, all of them. Raises BinaryDamaged."""
    if offset < 0 or size < 0 or offset + size > len(data):
        raise BinaryDamaged(f"{size} bytes at offset {offset:#x} are beyond the end of the file ({len(data)} bytes)")
    return data[offset : offset + size]


def string_at(data: memoryview, offset: int, most: int = _MOST_NAME_BYTES) -> str:
    r"""Return the zero-terminated string at ``offset``. Raises BinaryDamaged.

    >>> string_at(memoryview(b"\0.text\0.data\0"), 1)
    '.text'
    """
    if not 0 <= offset < len(data):
        raise BinaryDamaged(f"a string at offset {offset:#x} is outside its table ({len(data)} bytes)")
    text, end, _ = bytes(data[offset : offset + most]).partition(b"\0")
    if not end:
        raise BinaryDamaged(f"the string at offset {offset:#x} does not end within {most} bytes")
    return text.decode("utf-8", "backslashreplace")


def is_elf(file: Path) -> bool:
    """Say whether a file starts as ELF files do."""
    with file.open("rb") as stream:
        return stream.read(len(MAGIC)) == MAGIC


# Layouts after e_ident / of one table entry, for ELF32 and ELF64.
_HEADER = {False: "HHIIIIIHHHHHH", True: "HHIQQQIHHHHHH"}
SECTION_FORMAT = {False: "IIIIIIIIII", True: "IIQQQQIIQQ"}
_SEGMENT = {False: "IIIIIIII", True: "IIQQQQQQ"}
_IDENT_BYTES = 16


def read_elf(data: bytes | memoryview) -> Elf:
    """Read the header and both tables. Raises BinaryDamaged."""
    view = memoryview(data)
    ident = bytes(cut(view, 0, _IDENT_BYTES)) if len(view) >= _IDENT_BYTES else b""
    if not ident.startswith(MAGIC):
        raise BinaryDamaged("the file is not an ELF file: it does not start with \\x7fELF")
    if ident[4] not in (1, 2) or ident[5] not in (1, 2):
        raise BinaryDamaged(f"the ELF header has class {ident[4]} and byte order {ident[5]} at offset 0x4")
    is_64, is_little = ident[4] == 2, ident[5] == 1
    order = "<" if is_little else ">"
    header = struct.Struct(order + _HEADER[is_64])
    kind, machine, _, entry, phoff, shoff, flags, _, phentsize, phnum, shentsize, shnum, shstrndx = header.unpack(
        cut(view, _IDENT_BYTES, header.size)
    )
    raw_sections = _raw_sections(view, order + SECTION_FORMAT[is_64], shoff, shentsize, shnum)
    if shstrndx == SHN_XINDEX and raw_sections:
        shstrndx = raw_sections[0][6]
    if phnum == 0xFFFF and raw_sections:
        phnum = raw_sections[0][7]
    return Elf(
        data=view,
        is_64=is_64,
        is_little=is_little,
        kind=kind,
        machine=machine,
        flags=flags,
        entry=entry,
        segments_offset=phoff,
        sections_offset=shoff,
        names_index=shstrndx,
        segments=_segments(view, order, is_64=is_64, offset=phoff, entry_size=phentsize, count=phnum),
        sections=_sections(view, raw_sections, shstrndx),
    )


def _rows(
    data: memoryview, layout: struct.Struct, offset: int, entry_size: int, count: int
) -> Iterator[tuple[int, ...]]:
    if entry_size < layout.size:
        raise BinaryDamaged(f"entries of the table at offset {offset:#x} have {entry_size} bytes, not {layout.size}")
    table = cut(data, offset, entry_size * count)
    for at in range(0, len(table), entry_size):
        yield layout.unpack_from(table, at)


def _raw_sections(data: memoryview, layout: str, offset: int, entry_size: int, count: int) -> list[tuple[int, ...]]:
    if offset == 0:
        return []
    form = struct.Struct(layout)
    if count == 0:
        # Too many for 16 bits: the number is in the size of the first entry.
        count = next(_rows(data, form, offset, entry_size, 1))[5]
    if count > MOST_SECTIONS:
        raise BinaryDamaged(f"the section table at offset {offset:#x} has {count} entries")
    return list(_rows(data, form, offset, entry_size, count))


def _sections(data: memoryview, rows: list[tuple[int, ...]], names_index: int) -> tuple[Section, ...]:
    if not rows:
        return ()
    if names_index >= len(rows):
        raise BinaryDamaged(f"the sections' names are in section {names_index} of {len(rows)}")
    names = cut(data, rows[names_index][4], rows[names_index][5]) if names_index else None
    return tuple(
        Section(
            index=index,
            name=string_at(names, row[0]) if names is not None else "",
            name_offset=row[0],
            kind=row[1],
            flags=row[2],
            address=row[3],
            offset=row[4],
            size=row[5],
            link=row[6],
            info=row[7],
            alignment=row[8],
            entry_size=row[9],
        )
        for index, row in enumerate(rows)
    )


def _segments(
    data: memoryview, order: str, *, is_64: bool, offset: int, entry_size: int, count: int
) -> tuple[Segment, ...]:
    if offset == 0 or count == 0:
        return ()
    if count > MOST_SEGMENTS:
        raise BinaryDamaged(f"the program header table at offset {offset:#x} has {count} entries")
    segments = []
    for row in _rows(data, struct.Struct(order + _SEGMENT[is_64]), offset, entry_size, count):
        if is_64:
            kind, flags, start, address, _, file_bytes, memory_bytes, alignment = row
        else:
            kind, start, address, _, file_bytes, memory_bytes, flags, alignment = row
        segments.append(
            Segment(
                kind=kind,
                flags=flags,
                offset=start,
                address=address,
                file_bytes=file_bytes,
                memory_bytes=memory_bytes,
                alignment=alignment,
            )
        )
    return tuple(segments)


def interpreter(elf: Elf) -> str:
    """Return the loader the file names (PT_INTERP), or an empty string. Raises BinaryDamaged."""
    for segment in elf.segments:
        if segment.kind == PT_INTERP:
            return string_at(cut(elf.data, segment.offset, segment.file_bytes), 0)
    return ""


def notes(elf: Elf) -> tuple[Note, ...]:
    """Return the notes of the note sections and note segments. Raises BinaryDamaged."""
    # The Go linker's note segment covers its own build id only; the GNU one is in a section alone.
    places = {s.offset: (s.size, s.alignment) for s in elf.sections if s.kind == SHT_NOTE}
    for segment in elf.segments:
        if segment.kind == PT_NOTE:
            places.setdefault(segment.offset, (segment.file_bytes, segment.alignment))
    found: list[Note] = []
    for offset, (size, alignment) in places.items():
        found.extend(_notes(elf, offset, size, 8 if alignment == 8 else 4, room=_MOST_NOTES - len(found)))
    return tuple(found)


def _notes(elf: Elf, offset: int, size: int, alignment: int, *, room: int) -> Iterator[Note]:
    table = cut(elf.data, offset, size)
    header = struct.Struct(elf.order + "III")
    at = 0
    while at + header.size <= len(table):
        if room <= 0:
            raise BinaryDamaged(f"there are too many notes at offset {offset:#x}")
        owner_bytes, content_bytes, kind = header.unpack_from(table, at)
        start = _aligned(at + header.size + owner_bytes, alignment)
        if start + content_bytes > len(table):
            raise BinaryDamaged(f"the note at offset {offset + at:#x} is longer than its table of {size} bytes")
        owner = cut(table, at + header.size, owner_bytes)
        content = cut(table, start, content_bytes)
        if content_bytes > _MOST_NAME_BYTES or owner_bytes > _MOST_NAME_BYTES:
            raise BinaryDamaged(f"a note at offset {offset + at:#x} has {content_bytes} bytes")
        yield Note(owner=bytes(owner).rstrip(b"\0").decode("ascii", "replace"), kind=kind, content=bytes(content))
        at = _aligned(start + content_bytes, alignment)
        room -= 1


def _aligned(offset: int, alignment: int) -> int:
    return -(-offset // alignment) * alignment


def build_id(elf: Elf) -> str:
    """Return the GNU build-id in hexadecimal, or an empty string. Raises BinaryDamaged."""
    for note in notes(elf):
        if note.owner == "GNU" and note.kind == NT_GNU_BUILD_ID:
            return note.content.hex()
    return ""


def symbol_type(elf: Elf) -> Any:
    """Return the numpy type of one symbol: name, info, other, section, value, size.

    The fields are named alike for both classes; only their order in the file differs.
    """
    import numpy as np

    word = f"{elf.order}u{8 if elf.is_64 else 4}"
    name, tail = ("name", f"{elf.order}u4"), [("info", "u1"), ("other", "u1"), ("section", f"{elf.order}u2")]
    numbers = [("value", word), ("size", word)]
    return np.dtype([name, *tail, *numbers] if elf.is_64 else [name, *numbers, *tail])


def symbols(elf: Elf, section: Section) -> np.ndarray[Any, Any]:
    """Return a symbol table as an array over the file itself, nothing copied. Raises BinaryDamaged."""
    import numpy as np

    form = symbol_type(elf)
    content = elf.content(section)
    return np.frombuffer(content[: len(content) - len(content) % form.itemsize], dtype=form)
