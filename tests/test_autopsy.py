"""The whole examination, on real runs whose truth is known."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import planted
import runopsy
from conftest import ROOT
from patience import HANGS
from runopsy.errors import CannotJudge
from runopsy.model import Run

SAMPLES = sorted(p.parent for p in (ROOT / "sample_logs").glob("*/truth.json"))
SCORED = {"grokking", "memorization_onset", "double_descent_peak", "divergence", "loss_spike", "lr_change"}


def test_there_are_at_least_six_sample_logs_and_they_are_small():
    assert len(SAMPLES) >= 6
    for sample in SAMPLES:
        assert sum(f.stat().st_size for f in sample.rglob("*") if f.is_file()) < 400_000


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda p: p.name)
def test_the_verdict_on_a_sample_log_is_its_truth(sample):
    truth = json.loads((sample / "truth.json").read_text())
    assert runopsy.analyze(sample).verdict.name in truth["verdict"]


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda p: p.name)
def test_the_events_of_a_sample_log_are_those_that_are_known(sample):
    truth = json.loads((sample / "truth.json").read_text())
    autopsy = runopsy.analyze(sample)
    found = [(e.kind, e.step) for e in autopsy.events if e.kind in SCORED]
    for event in truth["events"]:
        slack = max(0.15 * event["step"], 0.02 * autopsy.last)
        match = [f for f in found if f[0] == event["kind"] and event["lo"] - slack <= f[1] <= event["hi"] + slack]
        assert match or event["optional"], f"{event['kind']} at {event['step']} was not found"
        if match:
            found.remove(match[0])
    assert not found, "events that are not in the truth"


@pytest.mark.slow
def test_the_labelled_runs_are_judged_no_worse_than_when_this_was_written(shared, tmp_path):
    """Floors, just under the figures measured then: phase .967, recall .733, precision 1, verdict 1."""
    runs, script = shared / "benchmark" / "runs", shared / "benchmark" / "score.py"
    command = f"{shlex.quote(sys.executable)} -m runopsy analyze {{run}} --format json"
    subprocess.run(
        [sys.executable, script, runs, "--cmd", command, "--json", tmp_path / "out.json"],
        check=True,
        capture_output=True,
        timeout=HANGS,
    )
    figures = json.loads((tmp_path / "out.json").read_text())["figures"]
    assert figures["phase"] >= 0.95
    assert figures["recall"] >= 0.70
    assert figures["precision"] >= 0.97
    assert figures["verdict"] >= 0.99


def test_a_log_without_loss_or_accuracy_cannot_be_judged_and_says_how_to_help():
    run = planted.run(np.arange(50), {"temperature": np.arange(50), "lr": np.ones(50)})
    with pytest.raises(CannotJudge, match="temperature") as raised:
        runopsy.analyze(run)
    assert "--map train/loss=lr" in raised.value.hint


def test_a_refusal_names_the_losses_that_it_found():
    run = planted.run(np.arange(50), {"policy_loss": np.arange(50), "value_loss": np.ones(50)})
    with pytest.raises(CannotJudge, match="found policy_loss, value_loss") as raised:
        runopsy.analyze(run)
    assert "--map train/loss=policy_loss" in raised.value.hint
    assert "no column" not in raised.value.message


@pytest.mark.parametrize("columns", [{"reward": np.arange(50)}, {"d_loss": np.ones(50), "g_loss": np.arange(50)},
                                     {"eval_wer": np.arange(50)}])  # fmt: skip
def test_a_log_of_rewards_players_or_scores_alone_is_shown_and_not_judged(columns):
    found = runopsy.analyze(planted.run(np.arange(50), columns))
    assert found.verdict.name == "inconclusive"
    assert (found.first, found.last) == (0, 49)


def test_counting_by_another_axis_moves_positions_and_keeps_the_story():
    base = planted.overfitting()
    step = base.tracks["train/loss"].step
    run = Run(base.path, base.id, "step", {**base.tracks, **planted.run(step, {"epoch": step / 100}).tracks})
    by_step, by_epoch = runopsy.analyze(run), runopsy.analyze(run, x="epoch")
    assert by_epoch.axis == "epoch"
    assert by_epoch.last == pytest.approx(by_step.last / 100)
    assert [p.label for p in by_epoch.phases] == [p.label for p in by_step.phases]
    onset = [a.events[0].step for a in (by_step, by_epoch)]
    assert onset[1] == pytest.approx(onset[0] / 100)


def test_shifting_renaming_and_rescaling_change_no_label():
    base = planted.overfitting()
    step = base.tracks["train/loss"].step
    loss, val = base.tracks["train/loss"].value, base.tracks["val/loss"].value
    want = runopsy.analyze(base)
    for run in (
        planted.run(step + 50_000, {"train/loss": loss, "val/loss": val}),
        planted.run(step, {"loss": loss, "eval_loss": val}),
        planted.run(step, {"train/loss": 1000 * loss, "val/loss": 1000 * val}),
        planted.run(step, {"train/loss": loss, "val/loss": val, "constant": np.ones(len(step))}),
    ):
        got = runopsy.analyze(run)
        assert got.verdict.name == want.verdict.name
        assert [p.label for p in got.phases] == [p.label for p in want.phases]
        assert [e.step - got.first for e in got.events] == pytest.approx([e.step for e in want.events])


def test_a_path_is_read_before_it_is_examined(tmp_path):
    path = Path(tmp_path) / "log.csv"
    path.write_text("step,loss\n" + "".join(f"{i},{1 / (i + 1)}\n" for i in range(50)))
    assert runopsy.analyze(path).run.id == "log"
    assert runopsy.analyze(os.fspath(path)).run.id == "log"


def test_the_run_gives_its_rows_as_a_frame():
    frame = planted.healthy().to_polars()
    assert frame.columns == ["signal", "step", "value"]
    assert frame.height == 2 * 201


def test_of_equal_bests_the_one_beside_the_best_step_counts():
    epoch = np.arange(10.0)
    acc = np.array([0.96, 0.94, 0.94, 0.95, 0.95, 0.95, 0.95, 0.95, 0.95, 0.96])
    curves = {"loss": np.linspace(0.6, 0.35, 10), "val_loss": np.linspace(0.5, 0.2, 10), "val_acc": acc}
    assert runopsy.analyze(planted.run(epoch, curves)).stop.other is None
    earlier = {**curves, "val_acc": np.where(epoch == 0, 0.97, acc)}
    assert runopsy.analyze(planted.run(epoch, earlier)).stop.other[:2] == ("val/acc", 0.0)


def test_of_equal_accuracies_the_one_with_the_lowest_loss_is_the_best_step():
    epoch = np.arange(12.0)
    val = np.array([0.4, 0.41, 0.39, 0.38, 0.36, 0.35, 0.3, 0.28, 0.26, 0.25, 0.26, 0.27])
    acc = np.array([0.9, 0.92, 0.91, 0.9, 0.91, 0.91, 0.91, 0.91, 0.91, 0.92, 0.91, 0.91])
    curves = {"loss": np.linspace(0.6, 0.2, 12), "val_loss": val, "val_acc": acc}
    assert runopsy.analyze(planted.run(epoch, curves), metric="val_acc").stop.best_step == 9
