"""When a probe is due. No clock: time is what the test says it is."""

from __future__ import annotations

from itertools import count
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runopsy.errors import BadOption
from runopsy.recorder.cadence import EARLY, Cadence, early_calls, schedule


def simulate(cadence: Cadence, calls: int, cost: float, step_time: float) -> tuple[list[int], float]:
    """A loop of ``calls`` calls; where it measured, and what share of its time the measuring took."""
    now = spent = 0.0
    measured: list[int] = []
    for call in range(calls):
        if cadence.due(call, now):
            measured.append(call)
            now, spent = now + cost, spent + cost
            cadence.measured(cost, now)
        now += step_time
    return measured, spent / now if now else 0.0


def test_the_start_is_read_log_spaced() -> None:
    calls = sorted(early_calls())
    assert calls[:8] == [0, 1, 2, 3, 4, 5, 6, 8]
    gaps = np.diff(calls)
    assert (np.diff(gaps) >= -1).all(), "the gaps should widen"
    assert calls[-1] <= EARLY
    assert 8 <= sum(10 <= call <= 100 for call in calls) <= 12, "about ten in a decade"


def test_early_calls_are_kept_whatever_they_cost() -> None:
    measured, _ = simulate(Cadence(None, 0.001), 200, cost=100.0, step_time=1e-3)
    assert [call for call in measured if call <= EARLY] == sorted(early_calls())


def test_without_a_budget_each_call_is_measured() -> None:
    assert simulate(Cadence(None, None), 300, cost=1.0, step_time=1e-3)[0] == list(range(300))


def test_every_tenth_call_means_every_tenth_call() -> None:
    assert simulate(Cadence(schedule(10), None), 100, cost=1.0, step_time=1e-3)[0] == list(range(0, 100, 10))


def test_a_budget_thins_every_tenth_call_to_multiples_of_ten() -> None:
    measured, share = simulate(Cadence(schedule(10), 0.02), 50_000, cost=1e-2, step_time=1e-3)
    assert all(call % 10 == 0 for call in measured)
    assert 0.015 < share <= 0.0201
    assert len(measured) > 50


@given(
    st.floats(1e-6, 1.0).map(lambda share: min(share, 0.9)),
    st.floats(-6, 1).map(lambda e: 10.0**e),
    st.floats(-6, 0).map(lambda e: 10.0**e),
)
@settings(max_examples=60, deadline=None)
def test_the_share_of_time_stays_within_the_budget(share: float, cost: float, step_time: float) -> None:
    cadence, now = Cadence(schedule(1), share), 0.0
    for _ in range(2):  # the first reading pays for what is only done once, and the second sets the pace
        assert cadence.due(0, now)
        cadence.measured(cost, now)
    begun, spent = now, 0.0
    for call in range(2000):
        now += step_time
        if cadence.due(call, now):
            spent += cost
            now += cost
            cadence.measured(cost, now)
    assert spent <= share * (now - begun) + cost


def test_a_cheap_probe_in_a_slow_loop_is_always_due() -> None:
    assert len(simulate(Cadence(None, 0.02), 500, cost=1e-4, step_time=0.1)[0]) == 500


def test_a_loop_that_takes_no_time_is_not_measured_at_each_call() -> None:
    measured, _ = simulate(Cadence(schedule(1), 0.02), 10_000, cost=1e-3, step_time=0.0)
    assert len(measured) <= 3


def test_a_first_reading_that_was_slow_does_not_hold_up_the_next() -> None:
    """torch does once-only work at the first call of everything."""
    cadence = Cadence(schedule(10), 0.01)
    cadence.measured(60.0, 0.0)
    assert cadence.due(10, 0.1)


def test_a_loop_that_slows_down_is_soon_measured_more_often() -> None:
    cadence, now = Cadence(schedule(1), 0.01), 0.0
    measured = []
    for call in range(2000):
        if cadence.due(call, now):
            measured.append(call)
            cadence.measured(1e-3, now)
        now += 1e-4 if call < 1000 else 0.2
    assert len([call for call in measured if call < 1000]) < 10
    assert len([call for call in measured if call >= 1000]) > 990


@pytest.mark.parametrize(
    "every", [[7, 3, 5], (3, 5, 7), {3, 5, 7}, np.array([3, 5, 7]), range(3, 8, 2), iter([3, 5, 7])]
)
def test_calls_can_be_named_one_by_one(every: Any) -> None:
    calls = schedule(every)
    cadences = [Cadence(calls, 0.01), Cadence(calls, 0.01)]  # several probes share one schedule
    due = [[cadence.due(call, 0.0) for cadence in cadences] for call in range(12)]
    assert due == [[call in (3, 5, 7)] * 2 for call in range(12)]


@pytest.mark.parametrize("every", [count(0, 50), range(0, 10**15, 50), (50 * n for n in count())])
def test_a_schedule_may_never_end(every: Any) -> None:
    cadence = Cadence(schedule(every), None)
    assert [call for call in range(170) if cadence.due(call, 0.0)] == [0, 50, 100, 150]


@pytest.mark.parametrize("every", [0, -1, 2.5, "10", object()])
def test_what_names_no_calls_is_refused(every: Any) -> None:
    with pytest.raises(BadOption, match="every="):
        schedule(every)


def test_a_number_of_numpy_is_a_number() -> None:
    assert schedule(np.int64(10)) == 10


@pytest.mark.parametrize(
    ("every", "share", "text"),
    [
        (None, 0.01, "log-spaced at first, then every step, or as the budget allows"),
        (None, None, "log-spaced at first, then every step"),
        (10, None, "every 10 steps"),
        (10, 0.01, "every 10 steps, or as the budget allows"),
        ([1, 2], 0.01, "at the calls that were named"),
    ],
)
def test_a_cadence_says_what_it_does(every: Any, share: float | None, text: str) -> None:
    assert Cadence(schedule(every), share).describe() == text
