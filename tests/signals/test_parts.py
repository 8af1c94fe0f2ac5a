"""Losses that are logged in parts alone are added up, and nothing else is."""

from __future__ import annotations

import numpy as np

from runopsy.model import Run, Track
from runopsy.signals import assign, with_sums

STEP = np.arange(10.0)


def run(**columns) -> Run:
    tracks = {n.replace("__", "/"): Track(n.replace("__", "/"), STEP, np.asarray(v, float)) for n, v in columns.items()}
    return Run("log", "log", "epoch", tracks)


def roles(found: Run) -> dict[str, str]:
    return {role.role: role.track for role in assign(with_sums(found).tracks) if role.role}


def test_parts_of_both_sides_are_added_up_and_stay():
    parts = {"train__box_loss": STEP + 1, "train__cls_loss": 2 * STEP, "val__box_loss": STEP, "val__cls_loss": STEP}
    whole = with_sums(run(**parts))
    assert roles(run(**parts)) == {
        "train/loss": "train/box_loss + train/cls_loss",
        "val/loss": "val/box_loss + val/cls_loss",
    }
    np.testing.assert_array_equal(whole.tracks["train/box_loss + train/cls_loss"].value, 3 * STEP + 1)
    assert set(whole.tracks) > {"train/box_loss", "train/cls_loss"}
    why = next(r.why for r in assign(whole.tracks) if r.role == "train/loss")
    assert "the sum of 2 parts" in why
    assert "box, cls" in why


def test_one_odd_cell_of_a_part_is_one_odd_cell_of_the_sum():
    odd = np.where(STEP == 4, np.inf, STEP)
    whole = with_sums(run(train__box_loss=odd, train__cls_loss=STEP))
    value = next(track.value for track in whole.tracks.values() if track.parts)
    assert np.flatnonzero(~np.isfinite(value)).tolist() == [4]


def test_a_whole_beside_its_parts_is_the_loss():
    assert roles(run(loss=STEP, box_loss=STEP, cls_loss=STEP)) == {"train/loss": "loss"}
    assert roles(run(loss=STEP, train_loss_q0=STEP, train_loss_q1=STEP)) == {"train/loss": "loss"}
    assert roles(run(total_loss=STEP, loss_cls=STEP, loss_box_reg=STEP)) == {"train/loss": "total_loss"}


def test_parts_by_any_name_are_told_by_the_training_side_having_them_too():
    found = roles(run(train__foo_loss=STEP, train__bar_loss=STEP, val__foo_loss=STEP, val__bar_loss=STEP))
    assert found["val/loss"] == "val/foo_loss + val/bar_loss"


def test_evaluation_sets_are_not_added_up():
    assert roles(run(loss=STEP, eval_c4_loss=STEP, eval_wiki_loss=STEP))["val/loss"] == "eval_c4_loss"


def test_the_losses_of_an_agent_or_of_a_game_are_not_added_up():
    assert not any(
        t.parts for t in with_sums(run(value_loss=STEP, policy_loss=STEP, entropy_loss=STEP)).tracks.values()
    )
    assert not any(t.parts for t in with_sums(run(d_loss=STEP, g_loss=STEP, l1_loss=STEP)).tracks.values())
    assert not any(t.parts for t in with_sums(run(box_loss=STEP, cls_loss=STEP, reward=STEP)).tracks.values())


def test_parts_that_were_logged_at_other_steps_are_added_where_they_meet():
    rare = Track("cls_loss", STEP[::2], np.ones(5))
    whole = with_sums(Run("log", "log", "step", {"box_loss": Track("box_loss", STEP, STEP), "cls_loss": rare}))
    total = next(track for track in whole.tracks.values() if track.parts)
    assert total.step.tolist() == STEP[::2].tolist()
    assert total.value.tolist() == [1, 3, 5, 7, 9]
    once = Track("cls_loss", STEP[:1], np.ones(1))
    apart = with_sums(Run("log", "log", "step", {"box_loss": Track("box_loss", STEP, STEP), "cls_loss": once}))
    assert not any(track.parts for track in apart.tracks.values())


def test_of_a_part_that_is_logged_twice_the_longer_column_counts():
    tracks = {
        "box_loss_epoch": Track("box_loss_epoch", STEP[:2], STEP[:2]),
        "box_loss": Track("box_loss", STEP, STEP),
        "cls_loss": Track("cls_loss", STEP, STEP),
    }
    total = next(track for track in with_sums(Run("log", "log", "step", tracks)).tracks.values() if track.parts)
    assert total.parts == ("box_loss", "cls_loss")
