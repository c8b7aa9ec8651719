"""Whose the bytes of a C, C++ or Rust program are, by its symbols.

Rust: the crate in the mangled name (v0, or legacy with ``17h`` and a hash). C++: the outermost namespace, or the
class. C: the compile unit: by DWARF, where there is any; else the one that the symbol table names before its local
symbols, and a global symbol is of the unit whose local ones come before it in memory. Demanglers print types; only the
first part of the path is wanted here, so it is read directly. Source: Rust RFC 2603; Itanium C++ ABI 5.1.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from typing import Any

from proa.inspect.attribution import Layers, Names
from proa.inspect.attribution_go import Function
from proa.outside.dwarfunits import Units
from proa.outside.elf import Elf, Section
from proa.outside.executables import SymbolTable
from proa.records.binary_anatomy import KnownBy

_LEGACY = re.compile(r"_ZN.*17h[0-9a-f]{16}E")
_CRATE_V0 = re.compile(r"C(?:s[0-9A-Za-z]*_)?(\d+)_?")
_IMPLEMENTED = re.compile(r"(?:\$LT\$|_\$LT\$|&|mut |dyn |\(|\[|\*const |\*mut )*([A-Za-z_][A-Za-z0-9_]*)(?:\.\.|::)")
_NESTED = re.compile(r"_ZT?[VTISCh]?(?:GV)?(?:h?n?\d+_)?N?[rVK]*")
_STANDARD = {"St": "std", "Sa": "std", "Ss": "std", "Sb": "std", "Si": "std", "So": "std", "Sd": "std"}
_FILE, _FUNCTION, _SECTION = 4, 2, 3
_KNOWN: tuple[KnownBy, ...] = ("symbols", "dwarf", "inferred")
_NO_UNITS = Units()
RUNTIME = "(C runtime)"
"""The start-up code that compilers add."""
UNKNOWN = "(unit not known)"
_RUNTIME_UNITS = frozenset({"crtstuff.c", "crt1.o", "Scrt1.o", "crti.o", "crtn.o", "crti.s", "crtn.s", "abi-note.c"})
_RUNTIME_SYMBOLS = frozenset(
    [
        "_start",
        "_init",
        "_fini",
        "_dl_relocate_static_pie",
        "__libc_csu_init",
        "__libc_csu_fini",
        "_IO_stdin_used",
        "__data_start",
        "data_start",
        "__dso_handle",
    ]
)
"""Source: glibc, csu/; gcc, libgcc/crtstuff.c."""


class UnitNames:
    """The unit of an address by DWARF, called by its file's name, or by its path where two have the same."""

    def __init__(self, units: Units) -> None:
        paths = {name for _, _, name in units.code} | set(units.data.values())
        shared = Counter(path.rpartition("/")[2] for path in paths)
        self._called = {path: path if shared[short := path.rpartition("/")[2]] > 1 else short for path in paths}
        self._starts = [start for start, _, _ in units.code]
        self._units = units

    def of(self, address: int) -> str:
        """Return the unit; empty where DWARF does not say."""
        if name := self._units.data.get(address):
            return self._called[name]
        at = bisect_right(self._starts, address) - 1
        if at < 0 or address >= self._units.code[at][1]:
            return ""
        return self._called[self._units.code[at][2]]


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
    elf: Elf,
    table: SymbolTable,
    layers: Layers,
    names: Names,
    *,
    language: str,
    units: Units = _NO_UNITS,
    only_code: bool = False,
) -> list[Function]:
    """Lay what the symbols name under what lies there, and return them; data too unless ``only_code``.

    ``units`` are those of DWARF.
    """
    import numpy as np

    owning = _Owning(table, names, language, UnitNames(units))
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
        owners, known = owning.of(texts, rows)
        starts = table.addresses[rows] - section.address + section.offset
        sizes = np.minimum(table.sizes[rows], section.offset + section.size - starts)
        kind = _kind(section)
        for number, how in enumerate(_KNOWN):
            chosen = known == number
            layers.lay(starts[chosen], (starts + sizes)[chosen], owners[chosen], kind=kind, known=how)
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


class _Owning:
    """Whose each symbol is: by its mangled name, by DWARF, by the file symbol before it, by its neighbours."""

    def __init__(self, table: SymbolTable, names: Names, language: str, by_dwarf: UnitNames) -> None:
        self._table, self._names, self._by_dwarf = table, names, by_dwarf
        self._units = _units(table) if language in ("c", "c++", "rust") else None
        self._local = _local_rows(table)
        own = {self._file(row) for row in range(min(self._local, len(table.types)))} if language == "c" else set()
        own -= {"", RUNTIME}
        self._only = own.pop() if len(own) == 1 else ""
        """The one unit there is."""

    def of(self, texts: list[str], rows: Any) -> tuple[Any, Any]:
        """Return the owners' numbers, and how each is known, a place in ``_KNOWN``."""
        import numpy as np

        owners, known = np.full(len(rows), -1, "i4"), np.zeros(len(rows), "u1")
        last = self._names.package(self._only or UNKNOWN)
        addresses = self._table.addresses[rows].tolist()
        for place, (text, row, address) in enumerate(zip(texts, rows.tolist(), addresses, strict=True)):
            group, how = self._sure(text, row, address)
            if group:
                owners[place], known[place] = self._names.package(group), how
                last = owners[place] if group != RUNTIME else last
            else:
                owners[place], known[place] = last, _KNOWN.index("inferred")
        return owners, known

    def _sure(self, text: str, row: int, address: int) -> tuple[str, int]:
        if group := group_of(text):
            return group, _KNOWN.index("symbols")
        if group := self._by_dwarf.of(address):
            return group, _KNOWN.index("dwarf")
        if text in _RUNTIME_SYMBOLS:
            return RUNTIME, _KNOWN.index("symbols")
        return (self._file(row) if row < self._local else ""), _KNOWN.index("symbols")

    def _file(self, row: int) -> str:
        if self._units is None or not self._units[row]:
            return ""
        name = _text(self._table.strings, int(self._units[row])).rpartition("/")[2]
        # rustc's own units are called by the crate and a hash.
        name = re.split(r"\.[0-9a-f]{8,}", name)[0]
        return RUNTIME if name in _RUNTIME_UNITS else name


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
