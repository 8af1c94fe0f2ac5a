"""Monitor files, CatBoost, old YOLO tables, boosting results in JSON, histories by column and row, pickles."""

from __future__ import annotations

import json
import pickle
import zipfile

import numpy as np
import pytest

from runopsy.errors import UnreadableLog
from runopsy.readers import read, runs
from runopsy.signals import assign, with_sums

CURVE = [round(2 / (i + 1), 4) for i in range(12)]


@pytest.fixture
def give(tmp_path):
    def write(content, name):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content))
        return path

    return write


def roles(run) -> dict[str, str]:
    return {role.role: role.track for role in assign(with_sums(run).tracks, None, None, run.config) if role.role}


def values(run, name) -> list[float]:
    return run.tracks[name].value.tolist()


def test_a_monitor_file_counts_the_steps_of_its_episodes(give):
    rows = "".join(f"{-20.0 + i},{100 + i},{i * 1.5}\n" for i in range(10))
    run = read(give('#{"t_start": 17.5, "env_id": "Walker-v3"}\nr,l,t\n' + rows, "0.monitor.csv"))
    assert (run.axis, run.config["env_id"]) == ("step", "Walker-v3")
    assert roles(run) == {"reward": "r", "reward/length": "l"}
    assert run.tracks["r"].step.tolist() == np.cumsum(100 + np.arange(10)).tolist()
    assert read(give("r,l,t\n" + rows, "monitor.csv")).tracks["r"].value[-1] == -11


@pytest.mark.parametrize("text", ["r,l,t\n", '#{"t_start": 1.5, "env_id": "A"}\nr,l,t\n'])
def test_a_monitor_file_without_an_episode_says_so(give, text):
    with pytest.raises(UnreadableLog, match="no episodes"):
        read(give(text, "monitor.csv"))


def test_the_header_of_a_download_without_rows_says_so(give):
    with pytest.raises(UnreadableLog, match="no rows"):
        read(give("Wall time,Step,Value\n" * 3, "run-a-tag-loss.csv"))


def test_a_table_that_only_begins_like_a_monitor_file_is_a_table(give):
    assert read(give("r,loss\n1,2\n2,1\n", "x.csv")).tracks["loss"].value.tolist() == [2, 1]


def test_catboost_is_read_from_its_json_and_from_its_tables(give, tmp_path):
    metrics = [{"best_value": "Min", "name": "Logloss"}, {"best_value": "Max", "name": "AUC"}]
    meta = {"learn_metrics": metrics, "test_metrics": metrics}
    rows = [{"learn": [y, 0.5], "iteration": i, "passed_time": 0.1 * i, "test": [y + 1, 0.6, y + 2, 0.7]}
            for i, y in enumerate(CURVE)]  # fmt: skip
    run = read(give({"meta": meta, "iterations": rows}, "catboost_training.json"))
    assert (run.axis, values(run, "learn/Logloss")) == ("step", CURVE)
    assert values(run, "test/AUC") == [0.6] * 12
    assert values(run, "test_1/Logloss") == [y + 2 for y in CURVE]
    assert roles(run)["val/loss"] == "test/Logloss"
    folder = tmp_path / "catboost_info"
    give("iter\tRMSE\n" + "".join(f"{i}\t{y}\n" for i, y in enumerate(CURVE)), "catboost_info/learn_error.tsv")
    give("iter\tRMSE\n" + "".join(f"{i}\t{y + 1}\n" for i, y in enumerate(CURVE)), "catboost_info/test_error.tsv")
    assert roles(read(folder)) == {"train/loss": "learn/RMSE", "val/loss": "test/RMSE"}
    assert values(read(folder / "test_error.tsv"), "test/RMSE") == [y + 1 for y in CURVE]


def test_catboost_without_an_iteration_says_so(give):
    with pytest.raises(UnreadableLog, match="no iteration"):
        read(give({"meta": {"learn_metrics": []}, "iterations": []}, "catboost_training.json"))


@pytest.mark.parametrize("width", [14, 15])
def test_the_old_table_of_yolo_has_no_header_and_is_read(give, width):
    total = ["0.5"] if width == 15 else []
    rows = "".join(
        " ".join(
            [f"{i}/11", "3.5G", f"{y}", "0.1", "0.2", *total, "17", "640", "0.5", "0.6", "0.7", "0.8", "1", "2", "3"]
        )
        + "\n"
        for i, y in enumerate(CURVE)
    )
    run = read(give(rows, "results.txt"))
    assert (run.axis, values(run, "train/box_loss")) == ("epoch", CURVE)
    assert roles(run)["val/metric"] == "metrics/mAP_0.5:0.95"
    assert with_sums(run).tracks[roles(run)["val/loss"]].value.tolist() == [6.0] * 12


@pytest.mark.parametrize(
    ("sets", "expected"),
    [
        (("training", "valid_1"), {"train/loss": "training/l2", "val/loss": "valid_1/l2"}),
        (("train", "eval"), {"train/loss": "train/l2", "val/loss": "eval/l2"}),
    ],
)
def test_results_of_boosting_in_json_are_one_run_of_both_sets(give, sets, expected):
    run = read(give({name: {"l2": CURVE, "auc": [0.5] * 12} for name in sets}, "evals_result.json"))
    assert {role: track for role, track in roles(run).items() if role.endswith("loss")} == expected


def test_a_history_by_column_and_row_is_a_table(give):
    by_column = {name: {str(i): y for i, y in enumerate(CURVE)} for name in ("loss", "val_loss")}
    assert values(read(give(by_column, "history.json")), "val_loss") == CURVE
    by_row = {str(i): {"loss": y, "val_loss": y} for i, y in enumerate(CURVE)}
    assert values(read(give(by_row, "rows.json")), "loss") == CURVE
    by_step = {"loss": {str(100 * i): y for i, y in enumerate(CURVE, 1)}, "val_loss": {"600": 0.5, "1200": 0.4}}
    run = read(give(by_step, "steps.json"))
    assert run.axis == "step"
    assert run.tracks["val_loss"].step.tolist() == [600, 1200]


def test_rows_with_batches_inside_are_one_run_and_runs_with_a_history_inside_are_several(give):
    rows = [{"batches": [{"train_loss": y}, {"train_loss": y}], "epoch": i, "train_loss": y, "valid_loss_best": True}
            for i, y in enumerate(CURVE, 1)]  # fmt: skip
    assert values(read(give(rows, "history.json")), "train_loss") == CURVE
    trials = [{"name": name, "epochs": 12, "history": {"loss": CURVE}} for name in ("a", "b")]
    assert len(runs(give(trials, "trials.json"))) == 2


def test_the_best_value_of_a_state_names_what_was_chosen_by(give):
    rows = [{"epoch": i, "step": i, "eval_loss": y, "eval_f1": 1 - y / 3} for i, y in enumerate(CURVE, 1)]
    state = {"best_metric": rows[-1]["eval_f1"], "log_history": rows}
    run = read(give(state, "trainer_state.json"))
    chosen = [role.track for role in assign(run.tracks, None, None, run.config) if role.chosen]
    assert chosen == ["eval_f1"]


def test_a_text_of_its_own_in_every_row_names_no_run(give):
    rows = [{"current_steps": i % 6, "total_steps": 6, "loss": y, "elapsed_time": f"0:00:{i:02}"} for i, y in
            enumerate(CURVE)]  # fmt: skip
    found = runs(give("".join(json.dumps(row) + "\n" for row in rows), "trainer_log.jsonl"))
    assert all("elapsed" not in candidate.name for candidate in found)


@pytest.mark.parametrize("protocol", [0, 1, 2, 4, 5])
def test_a_pickle_is_refused_with_the_way_to_json(give, protocol):
    with pytest.raises(UnreadableLog, match="is a pickle") as raised:
        read(give(pickle.dumps({"loss": CURVE}, protocol=protocol), "history.pkl"))
    assert "json.dump(pickle.load(" in raised.value.hint


def test_a_checkpoint_is_refused_as_one(tmp_path):
    with zipfile.ZipFile(tmp_path / "model.pt", "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02}q\x00.")
    with pytest.raises(UnreadableLog, match="checkpoint"):
        read(tmp_path / "model.pt")


def test_rows_under_keys_that_count_epochs_are_rows(give):
    keyed = {f"epoch_{i}": {"train_loss": y, "val": {"loss": y}} for i, y in enumerate(CURVE, 1)}
    run = read(give(dict(reversed(keyed.items())), "history.json"))
    assert (run.axis, values(run, "train_loss")) == ("epoch", CURVE)
    assert values(run, "val/loss") == CURVE


def test_rows_whose_metrics_lie_in_objects_are_found(give):
    rows = [{"epoch": i, "train": {"loss": y}, "val": {"loss": y, "f1": 0.5}} for i, y in enumerate(CURVE)]
    assert values(read(give({"epochs": rows}, "history.json")), "val/loss") == CURVE


def test_pairs_of_a_step_and_a_value_are_a_curve(give):
    pairs = {"train_loss": [[10 * i, y] for i, y in enumerate(CURVE)], "val_loss": [[0, 3.0], [60, 1.0], [110, 0.5]]}
    run = read(give(pairs, "metrics.json"))
    assert run.axis == "step"
    assert run.tracks["train_loss"].step.tolist() == [10.0 * i for i in range(12)]
    assert run.tracks["val_loss"].step.tolist() == [0, 60, 110]


@pytest.mark.parametrize("name", ["run-a-tag-train_loss.csv", "train_loss.csv"])
def test_the_curve_of_a_tensorboard_download_is_called_after_its_file(give, name):
    rows = "".join(f"{1.7e9 + i},{i},{y}\n" for i, y in enumerate(CURVE))
    run = read(give("Wall time,Step,Value\n" + rows, name))
    assert (run.axis, values(run, "train_loss")) == ("step", CURVE)
    assert run.tracks["train_loss"].time[-1] == 1.7e9 + 11
