"""Policies over sets: closed cases, and the promise that nothing later than now decides."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runopsy.study.set_policies import Asha, Hyperband, MedianStopping, SuccessiveHalving
from runopsy.study.set_replay import Trial, replay_set

POLICIES = (MedianStopping(2), Asha(2, 1.0), Asha(3, 2.0), SuccessiveHalving(2, 1.0), Hyperband(2, 1.0))


def trial(scores, name="run"):
    steps = np.arange(1.0, len(scores) + 1)
    return Trial(name, steps, np.asarray(scores, dtype=float), steps[-1])


def test_successive_halving_keeps_the_best_half_at_each_rung():
    runs = [trial([level] * 8) for level in (4, 1, 3, 2)]
    assert replay_set(SuccessiveHalving(2, 1.0), runs) == [1.0, None, 1.0, 2.0]


def test_asha_lets_the_first_run_pass_and_stops_what_is_no_better():
    runs = [trial([1] * 4), trial([2] * 4), trial([0] * 4)]
    assert replay_set(Asha(2, 1.0), runs) == [None, 1.0, None]


def test_asha_reads_rungs_that_one_report_passes_at_once():
    runs = [Trial("a", np.array([8.0]), np.array([1.0]), 8.0), Trial("b", np.array([8.0]), np.array([2.0]), 8.0)]
    assert replay_set(Asha(2, 1.0), runs) == [None, 8.0]


def test_median_stopping_asks_the_runs_that_have_ended_at_the_same_step():
    runs = [trial([3, 1]), trial([3, 3]), trial([2, 2.5])]
    assert replay_set(MedianStopping(2), runs) == [None, None, None]
    runs = [trial([3, 1]), trial([3, 2]), trial([2.5, 2.5, 9])]
    assert replay_set(MedianStopping(2), runs) == [None, None, 2.0]


def test_hyperband_gives_every_bracket_its_share():
    runs = [trial([k] * 30) for k in range(30)]
    stops = replay_set(Hyperband(3, 1.0), runs)
    first = [stop for stop in stops if stop == 1.0]
    assert stops[0] is None
    assert 6 <= len(first) <= 14  # two thirds of the bracket that begins at the first rung, which holds half the runs


@pytest.mark.parametrize("policy", POLICIES, ids=str)
def test_runs_that_are_not_finite_do_not_win(policy):
    runs = [trial([math.nan] * 8) if k % 2 else trial([k + 1.0] * 8) for k in range(8)]
    stops = replay_set(policy, runs)
    assert any(stop is not None for stop in stops)
    assert any(stop is None and not k % 2 for k, stop in enumerate(stops))


@pytest.mark.parametrize("policy", POLICIES, ids=str)
@given(seed=st.integers(0, 2**32 - 1))
def test_reports_after_a_decision_never_change_it(policy, seed):
    """One run is stopped; all that is reported later, by whichever run, is drawn anew."""
    rng = np.random.default_rng(seed)
    count, rows = 6, 10
    scores = rng.integers(0, 6, (count, rows)).astype(float)
    before = replay_set(policy, [trial(s) for s in scores])
    cut = [run for run, stop in enumerate(before) if stop is not None]
    if not cut:
        return
    run = cut[int(rng.integers(len(cut)))]
    step = before[run]
    other = rng.integers(0, 6, (count, rows)).astype(float)
    at = np.arange(1.0, rows + 1)
    if policy.side_by_side:
        changed = np.where(at > step, other, scores)
    else:  # the runs before it have ended; those after it have not begun
        changed = np.where((np.arange(count)[:, None] > run) | ((np.arange(count)[:, None] == run) & (at > step)),
                           other, scores)  # fmt: skip
    assert replay_set(policy, [trial(s) for s in changed])[run] == step
