"""Logs of a few epochs, and of fine-tunings: what a careful reader says of them at a glance."""

from dataclasses import replace

import numpy as np
import pytest

import planted
import runopsy


def epochs(**curves):
    length = max(len(values) for values in curves.values())
    return runopsy.analyze(planted.run(np.arange(1, length + 1), curves))


def test_a_loss_that_falls_to_a_hundredth_has_moved_however_rough_it_is_near_zero():
    step = np.arange(10, 640, 10)
    rough = planted.noisy(0.3 * np.exp(-step / 60) + 0.002, 1.3)
    run = planted.run(step, {"loss": rough, "eval_loss": planted.noisy(0.05 + 0.4 * np.exp(-step / 80), 0.05, 1)})
    found = runopsy.analyze(run)
    assert found.verdict.name == "healthy"
    assert {p.label for p in found.phases} != {"underfitting"}


def test_validation_that_falls_far_says_that_something_was_learnt_where_training_has_few_rows():
    val = planted.noisy(6000 * np.exp(-np.arange(60) / 12) + 500, 0.1)
    train = np.full(60, np.nan)
    train[[20, 40, 59]] = 1500, 1600, 1400
    assert "nothing was learnt" not in epochs(train_loss=train, val_loss=val).verdict.why


def test_noisy_validation_alone_does_not_say_that_training_stood_still():
    found = epochs(val_loss=[3.7, 3.6, 5.0, 4.3, 3.8, 8.7, 9.4, 9.3, 3.2, 4.1])
    assert found.verdict.name == "inconclusive"
    assert "only validation" in found.verdict.why


def test_three_epochs_of_fine_tuning_whose_validation_loss_rises_by_a_third_are_overfit():
    found = epochs(
        loss=[0.40, 0.22, 0.11],
        val_loss=[0.31, 0.33, 0.45],
        accuracy=[0.81, 0.91, 0.96],
        val_accuracy=[0.86, 0.87, 0.86],
    )
    assert found.verdict.name == "overfit"


def test_one_worse_row_at_the_end_is_no_lasting_rise():
    found = epochs(
        loss=[0.75, 0.70, 0.69, 0.69, 0.69, 0.68, 0.66, 0.60],
        val_loss=[0.69, 0.69, 0.69, 0.69, 0.68, 0.65, 0.61, 0.65],
        accuracy=[0.4, 0.42, 0.45, 0.45, 0.47, 0.5, 0.75, 0.7],
        val_accuracy=[0.5, 0.5, 0.5, 0.5, 0.5, 0.67, 0.67, 0.65],
    )
    assert found.verdict.name != "overfit"


def test_a_small_rise_that_goes_on_while_training_falls_is_overfitting():
    found = epochs(
        loss=[0.52, 0.48, 0.45, 0.44, 0.42, 0.40, 0.38, 0.37, 0.34, 0.32],
        val_loss=[0.51, 0.48, 0.47, 0.475, 0.474, 0.465, 0.483, 0.491, 0.497, 0.505],
        accuracy=[0.76, 0.79, 0.80, 0.81, 0.82, 0.82, 0.83, 0.84, 0.85, 0.86],
        val_accuracy=[0.78, 0.79, 0.79, 0.80, 0.80, 0.80, 0.80, 0.80, 0.80, 0.80],
    )
    assert found.verdict.name == "overfit"
    assert "0.465" in found.verdict.why


def test_a_late_rise_counts_also_where_the_first_epoch_was_very_high():
    epoch = np.arange(100)
    train = 0.07 + 0.13 * np.exp(-epoch / 4) + 0.03 * (1 - epoch / 100)
    val = 0.09 + 0.6 * np.exp(-epoch / 1.0) + 0.0004 * np.maximum(epoch - 50, 0)
    found = epochs(loss=planted.noisy(train, 0.003), val_loss=planted.noisy(val, 0.005, 1))
    assert found.verdict.name == "overfit"


def test_training_that_goes_on_while_validation_stands_is_not_to_be_trained_longer():
    epoch = np.arange(100)
    train = 0.25 + 0.12 * np.exp(-epoch / 5) + 0.02 * (1 - epoch / 100)
    val = 0.256 + 0.45 * np.exp(-epoch / 3) + 0.00008 * np.maximum(epoch - 50, 0)
    found = epochs(loss=planted.noisy(train, 0.001), val_loss=planted.noisy(val, 0.002, 1))
    assert found.verdict.name != "undertrained"


def test_two_evaluations_that_came_on_with_training_say_that_it_should_go_on():
    train = planted.run(
        np.arange(50, 550, 50), {"train_loss": [2.62, 2.48, 2.43, 2.40, 2.33, 2.14, 1.99, 1.87, 1.78, 1.67]}
    )
    val = planted.run([200, 400], {"val_loss": [2.39, 1.90]})
    run = replace(train, tracks={**train.tracks, **val.tracks})
    assert runopsy.analyze(run).verdict.name == "undertrained"


def test_training_accuracy_of_a_few_examples_is_fitted_although_its_last_rows_lie_lower():
    rng = np.random.default_rng(4)
    acc = np.where(np.arange(30) < 8, 0.6, 1.0)
    acc[[10, 14, 22, 29]] = 0.8
    loss = planted.noisy(1.2 * np.exp(-np.arange(30) / 6) + 0.05, 0.5)
    found = epochs(loss=loss, val_loss=1.4 + 0.3 * np.arange(30), acc=acc, val_acc=0.01 * rng.integers(0, 2, 30))
    assert found.verdict.name == "memorized"


@pytest.mark.parametrize("improves", [True, False])
def test_underfit_says_which_of_the_two_stopped(improves):
    epoch = np.arange(200)
    acc = 0.70 + 0.08 * epoch / 200 if improves else np.full(200, 0.72)
    acc = acc - 0.3 * np.exp(-epoch / 8)
    val = (0.715 if improves else 0.7) - 0.3 * np.exp(-epoch / 8) - 0.02 * np.maximum(epoch - 100, 0) / 100 * improves
    found = epochs(
        loss=planted.noisy(2 - 2 * acc, 0.002),
        acc=acc + 0.001 * np.random.default_rng(0).standard_normal(200),
        val_acc=val + 0.003 * np.random.default_rng(1).standard_normal(200),
    )
    assert found.verdict.name == "underfit"
    assert found.verdict.why.startswith("validation stopped" if improves else "training stopped")


def test_a_score_alone_is_named_where_it_is_the_only_validation():
    found = epochs(train_loss=planted.decay(np.arange(10)), val_dice=np.linspace(0.6, 0.9, 10))
    assert "val_dice" in found.verdict.why


def test_a_window_of_a_longer_run_in_which_nothing_moves_is_not_underfitting():
    step = np.arange(140_000, 197_000, 500)
    run = planted.run(step, {"train_loss": planted.noisy(np.full(len(step), 3.6), 0.02)})
    assert {p.label for p in runopsy.analyze(run).phases} == {"converged"}


def test_a_plateau_of_a_slow_decay_is_no_phase_of_its_own():
    epoch = np.arange(38)
    val = 1.0 * np.exp(-epoch / 0.8) + 0.29 - 0.09 * (epoch / 38) + 0.004 * np.sin(epoch)
    found = epochs(loss=0.8 * np.exp(-epoch / 1.5) + 0.3 - 0.13 * (epoch / 38), val_loss=val)
    labels = [p.label for p in found.phases]
    assert not any(
        a == c == "feature_learning" and b == "converged"
        for a, b, c in zip(labels, labels[1:], labels[2:], strict=False)
    )


def test_validation_whose_flat_accuracy_may_still_come_on_does_not_when_its_loss_gets_worse():
    epoch = np.arange(1, 51)
    rng = np.random.default_rng(2)
    found = epochs(
        loss=0.35 + 0.35 * np.exp(-epoch / 12) + 0.004 * rng.standard_normal(50),
        val_loss=0.47 + 0.2 * np.exp(-epoch / 3) + 0.0006 * np.maximum(epoch - 14, 0),
        acc=0.84 - 0.27 * np.exp(-epoch / 8) + 0.008 * rng.standard_normal(50),
        val_acc=np.where(epoch < 14, 0.811 - 0.16 * np.exp(-epoch / 4), 0.811) + 0.002 * rng.standard_normal(50),
    )
    assert found.verdict.name != "undertrained"


def test_validation_first_logged_when_training_was_nearly_done_has_left_chance():
    epoch = np.arange(1, 101)
    train = planted.run(
        epoch, {"train_loss": 0.3 + 0.75 * np.exp(-epoch / 20), "train_acc": 0.94 - 0.18 * np.exp(-epoch / 20)}
    )
    val = planted.run([99], {"val_loss": [1.4], "val_acc": [0.70]})
    verdict = runopsy.analyze(replace(train, tracks={**train.tracks, **val.tracks})).verdict
    assert "chance" not in verdict.why


@pytest.mark.parametrize("last", [0.84, 2.0])
def test_three_rows_that_fall_by_half_have_moved(last):
    assert ("no change" in epochs(loss=[2.05, 2.03 if last > 1 else 1.2, last]).verdict.why) == (last > 1)


def test_validation_accuracy_that_still_rises_below_nine_tenths_is_undertrained():
    epoch = np.arange(1, 41)
    loss = 0.31 + 0.38 * np.exp(-epoch / 18)
    rng = np.random.default_rng(0)
    noise = 0.002 * rng.standard_normal((2, 40))
    found = epochs(loss=loss, acc=1.01 - loss / 2 + noise[0], val_loss=loss + 0.01, val_acc=1.0 - loss / 2 + noise[1])
    assert found.verdict.name == "undertrained"


@pytest.mark.parametrize(("val", "verdict"), [(0.45, "overfit"), (0.012, "memorized")])
def test_training_that_went_far_ahead_without_fitting_is_not_underfit(val, verdict):
    epoch = np.arange(1, 61)
    rng = np.random.default_rng(1)
    noise = 0.002 * rng.standard_normal((2, 60))
    acc = 0.01 + 0.69 * (1 - np.exp(-epoch / 12))
    accuracy = 0.01 + (val - 0.01) * (1 - np.exp(-epoch / 6))
    found = epochs(loss=4.6 * (1 - acc), acc=acc + noise[0], val_loss=4.6 - 2 * accuracy, val_acc=accuracy + noise[1])
    assert found.verdict.name == verdict


@pytest.mark.parametrize("steady", [True, False])
def test_a_loss_that_falls_by_a_hundredth_has_moved_only_if_it_goes_on_falling(steady):
    epoch = np.arange(75)
    way = 8 * epoch / 75 if steady else np.minimum(8, 4.0 * epoch)
    noise = 0.05 * np.random.default_rng(0).standard_normal(75)
    assert ("hardly anything was learnt" in epochs(loss=864 - way + noise).verdict.why) != steady
