"""Compile units of C, C++ and Rust programs, from DWARF: which addresses of code and data each unit made.

Only the first level of each unit is read: its name and ranges, and the variables that have an address.
Source: DWARF 5, 3.1.1 "Full and Partial Compilation Unit Entries", 4.1 "Data Object Entries".
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import msgspec

_MOST_BYTES = 256 << 20
"""Of ``.debug_info``: more takes minutes (arbitrary; a browser's has 4 GB, PostgreSQL's 20 MB)."""
_MOST_ENTRIES = 400_000
"""Read in all, which takes about ten seconds; what comes after has no unit by DWARF (arbitrary)."""
_OP_ADDR = 3
_FORM_IS_LENGTH = ("data", "udata", "sdata", "implicit")


class Units(msgspec.Struct, frozen=True, kw_only=True):
    """What DWARF says of compile units; addresses as the program is linked."""

    code: tuple[tuple[int, int, str], ...] = ()
    """Start, end and unit of each range, ascending."""
    data: dict[int, str] = {}
    """The unit of each variable, by its address."""


def read_units(file: Path) -> Units:
    """Return the compile units of an ELF file, a split debug file too; none where it has no DWARF that can be read."""
    from elftools.elf.elffile import ELFFile

    code: list[tuple[int, int, str]] = []
    data: dict[int, str] = {}
    try:
        with file.open("rb") as stream:
            elf = ELFFile(stream)
            section = elf.get_section_by_name(".debug_info")
            if section is None or section.data_size > _MOST_BYTES:
                return Units()
            _collect(elf.get_dwarf_info(follow_links=False), elf.elfclass // 8, code, data)
    except Exception:  # noqa: BLE001 - a library that meets damaged tables raises whatever it runs into
        return Units(code=tuple(sorted(code)), data=data)
    return Units(code=tuple(sorted(code)), data=data)


def _collect(dwarf: Any, word: int, code: list[tuple[int, int, str]], data: dict[int, str]) -> None:
    ranges = dwarf.range_lists()
    left = _MOST_ENTRIES
    for unit in dwarf.iter_CUs():
        top = unit.get_top_DIE()
        name = _name(top)
        if not name:
            continue
        code += [(start, end, name) for start, end in _ranges(top, unit, ranges) if 0 < start < end]
        for child in top.iter_children():
            left -= 1
            if child.tag == "DW_TAG_variable" and (address := _address(child, word)):
                data.setdefault(address, name)
            if left <= 0:
                return


def _name(entry: Any) -> str:
    """Return a unit's name, relative to where it was compiled, without what only that machine knows."""
    found = entry.attributes.get("DW_AT_name")
    return found.value.decode("utf-8", "replace").removeprefix("./") if found is not None else ""


def _ranges(top: Any, unit: Any, lists: Any) -> list[tuple[int, int]]:
    attributes = top.attributes
    low, high = attributes.get("DW_AT_low_pc"), attributes.get("DW_AT_high_pc")
    if low is not None and high is not None:
        is_length = high.form.removeprefix("DW_FORM_").startswith(_FORM_IS_LENGTH)
        return [(low.value, low.value + high.value if is_length else high.value)]
    listed = attributes.get("DW_AT_ranges")
    if listed is None or lists is None:
        return []
    base = low.value if low is not None else 0
    found = []
    for one in lists.get_range_list_at_offset(listed.value, cu=unit):
        if hasattr(one, "base_address"):
            base = one.base_address
        else:
            at = 0 if getattr(one, "is_absolute", False) else base
            found.append((at + one.begin_offset, at + one.end_offset))
    return found


def _address(variable: Any, word: int) -> int:
    """Return where a variable is; 0 where it has no fixed address."""
    where = variable.attributes.get("DW_AT_location")
    if where is None or not isinstance(where.value, list) or len(where.value) != 1 + word:
        return 0
    order: Literal["little", "big"] = "little" if variable.cu.structs.little_endian else "big"
    return int.from_bytes(bytes(where.value[1:]), order) if where.value[0] == _OP_ADDR else 0
