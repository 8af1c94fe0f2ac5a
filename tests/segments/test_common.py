import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planted_moves import planted
from runopsy.model import Signal
from runopsy.segments.common import common_changes, likeness, penalty, proposals, together, usable, whitened
from runopsy.segments.contrast import step_at
from runopsy.segments.grid import grid
from runopsy.segments.moment import moment


def signal(name, value, every=1, begins=0):
    value = np.asarray(value, float)
    return Signal(name, name, np.arange(len(value), dtype=float)[begins::every], value[begins::every])


def stepping(count, moving, at=600, rows=1000, size=2.0, seed=0):
    rng = np.random.default_rng(seed)
    t = np.arange(rows)
    return {
        f"s{i}": signal(f"s{i}", 10 + rng.standard_normal(rows) + (i < moving) * size * (-1) ** i * (t >= at))
        for i in range(count)
    }


def test_signals_that_step_together_are_found_with_their_place_their_direction_and_their_size():
    (change,) = common_changes(stepping(6, 4))
    assert change.interval[0] <= 600 <= change.interval[1]
    assert change.interval[1] - change.interval[0] < 10
    assert {move.signal: move.up for move in change.moves} == {"s0": True, "s1": False, "s2": True, "s3": False}
    assert change.asked == 6
    for move in change.moves:
        assert move.after - move.before == pytest.approx(2.0 if move.up else -2.0, abs=0.4)


def test_one_signal_alone_is_no_common_change():
    assert common_changes(stepping(6, 1, size=20.0)) == ()


def test_two_of_a_kind_are_too_few():
    assert common_changes(stepping(2, 2)) == ()


@pytest.mark.parametrize("seed", range(12))
def test_runs_without_a_change_have_none(seed):
    assert common_changes(planted(seed, rows=800).signals) == ()


@pytest.mark.parametrize("seed", range(100, 108))
def test_half_of_the_signals_are_enough(seed):
    story = planted(seed, size=3.0, rows=1500)
    assert any(abs(change.step - story.at) <= 20 for change in common_changes(story.signals))


def test_smooth_curves_without_noise_do_not_change_together():
    t = np.linspace(0, 1, 2000)
    curves = {"a": np.exp(-5 * t), "b": np.cos(np.pi * t), "c": 1 / (1 + 20 * t), "d": t**2, "e": np.sqrt(t + 0.01)}
    assert common_changes({name: signal(name, 1 + value) for name, value in curves.items()}) == ()


def test_a_validation_curve_that_steps_too_is_named_and_is_no_part_of_it():
    signals = stepping(6, 4)
    rng = np.random.default_rng(9)
    t = np.arange(1000)
    follows = signal("val/loss", 2 + 0.1 * rng.standard_normal(1000) + (t >= 600), every=5)
    stays = signal("val/acc", 0.5 + 0.01 * rng.standard_normal(1000), every=5)
    (change,) = common_changes(signals, {"val/loss": follows, "val/acc": stays})
    assert [(move.signal, move.up) for move in change.validation] == [("val/loss", True)]
    assert "val/loss" not in {move.signal for move in change.moves}


def test_holes_are_filled_for_ruptures_and_left_out_of_the_question():
    """KernelCPD answers a NaN with no cut at all, and raises nothing."""
    import ruptures

    rng = np.random.default_rng(0)
    cells = rng.standard_normal((100, 3)) + 5.0 * (np.arange(100) >= 50)[:, None]
    assert ruptures.KernelCPD(kernel="linear").fit(cells).predict(pen=30)[:-1] == [50]
    cells[20, 1] = np.nan
    assert ruptures.KernelCPD(kernel="linear").fit(cells).predict(pen=30)[:-1] != [50]
    signals = stepping(6, 4)
    signals["s1"] = Signal("s1", "s1", signals["s1"].step[::9], signals["s1"].value[::9])  # rare
    late = signals["s2"]
    signals["s2"] = Signal("s2", "s2", late.step[300:], late.value[300:])
    table = grid(usable(signals))
    assert np.isnan(table.value).any()
    assert np.isfinite(whitened(table)).all()
    assert any(abs(table.edges[at] - 600) < 20 for at in proposals(table, likeness(table)))
    (change,) = common_changes(signals)
    assert {move.signal for move in change.moves} >= {"s0", "s2", "s3"}


def test_the_place_does_not_depend_on_the_unit_of_a_signal_or_on_their_order():
    signals = stepping(6, 4)
    (first,) = common_changes(signals)
    other = {n: Signal(n, n, s.step, 1e3 * s.value) for n, s in reversed(signals.items())}
    (second,) = common_changes(other)
    assert second.step == first.step
    assert {m.signal for m in second.moves} == {m.signal for m in first.moves}


def test_the_sum_of_squares_of_noise_is_about_a_gaussian():
    rng = np.random.default_rng(1)
    for rho in (0.0, 0.5):
        alike = np.full((12, 12), rho) + (1 - rho) * np.eye(12)
        root = np.linalg.cholesky(alike)
        drawn = [together(root @ rng.standard_normal(12), alike) for _ in range(4000)]
        assert np.mean(drawn) == pytest.approx(0, abs=0.12)
        assert 0.75 < np.std(drawn) < 1.1  # of signals that are alike a little less: never too sure


def test_the_penalty_grows_with_what_the_signals_have_in_common():
    assert penalty(200, np.eye(10)) < penalty(200, np.full((10, 10), 0.5) + 0.5 * np.eye(10))


def test_the_likeness_of_noise_is_measured_whatever_steps():
    story = stepping(4, 4, size=8.0)
    assert np.abs(likeness(grid(story)) - np.eye(4)).max() < 0.3


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.floats(-20, 20))
def test_a_step_has_the_size_that_was_planted(seed, size):
    rng = np.random.default_rng(seed)
    value = 0.01 * np.arange(80) + size * (np.arange(80) >= 40) + rng.standard_normal(80)
    found = step_at(value, np.ones(80), 40)
    assert abs(found.size - size) < 5 * found.error + 1e-9


def test_a_cubic_has_no_step():
    at = np.linspace(-1, 1, 80)
    found = step_at(at**3 - at + 0.3 * at**2, np.full(80, 1e-3), 40)
    assert abs(found.sigmas) < 1


def test_the_interval_of_a_clear_step_is_the_gap_between_two_rows():
    signals = list(stepping(4, 4, at=601, size=30.0).values())
    place, interval = moment(signals, 550.0, 650.0, np.eye(4))
    assert place == 601.0
    assert interval == (600.0, 601.0)
