"""Exact permutation tests, against a library's and against counting by hand."""

from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu

from runopsy.comparison.seeds import MOST, Splits, Spot, chance, p_value, scores


def p_of(a, b):
    return p_value(Splits.of(len(a), len(b)), scores([*map(Spot, a), *map(Spot, b)]))


@given(
    st.lists(st.integers(0, 10**6), min_size=2, max_size=5, unique=True),
    st.lists(st.integers(0, 10**6), min_size=2, max_size=5, unique=True),
)
def test_without_ties_the_p_value_is_that_of_mann_and_whitney(a, b):
    b = [x + 0.5 for x in b]
    assert p_of(a, b) == pytest.approx(mannwhitneyu(a, b, method="exact").pvalue)


def test_complete_separation_of_three_against_three_is_one_split_in_ten():
    splits = Splits.of(3, 3)
    assert len(splits.b) == comb(6, 3)
    assert p_of([1, 2, 3], [4, 5, 6]) == pytest.approx(0.1) == splits.least_p


@given(st.integers(1, 5), st.integers(1, 5))
def test_every_split_is_there_once_and_the_first_is_how_it_is(a, b):
    splits = Splits.of(a, b).b
    assert splits[0].tolist() == [False] * a + [True] * b
    assert len({tuple(row) for row in splits.tolist()}) == len(splits) == comb(a + b, a)


def test_of_too_many_splits_some_are_drawn_and_the_same_runs_get_the_same_answer():
    a, b = list(range(12)), [x + 4.5 for x in range(12)]
    assert len(Splits.of(12, 12).b) == MOST
    assert p_of(a, b) == p_of(a, b) == pytest.approx(mannwhitneyu(a, b, method="exact").pvalue, abs=0.004)


def test_what_was_not_seen_by_the_end_is_later_than_all_that_was_seen_by_then():
    late = Spot(None, until=100.0)
    assert scores([Spot(10.0), Spot(50.0), late]).tolist() == [-2, 0, 2]


def test_what_was_not_seen_by_step_20_says_nothing_of_step_50():
    early_end = Spot(None, until=20.0)
    assert scores([Spot(10.0), Spot(50.0), early_end]).tolist() == [-2, 1, 1]


def test_two_runs_that_both_did_not_get_there_are_equal():
    assert scores([Spot(None, until=9.0), Spot(None, until=99.0)]).tolist() == [0, 0]


def test_chance_counts_all_rows_at_once_so_that_one_row_that_happens_to_split_is_no_finding():
    splits = Splits.of(3, 3)
    random = np.random.default_rng(0)
    false = 0
    for _ in range(400):
        rows = [scores([Spot(x) for x in random.standard_normal(6)]) for _ in range(8)]
        false += chance([splits.sums(row) for row in rows]) <= 0.1
    assert false / 400 <= 0.14  # 0.1 is meant; one row of eight alone would do so in more than half
    assert chance([splits.sums(np.zeros(6))]) == 1.0
