"""Logs that others left behind: what plays which role, and what is not ours to read yet."""

from __future__ import annotations

import pytest

from runopsy.errors import UnreadableLog
from runopsy.readers import read
from runopsy.signals import assign

BENCHMARK = {
    "conv-overfit-0": {"train/loss": "train/loss", "val/acc": "val/acc", "gns": "grad_noise_scale"},
    "diverge-0": {"train/loss": "loss", "train/acc": "accuracy", "val/loss": "val_loss", "val/acc": "val_accuracy"},
    "grok-mlp-0": {"train/loss": "train_loss", "val/loss": "test_loss", "val/acc": "test_acc", "lr": "lr"},
    "grok-quad-1": {"train/loss": "loss", "train/acc": "train_accuracy", "val/loss": "eval_loss"},
    "lm-overfit-0": {"train/loss": "train_loss_step", "val/loss": "val_loss", "lr": "lr-AdamW"},
}


def log(shared, pattern):
    found = sorted(shared.glob(pattern))
    if not found:
        pytest.skip(f"no {pattern} here")
    return found[0]


def roles(run):
    return {role.role: role.track for role in assign(run.tracks) if role.role}


@pytest.mark.parametrize("name", sorted(BENCHMARK))
def test_the_columns_of_a_labelled_run_play_their_roles(shared, name):
    found = roles(read(log(shared, f"benchmark/runs/{name}/metrics.csv")))
    assert {role: found.get(role) for role in BENCHMARK[name]} == BENCHMARK[name]


def test_every_labelled_run_has_a_loss_on_either_side_and_nothing_to_remark(shared):
    log(shared, "benchmark/runs/*/metrics.csv")
    for path in sorted(shared.glob("benchmark/runs/*/metrics.csv")):
        run = read(path)
        assert {"train/loss", "val/loss"} <= set(roles(run)), path
        assert run.axis == "step"
        assert run.notes == ()
        assert all(t.unread == 0 and t.session is None for t in run.tracks.values())


def test_json_lines_between_a_heading_and_a_summary(shared):
    run = read(log(shared, "logs/PeterPonyu*/**/adamw_sc1.0_wd0.0*.jsonl"))
    assert roles(run) == {"train/loss": "train_loss", "train/acc": "train_acc", "val/loss": "test_loss",
                          "val/acc": "test_acc", "weights/norm": "wn_total"}  # fmt: skip
    assert len(run.tracks) == 12
    assert len(run.tracks["test_acc"]) == 171
    assert any("2 rows have no step" in note for note in run.notes)


def test_json_lines_of_detectron_have_a_total_and_no_clock(shared):
    run = read(log(shared, "logs/Elbhnasy*/output/metrics.json"))
    assert roles(run) == {"train/loss": "total_loss", "lr": "lr"}
    assert run.tracks["total_loss"].time is None  # its column "time" says how long an iteration took
    assert run.tracks["total_loss"].step[[0, -1]].tolist() == [19, 3999]


def test_a_csv_of_the_openai_logger(shared):
    run = read(log(shared, "logs/posgnu*/log/progress.csv"))
    assert roles(run) == {"train/loss": "loss", "grad/norm": "grad_norm", "weights/norm": "param_norm"}


@pytest.mark.parametrize("size", ["190M", "370M", "760M", "1B", "3B"])
def test_an_export_with_eleven_evaluation_sets(shared, size):
    found = roles(read(log(shared, f"logs/allenai*/**/{size}-1xC.csv")))
    assert found["lr"] == "optim/learning_rate_group0"  # not learning_rate_peak, which never changes
    assert found["tokens"] == "throughput/total_tokens"
    assert found["val.c4-en/loss"] == "eval/c4_en-validation/CrossEntropyLoss"
    assert found["val/loss"].endswith("-validation/CrossEntropyLoss")
    assert sum(role.startswith("val") and role.endswith("/loss") for role in found) == 11
    assert not {"train/loss", "train/acc", "val/acc"} & set(found)


@pytest.mark.parametrize(
    "pattern",
    [
        "logs/Mormolykos*/examples/gallery/healthy/trainer_state.json",
        "logs/aigoncharov*/trainer_state.json",
        "logs/Mormolykos*/evidence/*/train.log",
        "logs/Mormolykos*/evidence/*/events.out.tfevents*",
        "logs/Mormolykos*/evidence/*/hparams.yaml",
        "logs/KellerJordan*/**/2024-10-10_Muon/*.txt",
        "logs/KellerJordan*/**/2024-06-06_AdamW/*.log",
        "logs/mlcommons*/MosaicML/**/result_0.txt",
        "logs/mlcommons*/Intel/**/result_1.txt",
    ],
)
def test_a_format_without_a_reader_is_refused_in_one_line(shared, pattern):
    with pytest.raises(UnreadableLog) as error:
        read(log(shared, pattern))
    assert "\n" not in error.value.message
    assert error.value.hint
