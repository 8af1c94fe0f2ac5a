import numpy as np
import pytest

import planted
import runopsy


def stages(run):
    return [e.step for e in runopsy.analyze(run).events if e.kind == "loss_drop"]


def both(step, loss, seed=0, sd=0.02):
    curves = {"train/loss": planted.noisy(loss, sd, seed), "val/loss": planted.noisy(1.01 * loss, sd / 4, seed + 1)}
    return planted.run(step, curves)


def test_an_abrupt_fall_after_ordinary_learning_is_one_stage():
    step = np.arange(1, 10_001, 5.0)
    loss = (0.5 + 2 / (1 + step / 100)) * (1 - planted.sigmoid(step, 4000, 40, 0, 0.5))
    (found,) = stages(both(step, loss))
    assert found == pytest.approx(4000, rel=0.02)


def test_a_fall_of_training_alone_is_no_stage():
    step = np.arange(1, 10_001, 5.0)
    base = 0.5 + 2 / (1 + step / 100)
    run = both(step, base)
    fall = run.tracks["train/loss"].value * (1 - planted.sigmoid(step, 4000, 40, 0, 0.5))
    assert not stages(planted.run(step, {"train/loss": fall, "val/loss": run.tracks["val/loss"].value}))


@pytest.mark.parametrize("seed", range(5))
def test_a_smooth_decay_has_no_stage(seed):
    step = np.arange(1, 5001.0)
    assert not stages(both(step, planted.decay(step), seed, 0.05))


def test_a_fall_beside_a_change_of_learning_rate_is_that_change():
    step = np.arange(1, 10_001, 5.0)
    loss = (0.5 + 2 / (1 + step / 100)) * (1 - planted.sigmoid(step, 4000, 40, 0, 0.5))
    run = both(step, loss)
    lr = np.where(step < 4000, 0.1, 0.01)
    curves = {name: track.value for name, track in run.tracks.items()}
    assert not stages(planted.run(step, {**curves, "lr": lr}))


def test_a_fall_over_a_third_of_the_run_is_not_abrupt():
    """In log steps half of a run is short; a reader of its curve sees a slope."""
    step = np.arange(1, 201)
    slow = planted.noisy(40 + 20 * np.exp(-step / 30) + planted.sigmoid(step, 145, 15, 0, 25)[::1] * -1 + 25, 0.01)
    quick = planted.noisy(40 + 20 * np.exp(-step / 30) - planted.sigmoid(step, 145, 1.5, 0, 25) + 25, 0.01)
    assert not [e for e in runopsy.analyze(planted.run(step, {"train/loss": slow})).events if e.kind == "loss_drop"]
    assert [e for e in runopsy.analyze(planted.run(step, {"train/loss": quick})).events if e.kind == "loss_drop"]


@pytest.mark.parametrize("seed", range(5))
def test_the_far_side_of_a_bump_is_no_drop(seed):
    step = np.arange(600)
    falls = 0.5 * np.exp(-step / 150) + 0.02
    bump = np.where((step >= 255) & (step < 285), 0.3 * np.exp(-np.abs(step - 270) / 8), 0.0)
    loss = planted.noisy(falls + bump, 0.02, seed)
    assert "loss_drop" not in [e.kind for e in runopsy.analyze(planted.run(step, {"loss": loss})).events]
