"""What Go's type descriptors lead to: names, signatures, the methods that can be called through an interface.

Pointers in a descriptor are plain words and not read here; offsets are. A method is there as an offset of code only
where the linker kept it. Layout: see ``gotypes``; Source: src/internal/abi/type.go of Go (Method, Imethod).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

_UNCOMMON, _NAMED = 1, 4
_INTERFACE, _STRUCT = 20, 25
_EXTRA_WORDS = {17: 3, 18: 2, 19: 1, 20: 4, 22: 1, 23: 1, 25: 4}
_MAP = 21
_EXPORTED = 1
_MOST = 4_096
"""Methods or fields of one type that are looked at."""


class TypeReferences(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Columns of addresses; a signature is a number that equal names and types share."""

    sources: list[int]
    targets: list[int]
    """Names and types that a descriptor needs to be what it is."""
    method_types: list[int]
    method_targets: list[int]
    """Code of a method, or the descriptor of its signature."""
    method_signatures: list[int]
    interface_types: list[int]
    interface_signatures: list[int]
    names: list[str]
    """By signature."""
    private_fields: list[int]
    """Where a struct's descriptor points at the type of a field that no other package can name."""
    own_parts: list[int]
    """Where a descriptor points at its own fields or methods; without any, that is where the next one begins."""


class _Descriptors:
    """The region of types, read."""

    def __init__(self, content: memoryview, start: int, words: Any, *, word: int, order: str, text: int) -> None:
        self.content, self.start, self.words, self.word, self.text = bytes(content), start, words, word, text
        self.base = 4 * word + 16
        self.form_uncommon = struct.Struct(order + "iHHII")
        self.form_method = struct.Struct(order + "4i")
        self.form_imethod = struct.Struct(order + "2i")
        self.form_offset = struct.Struct(order + "i")
        self.signatures: dict[tuple[bytes, int], int] = {}
        self.names: dict[int, bytes] = {}

    def name(self, place: int) -> bytes:
        """Return a name's text."""
        if place not in self.names:
            size, at = self.content[place + 1], place + 2
            if size & 0x80:
                size, at = (size & 0x7F) | self.content[at] << 7, at + 1
            self.names[place] = self.content[at : at + size]
        return self.names[place]

    def pointer(self, place: int) -> int:
        index = place // self.word
        target = int(self.words[index]) - self.start if 0 <= index < len(self.words) else -1
        return target if 0 <= target < len(self.content) - 3 else -1

    def elements(self, place: int) -> tuple[int, int]:
        """Return where a slice begins, and how many elements it has."""
        start, index = self.pointer(place), place // self.word + 1
        count = int(self.words[index]) if start >= 0 and index < len(self.words) else 0
        return start, min(max(count, 0), _MOST)

    def is_inside(self, place: int) -> bool:
        return 0 < place < len(self.content) - 3

    def signature(self, name: int, kind: int) -> int:
        return self.signatures.setdefault((self.name(name), kind), len(self.signatures))


def read_type_references(
    addresses: Sequence[int], content: memoryview, start: int, *, words: Any, word: int, order: str, text: int
) -> TypeReferences:
    """Return what the descriptors at ``addresses`` lead to by offsets; ``text`` is where Go's code begins."""
    found = TypeReferences(
        sources=[],
        targets=[],
        method_types=[],
        method_targets=[],
        method_signatures=[],
        interface_types=[],
        interface_signatures=[],
        names=[],
        private_fields=[],
        own_parts=[],
    )
    read = _Descriptors(content, start, words, word=word, order=order, text=text)
    for address in addresses:
        place = address - start
        if place + read.base + read.form_uncommon.size > len(read.content):
            continue
        kind, flags = read.content[place + 2 * word + 7] & 31, read.content[place + 2 * word + 4]
        needed = [read.form_offset.unpack_from(read.content, place + read.base - 8)[0]]
        if kind in (_INTERFACE, _STRUCT):
            found.own_parts.append(address + read.base + word)
        if kind == _INTERFACE:
            needed += _interface(read, place, found)
        elif kind == _STRUCT:
            found.private_fields.extend(start + at for at in _private_fields(read, place))
        needed += _pointer_to_this(read, place, flags)
        if flags & _UNCOMMON:
            extra = 7 * word + 8 if kind == _MAP else _EXTRA_WORDS.get(kind, 0) * word
            needed += _methods(read, place, place + read.base + extra, found)
        for target in needed:
            if target > 0:
                found.sources.append(address)
                found.targets.append(start + target)
    found.names.extend(name.decode("utf-8", "replace") for name, _ in read.signatures)
    return found


def _pointer_to_this(read: _Descriptors, place: int, flags: int) -> Iterator[int]:
    """Yield the type of pointers to this one where it keeps that: named, or the pointers have methods.

    The others are there for somebody else's sake. Source: cmd/compile/internal/reflectdata, dcommontype.
    """
    (pointers,) = read.form_offset.unpack_from(read.content, place + read.base - 4)
    # A pointer adds one word before what is uncommon.
    uncommon = pointers + read.base + read.word
    if pointers <= 0 or uncommon + read.form_uncommon.size > len(read.content):
        return
    has_methods = read.content[pointers + 2 * read.word + 4] & _UNCOMMON and bool(
        read.form_uncommon.unpack_from(read.content, uncommon)[1]
    )
    if flags & _NAMED or has_methods:
        yield pointers


def _interface(read: _Descriptors, place: int, found: TypeReferences) -> Iterator[int]:
    at, count = read.elements(place + read.base + read.word)
    for row in range(at, at + 8 * count, 8):
        if row + 8 > len(read.content):
            return
        name, kind = read.form_imethod.unpack_from(read.content, row)
        yield from (name, kind)
        if read.is_inside(name):
            found.interface_types.append(read.start + place)
            found.interface_signatures.append(read.signature(name, kind))


def _private_fields(read: _Descriptors, place: int) -> Iterator[int]:
    at, count = read.elements(place + read.base + read.word)
    for row in range(at, at + 3 * read.word * count, 3 * read.word):
        name = read.pointer(row)
        if name >= 0 and not read.content[name] & _EXPORTED:
            yield row + read.word


def _methods(read: _Descriptors, place: int, uncommon: int, found: TypeReferences) -> Iterator[int]:
    if uncommon + read.form_uncommon.size > len(read.content):
        return
    package, count, _, offset, _ = read.form_uncommon.unpack_from(read.content, uncommon)
    yield package
    for row in range(uncommon + offset, uncommon + offset + 16 * min(count, _MOST), 16):
        if row + 16 > len(read.content):
            return
        name, kind, through, direct = read.form_method.unpack_from(read.content, row)
        yield name
        if kind <= 0 or not read.is_inside(name) or (through <= 0 and direct <= 0):
            continue
        number = read.signature(name, kind)
        targets = {read.text + code for code in (through, direct) if code > 0} | {read.start + kind}
        for target in sorted(targets):
            found.method_types.append(read.start + place)
            found.method_targets.append(target)
            found.method_signatures.append(number)
