"""The same run counted by epochs, tokens or time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runopsy.errors import BadOption
from runopsy.model import Signal
from runopsy.signals import mover, rebase


def signal(name, step, value=None, time=None, broken=None) -> Signal:
    step = np.array(step, dtype=float)
    value = np.ones(len(step)) if value is None else np.array(value, dtype=float)
    return Signal(
        name,
        name,
        step,
        value,
        None if time is None else np.array(time, dtype=float),
        None if broken is None else np.array(broken, dtype=float),
    )


def moved(*signals: Signal, to: str, axis: str = "step") -> dict[str, list[float]]:
    return {name: s.step.tolist() for name, s in rebase({s.name: s for s in signals}, axis, to).items()}


def test_the_axis_that_is_there_changes_nothing():
    loss = signal("loss", [0, 1])
    assert rebase({"loss": loss}, "step", "step")["loss"].step.tolist() == [0, 1]


def test_a_resume_moves_along_with_the_signals():
    epoch = signal("epoch", [0, 100, 200], [0, 1, 2])
    assert mover({"epoch": epoch}, "step", "epoch")(np.array([50.0, 150.0])).tolist() == [0.5, 1.5]


def test_steps_between_two_epochs_are_shares_of_one():
    epoch = signal("epoch", [0, 100, 200], [0, 1, 2])
    assert moved(epoch, signal("loss", [0, 50, 125, 200]), to="epoch")["loss"] == [0, 0.5, 1.25, 2]


def test_a_whole_epoch_for_many_steps_is_one_knot():
    epoch = signal("epoch", range(0, 50, 10), [0, 0, 1, 1, 2])
    assert moved(epoch, signal("loss", [0, 10, 20, 40]), to="epoch")["loss"] == [0, 0.5, 1, 2]


def test_beyond_the_counter_the_average_pace_goes_on():
    epoch = signal("epoch", [10, 20], [1, 2])
    assert moved(epoch, signal("loss", [0, 30]), to="epoch")["loss"] == [0, 3]


def test_broken_values_move_along():
    epoch = signal("epoch", [0, 100], [0, 1])
    found = rebase({"epoch": epoch, "loss": signal("loss", [0], broken=[50])}, "step", "epoch")
    assert found["loss"].broken.tolist() == [0.5]


def test_time_counts_seconds_from_the_first_value_by_the_longest_clock():
    loss = signal("loss", [0, 1, 2], time=[100, 110, 130])
    val = signal("val", [1], time=[111])
    assert moved(loss, val, to="time") == {"loss": [0, 10, 30], "val": [10]}


def test_a_clock_that_stands_still_now_and_then_is_one():
    loss = signal("loss", [0, 1, 2, 3], time=[100, 100, 100, 103])
    assert moved(loss, to="time")["loss"] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("signals", "to", "words"),
    [
        ([signal("loss", [0, 1])], "weeks", "no axis 'weeks'"),
        ([signal("loss", [0, 1])], "epoch", "does not give its epoch"),
        ([signal("loss", [0, 1]), signal("epoch", [0], [0])], "epoch", "does not give its epoch"),
        ([signal("loss", [0, 1]), signal("epoch", [0, 1], [3, 3])], "epoch", "never rises"),
        ([signal("loss", [0, 1]), signal("epoch", [0, 1], [3, 2])], "epoch", "never rises"),
        ([signal("loss", [0, 1])], "time", "the log has no times"),
        ([signal("loss", [0, 1], time=[5, 5])], "time", "stands still"),
        ([signal("loss", [0, 1], time=[5, 4])], "time", "stands still"),
    ],
)
def test_an_axis_that_the_log_does_not_have_is_refused(signals, to, words):
    with pytest.raises(BadOption, match=words) as error:
        rebase({s.name: s for s in signals}, "step", to)
    assert error.value.hint


def test_rows_can_be_counted_by_a_step_column():
    step = signal("step", [0, 1, 2], [10, 20, 40])
    assert moved(step, signal("loss", [0, 1, 2]), to="step", axis="row")["loss"] == [10, 20, 40]


GAPS = st.lists(st.integers(1, 5), min_size=2, max_size=30)


@settings(max_examples=100)
@given(GAPS, GAPS, st.lists(st.integers(0, 200), min_size=1, max_size=30, unique=True))
def test_an_order_of_steps_is_kept_on_any_axis(gaps, rises, steps):
    n = min(len(gaps), len(rises))
    counter = signal("tokens", np.cumsum(gaps[:n]), np.cumsum(rises[:n]))
    found = moved(counter, signal("loss", sorted(steps)), to="tokens")["loss"]
    assert all(a < b for a, b in zip(found, found[1:], strict=False))
