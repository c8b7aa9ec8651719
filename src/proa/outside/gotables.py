"""Go's function table taken apart: which of its bytes serve which function.

Every piece is an offset in the table and the function that refers to it; a piece ends where the next one of its part
starts. Layout: see ``gobinary``. The data behind the table (``go:func.*`` and findfunctab) is in the same section
from Go 1.26 on, and in .rodata before. Source: src/cmd/link/internal/ld/pcln.go of Go.
"""

from __future__ import annotations

import struct
from typing import Any

import msgspec

from proa.errors import BinaryDamaged
from proa.outside.elf import Section, cut
from proa.outside.gobinary import GoBinary

_RECORD_BYTES = 44
_NOTHING = 0xFFFFFFFF
BUCKET_BYTES = 4096
"""Of code that one entry of findfunctab, 20 bytes, is for."""
BUCKET_ENTRY_BYTES = 20
_MOST_TABLES = 64
"""Kinds of pcdata or funcdata (Go 1.26 has 5 and 9)."""


class Parts(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The function table's parts, as offsets in the file, and who refers to what in them."""

    section: Section
    names: tuple[int, int]
    """Start and end of the functions' names, each with its final zero."""
    units: tuple[int, int]
    files: tuple[int, int]
    pcs: tuple[int, int]
    functions: tuple[int, int]
    end: int
    """Just behind the last function's record."""
    records: Any
    """Where each function's record starts, by function."""
    unit_of: Any
    """Which four-byte entry of the units each function's file numbers count from."""
    pc_starts: Any
    pc_functions: Any
    data_starts: Any
    """Offsets in ``go:func.*``."""
    data_functions: Any


def read_parts(binary: GoBinary) -> Parts:
    """Take the table apart. Raises BinaryDamaged."""
    import numpy as np

    section = binary.elf.section(".gopclntab", ".data.rel.ro.gopclntab")
    if section is None:
        raise BinaryDamaged("the program has no .gopclntab: it was not linked by Go")
    table = binary.elf.content(section)
    word = "Q" if binary.pointer_bytes == 8 else "I"
    names, units, files, pcs, functions = struct.unpack(
        f"{binary.elf.order}5{word}", cut(table, 8 + 3 * binary.pointer_bytes, 5 * binary.pointer_bytes)
    )
    bounds = (names, units, files, pcs, functions, len(table))
    if sorted(bounds) != list(bounds):
        raise BinaryDamaged(f"the parts of the function table at offset {section.offset:#x} are out of order")
    rows = np.frombuffer(cut(table, functions, (2 * binary.count + 1) * 4), f"{binary.elf.order}u4")
    records = functions + rows[1 : 2 * binary.count : 2].astype("i8")
    if int(records.max()) + _RECORD_BYTES > len(table):
        raise BinaryDamaged("a function's record is outside the function table")
    words: Any = np.ndarray((len(table) - 3,), f"{binary.elf.order}u4", table, strides=(1,))
    octets = np.frombuffer(table, "u1")
    pcdata, funcdata = words[records + 28].astype("i8"), octets[records + _RECORD_BYTES - 1].astype("i8")
    if int(pcdata.max()) > _MOST_TABLES or int(funcdata.max()) > _MOST_TABLES:
        raise BinaryDamaged("a function's record claims too many tables")
    numbers = np.arange(binary.count)
    pc_starts, pc_functions = _columns(words, [(records + 16 + 4 * i, numbers) for i in range(3)])
    more = [
        (records[pcdata > i] + _RECORD_BYTES + 4 * i, numbers[pcdata > i]) for i in range(int(pcdata.max(initial=0)))
    ]
    more_starts, more_functions = _columns(words, more)
    base = records + _RECORD_BYTES + 4 * pcdata
    data = [(base[funcdata > i] + 4 * i, numbers[funcdata > i]) for i in range(int(funcdata.max(initial=0)))]
    data_starts, data_functions = _columns(words, data)
    pc_starts, pc_functions = np.concatenate([pc_starts, more_starts]), np.concatenate([pc_functions, more_functions])
    used = (pc_starts > 0) & (pc_starts < functions - pcs)
    last = int(records.argmax())
    end = int(records[last] + _RECORD_BYTES + 4 * (pcdata[last] + funcdata[last]))
    at = section.offset
    return Parts(
        section=section,
        names=(at + names, at + units),
        units=(at + units, at + files),
        files=(at + files, at + pcs),
        pcs=(at + pcs, at + functions),
        functions=(at + functions, at + functions + rows.nbytes),
        end=at + min(end, len(table)),
        records=records + at,
        unit_of=words[records + 32].astype("i8"),
        pc_starts=pc_starts[used],
        pc_functions=pc_functions[used],
        data_starts=data_starts,
        data_functions=data_functions,
    )


def _columns(words: Any, places: list[tuple[Any, Any]]) -> tuple[Any, Any]:
    import numpy as np

    if not places:
        return np.empty(0, "i8"), np.empty(0, "i8")
    at, numbers = (np.concatenate(column) for column in zip(*places, strict=True))
    inside = at < len(words)
    values = words[at[inside]].astype("i8")
    used = values != _NOTHING
    return values[used], numbers[inside][used]


class Module(msgspec.Struct, frozen=True, kw_only=True):
    """What the runtime knows of where things are (``runtime.firstmoduledata``): addresses, 0 where unknown."""

    findfunctab: int = 0
    types: int = 0
    types_end: int = 0
    rodata: int = 0
    funcdata: int = 0
    """``go:func.*``."""
    tables_end: int = 0
    """``runtime.epclntab``, from Go 1.26 on."""
    text: int = 0
    """``runtime.text``; behind the start of .text where C is linked in."""


_FINDFUNC, _LOWEST, _TEXT, _TYPES = 19, 20, 22, 37
"""Indices of words in moduledata, the same in Go 1.20 to 1.26. Source: src/runtime/symtab.go."""


def read_module(binary: GoBinary, words_of: Any) -> Module:
    """Find moduledata by its first word, the address of the function table, and its check on the first function.

    ``words_of`` gives a section's content as words, relocations applied.
    """
    import numpy as np

    section = binary.elf.section(".gopclntab", ".data.rel.ro.gopclntab")
    first = int(binary.entries[0]) - binary.text_address
    for place in binary.elf.sections:
        if section is None or not place.is_allocated or not place.file_bytes or place.name in (".text", section.name):
            continue
        words = words_of(place)
        for at in np.flatnonzero(words == section.address).tolist():
            if at + 42 < len(words) and int(words[at + _LOWEST]) - int(words[at + _TEXT]) == first:
                types, types_end, rodata, funcdata, end = (int(words[at + _TYPES + i]) for i in range(5))
                after = section.address <= end <= section.address + section.size
                return Module(
                    findfunctab=int(words[at + _FINDFUNC]),
                    types=types,
                    types_end=types_end,
                    rodata=rodata,
                    funcdata=funcdata,
                    tables_end=end if after else 0,
                    text=int(words[at + _TEXT]),
                )
    return Module()
