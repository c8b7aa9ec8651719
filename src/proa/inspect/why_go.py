"""Why something is in a linked Go program, from its references and, where there is source, its imports."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from proa.inspect.asked import Asked
from proa.inspect.dominators import immediate_dominators, reached_without, shortest_way
from proa.inspect.reachability import Loss, Reachability

MAIN = "main"
_MOST_LISTED = 200


class Imports(msgspec.Struct, frozen=True, kw_only=True):
    """The import graph of a program's source."""

    main: str
    edges: Mapping[str, Sequence[str]]


class Reasons(msgspec.Struct, frozen=True, kw_only=True):
    """What the graphs say of one name."""

    chain: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    importers: tuple[str, ...] = ()
    dominator: str = ""
    loss: Loss


def reasons(asked: Asked, reachability: Reachability, imports: Imports | None, words: Collection[str] = ()) -> Reasons:
    """Return the ways to what was asked for, and what would go with it; ``words`` as ``Reachability.without``."""
    nodes = nodes_of(asked, reachability)
    references = _references(nodes, reachability)
    edges, root = _edges(reachability, imports)
    packages = asked.packages or tuple(dict.fromkeys(_owners(nodes, reachability)))
    packages = tuple(root if one == MAIN else one for one in packages)
    chain = shortest_way(root, packages, edges)
    if imports is None and (asked.subject == "symbol" or not chain):
        chain = _collapsed(references, nodes, reachability) or chain
    return Reasons(
        chain=chain,
        references=references,
        importers=_importers(packages, edges),
        dominator=_dominator(packages, root, edges),
        loss=_loss(asked, nodes, reachability, imports, words),
    )


def nodes_of(asked: Asked, reachability: Reachability) -> list[int]:
    """Return the nodes of what was asked for: functions and variables, and of packages types as well."""
    import numpy as np

    graph = reachability.graph
    if asked.subject == "symbol":
        found = [i for i, name in enumerate(graph.names) if name == asked.name]
        return found + [node for node, name in graph.symbols.items() if name == asked.name]
    numbers = [graph.packages[name] for name in asked.packages if name in graph.packages]
    return np.flatnonzero(np.isin(graph.owners, numbers)).tolist()


def _edges(reachability: Reachability, imports: Imports | None) -> tuple[Mapping[str, Sequence[str]], str]:
    if imports is not None:
        return imports.edges, imports.main
    return reachability.between_packages, MAIN


def _importers(packages: Sequence[str], edges: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    own = set(packages)
    found = sorted(one for one, targets in edges.items() if one not in own and own.intersection(targets))
    return tuple(found[:_MOST_LISTED])


def _dominator(packages: Sequence[str], root: str, edges: Mapping[str, Sequence[str]]) -> str:
    """Return who every way to any of the packages passes."""
    own = set(packages)
    if root in own:
        return ""
    # As if they were one: a module's packages import each other.
    whole = " asked"
    joined = {
        one: list(dict.fromkeys(whole if target in own else target for target in targets))
        for one, targets in edges.items()
        if one not in own
    }
    return immediate_dominators(root, joined).get(whole, "")


def _owners(nodes: Sequence[int], reachability: Reachability) -> list[str]:
    names = {number: name for name, number in reachability.graph.packages.items()}
    owners = reachability.graph.owners[list(nodes)].tolist() if nodes else []
    return [names[number] for number in owners if number in names]


def _references(nodes: Sequence[int], reachability: Reachability) -> tuple[str, ...]:
    """Return the symbols from main to the nearest of some nodes; from an init function where main has no way there."""
    graph = reachability.graph
    root = next((i for i, name in enumerate(graph.names) if name == "main.main"), graph.entry)
    parents = reachability.parents(root)
    best: list[int] = []
    # Functions say more than the types and variables beside them.
    chosen = [node for node in nodes if node < graph.functions] or list(nodes)
    for node in chosen:
        way = _way(node, root, parents, shorter_than=len(best) or 1000)
        if way and (not best or _rank(way, root) < _rank(best, root)):
            best = way
    return _named(best, reachability)


def _rank(way: Sequence[int], root: int) -> tuple[bool, int]:
    return way[0] != root, len(way)


def _way(node: int, root: int, parents: Any, *, shorter_than: int) -> list[int]:
    way = [node]
    while node != root and len(way) <= max(shorter_than, 1000):
        node = int(parents[node])
        if node == -1:
            return []
        if node == -2:
            break
        way.append(node)
    return way[::-1]


def _named(way: Sequence[int], reachability: Reachability) -> tuple[str, ...]:
    graph = reachability.graph
    names: list[str] = []
    for node in way:
        if node < graph.functions:
            names.append(graph.names[node])
        elif node in graph.symbols and not graph.symbols[node].endswith("·f"):
            names.append(graph.symbols[node])
    return tuple(dict.fromkeys(names))


def _collapsed(references: Sequence[str], nodes: Sequence[int], reachability: Reachability) -> tuple[str, ...]:
    from proa.inspect.modules import owner_of

    owners = [owner_of(name) for name in references]
    found = [owner for i, owner in enumerate(owners) if owner and (i == 0 or owner != owners[i - 1])]
    target = _owners(nodes[:1], reachability)
    if target and (not found or found[-1] != target[0]):
        found.append(target[0])
    return tuple(found if found[:1] == [MAIN] else [MAIN, *found]) if found else ()


def _loss(
    asked: Asked,
    nodes: Sequence[int],
    reachability: Reachability,
    imports: Imports | None,
    words: Collection[str] = (),
) -> Loss:
    graph = reachability.graph
    if asked.subject == "symbol":
        return reachability.without_nodes(nodes)
    numbers = [graph.packages[name] for name in asked.packages if name in graph.packages]
    if imports is None:
        return reachability.without(numbers, None)
    left = reached_without(imports.main, asked.packages, imports.edges)
    everything = {imports.main, *imports.edges}
    kept = {number for name, number in graph.packages.items() if name in left or name == MAIN or name not in everything}
    return reachability.without(numbers, kept - set(numbers), words)
