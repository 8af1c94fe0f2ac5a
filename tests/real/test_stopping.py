"""Stopping rules against the libraries that follow them live: decision for decision, step for step.

``make test-readers`` installs the libraries; where one is missing, its test is skipped.
"""

from __future__ import annotations

import math
import os
import warnings

import numpy as np
import pytest

from runopsy.model import Signal
from runopsy.study.policies import Patience, Policy, decide
from runopsy.study.set_policies import Asha, MedianStopping
from runopsy.study.set_replay import Trial, replay_set
from runopsy.study.view import Log

STUDIES = 60  # of 12 trials each
CURVES = 200
os.environ.setdefault("KERAS_BACKEND", "torch")


def our_stop(condition: Patience, values: list[float]) -> int | None:
    """The evaluation, from 0, at which a replay stops."""
    value = np.array(values)
    step, finite = np.arange(float(len(value))), np.isfinite(value)
    curve = Signal("val/loss", "val/loss", step[finite], value[finite], broken=None if finite.all() else step[~finite])
    found = decide(Policy(condition), Log("run", "epoch", {"val/loss": curve}, "val/loss", 0.0, step[-1]))
    return None if found is None else int(found.step)


def curves(broken: tuple[float, ...]):
    """Noisy curves on a coarse grid, exact in single precision: ties are usual."""
    rng = np.random.default_rng(0)
    for _ in range(CURVES):
        rows = int(rng.integers(2, 40))
        values = np.round(8 * (np.exp(-np.arange(rows) / 10) + 0.3 * rng.random(rows))) / 8
        if rng.random() < 0.3:
            values[rng.integers(rows)] = rng.choice(broken)
        patience, delta = int(rng.integers(1, 6)), float(rng.choice([0, 0.125, 0.25]))
        yield values.tolist(), patience, delta, int(rng.integers(0, 6))


def test_patience_stops_where_keras_does():
    keras = pytest.importorskip("keras")

    class Model:  # what the callback reads of a model
        stop_training = False

    seen = 0  # a cleaned log does not tell an infinite value from NaN, so that Keras is given NaN alone
    for values, patience, delta, warm_up in curves((math.nan,)):
        callback = keras.callbacks.EarlyStopping(
            monitor="val_loss", mode="min", patience=patience, min_delta=delta, start_from_epoch=warm_up
        )
        model = Model()
        callback.set_model(model)
        callback.on_train_begin()
        stop = None
        for epoch, value in enumerate(values):
            callback.on_epoch_end(epoch, {"val_loss": value})
            if model.stop_training:
                stop = epoch
                break
        assert our_stop(Patience(patience, delta, warm_up, finite=False), values) == stop, (values, patience, delta)
        seen += stop is not None
    assert CURVES / 4 < seen < CURVES


def test_patience_stops_where_lightning_does():
    torch = pytest.importorskip("torch")
    pytest.importorskip("lightning")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what importing it remarks on is its own
        from lightning.pytorch.callbacks import EarlyStopping

    seen = 0
    for values, patience, delta, _ in curves((math.nan, math.inf)):
        callback = EarlyStopping("val_loss", mode="min", patience=patience, min_delta=delta)
        trainer = _Trainer()
        stop = None
        for epoch, value in enumerate(values):
            trainer.callback_metrics = {"val_loss": torch.tensor(value)}
            callback._run_early_stopping_check(trainer)
            if trainer.should_stop:
                stop = epoch
                break
        assert our_stop(Patience(patience, delta), values) == stop, (values, patience, delta)
        seen += stop is not None
    assert CURVES / 4 < seen < CURVES


class _Trainer:
    """What Lightning's callback reads of its trainer."""

    fast_dev_run = False
    should_stop = False
    current_epoch = 0

    class strategy:
        @staticmethod
        def reduce_boolean_decision(decision: bool, all: bool) -> bool:
            return decision


def trials(rng: np.random.Generator) -> list[list[float]]:
    rows = rng.integers(5, 30, size=12)
    scores = [np.round(rng.random() + np.exp(-np.arange(n) / 8) + 0.2 * rng.random(n), 1) for n in rows]
    for one in scores:
        if rng.random() < 0.1:
            one[rng.integers(len(one))] = math.nan
    return [one.tolist() for one in scores]


def live(pruner, scores: list[list[float]]) -> list[float | None]:
    """Where optuna itself prunes each trial, one after the other."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study, stops = optuna.create_study(pruner=pruner), []

    def objective(trial):
        for step, score in enumerate(scores[trial.number], 1):
            trial.report(score, step)
            if trial.should_prune():
                stops.append(float(step))
                raise optuna.TrialPruned
        stops.append(None)
        return 0.0

    study.optimize(objective, n_trials=len(scores))
    return stops


def ours(policy, scores: list[list[float]]) -> list[float | None]:
    """The same by replay."""
    made = [Trial("", np.arange(1.0, len(s) + 1), np.array(s), float(len(s))) for s in scores]
    return replay_set(policy, made)


@pytest.mark.parametrize(("least", "factor"), [(1, 2), (1, 3), (2, 4), (5, 2)])
def test_asha_prunes_what_optuna_prunes(least, factor):
    optuna = pytest.importorskip("optuna")
    rng, cut = np.random.default_rng(least * factor), 0
    for _ in range(STUDIES // 4):
        scores = trials(rng)
        pruner = optuna.pruners.SuccessiveHalvingPruner(min_resource=least, reduction_factor=factor)
        stops = live(pruner, scores)
        assert ours(Asha(factor, float(least)), scores) == stops
        cut += sum(stop is not None for stop in stops)
    assert cut > STUDIES


@pytest.mark.filterwarnings("ignore:All-NaN slice encountered")  # optuna's own, of a trial that reported nothing finite
@pytest.mark.parametrize(("startup", "warm_up"), [(0, 0), (2, 0), (5, 0), (3, 8)])
def test_median_stopping_prunes_what_optuna_prunes(startup, warm_up):
    optuna = pytest.importorskip("optuna")
    rng, cut = np.random.default_rng(startup + warm_up), 0
    for _ in range(STUDIES // 4):
        scores = trials(rng)
        pruner = optuna.pruners.MedianPruner(n_startup_trials=startup, n_warmup_steps=warm_up)
        stops = live(pruner, scores)
        assert ours(MedianStopping(startup, float(warm_up)), scores) == stops
        cut += sum(stop is not None for stop in stops)
    assert cut > STUDIES / 2
