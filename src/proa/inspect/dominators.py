"""Who must be passed on every way from a root: dominators of a graph, and the shortest way.

Source: Cooper, Harvey, Kennedy, "A Simple, Fast Dominance Algorithm" (2001).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

Edges = Mapping[str, Sequence[str]]


def immediate_dominators(root: str, edges: Edges) -> dict[str, str]:
    """Return for each node that can be reached, but the root, the nearest one that every way to it passes.

    >>> immediate_dominators("a", {"a": ["b", "c"], "b": ["d"], "c": ["d"], "d": ["e"]})["e"]
    'd'
    """
    order = _postorder(root, edges)
    number = {node: index for index, node in enumerate(order)}
    before: dict[str, list[str]] = {node: [] for node in order}
    for node in order:
        for target in edges.get(node, ()):
            before[target].append(node)
    nearest = {root: root}
    is_settled = False
    while not is_settled:
        is_settled = True
        for node in reversed(order[:-1]):
            known = [one for one in before[node] if one in nearest]
            found = known[0]
            for other in known[1:]:
                found = _meeting(found, other, nearest, number)
            if nearest.get(node) != found:
                nearest[node] = found
                is_settled = False
    del nearest[root]
    return nearest


def _meeting(one: str, other: str, nearest: Mapping[str, str], number: Mapping[str, int]) -> str:
    while one != other:
        while number[one] < number[other]:
            one = nearest[one]
        while number[other] < number[one]:
            other = nearest[other]
    return one


def _postorder(root: str, edges: Edges) -> list[str]:
    order: list[str] = []
    seen = {root}
    waiting = [(root, iter(edges.get(root, ())))]
    while waiting:
        node, rest = waiting[-1]
        for target in rest:
            if target not in seen:
                seen.add(target)
                waiting.append((target, iter(edges.get(target, ()))))
                break
        else:
            order.append(node)
            waiting.pop()
    return order


def shortest_way(root: str, targets: Sequence[str], edges: Edges) -> tuple[str, ...]:
    """Return the nodes from a root to the nearest of some targets, both included; empty where there is no way.

    >>> shortest_way("a", ["d"], {"a": ["b", "c"], "b": ["c"], "c": ["d"]})
    ('a', 'c', 'd')
    """
    wanted = set(targets)
    came_from = {root: ""}
    waiting = deque([root])
    while waiting:
        node = waiting.popleft()
        if node in wanted:
            way = [node]
            while came_from[way[-1]]:
                way.append(came_from[way[-1]])
            return tuple(reversed(way))
        for target in edges.get(node, ()):
            if target not in came_from:
                came_from[target] = node
                waiting.append(target)
    return ()


def reached_without(root: str, removed: Sequence[str], edges: Edges) -> set[str]:
    """Return the nodes that can be reached when some have no edges any more; those themselves are left out."""
    gone = set(removed)
    seen = {root} - gone
    waiting = list(seen)
    while waiting:
        for target in edges.get(waiting.pop(), ()):
            if target not in seen and target not in gone:
                seen.add(target)
                waiting.append(target)
    return seen
