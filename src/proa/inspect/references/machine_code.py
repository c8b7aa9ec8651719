"""Edges from machine code: direct calls, addresses that are computed, and types whose values go into interfaces.

No instruction says that a value is put into an interface: what is seen is the address of its type, or of a method
table, computed. A comparison or making room needs that as well; the next instruction and the next call tell.
"""

from __future__ import annotations

from typing import Any

from proa.inspect.references.addresses import Mentions
from proa.inspect.references.edges import Edges, joined
from proa.inspect.references.nodes import Places, TypeNodes
from proa.outside.gobinary import GoBinary
from proa.outside.gocode import EM_X86_64, Code, numbers_at

_INNER_BYTES = 4096
"""How far into a piece of data code may point; a byte sequence that looks like an address further in is chance."""
_NEAR_BYTES = 64
"""How far behind the address of a type the call that it is for may be (arbitrary)."""
_ALLOCATE = (
    "runtime.newobject", "runtime.makeslice", "runtime.makeslice64", "runtime.makeslicecopy", "runtime.growslice",
    "runtime.makemap", "runtime.makemap_small", "runtime.makemap64", "runtime.makechan", "runtime.mallocgc",
    "runtime.typedmemmove", "runtime.typedmemclr", "runtime.typedslicecopy", "runtime.wbZero", "runtime.wbMove",
    "runtime.unsafeslice", "runtime.mapclear", "runtime.mapdelete", "runtime.mapdelete_faststr", "runtime.newarray",
    "runtime.mapiterinit", "runtime.mapIterStart", "runtime.mapaccess1", "runtime.mapaccess2", "runtime.mapassign",
    "runtime.mapaccess1_faststr", "runtime.mapaccess2_faststr", "runtime.mapassign_faststr",
    "runtime.memclrHasPointers",
    "runtime.mapaccess1_fast64", "runtime.mapaccess2_fast64", "runtime.mapassign_fast64", "runtime.mapdelete_fast64",
    "runtime.mapaccess1_fast32", "runtime.mapaccess2_fast32", "runtime.mapassign_fast32", "runtime.mapdelete_fast32",
    "runtime.mapassign_fast64ptr", "runtime.mapassign_fast32ptr", "runtime.moveSlice", "runtime.moveSliceNoCap",
    "runtime.growsliceNoAlias", "runtime.growsliceBuf",
)  # fmt: skip
"""What takes a type to make room for it: no interface comes of that. Source: src/runtime of Go 1.21 to 1.26."""
_LOOKUPS = {
    "reflect.Value.Method": b"",
    "reflect.Value.MethodByName": b"\x48\x8d\x3d",
    "reflect.(*rtype).Method": b"",
    "reflect.(*rtype).MethodByName": b"\x48\x8d\x1d",
}
"""Lookups of methods, and how the address of a constant name is made before the call (amd64: LEA to DI or BX)."""
_ARGUMENT_BYTES = 48
"""How far before a call its arguments are made (arbitrary)."""


def code_edges(places: Places, types: TypeNodes, calls: Code, mentions: Mentions) -> Edges:
    """Return what functions refer to, and which types they put into interfaces."""
    import numpy as np

    nodes = places.locate(mentions.targets)
    data = nodes >= places.functions
    good = nodes >= 0
    good[data] &= mentions.targets[data] - places.starts[nodes[data] - places.functions] <= _INNER_BYTES
    instructions, functions, nodes = mentions.instructions[good], mentions.functions[good], nodes[good]
    in_interface = np.where(types.is_interface[nodes], -1, types.in_interface[nodes])
    used = np.flatnonzero((in_interface >= 0) & ~_are_compared(places.binary, instructions))
    used = used[~_make_room(places.binary, calls, instructions[used], types.is_type[nodes[used]])]
    return joined(
        [Edges(calls.callers, calls.callees), Edges(functions, nodes), Edges(functions[used], in_interface[used])]
    )


def _are_compared(binary: GoBinary, instructions: Any) -> Any:
    """Say of mentions in code whether the next instruction compares the address: a type switch or assertion.

    Source: Intel SDM volume 2 (CMP); Arm ARM C6.2 (CMP, shifted register).
    """
    if binary.elf.machine == EM_X86_64:
        # REX.W, CMP in either direction.
        words = numbers_at(binary, instructions + 6, "u2")
        return ((words & 0xF8) == 0x48) & (((words >> 8) == 0x39) | ((words >> 8) == 0x3B))
    words = numbers_at(binary, instructions + 8, "u4")
    return (words & 0x7FE0001F) == 0x6B00001F


def _make_room(binary: GoBinary, calls: Code, instructions: Any, are_types: Any) -> Any:
    """Say of mentions whether the next call only makes room for values of that type."""
    import numpy as np

    addresses = calls.call_addresses
    if not len(addresses):
        return np.zeros(len(instructions), bool)
    allocators = [i for i, name in enumerate(binary.names) if name.startswith(_ALLOCATE)]
    following = addresses.searchsorted(instructions)
    last = np.minimum(following, len(addresses) - 1)
    near = (following < len(addresses)) & (addresses[last] - instructions < _NEAR_BYTES)
    # Room is made for a type; a method table beside it is for an interface.
    return near & are_types & np.isin(calls.callees[last], allocators)


def callers_of_lookups(binary: GoBinary, calls: Code) -> Any:
    """Return who calls reflection's lookups of methods; those in reflect itself only pass the name on."""
    import numpy as np

    elf, names, found = binary.elf, binary.names, []
    wanted = {i: _LOOKUPS[name] for i, name in enumerate(names) if name in _LOOKUPS}
    rows = np.flatnonzero(np.isin(calls.callees, list(wanted)))
    for row in rows.tolist():
        caller, constant = int(calls.callers[row]), wanted[int(calls.callees[row])]
        if names[caller].startswith(("reflect.", "internal/")):
            continue
        at = elf.offset_of(int(calls.call_addresses[row]))
        before = bytes(elf.data[max(0, at - _ARGUMENT_BYTES) : at])
        # The linker sees a name that is written there, and keeps methods of that name only.
        if not (elf.machine == EM_X86_64 and constant and constant in before):
            found.append(caller)
    return np.unique(np.array(found, "i8"))
