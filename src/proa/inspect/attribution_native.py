"""Whose the bytes of a C, C++ or Rust program are, by its symbols.

Rust: the crate in the mangled name (v0, or legacy with ``17h`` and a hash). C++: the outermost namespace, or the
class. C: the compile unit, which the symbol table names before its local symbols; a global symbol is of the unit
whose local ones surround it. Demanglers print types; only the first part of the path is wanted here, so it is read
directly. Source: Rust RFC 2603; Itanium C++ ABI 5.1.
"""

from __future__ import annotations

import re
from typing import Any

from proa.inspect.attribution import Layers, Names
from proa.inspect.attribution_go import Function
from proa.outside.elf import Elf, Section
from proa.outside.executables import SymbolTable

_LEGACY = re.compile(r"_ZN.*17h[0-9a-f]{16}E")
_CRATE_V0 = re.compile(r"C(?:s[0-9A-Za-z]*_)?(\d+)_?")
_IMPLEMENTED = re.compile(r"(?:\$LT\$|_\$LT\$|&|mut |dyn |\(|\[|\*const |\*mut )*([A-Za-z_][A-Za-z0-9_]*)(?:\.\.|::)")
_NESTED = re.compile(r"_ZT?[VTISCh]?(?:GV)?(?:h?n?\d+_)?N?[rVK]*")
_STANDARD = {"St": "std", "Sa": "std", "Ss": "std", "Sb": "std", "Si": "std", "So": "std", "Sd": "std"}
_FILE, _FUNCTION, _SECTION = 4, 2, 3
RUNTIME = "(C runtime)"
"""Start-up code and what has neither crate, namespace nor unit."""


def language_of(symbols: SymbolTable | None, elf: Elf) -> str:
    """Say what a program that is not Go was written in; ``unknown`` where nothing tells."""
    comment = elf.section(".comment")
    said = bytes(elf.content(comment)[:4096]) if comment is not None else b""
    if b"rustc" in said or (
        symbols and re.search(rb"\0_R[NI]|17h[0-9a-f]{16}E\0|\0rust_begin_unwind\0", symbols.strings)
    ):
        return "rust"
    if symbols and re.search(rb"\0_Z[NTK]?[A-Z0-9]", symbols.strings):
        return "c++"
    return "c" if said or symbols else "unknown"


def group_of(symbol: str) -> str:
    """Return the crate or the namespace of a mangled name; empty for one that is not mangled.

    >>> group_of("_ZN4core3fmt5write17h0123456789abcdefE"), group_of("_RNvCs1234_7mycrate3foo")
    ('core', 'mycrate')
    >>> group_of("_ZN4YAML6Parser4nextEv"), group_of("_ZNSt6vectorIiE4sizeEv"), group_of("main")
    ('YAML', 'std', '')
    """
    if symbol.startswith("_R"):
        found = _CRATE_V0.search(symbol, 2)
        return symbol[found.end() : found.end() + int(found[1])] if found else ""
    if not symbol.startswith("_Z"):
        return ""
    name = _first_part(symbol)
    if _LEGACY.match(symbol) and not name.isidentifier():
        found = _IMPLEMENTED.search(name.replace("$u20$", " ").replace("$RF$", "&"))
        return found[1] if found else "core"
    return name


def _first_part(symbol: str) -> str:
    start = _NESTED.match(symbol)
    at = start.end() if start else 2
    if symbol[at : at + 2] in _STANDARD:
        return "std"
    digits = re.compile(r"\d+").match(symbol, at)
    if digits is None:
        return ""
    name = symbol[digits.end() : digits.end() + int(digits[0])]
    return name if symbol[at - 1] == "N" or not name.startswith("_GLOBAL__") else ""


def lay_symbols(
    elf: Elf, table: SymbolTable, layers: Layers, names: Names, *, language: str, only_code: bool = False
) -> list[Function]:
    """Lay what the symbols name under what lies there, and return them; data too unless ``only_code``."""
    import numpy as np

    units = _units(table) if language in ("c", "c++", "rust") else None
    found: list[Function] = []
    for section in elf.sections:
        if not section.is_allocated or not section.file_bytes or (only_code and section.name != ".text"):
            continue
        inside = (table.sections > 0) & (table.addresses >= section.address)
        inside &= (table.addresses < section.address + section.size) & (table.sizes > 0) & (table.types < _SECTION)
        rows = np.flatnonzero(inside)
        if not len(rows):
            continue
        rows = rows[np.lexsort((-table.sizes[rows], table.addresses[rows]))]
        texts = [_text(table.strings, at) for at in table.names[rows].tolist()]
        owners, is_sure = _owners(texts, rows, units, table, names)
        starts = table.addresses[rows] - section.address + section.offset
        sizes = np.minimum(table.sizes[rows], section.offset + section.size - starts)
        kind = _kind(section)
        for known, chosen in (("symbols", is_sure), ("inferred", ~is_sure)):
            layers.lay(starts[chosen], (starts + sizes)[chosen], owners[chosen], kind=kind, known=known)
        first = np.diff(starts, prepend=-1) > 0
        rows_of = zip(texts, owners.tolist(), sizes.tolist(), first.tolist(), strict=True)
        found.extend(Function(text, owner, size, kind) for text, owner, size, is_first in rows_of if is_first)
    found.sort(key=lambda one: (-one.size, one.name))
    return found


def _units(table: SymbolTable) -> Any:
    """Return for each symbol the name offset of its unit, the file symbol before it; 0 for global ones."""
    import numpy as np

    files = np.flatnonzero(table.types == _FILE)
    rows = np.arange(len(table.types))
    at = files.searchsorted(rows, side="right") - 1
    return np.where(at >= 0, table.names[files[np.maximum(at, 0)]], 0) if len(files) else np.zeros(len(rows), "i8")


def _owners(texts: list[str], rows: Any, units: Any, table: SymbolTable, names: Names) -> tuple[Any, Any]:
    import numpy as np

    local = _local_rows(table)
    owners, is_sure = np.full(len(rows), -1, "i4"), np.ones(len(rows), bool)
    last = -1
    for place, (text, row) in enumerate(zip(texts, rows.tolist(), strict=True)):
        group = group_of(text)
        if not group and units is not None and row < local and units[row]:
            group = _text(table.strings, int(units[row])).rpartition("/")[2]
            # rustc's own units are called by the crate and a hash.
            group = re.split(r"\.[0-9a-f]{8,}", group)[0]
        if group:
            last = owners[place] = names.package(group)
        else:
            owners[place], is_sure[place] = last, False
    owners[owners == -1] = names.package(RUNTIME)
    return owners, is_sure


def _local_rows(table: SymbolTable) -> int:
    """Return how many symbols come before the first global one: the last file symbol's run ends there."""
    import numpy as np

    return table.locals_count or int(np.flatnonzero(table.types == _FILE).max(initial=0)) + 1


def _kind(section: Section) -> str:
    if section.flags & 4 or section.name in (".text", ".init", ".fini"):
        return "text"
    return "rodata" if section.name.startswith((".rodata", ".data.rel.ro", ".rdata", ".eh_frame", ".const")) else "data"


def _text(strings: bytes, offset: int) -> str:
    end = strings.find(b"\0", offset)
    return strings[offset : end if end >= 0 else offset + 256].decode("utf-8", "replace")
