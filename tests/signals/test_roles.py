"""Which column plays which role, for the headers people write; and none where it cannot be told."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runopsy.errors import BadOption
from runopsy.model import Run, Track
from runopsy.signals import ROLES, assign, in_unit, measure, refusal, with_sums


def track(name: str, values=None, rows: int = 50) -> Track:
    value = np.linspace(0.1, 0.9, rows) if values is None else np.array(values, dtype=float)
    return Track(name, np.arange(len(value), dtype=float), value)


def tracks(*names: str, rows: int = 50, **given) -> dict[str, Track]:
    return {name: track(name, given.get(name), rows) for name in [*names, *(n for n in given if n not in names)]}


def roles(found: dict[str, Track], mapping=None) -> dict[str, str]:
    return {role.role: role.track for role in assign(found, mapping) if role.role}


def why(found: dict[str, Track], name: str) -> str:
    return next(role.why for role in assign(found) if role.track == name)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("loss val_loss", "train/loss=loss val/loss=val_loss"),
        ("accuracy loss val_accuracy val_loss",
         "train/acc=accuracy train/loss=loss val/acc=val_accuracy val/loss=val_loss"),
        ("loss eval_loss eval_accuracy learning_rate grad_norm",
         "train/loss=loss val/loss=eval_loss val/acc=eval_accuracy lr=learning_rate grad/norm=grad_norm"),
        ("train_loss_step train_loss_epoch val_loss lr-AdamW/pg1",
         "train/loss=train_loss_step val/loss=val_loss lr=lr-AdamW/pg1"),
        ("train_lr train_loss test_loss test_acc1 test_acc5",
         "lr=train_lr train/loss=train_loss val/loss=test_loss val/acc=test_acc1"),
        ("train_loss eval_loss eval_top1 eval_top5 lr",
         "train/loss=train_loss val/loss=eval_loss val/acc=eval_top1 lr=lr"),
        ("Train/Loss Val/Loss", "train/loss=Train/Loss val/loss=Val/Loss"),
        ("trainLoss validLoss validAcc", "train/loss=trainLoss val/loss=validLoss val/acc=validAcc"),
        ("train/loss train/val_loss", "train/loss=train/loss val/loss=train/val_loss"),
        ("main/loss validation/main/loss main/accuracy validation/main/accuracy",
         "train/loss=main/loss val/loss=validation/main/loss train/acc=main/accuracy val/acc=validation/main/accuracy"),
        ("total_loss loss_cls loss_box_reg lr", "train/loss=total_loss lr=lr"),
        ("loss mse train_loss_q0 train_loss_q1 param_norm", "train/loss=loss weights/norm=param_norm"),
        ("train/loss train/semantic_loss val/loss val/top_5_accuracy", "train/loss=train/loss val/loss=val/loss"),
        ("train/loss train/policy_gradient_loss train/value_loss train/entropy_loss", "train/loss=train/loss"),
        ("value_loss policy_loss entropy_loss", ""),
        ("loss train_loss_ema", "train/loss=loss"),
        ("train_loss train_loss_smooth", "train/loss=train_loss"),
        ("loss_scale loss", "train/loss=loss"),
        ("val_loss best_val_loss", "val/loss=val_loss"),
        ("best_val_loss", ""),
        ("train/mse val/mse", "train/loss=train/mse val/loss=val/mse"),
        ("val_loss/dataloader_idx_0 val_loss/dataloader_idx_1",
         "val/loss=val_loss/dataloader_idx_0 val.1/loss=val_loss/dataloader_idx_1"),
        ("epoch throughput/total_tokens train/global_step",
         "epoch=epoch tokens=throughput/total_tokens step=train/global_step"),
        ("lr learning_rate", "lr=lr"),
        ("learning_rate_peak optim/learning_rate_group0", "lr=optim/learning_rate_group0"),
        ("learning_rate_peak", ""),
        ("effective_rank weight_norm grad_noise_scale",
         "features/effective_rank=effective_rank weights/norm=weight_norm gns=grad_noise_scale"),
        ("reward episode_length", "reward=reward reward/length=episode_length"),
        ("train-logloss eval-logloss", "train/loss=train-logloss val/loss=eval-logloss"),
        ("train-mlogloss train-merror test-mlogloss test-merror",
         "train/loss=train-mlogloss train/acc=train-merror val/loss=test-mlogloss val/acc=test-merror"),
        ("training/l2 valid_1/l2", "train/loss=training/l2 val/loss=valid_1/l2"),
        ("training/binary_logloss valid_0/binary_logloss valid_0/auc",
         "train/loss=training/binary_logloss val/loss=valid_0/binary_logloss val/metric=valid_0/auc"),
        ("learn_Logloss test_Logloss", "train/loss=learn_Logloss val/loss=test_Logloss"),
        ("loss nll_loss valid_loss valid_nll_loss", "train/loss=loss val/loss=valid_loss"),
        ("sparse_categorical_accuracy val_binary_accuracy loss val_loss",
         "train/acc=sparse_categorical_accuracy val/acc=val_binary_accuracy train/loss=loss val/loss=val_loss"),
        ("x/lr0 x/lr1", "lr=x/lr0"),
        ("lr/pg0 lr/pg1", "lr=lr/pg0"),
        ("loss eval_loss eval_wer", "train/loss=loss val/loss=eval_loss val/metric=eval_wer"),
        ("loss auc val_loss val_auc",
         "train/loss=loss val/loss=val_loss train/metric=auc val/metric=val_auc"),
        ("rollout/ep_len_mean rollout/ep_rew_mean train/loss train/value_loss eval/mean_reward",
         "reward=rollout/ep_rew_mean reward/length=rollout/ep_len_mean"),
        ("eval_loss loss rewards/chosen rewards/rejected rewards/margins", "train/loss=loss val/loss=eval_loss"),
        ("AverageEpRet StdEpRet MaxEpRet EpLen LossPi LossV", "reward=AverageEpRet reward/length=EpLen"),
    ],
)  # fmt: skip
def test_a_header_of_the_wild_is_understood(header, expected):
    assert roles(tracks(*header.split(" "))) == dict(pair.split("=") for pair in expected.split())


def test_names_with_blanks_are_understood():
    assert roles(tracks("Train Loss", "Train Accuracy", "Test Loss", "Test Accuracy")) == {
        "train/loss": "Train Loss", "train/acc": "Train Accuracy", "val/loss": "Test Loss", "val/acc": "Test Accuracy",
    }  # fmt: skip


def test_our_own_names_play_themselves():
    played = [role for role in ROLES if not role.startswith("reward")]  # beside one, no loss plays a role
    found = roles(tracks(*played, "hessian/top", "val.ood/loss"))
    assert {role: found[role] for role in played} == dict(zip(played, played, strict=True))
    assert roles(tracks("reward", "reward/length", "train/loss")) == {
        "reward": "reward",
        "reward/length": "reward/length",
    }


# --- several evaluation sets, and the test set ---------------------------------------------------


def test_several_evaluation_sets_get_names_of_their_own():
    found = tracks("loss", "eval_c4_loss", "eval_wiki_loss", "eval_code_loss")
    assert roles(found) == {
        "train/loss": "loss", "val/loss": "eval_c4_loss", "val.wiki/loss": "eval_wiki_loss",
        "val.code/loss": "eval_code_loss",
    }  # fmt: skip
    assert "2 others fit as well" in why(found, "eval_c4_loss")


def test_a_plain_evaluation_set_comes_before_a_special_one():
    found = roles(tracks("eval_c4_loss", "eval_loss"))
    assert (found["val/loss"], found["val.c4/loss"]) == ("eval_loss", "eval_c4_loss")


def test_the_test_set_stands_in_for_validation_only_where_there_is_none():
    assert roles(tracks("train_loss", "test_loss"))["val/loss"] == "test_loss"
    assert "no other evaluation set" in why(tracks("train_loss", "test_loss"), "test_loss")
    both = roles(tracks("train_loss", "val_loss", "test_loss"))
    assert (both["val/loss"], both["val.test/loss"]) == ("val_loss", "test_loss")
    assert "val/loss" not in roles(tracks("train_loss", "val_acc", "test_loss"))
    assert roles(tracks("train_loss", "eval_wiki_loss", "test_loss"))["val/loss"] == "eval_wiki_loss"


def test_no_two_columns_share_a_role():
    found = assign(
        tracks("eval/c4_en/loss", "eval/c4-en/ce", "eval/c4_en_loss", "val_loss", "valid_loss", "lr", "lr/a")
    )
    played = [role.role for role in found if role.role]
    assert len(played) == len(set(played))


def test_of_numbered_sets_the_one_that_is_fitted_is_training():
    falling, turning = (
        np.linspace(0.6, 0.1, 20),
        np.concatenate([np.linspace(0.6, 0.4, 10), np.linspace(0.41, 0.6, 10)]),
    )
    found = {
        name: Track(name, np.arange(20.0), value)
        for name, value in {
            "validation_0/logloss": falling, "validation_0/auc": 1 - falling,
            "validation_1/logloss": turning, "validation_1/auc": 1 - turning,
        }.items()
    }  # fmt: skip
    assert roles(found) == {
        "train/loss": "validation_0/logloss", "train/metric": "validation_0/auc",
        "val/loss": "validation_1/logloss", "val/metric": "validation_1/auc",
    }  # fmt: skip
    swapped = {**found, "validation_0/logloss": Track("validation_0/logloss", np.arange(20.0), turning + 1)}
    assert roles(swapped)["val/loss"] == "validation_0/logloss"


# --- where the names leave it open ---------------------------------------------------------------


def test_one_special_loss_alone_is_the_loss():
    assert roles(tracks("train/lm_loss", "val/lm_loss")) == {"train/loss": "train/lm_loss", "val/loss": "val/lm_loss"}


def test_an_accuracy_that_does_not_say_whose_it_is_in_a_table_with_both_losses_is_of_validation():
    found = tracks("train_loss", "valid_loss", "accuracy", "error_rate")
    assert roles(found) == {"train/loss": "train_loss", "val/loss": "valid_loss", "val/acc": "accuracy"}
    assert "of validation" in why(found, "accuracy")
    assert roles(found, {"train/acc": "accuracy"})["train/acc"] == "accuracy"
    assert roles(tracks("train_loss", "valid_loss", "error_rate"))["val/acc"] == "error_rate"
    assert roles(tracks("train_loss", "valid_loss", "accuracy", "perplexity"))["val/acc"] == "accuracy"
    in_percent = tracks("train_loss", "valid_loss", accuracy=[10.0, 50.0, 90.0])
    in_percent = {name: Track(name, np.arange(3.0), one.value[:3]) for name, one in in_percent.items()}
    np.testing.assert_allclose(accuracy(in_percent, "accuracy"), [0.1, 0.5, 0.9])


def test_an_accuracy_logged_more_rarely_than_its_loss_is_of_validation():
    rare = Track("accuracy", np.arange(0.0, 50, 10), np.linspace(0.1, 0.9, 5))
    assert roles({**tracks("loss"), "accuracy": rare}) == {"train/loss": "loss", "val/acc": "accuracy"}
    assert roles({**tracks("loss", "train_acc"), "accuracy": rare})["val/acc"] == "accuracy"
    assert roles({**tracks("loss", "val_acc"), "accuracy": rare})["val/acc"] == "val_acc"


def test_an_accuracy_in_the_rows_of_a_loss_without_a_side_is_of_training_as_keras_has_it():
    assert roles(tracks("loss", "accuracy", "val_loss"))["train/acc"] == "accuracy"


def test_an_accuracy_alone_or_beside_a_loss_is_of_training():
    assert roles(tracks("acc")) == {"train/acc": "acc"}
    assert roles(tracks("loss", "acc")) == {"train/loss": "loss", "train/acc": "acc"}
    assert roles(tracks("train_loss", "acc", "val_acc"))["train/acc"] == "acc"


def test_a_summary_at_the_end_gives_way_to_the_curve():
    found = tracks("loss", "eval_loss", train_loss=[0.7])
    assert roles(found) == {"train/loss": "loss", "val/loss": "eval_loss"}


def test_of_validation_the_whole_pass_comes_before_its_batches():
    passes = Track("val_loss_epoch", np.arange(5.0), np.linspace(1, 0.5, 5))
    found = {"val_loss_step": track("val_loss_step", rows=200), "val_loss_epoch": passes, "loss": track("loss")}
    assert roles(found)["val/loss"] == "val_loss_epoch"
    del found["val_loss_epoch"]
    assert roles(found)["val/loss"] == "val_loss_step"


def test_a_summary_of_several_values_gives_way_to_a_much_longer_curve():
    found = {**tracks("train_loss", rows=3), **tracks("loss", rows=400)}
    assert roles(found) == {"train/loss": "loss"}


def test_of_equals_the_longer_one_is_chosen():
    found = {
        "train_loss_epoch": track("train_loss_epoch", rows=5),
        "train_loss_step": track("train_loss_step", rows=500),
    }
    assert roles(found) == {"train/loss": "train_loss_step"}
    assert "--map train/loss=NAME" in why(found, "train_loss_step")


# --- accuracies in percent, error rates ----------------------------------------------------------


def accuracy(found: dict[str, Track], name: str, role: str = "val/acc") -> np.ndarray | None:
    """The values that the signal of a column would have; None where it plays no role."""
    chosen = next(r for r in assign(found) if r.track == name)
    if chosen.role != role:
        return None
    value = found[name].value * chosen.scale
    return 1 - value if chosen.complement else value


def test_a_share_stays_a_share():
    np.testing.assert_array_equal(accuracy(tracks(val_acc=[0.1, 0.5, 1.0]), "val_acc"), [0.1, 0.5, 1.0])
    np.testing.assert_array_equal(accuracy(tracks(val_acc=[0.1, 0.5, 1.004]), "val_acc"), [0.1, 0.5, 1.004])


def test_percent_come_down():
    np.testing.assert_allclose(accuracy(tracks(val_acc=[1.0, 55.0, 99.5]), "val_acc"), [0.01, 0.55, 0.995])


def test_percent_are_known_by_the_name_too():
    found = {"val_acc (%)": track("val_acc (%)", [0.5, 0.8, 1.0])}
    np.testing.assert_allclose(accuracy(found, "val_acc (%)"), [0.005, 0.008, 0.01])


def test_a_validation_accuracy_that_never_leaves_chance_is_in_percent_where_training_is():
    """1 % of 97 classes is chance; read as a share it would be perfection."""
    found = tracks(train_acc=[1.1, 40.0, 100.0], val_acc=[1.0, 1.03, 0.9])
    np.testing.assert_allclose(accuracy(found, "val_acc"), [0.01, 0.0103, 0.009])


def test_a_share_beside_percent_plays_no_role_unless_it_is_mapped():
    found = tracks(train_acc=[45.0, 60.0, 99.0], val_acc=[0.52, 0.6, 0.7])
    assert accuracy(found, "val_acc") is None
    assert "in percent or not?" in why(found, "val_acc")
    mapped = next(r for r in assign(found, {"val/acc": "val_acc"}) if r.track == "val_acc")
    assert (mapped.role, mapped.scale) == ("val/acc", 1.0)
    assert "taken as a share" in mapped.why


def test_an_accuracy_a_little_above_1_alone_may_be_either_and_plays_no_role():
    assert accuracy(tracks(val_acc=[1.0, 1.1, 1.3]), "val_acc") is None


@pytest.mark.parametrize("values", [[0.1, 0.5, 250.0], [-0.7, 0.5, 0.6], [-0.5, 50.0]])
def test_what_no_accuracy_can_be_is_none(values):
    found = tracks(val_acc=values)
    assert accuracy(found, "val_acc") is None
    assert "is called an accuracy, but reaches" in why(found, "val_acc")
    with pytest.raises(BadOption, match="but reaches"):
        assign(found, {"val/acc": "val_acc"})


def test_a_placeholder_for_not_measured_does_not_spoil_an_accuracy():
    chosen = assign(tracks(val_acc=[-1.0, -1.0, 45.0, -1.0, 60.0]))[0]
    assert (chosen.role, chosen.scale) == ("val/acc", 0.01)


def test_an_error_rate_is_turned_over():
    np.testing.assert_allclose(accuracy(tracks("val_loss", val_error_rate=[0.9, 0.1]), "val_error_rate"), [0.1, 0.9])
    percent = tracks("val_loss", val_error_rate=[90.0, 10.0, np.inf])
    np.testing.assert_allclose(accuracy(percent, "val_error_rate")[:2], [0.1, 0.9])


def test_an_infinite_value_does_not_make_an_error_rate_percent():
    found = tracks("val_loss", val_error_rate=[0.9, 0.1, np.inf, np.nan])
    np.testing.assert_allclose(accuracy(found, "val_error_rate")[:2], [0.1, 0.9])


def test_an_accuracy_comes_before_an_error_rate():
    assert roles(tracks("val_error_rate", "val_acc", "loss"))["val/acc"] == "val_acc"


def test_a_column_without_one_finite_value_is_no_crash():
    assign(tracks(val_acc=[np.nan, np.inf], train_acc=[np.nan], val_error_rate=[np.nan], val_loss=[np.nan]))


# --- --map ---------------------------------------------------------------------------------------


def test_a_mapped_column_takes_the_role_from_the_one_that_would_have_it():
    found = tracks("loss", "val_loss", "other")
    assert roles(found, {"val/loss": "other"}) == {"train/loss": "loss", "val/loss": "other"}


def test_a_mapped_column_leaves_its_own_role():
    assert roles(tracks("loss", "val_loss"), {"train/loss": "val_loss"}) == {"train/loss": "val_loss"}


def test_a_further_evaluation_set_can_be_mapped():
    assert roles(tracks("loss", "x"), {"val.ood/acc": "x"})["val.ood/acc"] == "x"


@pytest.mark.parametrize(
    ("mapping", "words"),
    [
        ({"vall/loss": "loss"}, "there is no role"),
        ({"val./loss": "loss"}, "there is no role"),
        ({"val/loss": "lost"}, "has no column"),
        ({"val/loss": "loss", "train/loss": "loss"}, "mapped to two roles"),
    ],
)
def test_a_map_that_cannot_be_is_refused(mapping, words):
    with pytest.raises(BadOption, match=words) as error:
        assign(tracks("loss", *(f"m{i}" for i in range(40))), mapping)
    assert len(error.value.hint) < 400


SOME = ["loss", "val_loss", "test_loss", "acc", "val_acc", "eval_a_loss", "eval_b_loss", "train/cls_loss", "error_rate",
        "lr", "lr/a", "val_error_rate", "train_loss", "Loss", "test_acc", "top1", "x"]  # fmt: skip


@given(st.lists(st.sampled_from(SOME), unique=True, max_size=10))
def test_every_column_is_listed_once_and_no_role_twice(names):
    found = assign(tracks(*names))
    assert [role.track for role in found] == names
    played = [role.role for role in found if role.role]
    assert len(played) == len(set(played))


# --- quantities by other names -------------------------------------------------------------------


def roles_of(**curves):
    step = np.arange(20.0)
    tracks = {name: Track(name, step, np.asarray(value, dtype=float)) for name, value in curves.items()}
    return {role.track: role for role in assign(tracks)}


FALLING, RISING = np.geomspace(4, 0.1, 20), np.linspace(0.1, 0.9, 20)


def test_a_perplexity_is_a_loss_by_its_logarithm():
    role = roles_of(train_loss=FALLING, val_ppl=np.exp(FALLING))["val_ppl"]
    assert (role.role, role.logarithm, role.better) == ("val/loss", True, "lower")
    np.testing.assert_allclose(in_unit(np.exp(FALLING), role), FALLING)


def test_a_perplexity_beside_its_loss_plays_no_role():
    found = roles_of(train_loss=FALLING, val_loss=FALLING, val_ppl=np.exp(FALLING))
    assert (found["val_loss"].role, found["val_ppl"].role) == ("val/loss", "")


def test_an_accuracy_that_falls_with_its_loss_is_asked_about():
    role = roles_of(train_loss=FALLING, val_loss=FALLING, val_accuracy=1 - RISING)["val_accuracy"]
    assert role.role == ""
    assert "--map val/error=NAME" in role.why


def test_an_accuracy_that_rises_or_loses_little_is_one():
    found = roles_of(train_loss=FALLING, train_acc=RISING, val_loss=1 / FALLING, val_acc=0.9 - RISING / 3)
    assert (found["train_acc"].role, found["val_acc"].role) == ("train/acc", "val/acc")


def test_map_takes_an_error_rate_in_either_unit():
    tracks = {
        "loss": Track("loss", np.arange(20.0), FALLING),
        "wrong": Track("wrong", np.arange(20.0), 100 - 90 * RISING),
    }
    role = next(r for r in assign(tracks, {"val/error": "wrong"}) if r.track == "wrong")
    assert (role.role, role.complement, role.scale) == ("val/acc", True, 0.01)


def test_the_losses_of_a_pair_that_plays_against_each_other_are_no_training_loss():
    found = roles_of(loss_G=RISING, loss_D=FALLING)
    assert {role.role for role in found.values()} == {"player/loss_G", "player/loss_D"}
    assert "adversarial" in found["loss_G"].why


@pytest.mark.parametrize(
    ("name", "direction"),
    [("val_loss", "lower"), ("top1", "higher"), ("rollout/ep_rew_mean", "higher"), ("metrics/mAP50(B)", "higher"),
     ("val_ppl", "lower"), ("eval/bleu", "higher"), ("lr", ""), ("wer", "lower"), ("grad_norm", ""),
     ("val_f1", "higher")],
)  # fmt: skip
def test_the_direction_is_said_where_the_name_says_it(name, direction):
    assert roles_of(**{name: RISING})[name].better == direction


def test_a_column_is_of_training_whose_twin_is_of_validation():
    steps = np.arange(8.0)
    names = ("loss", "val_loss", "out_caps_acc", "val_out_caps_acc")
    tracks = {name: Track(name, steps, np.linspace(0.3, 0.6, 8)) for name in names}
    played = {role.track: role.role for role in assign(tracks)}
    assert played["out_caps_acc"] == "train/acc"
    assert played["val_out_caps_acc"] == "val/acc"
    alone = {name: tracks[name] for name in names if name != "val_out_caps_acc"}
    assert {role.track: role.role for role in assign(alone)}["out_caps_acc"] == ""


def test_columns_that_name_a_set_alone_are_accuracies_beside_a_loss():
    steps = np.arange(20.0)
    rise, fall = np.linspace(0.1, 0.8, 20), np.linspace(2.0, 0.3, 20)
    columns = {"Loss": fall, "Train": rise, "Val": rise, "Test": rise}
    played = {r.track: r.role for r in assign({n: Track(n, steps, v) for n, v in columns.items()})}
    assert played == {"Loss": "train/loss", "Train": "train/acc", "Val": "val/acc", "Test": "val.test/acc"}
    falling = {"Loss": fall, "Train": fall, "Val": fall}
    assert {r.role for r in assign({n: Track(n, steps, v) for n, v in falling.items()})} == {
        "train/loss",
        "val/loss",
        "",
    }
    alone = {"Train": rise, "Val": rise}
    assert {r.role for r in assign({n: Track(n, steps, v) for n, v in alone.items()})} == {""}


def test_a_score_that_is_logged_more_rarely_than_the_loss_is_of_validation():
    often, rarely = np.arange(100.0), np.arange(0.0, 100, 10)
    found = assign({"loss": Track("loss", often, 1 / (1 + often)), "mIoU": Track("mIoU", rarely, rarely / 100)})
    assert {r.track: r.role for r in found}["mIoU"] == "val/metric"
    beside = assign({"loss": Track("loss", often, 1 / (1 + often)), "mIoU": Track("mIoU", often, often / 100)})
    assert {r.track: r.role for r in beside}["mIoU"] == "train/metric"


# --- a side alone as a name ------------------------------------------------------------------------

FALL = [2.0, 1.5, 1.2, 1.1, 1.05]
TURN = [2.1, 1.7, 1.6, 1.9, 2.3]
RISE = [0.3, 0.5, 0.6, 0.65, 0.7]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"train": FALL, "valid": TURN, "total": FALL}, {"train/loss": "train", "val/loss": "valid"}),
        ({"Loss": FALL, "Validation": FALL}, {"train/loss": "Loss", "val/loss": "Validation"}),
        ({"train_loss": FALL, "train": FALL[:2], "val": TURN}, {"train/loss": "train_loss", "val/loss": "val"}),
        ({"loss": FALL, "dev": FALL, "dev_acc": RISE}, {"train/loss": "loss", "val/loss": "dev", "val/acc": "dev_acc"}),
        ({"loss": FALL, "train": RISE, "val": RISE}, {"train/loss": "loss", "train/acc": "train", "val/acc": "val"}),
        # which of loss and accuracy it is, its name leaves open
        ({"loss": FALL, "val": RISE}, {"train/loss": "loss"}),
        ({"train": RISE, "val": RISE}, {}),
        # sizes and seconds
        ({"train": [500, 400, 300], "val": [50, 40, 30]}, {}),
        ({"loss": FALL, "eval": [v * 40 for v in FALL]}, {"train/loss": "loss"}),
        ({"val": FALL}, {}),
    ],
)
def test_a_side_alone_is_the_loss_of_that_side_where_nothing_else_can_be_meant(columns, expected):
    assert roles(tracks(**columns)) == expected


def notes(columns: dict[str, Track]) -> str:
    run = with_sums(Run("log", "log", "epoch", columns))
    return " | ".join(measure(run, assign(run.tracks)).notes)


@pytest.mark.parametrize("name", ["val_loss_mse", "val_loss_l2re", "val_loss_mae"])
def test_of_several_measures_of_validation_the_one_at_the_level_of_training_is_taken_and_told(name):
    levels = {"val_loss_mse": [9.0, 8.0, 7.5, 7.0, 6.9], "val_loss_l2re": [0.4, 0.3, 0.2, 0.2, 0.1],
              "val_loss_mae": [90.0, 80.0, 70.0, 60.0, 55.0], name: [2.2, 1.6, 1.3, 1.2, 1.2]}  # fmt: skip
    found = tracks(train_loss=FALL, **levels)
    assert played_by_sum(found)["val/loss"] == name
    assert f"{name} is taken as val/loss: one of 3 measures" in notes(found)


def played_by_sum(columns: dict[str, Track]) -> dict[str, str]:
    return roles(dict(with_sums(Run("log", "log", "epoch", columns)).tracks))


def test_parts_of_validation_that_add_up_to_the_loss_of_training_are_no_measures():
    found = tracks(train_loss=FALL, val_box_loss=[1.1, 0.8, 0.7, 0.6, 0.6], val_cls_loss=[1.0, 0.7, 0.6, 0.6, 0.5])
    assert played_by_sum(found)["val/loss"] == "val_box_loss + val_cls_loss"


def test_sets_with_numbers_alone_are_not_told_apart_in_silence():
    found = tracks(loss0=FALL, loss1=TURN, acc0=RISE, acc1=RISE)
    assert roles(found) == {}
    assert "--map train/loss=loss0 --map val/loss=loss1" in refusal(assign(found))[1]
    assert "acc0, acc1 number sets that nothing names" in notes(tracks(loss=FALL, acc0=RISE, acc1=RISE))
    assert roles(tracks(loss=FALL, acc1=RISE))["train/acc"] == "acc1"  # a top-1 accuracy


def test_columns_of_validation_without_a_role_are_named_and_why():
    assert "val_acc is of validation and was left out: it is called an accuracy, but reaches 1700" in notes(
        tracks(loss=FALL, val_acc=[1500, 1600, 1650, 1690, 1700])
    )
    assert "of validation there is val_pk" in notes(tracks(loss=FALL, val_pk=RISE))
    assert notes(tracks(loss=FALL, val_loss=FALL, val_pk=RISE)) == ""
    assert notes(tracks(loss=FALL, eval_runtime=RISE, eval_samples_per_second=RISE, val_constant=[1, 1, 1, 1, 1])) == ""


def test_letters_name_the_sides_where_both_are_there():
    both = roles_of(loss_t=FALLING, loss_v=FALLING + 1)
    assert (both["loss_t"].role, both["loss_v"].role) == ("train/loss", "val/loss")
    assert roles_of(loss=FALLING, loss_v=FALLING + 1)["loss_v"].role != "val/loss"


def test_the_mean_of_a_pass_is_validations():
    found = roles_of(**{"val/loss": FALLING + np.resize([0, 2], 20), "val/loss_avg": FALLING})
    assert found["val/loss_avg"].role == "val/loss"


def test_the_loss_of_batches_stays_trainings_where_its_noise_hides_nothing():
    quiet = roles_of(loss=FALLING, loss_avg=FALLING + 0.1)
    noisy = roles_of(loss=FALLING + np.resize([0, 3, -1], 20), loss_avg=FALLING)
    assert (quiet["loss"].role, noisy["loss_avg"].role) == ("train/loss", "train/loss")


def test_a_perplexity_gives_way_to_a_bare_side():
    found = roles_of(train=FALLING, val=FALLING + 0.2, **{"val/ppl": np.exp(FALLING)})
    assert found["val"].role == "val/loss"
