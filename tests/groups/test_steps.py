"""Steps of groups, as planted; ``make bench-quanta`` measures them on trainings."""

from __future__ import annotations

import numpy as np
import pytest

import runopsy
from runopsy.groups import steps_of
from runopsy.groups.steps import discovered
from runopsy.model import Signal

STEPS = np.unique(np.concatenate([np.round(1.25 ** np.arange(36)), np.arange(0, 3001, 30)]))


def group(name, accuracy, seed=0, examples=64):
    """A group of that many examples, each right with the given chance at every reading."""
    draw = np.random.default_rng(seed)
    values = draw.binomial(examples, np.clip(accuracy, 0, 1) * np.ones(len(STEPS))) / examples
    return Signal(f"groups/{name}/acc", "", STEPS, values)


def rise(at, low=0.5, high=1.0, breadth=0.15):
    return low + (high - low) / (1 + np.exp(-(np.log(STEPS + 1) - np.log(at)) / breadth))


def found(*groups):
    return steps_of({one.name: one for one in groups}, 0.0)


def test_steps_are_found_in_order_where_they_were_planted():
    steps = found(group("b", rise(900), 1), group("a", rise(120), 2), group("flat", 0.5, 3))
    assert [one.group for one in steps.steps] == ["a", "b"]
    assert steps.without == ("flat",)
    for one, true in zip(steps.steps, (120, 900), strict=True):
        assert one.interval[0] < true < one.interval[1]
        assert one.interval[1] / one.interval[0] < 2.5
        assert one.after - one.before == pytest.approx(0.5, abs=0.1)


def test_a_mean_of_many_steps_hides_them_and_one_of_steps_at_one_place_does_not():
    spread = found(*(group(str(i), rise(at), i) for i, at in enumerate((30, 80, 200, 500, 1200))))
    assert len(spread.steps) == 5
    assert spread.hidden
    together = found(*(group(str(i), rise(300), i) for i in range(5)))
    assert len(together.steps) == 5
    assert not together.hidden


def test_a_rise_that_has_not_ended_is_placed_at_half_of_what_it_has_made():
    (one,) = found(group("late", rise(2500, breadth=0.3), 4)).steps
    made = rise(2500, breadth=0.3)
    half = STEPS[np.argmax(made >= (made[0] + made[-1]) / 2)]
    assert one.interval[0] < half < one.interval[1]
    assert one.after < 0.95


def test_in_noise_no_step_is_found():
    none = [found(*(group(str(i), 0.5, 100 * run + i, 40) for i in range(8))) for run in range(25)]
    assert sum(len(one.steps) for one in none) <= 1


def test_what_is_kept_is_what_benjamini_and_hochberg_keep():
    chances = {"a": 0.001, "b": 0.04, "c": 0.045, "d": 0.5}
    assert discovered(chances, 4) == ["a", "b", "c"]  # 0.045 <= 0.1 * 3 / 4, though 0.04 <= 0.1 * 2 / 4 alone
    assert discovered(chances, 40) == ["a"]
    assert discovered({}, 3) == []


def test_without_groups_nothing_is_asked_and_a_group_that_never_moves_has_no_step():
    assert steps_of({"train/loss": group("x", 0.5)}, 0.0) is None
    still = Signal("groups/s/acc", "", STEPS, np.full(len(STEPS), 0.5))
    assert found(still).without == ("s",)


def test_the_page_and_the_object_tell_of_the_steps(tmp_path):
    run = runopsy.record(tmp_path / "run", signals="scalars")
    curves = {f"groups/{i}/acc": group(str(i), rise(at), i) for i, at in enumerate((30, 200, 1200))}
    for k, step in enumerate(STEPS.astype(int).tolist()):
        run.log(step, {name: float(one.value[k]) for name, one in curves.items()} | {"train/loss": 1 / (1 + step)})
    run.finish()
    autopsy = runopsy.analyze(tmp_path / "run")
    page = runopsy.render(autopsy, "markdown")
    assert "of 3 steps, from step" in page
    assert runopsy.render(autopsy, "html").count("Accuracy of groups") >= 2
    assert [one["group"] for one in autopsy.to_dict()["groups"]["steps"]] == ["0", "1", "2"]
