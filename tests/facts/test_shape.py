from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import isotonic_regression

from runopsy.facts.shape import HUBER, LEVELS, MOST_PIECES, _huber, _totals, shape_of


def naive_cost(z, start, most):
    """The least sum of squares of up to ``most`` monotone pieces in turns, every way to cut tried."""
    m, best = len(z), np.inf
    for cuts in (cuts for count in range(most) for cuts in combinations(range(2, m), count)):
        cost = 0.0
        for k, (a, b) in enumerate(zip([0, *cuts], [*cuts, m], strict=True)):
            fitted = isotonic_regression(z[a:b], increasing=(start + k) % 2 == 0).x
            cost += float(((z[a:b] - fitted) ** 2).sum())
        best = min(best, cost)
    return best


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(4, 8))
def test_the_cost_is_that_of_the_best_of_all_cuts(seed, m):
    rng = np.random.default_rng(seed)
    z = rng.uniform(0, HUBER, m)  # no two further apart than the distance from which a point counts linearly
    levels = np.linspace(z.min(), z.max(), LEVELS)
    totals = _totals(_huber(z[:, None] - levels))
    half = (levels[1] - levels[0]) / 2
    for start in (0, 1):
        for most in range(1, MOST_PIECES + 1):
            ours, theirs = totals[-1, start, :most].min(), naive_cost(z, start, most)
            assert theirs - 1e-9 <= ours <= theirs + m * (2 * HUBER * half + half**2)


def directions(found):
    return [int(np.sign(piece.change)) for piece in found.pieces]


STEPS = np.linspace(0, 1, 60)
CURVES = {
    "power law": ((1 + 50 * STEPS) ** -0.7, [-1]),
    "exponential": (np.exp(-5 * STEPS), [-1]),
    "cosine": (np.cos(np.pi * STEPS), [-1]),
    "late rise": (1 / (1 + np.exp(-40 * (STEPS - 0.8))), [1]),
    "bowl": ((STEPS - 0.4) ** 2, [-1, 1]),
    "down, up, down": (np.cos(2.8 * np.pi * STEPS), [-1, 1, -1]),
    "flat": (np.full(60, 0.5), []),
}


@pytest.mark.parametrize(("curve", "moves"), CURVES.values(), ids=CURVES)
def test_a_curve_has_as_many_pieces_as_it_has_directions(curve, moves):
    found = shape_of(curve, np.full(60, 0.01))
    assert directions(found) == moves
    np.testing.assert_allclose(found.fit, curve, atol=0.02)


@pytest.mark.parametrize(("curve", "moves"), CURVES.values(), ids=CURVES)
def test_noise_adds_no_turn(curve, moves):
    rng = np.random.default_rng(5)
    noisy = [shape_of(curve + 0.02 * rng.standard_normal(60), np.full(60, 0.02)) for _ in range(20)]
    assert sum(directions(found) == moves for found in noisy) >= 19


def test_a_turn_stands_at_the_extreme_point_and_the_change_is_measured_from_it():
    found = shape_of((STEPS - STEPS[24]) ** 2, np.full(60, 0.001))
    assert [(p.first, p.last) for p in found.pieces] == [(0, 24), (24, 59)]
    assert found.pieces[1].change == pytest.approx((1 - STEPS[24]) ** 2, rel=0.02)
    assert found.pieces[1].gain > found.pieces[0].gain > 0


def test_one_wild_row_is_no_turn():
    curve = np.exp(-5 * STEPS)
    curve[30] += 0.1  # ten standard errors
    assert directions(shape_of(curve, np.full(60, 0.01))) == [-1]


finite = st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=40).map(np.array)


@settings(deadline=None)
@given(finite, st.floats(1e-3, 1e3))
def test_pieces_cover_all_points_in_turns_and_the_fit_keeps_their_direction(value, error):
    found = shape_of(value, np.full(len(value), error))
    assert found.fit.shape == value.shape
    assert found.flat == (len(set(found.fit.tolist())) == 1)
    assert len(found.pieces) <= MOST_PIECES
    signs = directions(found)
    assert all(a == -b for a, b in zip(signs, signs[1:], strict=False))
    if found.pieces:
        ends = [(p.first, p.last) for p in found.pieces]
        assert ends[0][0] == 0
        assert ends[-1][1] == len(value) - 1
        assert all(a[1] == b[0] for a, b in zip(ends, ends[1:], strict=False))


@settings(deadline=None)
@given(st.integers(0, 10_000), st.floats(0.01, 100), st.floats(-100, 100))
def test_the_unit_and_the_offset_do_not_matter_and_upside_down_is_upside_down(seed, unit, offset):
    rng = np.random.default_rng(seed)
    value = np.cumsum(rng.standard_normal(30))
    found, moved, turned = (
        shape_of(of, np.full(30, unit_of))
        for of, unit_of in ((value, 1.0), (unit * value + offset, unit), (-value, 1.0))
    )
    assert directions(moved) == directions(found)
    assert directions(turned) == [-sign for sign in directions(found)]
