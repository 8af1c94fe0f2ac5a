"""The sweep that the lab trains peaks where its width is the number of its examples."""

import numpy as np
import polars as pl
import pytest

pytest.importorskip("torch")

from runopsy import lab
from runopsy.lab import random_features
from runopsy.store import read_run
from runopsy.study.sizes import sizes_of


def trained(folder, width, seed=0):
    lab.run("double-descent", folder, seed=seed, knobs={"width": width}, signals="scalars")
    run = read_run(folder)
    ends = {name: float(run.tracks[name].value[-1]) for name in ("train/loss", "val/loss")}
    return {"width": run.config["width"], "seed": seed, **ends}


def test_training_ends_at_the_least_squares_fit_of_the_features(tmp_path):
    known, held = random_features._lesson(0, 40)
    weights = np.linalg.lstsq(known.x.numpy(), known.y.numpy(), rcond=None)[0]
    expected = 0.5 * float(np.mean((held.x.numpy() @ weights - held.y.numpy()) ** 2))
    assert trained(tmp_path / "run", 40)["val/loss"] == pytest.approx(expected, rel=1e-4)


@pytest.mark.slow
def test_a_sweep_over_widths_peaks_at_its_interpolation_threshold(tmp_path):
    widths = (10, 20, 35, 50, 70, 85, 95, 100, 105, 115, 130, 160, 220, 350, 600, 1000, 2000)
    rows = [trained(tmp_path / f"{w}", w) for w in widths]
    found = sizes_of(pl.DataFrame(rows).rename({"val/loss": "val_loss", "train/loss": "train_loss"}))
    turns = found.main.turns
    assert turns.peak.at == found.main.threshold.at == random_features.EXAMPLES
    assert turns.first_minimum.at < 100 < turns.second_descent
