"""Boosters train, runopsy reads: the results that XGBoost, LightGBM and CatBoost record, write and print.

``make test-readers`` installs them; where one is missing, its test is skipped.
"""

from __future__ import annotations

import json

import numpy as np
import pytest

from realruns import roles
from runopsy.readers import read

ROUNDS = 20


@pytest.fixture
def data():
    dice = np.random.default_rng(0)
    x = dice.normal(size=(400, 5))
    return x, (x[:, 0] + dice.normal(size=400) > 0).astype(int)


def same(run, name: str, expected, digits: int | None = None) -> None:
    expected = np.asarray(expected) if digits is None else np.round(expected, digits)
    np.testing.assert_allclose(run.tracks[name].value, expected, atol=0 if digits is None else 0.51 * 10**-digits)


def test_xgboost(data, tmp_path, monkeypatch, capfd):
    xgboost = pytest.importorskip("xgboost")
    monkeypatch.chdir(tmp_path)
    x, y = data
    train, held = xgboost.DMatrix(x[:300], y[:300]), xgboost.DMatrix(x[300:], y[300:])
    results: dict = {}
    settings = {"objective": "binary:logistic", "eval_metric": ["auc", "logloss"], "nthread": 1}
    xgboost.train(settings, train, ROUNDS, evals=[(train, "train"), (held, "eval")], evals_result=results)
    (tmp_path / "console.txt").write_text(capfd.readouterr().out)
    (tmp_path / "evals_result.json").write_text(json.dumps(results))
    written, printed = read("evals_result.json"), read("console.txt")
    assert roles(written)["train/loss"] == "train/logloss"
    assert roles(written)["val/loss"] == "eval/logloss"
    assert roles(written)["val/metric"] == "eval/auc"
    for name in ("train", "eval"):
        same(written, f"{name}/logloss", results[name]["logloss"])
        same(printed, f"{name}-logloss", results[name]["logloss"], 5)
        same(printed, f"{name}-auc", results[name]["auc"], 5)
    assert printed.axis == "step"
    assert printed.tracks["eval-logloss"].step.tolist() == list(range(ROUNDS))


def test_lightgbm(data, tmp_path, monkeypatch, capfd):
    lightgbm = pytest.importorskip("lightgbm")
    monkeypatch.chdir(tmp_path)
    x, y = data
    train = lightgbm.Dataset(x[:300], y[:300])
    held = lightgbm.Dataset(x[300:], y[300:], reference=train)
    results: dict = {}
    settings = {"objective": "binary", "metric": ["binary_logloss", "auc"], "num_threads": 1, "verbose": -1}
    record = [lightgbm.record_evaluation(results), lightgbm.log_evaluation(1)]
    lightgbm.train(settings, train, ROUNDS, valid_sets=[train, held], callbacks=record)
    (tmp_path / "console.txt").write_text(capfd.readouterr().out)
    (tmp_path / "evals_result.json").write_text(json.dumps(results))
    written, printed = read("evals_result.json"), read("console.txt")
    assert roles(written)["train/loss"] == "training/binary_logloss"
    assert roles(written)["val/loss"] == "valid_1/binary_logloss"
    same(written, "valid_1/auc", results["valid_1"]["auc"])
    np.testing.assert_allclose(
        printed.tracks[roles(printed)["val/loss"]].value, results["valid_1"]["binary_logloss"], atol=1e-5
    )
    assert printed.tracks[roles(printed)["val/loss"]].step.tolist() == list(range(1, ROUNDS + 1))


def test_catboost(data, tmp_path, monkeypatch, capfd):
    catboost = pytest.importorskip("catboost")
    monkeypatch.chdir(tmp_path)
    x, y = data
    model = catboost.CatBoostClassifier(iterations=ROUNDS, thread_count=1, custom_metric=["AUC"])
    model.fit(x[:300], y[:300], eval_set=(x[300:], y[300:]))
    (tmp_path / "console.txt").write_text(capfd.readouterr().out)
    results = model.get_evals_result()
    written, printed = read("catboost_info"), read("console.txt")
    assert roles(written) == {
        "train/loss": "learn/Logloss", "val/loss": "test/Logloss", "val/metric": "test/AUC",
    }  # fmt: skip
    same(written, "learn/Logloss", results["learn"]["Logloss"])
    same(written, "test/Logloss", results["validation"]["Logloss"])
    assert written.tracks["test/AUC"].step.tolist() == list(range(ROUNDS))
    for role, side in (("train/loss", "learn"), ("val/loss", "validation")):
        np.testing.assert_allclose(printed.tracks[roles(printed)[role]].value, results[side]["Logloss"], atol=1e-6)
    for table, side in (("learn_error.tsv", "learn"), ("test_error.tsv", "validation")):
        one = read(f"catboost_info/{table}")
        np.testing.assert_allclose(next(iter(one.tracks.values())).value, results[side]["Logloss"], atol=1e-6)
