"""Confidence: what it must do on runs where the answer is plain, and where it is not."""

from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import planted
import runopsy
from runopsy.confidence import MEMBERS, MIDDLES, PHASE_RIGHT, VERDICT_RIGHT, other_limits
from runopsy.thresholds import DEFAULTS, THRESHOLDS


def test_a_plain_story_is_sure_and_the_same_each_time():
    first, again = (runopsy.analyze(planted.grokking()) for _ in range(2))
    assert first.verdict.confidence >= 0.95
    assert [p.confidence for p in first.phases] == [p.confidence for p in again.phases]
    assert min(p.confidence for p in first.phases) >= 0.9


@pytest.mark.parametrize("make", [planted.healthy, planted.overfitting, planted.grokking])
def test_a_confidence_never_claims_more_than_was_measured(make):
    autopsy = runopsy.analyze(make())
    assert all(PHASE_RIGHT[0] <= p.confidence <= PHASE_RIGHT[-1] for p in autopsy.phases)
    assert VERDICT_RIGHT[0] <= autopsy.verdict.confidence <= VERDICT_RIGHT[-1]


def overfitted_by(rise: float, noise: float) -> runopsy.Autopsy:
    """A validation loss that ends above its lowest value by a share of it."""
    step = np.arange(0, 4001, 10)
    train = planted.noisy(planted.decay(step, 2.3, 0.01, 150), noise)
    val = planted.decay(step, 2.3, 0.6, 60) * (1 + rise * np.clip((step - 1000) / 3000, 0, None))
    return runopsy.analyze(planted.run(step, {"train/loss": train, "val/loss": planted.noisy(val, noise, 1)}))


def test_a_verdict_near_its_threshold_is_less_sure_than_one_far_from_it():
    near, far = overfitted_by(0.12, 0.01), overfitted_by(1.0, 0.01)
    assert far.verdict.name == "overfit"
    assert near.verdict.confidence < far.verdict.confidence


def test_a_transition_lies_in_its_interval_and_the_interval_in_the_run():
    autopsy = runopsy.analyze(planted.grokking())
    for t in autopsy.transitions:
        low, high = t.interval
        assert autopsy.first <= low <= t.step <= high <= autopsy.last


def test_the_interval_of_a_transition_holds_the_noise_free_place():
    truth = next(t.step for t in runopsy.analyze(planted.grokking()).transitions if t.after == "converged")
    noisy = planted.grokking(seed=3)
    found = next(t for t in runopsy.analyze(noisy).transitions if t.after == "converged")
    assert found.interval[0] <= truth <= found.interval[1]


def test_without_training_loss_a_verdict_has_no_confidence():
    step = np.arange(0, 2000, 20)
    assert runopsy.analyze(planted.run(step, {"val/loss": planted.decay(step)})).verdict.confidence is None


def test_a_verdict_that_claims_nothing_has_no_confidence():
    step = np.arange(3000)
    verdict = runopsy.analyze(planted.run(step, {"loss": planted.noisy(planted.decay(step), 0.05)})).verdict
    assert (verdict.name, verdict.confidence) == ("inconclusive", None)


@settings(max_examples=150)
@given(st.integers(0, 10_000), st.integers(1, 40), st.booleans())
def test_runs_of_a_few_rows_are_answered_and_places_lie_inside(seed, rows, leaps):
    rng = np.random.default_rng(seed)
    step = np.sort(rng.choice(1000, rows, replace=False)).astype(float)
    train = np.exp(rng.normal(0, 1, rows)) * (np.where(step > 600, 1e3, 1.0) if leaps else np.exp(-step / 200))
    run = planted.run(step, {"loss": train, "val_loss": np.exp(rng.normal(0, 1, rows)), "val_acc": rng.random(rows)})
    autopsy = runopsy.analyze(run)
    for t in autopsy.transitions:
        assert t.interval is None or autopsy.first <= t.interval[0] <= t.step <= t.interval[1] <= autopsy.last
    assert all(0 < p.confidence < 1 for p in autopsy.phases)


def test_each_member_multiplies_every_threshold_by_its_own_factor_and_keeps_it_in_its_domain():
    own = {"grad/norm": {"outlier": 20.0}}
    found = other_limits(replace(DEFAULTS, own=own))
    assert found[0] == replace(other_limits(DEFAULTS)[0], own=own)
    middles = [NormalDist().inv_cdf((part + 0.5) / MEMBERS) for part in range(MEMBERS)]
    np.testing.assert_allclose(MIDDLES, middles, atol=5e-5)
    drawn = np.random.default_rng(0).permuted(np.tile(MIDDLES, (len(THRESHOLDS), 1)), axis=1)
    assert len(set(map(tuple, drawn))) > len(THRESHOLDS) / 2  # each threshold its own order
    for limits, draw in zip(found, drawn.T, strict=True):
        for about, factor in zip(THRESHOLDS, np.exp(0.35 * draw), strict=True):
            near_1 = about.high == 1 and about.value > 0.5
            moved = 1 - (1 - about.value) * factor if near_1 else about.value * factor
            moved = round(moved) if isinstance(about.value, int) else moved
            assert getattr(limits, about.name) == min(max(moved, about.low), about.high)
