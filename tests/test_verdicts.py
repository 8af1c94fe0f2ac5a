import numpy as np
import pytest

import planted
import runopsy
from runopsy.facts import facts_of
from runopsy.model import JUDGED, Run, Track
from runopsy.signals import assign, measure


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


@pytest.mark.parametrize("n", [1, 2, 3])
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
    stop = runopsy.analyze(run).stop  # accuracy rose while the loss had turned
    assert (stop.signal, stop.best_step, stop.other[:2]) == ("val/acc", 3000.0, ("val/loss", 1000.0))


def epochs(train_loss, val_loss, train_acc=None, val_acc=None):
    """A log of one row per epoch, as most people have it."""
    made = {"train_loss": train_loss, "val_loss": val_loss, "train_acc": train_acc, "val_acc": val_acc}
    n = len(train_loss)
    return planted.run(np.arange(1, n + 1), {k: np.asarray(v, float) for k, v in made.items() if v is not None})


def test_a_run_that_is_good_from_its_first_epoch_on_is_not_memorized():
    t = np.arange(20)
    autopsy = runopsy.analyze(
        epochs(
            0.02 + 0.2 * np.exp(-t / 3),
            0.06 + 0.08 * np.exp(-t / 4),
            0.999 - 0.04 * np.exp(-t / 3),
            0.982 - 0.025 * np.exp(-t / 4),
        )
    )
    assert autopsy.verdict.name == "healthy"
    assert not autopsy.events


def test_a_wide_and_lasting_gap_is_not_healthy():
    step = np.arange(0, 10_000, 20)
    run = planted.run(
        step,
        {
            "train_loss": planted.noisy(planted.decay(step, 2.3, 0.002, 150), 0.03),
            "val_loss": planted.noisy(1.49 + 0.8 * np.exp(-step / 200), 0.005, 1),
            "train_acc": planted.sigmoid(step, 600, 200, 0.1, 1.0),
            "val_acc": 0.1 + 0.35 * (1 - np.exp(-step / 200)),
        },
    )
    autopsy = runopsy.analyze(run)
    assert autopsy.verdict.name == "memorized"  # not half of the way that training made
    assert "by the last step" in autopsy.verdict.why
    assert autopsy.phases[-1].label == "memorization"


def test_training_that_loses_what_it_learnt_has_diverged_and_not_overfitted():
    step = np.arange(0, 4000, 10)
    lost = np.where(step < 2000, 0.0, 1.5)
    loss = planted.decay(step, 2.3, 0.2, 100) + lost
    autopsy = runopsy.analyze(
        planted.run(step, {"loss": planted.noisy(loss, 0.03), "val_loss": planted.noisy(loss + 0.02, 0.01, 1)})
    )
    assert autopsy.verdict.name == "diverged"
    assert [e.kind for e in autopsy.events] == ["divergence"]


def test_dropout_that_keeps_training_accuracy_low_is_no_underfitting():
    step = np.arange(0, 4000, 10)
    run = planted.run(
        step,
        {
            "loss": planted.noisy(planted.decay(step, 2.3, 0.9, 100), 0.05),
            "val_loss": planted.noisy(planted.decay(step, 2.3, 0.15, 100), 0.01, 1),
            "acc": planted.sigmoid(step, 200, 60, 0.1, 0.68),
            "val_acc": planted.sigmoid(step, 200, 60, 0.1, 0.95),
        },
    )
    assert verdict(run) == "healthy"


def test_a_loss_that_falls_to_the_last_row_is_undertrained():
    step = np.arange(0, 5000, 10)
    falling = 3.0 - 2.2 * step / 5000
    assert (
        verdict(planted.run(step, {"loss": planted.noisy(falling, 0.02), "val_loss": planted.noisy(falling, 0.01, 1)}))
        == "undertrained"
    )


def test_a_loss_alone_that_hardly_fell_is_not_called_underfit():
    step = np.arange(0, 5000, 10)
    loss = 1.6 + 0.5 * np.exp(-step / 300)
    run = planted.run(step, {"loss": planted.noisy(loss, 0.01), "val_loss": planted.noisy(loss + 0.02, 0.005, 1)})
    autopsy = runopsy.analyze(run)
    assert autopsy.verdict.name == "inconclusive"
    assert "without an accuracy" in autopsy.verdict.why


def test_one_value_that_is_not_finite_at_the_end_is_no_divergence():
    step = np.arange(0, 3000, 10)
    loss = planted.noisy(planted.decay(step), 0.02)
    loss[-1] = np.nan
    assert [e.kind for e in runopsy.analyze(planted.run(step, {"loss": loss})).events] == ["not_finite"]


@pytest.mark.parametrize("seed", range(20))
def test_twenty_healthy_epochs_are_one_passage(seed):
    t = np.arange(20)
    rng = np.random.default_rng(seed)
    curve = 0.27 + 2.0 / (1 + t * 2) ** 1.5
    run = epochs(
        curve * np.exp(0.02 * rng.standard_normal(20)), (curve + 0.05) * np.exp(0.02 * rng.standard_normal(20))
    )
    autopsy = runopsy.analyze(run)
    labels = [p.label for p in autopsy.phases]
    order = ["underfitting", "feature_learning", "converged"]
    assert labels == sorted(set(labels), key=order.index)
    assert not autopsy.events


def test_too_few_validations_are_said_to_be_too_few():
    step = np.arange(0, 3000, 10)
    base = planted.run(step, {"loss": planted.decay(step)})
    val = planted.run(np.array([0, 1000, 2000]), {"val_loss": np.array([2.3, 0.8, 0.7])})
    run = type(base)("p", "p", "step", {**base.tracks, **val.tracks})
    autopsy = runopsy.analyze(run)
    assert "too seldom" in autopsy.verdict.why
    assert autopsy.stop.unread_steps == 990


def test_a_noisy_fall_row_after_row_has_left_its_start():
    """Ten rows whose noise is not known well: by their order alone the loss came down."""
    train = [0.71, 0.66, 0.60, 0.63, 0.52, 0.51, 0.55, 0.50, 0.48, 0.49]
    val = [1.31, 1.40, 1.62, 0.90, 1.02, 0.91, 0.93, 0.80, 1.00, 1.04]
    facts = facts_of_run(epochs(train, val))
    assert facts.moved
    assert "never left" not in runopsy.analyze(epochs(train, val)).verdict.why
    shuffled = np.random.default_rng(0).permutation(train)
    assert not facts_of_run(epochs(shuffled, val)).moved


def facts_of_run(run):
    signals = measure(run, assign(run.tracks)).signals
    return facts_of({name: signals[name] for name in JUDGED if name in signals})


def test_validation_before_the_first_training_row_is_a_witness_of_the_start():
    """A training loss that is logged every fifty steps begins when most is learnt."""
    val = 5000 * np.exp(-np.arange(40) / 4) + 300 + 10 * np.cos(np.arange(40) * 2.1)
    tracks = {
        "val_loss": Track("val_loss", np.arange(1.0, 41), val),
        "train_loss": Track("train_loss", np.array([20.0, 40.0]), np.array([420.0, 310.0])),
    }
    facts = facts_of_run(Run("x", "x", "epoch", tracks))
    assert facts.start.loss == pytest.approx(val[0])
    assert facts.fits
    late = {**tracks, "val_loss": Track("val_loss", np.arange(21.0, 61), val)}
    assert facts_of_run(Run("x", "x", "epoch", late)).start.loss == 420.0


def test_a_run_that_ends_by_getting_worse_is_not_healthy():
    train = [2.5, 2.3, 1.6, 1.3, 1.1, 0.7, 0.5, 0.3, 0.2, 0.1, 0.06, 0.07, 0.11, 0.2, 0.3, 0.4, 0.5, 0.6]
    val = [2.6, 2.4, 1.7, 1.3, 1.2, 0.8, 0.5, 0.4, 0.2, 0.1, 0.07, 0.08, 0.12, 0.3, 0.3, 0.2, 0.3, 0.2]
    found = runopsy.analyze(epochs(train, val)).verdict
    assert found.name == "inconclusive"
    assert "worse again" in found.why
    assert runopsy.analyze(epochs(train[:12], val[:12])).verdict.name != "inconclusive"


def test_at_chance_in_validation_with_a_fitted_loss_alone_is_memorization_on_the_whole_page():
    epoch = np.arange(60)
    train = 4.4 * np.exp(-epoch / 3) + 0.06
    val = 4.3 + 0.2 * (1 - np.exp(-epoch / 5))
    acc = 0.0115 + 0.02 * np.abs(np.sin(epoch * 1.7))
    autopsy = runopsy.analyze(epochs(train, val, None, acc))
    assert autopsy.verdict.name == "memorized"
    assert {phase.label for phase in autopsy.phases} == {"underfitting", "memorization"}


def test_the_best_step_is_by_the_metric_that_was_chosen():
    rows = np.arange(1, 13)
    run = planted.run(rows, {"train_loss": 1 / rows, "val_loss": 1 + np.abs(rows - 4) / 10, "val_wer": 40.0 - rows})
    assert runopsy.analyze(run).stop.best_step == 4
    assert runopsy.analyze(run).stop.other[:2] == ("val/metric", 12)
    chosen = runopsy.analyze(run, metric="val_wer")
    assert (chosen.stop.signal, chosen.stop.best_step, chosen.stop.lower_is_better) == ("val/metric", 12, True)
    assert "Lowest val_wer 28 at step 12" in runopsy.render(chosen, "text")


def test_a_score_alone_has_a_best_step():
    rows = np.arange(1, 13)
    run = planted.run(rows, {"train_loss": 1 / rows, "val_dice": 0.9 - np.abs(rows - 7) / 50})
    assert runopsy.analyze(run).stop.best_step == 7


def test_the_best_step_follows_accuracy_where_that_rose_while_the_loss_turned():
    epoch = np.arange(50)
    train, train_acc = 4.8 * np.exp(-epoch / 12) + 1.2, 0.9 - 0.6 * np.exp(-epoch / 6)
    val, val_acc = 5.6 - 1.4 * np.exp(-epoch / 8), 0.63 - 0.22 * np.exp(-epoch / 9)
    autopsy = runopsy.analyze(epochs(train, val, train_acc, val_acc))
    assert autopsy.stop.signal == "val/acc"
    assert autopsy.stop.best_step == 50
    (onset,) = (e for e in autopsy.events if e.kind == "memorization_onset")
    assert onset["accuracy"].observed > onset["accuracy"].limit
    assert "accuracy rises too" in runopsy.render(autopsy, "text")


def test_a_best_row_among_equals_is_not_said_to_have_been_better():
    rng = np.random.default_rng(3)
    epoch = np.arange(60)
    val = 0.2 + 2 * np.exp(-epoch / 4) + 0.02 * rng.standard_normal(60)
    stop = runopsy.analyze(epochs(val + 0.01 * rng.standard_normal(60), val)).stop
    assert stop.within_noise
    risen = np.where(epoch > 30, val + 0.02 * (epoch - 30), val)
    assert not runopsy.analyze(epochs(2 * np.exp(-epoch / 4) + 0.1, risen)).stop.within_noise


def test_three_rows_are_too_few_to_state_that_nothing_moved():
    found = runopsy.analyze(epochs([0.83, 0.47, 0.46], None, [0.76, 0.81, 0.81])).verdict
    assert (found.name, found.why) == ("inconclusive", "in 3 rows no change can be distinguished from noise")


def test_climbing_out_of_a_setback_is_no_improvement():
    """The last two rows are far better than the two before them, and no better than those before the setback."""
    train = [0.64, 0.66, 0.69, 0.58, 0.58, 0.67, 0.48, 0.44, 0.34, 0.32]
    val = [0.765, 0.761, 0.738, 0.700, 0.629, 0.596, 0.612, 1.042, 0.610, 0.658]
    assert not facts_of_run(epochs(train, val)).improving
    assert facts_of_run(epochs(train, [*val[:6], 0.57, 0.54, 0.50, 0.47])).improving


def test_validation_that_is_surely_above_its_best_is_not_said_to_follow():
    """The third pass over the data begins: validation rises by a tenth of its way, many times its noise."""
    epoch = np.arange(1, 14)
    train = 2.2 - 0.05 * epoch
    val = [1.641, 1.595, 1.577, 1.571, 1.568, 1.566, 1.561, 1.554, 1.552, 1.573, 1.576, 1.578, 1.578]
    assert not facts_of_run(epochs(train, val)).follows
    assert facts_of_run(epochs(train, [*val[:9], 1.545, 1.538, 1.530, 1.523])).follows


def test_a_loss_that_fell_and_ends_above_its_start_has_diverged():
    rng = np.random.default_rng(0)
    fell = 0.05 + 0.27 * np.exp(-np.arange(80) / 8)
    loss = np.concatenate([fell, 0.62 + 0.1 * rng.standard_normal(300)])
    run = planted.run(np.arange(len(loss)), {"train_loss": loss * np.exp(0.1 * rng.standard_normal(len(loss)))})
    assert runopsy.analyze(run).verdict.name == "diverged"


def test_what_little_was_learnt_is_stated():
    epoch = np.arange(50)
    loss = 1.046 - 0.012 * (1 - np.exp(-epoch / 4))
    verdict = runopsy.analyze(epochs(loss, loss - 0.01)).verdict
    assert verdict.name == "underfit"
    assert verdict.why.startswith("hardly anything was learnt: train/loss improved by 0.01")


def test_a_phase_names_no_curve_that_has_no_row_in_it_yet():
    rows = np.arange(1.0, 61)
    tracks = {
        "train_loss": Track("train_loss", rows, 0.1 + 2 * np.exp(-rows / 10)),
        "val_loss": Track("val_loss", rows[20:], 0.2 + 2 * np.exp(-rows[20:] / 10)),
    }
    first, *_ = runopsy.analyze(Run("x", "x", "epoch", tracks)).phases
    assert first.end <= 20
    assert [e.signal for e in first.why] == ["train/loss"]


def test_a_training_loss_far_ahead_of_validation_at_chance_is_memorized_without_a_training_accuracy():
    """Seven classes: validation accuracy stays near chance while the training loss falls to a third."""
    t = np.arange(20)
    train = 0.65 + 1.37 * np.exp(-t / 7)
    val = 1.94 + 1.35 * t / 19
    acc = 0.18 + 0.03 * np.sin(t * 1.7)
    assert runopsy.analyze(epochs(train, val, None, acc)).verdict.name == "memorized"
    still = runopsy.analyze(epochs(1.94 - 0.01 * t, val, None, acc)).verdict
    assert still.name != "memorized"  # training is no better than guessing, either


def test_a_fall_that_is_over_before_the_first_validation_is_no_fit():
    step = np.arange(100.0, 3001, 100)
    train = 5 + 27 * np.exp(-(step - 100) / 60) + 0.02 * np.cos(step)
    tracks = {
        "train_loss": Track("train_loss", step, train),
        "val_loss": Track("val_loss", np.arange(500.0, 3001, 500), np.array([5.02, 4.98, 4.975, 4.98, 4.97, 4.985])),
    }
    found = runopsy.analyze(Run("x", "x", "step", tracks)).verdict
    assert (found.name, "how far this loss is from fitting" in found.why) == ("inconclusive", True)
    falls = 5 + 27 * np.exp(-(step - 100) / 600)  # and validation with it
    tracks["train_loss"] = Track("train_loss", step, falls)
    tracks["val_loss"] = Track("val_loss", step[4::5], falls[4::5] + 0.05)
    assert "its loss came down to" in runopsy.analyze(Run("x", "x", "step", tracks)).verdict.why


def test_where_noise_hides_the_course_of_validation_the_verdict_states_it():
    """Batch normalisation in evaluation mode: validation leaps from row to row while training gains smoothly."""
    rng = np.random.default_rng(1)
    t = np.arange(50)
    train, acc = 0.43 + 0.5 * np.exp(-t / 15), 0.82 - 0.3 * np.exp(-t / 10)
    val = np.exp(rng.normal(-0.2, 0.6, 50))
    val_acc = np.where(t < 4, 0.35 + 0.05 * t, np.clip(0.65 + rng.normal(0, 0.12, 50), 0, 0.79))
    val_acc[-20:] = val_acc[-20:][np.argsort(np.tile([0, 3, 1, 2], 5))]
    facts = facts_of_run(epochs(train, val, acc, val_acc))
    assert facts.unclear or facts.follows
    found = runopsy.analyze(epochs(train, val, acc, val_acc)).verdict
    assert ("hides whether validation does" in found.why) == (bool(facts.unclear) and not facts.follows)
    steady = facts_of_run(epochs(train, 0.6 + 0.4 * np.exp(-t / 5) + 0 * val, acc, 0.7 - 0.35 * np.exp(-t / 4)))
    assert not steady.unclear


def test_an_accuracy_that_makes_most_of_its_room_has_left_its_start():
    rows = [0.314, 0.204, 0.528, 0.598, 0.704, 0.698, 0.704, 0.688, 0.529, 0.718]
    found = runopsy.analyze(planted.run(np.arange(1, 11), {"val_acc": np.array(rows)})).verdict
    assert "left its start" not in found.why


def test_without_a_training_accuracy_what_validation_gains_later_is_no_sign_of_memorization():
    t = np.arange(44)
    train = 0.13 + 0.27 * (1 + t) ** -0.7
    acc = 0.07 + 0.16 * (t / 43) ** 1.5
    found = runopsy.analyze(epochs(train, None, None, acc))
    assert not [e for e in found.events if e.kind == "memorization_onset"]


def test_a_fitted_classifier_whose_accuracy_still_rises_could_be_trained_longer():
    t = np.arange(20)
    rising = epochs(2.36 - 0.083 * t, 2.3 - 0.073 * t, 0.2 + 0.0372 * t, 0.22 + 0.0361 * t)
    assert runopsy.analyze(rising).verdict.name == "undertrained"
    acc = 0.99 - 0.75 * np.exp(-t / 2)  # right already, and only surer of it
    surer = epochs(0.05 + 2.2 * np.exp(-t / 6), 0.07 + 2.2 * np.exp(-t / 6), acc, acc - 0.005)
    assert runopsy.analyze(surer).verdict.name == "healthy"


def test_five_rows_show_no_trained_model_that_stands_still():
    acc = [0.81, 0.84, 0.82, 0.85, 0.83]
    found = runopsy.analyze(epochs([0.504, 0.45, 0.47, 0.41, 0.43], [0.43, 0.42, 0.43, 0.41, 0.42], acc, acc)).verdict
    assert "begins with a trained model" not in found.why


def test_how_far_a_loss_came_down_is_of_the_loss_as_it_is_logged():
    """Of a squared error the root is judged, and the loss is what a reader finds in the log."""
    t = np.arange(40)
    mse = 0.2 + 0.8 * np.exp(-t / 5)
    run = planted.run(t + 1, {"loss": mse, "val_loss": 1.02 * mse, "mse": mse})
    assert "its loss came down to 20% of the first" in runopsy.analyze(run).verdict.why


def test_a_loss_below_zero_is_judged_by_its_own_range():
    """Of a density: its first level is near 0, and no share of it means anything."""
    step = np.arange(60.0)
    train, val = 0.2 - 0.9 * (1 - np.exp(-step / 10)), 0.13 - 0.73 * (1 - np.exp(-step / 9))
    found = runopsy.analyze(planted.run(step, {"train_loss": train, "val_loss": val})).verdict
    assert found.name == "inconclusive"
    moved = runopsy.analyze(planted.run(step, {"train_loss": train + 1, "val_loss": val + 1})).verdict
    assert moved.name != "overfit"


def test_what_gets_worse_row_by_row_did_not_end_within_its_noise():
    step = np.arange(40.0)
    val = np.where(step < 20, 4.1 + 6 * np.exp(-step / 2), 4.1 + 0.001 * (step - 19))
    train = 3.0 + 7 * np.exp(-step / 4)
    assert not runopsy.analyze(planted.run(step, {"train_loss": train, "val_loss": val})).stop.within_noise


def test_fitted_training_with_validation_at_chance_is_memorized_where_no_gap_can_be_measured():
    """The training loss is a sum over batches: validation, a sum over fewer, stays below it."""
    epoch = np.arange(50.0)
    curves = {
        "loss": planted.noisy(360 + 1050 * np.exp(-epoch / 8), 0.005),
        "val_loss": planted.noisy(230 + 5 * epoch, 0.02, 1),
        "val_acc": np.clip(0.04 + 0.003 * np.random.default_rng(0).standard_normal(50), 0, 1),
    }
    assert runopsy.analyze(planted.run(epoch, curves)).verdict.name == "memorized"
