import numpy as np
import pytest

import planted
import runopsy


def curves(last=4000, *, val_floor=0.12, val_acc=0.95, train_acc=0.99, **more):
    step = np.arange(0, last + 1, 20)
    made = {
        "train/loss": planted.noisy(planted.decay(step, floor=0.1), 0.03),
        "val/loss": planted.noisy(planted.decay(step, floor=val_floor), 0.01, 1),
        "train/acc": planted.sigmoid(step, 200, 40, 0.1, train_acc),
        "val/acc": planted.sigmoid(step, 200, 40, 0.1, val_acc),
    }
    return planted.run(step, {**made, **more})


def verdict(run):
    return runopsy.analyze(run).verdict.name


def test_a_run_that_fits_and_generalises_is_healthy():
    assert verdict(curves()) == "healthy"


def test_a_run_that_was_better_before_is_overfit():
    assert verdict(planted.overfitting()) == "overfit"


def test_a_run_that_groks_is_grokked():
    assert verdict(planted.grokking()) == "grokked"


def test_the_same_run_cut_before_it_generalises_is_memorized_so_far():
    run = planted.grokking(last=600, half=1500)
    autopsy = runopsy.analyze(run)
    assert autopsy.verdict.name == "memorized"
    assert "by the last step" in autopsy.verdict.why


def test_a_run_still_improving_is_undertrained():
    step = np.arange(0, 2001, 10)
    line = 2.3 - 0.0006 * step
    acc = 0.1 + 0.0002 * step
    run = planted.run(step, {"loss": line, "val_loss": line + 0.01, "acc": acc, "val_acc": acc})
    assert verdict(run) == "undertrained"


def test_a_run_that_stops_far_from_fitting_is_underfit():
    assert verdict(curves(train_acc=0.5, val_acc=0.49)) == "underfit"


@pytest.mark.parametrize("n", [1, 3, 7])
def test_too_few_values_are_inconclusive(n):
    step = np.arange(n)
    run = planted.run(step, {"loss": planted.decay(step), "val_loss": planted.decay(step)})
    assert verdict(run) == "inconclusive"


def test_over_confidence_alone_is_not_forgetting():
    step = np.arange(0, 4001, 20)
    rising = planted.decay(step, floor=0.3) + 0.15 * step / 4000
    assert verdict(curves(**{"val/loss": planted.noisy(rising, 0.01, 1)})) == "healthy"


def test_the_best_step_is_the_lowest_validation_loss_and_what_follows_is_counted():
    run = planted.overfitting(turn=800)
    stop = runopsy.analyze(run).stop
    assert stop.signal == "val/loss"
    assert stop.best_step == pytest.approx(800, rel=0.25)
    assert stop.wasted_steps == 4000 - stop.best_step
    assert stop.after_best > 0.5
    assert stop.wasted_seconds is None


def test_wasted_time_is_given_where_the_log_knows_it():
    step = np.arange(0, 4001, 20)
    val = 1 + np.abs(step - 1000) / 1000
    run = planted.run(step, {"loss": planted.decay(step), "val_loss": val}, time=True)
    assert runopsy.analyze(run).stop.wasted_seconds == pytest.approx(30.0)


def test_a_second_witness_that_names_another_step_is_said():
    step = np.arange(0, 4001, 20)
    run = planted.run(
        step,
        {
            "loss": planted.decay(step),
            "val_loss": 1 + np.abs(step - 1000) / 1000,
            "val_acc": 1 - np.abs(step - 3000) / 9000,
        },
    )
    assert runopsy.analyze(run).stop.other[:2] == ("val/acc", 3000.0)
