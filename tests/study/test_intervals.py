"""The interval of a mean holds it at least as often as it is to, whatever the numbers look like."""

import numpy as np
import pytest

from runopsy.study.intervals import of_mean

SETS = 60
DRAWN = {
    "mostly nothing": lambda rng, n: np.where(rng.random(n) < 0.05, 0.8, 0.0),
    "all or nothing": lambda rng, n: (rng.random(n) < 0.3).astype(float),
    "even": lambda rng, n: rng.random(n),
    "narrow": lambda rng, n: 0.25 + 0.02 * rng.random(n),
}
MEANS = {"mostly nothing": 0.04, "all or nothing": 0.3, "even": 0.5, "narrow": 0.26}


@pytest.mark.parametrize("runs", [5, 30])
@pytest.mark.parametrize("kind", DRAWN)
def test_nine_in_ten_intervals_hold_the_mean(kind, runs):
    rng = np.random.default_rng(runs)
    ends = [of_mean(DRAWN[kind](rng, runs)) for _ in range(SETS)]
    held = sum(low <= MEANS[kind] <= high for low, high in ends)
    assert held >= 0.9 * SETS


def test_more_runs_make_it_narrower():
    rng = np.random.default_rng(0)
    widths = [np.ptp(of_mean(rng.random(n))) for n in (5, 20, 80, 320)]
    assert widths == sorted(widths, reverse=True)
    assert widths[-1] < 0.12


def test_the_order_of_the_runs_hardly_matters():
    rng = np.random.default_rng(0)
    values = rng.random(30)
    ends = np.array([of_mean(rng.permutation(values)) for _ in range(10)])
    assert np.ptp(ends, axis=0).max() < 0.03
