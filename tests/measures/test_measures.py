"""The measures measure: a right answer scores, a wrong one does not, and a change that matters is seen."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "epochs"))
sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import bench_thresholds
import label
import logs
import perturb
import score
import verdict_diff
import worker

TESTS = Path(__file__).parents[1]
TRUTH = {
    "file": "a.csv",
    "family": "a",
    "verdict": ["overfit"],
    "axes": {"epoch": [-1.0, 1.0], "step": [0.0, 50.0]},
    "labels": [["feature_learning"], ["feature_learning"], None, *[["memorization"]] * 7],
    "events": [{"kind": "memorization_onset", "lo": 2, "hi": 4, "step": 3, "optional": False}],
    "neutral": ["loss_spike"],
    "end": 10,
}


def said(verdict: str = "overfit", onset: float = 2.0, x: str = "epoch", **more: object) -> dict:
    """An answer to TRUTH in its own axis: rows 0 to 9 are epochs 1 to 10."""
    per, offset = (1, -1) if x == "epoch" else (50, 0)
    phases = [("feature_learning", 1, 3), ("memorization", 3, 10)]
    return {
        "verdict": verdict,
        "why": "",
        "x": x,
        "first": offset + per,
        "last": offset + per * 10,
        "phases": [{"label": n, "start": offset + per * a, "end": offset + per * b} for n, a, b in phases],
        "events": [{"kind": "memorization_onset", "step": offset + per * (onset + 1), "says": ""}],
        **more,
    }


@pytest.mark.parametrize("x", ["epoch", "step"])
def test_a_right_answer_scores_in_whatever_it_counts(x: str) -> None:
    got = score.judge(TRUTH, said(x=x))
    assert (got.verdict, got.phase, got.found, got.true, got.reported, got.matched) == (True, 1.0, 1, 1, 1, 1)


def test_a_wrong_verdict_phase_or_place_does_not_score() -> None:
    late = score.judge(TRUTH, said("inconclusive", onset=8))
    assert (late.verdict, late.inconclusive, late.found, late.matched, late.reported) == (False, True, 0, 0, 1)
    flat = score.judge(TRUTH, said(phases=[{"label": "converged", "start": 0, "end": 9}]))
    assert flat.phase == 0.0
    refused = score.judge(TRUTH, {"error": "UnreadableLog"})
    assert (refused.verdict, refused.phase, refused.true) == (False, 0.0, 1)


def test_an_event_that_is_neutral_or_not_asked_costs_nothing_and_another_does() -> None:
    def reported(kind: str) -> int:
        more = [*said()["events"], {"kind": kind, "step": 5, "says": ""}]
        return score.judge(TRUTH, said(events=more)).reported

    assert reported("loss_spike") == reported("lr_change") == reported("stalled") == 1
    assert reported("divergence") == reported("level_shift") == 2


@pytest.mark.parametrize("folder", ["", "sealed"])
def test_every_truth_belongs_to_a_log_and_covers_its_rows(folder: str) -> None:
    here = TESTS / "epochs" / folder
    truths = json.loads((here / "truth.json").read_text())
    assert sorted(t["file"] for t in truths) == sorted(p.name for p in (here / "logs").iterdir())
    for truth in truths:
        assert len(truth["labels"]) == truth["end"]
        assert 8 <= truth["end"] <= 100
        assert truth["verdict"]
        assert all(e["lo"] <= e["step"] <= e["hi"] for e in truth["events"])


def test_every_second_family_is_sealed_and_no_measure_reads_it() -> None:
    seen, sealed = (
        {t["family"] for t in json.loads((TESTS / "epochs" / folder / "truth.json").read_text())}
        for folder in ("", "sealed")
    )
    every = sorted(seen | sealed)
    assert len(every) >= 12
    assert [f in sealed for f in every] == [k % 2 == 1 for k in range(len(every))]
    assert not any("sealed" in log.path.parts for log in logs.every())


def test_a_change_is_what_a_reader_would_call_one() -> None:
    log = logs.Log("epochs", "a.csv", Path("a.csv"), ("overfit",))
    before = said()
    assert verdict_diff.change(log, before, said(onset=2.1)) is None
    moved = verdict_diff.change(log, before, said(onset=6))
    assert moved
    assert moved.what == ("events",)
    assert (moved.gone[0]["step"], moved.new[0]["step"]) == (2.0, 6.0)
    assert verdict_diff.change(log, before, said("healthy")).what == ("verdict",)  # type: ignore[union-attr]
    assert verdict_diff.change(log, before, {"error": "NoLog"}).what == ("read",)  # type: ignore[union-attr]
    fewer = said(phases=[{"label": "feature_learning", "start": 0, "end": 9}])
    assert verdict_diff.change(log, before, fewer).what == ("phases",)  # type: ignore[union-attr]
    assert verdict_diff.plain("loss was 0.33 and ends at 1e-3") == verdict_diff.plain("loss was 2.5 and ends at 4.1")


def test_old_names_of_kinds_are_read_as_those_of_today() -> None:
    event = {"kind": "transition", "step": 1.0, "evidence": [{"says": "half"}]}
    run = {"x": "step", "first": 0, "last": 1}
    got = worker.short({"verdict": "healthy", "run": run, "phases": [], "events": [event]})
    assert got["events"] == [{"kind": "loss_drop", "step": 1.0, "says": "half"}]


TABLE = "step,train/loss,val/loss\n" + "".join(
    f"{10 * k},{9.5 if k == 7 else 2 - k / 20:.2f},1.00\n" for k in range(20)
)


def test_losses_are_multiplied_and_nothing_else() -> None:
    console = "Epoch 3: loss: 0.5388 - acc: 0.7156 - val_loss: nan - lr: 0.01"
    assert perturb.scaled("a.txt", console, {})[0] == console.replace("0.5388", "1.6164")  # type: ignore[index]
    assert perturb.scaled("a.csv", TABLE, {})[0].splitlines()[1] == "0,6.00,3.00"  # type: ignore[index]
    assert perturb.scaled("a.csv", "epoch,train_acc\n1,0.5\n", {}) is None


def test_every_second_row_keeps_the_highest_loss() -> None:
    new, _ = perturb.thinned("a.csv", TABLE, {})  # type: ignore[misc]
    assert len(new.splitlines()) == 11
    assert "70,9.50" in new
    assert perturb.thinned("a.csv", "\n".join(TABLE.splitlines()[:9]), {}) is None


def test_other_words_keep_every_value_under_another_name() -> None:
    new, _ = perturb.renamed("a.csv", TABLE, {})  # type: ignore[misc]
    assert new.splitlines()[:2] == ["val_loss,loss,global_step", "1.00,2.00,0"]


def test_the_answer_moves_with_the_axis() -> None:
    answer = {"events": [{"kind": "loss_spike", "lo": 60, "hi": 80}], "phase_at": [{"at": 100, "label": ["converged"]}]}
    new, asked = perturb.shifted("a.csv", TABLE, answer)  # type: ignore[misc]
    by = float(new.splitlines()[1].split(",")[0])
    assert by > 0
    assert asked["events"][0]["lo"] == 60 + by
    assert asked["phase_at"][0]["at"] == 100 + by
    console, _ = perturb.shifted("a.txt", "".join(f"Epoch {k}/20 loss: 0.5\n" for k in range(1, 21)), {})  # type: ignore[misc]
    assert console.startswith("Epoch 6/25 loss: 0.5")


def test_a_threshold_stays_in_its_domain_and_whole() -> None:
    assert bench_thresholds.moved({"value": 0.8, "low": 0.1, "high": 1}, 1.5) == 1
    assert bench_thresholds.moved({"value": 8}, 1.5) == 12
    assert bench_thresholds.moved({"value": 1}, 1 / 1.5) == 0


def curves(val_end: float, train_end: float = 0.05, val_acc_end: float = 0.9) -> label.Curves:
    """Twenty epochs: training falls to ``train_end``; validation to .4 by epoch 5, and from there to ``val_end``."""
    t = np.arange(0, 20.25, 0.25)
    down = np.exp(-t)
    val = np.where(t < 5, 0.4 + 1.9 * down, 0.4 + 1.9 * np.exp(-5) + (val_end - 0.4) * (t - 5) / 15)
    train_acc = 1 - 0.9 * down if train_end < 1 else np.full(len(t), 0.12)
    val_acc = 0.1 + (val_acc_end - 0.1) * (1 - down)
    still = dict.fromkeys(("train", "train_acc", "val", "val_acc"), 0.0)
    return label.Curves(t, train_end + (2.3 - train_end) * down, train_acc, val, val_acc, 10, False, 0.1, still)


@pytest.mark.parametrize(
    ("drawn", "wanted"),
    [
        (curves(0.4), ["healthy"]),
        (curves(0.9), ["overfit"]),
        (curves(2.3, train_end=2.29, val_acc_end=0.1), ["underfit"]),
        (curves(4.0, val_acc_end=0.1), ["memorized"]),
    ],
)
def test_the_truth_of_plain_curves_is_plain(drawn: label.Curves, wanted: list[str]) -> None:
    rows = {"train_loss": drawn.train[::4], "val_loss": drawn.val[::4]}
    if wanted == ["memorized"]:
        drawn = replace(drawn, val=2.3 + drawn.t / 10)
    assert label.verdicts(drawn, rows) == wanted


def test_a_training_is_the_same_twice_and_written_as_people_write_it(tmp_path: Path) -> None:
    from data import blobs
    from train import Recipe, train, write

    recipe = Recipe("x", "tiny", blobs(1), 3, n=40, n_val=20, style="keras")
    (tmp_path / "dense").mkdir()
    one, other = train(recipe), train(recipe)
    assert one.rows == other.rows
    lines = write(recipe, one, tmp_path).read_text().splitlines()
    assert lines[0] == "epoch,accuracy,loss,val_accuracy,val_loss"
    assert [line.split(",")[0] for line in lines[1:]] == ["0", "1", "2"]
    truth = label.truth(tmp_path / "dense" / "tiny-x.npz")
    assert truth["axes"]["epoch"] == [-1.0, 1.0]
    assert len(truth["labels"]) == 3
