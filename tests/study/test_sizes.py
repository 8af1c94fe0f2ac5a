"""Curves over sizes, against closed forms, planted sweeps and published ones."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import planted_sizes
from runopsy.errors import BadOption
from runopsy.study.sizes import sizes_of
from runopsy.study.tables import read_table

DATA = Path(__file__).parents[3] / "shared/data"
published = pytest.mark.skipif(not DATA.exists(), reason="the data of published sweeps are not there")


def random(seed=0):
    return np.random.default_rng(seed)


# --- published sweeps ------------------------------------------------------------------------------


@published
@pytest.mark.parametrize(("seed", "second"), [(0, 70), (1, 80)])
def test_the_width_sweep_has_its_minimum_peak_and_second_descent_where_they_are_known_to_be(seed, second):
    found = sizes_of(read_table(DATA / f"width-sweep/seed-{seed}.csv")).as_json()
    assert found["by"] == "Hidden Neurons"
    assert found["first_minimum"]["at"] == 4
    assert 12 <= found["peak"]["at"] <= 16
    assert found["second_descent"]["at"] == second
    assert found["threshold"]["at"] == 12  # training accuracy .984; .956 at 10


@published
def test_random_features_peak_where_features_are_as_many_as_examples_at_every_noise_level():
    found = sizes_of(read_table(DATA / "random-features/results.json"))
    losses = [curve for curve in found.curves if curve.kind == "loss"]
    assert [curve.turns.peak.at for curve in losses] == [1000, 1000, 1000]
    assert [curve.threshold.at for curve in losses] == [1000, 1000, 1000]
    errors = [curve for curve in found.curves if curve.kind == "error"]
    assert [curve.turns.peak.at for curve in errors] == [1000, 1000, 1000]


@published
def test_points_of_a_plane_of_parameters_and_data_are_no_sweep_over_one_size():
    assert sizes_of(read_table(DATA / "chinchilla/losses.csv")) is None


# --- a closed form ---------------------------------------------------------------------------------


def test_ridgeless_regression_peaks_at_as_many_features_as_examples():
    n, variance = 100, 0.25
    widths = [20, 40, 60, 80, 90, 95, 100, 105, 110, 120, 150, 200, 300, 400]
    draw = random()
    rows = [
        {
            "features": p,
            "seed": s,
            "train_error": max(0.0, 1 - p / n),
            "risk": planted_sizes.ridgeless(draw, n, p, variance),
        }
        for p in widths
        for s in range(12)
    ]
    table = pl.DataFrame(rows)
    for p in (20, 40, 60, 150, 200, 300, 400):
        mean = table.filter(pl.col("features") == p)["risk"].mean()
        assert mean == pytest.approx(planted_sizes.ridgeless_risk(p / n, variance), rel=0.05), p
    found = sizes_of(table)
    assert found.by == "features"
    assert found.main.turns.peak.at == n
    assert found.main.turns.first_minimum is None  # the risk rises from the first feature on
    assert found.main.threshold.at == n


# --- planted sweeps --------------------------------------------------------------------------------


def test_a_monotone_sweep_shows_no_peak():
    draw, false = random(1), 0
    cases = [(m, seeds, sd) for m in (6, 12, 25, 40) for seeds in (1, 2, 5) for sd in planted_sizes.NOISES]
    for m, seeds, sd in cases * 3:
        found = sizes_of(planted_sizes.monotone(draw, m, seeds, sd))
        false += found is not None and found.main.turns.peak is not None
    assert false <= 0.02 * 3 * len(cases)


def test_planted_double_descents_are_found_where_they_are():
    draw, hit, inside = random(2), 0, 0
    for _ in range(20):
        table, at = planted_sizes.double_descent(draw, 20, 2, 0.05)
        peak = sizes_of(table).main.turns.peak
        hit += peak is not None
        inside += peak is not None and peak.interval[0] <= at <= peak.interval[1]
    assert hit == 20
    assert inside >= 18


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([1e-6, 0.1, 1e4]))
def test_the_unit_of_the_loss_changes_nothing(seed, factor):
    table, _ = planted_sizes.double_descent(random(seed), 14, 2, 0.1)
    scaled = table.with_columns(pl.col("test_loss") * factor)
    a, b = sizes_of(table).main.turns, sizes_of(scaled).main.turns
    assert (a.peak and a.peak.at, a.second_descent) == (b.peak and b.peak.at, b.second_descent)


def test_the_order_of_the_rows_changes_nothing():
    table, _ = planted_sizes.double_descent(random(3), 20, 3, 0.05)
    assert sizes_of(table).as_json() == sizes_of(table.sample(fraction=1, shuffle=True, seed=1).sort("seed")).as_json()


def test_a_u_shape_has_a_minimum_and_no_peak():
    width = np.array([1.0, 2, 4, 8, 16, 32, 64, 128, 256, 512])
    course = 0.3 * np.abs(np.log2(width) - 4) - 1
    found = sizes_of(planted_sizes.table(width, np.stack([course + 0.01, course - 0.01, course])))
    assert found.main.turns.first_minimum.at == 16
    assert found.main.turns.peak is None
    assert "no second descent" in found.sentences[0]


def test_a_peak_that_one_training_makes_is_called_so_and_not_a_peak():
    width = np.geomspace(1, 1000, 30)
    course = -0.3 * np.log(width) + 0.02 * random(4).normal(size=30)
    course[15] += 2
    found = sizes_of(planted_sizes.table(width, course[None]))
    assert found.main.turns.peak is None
    assert found.main.turns.lone_peak == width[15]
    assert "more seeds" in found.sentences[0]


def test_loss_and_error_are_judged_apart():
    width = [1, 2, 4, 8, 12, 16, 24, 32, 64, 128, 256, 512]
    loss = [3.0, 2, 1.2, 2, 3.2, 3.0, 2.2, 1.8, 1.0, 0.8, 0.7, 0.6]
    accuracy = [40.0, 50, 58, 62, 65, 68, 72, 75, 80, 83, 85, 86]
    rows = [
        {"width": w, "seed": s, "test_loss": a * (1 + 0.01 * s), "test_acc": b + 0.3 * s}
        for w, a, b in zip(width, loss, accuracy, strict=True)
        for s in range(3)
    ]
    found = sizes_of(pl.DataFrame(rows))
    by_kind = {curve.kind: curve for curve in found.curves}
    assert by_kind["loss"].turns.peak.at == 12
    assert by_kind["error"].turns.peak is None
    assert by_kind["error"].points.value[0] == pytest.approx(0.597, abs=0.001)
    assert "1 − test_acc falls" in " ".join(found.sentences)


def test_more_data_can_be_worse_and_the_threshold_is_the_largest_set_that_is_fitted():
    n = [20, 30, 45, 60, 75, 90, 100, 110, 130, 160, 220, 300, 500]
    risk = [0.9, 0.8, 0.75, 0.9, 1.5, 4, 30, 4, 1.4, 0.7, 0.4, 0.3, 0.2]
    train = [0.0 if k <= 100 else 1 - 100 / k for k in n]
    found = sizes_of(pl.DataFrame({"n_train": n, "test risk": risk, "train risk": train}))
    assert found.kind == "examples"
    assert found.main.turns.peak.at == 100
    assert found.main.threshold.at == 100
    assert "double descent over data" in found.sentences[0]


# --- which column ----------------------------------------------------------------------------------


def test_no_size_no_curve():
    rows = [{"lr": 10**-k, "batch_size": b, "val_loss": k + b} for k in range(1, 6) for b in (32, 64, 128, 256, 512)]
    assert sizes_of(pl.DataFrame(rows)) is None


def test_of_columns_that_count_the_same_the_one_that_somebody_set_is_taken():
    table, _ = planted_sizes.double_descent(random(5), 12, 2, 0.05)
    wide = table.with_columns((785 * pl.col("width")).alias("params"), (pl.col("width") / 100).alias("p_over_n"))
    assert sizes_of(wide.select("params", "p_over_n", "width", "seed", "test_loss")).by == "width"
    assert sizes_of(wide.select("params", "seed", "test_loss")).by == "params"


def test_a_size_can_be_named_and_a_wrong_name_is_refused():
    table, at = planted_sizes.double_descent(random(6), 20, 3, 0.03)
    renamed = table.rename({"width": "knob"})
    assert sizes_of(renamed, size="knob").main.turns.peak.at == pytest.approx(at, rel=0.3)
    with pytest.raises(BadOption, match="no column 'widht'"):
        sizes_of(table, size="widht")
    with pytest.raises(BadOption, match="3 different sizes"):
        sizes_of(pl.DataFrame({"w": [1, 2, 3], "test_loss": [3.0, 2.0, 1.0]}), size="w")


def test_each_setting_has_its_own_curve():
    parts = []
    for level in (0.1, 0.3):
        table, _ = planted_sizes.double_descent(random(7), 15, 2, 0.03)
        parts.append(table.with_columns(pl.lit(level).alias("label_noise")))
    found = sizes_of(pl.concat(parts))
    assert [curve.label for curve in found.curves] == ["label_noise 0.1", "label_noise 0.3"]
    assert len(found.as_json()["groups"]) == 2


def test_the_regime_of_every_size_is_said():
    table, _ = planted_sizes.double_descent(random(8), 20, 3, 0.02)
    found = sizes_of(table)
    turns = found.main.turns
    assert "critical regime" in found.regime(turns.peak.at)
    assert "under-parametrised" in found.regime(turns.first_minimum.at)
    assert "outside" in found.regime(1e9)
    if turns.second_descent:
        assert "second descent" in found.regime(turns.second_descent)


def test_what_was_found_is_json():
    table, _ = planted_sizes.double_descent(random(9), 20, 3, 0.02)
    found = json.loads(json.dumps(sizes_of(table).as_json(), allow_nan=False))
    assert {"by", "first_minimum", "threshold", "peak", "second_descent", "sentences", "groups"} <= found.keys()
    assert found["threshold"] is None
