"""PE files (Windows) read into the shape of ELF ones: sections, segments, symbols.

Bounded as ``elf`` is. Addresses are with the image's preferred base. Source: Microsoft's "PE Format".
"""

from __future__ import annotations

import struct

from proa.errors import BinaryDamaged
from proa.outside.elf import ET_EXEC, PT_LOAD, SHF_ALLOC, SHT_NOBITS, SHT_PROGBITS, Elf, Section, Segment, cut

MAGIC = b"MZ"
_MOST_SECTIONS = 4_096
_MACHINES = {0x14C: 3, 0x8664: 62, 0x1C4: 40, 0xAA64: 183}
"""IMAGE_FILE_MACHINE_* to EM_*."""
_PE32, _PE32_PLUS = 0x10B, 0x20B
_DISCARDABLE = 0x02000000
_SECTION = struct.Struct("<8sIIIIIIHHI")
SYMBOL_BYTES = 18


def read_pe(data: memoryview) -> tuple[Elf, tuple[int, int]]:
    """Return the file, and offset and number of its symbols. Raises BinaryDamaged."""
    (start,) = struct.unpack("<I", cut(data, 0x3C, 4))
    if bytes(cut(data, start, 4)) != b"PE\0\0":
        raise BinaryDamaged(f"there is no PE header at offset {start:#x}: it is a DOS program or cut short")
    machine, count, _, symbols, symbol_count, optional, flags = struct.unpack("<HHIIIHH", cut(data, start + 4, 20))
    if count > _MOST_SECTIONS:
        raise BinaryDamaged(f"the PE header at offset {start:#x} claims {count} sections")
    header = cut(data, start + 24, optional)
    (magic,) = struct.unpack("<H", cut(header, 0, 2))
    if magic not in (_PE32, _PE32_PLUS):
        raise BinaryDamaged(f"the optional header at offset {start + 24:#x} has the unknown magic {magic:#x}")
    is_64 = magic == _PE32_PLUS
    (base,) = struct.unpack("<Q", cut(header, 24, 8)) if is_64 else struct.unpack("<I", cut(header, 28, 4))
    names = data[symbols + symbol_count * SYMBOL_BYTES :] if symbols else data[:0]
    sections: list[Section] = []
    for number in range(count):
        row = _SECTION.unpack(cut(data, start + 24 + optional + number * _SECTION.size, _SECTION.size))
        sections.append(_section(row, number, base=base, names=names))
    for section in sections:
        cut(data, section.offset, section.file_bytes)
    return Elf(
        data=data,
        is_64=is_64,
        is_little=True,
        kind=ET_EXEC,
        machine=_MACHINES.get(machine, 0),
        flags=flags,
        entry=0,
        segments_offset=start,
        sections_offset=start + 24 + optional,
        names_index=0,
        segments=tuple(_segment(section) for section in sections if section.is_allocated),
        sections=tuple(sections),
    ), (symbols, symbol_count)


def _section(
    row: tuple[bytes, int, int, int, int, int, int, int, int, int], index: int, *, base: int, names: memoryview
) -> Section:
    raw, memory, address, size, offset, *_, flags = row
    name = raw.rstrip(b"\0").decode("ascii", "backslashreplace")
    if name.startswith("/") and name[1:].isdigit():
        # Longer than 8 bytes: in the table of the symbols' names.
        name = bytes(names[int(name[1:]) : int(name[1:]) + 64]).partition(b"\0")[0].decode("ascii", "replace") or name
    is_debug = bool(flags & _DISCARDABLE) or name.startswith((".debug_", ".zdebug_", ".symtab"))
    return Section(
        index=index,
        name=name,
        name_offset=0,
        kind=SHT_PROGBITS if size else SHT_NOBITS,
        flags=0 if is_debug else SHF_ALLOC,
        address=base + address,
        offset=offset,
        size=size or memory,
        link=0,
        info=0,
        alignment=1,
        entry_size=0,
    )


def _segment(section: Section) -> Segment:
    return Segment(
        kind=PT_LOAD,
        flags=0,
        offset=section.offset,
        address=section.address,
        file_bytes=section.file_bytes,
        memory_bytes=section.size,
        alignment=0,
    )
