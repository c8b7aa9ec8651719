"""The tables of an ELF file written: section headers, their names, segments, and the header's fields for them.

Source: System V ABI, chapter 4 (gabi.xinuos.com); layouts as ``proa.outside.elf`` reads them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence

from msgspec.structs import replace

from proa.errors import BinaryDamaged
from proa.outside import elf
from proa.outside.elf import Elf, Section, Segment

_SHT_RELA, _SHT_REL = 4, 9
# Where e_phentsize and e_shentsize are; e_phoff; e_shoff; and in a segment's entry p_offset and p_filesz.
_SIZES_AT = {False: (42, 46), True: (54, 58)}
_SEGMENTS_AT = {False: 28, True: 32}
_SECTIONS_AT = {False: 32, True: 40}
_SEGMENT_FIELDS = {False: (4, 16), True: (8, 32)}


def header_bytes(program: Elf) -> int:
    """Return the size of the ELF header."""
    return 64 if program.is_64 else 52


def segment_bytes(program: Elf) -> int:
    """Return the size of one program header."""
    return 56 if program.is_64 else 32


def section_form(program: Elf) -> struct.Struct:
    """Return the layout of one section header."""
    return struct.Struct(program.order + elf.SECTION_FORMAT[program.is_64])


def has_usual_entries(program: Elf) -> bool:
    """Say whether the entries of both tables have the size that the specification gives them."""
    segment, section = (struct.unpack_from(f"{program.order}H", program.data, at)[0] for at in _SIZES_AT[program.is_64])
    return (not program.segments or segment == segment_bytes(program)) and (
        not program.sections or section == section_form(program).size
    )


def info_is_section(section: Section) -> bool:
    """Say whether a section's ``info`` is the number of another."""
    return bool(section.flags & elf.SHF_INFO_LINK) or section.kind in (_SHT_RELA, _SHT_REL)


def new_section(
    index: int, name: str, kind: int, *, alignment: int = 1, link: int = 0, info: int = 0, entry_size: int = 0
) -> Section:
    """Return the header of a section that is not part of the running program; offset and size are not known yet."""
    return Section(
        index=index,
        name=name,
        name_offset=0,
        kind=kind,
        flags=0,
        address=0,
        offset=0,
        size=0,
        link=link,
        info=info,
        alignment=alignment,
        entry_size=entry_size,
    )


def aligned(offset: int, alignment: int) -> int:
    """Return the next offset that is a multiple of ``alignment``; 0 and 1 ask for nothing."""
    return -(-offset // alignment) * alignment if alignment > 1 else offset


def name_of(program: Elf, section: Section) -> bytes:
    """Return a section's name as the file has it."""
    if not program.names_index:
        return b""
    names = program.content(program.sections[program.names_index])
    return bytes(names[section.name_offset : section.name_offset + 4096]).partition(b"\0")[0]


def names_table(names: Iterable[bytes], start: bytes = b"\0") -> tuple[bytes, dict[bytes, int]]:
    r"""Return a table of names and each one's place, behind what is there already.

    >>> names_table([b".text", b"", b".text"])
    (b'\x00.text\x00', {b'': 0, b'.text': 1})
    """
    table = bytearray(start)
    places = {b"": 0}
    for name in names:
        if name not in places:
            places[name] = len(table)
            table += name + b"\0"
    return bytes(table), places


def named(program: Elf, sections: Sequence[Section], *, keeps_old: bool) -> tuple[list[Section], bytes]:
    """Return sections with their places in a new table of names, and that table.

    ``keeps_old`` leaves what is in the table where it is, and puts new names behind.
    """
    count = len(program.sections)
    start = bytes(program.content(program.sections[program.names_index])) if keeps_old else b"\0"
    names = [name_of(program, s) if s.index < count else s.name.encode() for s in sections]
    table, places = names_table(names, start)
    return [replace(s, name_offset=places[name]) for s, name in zip(sections, names, strict=True)], table


def section_table(program: Elf, sections: Sequence[Section], numbers: dict[int, int]) -> bytes:
    """Return section headers; ``numbers`` are the new ones by the old, for links. What is not there becomes 0."""
    form = section_form(program)
    return b"".join(
        _packed(
            form,
            section.name_offset,
            section.kind,
            section.flags,
            section.address,
            section.offset,
            section.size,
            numbers.get(section.link, 0),
            numbers.get(section.info, 0) if info_is_section(section) else section.info,
            section.alignment,
            section.entry_size,
        )
        for section in sections
    )


def header_fields(program: Elf, table_at: int, count: int, names_index: int) -> Iterator[tuple[int, bytes]]:
    """Yield the fields of the ELF header for a new section table: e_shoff, e_shnum, e_shstrndx."""
    word = "Q" if program.is_64 else "I"
    yield _SECTIONS_AT[program.is_64], _packed(struct.Struct(program.order + word), table_at)
    yield header_bytes(program) - 4, _packed(struct.Struct(f"{program.order}HH"), count, names_index)


def segment_table(program: Elf, place: Callable[[Segment], tuple[int, int]]) -> bytes:
    """Return the program headers with the offset and the bytes in the file that ``place`` gives each."""
    size = segment_bytes(program)
    start = program.segments_offset
    table = bytearray(elf.cut(program.data, start, size * len(program.segments)) if program.segments else b"")
    word = struct.Struct(program.order + ("Q" if program.is_64 else "I"))
    for number, segment in enumerate(program.segments):
        for field, value in zip(_SEGMENT_FIELDS[program.is_64], place(segment), strict=True):
            at = number * size + field
            table[at : at + word.size] = _packed(word, value)
    return bytes(table)


def segments_field(program: Elf, table_at: int) -> tuple[int, bytes]:
    """Return the field of the ELF header that says where the program headers are: e_phoff."""
    return _SEGMENTS_AT[program.is_64], _packed(
        struct.Struct(program.order + ("Q" if program.is_64 else "I")), table_at
    )


def _packed(form: struct.Struct, *values: int) -> bytes:
    """Return fields of a header. Raises BinaryDamaged where an alignment has moved one out of the format's range."""
    try:
        return form.pack(*values)
    except struct.error as error:
        raise BinaryDamaged(
            f"a section or segment would lie beyond what the format can say: {max(values):#x}"
        ) from error
