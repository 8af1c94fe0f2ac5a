"""On which side of interpolation a run was seen to be."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import planted
import runopsy
from runopsy.model import Regime, Run
from runopsy.report import regime as words

STEP = np.arange(0, 2001, 10)
OURS = {"lr": {"unit": ""}}  # what a run folder says of how its signals were taken


def regime(run: Run, **known: object) -> Regime | None:
    return runopsy.analyze(replace(run, taken=OURS, **known)).regime


def curves(end_accuracy: float | None, end_loss: float, start: float = 2.3) -> Run:
    loss = planted.noisy(end_loss + (start - end_loss) * np.exp(-STEP / 100), 0.01)
    accuracy = {} if end_accuracy is None else {"train/acc": planted.sigmoid(STEP, 150, 30, 0.1, end_accuracy)}
    return planted.run(STEP, {"train/loss": loss, "val/loss": planted.noisy(loss + 0.1, 0.01, 1), **accuracy})


@pytest.mark.parametrize(
    ("accuracy", "loss", "fitted"),
    [
        (0.995, 0.02, True),
        (0.8, 0.6, False),
        (0.995, 1.2, True),  # label smoothing holds a loss up: the accuracy decides
        (None, 0.01, True),
        (None, 2.0, False),
        (None, 0.4, None),  # a loss that fell to a fifth may be either
    ],
)
def test_training_data_are_fitted_or_not_or_a_loss_alone_cannot_say(accuracy, loss, fitted):
    found = regime(curves(accuracy, loss))
    assert found is not None
    assert found.fitted is fitted
    assert (found.at is not None) is (fitted is True)


def test_it_is_placed_where_the_accuracy_passes_the_threshold():
    accuracy = planted.sigmoid(STEP, 150, 30, 0.1, 0.995)
    found = regime(curves(0.995, 0.02))
    assert found is not None
    assert found.at == STEP[np.argmax(accuracy >= 0.97)]


def test_an_accuracy_in_evaluation_mode_is_asked_where_dropout_keeps_the_other_low():
    run = curves(0.85, 0.3)
    tracks = {**run.tracks, "eval/acc_train": replace(run.tracks["train/acc"], name="eval/acc_train",
                                                      value=planted.sigmoid(STEP, 150, 30, 0.1, 0.995))}  # fmt: skip
    assert not regime(run).fitted
    assert regime(replace(run, tracks=tracks)).fitted


def test_sizes_are_those_that_were_recorded_and_their_quotients():
    found = regime(curves(0.99, 0.02), parameters=1000, trainable=600, sizes={"train": 300, "tokens": 20_000})
    assert (found.parameters, found.trainable, found.examples, found.tokens) == (1000, 600, 300, 20_000)
    assert found.per_example == 2.0
    assert found.per_parameter == 20.0
    bare = regime(curves(0.99, 0.02))
    assert (bare.per_example, bare.per_parameter) == (None, None)


def test_a_log_of_others_has_none():
    assert runopsy.analyze(curves(0.99, 0.02)).regime is None


def test_the_page_states_the_side_and_what_was_not_recorded():
    fitted = Regime(1000, 600, 300, None, True, 120.0, "train/acc comes to 0.99")
    rows = dict(words._rows(fitted, "step"))
    assert rows["parameters"] == "1,000, trainable 600"
    assert rows["trainable parameters per training example"] == "2"
    assert "fitted by step 120" in rows["training data"]
    assert ": counted as interpolating" in rows["training data"]
    unknown = dict(words._rows(Regime(None, None, None, None, None, None, "no loss"), "step"))
    assert unknown["parameters"].startswith("not checked")
    assert unknown["training examples"].startswith("not checked")
    assert unknown["training data"] == "not checked: no loss"
    short = words.side(Regime(None, None, None, None, False, None, "x"), "epoch")
    assert "not fitted by the last epoch" in short
    assert ": not counted as interpolating" in short
