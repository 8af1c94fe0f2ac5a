import numpy as np
import pytest

import planted
from runopsy.model import Signal
from runopsy.segments import segment
from runopsy.segments.bins import MOST, edges


def signal(name, step, value):
    return Signal(name, name, np.asarray(step, float), np.asarray(value, float))


def test_a_short_log_keeps_every_row():
    assert list(edges(np.arange(1.0, 11))) == list(range(11))


@pytest.mark.parametrize("n", [301, 5000, 200_000])
def test_a_long_log_is_read_in_a_bounded_number_of_bins(n):
    cut = edges(np.arange(1.0, n + 1))
    assert len(cut) - 1 <= MOST
    assert (np.diff(cut) > 0).all()
    assert cut[0] == 0
    assert cut[-1] == n


def test_too_few_values_are_not_cut():
    assert segment(signal("train/loss", [0, 1, 2], [3, 2, 1]), 0.0) is None


def test_a_constant_is_one_segment():
    found = segment(signal("train/loss", np.arange(100), np.full(100, 2.0)), 0.0)
    assert len(found.edges) == 2
    np.testing.assert_allclose(found.curve, 2.0)


def test_the_fitted_curve_follows_a_noisy_decay_within_its_spread():
    step = np.arange(0, 20_000)
    truth = planted.decay(step)
    found = segment(signal("train/loss", step, planted.noisy(truth, 0.1)), 0.0)
    want = np.interp(found.step, step, truth)
    assert np.median(np.abs(found.curve / want - 1)) < 0.02


def test_a_jump_is_found_where_it_is():
    step = np.arange(0, 4000)
    value = np.where(step < 2500, 1.0, 0.4)
    found = segment(signal("train/loss", step, planted.noisy(value, 0.05)), 0.0)
    assert np.abs(found.edges - 2500).min() < 40


def test_a_loss_that_touches_zero_is_cut_on_its_own_scale():
    value = np.maximum(1 - np.arange(100) / 50, 0)
    found = segment(signal("train/loss", np.arange(100), value), 0.0)
    assert np.isfinite(found.curve).all()


def test_rows_in_a_left_out_span_do_not_move_the_fit():
    step = np.arange(0, 1000)
    value = np.where((step > 500) & (step < 520), 50.0, 1.0)
    found = segment(signal("train/loss", step, value), 0.0, without=[(500.0, 520.0)])
    np.testing.assert_allclose(found.curve, 1.0)
