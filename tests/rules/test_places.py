import numpy as np
import pytest

import planted
import runopsy
from runopsy.autopsy import _case
from runopsy.model import Signal
from runopsy.rules.places import crossing, nearest, row, spacing_at, vertex
from runopsy.segments import EXACT
from runopsy.standards import Standards


def case(run):
    autopsy = runopsy.analyze(run)
    return _case(autopsy.run, autopsy.roles, autopsy.signals, (), Standards(), EXACT)


def test_a_change_seen_at_one_row_came_after_the_row_before():
    lr = Signal("lr", "lr", np.array([0.0, 10, 20, 30]), np.ones(4))
    assert row(lr, 20).interval == (10, 20)
    assert row(lr, 20, since=5).interval == (5, 20)
    assert row(lr, 0).interval == (0, 0)
    assert spacing_at(lr, 20) == 10
    assert nearest(lr, 14) == 10


@pytest.mark.parametrize("seed", range(6))
def test_the_vertex_of_a_noisy_valley_is_found_and_its_interval_holds_it(seed):
    step = np.arange(0, 4001, 10.0)
    val = planted.noisy(1 + 0.4 * np.log((step + 20) / 820) ** 2, 0.02, seed)
    found = case(planted.run(step, {"train/loss": planted.decay(step, floor=0.01), "val/loss": val}))
    curve = found.segments["val/loss"].curve
    place = vertex(found, "val/loss", int(np.argmin(curve)), 0.1)
    assert place.step == pytest.approx(800, rel=0.15)
    assert place.interval[0] <= 800 <= place.interval[1]


def test_a_curve_that_hardly_moves_has_no_place_where_it_crosses():
    step = np.arange(0, 4001, 10.0)
    flat = planted.noisy(np.ones(len(step)), 0.05)
    found = case(planted.run(step, {"train/loss": planted.decay(step), "val/loss": flat}))
    assert crossing(found, "val/loss", 1.0, 2000.0).interval is None


@pytest.mark.parametrize("every", [10, 100, 500])
def test_a_crossing_between_rare_values_has_a_place_and_lies_in_its_interval(every):
    step = np.arange(0, 10_001, every, dtype=float)
    curves = {"train/loss": planted.decay(step), "val/loss": planted.sigmoid(step, 4000, 400, 2.0, 1.0)}
    place = crossing(case(planted.run(step, curves)), "val/loss", 1.5, 4000.0)
    assert place.interval[0] <= place.step <= place.interval[1]
    assert place.interval[0] <= 4000 <= place.interval[1]
    assert place.interval[1] - place.interval[0] <= max(100, every)


def test_the_vertex_of_a_lopsided_valley_is_not_drawn_to_its_flat_side():
    step = np.arange(0, 8001, 10.0)
    u = np.log((step + 20) / 1020)
    held = 0
    for seed in range(20):
        val = planted.noisy(1 + np.where(u < 0, 0.2, 0.4) * u**2, 0.02, seed)
        found = case(planted.run(step, {"train/loss": planted.decay(step, floor=0.01), "val/loss": val}))
        place = vertex(found, "val/loss", int(np.argmin(found.segments["val/loss"].curve)), 0.1)
        held += place.interval is not None and place.interval[0] <= 1000 <= place.interval[1]
    assert held >= 15  # of 20: nine in ten, give or take what 20 trials can say
