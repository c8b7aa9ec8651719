"""What the figures of two variants show, and with which error."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.compare import LEAST_RUNS, LOOKS, Pace, contrasts, order, ratio_of, should_go_on, with_figures
from proa.compare.ranks import _rank_sums, _signed_ranks, median_interval, paired_interval, unpaired_interval
from proa.records.comparison import Sample, Variant


def samples(times, **more):
    return [Sample(verdict="measured", ready_s=float(one), **more) for one in times]


def contrast(times, others, *, pace=None, figure="ready_s"):
    variants = [Variant(name=name, verdict="measured", compressed_bytes=size) for name, size in (("a", 50), ("b", 100))]
    found = contrasts(variants, {"a": samples(times), "b": samples(others)}, baseline="b", pace=pace or Pace())
    return next(one for one in found if one.figure == figure)


def test_the_table_of_signed_ranks_is_that_of_all_signs():
    counted = np.zeros(16)
    for signs in itertools.product((0, 1), repeat=5):
        counted[sum(rank for rank, sign in zip(range(1, 6), signs, strict=True) if sign)] += 1

    assert np.allclose(_signed_ranks(5), counted / counted.sum())


def test_the_table_of_rank_sums_is_that_of_all_choices():
    counted = np.zeros(13)
    for chosen in itertools.combinations(range(1, 8), 3):
        counted[sum(chosen) - 6] += 1

    assert np.allclose(_rank_sums(3, 4), counted / counted.sum())


def test_six_pairs_on_one_side_are_the_least_for_95_percent():
    assert paired_interval([1.0, 2.0, 3.0, 4.0, 5.0], error=0.05) is None
    assert paired_interval([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], error=0.05) == (1.0, 6.0)


def test_the_published_example_of_signed_ranks_comes_out():
    # Hollander and Wolfe, table 3.1 (depression scale factors, Salsburg 1970): 96.1 % is (-0.786, -0.010).
    before = [1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30]
    after = [0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29]
    differences = [one - other for one, other in zip(after, before, strict=True)]

    low, high = paired_interval(differences, error=0.04)

    assert (low, high) == pytest.approx((-0.786, -0.010), abs=0.0005)


@given(st.lists(st.floats(0.001, 1000), min_size=1, max_size=60))
def test_a_median_lies_within_its_interval(values):
    median, low, high = median_interval(values)

    assert min(values) <= low <= median <= high <= max(values)


@given(st.lists(st.floats(0.001, 1000), min_size=5, max_size=30), st.floats(0.5, 2))
def test_a_ratio_lies_within_its_interval_and_the_other_way_round_is_its_inverse(values, factor):
    others = [value * factor for value in reversed(values)]

    ratio, is_wide = ratio_of(np.array(values), np.array(others), error=0.01)
    inverse, _ = ratio_of(np.array(others), np.array(values), error=0.01)

    assert ratio.low <= ratio.median <= ratio.high
    assert ratio.low == pytest.approx(1 / inverse.high)
    assert is_wide == (len(values) < 5)


def test_the_shift_between_two_samples_is_covered():
    values = [10.0, 11.0, 12.0, 13.0, 14.0, 15.0, 16.0, 17.0]

    low, high = unpaired_interval(values, [one - 9 for one in values], error=0.05)

    assert low <= 9 <= high


def test_what_is_slower_in_every_round_is_shown_at_the_least_number_of_rounds():
    base = [1.0, 1.1, 0.9, 1.05, 0.95, 1.02, 0.98, 1.01]

    one = contrast([value * 2 for value in base], base)

    assert len(base) == LEAST_RUNS
    assert one.difference == "slower"
    assert one.ratio.median == pytest.approx(2.0)
    assert one.ratio.low > 1


def test_what_is_faster_is_shown_as_faster():
    base = [1.0 + number / 100 for number in range(12)]

    assert contrast([value / 3 for value in base], base).difference == "faster"


def test_six_rounds_show_nothing_however_far_apart_they_are():
    base = [1.0, 1.1, 0.9, 1.05, 0.95, 1.02]

    assert contrast([value * 50 for value in base], base).difference == "none_shown"


def test_the_same_times_show_nothing():
    base = [1.0 + number / 100 for number in range(20)]

    one = contrast(base, base)

    assert one.difference == "none_shown"
    assert one.ratio.low <= 1 <= one.ratio.high


def test_equal_variants_are_shown_to_differ_once_in_a_hundred_at_most():
    chance = np.random.default_rng(1)
    shown = 0
    for _ in range(400):
        times = np.exp(chance.normal(0, 0.1, (2, LOOKS[-1])))
        shown += any(contrast(times[0][:look], times[1][:look]).difference != "none_shown" for look in LOOKS)

    # Binomial(400, 0.01): more than 10 in one of 300 cases; the seed is fixed.
    assert shown <= 10


def test_a_size_is_compared_as_it_is():
    one = contrast([1.0], [1.0], figure="compressed_bytes")

    assert (one.difference, one.ratio.median, one.ratio.low, one.ratio.high) == ("smaller", 0.5, 0.5, 0.5)


def test_more_requests_are_faster():
    variants = [Variant(name=name, verdict="measured") for name in ("a", "b")]
    runs = {
        name: [Sample(verdict="measured", requests_per_s=speed + number) for number in range(12)]
        for name, speed in (("a", 2000.0), ("b", 1000.0))
    }

    (one,) = contrasts(variants, runs, baseline="b", pace=Pace())

    assert one.difference == "faster"


def test_rounds_in_which_one_failed_are_left_out_of_both():
    variants = [Variant(name=name, verdict="measured") for name in ("a", "b")]
    broken = Sample(verdict="does-not-start")
    runs = {"a": [broken, *samples([2.0] * 12)], "b": samples([9.0] + [1.0] * 12)}

    (one,) = contrasts(variants, runs, baseline="b", pace=Pace())

    assert one.ratio.samples == (2.0,) * 12


def test_a_variant_carries_its_samples():
    whole = with_figures(Variant(name="a", verdict="measured"), samples([3.0, 1.0, 2.0], engine="bubblewrap"))

    assert whole.ready_s is not None
    assert (whole.ready_s.median, whole.ready_s.samples) == (2.0, (3.0, 1.0, 2.0))
    assert whole.engine == "bubblewrap"
    assert whole.rss_bytes is None


def test_rounds_go_on_until_all_intervals_are_narrow():
    pace = Pace(precision=0.05)

    assert should_go_on(pace, done=12, elapsed_s=1, widths=[0.01, 0.06])
    assert not should_go_on(pace, done=12, elapsed_s=1, widths=[0.01, 0.05])
    assert should_go_on(pace, done=13, elapsed_s=1, widths=[0.01])
    assert not should_go_on(pace, done=LOOKS[-1], elapsed_s=1, widths=[9.0])


def test_the_budget_ends_the_rounds_but_not_before_something_can_be_shown():
    pace = Pace(budget_s=10)

    assert should_go_on(pace, done=LEAST_RUNS - 1, elapsed_s=100, widths=[9.0])
    assert not should_go_on(pace, done=LEAST_RUNS, elapsed_s=9.5, widths=[9.0])


def test_a_fixed_number_of_rounds_is_kept():
    pace = Pace(runs=5, budget_s=1)

    assert should_go_on(pace, done=4, elapsed_s=100, widths=[0.0])
    assert not should_go_on(pace, done=5, elapsed_s=0, widths=[9.0])


@given(st.integers(1, 20), st.integers(0, 1000))
def test_each_round_has_everybody_once_and_is_the_same_each_time(count, seed):
    first = order(count, seed=seed, round_number=3)

    assert sorted(first) == list(range(count))
    assert first == order(count, seed=seed, round_number=3)


def test_nobody_always_follows_the_same_one():
    assert len({tuple(order(3, seed=0, round_number=number)) for number in range(40)}) == 6
