"""Whose the bytes of a Go program are: code, function table, types, strings and data, stripped or not.

Order, the surest first: functions and their lines by the function table; variables by the symbol table where there is
one; then everything that something known refers to. A reference is an address that code computes or that lies in
data already attributed. What is referred to reaches to the next such place, and where several packages do so it is
theirs that do so most often. Why, and how far it is right: docs/decisions/0019-bytes-attributed-once.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from proa.inspect.attribution import Layers, Names, until_next, voted
from proa.inspect.compression import forget
from proa.inspect.modules import owner_of
from proa.outside import gocode, gotables, gotypes
from proa.outside.elf import Elf, Section
from proa.outside.executables import SymbolTable
from proa.outside.gobinary import GoBinary
from proa.outside.gotables import Module, Parts

_CERTAIN = 1 << 32
"""The weight of a type's own package against any number of references."""
_ROUNDS = 3
"""How often references from data newly attributed are followed (arbitrary; the fourth adds 0.01 %)."""
_RELATIVE = {62: 8, 183: 1027, 3: 8, 40: 23}
"""R_*_RELATIVE by machine."""
_OBJECT, _FUNCTION = 1, 2


class Words:
    """Sections as arrays of pointers, relocations applied, each made once."""

    def __init__(self, elf: Elf, word: int) -> None:
        self.elf, self.word = elf, word
        self._made: dict[int, Any] = {}
        self._places, self._values = self._relocated()

    def __call__(self, section: Section) -> Any:
        """Return a section's content as int64; what is left of it is no whole pointer."""
        import numpy as np

        if section.index not in self._made:
            content = self.elf.content(section)
            form = f"{self.elf.order}u{self.word}"
            words = np.frombuffer(content[: len(content) - len(content) % self.word], form).view(form.replace("u", "i"))
            low, high = self._places.searchsorted([section.address, section.address + len(words) * self.word])
            if high > low:
                words = words.copy()
                words[(self._places[low:high] - section.address) // self.word] = self._values[low:high]
            self._made[section.index] = words
        return self._made[section.index]

    def _relocated(self) -> tuple[Any, Any]:
        """Return where a position-independent program is to be corrected, ascending, and what is to be there."""
        import numpy as np

        section = self.elf.section(".rela.dyn", ".rela")
        if section is None or not self.elf.is_64:
            return np.empty(0, "i8"), np.empty(0, "i8")
        form = np.dtype([(name, f"{self.elf.order}i8") for name in ("place", "info", "value")])
        content = self.elf.content(section)
        rows = np.frombuffer(content[: len(content) - len(content) % form.itemsize], form)
        rows = rows[(rows["info"] & 0xFFFFFFFF) == _RELATIVE.get(self.elf.machine, -1)]
        rows = rows[rows["place"].argsort(kind="stable")]
        return rows["place"].astype("i8"), rows["value"].astype("i8")


class Function(msgspec.Struct, frozen=True):
    """One function or variable with its size."""

    name: str
    owner: int
    size: int
    kind: str


class GoAttribution:
    """One program being attributed: lays its ranges into ``layers``."""

    def __init__(self, binary: GoBinary, layers: Layers, names: Names, symbols: SymbolTable | None) -> None:
        self.binary, self.layers, self.names, self.symbols = binary, layers, names, symbols
        self.elf = binary.elf
        self.words = Words(self.elf, binary.pointer_bytes)
        self.parts: Parts = gotables.read_parts(binary)
        self.module: Module = gotables.read_module(binary, self.words)
        if self.module.text and not _starts_at(self.elf, ".text", binary.text_address, self.module.text):
            # Stripped, with C: nothing else says where Go's own code begins.
            binary.move_text(self.module.text)
        self._owner_by_name: dict[str, int] = {}
        self.owners, self.is_guessed = self._function_owners()
        self._variables: list[tuple[int, int, str]] = []

    def run(self) -> None:
        """Lay everything. Raises BinaryDamaged."""
        self._lay_code()
        self._lay_tables()
        self._lay_function_data()
        self._lay_variables()
        forget(self.elf.data, 0, len(self.elf.data))
        self._lay_referred()

    # Functions

    def _function_owners(self) -> tuple[Any, Any]:
        import numpy as np

        owners = np.array([self._owner(name) for name in self.binary.names], "i4")
        # Assembly functions have no package in their names; code is linked package by package.
        known = np.flatnonzero(owners >= 0)
        is_guessed = owners < 0
        if len(known):
            at = np.maximum(known.searchsorted(np.arange(len(owners)), side="right") - 1, 0)
            owners = owners[known[at]]
        return owners, is_guessed

    def _owner(self, name: str) -> int:
        """Return the package of a function; most names are asked for twice."""
        owner = self._owner_by_name.get(name)
        if owner is None:
            owner = self._owner_by_name[name] = self.names.package(owner_of(name))
        return owner

    def _offset(self, addresses: Any, section: Section) -> Any:
        return addresses - (section.address - section.offset)

    def _lay_code(self) -> None:
        import numpy as np

        start = self.elf.offset_of(self.binary.text_address)
        starts = self.binary.entries - self.binary.text_address + start
        end = min(self.binary.end_address - self.binary.text_address + start, self.layers.total)
        ends = np.append(starts[1:], end)
        self.layers.lay(starts, ends, np.where(self.is_guessed, -1, self.owners), kind="text", known="pclntab")
        self.layers.lay(starts, ends, self.owners, kind="text", known="inferred")
        self.function_sizes = ends - starts

    def functions(self, most: int) -> list[Function]:
        """Return the largest functions and variables; all of them for 0."""
        order = (-self.function_sizes).argsort(kind="stable")
        found = [
            Function(self.binary.names[i], int(self.owners[i]), int(self.function_sizes[i]), "text")
            for i in order[: most or len(order)].tolist()
        ]
        found += [Function(name, owner, size, "data") for owner, size, name in self._variables]
        found.sort(key=lambda one: (-one.size, one.name))
        return found[: most or len(found)]

    # The function table

    def _lay_tables(self) -> None:
        import numpy as np

        parts = self.parts
        starts, ends, owners = self._names_of_functions()
        self.layers.lay(starts, ends, owners, kind="pclntab", known="pclntab")
        units, unit_owners = voted(parts.unit_of, self.owners, np.ones(len(self.owners)))
        starts = parts.units[0] + 4 * units
        self._lay_pieces(starts, parts.units[1], unit_owners)
        self._lay_files(starts, unit_owners)
        pcs, pc_owners = voted(parts.pc_starts, self.owners[parts.pc_functions], np.ones(len(parts.pc_starts)))
        self._lay_pieces(parts.pcs[0] + pcs, parts.pcs[1], pc_owners)
        rows = parts.functions[0] + 8 * np.arange(len(self.owners))
        self.layers.lay(rows, rows + 8, self.owners, kind="pclntab", known="pclntab")
        records, record_owners = voted(parts.records, self.owners, np.ones(len(self.owners)))
        self._lay_pieces(records, parts.end, record_owners)

    def _lay_pieces(self, starts: Any, end: int, owners: Any) -> None:
        self.layers.lay(starts, until_next(starts, end), owners, kind="pclntab", known="pclntab")

    def _names_of_functions(self) -> tuple[Any, Any, Any]:
        import numpy as np

        low, high = self.parts.names
        content = bytes(self.elf.data[low:high])
        ends = np.flatnonzero(np.frombuffer(content, "u1") == 0) + 1
        starts = np.concatenate([[0], ends[:-1]]) if len(ends) else ends
        texts = content.split(b"\0")[: len(ends)]
        owners = np.array([self._owner(text.decode("utf-8", "replace")) for text in texts], "i4")
        # Of those that say nothing, the package of the function that is called so.
        known = {name: int(self.owners[i]) for i, name in enumerate(self.binary.names) if self.is_guessed[i]}
        for i in np.flatnonzero(owners < 0).tolist():
            owners[i] = known.get(texts[i].decode("utf-8", "replace"), -1)
        return starts + low, ends + low, owners

    def _lay_files(self, unit_starts: Any, unit_owners: Any) -> None:
        """Lay the files' names: each is of the package of its folder, else of the unit that refers to it most."""
        import numpy as np

        low, high = self.parts.files
        content = bytes(self.elf.data[low:high])
        ends = np.flatnonzero(np.frombuffer(content, "u1") == 0) + 1
        starts = np.concatenate([[0], ends[:-1]]) if len(ends) else ends
        folders: dict[str, int] = {}
        owners = np.full(len(ends), -1, "i4")
        for i, text in enumerate(content.split(b"\0")[: len(ends)]):
            folder = text.decode("utf-8", "replace").rpartition("/")[0]
            if folder not in folders:
                folders[folder] = self._package_in(folder)
            owners[i] = folders[folder]
        rows = (
            np.frombuffer(self.elf.data[self.parts.units[0] : self.parts.units[1] & ~3], f"{self.elf.order}u4")
            if ((self.parts.units[1] - self.parts.units[0]) % 4 == 0)
            else np.empty(0, "u4")
        )
        at = unit_starts.searchsorted(self.parts.units[0] + 4 * np.arange(len(rows)), side="right") - 1
        good = (at >= 0) & (rows < high - low)
        if good.any():
            used, users = voted(rows[good], unit_owners[at[good]], np.ones(int(good.sum())))
            place = used.searchsorted(starts)
            fits = (place < len(used)) & (used[np.minimum(place, len(used) - 1)] == starts)
            first = np.where(fits, users[np.minimum(place, len(used) - 1)], -1)
            owners = np.where(owners >= 0, owners, first)
        self.layers.lay(starts + low, ends + low, owners, kind="pclntab", known="pclntab")

    def _package_in(self, folder: str) -> int:
        head, mark, rest = folder.partition("@")
        path = head + (f"/{rest.partition('/')[2]}" if "/" in rest else "") if mark else folder
        while path:
            if path in self.names.packages:
                return self.names.packages[path]
            path = path.partition("/")[2]
        return -1

    def _lay_function_data(self) -> None:
        """Lay stack maps, inline trees and such, and the index from code to functions."""
        import numpy as np

        section = holding(self.elf, self.module.funcdata)
        if section is not None:
            start = section.offset + self.module.funcdata - section.address
            places, owners = voted(
                self.parts.data_starts + start,
                self.owners[self.parts.data_functions],
                np.ones(len(self.parts.data_starts)),
            )
            end = self._end_of_function_data(section)
            self._lay_pieces(places[places < end], end, owners[places < end])
        section = holding(self.elf, self.module.findfunctab)
        if section is not None:
            start = section.offset + self.module.findfunctab - section.address
            count = -(-(self.binary.end_address - self.binary.text_address) // gotables.BUCKET_BYTES)
            size = gotables.BUCKET_ENTRY_BYTES
            at = start + size * np.arange(min(count, (section.offset + section.size - start) // size))
            middle = self.binary.text_address + gotables.BUCKET_BYTES * np.arange(len(at)) + gotables.BUCKET_BYTES // 2
            number = np.maximum(self.binary.entries.searchsorted(middle, side="right") - 1, 0)
            self.layers.lay(at, at + size, self.owners[number], kind="pclntab", known="pclntab")

    def _end_of_function_data(self, section: Section) -> int:
        limits = [section.address + section.size]
        borders = (self.module.findfunctab, self.module.types, self.module.types_end, self.module.rodata)
        limits += [border for border in borders if border > self.module.funcdata]
        last = int(self.parts.data_starts.max(initial=0)) + self.module.funcdata + 4096
        end = min(limits)
        # Before Go 1.26 strings and constants follow; the last piece is then not known to end before them.
        return section.offset + min(end, last) - section.address

    # Variables

    def _lay_variables(self) -> None:
        import numpy as np

        table = self.symbols
        if table is None:
            return
        text = self.elf.section(".text")
        low, high = (text.address, text.address + text.size) if text else (0, 0)
        good = (table.sizes > 0) & (table.sections > 0) & ((table.types <= _OBJECT) | (table.types == _FUNCTION))
        good &= (table.addresses < low) | (table.addresses >= high)
        for section in self.data_sections(is_whole=True):
            inside = good & (table.addresses >= section.address) & (table.addresses < section.address + section.size)
            rows = np.flatnonzero(inside)
            texts = [text_at(table.strings, at) for at in table.names[rows].tolist()]
            owners = np.array([self._variable_owner(name) for name in texts], "i4")
            starts = self._offset(table.addresses[rows], section)
            sizes = np.minimum(table.sizes[rows], section.offset + section.size - starts)
            kind = _kind(section)
            self.layers.lay(starts, starts + sizes, owners, kind=kind, known="symbols")
            self._variables.extend(
                (owner, size, name)
                for owner, size, name in zip(owners.tolist(), sizes.tolist(), texts, strict=True)
                if owner >= 0
            )

    def _variable_owner(self, name: str) -> int:
        if name.endswith(".*") or is_carrier(name):
            return -1
        return self.names.package(owner_of(name))

    def data_sections(self, *, is_whole: bool = False) -> list[Section]:
        """Return the sections with data of the program: not its code, tables, notes or what loaders read."""
        return [
            section
            for section in self.elf.sections
            if section.is_allocated
            and section.file_bytes >= self.binary.pointer_bytes
            and section.name.startswith(_DATA)
            and (is_whole or section.name != ".go.module")
            and "pclntab" not in section.name
        ]

    # References

    def _lay_referred(self) -> None:
        import numpy as np

        sections = self.data_sections()
        if not sections:
            return
        low, high = min(s.address for s in sections), max(s.address + s.size for s in sections)
        starts, owners, weights = self._type_votes()
        if gocode.can_read(self.binary):
            numbers, targets = gocode.mentions(self.binary, low, high)
            good = numbers >= 0
            starts.append(targets[good])
            owners.append(self.owners[numbers[good]])
            weights.append(np.ones(int(good.sum()), "i8"))
        pointers = [self._pointers(section, low, high) for section in sections]
        places, targets = (np.concatenate(column) for column in zip(*pointers, strict=True))
        stops = self.stops()
        fixed = (np.concatenate(starts), np.concatenate(owners), np.concatenate(weights))
        votes = fixed
        for _ in range(_ROUNDS):
            at, who = voted(*votes)
            ends = until_next(at, high, stops)
            holder = at.searchsorted(places, side="right") - 1
            by = np.where((holder >= 0) & (places < ends[holder]), who[holder], -1)
            named = by >= 0
            votes = tuple(
                np.concatenate(pair)
                for pair in zip(fixed, (targets[named], by[named], np.ones(int(named.sum()), "i8")), strict=True)
            )  # type: ignore[assignment]
        at, who = voted(*votes)
        ends = until_next(at, high, stops)
        for section in sections:
            inside = (at >= section.address) & (at < section.address + section.size)
            limit = section.offset + section.size
            begin = self._offset(at[inside], section)
            until = np.minimum(self._offset(ends[inside], section), limit)
            self.layers.lay(begin, until, who[inside], kind=_kind(section), known="inferred")
        self._lay_type_links(at, who)

    def type_descriptors(self) -> tuple[memoryview, Any]:
        """Return the type descriptors' bytes, and the words from there on with relocations applied.

        Nothing where moduledata does not say where they are.
        """
        import numpy as np

        section = holding(self.elf, self.module.types)
        if section is None:
            return memoryview(b""), np.empty(0, "i8")
        skip = self.module.types - section.address
        until = min(max(self.module.types_end - section.address, skip), section.size)
        return self.elf.content(section)[skip:until], self.words(section)[skip // self.binary.pointer_bytes :]

    def _type_votes(self) -> tuple[list[Any], list[Any], list[Any]]:
        import numpy as np

        starts, owners, weights = [np.empty(0, "i8")], [np.empty(0, "i4")], [np.empty(0, "i8")]

        def vote(addresses: Sequence[int] | Any, who: Sequence[int] | Any, weight: int) -> None:
            starts.append(np.asarray(addresses, "i8"))
            owners.append(np.asarray(who, "i4"))
            weights.append(np.full(len(addresses), weight, "i8"))

        content, words = self.type_descriptors()
        found = gotypes.read_types(self.binary, content, self.module.types, words=words)
        package = self.names.package
        vote(found.addresses, [package(name) for name in found.packages], _CERTAIN)
        vote(found.name_addresses, [package(name) for name in found.name_packages], _CERTAIN)
        vote(found.mask_addresses, [package(name) for name in found.mask_packages], 1)
        if self.symbols is not None:
            table = self.symbols
            rows = np.flatnonzero((table.sizes > 0) & (table.sections > 0))
            inside = [
                rows[(table.addresses[rows] >= s.address) & (table.addresses[rows] < s.address + s.size)]
                for s in self.data_sections()
            ]
            rows = np.concatenate(inside) if inside else rows[:0]
            who = [self._variable_owner(text_at(table.strings, at)) for at in table.names[rows].tolist()]
            vote(table.addresses[rows], who, _CERTAIN)
            known = np.array(who, "i4") >= 0
            # What follows a variable is not its own.
            vote(table.addresses[rows[known]] + table.sizes[rows[known]], np.full(int(known.sum()), -1), 0)
        return starts, owners, weights

    def _pointers(self, section: Section, low: int, high: int) -> tuple[Any, Any]:
        import numpy as np

        words = self.words(section)
        near = np.flatnonzero((words >= low) & (words < high))
        return section.address + near * self.binary.pointer_bytes, words[near].astype("i8")

    def stops(self) -> list[int]:
        """Return addresses that nothing reaches across: borders of sections and of the runtime's own regions."""
        stops = [edge for s in self.elf.sections if s.is_allocated for edge in (s.address, s.address + s.size)]
        stops += [self.module.types, self.module.types_end, self.module.rodata, self.module.funcdata]
        return [stop for stop in stops if stop]

    def _lay_type_links(self, at: Any, who: Any) -> None:
        """Give each entry of the linker's lists of types and interface tables to the owner of what it lists."""
        import numpy as np

        for names, word in ((_TYPE_LINKS, 4), (_TABLE_LINKS, self.binary.pointer_bytes)):
            section = self.elf.section(*names)
            if section is None or not section.file_bytes or not len(at):
                continue
            if word == 4:
                content = self.elf.content(section)
                rows = np.frombuffer(content[: len(content) // 4 * 4], f"{self.elf.order}i4").astype("i8")
                targets = rows + self.module.types
            else:
                targets = self.words(section).astype("i8")
            index = at.searchsorted(targets, side="right") - 1
            owners = np.where(index >= 0, who[np.maximum(index, 0)], -1)
            starts = section.offset + word * np.arange(len(targets))
            self.layers.lay(starts, starts + word, owners, kind="rodata", known="inferred")


_DATA = (".rodata", ".data", ".noptrdata", ".rdata", ".go.module", ".go.fipsinfo", ".const")
_TYPE_LINKS = (".typelink", ".data.rel.ro.typelink")
_TABLE_LINKS = (".itablink", ".data.rel.ro.itablink")
_REGIONS = "text rodata types noptrdata data bss noptrbss covctrs pclntab gcdata gcbss symtab"
_LISTS = "typelink itablink findfunctab pcheader funcnametab cutab filetab pctab functab end typedesclen"
_CARRIERS = {
    *(f"runtime.{mark}{name}" for name in _REGIONS.split() for mark in ("", "e")),
    *(f"runtime.{name}" for name in _LISTS.split()),
}
"""Marks of where the linker's own regions begin and end. Source: src/cmd/link/internal/ld/data.go of Go."""


def _kind(section: Section) -> str:
    return "rodata" if section.name.startswith((".rodata", ".data.rel.ro", ".rdata", ".const")) else "data"


def _starts_at(elf: Elf, name: str, address: int, other: int) -> bool:
    """Say whether an address needs no correction: the other one is the same or in no such section."""
    section = elf.section(name)
    return address == other or section is None or not section.address <= other < section.address + section.size


def is_carrier(name: str) -> bool:
    """Say whether a symbol only marks where one of the linker's regions begins or ends."""
    return name in _CARRIERS


def holding(elf: Elf, address: int) -> Section | None:
    """Return the section with bytes in the file that holds an address, the innermost of several."""
    found = [s for s in elf.sections if s.is_allocated and s.address <= address < s.address + s.file_bytes]
    return min(found, key=lambda section: section.size, default=None) if address else None


def text_at(strings: bytes, offset: int) -> str:
    """Return the text that ends with the next zero."""
    end = strings.find(b"\0", offset)
    return strings[offset : end if end >= 0 else offset + 256].decode("utf-8", "replace")
