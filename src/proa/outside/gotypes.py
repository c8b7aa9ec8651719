"""Go's type descriptors found in the bytes, and the package each belongs to.

They have no list: the linker's one has only some of them. So every aligned place is tried at once for a header that
holds together (kind, alignments, sizes, a name that is one); chance has not passed it in the programs tried.

    Type: size, pointer bytes (words), hash u32, flags u8, alignment u8, field alignment u8, kind u8,
          equality function, GC data (words), name i32, pointer to this i32; then what its kind adds
    Uncommon: package path i32, methods u16, exported u16, offset of the methods u32, 0 u32
    Name: flags u8, length varint, text; offsets count from the start of the types

Source: src/internal/abi/type.go and map.go of Go (1.20 to 1.26).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import msgspec

from proa.outside.gobinary import GoBinary

_UNCOMMON, _NAMED = 1, 4
_ARRAY, _CHAN, _FUNC, _INTERFACE, _MAP, _POINTER, _SLICE, _STRUCT = 17, 18, 19, 20, 21, 22, 23, 25
_MOST_ELEMENTS = 4_096
_MOST_NAME_BYTES = 1 << 16
_DEEPEST = 24
"""Types within types that are followed (arbitrary)."""
PREDECLARED = "runtime"
"""The linker puts ``int`` and its like into the package runtime."""


class Types(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Addresses and the packages they belong to: descriptors, names of types, fields and methods, GC masks."""

    addresses: list[int]
    packages: list[str]
    name_addresses: list[int]
    name_packages: list[str]
    mask_addresses: list[int]
    mask_packages: list[str]


def read_types(binary: GoBinary, content: memoryview, start: int, *, words: Any) -> Types:
    """Return the types in a stretch of memory whose first byte, at address ``start``, is that of the types.

    ``words`` is the content as pointers, relocations applied.
    """
    import numpy as np

    word, order = binary.pointer_bytes, binary.elf.order
    base = 4 * word + 16
    none = Types(addresses=[], packages=[], name_addresses=[], name_packages=[], mask_addresses=[], mask_packages=[])
    if len(content) < base + word:
        return none
    count = (len(content) - base) // word
    form = np.dtype(
        {
            "names": ["size", "pointers", "hash", "flags", "align", "field", "kind", "name"],
            "formats": [f"{order}u{word}", f"{order}u{word}", f"{order}u4", "u1", "u1", "u1", "u1", f"{order}i4"],
            "offsets": [0, word, 2 * word, 2 * word + 4, 2 * word + 5, 2 * word + 6, 2 * word + 7, base - 8],
            "itemsize": base,
        }
    )
    rows: Any = np.ndarray((count,), form, content, strides=(word,))
    kinds = rows["kind"] & 31
    at = np.flatnonzero((kinds > 0) & (kinds <= 26) & (rows["flags"] < 64))
    row = rows[at]
    names = row["name"].astype("i8")
    octets = np.frombuffer(content, "u1")
    small = (row["align"] > 0) & (row["align"] <= 16) & ((row["align"] & (row["align"] - 1)) == 0)
    sane = small & (row["field"] > 0) & (row["field"] <= 16) & (row["hash"] != 0) & (row["pointers"] <= row["size"])
    at = at[sane & (names > 0) & (names < len(content) - 3)]
    names = rows["name"][at].astype("i8")
    long = octets[names + 1].astype("i8")
    at = at[(octets[names] < 16) & (long > 0) & (names + 2 + (long & 127) <= len(content)) & (octets[names + 2] >= 32)]
    return _Reader(content, start, words, word, order, at.tolist()).read()


class _Reader:
    """One pass over the types found."""

    def __init__(  # noqa: PLR0917 - what one pass is made of
        self, content: memoryview, start: int, words: Any, word: int, order: str, at: list[int]
    ) -> None:
        self.content, self.start, self.words, self.word, self.order = content, start, words, word, order
        self.places = [index * word for index in at]
        self.known = set(self.places)
        self.owners: dict[int, str] = {}
        self.name_owners: dict[int, str] = {}
        self.mask_owners: dict[int, str] = {}
        self.base = 4 * word + 16
        self.uncommon = struct.Struct(order + "iHHII")

    def read(self) -> Types:
        # What looks like a type and names a package that no import could is none.
        self.places = [place for place in self.places if _is_path(self.owner(place))]
        for place in self.places:
            self._names(place, self.owners[place])
        packages = [self.owners.get(place, "") for place in self.places]
        return Types(
            addresses=[self.start + place for place in self.places],
            packages=packages,
            name_addresses=[self.start + place for place in self.name_owners],
            name_packages=list(self.name_owners.values()),
            mask_addresses=list(self.mask_owners),
            mask_packages=list(self.mask_owners.values()),
        )

    def pointer(self, place: int) -> int:
        """Return what the pointer at a place leads to, as a place; -1 where that is elsewhere."""
        if not 0 <= place // self.word < len(self.words):
            return -1
        target = int(self.words[place // self.word]) - self.start
        return target if 0 <= target < len(self.content) else -1

    def name(self, place: int) -> str:
        if not 0 < place < len(self.content) - 3:
            return ""
        size, at = self.content[place + 1], place + 2
        if size & 0x80:
            size, at = (size & 0x7F) | self.content[at] << 7, at + 1
        return bytes(self.content[at : at + min(size, _MOST_NAME_BYTES)]).decode("utf-8", "replace")

    def owner(self, place: int, depth: int = 0) -> str:
        """Return the package of a type: its own, or that of what it is made of, rather not of the standard library."""
        if place in self.owners:
            return self.owners[place]
        if place not in self.known or depth > _DEEPEST:
            return ""
        self.owners[place] = ""
        flags, kind = self.content[place + 2 * self.word + 4], self.content[place + 2 * self.word + 7] & 31
        found = ""
        if flags & _UNCOMMON:
            at = place + self.base + self._extra(kind)
            if at + self.uncommon.size <= len(self.content):
                found = self.name(self.uncommon.unpack_from(self.content, at)[0])
        if not found and kind in (_INTERFACE, _STRUCT):
            found = self.name(self.pointer(place + self.base))
        if not found and flags & _NAMED:
            found = PREDECLARED
        if not found:
            found = self._made_of(place, kind, flags, depth)
        self.owners[place] = found or PREDECLARED
        return self.owners[place]

    def _made_of(self, place: int, kind: int, flags: int, depth: int) -> str:
        first = ""
        for part in self._parts(place, kind, flags):
            found = self.owner(part, depth + 1) if part >= 0 else ""
            if found and "." in found.partition("/")[0]:
                return found
            if found and first in ("", PREDECLARED):
                first = found
        return first

    def _parts(self, place: int, kind: int, flags: int) -> list[int]:
        at, word = place + self.base, self.word
        if kind in (_ARRAY, _CHAN, _POINTER, _SLICE):
            return [self.pointer(at)]
        if kind == _MAP:
            return [self.pointer(at + word), self.pointer(at)]
        if kind == _FUNC and at + 4 <= len(self.content):
            takes, gives = struct.unpack_from(self.order + "HH", self.content, at)
            start = at + word + (self.uncommon.size if flags & _UNCOMMON else 0)
            return [self.pointer(start + word * i) for i in range(min(takes + (gives & 0x7FFF), _MOST_ELEMENTS))]
        if kind == _STRUCT:
            fields, count = self._slice(at + word)
            return [self.pointer(fields + 3 * word * i + word) for i in range(count)]
        return []

    def _slice(self, at: int) -> tuple[int, int]:
        start, index = self.pointer(at), at // self.word + 1
        count = int(self.words[index]) if index < len(self.words) else 0
        return (start, min(count, _MOST_ELEMENTS)) if start >= 0 else (0, 0)

    def _extra(self, kind: int) -> int:
        """Return how many bytes a kind adds before what is uncommon."""
        words = {_ARRAY: 3, _CHAN: 2, _FUNC: 1, _INTERFACE: 4, _POINTER: 1, _SLICE: 1, _STRUCT: 4}
        if kind == _MAP:
            return 7 * self.word + 8
        return words.get(kind, 0) * self.word

    def _names(self, place: int, owner: str) -> None:
        """Note the names a type refers to; one that several use belongs to the first."""
        (own,) = struct.unpack_from(self.order + "i", self.content, place + self.base - 8)
        note = self.name_owners.setdefault
        note(own, owner)
        mask = place // self.word + 3 + 8 // self.word
        self.mask_owners.setdefault(int(self.words[mask]), owner)
        flags, kind = self.content[place + 2 * self.word + 4], self.content[place + 2 * self.word + 7] & 31
        at = place + self.base
        if kind == _STRUCT:
            fields, count = self._slice(at + self.word)
            for index in range(count):
                self._note(self.pointer(fields + 3 * self.word * index), note, owner)
        elif kind == _INTERFACE:
            methods, count = self._slice(at + self.word)
            self._offsets(methods, count, 8, note, owner)
        uncommon = at + self._extra(kind)
        if flags & _UNCOMMON and uncommon + self.uncommon.size <= len(self.content):
            path, count, _, offset, _ = self.uncommon.unpack_from(self.content, uncommon)
            self._note(path, note, owner)
            self._offsets(uncommon + offset, min(count, _MOST_ELEMENTS), 16, note, owner)

    def _offsets(self, at: int, count: int, step: int, note: Callable[[int, str], str], owner: str) -> None:
        for place in range(at, min(at + count * step, len(self.content) - 4), step):
            self._note(struct.unpack_from(self.order + "i", self.content, place)[0], note, owner)

    def _note(self, place: int, note: Callable[[int, str], str], owner: str) -> None:
        if 0 < place < len(self.content):
            note(place, owner)


def _is_path(package: str) -> bool:
    """Source: https://go.dev/ref/spec#Import_declarations."""
    return package.isprintable() and "\ufffd" not in package
