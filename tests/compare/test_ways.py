"""Which way to deploy is advised, what it takes, and intervals that hold what they say."""

from __future__ import annotations

import random
import statistics

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.compare.figures import interval_of
from proa.compare.ways import Traits, advise, effort_of

PLAIN = Traits(
    is_server=True,
    is_static=True,
    writes_files=False,
    needs_files=False,
    has_cluster=False,
    has_runtime=True,
    services=0,
)


@pytest.mark.parametrize(
    ("changed", "advised"),
    [
        ({}, "service"),
        ({"has_cluster": True}, "pod"),
        ({"has_cluster": True, "writes_files": True}, "service"),
        ({"has_cluster": True, "is_server": False}, "service"),
        ({"is_static": False}, "container"),
        ({"needs_files": True}, "container"),
        ({"needs_files": True, "has_runtime": False}, "service"),
        ({"services": 3}, "container"),
        ({"services": 1}, "service"),
    ],
)
def test_the_advice_follows_from_the_program_and_what_is_here(changed: dict[str, object], advised: str) -> None:
    way, why = advise(msgspec.structs.replace(PLAIN, **changed))
    assert way == advised
    assert why


@pytest.mark.parametrize("way", ["service", "container", "pod"])
def test_each_way_s_effort_is_a_list_of_its_own(way: str) -> None:
    effort = effort_of(way, name="shop", ports=(8080,), is_static=True, variables=2)  # type: ignore[arg-type]
    assert effort.commands
    assert effort.update
    assert effort.moving_parts
    assert len(set(effort.commands)) == len(effort.commands)


def test_a_dynamic_program_leans_on_the_machine_s_libraries() -> None:
    dynamic = effort_of("service", name="shop", ports=(), is_static=False, variables=0)
    static = effort_of("service", name="shop", ports=(), is_static=True, variables=0)
    assert len(dynamic.moving_parts) == len(static.moving_parts) + 1


@given(st.lists(st.floats(0.001, 100), min_size=1, max_size=40))
def test_the_median_is_in_its_interval_and_both_are_of_the_samples(samples: list[float]) -> None:
    found = interval_of(samples)
    assert found.median == pytest.approx(statistics.median(samples))
    assert found.low <= found.median <= found.high
    assert {found.low, found.high} <= set(samples)


def test_the_interval_holds_the_true_median_as_often_as_it_says() -> None:
    draw = random.Random(7)
    held = 0
    for _ in range(2000):
        found = interval_of([draw.expovariate(1) for _ in range(9)])
        held += found.low <= 0.6931 <= found.high
    assert held / 2000 >= 0.95
