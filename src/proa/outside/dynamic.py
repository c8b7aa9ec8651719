"""What an ELF file tells the loader: the libraries it needs, where to look for them, the names it takes from them.

Nothing in a file is believed; what does not hold raises BinaryDamaged with the offset.
Source: System V ABI, chapter 5, "Dynamic Section"; elf.h of glibc for the GNU tags.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator

import msgspec

from proa.errors import BinaryDamaged
from proa.outside.elf import (
    PT_DYNAMIC,
    PT_LOAD,
    SHN_UNDEF,
    SHT_PROGBITS,
    SHT_STRTAB,
    SHT_SYMTAB,
    Elf,
    Section,
    cut,
    interpreter,
    string_at,
)

DT_NULL, DT_NEEDED, DT_STRTAB, DT_STRSZ, DT_SONAME, DT_RPATH, DT_RUNPATH = 0, 1, 5, 10, 14, 15, 29
DT_FLAGS_1 = 0x6FFFFFFB
DF_1_NODEFLIB, DF_1_PIE = 0x800, 0x08000000
_SHT_DYNSYM = 11
_MOST_ENTRIES = 65_536
_MOST_LIBRARIES = 1_024
_MOST_SYMBOLS = 500_000
"""Of a symbol table; Chromium's has some 100,000 (arbitrary)."""
_MOST_NAMES_BYTES = 32 << 20
_MOST_NAME_BYTES = 4_096
_MOST_PLACES = 256
"""Sections that are searched for a text; programs have some ten (arbitrary)."""


class Dynamic(msgspec.Struct, frozen=True, kw_only=True):
    """What one file says to the loader."""

    interpreter: str = ""
    needed: tuple[str, ...] = ()
    """DT_NEEDED, in order, each once."""
    soname: str = ""
    rpath: tuple[str, ...] = ()
    """DT_RPATH, as it is written; the loader takes it only where there is no ``runpath``."""
    runpath: tuple[str, ...] = ()
    has_no_default: bool = False
    """DF_1_NODEFLIB: the loader's default folders are not searched."""
    is_pie: bool = False
    """DF_1_PIE: a program, although its type is that of a library."""
    is_dynamic: bool = False
    """There is a dynamic section at all."""


def read_dynamic(elf: Elf) -> Dynamic:
    """Return what a file says to the loader; all empty for a static one. Raises BinaryDamaged."""
    entries = list(_entries(elf))
    values: dict[int, int] = {}
    for tag, value in entries:
        values.setdefault(tag, value)
    names = _Names(elf, values)
    needed = [value for tag, value in entries if tag == DT_NEEDED]
    if len(needed) > _MOST_LIBRARIES:
        raise BinaryDamaged(f"the file names {len(needed)} shared libraries")
    flags = values.get(DT_FLAGS_1, 0)
    return Dynamic(
        interpreter=interpreter(elf),
        needed=tuple(dict.fromkeys(names.at(value) for value in needed)),
        soname=names.of(DT_SONAME),
        rpath=_folders(names.of(DT_RPATH)),
        runpath=_folders(names.of(DT_RUNPATH)),
        has_no_default=bool(flags & DF_1_NODEFLIB),
        is_pie=bool(flags & DF_1_PIE),
        is_dynamic=bool(entries),
    )


def _folders(text: str) -> tuple[str, ...]:
    return tuple(folder for folder in text.split(":") if folder)


def _entries(elf: Elf) -> Iterator[tuple[int, int]]:
    layout = struct.Struct(elf.order + ("qQ" if elf.is_64 else "iI"))
    for segment in elf.segments:
        if segment.kind != PT_DYNAMIC:
            continue
        table = cut(elf.data, segment.offset, segment.file_bytes)
        for number in range(len(table) // layout.size):
            tag, value = layout.unpack_from(table, number * layout.size)
            if tag == DT_NULL:
                return
            if number >= _MOST_ENTRIES:
                raise BinaryDamaged(f"the dynamic section at offset {segment.offset:#x} does not end")
            yield tag, value
        return


class _Names:
    """The table of names that the dynamic section refers to."""

    def __init__(self, elf: Elf, values: dict[int, int]) -> None:
        self._elf = elf
        self._values = values

    def of(self, tag: int) -> str:
        """Return the name a tag refers to; empty where the file has none."""
        return self.at(self._values[tag]) if tag in self._values else ""

    def at(self, offset: int) -> str:
        if DT_STRTAB not in self._values:
            raise BinaryDamaged("the file names shared libraries but has no table of their names")
        start = self._elf.offset_of(self._values[DT_STRTAB])
        size = self._values.get(DT_STRSZ)
        if size is not None and offset >= size:
            raise BinaryDamaged(f"a name at offset {offset:#x} is outside its table ({size} bytes)")
        return string_at(self._elf.data, start + offset)


def imported_names(elf: Elf) -> frozenset[str]:
    """Return the names of the symbols that a file takes from others. Raises BinaryDamaged."""
    return frozenset(_symbol_names(elf, _SHT_DYNSYM, are_imported=True))


def defined_names(elf: Elf) -> frozenset[str]:
    """Return the names of the symbols that a file has itself, those for debuggers included; empty when stripped.

    Raises BinaryDamaged.
    """
    return frozenset(_symbol_names(elf, SHT_SYMTAB, are_imported=False))


def _symbol_names(elf: Elf, kind: int, *, are_imported: bool) -> Iterator[str]:
    section = next((one for one in elf.sections if one.kind == kind), None)
    if section is None or not 0 < section.link < len(elf.sections):
        return
    strings = _strings(elf, elf.sections[section.link])
    layout = struct.Struct(elf.order + ("IBBHQQ" if elf.is_64 else "IIIBBH"))
    content = elf.content(section)
    if len(content) // layout.size > _MOST_SYMBOLS:
        raise BinaryDamaged(f"the symbol table at offset {section.offset:#x} has {len(content) // layout.size} entries")
    left = _MOST_NAMES_BYTES
    for row in layout.iter_unpack(content[: len(content) - len(content) % layout.size]):
        if (row[3 if elf.is_64 else 5] == SHN_UNDEF) is not are_imported or not row[0]:
            continue
        end = strings.find(b"\0", row[0], row[0] + _MOST_NAME_BYTES)
        if row[0] >= len(strings) or end < 0:
            if kind == SHT_SYMTAB:
                # C++ has longer names; none of those that are looked for is.
                continue
            raise BinaryDamaged(f"a symbol's name at {row[0]:#x} is outside the table at {section.offset:#x}")
        left -= end - row[0]
        if left < 0:
            raise BinaryDamaged(f"the symbols at offset {section.offset:#x} have more than {_MOST_NAMES_BYTES} bytes")
        yield strings[row[0] : end].decode("utf-8", "backslashreplace")


def _strings(elf: Elf, section: Section) -> bytes:
    if section.kind != SHT_STRTAB:
        raise BinaryDamaged(f"section {section.index} should hold symbols' names and is of type {section.kind}")
    return bytes(elf.content(section)[: 2 * _MOST_NAMES_BYTES])


def holds_text(elf: Elf, text: bytes) -> bool:
    """Say whether a program has bytes among what it runs and reads: not in names, nor in what is for debuggers.

    Nothing is copied where the file is mapped. Raises BinaryDamaged.
    """
    places = [(one.offset, one.size) for one in elf.sections if one.kind == SHT_PROGBITS and one.is_allocated]
    if not places:
        places = [(one.offset, one.file_bytes) for one in elf.segments if one.kind == PT_LOAD]
    return any(find_bytes(elf, text, offset, size) >= 0 for offset, size in places[:_MOST_PLACES])


def find_bytes(elf: Elf, text: bytes, offset: int, size: int) -> int:
    """Return where bytes are within a part of the file; below 0 where they are not. Raises BinaryDamaged."""
    part = cut(elf.data, offset, size)
    whole = elf.data.obj
    if isinstance(whole, (mmap.mmap, bytes)) and len(whole) == len(elf.data):
        return whole.find(text, offset, offset + size)
    return offset + at if (at := bytes(part).find(text)) >= 0 else -1
