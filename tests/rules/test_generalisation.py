from dataclasses import replace

import numpy as np
import pytest

import planted
import runopsy


def events(run, kind):
    return [e for e in runopsy.analyze(run).events if e.kind == kind]


@pytest.mark.parametrize("half", [500.0, 1500.0, 3000.0])
def test_grokking_is_found_at_its_half_way_step(half):
    (event,) = events(planted.grokking(last=6000, half=half), "grokking")
    assert event.step == pytest.approx(half, rel=0.1)
    assert [e.signal for e in event.evidence] == ["train/acc", *["val/acc"] * 5]


def test_generalising_together_with_training_is_no_grokking():
    step = np.arange(0, 2001, 10)
    acc = planted.sigmoid(step, 200, 40, 0.1, 0.99)
    run = planted.run(step, {"train/loss": planted.decay(step), "train/acc": acc, "val/acc": acc - 0.01})
    assert not events(run, "grokking")


def test_a_late_gain_too_small_is_no_grokking():
    step = np.arange(0, 4001, 10)
    train = planted.sigmoid(step, 50, 10, 0, 1)
    val = planted.sigmoid(step, 1500, 150, 0.6, 0.8)
    run = planted.run(step, {"train/loss": planted.decay(step), "train/acc": train, "val/acc": val})
    assert not events(run, "grokking")


def test_without_accuracy_grokking_is_not_checked_and_says_why():
    checks = {c.code: c for c in runopsy.analyze(planted.healthy()).checks}
    assert checks["G01"].outcome == "not_checked"
    assert checks["G01"].why == "the log has no train/acc and no val/acc"


@pytest.mark.parametrize("turn", [400.0, 800.0, 1600.0])
def test_memorization_begins_where_validation_turns(turn):
    (event,) = events(planted.overfitting(turn=turn), "memorization_onset")
    assert event.step == pytest.approx(turn, rel=0.25)


def test_a_healthy_run_has_no_onset_and_no_other_event():
    for seed in range(5):
        assert not runopsy.analyze(planted.healthy(seed=seed)).events


def test_memorization_without_any_generalisation_begins_while_training_falls():
    step = np.arange(0, 2001, 5)
    run = planted.run(
        step,
        {
            "train/loss": planted.noisy(4 * np.exp(-step / 60) + 1e-4, 0.02),
            "train/acc": planted.sigmoid(step, 100, 15, 0, 1),
            "val/loss": planted.noisy(4 + 4 * step / 2000, 0.01),
            "val/acc": np.full(len(step), 0.02),
        },
    )
    autopsy = runopsy.analyze(run)
    (event,) = [e for e in autopsy.events if e.kind == "memorization_onset"]
    assert 5 <= event.step <= 60
    assert autopsy.verdict.name == "memorized"


def descent(seed=0, peak=2.0):
    step = np.arange(0, 20_001, 20)
    u = np.log(step + 20)
    val = 1.0 + 1.5 * np.exp(-((u - 3) ** 2) / 0.4) + (peak - 1) * np.exp(-((u - 7) ** 2) / 0.6) - 0.04 * u
    return planted.run(step, {"train/loss": planted.decay(step, 2.5, 0.01), "val/loss": planted.noisy(val, 0.01, seed)})


def test_a_second_descent_is_found_at_its_peak():
    (event,) = events(descent(), "double_descent_peak")
    assert event.step == pytest.approx(np.exp(7) - 20, rel=0.15)
    assert not events(descent(), "memorization_onset")  # it did not turn for good


def test_a_bump_below_the_prominence_is_no_second_descent():
    assert not events(descent(peak=1.03), "double_descent_peak")


def late(accuracy, last=6000):
    step = np.arange(0, last + 1, 10)
    train = np.clip(planted.sigmoid(step, 50, 10, 0, 1), 0, 1)
    return planted.run(
        step, {"train/loss": 4 * np.exp(-step / 40) + 1e-3, "train/acc": train, "val/acc": accuracy(step)}
    )


def test_grokking_is_told_from_onset_to_completion():
    (event,) = events(late(lambda s: planted.sigmoid(s, 2000, 200, 0.02, 0.98)), "grokking")
    says = {e.text: e.step for e in event.evidence}
    assert says["a tenth of the late gain: its onset"] == pytest.approx(2000 - 200 * np.log(9), rel=0.1)
    assert says["95 % of the late gain"] == pytest.approx(2000 + 200 * np.log(19), rel=0.1)
    assert event.interval[0] <= 2000 <= event.interval[1]


def test_a_late_gain_that_stays_low_is_partial_and_one_that_is_lost_is_undone():
    (partial,) = events(late(lambda s: planted.sigmoid(s, 2000, 100, 0.02, 0.6)), "grokking")
    assert "partial" in partial.evidence[5].text
    (undone,) = events(
        late(lambda s: planted.sigmoid(s, 2000, 100, 0.02, 0.98) - planted.sigmoid(s, 4500, 50, 0, 0.9)), "grokking"
    )
    assert undone.evidence[-1].text == "undone: where it ended"


def test_grokking_does_not_depend_on_where_counting_begins():
    base = planted.grokking()
    moved = {n: t.value for n, t in base.tracks.items()}
    shifted = planted.run(base.tracks["train/loss"].step + 50_000, moved)
    (here,), (there,) = events(base, "grokking"), events(shifted, "grokking")
    assert there.step - 50_000 == pytest.approx(here.step)


def test_a_learning_rate_changed_before_the_rise_is_said_and_not_read_as_undone():
    run = late(lambda s: planted.sigmoid(s, 2000, 100, 0.02, 0.98))
    step = run.tracks["train/loss"].step
    lr = planted.run(step, {"lr": np.where(step < 1500, 0.1, 0.01)}).tracks
    said = runopsy.render(runopsy.analyze(type(run)("p", "p", "step", {**run.tracks, **lr})), "markdown")
    assert "the learning rate was changed before the rise" in " ".join(said.split())
    assert "undone" not in said


def grokked_then(after):
    """A run that groks at 1500 and whose accuracies are then changed from step 3000 on: name → factor."""
    run = planted.grokking(last=6000)
    step = run.tracks["val/acc"].step
    tracks = {
        name: replace(t, value=np.where(step >= 3000, t.value * after(step).get(name, 1.0), t.value))
        for name, t in run.tracks.items()
    }
    event = next(e for e in runopsy.analyze(replace(run, tracks=tracks)).events if e.kind == "grokking")
    return [e.text for e in event.evidence]


def test_grokking_that_is_lost_again_is_undone_and_collapsed_if_training_is_lost_too():
    undone = grokked_then(lambda step: {"val/acc": 0.1})
    collapsed = grokked_then(lambda step: {"val/acc": 0.05, "train/acc": 0.05})
    assert any(says.startswith("undone") for says in undone)
    assert any(says.startswith("collapsed") for says in collapsed)


def test_many_dips_after_grokking_are_one_line_of_evidence():
    dips = [
        says for says in grokked_then(lambda step: {"val/acc": np.where(step % 200 == 0, 0.2, 1.0)}) if "dip" in says
    ]
    assert len(dips) == 1
    assert dips[0].startswith("16 dips")


def test_a_descent_of_the_error_alone_is_found_by_accuracy():
    step = np.arange(20, 20_000, 20)
    u = np.log(step / 2000)
    error = 0.2 + 0.5 * np.exp(-step / 150) + 0.2 * np.exp(-((u / 0.5) ** 2))
    rng = np.random.default_rng(0)
    run = planted.run(
        step,
        {
            "train/loss": planted.noisy(planted.decay(step), 0.02),
            "val/loss": planted.noisy(planted.decay(step, floor=0.5), 0.01, 1),
            "train/acc": 1 - 0.9 * np.exp(-step / 3000),
            "val/acc": 1 - error + 0.005 * rng.standard_normal(len(step)),
        },
    )
    peaks = [e for e in runopsy.analyze(run).events if e.kind == "double_descent_peak"]
    assert [e.evidence[0].signal for e in peaks] == ["val/acc"]
    assert peaks[0].step == pytest.approx(2000, rel=0.1)


def test_single_rows_that_fall_out_of_line_are_no_peak():
    epoch = np.arange(1.0, 201)
    acc = 0.66 - 0.4 * np.exp(-epoch / 8)
    acc[[46, 60, 117]] -= (0.14, 0.1, 0.18)
    assert not events(planted.run(epoch, {"val_acc": acc}), "double_descent_peak")
    acc -= 0.15 * np.exp(-(((epoch - 60) / 15) ** 2))  # many rows are one
    assert events(planted.run(epoch, {"val_acc": acc}), "double_descent_peak")


def test_a_fall_that_a_learning_rate_jump_made_is_no_second_descent():
    run = descent()
    step = run.tracks["val/loss"].step
    peak = float(events(run, "double_descent_peak")[0].step)
    rate = planted.run(step, {"lr": np.where(step < 1.05 * peak, 0.1, 0.01)}).tracks
    assert not events(replace(run, tracks={**run.tracks, **rate}), "double_descent_peak")


@pytest.mark.parametrize("seed", range(3))
def test_an_error_that_peaks_while_the_loss_only_falls_is_a_double_descent_of_the_error(seed):
    step = np.arange(0, 20_001, 20)
    u = np.log((step + 20) / 2000)
    error = 0.2 + 0.2 * np.exp(-(u**2) / 0.3) + 0.45 * planted.sigmoid(-u, 2.3, 0.2, 0, 1)
    accuracy = np.clip(1 - error + 0.005 * np.random.default_rng(seed).standard_normal(len(step)), 0, 1)
    loss = planted.decay(step, 2.5, 0.1)
    run = planted.run(step, {"train/loss": loss, "val/loss": planted.noisy(loss + 0.05, 0.01), "val/acc": accuracy})
    (event,) = events(run, "double_descent_peak")
    assert event.evidence[0].signal == "val/acc"
    assert event.step == pytest.approx(1980, rel=0.1)


def test_a_training_that_never_moved_memorizes_nothing():
    step = np.arange(0, 3000)
    flat = np.full(len(step), 2.3)
    rising = planted.noisy(flat * np.where(step > 2500, 1.2, 1.0), 0.02, 1)
    assert not events(
        planted.run(step, {"train/loss": planted.noisy(flat, 0.05), "val/loss": rising}), "memorization_onset"
    )
