"""What of a linked Go program can be reached, and what could not be reached any more without some packages.

The marking is the linker's own, over ``references``: follow references from the entry point; then add the methods of
types in interfaces that can be called by now (an interface type with such a method was reached; or somebody looks
methods up by a name nobody knows beforehand, and then all exported ones); then the initialisation of packages that
are still imported; and so on until nothing is added. Leaving a package out is what ``proa why --verify`` really does:
its functions do nothing, its variables have no value, its types are there for those who name them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import cached_property
from typing import Any

import msgspec

from proa.inspect.inlining import inlined_bytes
from proa.inspect.references import References

STUB_BYTES = 32
"""Of a function that does nothing, with its alignment (amd64, Go 1.26)."""


class Loss(msgspec.Struct, frozen=True, kw_only=True):
    """What a program would lose without some packages."""

    bytes: int
    packages: tuple[tuple[str, int], ...]
    """Those that would shrink or go, the largest first."""
    shared_bytes: int
    """What the packages reach, and others too."""
    is_last_lookup: bool = False
    """Nobody known would look methods up by name any more, and the linker might leave many more out."""


class Reachability:
    """One program, marked as it is; then without this or that."""

    def __init__(self, references: References) -> None:
        import numpy as np

        self.graph = references
        self.wide = max(references.packages.values(), default=-1) + 1
        nothing = np.zeros(references.count, bool)
        self._is_looked_up = True
        everything = self._mark(nothing, frozenset(), None)
        # Nothing known refers to these: they are there as long as anything else of their package is.
        self.strays = np.flatnonzero(~everything)
        self.reached = everything
        self._is_looked_up = self._needs_lookups()
        self._users = self._seldom_used()

    def _needs_lookups(self) -> bool:
        """Say whether exported methods are kept that no interface names: the linker saw a lookup by name."""
        import numpy as np

        graph = self.graph
        named = np.zeros(len(graph.is_exported), bool)
        named[graph.interface_signatures] = True
        only = graph.is_exported & ~named
        # Some, because an interface may be known to the linker alone.
        return bool(only[graph.method_signatures].mean() > 0.05) if len(graph.method_signatures) else False

    def _seldom_used(self) -> Any:
        """Return which entries of the initialisation list are of packages that nothing refers to: blank imports.

        Those without any reference first; what is still not reached then is taken for one, too.
        """
        import numpy as np

        graph = self.graph
        nothing = np.zeros(graph.count, bool)
        used = {target for targets in self.between_packages.values() for target in targets}
        numbers = [number for name, number in graph.packages.items() if name in used]
        self._users = ~np.isin(graph.initial_owners, numbers)
        reached = self._mark(nothing, frozenset(), frozenset())
        return self._users | ~self._imported(reached)[graph.initial_owners]

    # Marking

    def _flood(self, reached: Any, fresh: Any, blocked: Any, parents: Any = None) -> None:
        import numpy as np

        graph = self.graph
        while len(fresh):
            first = graph.first_edge[fresh].astype("i8")
            counts = np.where(blocked[fresh], 0, graph.first_edge[fresh + 1] - first)
            total = int(counts.sum())
            if not total:
                return
            rows = np.repeat(first - (np.cumsum(counts) - counts), counts) + np.arange(total)
            found = graph.targets[rows].astype("i8")
            new = ~reached[found]
            sources = np.repeat(fresh, counts)[new]
            fresh, where = np.unique(found[new], return_index=True)
            reached[fresh] = True
            if parents is not None:
                parents[fresh] = sources[where]

    def _imported(self, reached: Any) -> Any:
        """Return the packages of which anything is reached: whoever refers to it imports the package."""
        alive = self._alive(reached)
        alive[self.graph.owners[reached]] = True
        alive[-1] = False
        return alive

    def _alive(self, reached: Any) -> Any:
        """Return the packages of which a function is reached, itself or inlined into another."""
        import numpy as np

        graph = self.graph
        alive = np.zeros(self.wide + 1, bool)
        alive[graph.owners[: graph.functions][reached[: graph.functions]]] = True
        alive[graph.inlined_packages[reached[graph.inlined_in]]] = True
        alive[-1] = False
        return alive

    def _callable(self, reached: Any, spared: Any, written: Any) -> Any:
        """Say of each method whether it can be called; ``spared`` are rows of which more is asked."""
        import numpy as np

        graph = self.graph
        asked = np.zeros(len(graph.is_exported), bool)
        asked[graph.interface_signatures[reached[np.maximum(graph.interface_types, 0)]]] = True
        can = (asked | graph.is_exported if self._is_looked_up else asked)[graph.method_signatures]
        if len(spared):
            can[spared] = asked[graph.method_signatures[spared]] | can[spared] & (
                written | self._named(reached, spared)
            )
        return can

    def _named(self, reached: Any, rows: Any) -> Any:
        """Say of methods whether code that is reached names them; then their types stay with them."""
        import numpy as np

        graph = self.graph
        mentioned = reached[: graph.functions].copy()
        inlined = graph.inlined_functions[reached[graph.inlined_in]]
        mentioned[inlined[inlined >= 0]] = True
        targets = graph.method_targets[rows]
        code = targets < graph.functions
        keys = graph.method_sources[rows] * len(graph.is_exported) + graph.method_signatures[rows]
        return np.isin(keys, keys[code][mentioned[targets[code]]])

    def _spared(self, gone: Any, removed: Collection[int]) -> Any:
        """Return rows of methods that nobody keeps who does not use them: of gone types, or lent to who embeds one."""
        import numpy as np

        graph = self.graph
        if not removed:
            return np.empty(0, "i8")
        wrappers, packages = self._lent
        lent = np.isin(graph.method_targets, wrappers[np.isin(packages, list(removed))])
        keys = graph.method_sources * len(graph.is_exported) + graph.method_signatures
        return np.flatnonzero(gone[graph.method_sources] | np.isin(keys, keys[lent]))

    @cached_property
    def _lent(self) -> tuple[Any, Any]:
        """Return functions the compiler wrote, and the packages whose functions they call, or are made of."""
        import numpy as np

        graph = self.graph
        first = graph.first_edge[graph.wrappers].astype("i8")
        counts = graph.first_edge[graph.wrappers + 1] - first
        rows = np.repeat(first - (np.cumsum(counts) - counts), counts) + np.arange(int(counts.sum()))
        targets = graph.targets[rows]
        code = targets < graph.functions
        inlined = np.isin(graph.inlined_in, graph.wrappers)
        return (
            np.concatenate([np.repeat(graph.wrappers, counts)[code], graph.inlined_in[inlined]]),
            np.concatenate([graph.owners[targets[code]], graph.inlined_packages[inlined]]),
        )

    def _mark(
        self,
        gone: Any,
        removed: Collection[int],
        imported: Collection[int] | None,
        parents: Any = None,
        root: int = -1,
        *,
        words: Collection[str] = (),
    ) -> Any:
        """Return what is reached without the nodes ``gone``; ``words`` as ``without`` has them.

        ``imported`` are packages to initialise: all of them for None; those that something refers to when empty.
        """
        import numpy as np

        graph = self.graph
        reached = np.zeros(graph.count, bool)
        start = np.array([graph.entry if root < 0 else root])
        reached[start] = True
        self._flood(reached, start, gone, parents)
        begun = np.isin(graph.initial_owners, list(removed))
        wanted = np.isin(graph.initial_owners, list(imported)) if imported else None
        of_gone = gone[graph.public_sources]
        is_code = graph.method_targets < graph.functions
        open_methods = ~gone[graph.method_sources] | is_code | graph.is_exported[graph.method_signatures]
        spared = self._spared(gone, removed)
        names = graph.signature_names
        written = np.array([names[number] in words for number in graph.method_signatures[spared].tolist()], bool)
        while True:
            can = self._callable(reached, spared, written)
            methods = reached[graph.method_sources] & ~reached[graph.method_targets] & can & open_methods
            public = of_gone & reached[graph.public_sources] & ~reached[graph.public_targets]
            starting = ~begun
            if wanted is not None:
                starting &= wanted
            elif imported is not None:
                starting &= self._imported(reached)[graph.initial_owners] | self._users
            begun |= starting
            if parents is not None:
                parents[graph.method_targets[methods]] = graph.method_sources[methods]
                parents[graph.initial[starting]] = -2
            fresh = np.unique(
                np.concatenate(
                    [graph.method_targets[methods], graph.public_targets[public], graph.initial[starting]]
                ).astype("i8")
            )
            fresh = fresh[~reached[fresh]]
            if not len(fresh):
                return reached
            reached[fresh] = True
            self._flood(reached, fresh, gone, parents)

    # Questions

    def without(self, packages: Iterable[int], imported: Collection[int] | None, words: Collection[str] = ()) -> Loss:
        """Return what would go with some packages; ``imported`` are those that would still be, None where unknown.

        ``words`` are names of methods in the source of those who import them, by whatever way.
        """
        import numpy as np

        removed = frozenset(packages)
        return self._without(np.isin(self.graph.owners, list(removed)), removed, imported, frozenset(words))

    def without_nodes(self, nodes: Iterable[int]) -> Loss:
        """Return what would go if some functions did nothing, or some variables had no value."""
        import numpy as np

        gone = np.zeros(self.graph.count, bool)
        gone[list(nodes)] = True
        # Every package stays imported.
        return self._without(gone, frozenset(), frozenset(range(self.wide)))

    def _without(
        self, gone: Any, removed: frozenset[int], imported: Collection[int] | None, words: Collection[str] = ()
    ) -> Loss:
        import numpy as np

        graph = self.graph
        reached = self._mark(gone, removed, imported if imported is not None else frozenset(), words=words)
        lost = self.reached & ~reached
        lost[self._strays_of(reached, removed)] = True
        sizes = graph.sizes + graph.symbol_bytes
        losses = np.where(lost, sizes, 0)
        stubs = np.flatnonzero(reached[: graph.functions] & gone[: graph.functions])
        losses[stubs] = np.maximum(graph.own_bytes[stubs] - STUB_BYTES, 0)
        numbers, inlined = inlined_bytes(graph, removed, reached & ~gone)
        losses[numbers] += inlined
        return Loss(
            bytes=int(losses.sum()),
            packages=self._by_package(losses),
            shared_bytes=self._shared(gone, lost, sizes),
            is_last_lookup=self._is_looked_up and self._ends_lookups(reached, gone),
        )

    def _ends_lookups(self, reached: Any, gone: Any) -> bool:
        lookups = self.graph.lookups
        return bool(self.reached[lookups].any()) and not bool((reached & ~gone)[lookups].any())

    def _strays_of(self, reached: Any, removed: Collection[int]) -> Any:
        import numpy as np

        owners = self.graph.owners[self.strays]
        dead = self._alive(self.reached) & ~self._alive(reached)
        dead[list(removed)] = True
        return self.strays[(owners >= 0) & dead[np.maximum(owners, 0)]]

    def _by_package(self, losses: Any) -> tuple[tuple[str, int], ...]:
        """Sum by package; what has no owner goes to who refers to it first."""
        import numpy as np

        owners = self.owners_of_all
        sums = np.bincount(owners[losses > 0] + 1, losses[losses > 0], minlength=self.wide + 1)[1:].astype("i8")
        rows = [(name, int(sums[number])) for name, number in self.graph.packages.items() if sums[number]]
        return tuple(sorted(rows, key=lambda row: (-row[1], row[0])))

    @cached_property
    def owners_of_all(self) -> Any:
        """Return a package for every node: its own, or that of the first node that refers to it."""
        import numpy as np

        graph = self.graph
        owners = graph.owners.copy()
        sources = np.repeat(np.arange(graph.count, dtype="i4"), np.diff(graph.first_edge))
        for _ in range(4):
            free = (owners[graph.targets] < 0) & (owners[sources] >= 0)
            rows = np.flatnonzero(free)[::-1]
            if not len(rows):
                break
            owners[graph.targets[rows]] = owners[sources[rows]]
        return owners

    def _shared(self, gone: Any, lost: Any, sizes: Any) -> int:
        """Return the bytes of what the packages refer to, through anything, and that would stay."""
        import numpy as np

        reached = gone.copy()
        self._flood(reached, np.flatnonzero(gone & self.reached), np.zeros(self.graph.count, bool))
        return int(sizes[reached & ~gone & ~lost].sum())

    def parents(self, root: int) -> Any:
        """Return for each node who reaches it first from a root: -1 for nobody, -2 for a package's initialisation."""
        import numpy as np

        parents = np.full(self.graph.count, -1, "i8")
        self._mark(np.zeros(self.graph.count, bool), frozenset(), None, parents, root)
        return parents

    @cached_property
    def between_packages(self) -> dict[str, list[str]]:
        """Return which packages each one refers to; the standard library refers to nobody outside of it."""
        import numpy as np

        graph, owners = self.graph, self.owners_of_all
        sources = np.repeat(np.arange(graph.count, dtype="i4"), np.diff(graph.first_edge))
        pairs = np.stack(
            [
                np.concatenate([owners[sources], owners[graph.method_sources], graph.owners[graph.inlined_in]]),
                # What nobody owns is no package's: equal strings and tables are shared by all who have them.
                np.concatenate(
                    [graph.owners[graph.targets], graph.owners[graph.method_targets], graph.inlined_packages]
                ),
            ]
        )
        live = np.concatenate(
            [self.reached[sources], self.reached[graph.method_sources], self.reached[graph.inlined_in]]
        )
        # An instance of somebody's generic function refers to the types it was made for, whoever made it.
        generic = np.zeros(graph.count, bool)
        generic[[i for i, name in enumerate(graph.names) if "[" in name]] = True
        generic[[node for node, name in graph.symbols.items() if "[" in name]] = True
        live &= ~np.concatenate([generic[sources], generic[graph.method_sources], generic[graph.inlined_in]])
        pairs = pairs[:, live & (pairs[0] >= 0) & (pairs[1] >= 0) & (pairs[0] != pairs[1])]
        keys = np.unique(pairs[0].astype("i8") * (self.wide + 1) + pairs[1])
        names = {number: name for name, number in graph.packages.items()}
        found: dict[str, list[str]] = {}
        for key in keys.tolist():
            source, target = names[key // (self.wide + 1)], names[key % (self.wide + 1)]
            if not _is_standard(source) or _is_standard(target):
                found.setdefault(source, []).append(target)
        return found


def _is_standard(package: str) -> bool:
    return package != "main" and "." not in package.partition("/")[0]
