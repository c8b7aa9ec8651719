"""Which part of a linked Go program refers to which: the graph that ``proa why`` walks, read from the file alone.

Nodes, in this order: functions · pieces of data (variables, types, strings, method tables) · pieces of the function
table, which are there for the functions that refer to them · for each type once more "it was put into an interface",
since only then its methods can be called by what does not name them. Edges are calls, addresses that code computes,
pointers in data and offsets in type descriptors. Four kinds of reference keep nothing alive by themselves and stand
apart, as in the linker: a type's methods, the slots of method tables, the lists of types and tables, and the list of
packages to initialise. How far it is right: docs/decisions/0020-references-from-the-binary.md.

Source: src/cmd/link/internal/ld/deadcode.go of Go 1.21 to 1.26.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from proa.inspect.attribution import Layers, Names, until_next
from proa.inspect.attribution_go import GoAttribution, holding, is_carrier, text_at
from proa.inspect.compression import forget
from proa.inspect.modules import owner_of
from proa.outside import gocode, gotypes
from proa.outside.executables import SymbolTable
from proa.outside.gobinary import GoBinary
from proa.outside.gomethods import TypeReferences, read_type_references
from proa.outside.gotables import Parts

_DATA = (".rodata", ".data", ".noptrdata", ".rdata", ".bss", ".noptrbss", ".itablink", ".go.", ".const")
_INNER_BYTES = 4096
"""How far into a piece of data code may point; a byte sequence that looks like an address further in is chance."""
_ENTRY_BYTES = 24
"""Of a symbol in the symbol table, beside its name (64 bits)."""
_INLINED_BYTES = 16
_ROW_BYTES = 8
_FUNC_ID = 40
"""Where a function's record says what kind it is. Source: runtime/runtime2.go of Go 1.20 to 1.26, ``_func``."""
_MOST_INITS = 10_000
_INTERFACE = 20
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
    return _Reading(binary, total, symbols, is_counted=is_counted).read()


class _Reading:
    """One program being read."""

    def __init__(self, binary: GoBinary, total: int, symbols: SymbolTable | None, *, is_counted: bool) -> None:
        self.binary, self.symbols, self.is_counted = binary, symbols, is_counted
        self.names = Names()
        self.attribution = GoAttribution(binary, Layers(total), self.names, symbols)
        self.elf, self.module = binary.elf, self.attribution.module
        self.functions = binary.count
        self.sections = [
            section
            for section in self.elf.sections
            if section.is_allocated
            and section.size
            and section.name.startswith(_DATA)
            and "pclntab" not in section.name
        ]
        self.low = min((s.address for s in self.sections), default=0)
        self.high = max((s.address + s.size for s in self.sections), default=0)
        self.edges: list[tuple[Any, Any]] = []
        self.meta: list[Any] = []

    def read(self) -> References:
        import numpy as np

        self._read_symbols()
        self._read_types()
        self._read_code()
        self._read_pointers()
        forget(self.elf.data, 0, len(self.elf.data))
        self._cut()
        self._read_tables()
        forget(self.elf.data, 0, len(self.elf.data))
        first_shadow = self.base
        count = first_shadow + len(self.types.addresses)
        self.type_nodes = self._node_at(self.type_addresses)
        shadow = np.full(count, -1, "i4")
        shadow[self.type_nodes] = first_shadow + np.arange(len(self.type_nodes))
        self.is_type = shadow >= 0
        self.shadow = shadow
        self.is_interface = self._are_interfaces(count)
        self.table_hashes = self._find_tables()
        self._link_code()
        initial, public = self._link_pointers()
        more = self._link_types()
        sources, targets = (
            np.concatenate([one.astype("i4") for one in column]) for column in zip(*self.edges, strict=True)
        )
        self.edges.clear()
        forget(self.elf.data, 0, len(self.elf.data))
        order = sources.argsort(kind="stable")
        targets = targets[order]
        edge = np.concatenate([[0], np.bincount(sources, minlength=count).cumsum()]).astype("i4")
        del order, sources
        owners = self._owners(count)
        return References(
            binary=self.binary,
            count=count,
            functions=self.functions,
            starts=self.starts,
            ends=self.ends,
            **self._sizes(count),
            owners=owners,
            packages=self.names.packages,
            symbols=dict(zip(self._node_at(self.symbol_addresses).tolist(), self.symbol_names, strict=True)),
            type_nodes=self.type_nodes,
            first_edge=edge,
            targets=targets,
            **more,
            public_sources=public[0],
            public_targets=public[1],
            initial=initial,
            initial_owners=owners[initial],
            inlined_in=self.inlined_in,
            inlined_packages=self.inlined_packages,
            inlined_names=self.inlined_names,
            inlined_functions=self.inlined_functions,
            function_data=self.module.funcdata,
            entry=max(self.binary.number_of(self.elf.entry), 0),
            call_places=self.code.call_addresses,
            callers=self.code.callers,
            callees=self.code.callees,
            wrappers=self.wrappers,
            lookups=self._lookups(),
        )

    # What is there

    def _read_symbols(self) -> None:
        import numpy as np

        table = self.symbols
        self.function_symbols = np.zeros(self.functions, "i8")
        rows: list[tuple[int, int, str]] = []
        if table is not None:
            good = (table.sections > 0) & (table.addresses >= self.low) & (table.addresses < self.high)
            for at in np.flatnonzero(good & (table.sizes > 0) & (table.types <= 2)).tolist():
                name = text_at(table.strings, int(table.names[at]))
                if not name.endswith(".*") and not is_carrier(name):
                    rows.append((int(table.addresses[at]), int(table.sizes[at]), name))
            inside = (table.addresses >= self.binary.text_address) & (table.addresses < self.binary.end_address)
            code = np.flatnonzero(inside & (table.sections > 0))
            ends = np.array([table.strings.find(b"\0", at) for at in table.names[code].tolist()], "i8")
            numbers = self.binary.entries.searchsorted(table.addresses[code], side="right") - 1
            np.add.at(self.function_symbols, numbers, _ENTRY_BYTES + 1 + ends - table.names[code])
        rows.sort()
        self.symbol_addresses = np.array([row[0] for row in rows], "i8")
        self.symbol_sizes = np.array([row[1] for row in rows], "i8")
        self.symbol_names = [row[2] for row in rows]

    def _read_types(self) -> None:
        import numpy as np

        module, word = self.module, self.binary.pointer_bytes
        section = holding(self.elf, module.types)
        self.types = gotypes.Types(
            addresses=[], packages=[], name_addresses=[], name_packages=[], mask_addresses=[], mask_packages=[]
        )
        self.more: TypeReferences | None = None
        if section is not None:
            skip = module.types - section.address
            content = self.elf.content(section)[skip : min(max(module.types_end - section.address, skip), section.size)]
            words = self.attribution.words(section)[skip // word :]
            self.types = gotypes.read_types(self.binary, content, module.types, words=words)
            self.more = read_type_references(
                self.types.addresses,
                content,
                module.types,
                words=words,
                word=word,
                order=self.elf.order,
                text=module.text or self.binary.text_address,
            )
        self.type_addresses = np.array(self.types.addresses, "i8")

    def _read_code(self) -> None:
        import numpy as np

        low = min(self.low, self.binary.text_address)
        places, targets = gocode.mention_places(self.binary, low, self.high)
        numbers = self.binary.entries.searchsorted(places, side="right") - 1
        good = numbers >= 0
        self.mentions = places[good], numbers[good], targets[good]
        self.code = gocode.read_code(self.binary, np.empty(0, "i8"))

    def _read_pointers(self) -> None:
        import numpy as np

        text, end, word = self.binary.text_address, self.binary.end_address, self.binary.pointer_bytes
        places, values = [np.empty(0, "i8")], [np.empty(0, "i8")]
        for section in self.attribution.data_sections():
            words = self.attribution.words(section)
            near = ((words >= self.low) & (words < self.high)) | ((words >= text) & (words < end))
            at = np.flatnonzero(near)
            places.append(section.address + at * word)
            values.append(words[at].astype("i8"))
        self.pointers = np.concatenate(places), np.concatenate(values)

    def _cut(self) -> None:
        """Cut the data into pieces: known symbols and types, and what is referred to between them."""
        import numpy as np

        known = np.unique(
            np.concatenate(
                [
                    self.symbol_addresses,
                    self.symbol_addresses + self.symbol_sizes,
                    self.type_addresses,
                    np.array(self.types.name_addresses, "i8"),
                ]
            )
        )
        mentioned = np.unique(self.mentions[2])
        places, values = self.pointers
        low, high = self.module.types, int(self.type_addresses.max(initial=0)) + 1
        is_type = (values >= low) & (values < high)
        # A descriptor points at its own parts.
        elsewhere = known.searchsorted(places, side="right") != known.searchsorted(values, side="right")
        targets = np.unique(np.concatenate([mentioned, values[~is_type | elsewhere]]))
        at = self.symbol_addresses.searchsorted(targets, side="right") - 1
        last = np.maximum(at, 0)
        inside = np.zeros(len(targets), bool)
        if len(self.symbol_addresses):
            inside = (at >= 0) & (targets < self.symbol_addresses[last] + self.symbol_sizes[last])
        starts = np.unique(np.concatenate([known, targets[~inside]]))
        self.starts = starts[(starts >= self.low) & (starts < self.high)]
        self.ends = until_next(self.starts, self.high, self.attribution.stops())
        self.base = self.functions + len(self.starts)

    def _locate(self, addresses: Any) -> Any:
        """Return the node at each address, -1 for none; a function only at its first instruction."""
        import numpy as np

        found = np.full(len(addresses), -1, "i8")
        data = (addresses >= self.low) & (addresses < self.high)
        at = self.starts.searchsorted(addresses[data], side="right") - 1
        last = np.maximum(at, 0)
        found[data] = np.where((at >= 0) & (addresses[data] < self.ends[last]), self.functions + at, -1)
        code = (addresses >= self.binary.text_address) & (addresses < self.binary.end_address)
        number = np.minimum(self.binary.entries.searchsorted(addresses[code]), self.functions - 1)
        found[code] = np.where(self.binary.entries[number] == addresses[code], number, -1)
        return found

    def _node_at(self, addresses: Any) -> Any:
        return (self.functions + self.starts.searchsorted(addresses)).astype("i8")

    # The function table

    def _read_tables(self) -> None:
        import numpy as np

        parts: Parts = self.attribution.parts
        numbers = np.arange(self.functions)
        offsets, functions = self._inlined(parts)
        table = self.elf.content(parts.section)
        words: Any = np.ndarray((len(table) - 3,), f"{self.elf.order}u4", table, strides=(1,))
        own = words[parts.records - parts.section.offset + 4].astype("i8")
        kinds = np.frombuffer(table, "u1")[parts.records - parts.section.offset + _FUNC_ID]
        # The last kind of the list in each version. Source: internal/abi/symtab.go of Go, FuncIDWrapper.
        self.wrappers = np.flatnonzero(kinds == kinds.max(initial=1))
        self._name_inlined(offsets, functions, own)
        size = parts.names[1] - parts.names[0]
        self._pieces(np.concatenate([own, offsets]), np.concatenate([numbers, functions]), size)
        self._pieces(parts.pc_starts, parts.pc_functions, parts.pcs[1] - parts.pcs[0])
        last = int(parts.data_starts.max(initial=0)) + 64
        self._pieces(parts.data_starts, parts.data_functions, last)
        units = (parts.units[1] - parts.units[0]) // 4
        good = parts.unit_of < units
        self._pieces(parts.unit_of[good], numbers[good], units, unit_bytes=4)
        order = parts.records.argsort(kind="stable")
        self.record_bytes = np.zeros(self.functions, "i8")
        self.record_bytes[order] = until_next(parts.records[order], parts.end) - parts.records[order] + _ROW_BYTES

    def _pieces(self, starts: Any, functions: Any, end: int, *, unit_bytes: int = 1) -> None:
        import numpy as np

        places, which = np.unique(starts, return_inverse=True)
        self.meta.append(np.maximum(until_next(places, end) - places, 0) * unit_bytes)
        self.edges.append((functions.astype("i4"), (self.base + which.reshape(-1)).astype("i4")))
        self.base += len(places)

    def _inlined(self, parts: Parts) -> tuple[Any, Any]:
        """Return offsets of names of functions that were inlined, and the functions they are in now."""
        import numpy as np

        none = np.empty(0, "i8")
        module, (trees, numbers) = self.module, self.binary.trees
        if not module.funcdata or not len(trees):
            return none, none
        data = self.elf.data[self.elf.offset_of(module.funcdata) :]
        last = int(parts.data_starts.max(initial=0)) + 64
        data = data[: min(len(data), last) // 4 * 4]
        words = np.frombuffer(data, f"{self.elf.order}u4")
        rows = (until_next(trees, last, np.unique(parts.data_starts)) - trees) // _INLINED_BYTES
        which = np.repeat(np.arange(len(trees)), rows)
        within = np.arange(len(which)) - np.repeat(np.cumsum(rows) - rows, rows)
        at = trees[which] // 4 + within * 4
        which, at = which[at + 3 < len(words)], at[at + 3 < len(words)]
        offsets = words[at + 1].astype("i8")
        good = (offsets < parts.names[1] - parts.names[0]) & ((words[at] & 0xFF) < 64)
        return offsets[good], numbers[which[good]]

    def _name_inlined(self, offsets: Any, functions: Any, own: Any) -> None:
        import numpy as np

        places, which = np.unique(offsets, return_inverse=True)
        names = self.binary.name_bytes
        packages = [self.names.package(owner_of(text_at(names, place))) for place in places.tolist()]
        self.inlined_packages = np.array(packages, "i8")[which.reshape(-1)] if len(places) else np.empty(0, "i8")
        self.inlined_in, self.inlined_names = functions, offsets
        order = own.argsort(kind="stable")
        at = np.minimum(own[order].searchsorted(offsets), max(self.functions - 1, 0))
        self.inlined_functions = np.where(own[order][at] == offsets, order[at], -1) if self.functions else offsets

    # Edges

    def _link_code(self) -> None:
        import numpy as np

        self.edges.append((self.code.callers, self.code.callees))
        places, numbers, targets = self.mentions
        self.mentions = places[:0], numbers[:0], targets[:0]
        nodes = self._locate(targets)
        data = nodes >= self.functions
        good = nodes >= 0
        good[data] &= targets[data] - self.starts[nodes[data] - self.functions] <= _INNER_BYTES
        places, numbers, nodes = places[good], numbers[good], nodes[good]
        self.edges.append((numbers, nodes))
        shadows = np.where(self.is_interface[nodes], -1, self.shadow[nodes])
        kinds = (shadows >= 0) & ~self._are_compared(places)
        calls, callees = self.code.call_addresses, self.code.callees
        allocates = np.isin(callees, [i for i, name in enumerate(self.binary.names) if name.startswith(_ALLOCATE)])
        following = calls.searchsorted(places[kinds])
        last = np.minimum(following, max(len(calls) - 1, 0))
        near = (following < len(calls)) & (calls[last] - places[kinds] < _NEAR_BYTES) if len(calls) else kinds[:0]
        # Room is made for a type; a method table beside it is for an interface.
        near = near & self.is_type[nodes[kinds]] if len(calls) else near
        is_used = ~(near & allocates[last]) if len(calls) else np.ones(int(kinds.sum()), bool)
        self.edges.append((numbers[kinds][is_used], shadows[kinds][is_used]))
        self.edges.append((np.arange(len(self.type_nodes)) + self.base, self.type_nodes))

    def _link_pointers(self) -> tuple[Any, tuple[Any, Any]]:
        """Add what data points at; return what the list of packages to initialise names, and types' public parts."""
        import numpy as np

        places, values = self.pointers
        sources, targets = self._locate(places), self._locate(values)
        code = (targets >= 0) & (targets < self.functions)
        tables = places.copy()
        tables[code] = gocode.method_tables(self.binary, places[code])
        good = (sources >= 0) & (targets >= 0) & (tables == places)
        good &= ~np.isin(places, self.table_hashes)
        good &= ~np.isin(places, np.array(self.more.own_parts if self.more else [], "i8"))
        good &= ~np.isin(places, np.unique(tables[tables != places]) + 2 * self.binary.pointer_bytes)
        good &= ~np.isin(sources, self._locate(np.array(self.types.mask_addresses, "i8")))
        places, sources, targets = places[good], sources[good], targets[good]
        tasks = self._tasks(*self.pointers)
        self.pointers = places[:0], values[:0]
        is_task = np.isin(targets, tasks)
        initial = np.unique(targets[is_task])
        places, sources, targets = places[~is_task], sources[~is_task], targets[~is_task]
        self.edges.append((sources, targets))
        self._use_in_interface(sources, targets)
        private = self.more.private_fields if self.more else []
        of_types = self.is_type[sources]
        public = of_types & ~np.isin(places, np.array(private, "i8"))
        sources, targets = sources[public], targets[public]
        inner = self.is_type[targets]
        return initial, (
            np.concatenate([sources, self.shadow[sources[inner]]]),
            np.concatenate([targets, self.shadow[targets[inner]]]),
        )

    def _are_interfaces(self, count: int) -> Any:
        """Say of each node whether it is an interface's type: what is in an interface never has such a type."""
        import numpy as np

        kinds = gocode.numbers_at(self.binary, self.type_addresses + 2 * self.binary.pointer_bytes + 7, "u1")
        found = np.zeros(count, bool)
        found[self.type_nodes[(kinds & 31) == _INTERFACE]] = True
        return found

    def _find_tables(self) -> Any:
        """Find the method tables: who mentions one has a value of its type in an interface.

        Return the words in them that hold a type's hash, which may look like an address.
        """
        import numpy as np

        word = self.binary.pointer_bytes
        places, values = self.pointers
        kinds = np.flatnonzero(np.isin(values, self.type_addresses))
        hashes = gocode.numbers_at(self.binary, values[kinds] + 2 * word, "u4").astype("i8")
        follows = gocode.numbers_at(self.binary, places[kinds] + word, f"u{word}").astype("i8")
        rows = kinds[(hashes == follows) & (hashes != 0)]
        tables = self._locate(places[rows] - word)
        good = (tables >= self.functions) & ~self.is_type[np.maximum(tables, 0)]
        self.shadow[tables[good]] = self.shadow[self._node_at(values[rows[good]])]
        return places[rows] + word

    def _are_compared(self, places: Any) -> Any:
        """Say of mentions in code whether the next instruction compares the address: a type switch or assertion."""
        if self.elf.machine == gocode.EM_X86_64:
            # REX.W, CMP in either direction.
            words = gocode.numbers_at(self.binary, places + 6, "u2")
            return ((words & 0xF8) == 0x48) & (((words >> 8) == 0x39) | ((words >> 8) == 0x3B))
        words = gocode.numbers_at(self.binary, places + 8, "u4")
        return (words & 0x7FE0001F) == 0x6B00001F

    def _use_in_interface(self, sources: Any, targets: Any) -> None:
        """Say of types that data leads to: those of one in an interface are, and those of variables.

        A method table by itself is no use: it is there for comparisons, too.
        """
        kinds = self.shadow[targets] >= 0
        sources, targets = sources[kinds], targets[kinds]
        of_types, is_table = self.is_type[sources], self.shadow[sources] >= 0
        inner = of_types & self.is_type[targets]
        self.edges.append((self.shadow[sources[inner]], self.shadow[targets[inner]]))
        other = ~of_types & ~is_table & ~self.is_interface[targets]
        self.edges.append((sources[other], self.shadow[targets[other]]))

    def _tasks(self, places: Any, values: Any) -> Any:
        """Return the nodes of the initialisation records: a state, a count, and as many functions.

        Told by their shape, because stripped programs have them too. Source: runtime/proc.go of Go, ``initTask``.
        """
        import numpy as np

        names = self.binary.names
        is_init = np.array([_is_init(name) for name in names], bool)
        targets = self._locate(values)
        first = np.flatnonzero((targets >= 0) & (targets < self.functions))
        first = first[is_init[targets[first]]]
        starts = places[first] - 8
        states = gocode.numbers_at(self.binary, starts, "u4")
        counts = gocode.numbers_at(self.binary, starts + 4, "u4")
        good = (states == 0) & (counts > 0) & (counts < _MOST_INITS)
        nodes = self._locate(starts[good])
        exact = nodes >= self.functions
        exact[exact] = self.starts[nodes[exact] - self.functions] == starts[good][exact]
        self.task_nodes = nodes[exact]
        self.task_owners = self.attribution.owners[targets[first][good][exact]]
        return self.task_nodes

    def _link_types(self) -> dict[str, Any]:
        import numpy as np

        more = self.more

        def nodes(addresses: Sequence[int]) -> Any:
            return self._locate(np.array(addresses, "i8"))

        sources, targets = nodes(more.sources if more else []), nodes(more.targets if more else [])
        if more:
            more.sources.clear()
            more.targets.clear()
        good = (sources >= 0) & (targets >= 0)
        self.edges.append((sources[good], targets[good]))
        self._use_in_interface(sources[good], targets[good])
        kinds, methods = nodes(more.method_types if more else []), nodes(more.method_targets if more else [])
        signatures = np.array(more.method_signatures if more else [], "i8")
        good = (kinds >= 0) & (methods >= 0) & (self.shadow[np.maximum(kinds, 0)] >= 0)
        kinds, methods, signatures = kinds[good], methods[good], signatures[good]
        # What a method takes and gives can be got by reflection: in an interface as well.
        methods = np.where(self.is_type[methods], self.shadow[methods], methods)
        return {
            "method_sources": self.shadow[kinds].astype("i8"),
            "method_targets": methods,
            "method_signatures": signatures,
            "interface_types": nodes(more.interface_types if more else []),
            "interface_signatures": np.array(more.interface_signatures if more else [], "i8"),
            "signature_names": more.names if more else [],
            "is_exported": np.array([name[:1].isupper() for name in more.names] if more else [], bool),
        }

    # By node

    def _owners(self, count: int) -> Any:
        import numpy as np

        owners = np.full(count, -1, "i4")
        owners[: self.functions] = self.attribution.owners
        packages = np.array([self.names.package(name) for name in self.types.packages], "i4")
        owners[self.type_nodes] = packages
        owners[self.base :] = packages
        named = [self.names.package(owner_of(name)) for name in self.symbol_names]
        owners[self._node_at(self.symbol_addresses)] = np.array(named, "i4")
        owners[self.task_nodes] = self.task_owners
        return owners

    def _sizes(self, count: int) -> dict[str, Any]:
        import numpy as np

        data = np.zeros(len(self.starts), "i8")
        for section in self.sections:
            if section.file_bytes:
                inside = (self.starts >= section.address) & (self.starts < section.address + section.size)
                data[inside] = np.minimum(self.ends[inside], section.address + section.size) - self.starts[inside]
        own = np.diff(np.append(self.binary.entries, self.binary.end_address))
        named = np.zeros(count, "i8")
        if self.is_counted:
            named[: self.functions] = self.function_symbols
            rows = [_ENTRY_BYTES + 1 + len(name.encode()) for name in self.symbol_names]
            np.add.at(named, self._node_at(self.symbol_addresses), np.array(rows, "i8"))
        shadows = np.zeros(len(self.types.addresses), "i8")
        code = np.concatenate([own, np.zeros(count - self.functions, "i8")])
        sizes = np.concatenate([own + self.record_bytes, data, *self.meta, shadows])
        return {"sizes": sizes, "symbol_bytes": named, "own_bytes": code}

    def _lookups(self) -> Any:
        """Return who calls reflection's lookups of methods; those in reflect itself only pass the name on."""
        import numpy as np

        names, found = self.binary.names, []
        wanted = {i: _LOOKUPS[name] for i, name in enumerate(names) if name in _LOOKUPS}
        rows = np.flatnonzero(np.isin(self.code.callees, list(wanted)))
        for row in rows.tolist():
            caller, constant = int(self.code.callers[row]), wanted[int(self.code.callees[row])]
            if names[caller].startswith(("reflect.", "internal/")):
                continue
            at = self.elf.offset_of(int(self.code.call_addresses[row]))
            before = bytes(self.elf.data[max(0, at - _ARGUMENT_BYTES) : at])
            # The linker sees a name that is written there, and keeps methods of that name only.
            if not (self.elf.machine == gocode.EM_X86_64 and constant and constant in before):
                found.append(caller)
        return np.unique(np.array(found, "i8"))


def _is_init(function: str) -> bool:
    tail = function.rpartition("/")[2].partition(".")[2]
    return tail == "init" or tail.startswith("init.")


_LOOKUPS = {
    "reflect.Value.Method": b"",
    "reflect.Value.MethodByName": b"\x48\x8d\x3d",
    "reflect.(*rtype).Method": b"",
    "reflect.(*rtype).MethodByName": b"\x48\x8d\x1d",
}
"""Lookups of methods, and how the address of a constant name is made before the call (amd64: LEA to DI or BX)."""
_ARGUMENT_BYTES = 48
"""How far before a call its arguments are made (arbitrary)."""
