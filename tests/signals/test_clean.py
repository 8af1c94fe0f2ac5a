"""Columns as logged → signals in order, once per step, finite."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runopsy.model import Role, Run, Track
from runopsy.signals import assign, measure


def track(name, step, value, session=None, time=None, unread=0) -> Track:
    return Track(
        name,
        np.array(step, dtype=float),
        np.array(value, dtype=float),
        None if time is None else np.array(time, dtype=float),
        None if session is None else np.array(session),
        unread,
    )


def measured(*found: Track, roles=None):
    run = Run("x", "x", "step", {t.name: t for t in found})
    return measure(run, roles or assign(run.tracks))


def signal(*found: Track, name="train/loss"):
    return measured(*found).signals[name]


def test_rows_are_put_in_order_and_the_later_of_equal_steps_counts():
    kept = signal(track("loss", [3, 1, 2, 1], [30, 10, 20, 11]))
    assert (kept.step.tolist(), kept.value.tolist()) == ([1, 2, 3], [11, 20, 30])
    assert any("1 value shared its step" in note for note in measured(track("loss", [1, 1], [1, 2])).notes)


def test_the_later_session_supersedes_what_it_trained_again():
    found = measured(track("loss", [0, 1, 2, 3, 4, 2, 3], [9, 1, 2, 3, 4, 22, 33], session=[0] * 5 + [1] * 2))
    kept = found.signals["train/loss"]
    assert (kept.step.tolist(), kept.value.tolist()) == ([0, 1, 2, 3], [9, 1, 22, 33])
    assert found.resumes == (2.0,)
    assert any("3 values that were trained again" in note for note in found.notes)


def test_a_sparse_column_loses_its_abandoned_path_too():
    loss = track("loss", [0, 10, 20, 30, 15, 25, 35], [1] * 7, session=[0] * 4 + [1] * 3)
    val = track("val_loss", [0, 20, 35], [5, 6, 7], session=[0, 0, 1])  # step 20 was on the path that was left
    assert measured(loss, val).signals["val/loss"].step.tolist() == [0, 35]


def test_a_stray_value_in_a_resumed_session_does_not_wipe_the_log():
    """By the clock the session began at 50; what it logged for step 0 later is a reference, not a restart."""
    loss = track("train/loss", [*range(60), *range(50, 70)], [1] * 80, [0] * 60 + [1] * 20, time=range(80))
    val = track("val/loss", [0, 30, 0], [3, 2, 9], [0, 0, 1], time=[0, 30, 79.5])
    found = measured(loss, val)
    assert found.resumes == (50.0,)
    assert len(found.signals["train/loss"]) == 70
    assert found.signals["val/loss"].value.tolist() == [9, 2]


def test_percent_and_error_rates_become_shares():
    assert signal(track("val_acc", [0, 1], [10, 90]), name="val/acc").value.tolist() == [0.1, 0.9]
    kept = signal(track("val_error_rate", [0, 1], [0.75, 0.25]), name="val/acc")
    assert kept.value.tolist() == [0.25, 0.75]
    assert kept.source == "val_error_rate"


def test_values_that_are_none_are_kept_apart():
    kept = signal(track("loss", range(6), [3, np.nan, 2, np.inf, 1, -np.inf]))
    assert (kept.step.tolist(), kept.broken.tolist()) == ([0, 2, 4], [1, 3, 5])


def test_nan_that_pads_a_sparse_column_is_no_damage():
    value = [np.nan, np.nan, 5, np.nan, np.nan, 4, np.nan, np.nan, 3]
    assert signal(track("loss", range(9), value)).broken is None


@pytest.mark.parametrize("every", [4, 25])
@pytest.mark.parametrize("first", [0, -1])
def test_padding_is_padding_however_far_the_log_has_grown(every, first):
    value = np.full(8 * every, np.nan)
    value[np.arange(first % every, len(value), every)] = 2.0
    for rows in range(2 * every if first == 0 else every, len(value)):
        assert signal(track("val_loss", range(rows), value[:rows]), name="val/loss").broken is None, rows


def test_a_tail_longer_than_any_gap_before_it_is_no_padding():
    value = [2.0, *[np.nan] * 4, 2.0, *[np.nan] * 5]
    assert signal(track("val_loss", range(10), value[:10]), name="val/loss").broken is None
    assert signal(track("val_loss", range(11), value), name="val/loss").broken is not None


def test_nan_before_the_first_loss_of_training_excuses_none_after_it():
    value = [*[np.nan] * 5, 2.0, 1.9, *[np.nan] * 4]
    assert signal(track("loss", range(11), value)).broken is not None


def test_a_tail_of_nan_is_a_run_that_broke_however_long():
    kept = signal(track("loss", range(100), [1.0] * 10 + [np.nan] * 90))
    assert len(kept.broken) == 90


def test_a_column_of_nan_alone_broke_from_the_start():
    kept = signal(track("loss", range(5), [np.nan] * 5))
    assert len(kept) == 0
    assert len(kept.broken) == 5


def test_a_column_of_infinities_alone_broke_from_the_start():
    assert len(signal(track("loss", range(5), [np.inf] * 5)).broken) == 5


@pytest.mark.parametrize("nothing", [-1.0, 0.0])
def test_a_value_that_stands_for_not_measured_is_left_out_and_said(nothing):
    value = [nothing if s % 10 else 3.0 - s / 100 for s in range(100)]
    found = measured(track("val_loss", range(100), value))
    assert found.signals["val/loss"].step.tolist() == list(range(0, 100, 10))
    assert any("90 values of -1 or 0 stand where nothing was measured" in note for note in found.notes)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("val_acc", [0.0] * 30 + list(np.linspace(0.1, 1, 30))),  # learned late
        ("val_loss", list(np.linspace(1, 0.1, 30)) + [0.0] * 30),  # solved
        ("val_acc", list(0.02 * np.random.default_rng(0).binomial(1, 0.3, 100))),  # flickers at chance
        ("val_loss", [-0.5, -1.0, -1.5, -2.0]),  # a loss that goes below zero
        ("val_loss", [0.0] * 10),
        ("val_loss", [-1.0] * 10),
        ("val_loss", [0.5, 0.0, 0.5, 0.0, 0.5]),
    ],
)
def test_zeros_and_negatives_that_were_measured_stay(name, value):
    assert len(signal(track(name, range(len(value)), value), name=name.replace("_", "/"))) == len(value)


def test_minus_one_stays_where_the_column_is_no_loss():
    assert len(signal(track("reward", range(4), [-1, 2, -1, 3]), name="reward")) == 4


def test_the_time_follows_its_value():
    kept = signal(track("loss", [2, 1, 1], [20, 10, 11], time=[5, 3, 4]))
    assert kept.time.tolist() == [4, 5]


def test_cells_that_could_not_be_read_are_counted():
    assert any("3 cells held text" in note for note in measured(track("loss", [0], [1], unread=3)).notes)


def test_a_column_without_a_role_keeps_its_name():
    assert "dead_units" in measured(track("dead_units", [0], [1])).signals


def test_a_column_that_was_refused_a_role_does_not_play_it_by_its_name():
    found = measured(track("val/acc", [0, 1, 2], [0.5, 300, 7]))
    assert "val/acc" not in found.signals
    assert found.signals["val/acc#2"].value.tolist() == [0.5, 300, 7]


def test_a_column_that_lost_its_role_to_a_map_does_not_take_it_back():
    loss, other = track("train/loss", [0, 1], [1, 1]), track("other", [0, 1], [2, 2])
    run = Run("x", "x", "step", {t.name: t for t in (loss, other)})
    found = measure(run, assign(run.tracks, {"train/loss": "other"}))
    assert found.signals["train/loss"].value.tolist() == [2, 2]
    assert found.signals["train/loss#2"].value.tolist() == [1, 1]


ROWS = st.lists(
    st.tuples(st.integers(0, 9), st.floats(allow_nan=True, width=32), st.integers(0, 1)), min_size=1, max_size=30
)


def naive(rows, begins: dict[int, float]) -> list[tuple[float, float]]:
    """The definition: per step the last value that no later session has trained again."""
    kept: dict[float, float] = {}
    for step, value, session in rows:
        if not any(later > session and step >= start for later, start in begins.items()):
            kept[float(step)] = float(value)
    return sorted((step, value) for step, value in kept.items() if np.isfinite(value))


@settings(max_examples=150)
@given(ROWS)
def test_a_signal_is_the_last_value_of_each_step_that_was_not_trained_again(rows):
    rows = sorted(rows, key=lambda row: row[2])  # a later session is written later
    step, value, session = zip(*rows, strict=True)
    seen = sorted(set(session))
    begins = {s: float(next(row[0] for row in rows if row[2] == s)) for s in seen[1:]}
    found = measured(track("x", step, value, session), roles=[Role("", "x", "no role")])
    kept = found.signals["x"]
    assert list(zip(kept.step.tolist(), kept.value.tolist(), strict=True)) == naive(rows, begins)
    assert list(found.resumes) == list(begins.values())
    assert bool((np.diff(kept.step) > 0).all())


def test_a_run_without_tracks_has_no_signals():
    assert measured().signals == {}


@pytest.mark.parametrize("times", [[np.nan] * 4, [1, np.nan, 2, 3]])
def test_a_clock_with_gaps_is_no_crash(times):
    measured(track("loss", [0, 1, 1, 2], [1] * 4, [0, 0, 1, 1], times))


def test_zeros_before_the_first_measured_validation_are_none():
    """A detector that was trained without validation but for its last epoch fills the other rows with 0."""
    steps = range(1, 11)
    found = measured(
        track("train_loss", steps, np.linspace(3, 1, 10)),
        track("val_loss", steps, [0] * 8 + [2.9, 2.8]),
        track("val_acc", steps, [0] * 8 + [0.0, 0.9]),
    )
    assert found.signals["val/loss"].value.tolist() == [2.9, 2.8]
    assert found.signals["val/acc"].value.tolist() == [0.0, 0.9]
    assert any("nothing was measured" in note for note in found.notes)


def test_an_accuracy_may_begin_at_zero():
    steps = range(1, 11)
    found = measured(track("val_loss", steps, np.linspace(3, 1, 10)), track("val_acc", steps, [0] * 4 + [0.1] * 6))
    assert len(found.signals["val/acc"]) == 10
