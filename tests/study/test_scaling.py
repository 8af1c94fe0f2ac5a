"""Scaling laws: the published one again, planted ones, and data that cannot tell."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

import planted_sizes
from runopsy.errors import BadOption
from runopsy.study.scaling import scaling_of
from runopsy.study.scaling_fits import BROKEN, FLOOR, JOINT, POWER, _objective, fit
from runopsy.study.tables import read_table

DATA = Path(__file__).parents[3] / "shared/data"
# Besiroglu et al., arXiv 2404.10102: estimate and standard error.
REPLICATION = {"E": (1.8172, 0.03), "A": (482.01, 124.58), "alpha": (0.3478, 0.02), "B": (2085.43, 1293.23),
               "beta": (0.3658, 0.02)}  # fmt: skip


@pytest.mark.skipif(not DATA.exists(), reason="the published points are not there")
@pytest.mark.parametrize("runs", [pytest.param(240, marks=pytest.mark.slow), 245])
def test_the_published_points_give_the_replications_law(runs):
    found = scaling_of(read_table(DATA / "chinchilla/losses.csv").sort("loss").head(runs)).as_json()
    for name, (value, error) in REPLICATION.items():
        assert abs(found[name] - value) <= error, name
    assert found["optimal"]["exponent"]["at"] == pytest.approx(0.51, abs=0.02)
    assert found["held_out"]["error"] < 0.02
    assert found["left_out"] < 10


@pytest.mark.parametrize("form", [JOINT, POWER, FLOOR, BROKEN], ids=lambda form: form.name)
def test_the_gradient_is_that_of_the_loss(form):
    random = np.random.default_rng(0)
    x = random.normal(size=(2 if form is JOINT else 1, 30))
    y = random.normal(size=30)
    theta = random.normal(size=len(form.parameters))
    _, slope = _objective(theta, form, x, y, 0.5)
    for k in range(len(theta)):
        step = np.zeros(len(theta))
        step[k] = 1e-6
        up, down = (_objective(theta + sign * step, form, x, y, 0.5)[0] for sign in (1, -1))
        assert slope[k] == pytest.approx((up - down) / 2e-6, rel=1e-4, abs=1e-5)


def test_a_law_without_noise_comes_back_exactly():
    found = scaling_of(planted_sizes.joint(np.random.default_rng(0), 40, 0.0))
    assert {name: one.at for name, one in found.law.items()} == pytest.approx(planted_sizes.LAW, rel=1e-3)


def test_the_optimum_is_where_no_other_split_of_the_budget_is_better():
    found = scaling_of(planted_sizes.joint(np.random.default_rng(1), 60, 0.005), budget=1e22)
    law = {name: one.at for name, one in found.law.items()}
    n = np.geomspace(1e8, 1e12, 20_001)
    loss = law["E"] + law["A"] / n ** law["alpha"] + law["B"] / (1e22 / 6 / n) ** law["beta"]
    assert found.optimal["parameters"].at == pytest.approx(n[np.argmin(loss)], rel=0.01)
    assert found.optimal["loss"].at == pytest.approx(loss.min(), rel=1e-6)
    assert found.optimal["parameters"].at * found.optimal["data"].at * 6 == pytest.approx(1e22)


def test_runs_that_were_cut_short_are_left_out_and_counted():
    table = planted_sizes.joint(np.random.default_rng(2), 60, 0.005)
    spoiled = table.with_columns(
        pl.when(pl.int_range(pl.len()) < 4).then(pl.col("loss") * 1.5).otherwise(pl.col("loss")).alias("loss")
    )
    found = scaling_of(spoiled)
    assert found.left_out == 4
    assert found.law["E"].at == pytest.approx(1.8, abs=0.1)
    assert "4 runs were left out" in " ".join(found.sentences)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "form"), [("power", POWER), ("floor", FLOOR), ("broken", BROKEN)])
def test_the_form_in_one_quantity_is_the_planted_one(kind, form):
    random, hits = np.random.default_rng(3), 0
    for _ in range(3):
        table, at = planted_sizes.alone(random, kind, 20, 0.005)
        found = scaling_of(table)
        hits += found.form == form.name
        if kind == "broken" and found.form == form.name:
            assert found.law["break"].at == pytest.approx(at, rel=0.5)
    assert hits == 3


def test_data_that_cannot_tell_say_why():
    n = np.geomspace(1e6, 5e6, 8)
    for table, why in (
        (pl.DataFrame({"params": n, "loss": 3 * n**-0.1}), "factor of 5"),
        (pl.DataFrame({"params": [1e6] * 9, "loss": np.linspace(3, 2, 9)}), "one size only"),
        (pl.DataFrame({"params": n * [1, 1, 1, 1, 9, 9, 9, 9], "loss": [3.0, 2, 1, 2, 3, 2, 1, 0.5]}), "does not fall"),
    ):
        found = scaling_of(table)
        assert found.form is None
        assert found.as_json()["form"] is None
        assert why in found.sentences[-1]


def test_parameters_and_data_that_rise_together_are_not_told_apart():
    n = np.geomspace(1e6, 1e9, 12)
    found = scaling_of(
        pl.DataFrame({"params": n, "tokens": 20 * n, "loss": 1.8 + 400 / n**0.34 + 2000 / (20 * n) ** 0.36})
    )
    assert found.form != JOINT.name
    assert "rise together" in found.sentences[0]


def test_every_way_to_write_a_size_gives_the_same_law():
    table = planted_sizes.joint(np.random.default_rng(4), 30, 0.0)
    n, d, loss = (table[name] for name in ("params", "tokens", "loss"))
    for other in (
        pl.DataFrame({"N": n, "D": d, "L": loss}),
        pl.DataFrame({"params (M)": n / 1e6, "tokens (B)": d / 1e9, "val_loss": loss}),
        pl.DataFrame({"log10_params": n.log10(), "log10_tokens": d.log10(), "loss": loss}),
        pl.DataFrame({"n_params": n, "flops": 6 * n * d, "train_loss": loss}),
    ):
        found = scaling_of(other)
        assert found.law["alpha"].at == pytest.approx(0.34, rel=1e-3)
        assert found.law["A"].at == pytest.approx(400, rel=1e-2)


@pytest.mark.slow
def test_families_are_fitted_apart():
    random = np.random.default_rng(5)
    parts = [
        planted_sizes.joint(random, 30, 0.002, {**planted_sizes.LAW, "E": e}).with_columns(pl.lit(name).alias("corpus"))
        for name, e in (("a", 1.5), ("b", 2.5))
    ]
    found = scaling_of(pl.concat(parts))
    assert [label for label, _ in found.groups] == ["a", "b"]
    assert found.groups[1][1].law["E"].at == pytest.approx(2.5, abs=0.1)
    assert found.sentences[0].startswith("a: ")


def test_of_every_training_the_last_epoch_counts():
    table = planted_sizes.joint(np.random.default_rng(8), 20, 0.0)
    rows = [table.with_columns(pl.lit(e).alias("epoch"), pl.col("loss") + 5 / e - 0.05) for e in (1, 10, 100)]
    found = scaling_of(pl.concat(rows))
    assert found.runs == 20
    assert found.law["alpha"].at == pytest.approx(0.34, rel=1e-3)


def test_a_table_without_sizes_or_loss_has_no_law_and_a_wrong_name_is_refused():
    assert scaling_of(pl.DataFrame({"lr": [1e-3, 1e-2, 1e-1], "loss": [1.0, 2.0, 3.0]})) is None
    assert scaling_of(pl.DataFrame({"params": [1.0, 2.0, 3.0]})) is None
    with pytest.raises(BadOption, match="no column 'size'"):
        scaling_of(pl.DataFrame({"params": [1.0], "loss": [1.0]}), parameters="size")


def test_what_was_found_is_json_and_always_the_same():
    table = planted_sizes.joint(np.random.default_rng(6), 16, 0.01)
    first, again = (json.dumps(scaling_of(table).as_json(), allow_nan=False) for _ in range(2))
    assert first == again
    assert {"form", "E", "A", "alpha", "B", "beta", "intervals", "optimal"} <= json.loads(first).keys()


def test_a_fit_from_a_start_is_the_fit():
    table = planted_sizes.joint(np.random.default_rng(7), 40, 0.01)
    sizes, loss = table.select("params", "tokens").to_numpy().T, table["loss"].to_numpy()
    found = fit(JOINT, sizes, loss)
    again = fit(JOINT, sizes, loss, found)
    assert again.cost <= found.cost * (1 + 1e-6)
