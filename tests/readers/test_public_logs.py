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
    assert roles(run) == {"train/loss": "loss", "grad/norm": "grad_norm", "weights/norm": "param_norm",
                          "samples": "samples"}  # fmt: skip


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
    ("pattern", "axis", "expected"),
    [
        ("Mormolykos*/examples/gallery/overfit/trainer_state.json", "step", {"train/loss": 60, "val/loss": 20}),
        ("Mormolykos*/examples/gallery/healthy/trainer_state.json", "step", {"train/loss": 60}),
        (
            "aigoncharov*/trainer_state.json",
            "step",
            {"train/loss": 30, "val/loss": 31, "val/acc": 31, "val.g3/loss": 31},
        ),
        ("Mormolykos*/evidence/*/events.out.tfevents*", "step", {"train/loss": 41, "val/loss": 82, "lr": 164}),
        ("KellerJordan*/**/2024-10-10_Muon/*.txt", "step", {"train/loss": 6200, "val/loss": 51}),
        ("KellerJordan*/**/2024-06-06_AdamW/*.log", "step", {"train/loss": 9536, "val/loss": 76}),
        ("mlcommons*/Intel/**/result_1.txt", "epoch", {"val/acc": 9}),
        ("mlcommons*/MosaicML/**/result_0.txt", "samples", {"val/acc": 27}),
    ],
)
def test_a_real_log_is_read_whole(shared, pattern, axis, expected):
    run = read(log(shared, f"logs/{pattern}"))
    found = {role: len(run.tracks[track]) for role, track in roles(run).items()}
    assert run.axis == axis
    assert {role: found.get(role) for role in expected} == expected


def test_the_last_values_are_those_that_the_authors_name(shared):
    muon = read(log(shared, "logs/KellerJordan*/**/2024-10-10_Muon/*.txt"))
    assert (muon.tracks["val_loss"].step[-1], muon.tracks["val_loss"].value[-1]) == (6200, 3.2785)
    resnet = read(log(shared, "logs/mlcommons*/Intel/**/result_1.txt"))
    assert resnet.tracks["eval_accuracy"].step[[0, -1]].tolist() == [3, 35]
    assert resnet.tracks["eval_accuracy"].value[[0, -1]].round(3).tolist() == [0.339, 0.763]


@pytest.mark.parametrize("pattern", ["Mormolykos*/evidence/*/train.log", "Mormolykos*/evidence/*/hparams.yaml"])
def test_what_holds_no_curve_is_refused_in_one_line(shared, pattern):
    with pytest.raises(UnreadableLog) as error:
        read(log(shared, f"logs/{pattern}"))
    assert "\n" not in error.value.message
    assert error.value.hint
