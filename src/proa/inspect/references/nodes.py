"""The nodes that have an address, functions and pieces of data, and which of them are types.

A type is a node twice: once as what its descriptor is, and once for "it was put into an interface", which the linker
has as UsedInIface. Those second nodes are the last ones, in the order of the types.
"""

from __future__ import annotations

from typing import Any

import msgspec

from proa.inspect.attribution import until_next
from proa.inspect.attribution_go import GoAttribution
from proa.inspect.references.addresses import Addresses, Descriptors, Pointers, Region, Variables, is_in_code
from proa.outside.gobinary import GoBinary
from proa.outside.gocode import numbers_at

_INTERFACE, _KIND_BITS = 20, 31
"""Source: src/internal/abi/type.go of Go, ``Kind`` and ``KindMask``."""


class Places(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Where the functions are, numbers 0 and up, and behind them in number the pieces of data."""

    binary: GoBinary
    region: Region
    starts: Any
    """Of pieces of data, ascending."""
    ends: Any

    @property
    def functions(self) -> int:
        """Return how many functions there are: the number of the first piece of data."""
        return self.binary.count

    @property
    def count(self) -> int:
        """Return how many nodes have an address."""
        return self.functions + len(self.starts)

    def locate(self, addresses: Any) -> Any:
        """Return the node at each address, -1 for none; a function only at its first instruction."""
        import numpy as np

        found = np.full(len(addresses), -1, "i8")
        data = self.region.holds(addresses)
        at = self.starts.searchsorted(addresses[data], side="right") - 1
        last = np.maximum(at, 0)
        found[data] = np.where((at >= 0) & (addresses[data] < self.ends[last]), self.functions + at, -1)
        code, entries = is_in_code(self.binary, addresses), self.binary.entries
        number = np.minimum(entries.searchsorted(addresses[code]), self.functions - 1)
        found[code] = np.where(entries[number] == addresses[code], number, -1)
        return found

    def beginning_at(self, addresses: Any) -> Any:
        """Return the pieces of data that begin at addresses where one does."""
        return (self.functions + self.starts.searchsorted(addresses)).astype("i8")


class TypeNodes(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Which nodes are types, and which stand for their being in an interface."""

    nodes: Any
    """By type."""
    in_interface: Any
    """By node: what stands for "in an interface" of this type, or of the type of this method table; -1 for others."""
    is_type: Any
    """By node; a method table is none."""
    is_interface: Any
    """By node: it is an interface's type, and what is in an interface never has such a type."""
    table_hashes: Any
    """Words in method tables that hold a type's hash, which may look like an address."""

    @property
    def count(self) -> int:
        """Return how many nodes there are of all kinds."""
        return len(self.in_interface)

    @property
    def first_in_interface(self) -> int:
        """Return the first node that stands for "in an interface"."""
        return self.count - len(self.nodes)


def cut_data(program: GoAttribution, addresses: Addresses) -> Places:
    """Cut the data into pieces: known symbols and types, and what is referred to between them."""
    import numpy as np

    region, variables, descriptors = addresses.region, addresses.variables, addresses.descriptors
    known = np.unique(
        np.concatenate(
            [
                variables.addresses,
                variables.addresses + variables.sizes,
                descriptors.addresses,
                np.array(descriptors.types.name_addresses, "i8"),
            ]
        )
    )
    mentioned = np.unique(addresses.mentions.targets)
    places, values = addresses.pointers.words, addresses.pointers.targets
    low, high = program.module.types, int(descriptors.addresses.max(initial=0)) + 1
    is_type = (values >= low) & (values < high)
    # A descriptor points at its own parts.
    elsewhere = known.searchsorted(places, side="right") != known.searchsorted(values, side="right")
    targets = np.unique(np.concatenate([mentioned, values[~is_type | elsewhere]]))
    starts = np.unique(np.concatenate([known, targets[~_are_inside(targets, variables)]]))
    starts = starts[region.holds(starts)]
    return Places(
        binary=program.binary,
        region=region,
        starts=starts,
        ends=until_next(starts, region.high, program.stops()),
    )


def _are_inside(addresses: Any, variables: Variables) -> Any:
    """Say of addresses whether they are in a variable, which stays one piece whatever refers to its inside."""
    import numpy as np

    if not len(variables.addresses):
        return np.zeros(len(addresses), bool)
    at = variables.addresses.searchsorted(addresses, side="right") - 1
    last = np.maximum(at, 0)
    return (at >= 0) & (addresses < variables.addresses[last] + variables.sizes[last])


def type_nodes(places: Places, addresses: Addresses, *, first: int) -> TypeNodes:
    """Give each type its nodes; ``first`` is the first number that is free."""
    import numpy as np

    descriptors, pointers = addresses.descriptors, addresses.pointers
    nodes = places.beginning_at(descriptors.addresses)
    in_interface = np.full(first + len(nodes), -1, "i4")
    in_interface[nodes] = first + np.arange(len(nodes))
    is_type = in_interface >= 0
    rows, tables = _method_tables(places, descriptors, pointers)
    good = (tables >= places.functions) & ~is_type[np.maximum(tables, 0)]
    # Who mentions a method table has a value of its type in an interface.
    in_interface[tables[good]] = in_interface[places.beginning_at(pointers.targets[rows[good]])]
    is_interface = np.zeros(len(in_interface), bool)
    is_interface[nodes[_are_interfaces(places.binary, descriptors.addresses)]] = True
    return TypeNodes(
        nodes=nodes,
        in_interface=in_interface,
        is_type=is_type,
        is_interface=is_interface,
        table_hashes=pointers.words[rows] + places.binary.pointer_bytes,
    )


def _are_interfaces(binary: GoBinary, descriptors: Any) -> Any:
    kinds = numbers_at(binary, descriptors + 2 * binary.pointer_bytes + 7, "u1")
    return (kinds & _KIND_BITS) == _INTERFACE


def _method_tables(places: Places, descriptors: Descriptors, pointers: Pointers) -> tuple[Any, Any]:
    """Return the pointers at types that are in method tables, and the nodes of the tables, -1 where that is none.

    They are told by the type's hash behind it, as in ``gocode.method_tables``; what fills up the word is 0.
    """
    import numpy as np

    binary, word = places.binary, places.binary.pointer_bytes
    rows = np.flatnonzero(np.isin(pointers.targets, descriptors.addresses))
    hashes = numbers_at(binary, pointers.targets[rows] + 2 * word, "u4").astype("i8")
    follows = numbers_at(binary, pointers.words[rows] + word, f"u{word}").astype("i8")
    rows = rows[(hashes == follows) & (hashes != 0)]
    return rows, places.locate(pointers.words[rows] - word)
