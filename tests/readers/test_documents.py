"""JSON documents, Hugging Face states and MLPerf lines."""

from __future__ import annotations

import json

import pytest

from runopsy.errors import UnreadableLog
from runopsy.readers import read, runs
from runopsy.signals import assign

CURVE = [round(2 / (i + 1), 3) for i in range(12)]


@pytest.fixture
def give(tmp_path):
    def write(document, name="history.json", **how):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(document if isinstance(document, str) else json.dumps(document, **how))
        return path

    return write


def values(run, name):
    return run.tracks[name].value.tolist()


@pytest.mark.parametrize("indent", [None, 2])
def test_a_history_of_lists_is_a_table(give, indent):
    run = read(give({"loss": CURVE, "val_loss": [c + 1 for c in CURVE]}, indent=indent))
    assert values(run, "loss") == CURVE
    assert {r.role for r in assign(run.tracks)} == {"train/loss", "val/loss"}


def test_lists_of_two_sides_alone_are_their_losses(give):
    stages = {name: {"train": CURVE, "val": [c + 1 for c in CURVE]} for name in ("pretrain", "finetune")}
    found = [run.read() for run in runs(give(stages))]
    assert [run.id for run in found] == ["pretrain", "finetune"]
    assert {r.role for r in assign(found[0].tracks)} == {"train/loss", "val/loss"}


def test_lists_of_two_sides_that_differ_in_length_are_no_curves(give):
    with pytest.raises(UnreadableLog):
        read(give({"train": [1, 5, 9, 12], "val": [3, 8]}))


@pytest.mark.parametrize(("first", "step"), [(0, 0), (1, 1)])
def test_rows_by_their_number_stand_where_it_says(first, step, give):
    run = read(give({str(i): {"loss": c, "val": {"loss": c + 1}} for i, c in enumerate(CURVE, first)}))
    assert values(run, "val/loss") == [c + 1 for c in CURVE]
    assert run.tracks["loss"].step[0] == step


def test_the_epoch_in_a_row_counts_more_than_the_number_of_the_row(give):
    run = read(give({str(i): {"loss": c, "epoch": 10 * i} for i, c in enumerate(CURVE, 1)}))
    assert run.axis == "epoch"
    assert run.tracks["loss"].step[0] == 10


def test_a_list_of_objects_is_a_table_wherever_it_lies(give):
    rows = [{"epoch": i, "train_loss": c, "test": {"acc": 0.5}} for i, c in enumerate(CURVE)]
    run = read(give({"config": {"lr": 0.1, "betas": [0.9, 0.99]}, "history": rows, "final_acc": 0.5}, indent=1))
    assert run.axis == "epoch"
    assert values(run, "train_loss") == CURVE
    assert "test/acc" in run.tracks


def test_a_shorter_list_is_spread_over_the_longer_ones_and_said(give):
    run = read(give({"loss": CURVE, "val_loss": [5, 4, 3, 2]}))
    assert run.tracks["val_loss"].step.tolist() == [2, 5, 8, 11]
    assert "val_loss" in run.notes[0]


def test_a_list_that_lacks_its_end_stays_where_it_is(give):
    run = read(give({"loss": CURVE, "val_loss": CURVE[:11]}))
    assert run.tracks["val_loss"].step.tolist() == list(range(11))


def test_an_empty_list_beside_the_others_is_no_column(give):
    assert set(read(give({"loss": CURVE, "epoch": list(range(12)), "val_loss": []})).tracks) == {"loss"}


def test_sides_within_an_object_are_one_run(give):
    run = read(give({"train": {"loss": CURVE}, "val": {"loss": CURVE}}))
    assert set(run.tracks) == {"train/loss", "val/loss"}


def test_bare_nan_is_read_as_loggers_write_it(give):
    assert len(read(give('{"loss": [1.0, NaN, Infinity, 2.0]}')).tracks["loss"]) == 4


def test_runs_in_a_document_are_told_apart(give):
    path = give(
        {"w=8": {"epoch": [1, 2, 3], "train_loss": [3, 2, 1]}, "w=16": {"epoch": [1, 2, 3], "train_loss": [2, 1, 0]}}
    )
    assert [run.name for run in runs(path)] == ["w=8", "w=16"]
    assert values(read(path, "w=16"), "train_loss") == [2, 1, 0]


def test_a_list_of_runs_is_named_by_their_settings(give):
    path = give([{"k": k, "n_params": 10 * k, "history": {"train_loss": CURVE}} for k in (2, 3)])
    assert [run.name for run in runs(path)] == ["1 k=2 n_params=20/history", "2 k=3 n_params=30/history"]


def test_rows_below_a_document_of_settings_are_the_log(give):
    settings = json.dumps({"run": {"lr": 0.1, "loss": "mse", "sizes": [[1, 2], [3]]}}, indent=4)
    rows = "".join(json.dumps({"epoch": i, "train_loss": str(c)}) + "\n" for i, c in enumerate(CURVE))
    run = read(give(f"{settings}\n{rows}", "log.txt"))
    assert values(run, "train_loss") == CURVE
    assert any("settings" in note for note in run.notes)


def test_a_document_that_is_cut_short_says_so(give):
    whole = json.dumps({"loss": CURVE}, indent=1)
    with pytest.raises(UnreadableLog, match="damaged JSON"):
        read(give(whole[:-20]))


def test_a_document_nested_beyond_the_stack_is_refused(give):
    with pytest.raises(UnreadableLog):
        read(give('{"loss":' + "[" * 100_000))


# --- Hugging Face --------------------------------------------------------------------------------


def state(last):
    rows = [{"step": s, "epoch": s / 10, "loss": 2 / s, "learning_rate": 1e-4} for s in range(1, last + 1)]
    rows.insert(5, {"step": 5, "epoch": 0.5, "eval_loss": 1.5, "eval_runtime": 1.0})
    return {"best_metric": None, "global_step": last, "log_history": rows, "max_steps": 20}


SUMMARY = {"step": 20, "epoch": 2.0, "train_runtime": 9.0, "train_loss": 0.4, "total_flos": 1.0}


def test_the_summary_of_a_trainer_is_no_point_of_its_curve(give):
    whole = state(20)
    whole["log_history"].append(SUMMARY)
    run = read(give(whole, "run-1/trainer_state.json", indent=2))
    assert (run.id, run.axis, run.config["max_steps"]) == ("run-1", "step", 20)
    assert "train_loss" not in run.tracks
    assert len(run.tracks["loss"]) == 20
    assert "summary" in run.notes[0]


def test_the_newest_checkpoint_holds_the_history(give, tmp_path):
    for last in (10, 20, 9):
        give(state(last), f"out/checkpoint-{last}/trainer_state.json")
    give({"model": "gpt"}, "out/checkpoint-20/config.json")
    run = read(tmp_path / "out")
    assert len(run.tracks["loss"]) == 20
    assert "checkpoint-20" in run.notes[0]
    assert "checkpoint-9, checkpoint-10" in run.notes[0]


def test_several_trainings_below_a_folder_are_told_apart(give, tmp_path):
    for name in ("a", "b"):
        give(state(10), f"{name}/checkpoint-10/trainer_state.json")
    assert [run.name for run in runs(tmp_path)] == ["a", "b"]


def test_a_state_with_nothing_logged_yet_says_so(give):
    with pytest.raises(UnreadableLog, match="empty history"):
        read(give({"log_history": [], "global_step": 0, "loss": 1}, "trainer_state.json"))


# --- MLPerf --------------------------------------------------------------------------------------


def mllog(key, value, **metadata):
    line = {"namespace": "", "time_ms": 1_600_000_000_000, "event_type": "POINT_IN_TIME", "key": key, "value": value,
            "metadata": {"file": "train.py", **metadata}}  # fmt: skip
    return f":::MLLOG {json.dumps(line)}\n"


def test_mlperf_lines_among_others_are_a_curve(give):
    text = "NCCL INFO comm 0x5 rank 0\n" + mllog("global_batch_size", 448)
    text += "".join(mllog("eval_accuracy", 0.1 * e, epoch_num=e) for e in range(1, 6)) + mllog("run_stop", None)
    run = read(give(text, "result_0.txt"))
    assert run.axis == "epoch"
    assert run.tracks["eval_accuracy"].step.tolist() == [1, 2, 3, 4, 5]
    assert run.config["global_batch_size"] == 448
    assert run.notes == ()


def test_epochs_beyond_any_number_of_epochs_are_samples(give):
    run = read(give("".join(mllog("eval_accuracy", 0.1, epoch_num=24_640 * e) for e in range(1, 6)), "result_0.txt"))
    assert run.axis == "samples"
    assert any("run_stop" in note for note in run.notes)


def test_lists_of_objects_beside_lists_of_numbers_are_further_columns(give):
    history = {"train_loss": CURVE, "val_loss": CURVE, "val_metrics": [{"mae": v, "r2": 1 - v} for v in CURVE]}
    run = read(give(history))
    assert values(run, "val_metrics/mae") == CURVE
    assert values(run, "val_loss") == CURVE
    assert len(runs(give({**history, "val_metrics": history["val_metrics"][:3]}))) == 2  # rows of another table


def test_lists_of_two_trainings_in_one_document_are_two_runs(tmp_path):
    def lists(prefix, rows, least):
        fall = [least + 1 / (i + 1) for i in range(rows)]
        return {f"{prefix}_loss": fall, f"{prefix}_val_loss": [v + 0.1 for v in fall]}

    (tmp_path / "two.json").write_text(json.dumps(lists("reg", 30, 0.2) | lists("cls", 19, 0.5)))
    found = list(runs(tmp_path / "two.json"))
    assert [one.name for one in found] == ["reg", "cls"]
    assert [len(one.read().tracks["val_loss"]) for one in found] == [30, 19]
    (tmp_path / "parts.json").write_text(json.dumps(lists("reg", 30, 0.2) | lists("cls", 30, 0.5)))
    assert len(list(runs(tmp_path / "parts.json"))) == 1
