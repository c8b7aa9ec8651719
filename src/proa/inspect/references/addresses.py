"""What the file of a linked Go program says of addresses: variables, types, what code computes, what data points at.

Nothing is a node or an edge yet. The data is cut into nodes at these addresses, and each of them is then the end of an
edge.
"""

from __future__ import annotations

from typing import Any

import msgspec

from proa.inspect.attribution_go import GoAttribution, is_carrier, text_at
from proa.outside import gocode, gotypes
from proa.outside.elf import Elf, Section
from proa.outside.executables import SymbolTable
from proa.outside.gobinary import GoBinary
from proa.outside.gocode import Code
from proa.outside.gomethods import TypeReferences, read_type_references
from proa.outside.gotypes import Types

_DATA = (".rodata", ".data", ".noptrdata", ".rdata", ".bss", ".noptrbss", ".itablink", ".go.", ".const")
_FUNCTION = 2
"""Symbols of a higher type, as ELF numbers them, are sections and files."""


class Region(msgspec.Struct, frozen=True, eq=False):
    """The program's data, whether it is in the file or not (.bss)."""

    sections: tuple[Section, ...]
    low: int
    high: int
    """The end of the last section."""

    def holds(self, addresses: Any) -> Any:
        """Say of addresses whether they are between the first section's start and the last one's end."""
        return (addresses >= self.low) & (addresses < self.high)


class Variables(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What the symbol table names in the data, ascending by address."""

    addresses: Any
    sizes: Any
    names: list[str]


class Descriptors(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The type descriptors, and what they lead to by offsets."""

    types: Types
    addresses: Any
    """Those of ``types``, as an array."""
    offsets: TypeReferences


class Mentions(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Instructions that compute an address: where they are, in which functions, and what they compute."""

    instructions: Any
    functions: Any
    targets: Any


class Pointers(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Words in the data that may be addresses: where they are, and what they hold, relocations applied."""

    words: Any
    targets: Any


def is_in_code(binary: GoBinary, addresses: Any) -> Any:
    """Say of addresses whether they are in the code that Go linked."""
    return (addresses >= binary.text_address) & (addresses < binary.end_address)


class Addresses(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """All of it."""

    region: Region
    variables: Variables
    descriptors: Descriptors
    mentions: Mentions
    calls: Code
    """Of its mentions there are none: those are looked for at addresses that are known before."""
    pointers: Pointers


def read_addresses(program: GoAttribution) -> Addresses:
    """Read what the file says. Raises BinaryDamaged, KeyError as ``gocode.read_code``."""
    import numpy as np

    region = _region(program.elf)
    return Addresses(
        region=region,
        variables=_variables(program.symbols, region),
        descriptors=_descriptors(program),
        mentions=_mentions(program.binary, region),
        calls=gocode.read_code(program.binary, np.empty(0, "i8")),
        pointers=_pointers(program, region),
    )


def _region(elf: Elf) -> Region:
    """Return the sections that can be cut into pieces, the function table left out: its parts are known."""
    sections = tuple(
        section
        for section in elf.sections
        if section.is_allocated and section.size and section.name.startswith(_DATA) and "pclntab" not in section.name
    )
    low = min((section.address for section in sections), default=0)
    return Region(sections, low, max((section.address + section.size for section in sections), default=0))


def _variables(symbols: SymbolTable | None, region: Region) -> Variables:
    """Return the variables, none without symbols; marks of where something begins or ends are none."""
    import numpy as np

    rows: list[tuple[int, int, str]] = []
    if symbols is not None:
        good = (symbols.sections > 0) & region.holds(symbols.addresses)
        for at in np.flatnonzero(good & (symbols.sizes > 0) & (symbols.types <= _FUNCTION)).tolist():
            name = text_at(symbols.strings, int(symbols.names[at]))
            if not name.endswith(".*") and not is_carrier(name):
                rows.append((int(symbols.addresses[at]), int(symbols.sizes[at]), name))
    rows.sort()
    return Variables(
        addresses=np.array([address for address, _, _ in rows], "i8"),
        sizes=np.array([size for _, size, _ in rows], "i8"),
        names=[name for _, _, name in rows],
    )


def _descriptors(program: GoAttribution) -> Descriptors:
    """Return the type descriptors, none where moduledata does not say where they are."""
    import numpy as np

    module, binary = program.module, program.binary
    content, words = program.type_descriptors()
    types = gotypes.read_types(binary, content, module.types, words=words)
    offsets = read_type_references(
        types.addresses,
        content,
        module.types,
        words=words,
        word=binary.pointer_bytes,
        order=program.elf.order,
        text=module.text or binary.text_address,
    )
    return Descriptors(types=types, addresses=np.array(types.addresses, "i8"), offsets=offsets)


def _mentions(binary: GoBinary, region: Region) -> Mentions:
    """Return which functions compute addresses of data or code."""
    places, targets = gocode.mention_places(binary, min(region.low, binary.text_address), region.high)
    functions = binary.entries.searchsorted(places, side="right") - 1
    good = functions >= 0
    return Mentions(instructions=places[good], functions=functions[good], targets=targets[good])


def _pointers(program: GoAttribution, region: Region) -> Pointers:
    """Return the words of the data that hold an address of data or code."""
    import numpy as np

    places, targets = [np.empty(0, "i8")], [np.empty(0, "i8")]
    for section in program.data_sections():
        words = program.words(section)
        at = np.flatnonzero(region.holds(words) | is_in_code(program.binary, words))
        places.append(section.address + at * program.binary.pointer_bytes)
        targets.append(words[at].astype("i8"))
    return Pointers(words=np.concatenate(places), targets=np.concatenate(targets))
