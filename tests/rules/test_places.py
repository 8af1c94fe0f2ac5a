import numpy as np
import pytest

import planted
import runopsy
from runopsy.model import Case, Signal
from runopsy.rules.places import crossing, nearest, row, spacing_at, vertex


def case(run):
    autopsy = runopsy.analyze(run)
    return Case(autopsy.run, autopsy.signals, autopsy.segments, autopsy.first, autopsy.last)


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
