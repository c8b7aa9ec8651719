"""Edges from pointers in data; those that keep nothing alive by themselves are told apart.

These are the slots of method tables, and the list of packages to initialise, which leads to a record for each of them.
"""

from __future__ import annotations

from typing import Any

import msgspec

from proa.inspect.attribution_go import GoAttribution
from proa.inspect.references.addresses import Descriptors, Pointers
from proa.inspect.references.descriptors import interface_uses
from proa.inspect.references.edges import Edges, joined
from proa.inspect.references.nodes import Places, TypeNodes
from proa.outside import gocode

_MOST_INITS = 10_000
"""Functions of one initialisation record; what claims more is none (arbitrary)."""


class Links(msgspec.Struct, frozen=True, eq=False):
    """Pointers with the nodes they are in and those they lead to, -1 for none."""

    words: Any
    """Where they are."""
    sources: Any
    targets: Any

    def only(self, rows: Any) -> Links:
        """Return some of them."""
        return Links(self.words[rows], self.sources[rows], self.targets[rows])


class DataEdges(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """What data refers to."""

    edges: Edges
    tasks: Any
    """Nodes of the packages' initialisation records."""
    task_owners: Any
    initial: Any
    """Those that the list of packages to initialise leads to."""
    public_sources: Any
    """Of types and their being in an interface: what others can name of their parts."""
    public_targets: Any


def data_edges(
    program: GoAttribution, places: Places, types: TypeNodes, descriptors: Descriptors, pointers: Pointers
) -> DataEdges:
    """Return what data refers to by pointers."""
    import numpy as np

    links = Links(pointers.words, places.locate(pointers.words), places.locate(pointers.targets))
    tasks, task_owners = _tasks(program, places, links)
    links = links.only(_keep_alive(places, types, descriptors, links))
    is_task = np.isin(links.targets, tasks)
    initial = np.unique(links.targets[is_task])
    links = links.only(~is_task)
    private = np.array(descriptors.offsets.private_fields, "i8")
    public = links.only(types.is_type[links.sources] & ~np.isin(links.words, private))
    sources, targets = public.sources, public.targets
    inner = types.is_type[targets]
    return DataEdges(
        edges=joined([Edges(links.sources, links.targets), interface_uses(types, links.sources, links.targets)]),
        tasks=tasks,
        task_owners=task_owners,
        initial=initial,
        public_sources=np.concatenate([sources, types.in_interface[sources[inner]]]),
        public_targets=np.concatenate([targets, types.in_interface[targets[inner]]]),
    )


def _keep_alive(places: Places, types: TypeNodes, descriptors: Descriptors, links: Links) -> Any:
    """Say of pointers whether they keep alive what they lead to, and are pointers at all."""
    import numpy as np

    words, sources, targets, binary = links.words, links.sources, links.targets, places.binary
    code = (targets >= 0) & (targets < places.functions)
    tables = words.copy()
    tables[code] = gocode.method_tables(binary, words[code])
    is_slot = tables != words
    good = (sources >= 0) & (targets >= 0) & ~is_slot
    # Hashes in method tables may look like addresses, and so may masks of the garbage collector.
    good &= ~np.isin(words, types.table_hashes)
    good &= ~np.isin(words, np.unique(tables[is_slot]) + 2 * binary.pointer_bytes)
    good &= ~np.isin(sources, places.locate(np.array(descriptors.types.mask_addresses, "i8")))
    # An empty list of fields or methods points behind its own descriptor, at the next one.
    return good & ~np.isin(words, np.array(descriptors.offsets.own_parts, "i8"))


def _tasks(program: GoAttribution, places: Places, links: Links) -> tuple[Any, Any]:
    """Return the nodes of the initialisation records, and their packages: a state, a count, and as many functions.

    Told by their shape, because stripped programs have them too. Source: runtime/proc.go of Go, ``initTask``.
    """
    import numpy as np

    binary, words, targets = program.binary, links.words, links.targets
    is_init = np.array([_is_init(name) for name in binary.names], bool)
    first = np.flatnonzero((targets >= 0) & (targets < places.functions))
    first = first[is_init[targets[first]]]
    starts = words[first] - 8
    states = gocode.numbers_at(binary, starts, "u4")
    counts = gocode.numbers_at(binary, starts + 4, "u4")
    good = (states == 0) & (counts > 0) & (counts < _MOST_INITS)
    nodes = places.locate(starts[good])
    exact = nodes >= places.functions
    exact[exact] = places.starts[nodes[exact] - places.functions] == starts[good][exact]
    return nodes[exact], program.owners[targets[first][good][exact]]


def _is_init(function: str) -> bool:
    """Say whether a function initialises its package.

    >>> [_is_init(name) for name in ("example.com/shelf.init.0", "example.com/shelf.initial")]
    [True, False]
    """
    tail = function.rpartition("/")[2].partition(".")[2]
    return tail == "init" or tail.startswith("init.")
