"""Suggestions fit what was found: the kind of run, whether anything was learnt, what the schedule has left."""

import numpy as np
import pytest

import planted
import runopsy
from runopsy.report.advice import advise

EPOCH = np.arange(1, 41)


def advised(**curves):
    return " ".join(f"{step.do} {step.because}" for step in advise(runopsy.analyze(planted.run(EPOCH, curves))))


def improving(**more):
    line = 2.3 - 0.04 * EPOCH
    return advised(loss=line, val_loss=line + 0.02, **more)


def test_a_rate_that_came_down_to_nothing_means_a_longer_schedule_and_not_more_epochs():
    advice = improving(lr=1e-3 * (1 - EPOCH / 40.5))
    assert "longer schedule" in advice
    assert "Train longer." not in advice


@pytest.mark.parametrize("more", [{}, {"lr": np.full(40, 1e-3)}])
def test_a_rate_that_is_still_high_means_more_epochs(more):
    assert "Train longer." in improving(**more)


def test_no_accuracy_is_asked_for_where_none_is_logged():
    assert "acc" not in improving()


def test_a_model_that_learnt_nothing_is_not_called_too_small():
    rng = np.random.default_rng(0)
    flat = np.log(10) + 0.002 * rng.standard_normal((2, 40))
    chance = 0.1 + 0.003 * rng.standard_normal((2, 40))
    advice = advised(loss=flat[0], val_loss=flat[1], acc=chance[0], val_acc=chance[1])
    assert "larger model" not in advice
    assert "ten examples" in advice


def test_augmentation_that_keeps_training_accuracy_low_is_no_reason_for_a_larger_model():
    rng = np.random.default_rng(0)
    rise = 0.3 * (1 - np.exp(-EPOCH / 4))
    acc, val = 0.3 + rise, 0.5 + rise
    noise = 0.003 * rng.standard_normal((2, 40))
    advice = advised(
        loss=2 - 2 * acc + noise[0], acc=acc + noise[0], val_loss=2 - 2 * val + noise[1], val_acc=val + noise[1]
    )
    assert "larger model" not in advice


@pytest.mark.parametrize("columns", [("episode_reward", "policy_loss"), ("g_loss", "d_loss")])
def test_no_validation_is_asked_of_reinforcement_learning_and_of_adversarial_players(columns):
    rising = 5 + np.log(EPOCH)
    advice = advised(**dict.fromkeys(columns, rising))
    assert "alidation" not in advice
    assert "val/loss" not in advice
