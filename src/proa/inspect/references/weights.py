"""Whose each node is, and what it takes in the file."""

from __future__ import annotations

from typing import Any

from proa.inspect.attribution_go import GoAttribution
from proa.inspect.modules import owner_of
from proa.inspect.references.addresses import Addresses, Variables, is_in_code
from proa.inspect.references.function_table import FunctionTable
from proa.inspect.references.nodes import Places, TypeNodes
from proa.inspect.references.pointers import DataEdges
from proa.outside.executables import SymbolTable

_ENTRY_BYTES = 24
"""Of a symbol in the symbol table, beside its name (64 bits)."""


def owners(program: GoAttribution, places: Places, types: TypeNodes, addresses: Addresses, data: DataEdges) -> Any:
    """Return the package of each node, -1 where nothing says."""
    import numpy as np

    found = np.full(types.count, -1, "i4")
    found[: places.functions] = program.owners
    packages = np.array([program.names.package(name) for name in addresses.descriptors.types.packages], "i4")
    found[types.nodes] = packages
    found[types.first_in_interface :] = packages
    variables = addresses.variables
    named = [program.names.package(owner_of(name)) for name in variables.names]
    found[places.beginning_at(variables.addresses)] = np.array(named, "i4")
    found[data.tasks] = data.task_owners
    return found


def code_bytes(places: Places) -> Any:
    """Return the machine code of each function."""
    import numpy as np

    return np.diff(np.append(places.binary.entries, places.binary.end_address))


def data_bytes(places: Places) -> Any:
    """Return what each piece of data takes in the file: nothing for what is in memory only."""
    import numpy as np

    starts, ends = places.starts, places.ends
    found = np.zeros(len(starts), "i8")
    for section in places.region.sections:
        if section.file_bytes:
            end = section.address + section.size
            inside = (starts >= section.address) & (starts < end)
            found[inside] = np.minimum(ends[inside], end) - starts[inside]
    return found


def sizes(places: Places, types: TypeNodes, table: FunctionTable, code: Any) -> Any:
    """Return the bytes of each node, of which ``code`` are the functions'; being in an interface takes none."""
    import numpy as np

    in_interface = np.zeros(len(types.nodes), "i8")
    return np.concatenate([code + table.record_bytes, data_bytes(places), table.piece_bytes, in_interface])


def symbol_bytes(places: Places, count: int, variables: Variables, symbols: SymbolTable | None) -> Any:
    """Return what each of ``count`` nodes takes in the symbol table; nothing where there is none in the file."""
    import numpy as np

    found = np.zeros(count, "i8")
    if symbols is None:
        return found
    code = np.flatnonzero(is_in_code(places.binary, symbols.addresses) & (symbols.sections > 0))
    names = symbols.names[code]
    ends = np.array([symbols.strings.find(b"\0", at) for at in names.tolist()], "i8")
    numbers = places.binary.entries.searchsorted(symbols.addresses[code], side="right") - 1
    np.add.at(found[: places.functions], numbers, _ENTRY_BYTES + 1 + ends - names)
    rows = [_ENTRY_BYTES + 1 + len(name.encode()) for name in variables.names]
    np.add.at(found, places.beginning_at(variables.addresses), np.array(rows, "i8"))
    return found
