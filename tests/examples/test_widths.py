"""The test of widths, against naive twins and its own promises; ``make bench-widths`` measures more."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runopsy.examples.widths import compare, decades, width


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=60))
def test_a_width_is_the_mean_distance_from_the_median(values):
    middle = (
        sorted(values)[len(values) // 2] if len(values) % 2 else sum(sorted(values)[len(values) // 2 - 1 :][:2]) / 2
    )
    assert width(np.array(values)) == pytest.approx(sum(abs(v - middle) for v in values) / len(values), abs=1e-12)


def test_a_decade_is_ten_times_as_many_steps():
    np.testing.assert_allclose(decades(np.array([0.0, 9.0, 99.0]) + 50, 50.0), [0, 1, 2])


def test_a_place_alone_is_no_width():
    draw = np.random.default_rng(0)
    a = draw.normal(0, 1, 100)
    here, there = (compare("a", a, "b", draw.permutation(a) + shift) for shift in (0.0, 7.0))
    assert here.difference == pytest.approx(there.difference)
    assert here.p > 0.5


def test_what_does_not_vary_is_not_compared():
    assert compare("a", np.ones(40), "b", np.ones(40)) is None


def test_swapping_the_groups_turns_the_sign():
    draw = np.random.default_rng(1)
    a, b = draw.normal(0, 1, 80), draw.normal(0, 0.4, 50)
    one, other = compare("a", a, "b", b), compare("b", b, "a", a)
    assert one.difference == pytest.approx(-other.difference)
    assert one.p == other.p <= 0.01


@pytest.mark.parametrize(("wider", "low", "high"), [(1.0, 0.015, 0.095), (1.6, 0.95, 1.0)])
def test_alike_groups_are_rejected_one_time_in_twenty_and_unlike_ones_nearly_always(wider, low, high):
    draw = np.random.default_rng(2)
    pairs = [(draw.normal(0, 0.4 * wider, 150), draw.normal(2, 0.4, 60)) for _ in range(200)]
    rejected = np.mean([compare("a", a, "b", b, seed).p <= 0.05 for seed, (a, b) in enumerate(pairs)])
    assert low <= rejected <= high
