"""Tables as well-known tools write them: which columns play which role, and on which axis."""

from __future__ import annotations

import numpy as np
import pytest

from runopsy.readers import read, runs
from runopsy.signals import assign, measure

LOSS = [round(3 / (i + 1) + 0.1, 5) for i in range(24)]


def roles(run):
    return {role.role: role.track for role in assign(run.tracks) if role.role}


@pytest.fixture
def give(tmp_path):
    def write(text, name="metrics.csv"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    return write


def lightning(steps, start=0):
    """One family of metrics per row, the rest empty; those of an epoch at its last step."""
    rows = ["epoch,lr-AdamW,step,train_loss_epoch,train_loss_step,val_acc,val_loss"]
    for step in range(start, start + steps):
        epoch = step // 8
        rows += [f",0.001,{step},,,,", f"{epoch},,{step},,{LOSS[step % 24]},,"]
        if step % 8 == 7:
            rows += [f"{epoch},,{step},,,{epoch / 10},{LOSS[step % 24] + 1}", f"{epoch},,{step},{LOSS[step % 24]},,,"]
    return "\n".join(rows) + "\n"


def test_a_sparse_table_of_lightning(give):
    run = read(give(lightning(24)))
    assert run.axis == "step"
    assert roles(run) | {"train/loss": "train_loss_step", "val/loss": "val_loss", "val/acc": "val_acc",
                         "lr": "lr-AdamW"} == roles(run)  # fmt: skip
    assert run.tracks["val_loss"].step.tolist() == [7, 15, 23]
    assert run.tracks["train_loss_step"].session is None


def test_versions_of_lightning_are_runs_until_they_are_joined(give, tmp_path):
    give(lightning(16), "lightning_logs/version_0/metrics.csv")
    give(lightning(16, start=8), "lightning_logs/version_1/metrics.csv")
    assert [run.name for run in runs(tmp_path)] == ["lightning_logs/version_0", "lightning_logs/version_1"]
    joined = read(tmp_path, "1+2")
    assert measure(joined, assign(joined.tracks)).resumes == (8,)


def test_a_keras_csv_that_was_appended_to_is_a_resume(give):
    head = "epoch,accuracy,loss,val_accuracy,val_loss\n"
    rows = [f"{e},{e / 30},{LOSS[e]},{e / 40},{LOSS[e] + 0.1}\n" for e in (*range(12), *range(8, 20))]
    run = read(give(head + "".join(rows), "training.log"))
    assert run.axis == "epoch"
    assert set(roles(run)) == {"train/loss", "train/acc", "val/loss", "val/acc"}
    assert measure(run, assign(run.tracks)).resumes == (8,)


def test_a_yolo_table_with_padded_names(give):
    names = [
        "epoch",
        "train/box_loss",
        "train/cls_loss",
        "train/dfl_loss",
        "metrics/mAP50(B)",
        "val/box_loss",
        "lr/pg0",
    ]
    head = ",".join(f"{name:>23}" for name in names)
    rows = [f"{e:>23},{y},{y},{y},{e / 30},{y + 1},{0.01}" for e, y in enumerate(LOSS)]
    run = read(give("\n".join([head, *rows]) + "\n", "results.csv"))
    assert run.axis == "epoch"
    assert run.tracks["metrics/mAP50(B)"].value[3] == 0.1
    assert roles(run)["lr"] == "lr/pg0"
    assert "train/loss" not in roles(run)  # three parts, and none is called the whole


def test_a_table_of_stable_baselines_counts_timesteps(give):
    head = "rollout/ep_rew_mean,time/total_timesteps,train/loss,train/value_loss,time/fps\n"
    rows = "".join(f"{i},{2048 * (i + 1)},{y if i else ''},{y if i else ''},900\n" for i, y in enumerate(LOSS))
    run = read(give(head + rows, "progress.csv"))
    assert run.axis == "step"
    assert run.tracks["rollout/ep_rew_mean"].step[-1] == 2048 * 24
    found = {role.track: role for role in assign(run.tracks)}
    assert found["train/loss"].role == ""  # beside a reward, no loss is one to fit
    assert (found["rollout/ep_rew_mean"].role, found["rollout/ep_rew_mean"].better) == ("reward", "higher")


def test_a_summary_of_timm(give):
    head = "epoch,train_loss,eval_loss,eval_top1,eval_top5,lr\n"
    rows = "".join(f"{e},{y},{y + 0.2},{4.0 * e},{4.1 * e},0.1\n" for e, y in enumerate(LOSS))
    run = read(give(head + rows, "output/train/summary.csv"))
    found = {role.role: role for role in assign(run.tracks) if role.role}
    assert found["val/acc"].track == "eval_top1"
    assert found["val/acc"].scale == 0.01


def test_json_lines_of_mmengine(give):
    lines = "".join(
        f'{{"lr": 0.1, "loss": {y}, "loss_cls": {y / 2}, "iter": {50 * i}, "epoch": {i // 8}}}\n'
        for i, y in enumerate(LOSS)
    )
    run = read(give(lines, "vis_data/scalars.json"))
    assert roles(run)["train/loss"] == "loss"
    np.testing.assert_array_equal(run.tracks["loss"].step, 50 * np.arange(24))


def test_a_typed_table_keeps_the_sides_apart(give):
    rows = "".join(
        f"{i},train,{y},{i * 100}\n" + (f"{i},val,{y + 1},\n" if i % 6 == 5 else "") for i, y in enumerate(LOSS)
    )
    run = read(give("step,type,loss,cumulative_time_ms\n" + rows))
    assert roles(run) == {"train/loss": "train/loss", "val/loss": "val/loss"}
    assert run.tracks["val/loss"].step.tolist() == [5, 11, 17, 23]
