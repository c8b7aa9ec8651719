"""Dominators and shortest ways against their definitions."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from proa.inspect.dominators import immediate_dominators, reached_without, shortest_way

NODES = [str(number) for number in range(9)]
graphs = st.dictionaries(st.sampled_from(NODES), st.lists(st.sampled_from(NODES), max_size=5, unique=True))


def dominators_by_definition(edges: dict[str, list[str]]) -> dict[str, set[str]]:
    """Return for each node that can be reached all others without which it cannot."""
    everything = reached_without("0", [], edges)
    return {
        node: {other for other in everything - {node} if node not in reached_without("0", [other], edges)}
        for node in everything
    }


@given(graphs)
def test_the_immediate_dominator_is_the_nearest_of_all_that_must_be_passed(edges):
    expected = dominators_by_definition(edges)
    found = immediate_dominators("0", edges)
    assert set(found) == set(expected) - {"0"}
    for node, nearest in found.items():
        assert nearest in expected[node]
        # The nearest one is dominated by all the others.
        assert expected[node] - {nearest} == expected[nearest]


@given(graphs, st.sampled_from(NODES))
def test_the_shortest_way_is_a_way_and_no_other_is_shorter(edges, target):
    way = shortest_way("0", [target], edges)
    distance, reached, fresh = 0, {"0"}, {"0"}
    while target not in reached and fresh:
        fresh = {one for node in fresh for one in edges.get(node, [])} - reached
        reached |= fresh
        distance += 1
    if target not in reached:
        assert way == ()
        return
    assert (way[0], way[-1], len(way)) == ("0", target, distance + 1)
    assert all(after in edges[before] for before, after in pairwise(way))


def test_a_chain_of_ten_thousand_packages_is_no_recursion():
    edges = {str(number): [str(number + 1)] for number in range(10_000)}
    assert immediate_dominators("0", edges)["10000"] == "9999"
