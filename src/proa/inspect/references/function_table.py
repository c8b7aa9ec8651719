"""The function table as nodes: pieces that are there for the functions which refer to them, and the inlined calls.

A piece is a name, a table of lines or stack sizes, stack maps, a unit's list of files. Several functions may share one,
and it goes with the last of them. A function's own record is no piece: it is counted with the function.
"""

from __future__ import annotations

from typing import Any

import msgspec

from proa.inspect.attribution import Names, until_next
from proa.inspect.attribution_go import GoAttribution, text_at
from proa.inspect.modules import owner_of
from proa.inspect.references.edges import Edges, joined
from proa.outside.gobinary import GoBinary

_INLINED_BYTES = 16
"""Of a call in an inline tree: kind of function (u8, three unused), name, where its caller goes on, line."""
_ROW_BYTES = 8
"""Of a function's row in the table, beside its record."""
_FUNC_ID = 40
"""Where a function's record says what kind it is. Source: runtime/runtime2.go of Go 1.20 to 1.26, ``_func``."""
_FUNC_IDS = 64
"""More than there are kinds of functions; what has a higher one is no inlined call (arbitrary)."""
_LAST_BYTES = 64
"""Of the last piece of ``go:func.*``, which nothing says the end of (arbitrary)."""


class Inlined(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """Calls that the compiler inlined, in no order."""

    within: Any
    """The functions they are in now."""
    packages: Any
    """Those of the functions that were called."""
    names: Any
    """Where the names of those are, as offsets."""
    functions: Any
    """Those functions themselves, where they are in the program as well; -1 for the others."""


class FunctionTable(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What the function table adds to the graph."""

    edges: Edges
    """From functions to pieces."""
    piece_bytes: Any
    """By piece."""
    record_bytes: Any
    """By function."""
    wrappers: Any
    """Functions the compiler wrote."""
    inlined: Inlined


def read_function_table(program: GoAttribution, *, first: int) -> FunctionTable:
    """Cut the function table into nodes, ``first`` and up."""
    import numpy as np

    binary, parts = program.binary, program.parts
    numbers = np.arange(binary.count)
    called, within = _inlined_calls(program)
    table = program.elf.content(parts.section)
    words: Any = np.ndarray((len(table) - 3,), f"{program.elf.order}u4", table, strides=(1,))
    own = words[parts.records - parts.section.offset + 4].astype("i8")
    kinds = np.frombuffer(table, "u1")[parts.records - parts.section.offset + _FUNC_ID]
    inlined = _named(binary, program.names, called, within, own)
    units = (parts.units[1] - parts.units[0]) // 4
    good = parts.unit_of < units
    edges, sizes = [], []
    for starts, functions, end, unit_bytes in (
        # Names, those of inlined functions too.
        (np.concatenate([own, called]), np.concatenate([numbers, within]), parts.names[1] - parts.names[0], 1),
        # Lines, stack sizes and such, by instruction.
        (parts.pc_starts, parts.pc_functions, parts.pcs[1] - parts.pcs[0], 1),
        # Stack maps, inline trees and such.
        (parts.data_starts, parts.data_functions, int(parts.data_starts.max(initial=0)) + _LAST_BYTES, 1),
        # Lists of files.
        (parts.unit_of[good], numbers[good], units, 4),
    ):
        places, which = np.unique(starts, return_inverse=True)
        sizes.append(np.maximum(until_next(places, end) - places, 0) * unit_bytes)
        edges.append(Edges(functions, first + which.reshape(-1)))
        first += len(places)
    order = parts.records.argsort(kind="stable")
    record_bytes = np.zeros(binary.count, "i8")
    record_bytes[order] = until_next(parts.records[order], parts.end) - parts.records[order] + _ROW_BYTES
    return FunctionTable(
        edges=joined(edges),
        piece_bytes=np.concatenate(sizes),
        record_bytes=record_bytes,
        # The last kind of the list in each version. Source: internal/abi/symtab.go of Go, FuncIDWrapper.
        wrappers=np.flatnonzero(kinds == kinds.max(initial=1)),
        inlined=inlined,
    )


def _inlined_calls(program: GoAttribution) -> tuple[Any, Any]:
    """Return offsets of names of functions that were inlined, and the functions they are in now.

    Source: src/runtime/symtabinl.go of Go, ``inlinedCall``.
    """
    import numpy as np

    none = np.empty(0, "i8")
    module, parts, (trees, numbers) = program.module, program.parts, program.binary.trees
    if not module.funcdata or not len(trees):
        return none, none
    data = program.elf.data[program.elf.offset_of(module.funcdata) :]
    last = int(parts.data_starts.max(initial=0)) + _LAST_BYTES
    data = data[: min(len(data), last) // 4 * 4]
    words = np.frombuffer(data, f"{program.elf.order}u4")
    rows = (until_next(trees, last, np.unique(parts.data_starts)) - trees) // _INLINED_BYTES
    which = np.repeat(np.arange(len(trees)), rows)
    within = np.arange(len(which)) - np.repeat(np.cumsum(rows) - rows, rows)
    at = trees[which] // 4 + within * 4
    which, at = which[at + 3 < len(words)], at[at + 3 < len(words)]
    offsets = words[at + 1].astype("i8")
    good = (offsets < parts.names[1] - parts.names[0]) & ((words[at] & 0xFF) < _FUNC_IDS)
    return offsets[good], numbers[which[good]]


def _named(binary: GoBinary, owners: Names, offsets: Any, within: Any, own: Any) -> Inlined:
    """Say whose the inlined functions are; ``own`` are the offsets of the names of functions in the program."""
    import numpy as np

    places, which = np.unique(offsets, return_inverse=True)
    packages = [owners.package(owner_of(text_at(binary.name_bytes, place))) for place in places.tolist()]
    order = own.argsort(kind="stable")
    at = np.minimum(own[order].searchsorted(offsets), binary.count - 1)
    return Inlined(
        within=within,
        packages=np.array(packages, "i8")[which.reshape(-1)],
        names=offsets,
        functions=np.where(own[order][at] == offsets, order[at], -1),
    )
