"""Mach-O files (macOS) read into the shape of ELF ones: sections, segments, symbols.

Sections get the names that Go gives them in ELF files (``__TEXT,__text`` is ``.text``), so that whoever reads one
reads the other. Bounded as ``elf`` is. Source: mach-o/loader.h and mach-o/nlist.h of Apple's open source (cctools).
"""

from __future__ import annotations

import struct
from typing import Any

from proa.errors import BinaryDamaged
from proa.outside.elf import ET_EXEC, PT_LOAD, SHF_ALLOC, SHT_NOBITS, SHT_PROGBITS, Elf, Section, Segment, cut

MAGICS = (b"\xcf\xfa\xed\xfe", b"\xce\xfa\xed\xfe")
FAT_MAGICS = (b"\xca\xfe\xba\xbe", b"\xca\xfe\xba\xbf")
_LC_SEGMENT, _LC_SYMTAB, _LC_SEGMENT_64 = 0x1, 0x2, 0x19
_MOST_COMMANDS = 4_096
_MOST_SECTIONS = 256
_MACHINES = {7: 3, 0x01000007: 62, 12: 40, 0x0100000C: 183}
"""CPU_TYPE_* to EM_*."""
_ZERO_FILL = (1, 12, 18)
_SEGMENT = {False: "16sIIIIIIII", True: "16sQQQQIIII"}
_SECTION = {False: "16s16sIIIIIIIII", True: "16s16sQQIIIIIIII"}


def read_macho(data: memoryview) -> tuple[Elf, tuple[int, int, int, int]]:
    """Return the file, and offset and number of its symbols, offset and bytes of their names. Raises BinaryDamaged."""
    is_64 = bytes(data[:4]) == MAGICS[0]
    header = 32 if is_64 else 28
    _, cpu, _, _, count, size, flags = struct.unpack("<IIIIIII", cut(data, 0, 28))
    if count > _MOST_COMMANDS:
        raise BinaryDamaged(f"the Mach-O header at offset 0x10 claims {count} load commands")
    commands = cut(data, header, size)
    sections: list[Section] = []
    segments: list[Segment] = []
    symbols = (0, 0, 0, 0)
    at = 0
    for _ in range(count):
        command, length = struct.unpack("<II", cut(commands, at, 8))
        if length < 8:
            raise BinaryDamaged(f"the load command at offset {header + at:#x} has {length} bytes")
        body = cut(commands, at + 8, length - 8)
        if command == (_LC_SEGMENT_64 if is_64 else _LC_SEGMENT):
            _read_segment(body, segments, sections, is_64=is_64, at=header + at)
        elif command == _LC_SYMTAB:
            symbols = struct.unpack("<IIII", cut(body, 0, 16))
        at += length
    for section in sections:
        cut(data, section.offset, section.file_bytes)
    return Elf(
        data=data,
        is_64=is_64,
        is_little=True,
        kind=ET_EXEC,
        machine=_MACHINES.get(cpu, 0),
        flags=flags,
        entry=0,
        segments_offset=header,
        sections_offset=header,
        names_index=0,
        segments=tuple(segments),
        sections=tuple(sections),
    ), symbols


def _read_segment(body: memoryview, segments: list[Segment], sections: list[Section], *, is_64: bool, at: int) -> None:
    form = struct.Struct("<" + _SEGMENT[is_64])
    name, address, memory, offset, file_bytes, _, protection, count, _ = form.unpack(cut(body, 0, form.size))
    if count > _MOST_SECTIONS:
        raise BinaryDamaged(f"the segment at offset {at:#x} claims {count} sections")
    is_loaded = not name.startswith((b"__DWARF", b"__LINKEDIT", b"__PAGEZERO"))
    if is_loaded:
        segments.append(
            Segment(
                kind=PT_LOAD,
                flags=protection,
                offset=offset,
                address=address,
                file_bytes=file_bytes,
                memory_bytes=memory,
                alignment=0,
            )
        )
    row = struct.Struct("<" + _SECTION[is_64])
    for number in range(count):
        values: tuple[Any, ...] = row.unpack(cut(body, form.size + number * row.size, row.size))
        own, _, start, size, place, alignment, _, _, flags = values[:9]
        sections.append(
            Section(
                index=len(sections),
                name=_name(own),
                name_offset=0,
                kind=SHT_NOBITS if flags & 0xFF in _ZERO_FILL else SHT_PROGBITS,
                flags=SHF_ALLOC if is_loaded else 0,
                address=start,
                offset=place,
                size=size,
                link=0,
                info=0,
                alignment=1 << min(alignment, 32),
                entry_size=0,
            )
        )


def _name(raw: bytes) -> str:
    """Return a section's name as ELF files of Go have it.

    >>> _name(b"__gopclntab" + bytes(5)), _name(b"__go_buildinfo" + bytes(2)), _name(b"__zdebug_line")
    ('.gopclntab', '.go.buildinfo', '.zdebug_line')
    """
    name = raw.rstrip(b"\0").decode("ascii", "backslashreplace").removeprefix("__")
    return "." + (name.replace("_", ".", 1) if name.startswith("go_") else name)
