"""Histories that training libraries keep: skorch's JSON and its printed table, the table of the notebook callback.

``make test-readers`` installs the libraries; where one is missing, its test is skipped.
"""

from __future__ import annotations

import json

import numpy as np
import pytest

from realruns import roles
from runopsy.readers import read

EPOCHS = 6


def test_skorch(tmp_path, capsys):
    skorch = pytest.importorskip("skorch")
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    torch.set_num_threads(1)
    dice = np.random.default_rng(0)
    x = dice.normal(size=(200, 5)).astype(np.float32)
    y = (x[:, 0] > 0).astype(np.int64)
    model = torch.nn.Sequential(torch.nn.Linear(5, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
    net = skorch.NeuralNetClassifier(
        model,
        criterion=torch.nn.CrossEntropyLoss,
        max_epochs=EPOCHS,
        lr=0.5,
        batch_size=50,
        train_split=skorch.dataset.ValidSplit(5),
    )
    net.fit(x, y)
    printed = capsys.readouterr().out
    net.history.to_file(str(tmp_path / "history.json"))
    (tmp_path / "console.txt").write_text(printed)
    written = read(tmp_path / "history.json")
    assert written.axis == "epoch"
    expected = {"train/loss": "train_loss", "val/loss": "valid_loss", "val/acc": "valid_acc"}
    assert {role: roles(written).get(role) for role in expected} == expected
    for name in ("train_loss", "valid_loss", "valid_acc"):
        assert written.tracks[name].step.tolist() == list(range(1, EPOCHS + 1))
        np.testing.assert_allclose(written.tracks[name].value, net.history[:, name])
    table = read(tmp_path / "console.txt")
    assert table.axis == "epoch"
    np.testing.assert_allclose(table.tracks["valid_loss"].value, net.history[:, "valid_loss"], atol=5e-5)


def test_the_notebook_callback_of_transformers(tmp_path):
    notebook = pytest.importorskip("transformers.utils.notebook")
    tracker = notebook.NotebookTrainingTracker(EPOCHS, ["Epoch", "Training Loss", "Validation Loss", "Accuracy"])
    rows = [
        {"Epoch": i, "Training Loss": 2 / i, "Validation Loss": 2.5 / i, "Accuracy": 1 - 1 / i} for i in range(1, 7)
    ]
    for row in rows:
        tracker.write_line(row)
    html = notebook.text_to_html_table(tracker.inner_table)
    cell = {
        "cell_type": "code",
        "source": [],
        "outputs": [{"output_type": "display_data", "data": {"text/html": html}}],
    }
    (tmp_path / "train.ipynb").write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4}))
    run = read(tmp_path / "train.ipynb")
    assert run.axis == "epoch"
    assert roles(run) == {"train/loss": "Training Loss", "val/loss": "Validation Loss", "val/acc": "Accuracy"}
    np.testing.assert_allclose(run.tracks["Training Loss"].value, [row["Training Loss"] for row in rows], atol=1e-6)
    np.testing.assert_allclose(run.tracks["Validation Loss"].value, [row["Validation Loss"] for row in rows], atol=1e-6)
