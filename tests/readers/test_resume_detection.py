"""Resumes: the attempts a file shows, against their definition taken one row at a time."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runopsy.readers.resume_detection import DISORDER, FEW, STAYS, common_sessions, sessions


def naive_sessions(at: list[float]) -> list[int]:
    """As slow and as plain as the definition reads."""
    rows = [i for i, step in enumerate(at) if i == 0 or step != at[i - 1]]  # rows that share a step count as one
    steps = [at[i] for i in rows]
    falls = [k for k in range(1, len(steps)) if steps[k] < steps[k - 1]]
    number = [0] * len(at)
    if len(falls) > max(FEW, DISORDER * len(steps)):
        return number
    for fall in falls:
        before, again = steps[:fall], []
        for k in range(fall, len(steps)):
            if (k > fall and steps[k] < steps[k - 1]) or steps[k] > max(before):
                break
            again.append(steps[k])
        if len(again) >= STAYS and any(again[0] <= step <= again[-1] for step in before):
            for i in range(rows[fall], len(at)):
                number[i] += 1
    return number


def numbered(at: list[float]) -> list[int]:
    found = sessions(np.array(at, dtype=float))
    return [0] * len(at) if found is None else found.tolist()


RISING = st.lists(st.integers(1, 3), min_size=1, max_size=12).map(lambda gaps: np.cumsum(gaps).tolist())
STRETCHES = st.lists(st.tuples(st.integers(0, 30), RISING), min_size=1, max_size=5).map(
    lambda parts: [float(low + step) for low, rising in parts for step in rising]
)


@settings(max_examples=300)
@given(st.one_of(STRETCHES, st.lists(st.integers(0, 8).map(float), max_size=40)))
def test_sessions_match_their_definition(at):
    assert numbered(at) == naive_sessions(at)


@settings(max_examples=100)
@given(STRETCHES)
def test_a_table_that_is_filled_everywhere_has_the_sessions_of_its_axis(at):
    steps = np.array(at)
    alone, common = sessions(steps), common_sessions(steps, [np.arange(len(at))] * 3)
    assert (alone is None) == (common is None)
    if alone is not None:
        np.testing.assert_array_equal(alone, common)


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ([0, 1, 2, 3, 4, 5, 3, 4, 5, 6], [0] * 6 + [1] * 4),
        ([0, 1, 2, 0, 1, 2], [0, 0, 0, 1, 1, 1]),
        ([0, 10, 20, 30, 40, 25, 31, 38, 45], [0] * 5 + [1] * 4),  # other steps than before
        ([0, 1, 1, 2, 2, 3, 1, 1, 2, 2, 3, 3], [0] * 6 + [1] * 6),
    ],
)
def test_going_over_covered_ground_is_a_new_attempt(at, expected):
    assert numbered(at) == expected


@pytest.mark.parametrize(
    "at",
    [
        [0, 1, 2, 3, 2, 4, 5],  # one row written late
        [0, 1, 2, 3, 1, 2, 4, 5],  # two
        [0, 1, 2, 3, 2, 2, 2, 2, 4, 5],  # many rows of one late step
        [1, 0, 2, 3, 4],
        [0, 1, 2, 3, 4, 5, 0],  # a last word about step 0
        [0, 1, 2, 3, 4, 5, 4],
        list(range(20, 0, -1)),  # newest first
        sorted(range(30), key=str),  # 0, 1, 10, 11, …: sorted as text
        [*range(50, 100), *range(50)],  # two files, in the wrong order
        [7],
        [],
    ],
)
def test_rows_out_of_order_are_one_attempt(at):
    assert numbered([float(step) for step in at]) == [0] * len(at)


def test_a_shuffled_file_is_one_attempt():
    at = np.random.default_rng(0).permutation(1000).astype(float)
    assert sessions(at) is None


def test_a_long_log_with_many_resumes_takes_no_time():
    at = np.concatenate([np.arange(k * 80, k * 80 + 100) for k in range(3000)]).astype(float)
    found = sessions(at)
    assert found is not None
    assert found[-1] == 2999


def test_validation_rows_after_all_training_rows_are_no_resume():
    at = np.array([*range(10), *range(10)], dtype=float)
    assert common_sessions(at, [np.arange(10), np.arange(10, 20)]) is None


def test_validation_rows_one_step_late_are_no_resume():
    at = np.array([0, 1, 0, 2, 1, 3, 2, 4, 3], dtype=float)
    assert common_sessions(at, [np.array([0, 1, 3, 5, 7]), np.array([2, 4, 6, 8])]) is None


def test_a_resume_begins_with_its_first_row_whatever_column_that_fills():
    train = [0, 1, 2, 3, 4, 5, 3, 4, 5, 6]
    at = np.array([*train[:6], 3, *train[6:]], dtype=float)  # the resumed script validates first, at step 3
    found = common_sessions(at, [np.array([0, 1, 2, 3, 4, 5, 7, 8, 9, 10]), np.array([6])])
    assert found.tolist() == [0] * 6 + [1] * 5


def test_two_columns_that_show_one_resume_show_one():
    at = np.array([0, 0, 1, 1, 2, 2, 3, 3, 1, 1, 2, 2, 3, 3, 4, 4], dtype=float)
    found = common_sessions(at, [np.arange(0, 16, 2), np.arange(1, 16, 2)])
    assert found.tolist() == [0] * 8 + [1] * 8
