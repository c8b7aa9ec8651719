"""Who calls whom in a linked program, and where the program itself uses the standard library.

The linker already left out every function that cannot be reached, so a function of the program that is linked in
is one it can run. What this adds is where it says so: the shortest chain from ``main.main`` over direct calls and
over function values and method tables that a function mentions. A function without such a chain is called through
an interface or a function value that was handed on.

Own functions are those of packages outside the standard library. What the standard library does on its own account
is never a use: a use is a call, or a function value taken, on a line of the program or of a dependency.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any

import msgspec

from proa.outside.gobinary import Frame, GoBinary, package_of
from proa.outside.gocode import can_read, function_values, method_tables, read_code


class Use(msgspec.Struct, frozen=True, kw_only=True):
    """One place where the program's own code uses a function or a piece of data of the standard library."""

    name: str
    address: int
    stack: tuple[Frame, ...]
    """At the use, innermost first; the first is the program's own."""
    caller: int
    """Number of the function that holds the use's machine code."""
    is_call: bool = True
    """False where the function is only taken as a value."""


class CallGraph:
    """The functions of a linked program and the edges between them."""

    def __init__(self, binary: GoBinary, own_packages: Iterable[str], *, data: bytes = rb"(?!)") -> None:
        """Take ``data`` for a regular expression over names of data symbols whose mentions are wanted as uses."""
        self.binary = binary
        self.can_read = can_read(binary)
        self._own_packages = frozenset(own_packages) | {"main"}
        self._is_table: Any = None
        self._data = dict(binary.data_symbols(data)) if self.can_read else {}

    @cached_property
    def _is_own(self) -> Any:
        import numpy as np

        return np.fromiter((self.is_own(name) for name in self.binary.names), dtype=bool, count=self.binary.count)

    def is_own(self, function: str) -> bool:
        """Say whether a function belongs to the program or a dependency rather than to the standard library."""
        return package_of(function) in self._own_packages

    # Mentions of data: function values, method tables, variables

    @cached_property
    def _values(self) -> tuple[Any, Any, Any]:
        """Return mentionable addresses (ascending), and rows of address and function that it leads to."""
        import numpy as np

        places, functions = function_values(self.binary)
        tables = method_tables(self.binary, places)
        is_table, places = tables != places, tables
        # A closure that holds variables is made from the function's own address.
        entries = self.binary.entries
        places = np.concatenate([places, entries])
        functions = np.concatenate([functions, np.arange(len(entries), dtype=functions.dtype)])
        wanted = [symbol.address for symbol in self._data.values()]
        is_table = np.concatenate([is_table, np.zeros(len(entries), dtype=bool)])
        order = places.argsort(kind="stable")
        addresses = np.unique(np.concatenate([places, np.array(wanted, dtype="i8")]))
        self._is_table = is_table[order]
        return addresses, places[order], functions[order]

    @cached_property
    def _code(self) -> Any:
        return read_code(self.binary, self._values[0])

    # Uses

    def uses(self, names: Iterable[str]) -> list[Use]:
        """Return where the program's own code calls these functions or takes them as values, in order of address."""
        wanted = frozenset(names)
        numbers = {i: name for i, name in enumerate(self.binary.names) if name.removesuffix("-fm") in wanted}
        found = [
            *self._at(self._calls_of(numbers), is_call=True),
            *self._at(self.binary.inlined_calls(wanted), is_call=True),
            *self._at(self._values_of(numbers), is_call=False),
        ]
        return sorted(found, key=lambda use: (use.address, use.name))

    def uses_of_data(self) -> list[Use]:
        """Return where the program's own code mentions the data symbols that were asked for."""
        places = [(name, place) for name, symbol in self._data.items() for place in self._mentions(symbol.address)]
        return list(self._at(places, is_call=False))

    def uses_in_tables(self, names: Iterable[str]) -> list[Use]:
        """Return where the program's own code makes an interface value of a type with these methods.

        Only methods count that the linker kept: those that are called through some interface.
        """
        wanted = frozenset(names)
        numbers = {i: name for i, name in enumerate(self.binary.names) if name in wanted}
        return list(self._at(self._values_of(numbers, in_tables=True), is_call=False))

    def _mentions(self, address: int) -> list[int]:
        index = int(self._values[0].searchsorted(address))
        found: list[int] = self._code.mention_addresses[self._code.mentioned == index].tolist()
        return found

    def _calls_of(self, numbers: dict[int, str]) -> Iterator[tuple[str, int]]:
        import numpy as np

        code = self._code
        rows = np.isin(code.callees, list(numbers)) & self._is_own[code.callers]
        for address, callee in zip(code.call_addresses[rows].tolist(), code.callees[rows].tolist(), strict=True):
            yield numbers[callee].removesuffix("-fm"), address

    def _values_of(self, numbers: dict[int, str], *, in_tables: bool = False) -> Iterator[tuple[str, int]]:
        import numpy as np

        _, places, functions = self._values
        for row in np.flatnonzero(np.isin(functions, list(numbers))).tolist():
            if bool(self._is_table[row]) == in_tables:
                for address in self._mentions(int(places[row])):
                    yield numbers[int(functions[row])].removesuffix("-fm"), address

    def _at(self, places: Iterable[tuple[str, int]], *, is_call: bool) -> Iterator[Use]:
        for name, address in places:
            stack = self.binary.stack(address)
            if stack and self.is_own(stack[0].function):
                caller = self.binary.number_of(address)
                yield Use(name=name, address=address, stack=stack, caller=caller, is_call=is_call)

    # Chains from main

    @cached_property
    def _edges(self) -> tuple[Any, Any, Any]:
        """Return caller, callee and address of every edge between own functions."""
        import numpy as np

        code, (addresses, places, functions) = self._code, self._values
        first = places.searchsorted(addresses[code.mentioned], side="left")
        count = places.searchsorted(addresses[code.mentioned], side="right") - first
        rows = np.repeat(np.arange(len(first)), count)
        within = np.arange(len(rows)) - np.repeat(np.cumsum(count) - count, count)
        callers = np.concatenate([code.callers, code.mentioned_by[rows]])
        callees = np.concatenate([code.callees, functions[first[rows] + within]])
        where = np.concatenate([code.call_addresses, code.mention_addresses[rows]])
        own = self._is_own[callers] & self._is_own[callees]
        return callers[own], callees[own], where[own]

    @cached_property
    def _parents(self) -> Any:
        """Return for each function the edge it is first reached by: -1 for a root, -2 where there is none."""
        import numpy as np

        callers, callees, _ = self._edges
        parents = np.full(self.binary.count, -2, dtype="i8")
        for roots in self._roots():
            fresh = np.zeros(self.binary.count, dtype=bool)
            for root in roots:
                if parents[root] == -2:
                    parents[root], fresh[root] = -1, True
            while fresh.any():
                rows = np.flatnonzero(fresh[callers] & (parents[callees] == -2))
                fresh[:] = False
                parents[callees[rows[::-1]]] = rows[::-1]
                fresh[callees[rows]] = True
        return parents

    def _roots(self) -> Iterator[list[int]]:
        names = self.binary.names
        yield [i for i, name in enumerate(names) if name == "main.main"]
        # Variables are set and init functions run before main, called through a table.
        yield [i for i, name in enumerate(names) if self._is_own[i] and _is_init(name)]

    def depth(self, number: int) -> int:
        """Return how many edges a function is from main; a million where no chain leads to it."""
        if not self.is_reached(number):
            return 1_000_000
        depth, callers = 0, self._edges[0]
        while (edge := int(self._parents[number])) >= 0:
            number = int(callers[edge])
            depth += 1
        return depth

    def is_reached(self, number: int) -> bool:
        """Say whether a chain of calls and mentions leads from main or an init function to this one."""
        return bool(self._parents[number] != -2)

    def chain(self, number: int) -> list[tuple[Frame, ...]]:
        """Return the stacks of the calls that lead from main to a function, main's own first; empty for a root."""
        stacks: list[tuple[Frame, ...]] = []
        callers, _, where = self._edges
        while (edge := int(self._parents[number])) >= 0:
            stacks.append(self.binary.stack(int(where[edge])))
            number = int(callers[edge])
        return stacks[::-1]


def _is_init(function: str) -> bool:
    tail = function.rpartition("/")[2].partition(".")[2]
    return tail == "init" or tail.startswith(("init.", "map.init."))


def outermost_first(stacks: Sequence[tuple[Frame, ...]]) -> Iterator[Frame]:
    """Yield the frames of a chain in calling order."""
    for stack in stacks:
        yield from reversed(stack)
