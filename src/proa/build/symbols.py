"""Symbol tables written: with the new numbers of their sections, or only the symbols that are to stay."""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

import msgspec

from proa.build.headers import new_section
from proa.outside import elf
from proa.outside.elf import Elf, Section

_ABSOLUTE = 0xFFF1
"""SHN_ABS: a symbol that belongs to no section."""
_LOCAL = 0
"""STB_LOCAL. Local symbols come first in a table."""
_FEW = 8
"""So many places of a name are looked up one by one (arbitrary; honest tables have one or two)."""


class Reduced(msgspec.Struct, frozen=True, kw_only=True):
    """A symbol table of few symbols."""

    table: bytes
    strings: bytes
    locals_count: int
    """How many symbols come before the first one that is not local."""
    unmatched: tuple[str, ...]


def entry_bytes(program: Elf) -> int:
    """Return the size of one symbol."""
    return 24 if program.is_64 else 16


def renumbered(program: Elf, section: Section, numbers: Mapping[int, int]) -> bytes | None:
    """Return a symbol table whose section numbers are the new ones; None where none of them changes.

    A symbol of a section that is gone belongs to none. Raises BinaryDamaged.
    """
    size, place = entry_bytes(program), _section_at(program)
    content = program.content(section)
    if len(content) % size:
        return None
    low, high = (place, place + 1) if program.is_little else (place + 1, place)
    pairs = list(zip(bytes(content[low::size]), bytes(content[high::size]), strict=True))
    changed = {
        pair: numbers.get(number, _ABSOLUTE)
        for pair in set(pairs)
        if 0 < (number := pair[0] | pair[1] << 8) < elf.SHN_LORESERVE and numbers.get(number) != number
    }
    if not changed:
        return None
    table = bytearray(content)
    form = struct.Struct(f"{program.order}H")
    for at, pair in enumerate(pairs):
        if pair in changed:
            form.pack_into(table, at * size + place, changed[pair])
    return bytes(table)


def reduced(program: Elf, keep: Sequence[str], numbers: Mapping[int, int], *, file: str = "") -> Reduced:
    """Return the symbols that ``keep`` names, in their order, local ones first; before them one that names ``file``.

    Raises BinaryDamaged.
    """
    size, place = entry_bytes(program), _section_at(program)
    unmatched = dict.fromkeys(keep)
    strings = bytearray(b"\0")
    found: dict[bool, list[bytes]] = {True: [], False: []}
    if file:
        found[True].append(_file_symbol(program, len(strings)))
        strings += file.encode() + b"\0"
    offset, number = struct.Struct(f"{program.order}I"), struct.Struct(f"{program.order}H")
    for table, names in _tables(program):
        matching: set[int] = set()
        for word in keep:
            places = _places(table, names, word.encode(), size=size, form=offset)
            if places:
                unmatched.pop(word, None)
                matching |= places
        for at in sorted(matching):
            symbol = bytearray(table[at : at + size])
            name = _name(names, offset.unpack_from(symbol)[0])
            offset.pack_into(symbol, 0, len(strings))
            old = number.unpack_from(symbol, place)[0]
            if 0 < old < elf.SHN_LORESERVE:
                number.pack_into(symbol, place, numbers.get(old, _ABSOLUTE))
            strings += name + b"\0"
            found[symbol[_info_at(program)] >> 4 == _LOCAL].append(bytes(symbol))
    return Reduced(
        table=b"".join([bytes(size), *found[True], *found[False]]),
        strings=bytes(strings),
        locals_count=1 + len(found[True]),
        unmatched=tuple(unmatched),
    )


def _file_symbol(program: Elf, name: int) -> bytes:
    if program.is_64:
        return struct.pack(f"{program.order}IBBHQQ", name, elf.STT_FILE, 0, _ABSOLUTE, 0, 0)
    return struct.pack(f"{program.order}IIIBBH", name, 0, 0, elf.STT_FILE, 0, _ABSOLUTE)


def _places(table: bytes, names: bytes, word: bytes, *, size: int, form: struct.Struct) -> set[int]:
    """Return where the symbols of a table are that a word names."""
    ends = [] if b"*" in word else list(islice(_occurrences(names, word + b"\0"), _FEW + 1))
    if b"*" not in word and len(ends) <= _FEW:
        # Thousands of times faster than to look at each symbol.
        return {
            at
            for offset in ends
            for at in _occurrences(table, form.pack(offset))
            if at and at % size == 0 and at + size <= len(table)
        }
    parts = word.split(b"*")
    whole = range(size, len(table) - size + 1, size)
    return {at for at in whole if matches(_name(names, form.unpack_from(table, at)[0]), parts)}


def _occurrences(data: bytes, sought: bytes) -> Iterator[int]:
    at = data.find(sought) if len(sought) > 1 else -1
    while at >= 0:
        yield at
        at = data.find(sought, at + 1)


def sections(
    program: Elf, kept: Reduced, *, first_index: int, names: tuple[str, str] = (".symtab", ".strtab")
) -> list[tuple[Section, bytes]]:
    """Return the sections of a reduced table: the symbols, and their names behind them."""
    table = new_section(
        first_index,
        names[0],
        elf.SHT_SYMTAB,
        alignment=8 if program.is_64 else 4,
        link=first_index + 1,
        info=kept.locals_count,
        entry_size=entry_bytes(program),
    )
    return [(table, kept.table), (new_section(first_index + 1, names[1], elf.SHT_STRTAB), kept.strings)]


def matches(name: bytes, parts: Sequence[bytes]) -> bool:
    """Say whether a name, not an empty one, has these parts in this order: a pattern that was split at its ``*``.

    Nothing else is special, because Go's names have brackets in them. Takes time in proportion to the name's length.

    >>> matches(b"main.Map[...].Get", b"main.*.Get".split(b"*")), matches(b"main.x", [b"main"])
    (True, False)
    """
    if len(parts) == 1 or not name:
        return bool(name) and name == parts[0]
    first, *middle, last = parts
    if len(name) < len(first) + len(last) or not name.startswith(first) or not name.endswith(last):
        return False
    at, end = len(first), len(name) - len(last)
    for part in middle:
        found = name.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


def _tables(program: Elf) -> list[tuple[bytes, bytes]]:
    """Return the bytes of the symbol tables and of their names. Raises BinaryDamaged."""
    return [
        (bytes(program.content(section)), bytes(program.content(program.sections[section.link])))
        for section in program.sections
        if section.kind == elf.SHT_SYMTAB and not section.is_allocated and section.link < len(program.sections)
    ]


def _name(names: bytes, offset: int) -> bytes:
    end = names.find(b"\0", offset)
    return names[offset:end] if 0 < offset < end else b""


def _section_at(program: Elf) -> int:
    return 6 if program.is_64 else 14


def _info_at(program: Elf) -> int:
    return 4 if program.is_64 else 12
