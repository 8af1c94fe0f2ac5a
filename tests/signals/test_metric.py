"""The score that a checkpoint is chosen by, rewards, and the players of a game."""

from __future__ import annotations

import numpy as np
import pytest

from runopsy.errors import BadOption
from runopsy.model import Run, Track
from runopsy.signals import assign, measure
from runopsy.signals.names import better, score_in
from runopsy.signals.scores import is_reward, players

STEP = np.arange(20.0)
RISING = np.linspace(0.1, 0.9, 20)
DETECTOR = ("train/loss", "val/loss", "metrics/precision(B)", "metrics/recall(B)", "metrics/mAP50(B)",
            "metrics/mAP50-95(B)")  # fmt: skip


def tracks(*names: str) -> dict[str, Track]:
    return {name: Track(name, STEP, RISING) for name in names}


def role(found: dict[str, Track], name: str, metric: str | None = None):
    return next(r for r in assign(found, None, metric) if r.track == name)


def test_of_scores_the_stricter_and_more_usual_one_is_of_validation():
    assert role(tracks(*DETECTOR), "metrics/mAP50-95(B)").role == "val/metric"
    assert role(tracks("train_loss", "val_loss", "val_recall", "val_dice"), "val_dice").role == "val/metric"
    assert role(tracks("loss", "eval_loss", "eval_wer", "eval_cer"), "eval_wer").better == "lower"


def test_precision_alone_is_no_score_to_choose_by():
    assert role(tracks("loss", "val_loss", "val_precision"), "val_precision").role == ""


def test_a_score_without_a_side_is_of_training_where_nothing_is_of_validation():
    assert role(tracks("loss", "f1"), "f1").role == "train/metric"
    assert role(tracks("loss", "f1", "val_loss", "val_f1"), "f1").role == "train/metric"
    assert role(tracks("train_loss", "valid_loss", "f1_score"), "f1_score").role == "val/metric"


@pytest.mark.parametrize("said", ["metrics/mAP50(B)", "METRICS/MAP50(B)", "mAP50(B)"])
def test_a_metric_is_asked_for_by_its_name_or_words_of_it(said):
    found = role(tracks(*DETECTOR), "metrics/mAP50(B)", said)
    assert (found.role, found.chosen, found.better) == ("val/metric", True, "higher")
    assert role(tracks(*DETECTOR), "metrics/mAP50-95(B)", said).role == ""


def test_a_loss_that_is_asked_for_keeps_its_role():
    found = role(tracks(*DETECTOR), "val/loss", "val/loss")
    assert (found.role, found.chosen, found.better) == ("val/loss", True, "lower")


def test_a_metric_without_a_direction_must_say_it():
    with pytest.raises(BadOption, match="whether higher values are better"):
        assign(tracks("loss", "val_loss", "val_zeta"), None, "val_zeta")
    found = role(tracks("loss", "val_loss", "val_zeta"), "val_zeta", "val_zeta:lower")
    assert (found.role, found.better) == ("val/metric", "lower")


@pytest.mark.parametrize(("said", "words"), [("mAP75", "is no column"), ("loss", "fits 2 columns")])
def test_a_metric_that_is_none_or_several_is_refused(said, words):
    with pytest.raises(BadOption, match=words):
        assign(tracks(*DETECTOR), None, said)


@pytest.mark.parametrize("best", ["best_val_f1", "val_f1_best", "Best F1"])
def test_what_the_log_calls_the_best_is_what_is_chosen_by(best):
    found = {**tracks("train_loss", "val_loss", "val_f1", "val_auc"), best: Track(best, STEP, RISING)}
    assert role(found, "val_f1").chosen
    assert role(found, "val_f1").role == "val/metric"
    assert not role(tracks("train_loss", "val_loss", "val_f1"), "val_f1").chosen


def test_the_best_is_of_validation_where_training_has_the_same():
    found = {
        **tracks("train_loss", "val_loss", "train_acc", "val_acc"),
        "best_accuracy": Track("best_accuracy", STEP, RISING),
    }
    assert [r.track for r in assign(found) if r.chosen] == ["val_acc"]
    alone = {**tracks("train_loss", "train_acc"), "best_acc": Track("best_acc", STEP, RISING)}
    assert not any(r.chosen for r in assign(alone))


def test_the_signal_carries_the_direction():
    found = tracks("train_loss", "val_loss", "val_error_rate", "eval_wer")
    signals = measure(Run("log", "log", "epoch", found), assign(found)).signals
    assert {name: s.better for name, s in signals.items()} == {
        "train/loss": "lower", "val/loss": "lower", "val/acc": "higher", "val/metric": "lower",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "says"),
    [("rollout/ep_rew_mean", True), ("Mean Reward", True), ("AverageEpRet", True), ("charts/episodic_return", True),
     ("eprewmean", True), ("Environment/Cumulative Reward", True), ("reward_std", False), ("rewards/chosen", False),
     ("reward_loss", False), ("eval_reward_accuracy", False), ("loss", False), ("StdEpRet", False),
     ("log_return", False), ("return", True), ("AverageTestEpRet", True), ("daily_returns_spx", False)],
)  # fmt: skip
def test_a_reward_is_one_by_many_names(name, says):
    assert is_reward(name) is says


@pytest.mark.parametrize(
    ("names", "found"),
    [
        ("D_A G_A cycle_A idt_A D_B G_B", "D_A D_B G_A G_B"),
        ("errD errG D(x)", "errD errG"),
        ("d_loss g_loss", "d_loss g_loss"),
        ("loss_gen loss_dis", "loss_dis loss_gen"),
        ("d_loss", ""),
        ("loss val_loss", ""),
        ("lr_d lr_g", ""),
    ],
)
def test_players_are_told_where_both_sides_have_a_loss(names, found):
    assert players(names.split()) == found.split()


def test_beside_players_no_loss_is_one_to_fit():
    found = {r.track: r.role for r in assign(tracks("d_loss", "g_loss", "train_loss"))}
    assert found == {"d_loss": "player/d_loss", "g_loss": "player/g_loss", "train_loss": ""}


@pytest.mark.parametrize(
    ("name", "score", "direction"),
    [("metrics/mAP_0.5:0.95", "map", "higher"), ("bbox/AP50", "ap", "higher"), ("mIoU", "miou", "higher"),
     ("eval_rougeL", "rouge", "higher"), ("val_loss", "", "lower"), ("recall", "recall", "higher"),
     ("NDCG@10", "ndcg", "higher"), ("best_f1", "", ""), ("epoch", "", "")],
)  # fmt: skip
def test_a_score_and_its_direction_are_told_by_the_name(name, score, direction):
    assert (score_in(name), better(name)) == (score, direction)


def test_an_accuracy_that_stays_at_0_while_the_loss_falls_is_of_a_regression():
    flat = np.where(STEP > 3, 0.0056, 0.0)
    found = {
        "loss": Track("loss", STEP, np.geomspace(1, 0.01, 20)),
        "acc": Track("acc", STEP, flat),
        "val_acc": Track("val_acc", STEP, np.zeros(20)),
    }
    assert role(found, "acc").role == role(found, "val_acc").role == ""
    assert "regression" in role(found, "val_acc").why
    found["loss"] = Track(
        "loss", STEP, np.linspace(4.6, 4.5, 20)
    )  # at chance of many classes: an accuracy all the same
    assert role(found, "val_acc").role == "val/acc"


def test_scores_that_take_a_pass_of_their_own_are_of_validation():
    assert role(tracks("loss", "HR@10", "NDCG@10"), "NDCG@10").role == "val/metric"
    assert role(tracks("training_loss", "bleu_1", "bleu_4"), "bleu_4").role == "val/metric"
    assert role(tracks("loss", "cer"), "cer").role == "train/metric"  # greedy decoding of a batch costs nothing


def test_a_best_value_is_that_of_validation_where_training_has_the_same():
    names = ("loss", "val/loss", "ppl", "val/ppl", "best_loss", "best_ppl")
    found = {r.track: r for r in assign(tracks(*names), None, None)}
    assert found["val/loss"].chosen or found["val/ppl"].chosen
    assert not found["ppl"].chosen
