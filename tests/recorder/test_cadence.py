"""When a probe is due. No clock: time is what the test says it is."""

from __future__ import annotations

from itertools import count
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runopsy.errors import BadOption
from runopsy.recorder.cadence import EARLY, Cadence, early_calls, schedule


def measured(cadence: Cadence, calls: int) -> list[int]:
    return [call for call in range(calls) if cadence.due(call)]


def test_the_start_is_read_log_spaced() -> None:
    calls = sorted(early_calls())
    assert calls[:8] == [0, 1, 2, 3, 4, 5, 6, 8]
    gaps = np.diff(calls)
    assert (np.diff(gaps) >= -1).all(), "the gaps should widen"
    assert calls[-1] <= EARLY
    assert 8 <= sum(10 <= call <= 100 for call in calls) <= 12, "about ten in a decade"


def test_each_call_is_measured_unless_a_budget_says_otherwise() -> None:
    assert measured(Cadence(None), 300) == list(range(300))


def test_every_tenth_call_means_every_tenth_call() -> None:
    assert measured(Cadence(schedule(10)), 100) == list(range(0, 100, 10))


def test_thinning_keeps_the_early_calls_and_multiples_of_what_was_asked_for() -> None:
    cadence = Cadence(None)
    cadence.thin(64)
    assert measured(cadence, 200) == sorted(early_calls() | {64, 128, 192})
    cadence = Cadence(schedule(10))
    cadence.thin(4)
    assert measured(cadence, 200) == [0, 40, 80, 120, 160]


@given(st.integers(0, 12), st.integers(0, 12))
def test_two_strides_meet_at_the_calls_of_the_longer_one(a: int, b: int) -> None:
    one, other = Cadence(schedule(3)), Cadence(schedule(3))
    one.thin(1 << a), other.thin(1 << b)
    both = set(measured(one, 50_000)) & set(measured(other, 50_000))
    assert both == set(measured(one if a > b else other, 50_000))


@pytest.mark.parametrize(("count", "kept"), [(1e9, 19), (19, 19), (18, 10), (5, 5), (4, 3), (1, 1), (0.9, 0)])
def test_early_calls_are_thinned_evenly(count: float, kept: int) -> None:
    assert len(early_calls()) == 19
    cadence = Cadence(None)
    cadence.thin(1 << 30)
    cadence.thin_early(count)
    left = [call for call in measured(cadence, 1000) if call]
    assert len(left) in (kept, kept - 1), "call 0 is a multiple of every stride"
    assert set(left) <= early_calls()
    if kept > 2:
        assert left[-1] > EARLY / 4, "the last decade is not left out"


def test_what_is_held_is_not_measured_before_there_is_a_plan() -> None:
    cadence = Cadence(None)
    cadence.hold()
    assert measured(cadence, 500) == []
    cadence.thin(100)
    assert measured(cadence, 201) == [0, 100, 200]


@pytest.mark.parametrize(
    "every", [[7, 3, 5], (3, 5, 7), {3, 5, 7}, np.array([3, 5, 7]), range(3, 8, 2), iter([3, 5, 7])]
)
def test_calls_can_be_named_one_by_one(every: Any) -> None:
    calls = schedule(every)
    cadences = [Cadence(calls), Cadence(calls)]  # several probes share one schedule
    due = [[cadence.due(call) for cadence in cadences] for call in range(12)]
    assert due == [[call in (3, 5, 7)] * 2 for call in range(12)]


@pytest.mark.parametrize("every", [count(0, 50), range(0, 10**15, 50), (50 * n for n in count())])
def test_a_schedule_may_never_end(every: Any) -> None:
    assert measured(Cadence(schedule(every)), 170) == [0, 50, 100, 150]


@pytest.mark.parametrize("every", [0, -1, 2.5, "10", object()])
def test_what_names_no_calls_is_refused(every: Any) -> None:
    with pytest.raises(BadOption, match="every="):
        schedule(every)


def test_a_number_of_numpy_is_a_number() -> None:
    assert schedule(np.int64(10)) == 10


@pytest.mark.parametrize(
    ("every", "times", "text"),
    [
        (None, 1, "log-spaced at first, then every step"),
        (None, 8, "log-spaced at first, then every 8 steps"),
        (10, 1, "every 10 steps"),
        (10, 4, "every 40 steps"),
        ([1, 2], 4, "at the calls that were named"),
    ],
)
def test_a_cadence_says_what_it_does(every: Any, times: int, text: str) -> None:
    cadence = Cadence(schedule(every))
    cadence.thin(times)
    assert cadence.describe() == text
