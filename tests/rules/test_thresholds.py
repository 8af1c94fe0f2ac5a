import numpy as np
import pytest
from scipy.signal import lfilter

import planted
import runopsy
from runopsy.model import Signal
from runopsy.rules import CLASSIC
from runopsy.rules.thresholds import Departure, SuddenChange
from runopsy.standards import Standards
from runopsy.thresholds import DEFAULTS


def noise(seed, n=5500, phi=0.0):
    white = np.random.default_rng(seed).standard_normal(n)
    return lfilter([np.sqrt(1 - phi**2)], [1, -phi], white) if phi else white


def signal(values):
    return Signal("grad/norm", "grad_norm", np.arange(len(values), dtype=float), np.asarray(values, dtype=float))


def test_the_founding_rule_cries_wolf_on_white_noise_as_often_as_its_documentation_says():
    alarms = np.mean([any(Departure().on(signal(noise(seed)), DEFAULTS)) for seed in range(200)])
    assert 0.5 < alarms < 0.75  # 63 of 100, and three standard errors of 200 runs


@pytest.mark.parametrize("phi", [0.0, 0.9])
def test_the_calibrated_rule_is_quiet_on_the_same_noise(phi):
    assert not any(SuddenChange().largest_jump(signal(noise(seed, phi=phi)), DEFAULTS) for seed in range(200))


def test_the_calibrated_rule_finds_a_jump_and_places_it():
    for seed in range(20):
        jump = SuddenChange().largest_jump(signal(noise(seed) + 5 * (np.arange(5500) >= 3210)), DEFAULTS)
        assert jump.since <= 3210 <= jump.step + 50


def test_a_drift_is_no_jump():
    step = np.arange(20_000)
    for values in (np.exp(-step / 3000), step / 20_000, 1 / (1 + np.exp(-(step - 9000) / 1500))):
        assert SuddenChange().largest_jump(signal(values + 0.01 * noise(0, 20_000)), DEFAULTS) is None


def test_a_spike_is_no_jump():
    values = 0.1 * noise(0)
    values[3000:3120] += 20
    assert SuddenChange().largest_jump(signal(values), DEFAULTS) is None


def recorded(**columns):
    step = np.arange(6000)
    curves = {
        "train/loss": planted.noisy(planted.decay(step), 0.03),
        "val/loss": planted.noisy(planted.decay(step), 0.01, 1),
    }
    return planted.run(step, {**curves, **columns})


def kinds(run, **how):
    return [e.kind for e in runopsy.analyze(run, **how).events]


def test_a_jump_inside_that_validation_does_not_follow_is_unconfirmed():
    jumps = 1 + 0.05 * noise(1, 6000) + 3 * (np.arange(6000) >= 3000)
    assert kinds(recorded(**{"grad/norm": jumps})) == ["level_shift"]


def test_a_jump_of_the_training_loss_alone_looks_like_other_data():
    step = np.arange(6000)
    moved = planted.noisy(planted.decay(step, floor=1.0), 0.02) - 0.5 * (step >= 3000)
    run = planted.run(step, {"train/loss": moved, "val/loss": planted.noisy(planted.decay(step), 0.01, 1)})
    assert "data_change" in kinds(run)


def test_a_jump_beside_a_change_of_learning_rate_is_explained():
    step = np.arange(6000)
    jumps = 1 + 0.05 * noise(1, 6000) + 3 * (step >= 3000)
    assert kinds(recorded(**{"grad/norm": jumps, "lr": np.where(step < 3000, 0.1, 0.01)})) == ["lr_change"]


def test_without_validation_the_calibrated_rule_is_not_asked():
    step = np.arange(6000)
    run = planted.run(step, {"train/loss": planted.noisy(planted.decay(step), 0.03)})
    check = next(c for c in runopsy.analyze(run).checks if c.code == "B02")
    assert check.outcome == "not_checked"


def test_the_founding_rule_answers_where_it_is_asked_for():
    rises = 1 + 0.05 * noise(1, 6000) + 2 * (np.arange(6000) >= 3000)
    found = runopsy.analyze(recorded(**{"grad/norm": rises}), standards=Standards(rules=CLASSIC)).events
    departed = [e.step for e in found if e.kind == "baseline_departure" and e.evidence[0].signal == "grad/norm"]
    assert any(3000 <= step <= 3070 for step in departed)


def test_one_signal_may_have_thresholds_of_its_own():
    rises = 1 + 0.05 * noise(1, 6000) + 0.3 * (np.arange(6000) >= 3000)
    assert kinds(recorded(**{"grad/norm": rises}), thresholds={"grad/norm": {"outlier": 100}}) == []
    assert kinds(recorded(**{"grad/norm": rises}), thresholds={"lr": {"outlier": 100}}) != []


def epochs(jumps_at, follows, seed=0):
    """A detector's log of 60 epochs: from one on, the training images are whole, and validation's always were."""
    at = np.arange(1, 61)
    train = planted.noisy(1.2 + 2.5 * np.exp(-at / 8), 0.01, seed)
    val = planted.noisy(1.5 + 2 * np.exp(-at / 8), 0.01, seed + 1)
    late = at >= jumps_at
    curves = {"train/loss": train - 0.25 * late, "val/loss": val - 0.3 * (late & follows)}
    return planted.run(at, curves)


@pytest.mark.parametrize("seed", range(10))
def test_a_short_log_shows_a_training_loss_that_moves_alone(seed):
    found = [e for e in runopsy.analyze(epochs(51, False, seed)).events if e.kind == "data_change"]
    assert [e.step for e in found] == [51]
    assert "data_change" not in kinds(epochs(51, True, seed))
    assert "data_change" not in kinds(epochs(99, False, seed))


@pytest.mark.parametrize("phi", [0.0, 0.9])
def test_a_short_falling_loss_seldom_jumps(phi):
    at = np.arange(60)
    alarms = [
        SuddenChange().largest_jump(
            Signal("train/loss", "loss", at * 1.0, (0.1 + 2 * np.exp(-at / 12)) * np.exp(0.03 * noise(s, 60, phi))),
            DEFAULTS,
        )
        for s in range(200)
    ]
    assert sum(found is not None for found in alarms) <= 2


def test_a_few_rows_high_are_no_level():
    loss = np.array([*(0.02 + 1 / np.arange(1, 26)), 0.14, 0.09, 0.09, 0.06, 0.04, 0.05, 0.04])
    assert SuddenChange().largest_jump(Signal("train/loss", "loss", np.arange(32.0), loss), DEFAULTS) is None


def test_a_log_with_too_few_rows_to_ask_is_not_said_to_have_none():
    run = planted.run(np.arange(400), {"train/loss": planted.decay(np.arange(400)), "val/loss": np.ones(400)})
    check = next(c for c in runopsy.analyze(run).checks if c.code == "B02")
    assert (check.outcome, check.why) == ("not_checked", "400 rows, and it takes 2,000")
