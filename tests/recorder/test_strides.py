"""The arithmetic of a budget: what is shared stays within what is allowed, and reaches the thinnest first."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runopsy.recorder.strides import level, strides


@given(st.lists(st.floats(1e-6, 1e3), min_size=1, max_size=30), st.floats(1e-6, 1.0), st.floats(0, 1))
def test_strides_are_powers_of_two_and_what_they_cost_is_allowed(
    costs: list[float], allowed: float, wanted: float
) -> None:
    found = strides(costs, allowed, wanted)
    assert all(stride.bit_count() == 1 for stride in found)
    assert sum(c / s for c, s in zip(costs, found, strict=True)) <= allowed * (1 + 1e-6) + sum(costs) * 2**-40


@given(st.lists(st.floats(1e-6, 1e3), min_size=2, max_size=30), st.floats(1e-6, 1.0))
def test_the_cheaper_of_two_is_never_read_less_often(costs: list[float], allowed: float) -> None:
    found = sorted(zip(costs, strides(costs, allowed), strict=True))
    assert all(a[1] <= 2 * b[1] for a, b in itertools.pairwise(found))


def test_everything_gets_what_it_wants_before_anything_gets_more() -> None:
    assert strides([1e-6, 1.0], allowed=2 / 64, wanted=1 / 64) == [1, 64]


@given(st.lists(st.floats(0, 1e3), min_size=1), st.floats(0, 1e3))
def test_the_level_uses_up_the_total_or_meets_every_demand(demands: list[float], total: float) -> None:
    cap = level(demands, total)
    met = sum(min(demand, cap) for demand in demands)
    assert met == pytest.approx(min(total, sum(demands)), rel=1e-6, abs=1e-9)
