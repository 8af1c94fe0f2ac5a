"""What a name says about a column."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runopsy.signals.names import guess, is_learning_rate, is_percent, words


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("train_loss_step", ["train", "loss", "step"]),
        ("Train Loss", ["train", "loss"]),
        ("trainLoss", ["train", "loss"]),
        ("trainloss", ["train", "loss"]),
        ("val/topKAcc", ["val", "top", "k", "acc"]),
        ("CrossEntropyLoss", ["cross", "entropy", "loss"]),
        ("MSELoss", ["mse", "loss"]),
        ("TRAIN_LOSS", ["train", "loss"]),
        ("Acc@1", ["acc1"]),
        ("val_acc1", ["val", "acc1"]),
        ("validaccuracy", ["valid", "accuracy"]),
        ("lr-AdamW/pg1", ["lr", "adam", "w", "pg1"]),
        ("", []),
        ("—", []),
    ],
)
def test_a_name_falls_into_its_words(name, expected):
    assert words(name) == expected


@given(st.text(max_size=60))
def test_any_name_can_be_looked_at(name):
    guess(name)
    is_learning_rate(name)
    is_percent(name)


@pytest.mark.parametrize(
    ("name", "side", "quantity"),
    [
        ("loss", "", "loss"),
        ("Loss", "", "loss"),
        ("train/loss", "train", "loss"),
        ("Loss/train", "train", "loss"),
        ("train_loss_step", "train", "loss"),
        ("train_loss_epoch", "train", "loss"),
        ("TrainEpochStats/avg_loss", "train", "loss"),
        ("training.loss", "train", "loss"),
        ("eval_loss", "val", "loss"),
        ("validation/main/loss", "val", "loss"),
        ("val_nll", "val", "loss"),
        ("dev cross entropy", "val", "loss"),
        ("test_cross_entropy_loss", "test", "loss"),
        ("total_loss", "", "loss"),
        ("train/val_loss", "val", "loss"),
        ("eval/train_loss", "train", "loss"),
        ("acc", "", "acc"),
        ("val/acc", "val", "acc"),
        ("val_acc1", "val", "acc"),
        ("eval_top1", "val", "acc"),
        ("val/top_1_accuracy", "val", "acc"),
        ("Prec@1", "", "acc"),
        ("validation_accuracy", "val", "acc"),
        ("test_acc", "test", "acc"),
        ("val_acc (%)", "val", "acc"),
        ("val_error_rate", "val", "error"),
        ("Top-1 error", "", "error"),
        ("val_err_top1", "val", "error"),
    ],
)
def test_a_plain_name_is_understood(name, side, quantity):
    found = guess(name)
    assert found is not None
    assert (found.side, found.quantity) == (side, quantity)


@pytest.mark.parametrize(
    "name", ["eval_wikitext_loss", "loss_cls", "train/semantic_loss", "val_cifar10_acc", "val_mse"]
)
def test_a_name_with_a_special_word_is_doubtful(name):
    found = guess(name)
    assert found is not None
    assert found.doubt == 1


@pytest.mark.parametrize(
    "name",
    [
        "loss_scale", "train/loss_scale", "best_val_loss", "val_acc_best", "min_loss", "val_loss_std", "train_loss_var",
        "loss_weight", "grad_loss", "train_val_loss_gap", "acc_diff", "loss_ratio", "top5_acc", "val/top_5_accuracy",
        "val/topKAcc", "val_acc5", "Acc@5", "val_word_error_rate", "val_error", "train_err",
        "learning_rate", "lr", "grad_norm", "accumulation", "lossless", "entropy", "f1", "auc", "epoch", "step", "mAP",
        "gradient_accumulation_steps", "stop_loss_patience", "effective_rank",
    ],
)  # fmt: skip
def test_what_only_sounds_like_a_loss_or_an_accuracy_is_none(name):
    assert guess(name) is None


def test_an_entropy_bonus_is_no_cross_entropy():
    found = guess("entropy_loss")
    assert found is not None
    assert found.extra == ("entropy",)


def test_parts_of_a_loss_are_told_from_evaluation_sets():
    assert guess("val/box_loss").is_part
    assert guess("eval_kl_loss").is_part
    assert not guess("eval_wikitext_loss").is_part


@pytest.mark.parametrize(
    "name", ["lr-AdamW", "lr/pg0", "optim/learning_rate_group0", "opt/lr", "LearningRate", "lr_actor"]
)
def test_a_learning_rate_is_one_by_many_names(name):
    assert is_learning_rate(name)


@pytest.mark.parametrize(
    "name", ["learning_rate_peak", "max_lr", "lr_decay", "lr_scheduler_step", "base_lr", "rate", "learning"]
)
def test_a_constant_of_the_schedule_is_no_learning_rate(name):
    assert not is_learning_rate(name)


@pytest.mark.parametrize("name", ["probe/acc_heldout", "probe/acc_train", "canary/acc", "readout/train_bias"])
def test_what_the_recorder_measures_inside_is_no_curve_of_the_model(name):
    assert guess(name) is None
