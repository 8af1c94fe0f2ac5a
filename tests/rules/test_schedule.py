import numpy as np
import pytest

import planted
import runopsy
from runopsy.facts.schedule import epoch_begins, jumps
from runopsy.model import Run, Signal, Track
from runopsy.thresholds import DEFAULTS


def changes(lr):
    step = np.arange(len(lr))
    run = planted.run(step, {"train/loss": planted.decay(step), "lr": lr})
    return [e.step for e in runopsy.analyze(run).events if e.kind == "lr_change"]


def test_each_jump_of_a_step_schedule_is_found():
    lr = np.full(3000, 0.1)
    lr[1000:] = 0.01
    lr[2000:] = 0.001
    assert changes(lr) == [1000, 2000]


@pytest.mark.parametrize(
    "lr",
    [
        1e-3 * 0.5 * (1 + np.cos(np.linspace(0, np.pi, 3000))),
        1e-3 * np.minimum(1, (np.arange(3000) + 1) / 200),
        1e-3 * 0.999 ** np.arange(3000),
        np.full(3000, 3e-4),
        np.zeros(3000),
    ],
    ids=["cosine", "warm-up", "exponential", "constant", "zero"],
)
def test_a_smooth_schedule_has_no_jump(lr):
    assert changes(lr) == []


def test_a_resume_is_an_event_and_replaces_what_it_trained_again():
    step = np.concatenate([np.arange(0, 1000.0), np.arange(600.0, 2000)])
    session = np.concatenate([np.zeros(1000, int), np.ones(1400, int)])
    loss = planted.decay(step) + np.where(session == 0, 0.5, 0.0)
    run = Run("p", "p", "step", {"train/loss": Track("train/loss", step, loss, session=session)})
    autopsy = runopsy.analyze(run)
    assert [(e.kind, e.step) for e in autopsy.events if e.kind == "resume"] == [("resume", 600)]
    kept = autopsy.signals["train/loss"]
    assert len(kept) == 2000
    assert kept.value[700] == pytest.approx(planted.decay([700])[0])
    assert "400 values that were trained again" in " ".join(autopsy.notes)


def test_the_last_digits_of_a_smooth_schedule_are_no_jumps():
    cosine = 1e-4 * (1 + np.cos(np.pi * np.arange(100) / 100))
    assert changes(np.round(cosine, 6)) == []
    assert changes(np.repeat([3e-3, 2e-3, 1e-3], 1000)) == [1000, 2000]


def test_a_batch_size_that_jumps_is_an_event_and_the_short_last_batch_is_not():
    step = np.arange(0, 4001, 10)
    size = np.where(step < 2000, 64.0, 256.0)
    size[50] = 40
    found = runopsy.analyze(planted.run(step, {"loss": planted.decay(step), "batch_size": size})).events
    assert [(e.kind, e.step) for e in found] == [("batch_size_change", 2000.0)]


def epochs(fall, seed=0):
    """Twelve epochs of 200 rows, each beginning lower by a share of the loss."""
    step = np.arange(2400)
    curve = planted.decay(step, 2.3, 1.0, 2000) * (1 - fall) ** (step // 200)
    return planted.run(step, {"loss": planted.noisy(curve, 0.03, seed), "epoch": step / 200})


def test_a_loss_that_steps_down_with_each_epoch_is_told_once():
    found = [e for e in runopsy.analyze(epochs(0.06)).events if e.kind == "epoch_steps"]
    assert len(found) == 1
    assert found[0].step == 200
    assert found[0].until == 2200


@pytest.mark.parametrize("seed", range(10))
def test_a_loss_that_falls_smoothly_over_its_epochs_has_no_steps(seed):
    assert not [e for e in runopsy.analyze(epochs(0.0, seed)).events if e.kind == "epoch_steps"]


def means(rows, fall=0.15, seed=0):
    """Ten epochs as a progress bar prints them: the mean of the batches of the epoch up to each row."""
    rng = np.random.default_rng(seed)
    batches = 2.5 * (1 - fall) ** (np.arange(10 * rows) / rows) * (1 + rng.normal(0, 0.1, 10 * rows))
    return (np.cumsum(batches.reshape(10, rows), axis=1) / np.arange(1, rows + 1)).ravel()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("rows", [20, 200])
def test_running_means_of_epochs_step_by_themselves(rows, seed):
    value, at = means(rows, 0.3, seed), np.arange(10 * rows)
    found = runopsy.analyze(planted.run(at, {"loss": value, "epoch": at // rows}))
    assert not [e for e in found.events if e.kind in ("epoch_steps", "loss_drop")]
    assert any("running mean" in note for note in found.notes)
    kept = found.signals["train/loss"]
    assert kept.step.tolist() == [rows * (k + 1) - 1 for k in range(10)]
    assert kept.value.tolist() == [value[rows * (k + 1) - 1] for k in range(10)]


@pytest.mark.parametrize("seed", range(20))
def test_noise_about_a_falling_loss_is_no_running_mean(seed):
    loss = epochs(0.06, seed)
    run = runopsy.analyze(loss)
    assert not [note for note in run.notes if "running mean" in note]


def test_epochs_with_a_fraction_are_counted_from_either_end():
    at = np.arange(1, 31) / 10
    for first, wanted in ((at, [10, 20]), (at - 0.1, [10, 20])):
        assert epoch_begins(Signal("train/loss", "loss", first, np.ones(30)), None, "epoch").tolist() == wanted


def test_a_log_of_one_row_an_epoch_is_not_said_to_have_no_epoch():
    rows = np.arange(1.0, 31)
    log = Run("x", "x", "epoch", {"loss": Track("loss", rows, 1 / rows)})
    (check,) = (c for c in runopsy.analyze(log).checks if c.code == "L03")
    assert check.why == "the log has one row an epoch"


def told_jumps(rates):
    rates = np.asarray(rates, dtype=float)
    return [(at, after) for at, _, after in jumps(Signal("lr", "lr", np.arange(float(len(rates))), rates), DEFAULTS)]


def test_a_warm_up_in_even_steps_is_no_change_and_the_drops_after_it_are():
    warm = np.repeat(6e-5 + 5.94e-4 * np.arange(11), 5)
    found = told_jumps([*warm, *[6e-4] * 20, *[6e-5] * 20])
    assert [at for at, _ in found] == [55.0, 75.0]


def test_warm_restarts_of_one_size_are_changes():
    cycle = 1e-4 + 9e-4 * (1 + np.cos(np.linspace(0, np.pi, 20))) / 2
    assert [at for at, _ in told_jumps(np.tile(cycle, 6))] == [20.0, 40.0, 60.0, 80.0, 100.0]


def test_batches_with_heavy_tails_seldom_step_where_an_epoch_begins():
    rows, alarms = 40, 0
    at = np.arange(5 * rows)
    for seed in range(60):
        loss = np.exp(0.9 * np.random.default_rng(seed).standard_t(3, len(at)))
        found = runopsy.analyze(planted.run(at, {"loss": loss, "epoch": at // rows}))
        alarms += any(e.kind == "epoch_steps" for e in found.events)
    assert alarms <= 2
