"""Values that can hardly be right are named, and ordinary runs are left alone."""

import numpy as np
import pytest

import planted
import runopsy

STEP = np.arange(0, 2000, 10)
DECAY = planted.noisy(planted.decay(STEP, 2.3, 0.1, 100), 0.03)


def suspects(**curves):
    autopsy = runopsy.analyze(planted.run(STEP, {name.replace("__", "/"): value for name, value in curves.items()}))
    return [(e.code, e.step) for e in autopsy.events if e.kind == "metric_anomaly"], autopsy


def test_a_loss_that_prints_zero_after_a_gradient_of_nan_is_named():
    gone = STEP >= 1000
    found, autopsy = suspects(train__loss=np.where(gone, 0, DECAY + 0.5), grad_norm=np.where(gone, np.nan, 1.0))
    assert found == [("Q01", 1000)]
    assert [e.signal for event in autopsy.events for e in event.evidence if event.kind == "metric_anomaly"] == [
        "train/loss",
        "grad/norm",
    ]
    assert autopsy.verdict.name == "inconclusive"


def test_a_loss_that_comes_to_zero_is_none():
    hinge = np.maximum(0, 1 - STEP / 1000)
    assert suspects(train__loss=hinge, val__loss=hinge + 0.1)[0] == []


def test_validation_that_is_never_near_the_start_of_training_is_named():
    assert suspects(train__loss=DECAY, val__loss=32 * DECAY + 10, tokens=64.0 * STEP)[0] == [("Q02", 0)]
    assert suspects(train__loss=DECAY, val__loss=32 * DECAY + 10)[0] == []  # squared errors, for all that is known
    assert suspects(train__loss=DECAY, val__loss=DECAY + 8, val__acc=STEP / 4000)[0] == [("Q02", 0)]


def test_validation_that_only_began_late_may_be_overfitted():
    late = np.where(STEP < 600, np.nan, 4.0)
    run = planted.run(STEP, {"train/loss": DECAY, "val/loss": DECAY})
    tracks = dict(run.tracks)
    tracks["val/loss"] = type(run.tracks["val/loss"])("val/loss", STEP[60:].astype(float), late[60:])
    found = runopsy.analyze(type(run)("p", "p", "step", tracks)).events
    assert not [e for e in found if e.code == "Q02"]


@pytest.mark.parametrize(("start", "found"), [(10.8, ["Q03"]), (4.2, [])])
def test_a_language_model_without_loss_is_named_and_a_small_vocabulary_is_not(start, found):
    loss = planted.noisy(0.02 + start * np.exp(-STEP / 200), 0.02)
    counted = {"train__loss": loss, "val__loss": loss * 1.01, "tokens": 1024.0 * STEP}
    assert [code for code, _ in suspects(**counted)[0]] == found


def test_a_loss_near_zero_is_no_suspect_where_nothing_speaks_of_text():
    loss = planted.noisy(0.02 + 10.8 * np.exp(-STEP / 200), 0.02)
    assert suspects(train__loss=loss, val__loss=loss * 1.01)[0] == []


def test_validation_that_repeats_training_is_named():
    assert suspects(train__loss=DECAY, val__loss=DECAY)[0] == [("Q04", 0)]
    assert suspects(train__loss=DECAY, val__loss=np.where(STEP == 500, DECAY + 0.01, DECAY))[0] == []


@pytest.mark.parametrize("make", [planted.grokking, planted.overfitting, planted.healthy])
@pytest.mark.parametrize("seed", range(5))
def test_ordinary_runs_have_no_suspects(make, seed):
    assert not [e for e in runopsy.analyze(make(seed=seed)).events if e.kind == "metric_anomaly"]


def test_the_labelled_runs_have_no_suspects(shared):
    folders = sorted(shared.glob("benchmark/runs/*/metrics.csv"))
    if not folders:
        pytest.skip("no labelled runs here")
    for path in folders:
        assert not [e for e in runopsy.analyze(path).events if e.kind == "metric_anomaly"], path
