"""The graph as one record, and the line of its reading: addresses, nodes, edges, whose they are."""

from __future__ import annotations

from typing import Any

import msgspec

from proa.inspect.attribution import Layers, Names
from proa.inspect.attribution_go import GoAttribution
from proa.inspect.compression import forget
from proa.inspect.references import weights
from proa.inspect.references.addresses import read_addresses
from proa.inspect.references.descriptors import methods_of, type_edges, type_uses
from proa.inspect.references.edges import by_source, joined
from proa.inspect.references.function_table import read_function_table
from proa.inspect.references.machine_code import callers_of_lookups, code_edges
from proa.inspect.references.nodes import cut_data, type_nodes
from proa.inspect.references.pointers import data_edges
from proa.outside.executables import SymbolTable
from proa.outside.gobinary import GoBinary


class References(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """The graph; nodes are numbers, columns are numpy arrays."""

    binary: GoBinary
    count: int
    functions: int
    starts: Any
    """Where each piece of data begins, ascending; node ``functions + i``."""
    ends: Any
    sizes: Any
    """Bytes in the file, without the symbol table's, by node."""
    symbol_bytes: Any
    """Bytes in the symbol table, by node."""
    own_bytes: Any
    """Of ``sizes``, a function's machine code; 0 for other nodes."""
    owners: Any
    """Package by node, -1 where nothing says."""
    packages: dict[str, int]
    symbols: dict[int, str]
    """Names of variables, by node."""
    type_nodes: Any
    """Nodes of types, in the order of those that stand for "in an interface", which are the last ones."""
    first_edge: Any
    """By node, and one more: where its edges begin in ``targets``."""
    targets: Any
    method_sources: Any
    """"In an interface" of the type."""
    method_targets: Any
    method_signatures: Any
    interface_types: Any
    interface_signatures: Any
    signature_names: list[str]
    is_exported: Any
    """By signature: its name begins with a capital."""
    public_sources: Any
    """Of types: what others can name of their parts."""
    public_targets: Any
    initial: Any
    """What the list of packages to initialise leads to."""
    initial_owners: Any
    inlined_in: Any
    """Functions, with the packages of functions that were inlined into them."""
    inlined_packages: Any
    inlined_names: Any
    """Where the names of those functions are in the function table."""
    inlined_functions: Any
    """Those functions themselves, where they are in the program as well; -1 for the others."""
    function_data: int
    """Address of ``go:func.*``, 0 where unknown."""
    entry: int
    call_places: Any
    callers: Any
    callees: Any
    wrappers: Any
    """Functions the compiler wrote, among them the methods that a type has by what is embedded in it."""
    lookups: Any
    """Functions that look methods up by a name that is not written there."""

    @property
    def names(self) -> list[str]:
        """Return the functions' names, by node."""
        return self.binary.names


def read_references(binary: GoBinary, total: int, symbols: SymbolTable | None, *, is_counted: bool) -> References:
    """Read the graph; ``is_counted`` where the symbol table is part of the file.

    Raises BinaryDamaged, and KeyError where the machine code of this architecture cannot be read.
    """
    import numpy as np

    program = GoAttribution(binary, Layers(total), Names(), symbols)
    elf = binary.elf
    addresses = read_addresses(program)
    forget(elf.data, 0, len(elf.data))

    places = cut_data(program, addresses)
    table = read_function_table(program, first=places.count)
    forget(elf.data, 0, len(elf.data))
    types = type_nodes(places, addresses, first=places.count + len(table.piece_bytes))

    calls, variables, offsets = addresses.calls, addresses.variables, addresses.descriptors.offsets
    data = data_edges(program, places, types, addresses.descriptors, addresses.pointers)
    methods = methods_of(places, types, offsets)
    edges = joined(
        [
            table.edges,
            code_edges(places, types, calls, addresses.mentions),
            type_uses(types),
            data.edges,
            type_edges(places, types, offsets),
        ]
    )
    forget(elf.data, 0, len(elf.data))
    owners = weights.owners(program, places, types, addresses, data)
    # Room for the edges once more, sorted.
    del addresses
    first_edge, targets = by_source(edges, types.count)
    del edges

    own_bytes = weights.code_bytes(places)
    return References(
        binary=binary,
        count=types.count,
        functions=places.functions,
        starts=places.starts,
        ends=places.ends,
        sizes=weights.sizes(places, types, table, own_bytes),
        symbol_bytes=weights.symbol_bytes(places, types.count, variables, symbols if is_counted else None),
        own_bytes=np.concatenate([own_bytes, np.zeros(types.count - places.functions, "i8")]),
        owners=owners,
        packages=program.names.packages,
        symbols=dict(zip(places.beginning_at(variables.addresses).tolist(), variables.names, strict=True)),
        type_nodes=types.nodes,
        first_edge=first_edge,
        targets=targets,
        method_sources=methods.sources,
        method_targets=methods.targets,
        method_signatures=methods.signatures,
        interface_types=methods.interface_types,
        interface_signatures=methods.interface_signatures,
        signature_names=methods.names,
        is_exported=methods.is_exported,
        public_sources=data.public_sources,
        public_targets=data.public_targets,
        initial=data.initial,
        initial_owners=owners[data.initial],
        inlined_in=table.inlined.within,
        inlined_packages=table.inlined.packages,
        inlined_names=table.inlined.names,
        inlined_functions=table.inlined.functions,
        function_data=program.module.funcdata,
        entry=max(binary.number_of(elf.entry), 0),
        call_places=calls.call_addresses,
        callers=calls.callers,
        callees=calls.callees,
        wrappers=table.wrappers,
        lookups=callers_of_lookups(binary, calls),
    )
