"""A linked Go program read: its functions, where each instruction comes from, its data symbols.

All of it comes from the table the Go runtime itself needs for stack traces (``.gopclntab``), which is there in
stripped programs too; data symbols need the ELF symbol table. Understood is the layout of Go 1.20 and later; an
older or unknown one raises BinaryDamaged, and so does every offset that leads outside the file.

    pcHeader: magic u32 · 0 0 · instruction size u8 · pointer size u8 · 8 words: number of functions, of files,
              start of text (0 from Go 1.26), offsets of function names, of compilation units, of file names,
              of the pc tables, of the functions
    functions: (entry - text u32, offset of its record u32) each, sorted by entry; then the end of text
    record: 11 words (see ``_RECORD``), then offsets of pcdata tables, then offsets of funcdata
    pc table: pairs of varints (change of value, zigzag; change of pc), ends with a change of value of 0
    inline tree: 16 bytes each: kind u8, 3 unused, name i32, pc of the call in the parent i32, first line i32

Source: src/runtime/symtab.go, symtabinl.go, src/internal/abi/symtab.go and src/cmd/link/internal/ld/pcln.go of Go.
"""

from __future__ import annotations

import re
import struct
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from proa.errors import BinaryDamaged
from proa.outside.elf import Elf, cut, open_elf, string_at, symbols

MAGIC_GO_1_20 = 0xFFFFFFF1
_HEADER_BYTES = 8
_MOST_FUNCTIONS = 8_000_000
"""A hundred times those of the largest program tried (arbitrary)."""
_RECORD = "IiiIIIIIIiBBBB"
"""entry, name, arguments, deferreturn, pcsp, pcfile, pcln, npcdata, unit, first line, id, flag, 0, nfuncdata."""
_RECORD_BYTES = 44
_PCDATA_INLINE_INDEX = 2
_FUNCDATA_INLINE_TREE = 3
_INLINED_BYTES = 16
_MOST_TREE_BYTES = 1 << 20
"""More than the calls inlined into any one function take (arbitrary)."""
_NOTHING = 0xFFFFFFFF
_MOST_INLINED = 200
"""Depth at which a chain of inlined calls is taken for a loop (arbitrary; the compiler's own stay below 50)."""


class Frame(msgspec.Struct, frozen=True):
    """One call on the logical stack of an instruction."""

    function: str
    file: str
    """As the compiler wrote it: ``example.com/shop/main.go`` under -trimpath."""
    line: int


class DataSymbol(msgspec.Struct, frozen=True):
    """A named piece of data."""

    address: int
    size: int


class GoBinary:
    """One Go program, mapped: functions by number (in the order of their addresses), lines, symbols."""

    def __init__(self, elf: Elf) -> None:
        self.elf = elf
        section = elf.section(".gopclntab", ".data.rel.ro.gopclntab")
        if section is None:
            raise BinaryDamaged("the program has no .gopclntab: it was not linked by Go")
        self._table = elf.content(section)
        magic, pad1, pad2, _, self.pointer_bytes = struct.unpack(
            elf.order + "IBBBB", cut(self._table, 0, _HEADER_BYTES)
        )
        if magic != MAGIC_GO_1_20 or pad1 or pad2 or self.pointer_bytes not in (4, 8):
            raise BinaryDamaged(
                f"its function table has the unknown format {magic:#x} (known: that of Go 1.20 and later)"
            )
        word = "Q" if self.pointer_bytes == 8 else "I"
        header = struct.Struct(f"{elf.order}8{word}")
        count, _, start, self._names, self._units, self._files, self._pcs, self._functions = header.unpack(
            cut(self._table, _HEADER_BYTES, header.size)
        )
        if not 0 < count <= _MOST_FUNCTIONS:
            raise BinaryDamaged(f"its function table claims {count} functions")
        for offset in (self._names, self._units, self._files, self._pcs, self._functions):
            cut(self._table, offset, 0)
        self.count: int = count
        text = elf.section(".text")
        self.text_address = self._symbol_address("runtime.text") or start or (text.address if text else 0)
        if self.text_address >> 62:
            raise BinaryDamaged(f"its code is at the address {self.text_address:#x}")
        self._tables: dict[int, tuple[list[int], list[int]]] = {}

    def move_text(self, address: int) -> None:
        """Take another address for the start of Go's code, as moduledata has it."""
        self.text_address = address
        self.__dict__.pop("entries", None)

    # Functions

    @cached_property
    def _rows(self) -> Any:
        import numpy as np

        rows = cut(self._table, self._functions, (2 * self.count + 1) * 4)
        return np.frombuffer(rows, dtype=f"{self.elf.order}u4")

    @cached_property
    def entries(self) -> Any:
        """Return the address of every function, ascending, as an int64 array."""
        return self._rows[0 : 2 * self.count : 2].astype("i8") + self.text_address

    @property
    def end_address(self) -> int:
        """Return the address just after the last function."""
        return int(self._rows[2 * self.count]) + self.text_address

    @cached_property
    def names(self) -> list[str]:
        """Return the name of every function, by its number."""
        import numpy as np

        # A view of the whole table at every byte: one gather instead of a record at a time.
        offsets = self._functions + self._rows[1 : 2 * self.count : 2].astype("i8") + 4
        if int(offsets.max()) + 4 > len(self._table):
            raise BinaryDamaged("a function's record is outside the function table")
        words: Any = np.ndarray((len(self._table) - 3,), f"{self.elf.order}u4", self._table, strides=(1,))
        return [_name(self.name_bytes, offset) for offset in words[offsets].tolist()]

    def number_of(self, address: int) -> int:
        """Return the number of the function an instruction belongs to, or -1."""
        if not self.text_address <= address < self.end_address:
            return -1
        return int(self.entries.searchsorted(address, side="right")) - 1

    def holds(self, function: str) -> bool:
        """Say whether a function is in the program, as such or inlined into another."""
        return self._name_offset(function) >= 0

    # Lines and inlined calls

    def stack(self, address: int) -> tuple[Frame, ...]:
        """Return the logical stack at an instruction, innermost first: calls inlined there, then the function.

        Empty for an address that belongs to no function. Raises BinaryDamaged.
        """
        number = self.number_of(address)
        if number < 0:
            return ()
        entry = int(self.entries[number])
        record = self._functions + int(self._rows[2 * number + 1])
        fields = struct.unpack(self.elf.order + _RECORD, cut(self._table, record, _RECORD_BYTES))
        files, lines, unit = fields[5], fields[6], fields[8]
        tree, index_table = self._inline_tree(record, tables=fields[7], data=fields[13])
        frames: list[Frame] = []
        for _ in range(_MOST_INLINED):
            file = self._file(unit, self._value(files, address - entry))
            line = self._value(lines, address - entry)
            index = self._value(index_table, address - entry) if index_table else -1
            if index < 0 or tree is None:
                return (*frames, Frame(self.names[number], file, line))
            _, name, parent, _ = struct.unpack(
                self.elf.order + "IiiI", cut(tree, index * _INLINED_BYTES, _INLINED_BYTES)
            )
            frames.append(Frame(string_at(self._table, self._names + name), file, line))
            address = entry + parent
        raise BinaryDamaged(f"the inlined calls of {self.names[number]} do not end")

    def inlined_code(self, number: int, function_data: memoryview) -> list[tuple[int, int, int]]:
        """Return the calls inlined in a function: offset of the name, number of the call it is in (-1), bytes of code.

        ``function_data`` begins at ``go:func.*``. Raises BinaryDamaged.
        """
        record = self._functions + int(self._rows[2 * number + 1])
        fields = struct.unpack(self.elf.order + _RECORD, cut(self._table, record, _RECORD_BYTES))
        tables, data = fields[7], fields[13]
        if tables <= _PCDATA_INLINE_INDEX or data <= _FUNCDATA_INLINE_TREE:
            return []
        offsets = struct.unpack(
            f"{self.elf.order}{tables + data}I", cut(self._table, record + _RECORD_BYTES, 4 * (tables + data))
        )
        tree, table = offsets[tables + _FUNCDATA_INLINE_TREE], offsets[_PCDATA_INLINE_INDEX]
        if tree == _NOTHING or not table:
            return []
        ends, values = self._decode(table)
        # One function's table is wanted once, and there are many.
        del self._tables[table]
        sizes = [0] * min(max(values, default=-1) + 1, _MOST_TREE_BYTES // _INLINED_BYTES)
        start = 0
        for end, value in zip(ends, values, strict=True):
            if 0 <= value < len(sizes):
                sizes[value] += end - start
            start = end
        found = []
        for row, size in enumerate(sizes):
            _, name, parent, _ = struct.unpack(
                self.elf.order + "IiiI", cut(function_data, tree + row * _INLINED_BYTES, _INLINED_BYTES)
            )
            at = bisect_right(ends, parent)
            outer = values[at] if at < len(values) else -1
            found.append((name, outer if outer < row else -1, size))
        return found

    def _inline_tree(self, record: int, *, tables: int, data: int) -> tuple[memoryview | None, int]:
        if tables <= _PCDATA_INLINE_INDEX or data <= _FUNCDATA_INLINE_TREE or self._function_data is None:
            return None, 0
        offsets = struct.unpack(
            f"{self.elf.order}{tables + data}I", cut(self._table, record + _RECORD_BYTES, 4 * (tables + data))
        )
        offset = offsets[tables + _FUNCDATA_INLINE_TREE]
        if offset == _NOTHING:
            return None, 0
        return self._function_data[offset:], offsets[_PCDATA_INLINE_INDEX]

    @cached_property
    def _function_data(self) -> memoryview | None:
        address = self._symbol_address("go:func.*")
        return self.elf.data[self.elf.offset_of(address) :] if address else None

    def _value(self, table: int, offset: int) -> int:
        if not table:
            return -1
        ends, values = self._tables.get(table) or self._decode(table)
        at = bisect_right(ends, offset)
        return values[at] if at < len(values) else -1

    def _decode(self, table: int) -> tuple[list[int], list[int]]:
        """Return where each run of the pc table ends (after the function's entry), and its value."""
        quantum = self._table[6]
        data, at = self._table, self._pcs + table
        value, pc = -1, 0
        ends: list[int] = []
        values: list[int] = []
        while True:
            change, at = _varint(data, at)
            if change == 0 and ends:
                break
            value += (change >> 1) ^ -(change & 1)
            step, at = _varint(data, at)
            pc += step * quantum
            ends.append(pc)
            values.append(value)
        self._tables[table] = ends, values
        return ends, values

    def _file(self, unit: int, number: int) -> str:
        if number < 0:
            return ""
        row = cut(self._table, self._units + 4 * (unit + number), 4)
        offset = struct.unpack(self.elf.order + "I", row)[0]
        return "" if offset == _NOTHING else string_at(self._table, self._files + offset)

    def inlined_calls(self, names: Iterable[str]) -> list[tuple[str, int]]:
        """Return where the named functions were inlined: the name, and the address that stands for the call.

        ``stack`` of that address begins with the caller. Raises BinaryDamaged.
        """
        import numpy as np

        table, trees, numbers = self._function_data, *self.trees
        offsets = {offset: name for name in names if (offset := self._name_offset(name)) >= 0}
        if table is None or not offsets or not len(trees):
            return []
        size = min(len(table), int(trees[-1]) + _MOST_TREE_BYTES)
        words = np.frombuffer(table[: size - size % 4], dtype=f"{self.elf.order}u4")
        places = np.flatnonzero(np.isin(words, np.array(list(offsets), dtype="u4"))) * 4 - 4
        owners = trees.searchsorted(places, side="right") - 1
        found = []
        for place, owner in zip(places.tolist(), owners.tolist(), strict=True):
            if owner < 0 or (place - int(trees[owner])) % _INLINED_BYTES:
                continue
            kind, name, parent, _ = struct.unpack(self.elf.order + "IIiI", cut(table, place, _INLINED_BYTES))
            # Functions with equal trees share one; each of them has this call.
            for number in numbers[trees == trees[owner]].tolist():
                address = int(self.entries[number]) + parent
                if kind <= 0xFF and self.number_of(address) == number:
                    found.append((offsets[name], address))
        return found

    def _name_offset(self, name: str) -> int:
        return self.name_bytes.find(b"\0" + name.encode() + b"\0") + 1 or -1

    @cached_property
    def name_bytes(self) -> bytes:
        """Return the names of functions, each with its final zero."""
        return bytes(self._table[self._names : self._units])

    @cached_property
    def trees(self) -> tuple[Any, Any]:
        """Return where the inline trees start, ascending, and the functions they belong to."""
        import numpy as np

        records = self._functions + self._rows[1 : 2 * self.count : 2].astype("i8")
        if int(records.max()) + _RECORD_BYTES > len(self._table):
            raise BinaryDamaged("a function's record is outside the function table")
        words: Any = np.ndarray((len(self._table) - 3,), f"{self.elf.order}u4", self._table, strides=(1,))
        counts = np.frombuffer(self._table, dtype="u1")[records + _RECORD_BYTES - 1]
        places = records + _RECORD_BYTES + 4 * (words[records + 28].astype("i8") + _FUNCDATA_INLINE_TREE)
        has_tree = (counts > _FUNCDATA_INLINE_TREE) & (places < len(words))
        numbers = np.flatnonzero(has_tree)
        trees = words[places[numbers]]
        numbers, trees = numbers[trees != _NOTHING], trees[trees != _NOTHING].astype("i8")
        order = trees.argsort(kind="stable")
        return trees[order], numbers[order]

    @cached_property
    def go_version(self) -> str:
        """Return the version of Go that linked the program, ``1.26``; empty where it does not say.

        Source: src/debug/buildinfo of Go.
        """
        section = self.elf.section(".go.buildinfo")
        content = bytes(self.elf.content(section)[:256]) if section is not None else b""
        found = re.search(rb"go(1\.[0-9]+)", content)
        return found[1].decode() if found else ""

    # Data

    def data_symbols(self, pattern: bytes) -> Mapping[str, DataSymbol]:
        """Return the symbols whose whole name matches a regular expression; empty in a stripped program."""
        import numpy as np

        section = self.elf.section(".symtab")
        if section is None or not 0 < section.link < len(self.elf.sections):
            return {}
        strings = self.elf.content(self.elf.sections[section.link])
        offsets = [match.start() + 1 for match in re.finditer(rb"\0(?:" + pattern + rb")(?=\0)", strings)]
        table = symbols(self.elf, section)
        found = table[np.isin(table["name"], offsets)]
        return {string_at(strings, int(row["name"])): DataSymbol(int(row["value"]), int(row["size"])) for row in found}

    def _symbol_address(self, name: str) -> int:
        found = self.data_symbols(re.escape(name.encode()))
        return found[name].address if name in found else 0

    def words(self, symbol: DataSymbol) -> tuple[int, ...]:
        """Return a symbol's content as pointers. Raises BinaryDamaged."""
        count = min(symbol.size // self.pointer_bytes, 4096)
        content = cut(self.elf.data, self.elf.offset_of(symbol.address), count * self.pointer_bytes)
        return struct.unpack(f"{self.elf.order}{count}{'Q' if self.pointer_bytes == 8 else 'I'}", content)


def open_go(file: Path) -> GoBinary:
    """Map a Go program. Raises BinaryDamaged, ImageMissing."""
    return GoBinary(open_elf(file))


def package_of(function: str) -> str:
    """Return the import path of the package a function belongs to; empty for generated and assembly ones.

    >>> package_of("net/http.(*Client).Do"), package_of("gopkg.in/yaml%2ev3.Marshal")
    ('net/http', 'gopkg.in/yaml.v3')
    >>> package_of("slices.Sort[go.shape.[]example.com/a/b.T]"), package_of("type:.eq.main.T")
    ('slices', '')
    """
    name = function
    for mark in "[({":
        name = name.partition(mark)[0]
    if name.startswith(("type:", "go:")):
        return ""
    folder, slash, rest = name.rpartition("/")
    head, dot, _ = rest.partition(".")
    return unescape(folder + slash + head) if dot else ""


def unescape(path: str) -> str:
    """Return an import path without the linker's %xx escapes."""
    if "%" not in path:
        return path
    return re.sub("%([0-9a-f]{2})", lambda found: chr(int(found[1], 16)), path)


def _name(names: bytes, offset: int) -> str:
    end = names.find(b"\0", offset)
    if end < 0:
        raise BinaryDamaged(f"the name at {offset:#x} is outside the table of names ({len(names)} bytes)")
    return names[offset:end].decode("utf-8", "replace")


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    """Return the number at an offset of the table and where the next one starts."""
    value = shift = 0
    while shift < 35:
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise BinaryDamaged("a pc table runs out of the function table")
