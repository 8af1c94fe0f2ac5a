from itertools import combinations

import numpy as np
import pytest
import ruptures
from hypothesis import given, settings
from hypothesis import strategies as st

from runopsy.segments.lines import SHORTEST, best_pieces, fit_pieces, line_costs


def naive_cost(x, y, weight):
    """Weighted residual sum of squares of one straight line, by least squares."""
    root = np.sqrt(weight)
    design = np.stack([np.ones_like(x), x], axis=1) * root[:, None]
    answer = np.linalg.lstsq(design, y * root, rcond=None)[0]
    return float(((design @ answer - y * root) ** 2).sum())


def naive_best(x, y, weight, penalty):
    """Every way to cut, tried."""
    m, best = len(x), (np.inf, [])
    for k in range(m // SHORTEST):
        for cuts in combinations(range(SHORTEST, m - SHORTEST + 1), k):
            ends = [0, *cuts, m]
            if any(b - a < SHORTEST for a, b in zip(ends, ends[1:], strict=False)):
                continue
            cost = sum(naive_cost(x[a:b], y[a:b], weight[a:b]) for a, b in zip(ends, ends[1:], strict=False))
            best = min(best, (cost + penalty * k, list(cuts)))
    return best


def series(seed, m):
    rng = np.random.default_rng(seed)
    x = np.cumsum(rng.uniform(0.1, 1, m))
    return x, rng.normal(0, 1, m).cumsum() + 1e4, rng.uniform(0.5, 2, m)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(4, 9), st.floats(0.1, 5))
def test_the_cut_is_the_best_of_all_cuts(seed, m, penalty):
    x, y, weight = series(seed, m)
    cost = line_costs(x, y, weight)
    cuts = best_pieces(cost, penalty)
    ends = [0, *cuts, m]
    ours = sum(cost[a, b] for a, b in zip(ends, ends[1:], strict=False)) + penalty * len(cuts)
    assert ours == pytest.approx(naive_best(x, y, weight, penalty)[0], rel=1e-6, abs=1e-6)


@given(st.integers(0, 10_000))
def test_the_cost_of_a_line_is_its_least_squares_residual(seed):
    x, y, weight = series(seed, 12)
    cost = line_costs(x, y, weight)
    assert cost[2, 9] == pytest.approx(naive_cost(x[2:9], y[2:9], weight[2:9]), rel=1e-6, abs=1e-6)
    assert np.isinf(cost[3, 4])


def test_the_cut_agrees_with_ruptures_on_unweighted_lines():
    rng = np.random.default_rng(3)
    x = np.arange(90.0)
    y = np.concatenate([2 * x[:30], 60 - x[:30], 30 + 0 * x[:30]]) + rng.normal(0, 0.5, 90)
    cuts = best_pieces(line_costs(x, y, np.ones(90)), penalty=20)
    design = np.stack([y, x, np.ones(90)], axis=1)
    theirs = ruptures.Dynp(model="linear", min_size=2, jump=1).fit(design).predict(n_bkps=2)[:-1]
    assert cuts == theirs


def test_a_straight_line_is_one_piece_and_its_fit_is_itself():
    x = np.linspace(0, 5, 50)
    y = 3 - 2 * x
    cuts = best_pieces(line_costs(x, y, np.full(50, 100.0)), penalty=1)
    curve, spread, slope_error = fit_pieces(x, y, np.full(50, 100.0), cuts)
    assert cuts == []
    np.testing.assert_allclose(curve, y, atol=1e-9)
    assert (spread > 0).all()
    assert (slope_error > 0).all()


def test_the_stated_errors_are_those_of_repeated_trials():
    x = np.linspace(0, 3, 40)
    rng = np.random.default_rng(4)
    fits = []
    for _ in range(2000):
        curve, spread, slope_error = fit_pieces(x, 1 + x + rng.normal(0, 0.3, 40), np.full(40, 0.3**-2), [])
        fits.append(curve)
    fits = np.array(fits)
    np.testing.assert_allclose(fits.std(axis=0), spread, rtol=0.12)
    slopes = (fits[:, -1] - fits[:, 0]) / (x[-1] - x[0])
    assert slopes.std() == pytest.approx(slope_error[0], rel=0.1)
