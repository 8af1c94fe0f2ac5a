"""A curve seen value by value: the same as seen at once, and what leaves is told from what comes back."""

import numpy as np
import pytest

import planted
from runopsy.causal import Level
from runopsy.thresholds import DEFAULTS, KEPT_ROWS


def one_by_one(values):
    level = Level()
    for value in values:
        level.see(float(value))
    return level


@pytest.mark.parametrize("rows", [1, 4, 9, 10, 11, 300])
def test_all_at_once_is_one_by_one(rows):
    values = planted.noisy(planted.decay(np.arange(rows), scale=20.0), 0.1)
    once, each = Level.after(values), one_by_one(values)
    for name in ("rows", "first", "now", "lowest", "beyond"):
        assert getattr(once, name) == pytest.approx(getattr(each, name)), name
    for level in (once, each):
        level.see(100.0)
        assert level.beyond == (rows > DEFAULTS.level_rows)


def test_a_curve_that_leaves_for_good_has_left_and_one_that_comes_back_has_not():
    base = planted.noisy(planted.decay(np.arange(500), scale=20.0), 0.05)
    for leap in (1, KEPT_ROWS - 1, KEPT_ROWS):
        level = one_by_one([*base, *[20.0] * leap])
        assert level.has_left == (leap == KEPT_ROWS)
        level.see(float(base[-1]))
        assert not level.has_left


def test_a_spike_that_takes_many_rows_to_come_back_has_not_left():
    base = planted.noisy(planted.decay(np.arange(500), scale=20.0), 0.05)
    level = one_by_one(base)
    for value in 60 * 0.8 ** np.arange(40):
        level.see(float(value))
        assert not level.has_left


def test_a_slow_rise_has_left_when_it_is_far_above_all_until_lately():
    base = np.full(1000, 0.5)
    assert not one_by_one([*base, *np.linspace(0.5, 1.4, 80)]).has_left
    assert one_by_one([*base, *np.linspace(0.5, 2.5, 80)]).has_left


@pytest.mark.parametrize("seed", range(20))
def test_noise_never_leaves(seed):
    rng = np.random.default_rng(seed)
    values = planted.decay(np.arange(2000), scale=200.0) * rng.lognormal(0, 0.3, 2000)
    level = Level()
    for value in values:
        level.see(float(value))
        assert not level.has_left


def test_a_curve_below_zero_has_no_level_to_be_far_above_of():
    assert not one_by_one([*np.full(100, -1.0), *np.full(50, 50.0)]).has_left
