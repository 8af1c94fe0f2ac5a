from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import planted
import runopsy
from runopsy.model import Mark, Run, Track
from runopsy.phases.labels import LABELS
from runopsy.phases.readings import Readings
from runopsy.phases.spells import join_short, spells_of
from runopsy.thresholds import DEFAULTS


def labels(run):
    return [p.label for p in runopsy.analyze(run).phases]


@pytest.mark.parametrize("make", [planted.healthy, planted.overfitting, planted.grokking])
def test_phases_tile_the_run_without_gap(make):
    autopsy = runopsy.analyze(make())
    assert autopsy.phases[0].start == autopsy.first
    assert autopsy.phases[-1].end == autopsy.last
    for before, after in zip(autopsy.phases, autopsy.phases[1:], strict=False):
        assert before.end == after.start
        assert before.label != after.label
        assert before.start < before.end


def test_grokking_is_memorization_and_then_feature_learning():
    found = labels(planted.grokking())
    assert found[found.index("memorization") :] == ["memorization", "feature_learning", "converged"]


def test_overfitting_ends_in_memorization():
    assert labels(planted.overfitting())[-1] == "memorization"


@pytest.mark.parametrize("seed", range(5))
def test_a_smooth_decay_is_one_passage(seed):
    found = labels(planted.healthy(seed=seed))
    order = ["underfitting", "feature_learning", "converged"]
    assert found == sorted(found, key=order.index)


def test_without_validation_no_claim_about_generalisation_is_made():
    step = np.arange(3000)
    autopsy = runopsy.analyze(planted.run(step, {"loss": planted.noisy(planted.decay(step), 0.05)}))
    assert {p.label for p in autopsy.phases} <= {"underfitting", "fitting", "converged"}
    assert "fitting" in {p.label for p in autopsy.phases}
    assert autopsy.verdict.name == "inconclusive"
    assert "of validation was found" in autopsy.verdict.why


@pytest.mark.parametrize("seed", range(5))
def test_a_slow_decay_of_training_alone_is_no_plateau(seed):
    """However small each step of it is beside the noise, a tenth of the whole way is no plateau."""
    step = np.arange(300)
    loss = planted.noisy(0.2 + 0.8 * (1 + step) ** -0.4, 0.05, seed)
    run = planted.run(step, {"train/loss": loss})
    moved = {p.label: float(loss[int(p.start)] - loss[int(p.end)]) for p in runopsy.analyze(run).phases}
    assert moved.get("converged", 0.0) < 0.2 * float(np.ptp(loss))


@pytest.mark.parametrize("seed", range(5))
def test_training_that_goes_on_while_validation_stands_is_no_plateau(seed):
    epoch = np.arange(1.0, 18)
    train = planted.noisy(0.2 + 0.7 * epoch**-0.8, 0.02, seed)
    val = planted.noisy(np.full(17, 1.24), 0.01, 10 + seed)
    acc = np.full(17, 0.93) + 0.01 * np.random.default_rng(20 + seed).normal(size=17)
    found = runopsy.analyze(planted.run(epoch, {"train/loss": train, "val/loss": val, "val/acc": acc}))
    moved = [np.interp(p.start, epoch, train) - np.interp(p.end, epoch, train) for p in found.phases]
    still = [gain for gain, p in zip(moved, found.phases, strict=True) if p.label == "converged"]
    assert max(still, default=0.0) < 0.2 * float(np.ptp(train))
    assert "validation stays at the level at which it began" in found.verdict.why


@pytest.mark.parametrize("name", ["loss", "val_loss"])
def test_a_loss_that_falls_to_a_sixth_after_giant_first_rows_goes_on_learning(name):
    step = np.arange(0, 1800, 10.0)
    later = 1.1 + 6.5 * np.exp(-step / 400)
    loss = planted.noisy(np.where(step < 30, 86 * np.exp(-step / 12) + 7, later), 0.02)
    curves = {"loss": planted.noisy(loss, 0.02, 1), name: loss}
    found = {p.label: p for p in runopsy.analyze(planted.run(step, curves)).phases}
    assert found["fitting" if name == "loss" else "feature_learning"].end > 600
    shown = curves | {"val_acc": np.minimum(0.9, 0.1 + step / 30)}  # then an accuracy is the witness of what is learnt
    assert runopsy.analyze(planted.run(step, shown)).phases[-1].start < 300


def test_few_validations_that_have_come_as_far_as_they_come_have_converged_however_densely_training_is_logged():
    epoch = np.arange(1.0, 11)
    val = np.array([0.44, 0.32, 0.26, 0.238, 0.236, 0.238, 0.235, 0.237, 0.236, 0.237])
    acc = np.array([0.82, 0.88, 0.90, 0.915, 0.917, 0.916, 0.917, 0.918, 0.917, 0.917])
    at = np.linspace(0.05, 10, 200)
    loss = planted.noisy(0.2 + 0.6 * np.exp(-at / 2) - 0.008 * at, 0.03)
    tracks = {"loss": Track("loss", at, loss), "val_loss": Track("val_loss", epoch, val)}
    tracks["val_acc"] = Track("val_acc", epoch, acc)
    phases = runopsy.analyze(Run("planted", "planted", "epoch", tracks)).phases
    assert phases[-1].label == "converged"
    assert phases[-1].start < 7


def test_where_no_example_repeats_training_is_its_own_validation():
    step = np.arange(3000)
    curves = {"loss": planted.noisy(planted.decay(step), 0.05), "epoch": step / 3000}
    assert "feature_learning" in labels(planted.run(step, curves))


def test_a_run_that_never_learnt_is_underfitting_throughout():
    step = np.arange(2000)
    noise = planted.noisy(np.full(2000, 2.3), 0.01)
    assert labels(planted.run(step, {"train/loss": noise, "val/loss": planted.noisy(np.full(2000, 2.3), 0.01, 1)})) == [
        "underfitting"
    ]


def test_a_change_of_learning_rate_explains_the_transition_beside_it():
    step = np.arange(0, 6001, 10)
    fall = planted.sigmoid(step, 3000, 20, 0, 0.5)
    loss = planted.decay(step, 2.3, 0.8, 30) - fall
    run = planted.run(
        step,
        {
            "train/loss": planted.noisy(loss, 0.01),
            "val/loss": planted.noisy(loss + 0.02, 0.01, 1),
            "lr": np.where(step < 3000, 0.1, 0.01),
        },
    )
    near = [t for t in runopsy.analyze(run).transitions if abs(t.step - 3000) < 300]
    assert near
    assert all(t.explained_by == "lr_change" for t in near)


@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=200))
def test_joining_short_spells_leaves_no_gap_and_no_equal_neighbours(sequence):
    spells = join_short(spells_of(list(sequence)), lambda spell: (spell[1] - spell[0]) / 4)
    assert spells[0][0] == 0
    assert spells[-1][1] == len(sequence)
    for (_, end, before), (start, _, after) in zip(spells, spells[1:], strict=False):
        assert end == start
        assert before != after
    assert {label for _, _, label in spells} <= set(sequence)


def test_the_last_label_takes_whatever_is_left():
    step = np.arange(3, dtype=float)
    never = np.zeros(3, bool)
    nothing = Readings(step, step, *[never] * 2, *[step] * 3, *[never] * 8)
    assert LABELS[-1][1](nothing, DEFAULTS).all()


def with_inside(**columns):
    run = planted.grokking()
    step = run.tracks["train/loss"].step
    more = {name: Track(name, step, np.asarray(values, dtype=float)) for name, values in columns.items()}
    return replace(run, tracks={**run.tracks, **more})


def test_a_signal_of_the_inside_that_turns_with_a_transition_is_named():
    step = planted.grokking().tracks["train/loss"].step
    rank = planted.noisy(60 - planted.sigmoid(step, 1100, 40, 0, 45), 0.01, 5)
    found = runopsy.analyze(with_inside(**{"features/effective_rank": rank})).transitions
    assert any("features/effective_rank" in t.signals for t in found)


def test_what_happens_inside_moves_no_boundary():
    step = planted.grokking().tracks["train/loss"].step
    rank = planted.noisy(60 - planted.sigmoid(step, 2500, 60, 0, 45), 0.01, 5)
    plain, more = runopsy.analyze(planted.grokking()), runopsy.analyze(with_inside(**{"features/effective_rank": rank}))
    told = [[(p.label, p.start, p.confidence) for p in autopsy.phases] for autopsy in (plain, more)]
    assert told[0] == told[1]


def test_a_transition_of_training_alone_is_not_confirmed():
    step = np.arange(3000)
    for t in runopsy.analyze(planted.run(step, {"loss": planted.noisy(planted.decay(step), 0.05)})).transitions:
        assert not t.confirmed


def test_what_the_script_said_about_itself_explains_what_stands_beside_it():
    plain = planted.grokking()
    last = runopsy.analyze(plain).transitions[-1]
    noted = runopsy.analyze(replace(plain, marks=(Mark(last.step, "data_change"),))).transitions[-1]
    assert (last.explained_by, noted.explained_by) == (None, "data_change")


@pytest.mark.parametrize("seed", range(5))
def test_an_overfitted_run_whose_validation_only_swings_has_not_converged(seed):
    step = np.arange(200, 4600, 200)
    train = planted.noisy(0.36 * np.exp(-(step - 200) / 900) + 0.06, 0.03, seed)
    val = 0.25 + 0.06 * np.random.default_rng(seed).standard_normal(len(step))
    found = runopsy.analyze(planted.run(step, {"train/loss": train, "val/loss": np.abs(val)}))
    if found.verdict.name in ("overfit", "memorized"):
        assert "converged" not in [phase.label for phase in found.phases]
