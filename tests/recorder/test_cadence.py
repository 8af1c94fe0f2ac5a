"""When a probe is due. No clock: time is what the test says it is."""

from __future__ import annotations

from itertools import count
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runopsy.errors import BadOption
from runopsy.recorder.cadence import DENSEST, LONGEST, Cadence, schedule


def measured(cadence: Cadence, calls: int) -> list[int]:
    return [call for call in range(calls) if cadence.due(call)]


def planned(stride: int, per_doubling: int = DENSEST) -> Cadence:
    cadence = Cadence(None)
    cadence.plan(stride, per_doubling)
    return cadence


def test_the_start_is_read_log_spaced_until_the_even_distance_is_reached() -> None:
    calls = measured(planned(64), 1000)
    gaps = np.diff(calls)
    assert calls[:10] == [0, 1, 2, 3, 4, 5, 6, 7, 8, 10]
    assert (np.diff(gaps) >= 0).all(), "the gaps should widen"
    assert set(gaps[-8:]) == {64}
    assert sum(10 <= call < 100 for call in calls) == 14


def test_each_call_is_measured_unless_a_budget_says_otherwise() -> None:
    assert measured(Cadence(None), 300) == list(range(300))


def test_every_tenth_call_means_every_tenth_call_whatever_is_planned() -> None:
    cadence = Cadence(schedule(10))
    assert cadence.asked
    assert measured(cadence, 100) == list(range(0, 100, 10))


@pytest.mark.parametrize(("per_doubling", "calls"), [(2, [0, 1, 2, 3, 4, 6, 8, 12]), (1, [0, 1, 2, 4, 8]), (0, [0])])
def test_the_start_is_read_as_densely_as_can_be_afforded(per_doubling: int, calls: list[int]) -> None:
    assert measured(planned(1 << 20, per_doubling), 16) == calls
    assert measured(planned(1 << LONGEST, 0), 5000) == [0]


@given(st.integers(0, 12), st.integers(0, 12), st.sampled_from([0, 1, 2, 4]), st.sampled_from([0, 1, 2, 4]))
def test_what_is_read_less_often_is_read_together_with_what_is_read_more_often(a: int, b: int, p: int, q: int) -> None:
    one, other = planned(1 << max(a, b), min(p, q)), planned(1 << min(a, b), max(p, q))
    assert set(measured(one, 20_000)) <= set(measured(other, 20_000))


@given(st.integers(0, 12), st.sampled_from([0, 1, 2, 4]))
def test_the_next_call_that_may_be_due_is_the_next_that_is(stride: int, per_doubling: int) -> None:
    cadence = planned(1 << stride, per_doubling)
    calls = measured(cadence, 10_000)
    for before, due in zip(calls, calls[1:], strict=False):
        assert cadence.following(before) == due
    extras = sum(not cadence.even(call) for call in calls)
    assert extras <= cadence.early(per_doubling) + 1


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
        (None, 1, "every step"),
        (None, 8, "log-spaced at first, then every 8 steps"),
        (None, 1 << LONGEST, "when the budget allows"),
        (10, None, "every 10 steps"),
        ([1, 2], None, "at the calls that were named"),
    ],
)
def test_a_cadence_says_what_it_does(every: Any, times: int | None, text: str) -> None:
    cadence = Cadence(schedule(every))
    if times is not None:
        cadence.plan(times, DENSEST)
    assert cadence.describe() == text
