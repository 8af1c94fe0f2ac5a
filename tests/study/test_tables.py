"""Tables of sizes, in every form in which people keep them, are the same table; logs of one training are none."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runopsy.study import tables
from runopsy.study.sizes import sizes_of
from runopsy.study.tables import COUNT, POWER, _cell, _raw, read_table

WIDTHS = [1, 2, 4, 6, 8, 10, 12, 16, 24, 32, 48, 64, 96, 128]
LOSS = [3.6, 2.7, 2.0, 2.4, 4.1, 6.6, 7.4, 4.6, 2.4, 1.5, 1.1, 0.9, 0.7, 0.6]
TRAIN = [max(0.0, 1 - w / 12) for w in WIDTHS]
SEEDS = (0.99, 1.0, 1.02)


def lines(header, rows):
    return "\n".join([header, *(",".join(map(str, row)) for row in rows)]) + "\n"


def records(**names):
    return [
        {names.get("width", "width"): w, "seed": s, names.get("loss", "test_loss"): loss * factor}
        for s, factor in enumerate(SEEDS)
        for w, loss in zip(WIDTHS, LOSS, strict=True)
    ]


rows = list(zip(WIDTHS, LOSS, TRAIN, strict=True))
FORMS = {
    "plain.csv": lines("Hidden Neurons,Test MSE Loss,Training Error", rows),
    "semicolons.csv": lines("Hidden Neurons,Test MSE Loss,Training Error", rows).replace(",", ";"),
    "tabs.tsv": lines("width,test_loss,train_error", rows).replace(",", "\t"),
    "wide.csv": lines("width,test_loss_seed0,test_loss_seed1", [(w, x, 1.02 * x) for w, x, _ in rows]),
    "numbered.csv": lines("width,test_loss_0,test_loss_1", [(w, x, 1.02 * x) for w, x, _ in rows]),
    "spread.csv": lines("width,test_loss_mean,test_loss_std", [(w, x, 0.02 * x) for w, x, _ in rows]),
    "quoted.csv": lines("Model Size,Test Loss", [(f"{w}M", x) for w, x, _ in rows]),
    "epochs.csv": lines(
        "width,epoch,test_loss", [(w, e, x + 3 / e) for w, x, _ in rows for e in (1, 10, 100_000)]
    ),
    "table.md": "| width | test loss |\n|---|---|\n" + "".join(f"| {w} | {x} |\n" for w, x, _ in rows),
    "records.json": json.dumps(records()),
    "records.jsonl": "\n".join(json.dumps(row) for row in records()),
    "nested.json": json.dumps({
        "note": "a sweep",
        "results": [{"config": {"width": r["width"], "seed": r["seed"]}, "metrics": {"test_loss": r["test_loss"]}}
                    for r in records()],
    }),
    "courses.jsonl": "\n".join(json.dumps(r | {"test_loss": [9.0, 5.0, r["test_loss"]]}) for r in records()),
    "columns.json": json.dumps({"widths": WIDTHS, "test_loss": LOSS, "train_error": TRAIN}),
    "seeds.json": json.dumps({"widths": WIDTHS, "test_loss": [[f * x for x in LOSS] for f in SEEDS]}),
    "keyed.json": json.dumps({str(w): {"test_loss": x} for w, x, _ in rows}),
    "named.json": json.dumps({f"width_{w}": {"test": {"loss": x}, "train": {"error": t}} for w, x, t in rows}),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_every_form_of_the_same_sweep_gives_the_same_curve(tmp_path, name):
    (tmp_path / name).write_text(FORMS[name])
    found = sizes_of(read_table(tmp_path / name))
    unit = 1e6 if name == "quoted.csv" else 1
    turns = found.main.turns
    assert (turns.first_minimum.at, turns.peak.at, turns.second_descent) == (4 * unit, 12 * unit, 32 * unit)
    np.testing.assert_allclose(found.main.points.value, LOSS, rtol=0.03)


def test_parquet_is_read(tmp_path):
    pl.DataFrame(records()).write_parquet(tmp_path / "sweep.parquet")
    assert sizes_of(read_table(tmp_path / "sweep.parquet")).main.turns.peak.at == 12


def test_percent_are_shares(tmp_path):
    errors = [50, 45, 40, 44, 52, 60, 62, 55, 38, 30, 25, 20, 18, 15]
    (tmp_path / "a.csv").write_text(
        lines("width,test error", [(w, f"{e}%") for w, e in zip(WIDTHS, errors, strict=True)])
    )
    (tmp_path / "b.csv").write_text(
        lines("width,test_acc", [(w, 100 - e) for w, e in zip(WIDTHS, errors, strict=True)])
    )
    for name in ("a.csv", "b.csv"):
        np.testing.assert_allclose(sizes_of(read_table(tmp_path / name)).main.points.value, np.array(errors) / 100)


def test_a_column_per_level_of_a_setting_is_a_curve_per_level(tmp_path):
    (tmp_path / "a.csv").write_text(lines("p,test_mse_sigma0.1,test_mse_sigma0.5", [(w, x, 2 * x) for w, x, _ in rows]))
    found = sizes_of(read_table(tmp_path / "a.csv"))
    assert [curve.label for curve in found.curves] == ["sigma 0.1", "sigma 0.5"]


def test_a_folder_of_one_table_per_seed_is_one_sweep(tmp_path):
    for s, factor in enumerate(SEEDS):
        (tmp_path / f"seed-{s}.csv").write_text(lines("width,test_loss", [(w, factor * x) for w, x, _ in rows]))
    table = read_table(tmp_path)
    assert table.height == 3 * len(WIDTHS)
    assert sizes_of(table).main.points.trainings == 3


NONE = {
    "log.csv": lines("step,tokens,loss", [(i, 1000 * i, 3 + 5 / (i + 1)) for i in range(100)]),
    "epochs.csv": lines("epoch,train_loss,val_loss,lr", [(i, 3 + 5 / (i + 1), 3, 0.1) for i in range(100)]),
    "tokens.csv": lines("tokens,loss", [(1000 * (i + 1), 3 + 5 / (i + 1)) for i in range(100)]),
    "rates.csv": lines("lr,batch_size,val_loss", [(10**-a, b, a + b) for a in (1, 2, 3) for b in (32, 64, 128)]),
    "config.json": json.dumps({"width": 64, "layers": [1, 2, 3], "lr": 0.1}),
    "short.csv": lines("width,test_loss", rows[:3]),
    "prose.txt": "Nothing here is a table.\nNot even this.\n",
    "broken.json": '{"width": [1, 2',
    "empty.csv": "",
}


@pytest.mark.parametrize("name", NONE)
def test_what_is_no_table_of_sizes_is_none(tmp_path: Path, name):
    (tmp_path / name).write_text(NONE[name])
    assert read_table(tmp_path / name) is None


def test_what_is_not_there_is_none(tmp_path):
    assert read_table(tmp_path / "gone.csv") is None
    assert read_table(tmp_path) is None


def test_numbers_alone_are_read_as_cell_by_cell(tmp_path, monkeypatch):
    drawn = np.random.default_rng(0).normal(size=(40, 3)) * 10.0 ** np.arange(-9, 9, 6)
    path = tmp_path / "plain.csv"
    path.write_text(
        lines("width,train/loss,val loss", [[i, *map(repr, row)] for i, row in enumerate(drawn[:, 1:].tolist())])
    )
    fast = _raw(path)
    monkeypatch.setattr(tables, "numbers_alone", lambda *args, **kwargs: None)
    assert fast.equals(_raw(path))
    assert fast.schema == _raw(path).schema


@given(
    st.text("10^*-.,kMbtTparmsx ~", max_size=9) | st.sampled_from(["70M", "~1,5 b params", "10^6", "10**-2", "10 ^ 3"])
)
def test_a_cell_is_what_either_form_says(cell):
    units = {"k": 1e3, "m": 1e6, "b": 1e9, "g": 1e9, "t": 1e12}
    written = cell.strip()
    if count := COUNT.fullmatch(written):
        written = repr(float(count[1].replace(",", ".")) * units[count[2].lower()])
    elif power := POWER.fullmatch(written):
        written = repr(10.0 ** float(power[1]))
    assert _cell(cell) == written
