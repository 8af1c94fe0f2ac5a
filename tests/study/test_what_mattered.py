"""What went with the outcome: planted effects, none, and small grids whose p can be counted by hand."""

from itertools import product

import numpy as np
import pytest

from runopsy.model import Outcome as Answered
from runopsy.study.outcomes import outcome_of
from runopsy.study.row import Row
from runopsy.study.settings import differences
from runopsy.study.what_mattered import what_mattered


@pytest.fixture(autouse=True)
def _fewer_deals(monkeypatch):
    """A tenth of the deals: they tell p to .007 at .05, and the tests take seconds."""
    monkeypatch.setattr("runopsy.study.permutation.DEALS", 999)


def rows_of(settings, values, verdicts=None):
    return [
        Row(path=f"r{i}", run=None, id=f"r{i}", verdict=verdicts[i] if verdicts else "healthy", settings=each,
            best={"signal": "val/loss", "step": 1, "value": float(v), "last": float(v)},
            readings={"val/loss": {"best": float(v), "step": 1, "last": float(v), "better": "lower"}})
        for i, (each, v) in enumerate(zip(settings, values, strict=True))
    ]  # fmt: skip


def asked(rows):
    return what_mattered(rows, differences(rows), outcome_of(rows))


def answer(rows, setting, outcome="best val/loss"):
    return next(one for one in asked(rows) if (one.setting, one.outcome) == (setting, outcome))


def sweep(random, effect):
    settings = [{f"s{k}": float(random.uniform()) for k in range(8)} for _ in range(64)]
    return rows_of(settings, [effect * 12**0.5 * s["s0"] + random.normal() for s in settings])


def test_a_setting_that_moves_the_outcome_is_found_and_the_others_are_not():
    found = [one for one in asked(sweep(np.random.default_rng(2), 1.0)) if one.answer is Answered.FOUND]
    assert [(one.setting, one.also, one.direction) for one in found] == [("s0", (), "rises")]


def test_where_nothing_matters_something_is_found_in_few_studies():
    """At most 5 % in the long run: of 20, more than 4 would be seen once in a hundred; bench-sweep asks many."""
    wrong = sum(any(m.answer is Answered.FOUND for m in asked(sweep(np.random.default_rng(k), 0.0))) for k in range(20))
    assert wrong <= 4


def test_a_valley_is_found_as_well_as_a_slope():
    random = np.random.default_rng(0)
    settings = [{"lr": 10.0**k, "wd": float(w)} for k in range(-5, 0) for w in range(5) for _ in range(2)]
    rows = rows_of(settings, [(np.log10(s["lr"]) + 3) ** 2 + 0.3 * random.normal() for s in settings])
    found = answer(rows, "lr")
    assert (found.answer, found.direction) == (Answered.FOUND, "")
    assert answer(rows, "wd").answer is Answered.NOT_FOUND
    assert min(found.levels, key=lambda level: level.mean).low == 1e-3


def test_a_slope_over_eight_runs_is_found():
    """Eight values in a row: one of 20 160 orders is as clear, though halves of them show no more than 1 in 35."""
    found = answer(rows_of([{"width": 2**k} for k in range(8)], [9, 8, 7, 6, 5, 4, 3, 1]), "width")
    assert (found.answer, found.direction) == (Answered.FOUND, "falls")


def test_a_second_setting_is_not_hidden_by_the_first():
    random = np.random.default_rng(0)
    settings = [{"a": a, "b": b, "c": c} for a, b, c in product(range(4), range(4), range(3))]
    rows = rows_of(settings, [5 * s["a"] + s["b"] + 0.5 * random.normal() for s in settings])
    assert {one.setting for one in asked(rows) if one.answer is Answered.FOUND} == {"a", "b"}


def test_seeds_do_not_make_a_random_search_larger():
    """Ten places with twenty seeds each, and one setting that decides all: another, as random, is not found with it."""
    wrong = 0
    for k in range(20):
        random = np.random.default_rng(k)
        places = [{"a": float(random.uniform()), "b": float(random.uniform())} for _ in range(10)]
        settings = [{**place, "seed": seed} for place in places for seed in range(20)]
        rows = rows_of(settings, [s["a"] + 0.01 * random.normal() for s in settings])
        wrong += answer(rows, "b").answer is Answered.FOUND
    assert wrong <= 3


def test_seeds_of_one_setting_are_held_against_each_other():
    rows = rows_of([{"lr": lr, "seed": s} for lr in (1, 2) for s in range(5)], [1, 2, 3, 4, 5, 11, 12, 13, 14, 15])
    assert answer(rows, "lr").answer is Answered.FOUND


def test_in_a_grid_a_setting_is_asked_with_all_others_equal():
    """Two by two with five seeds: the large effect of one does not hide the small one of the other."""
    random = np.random.default_rng(0)
    settings = [{"a": a, "b": b, "seed": s} for a in (0, 1) for b in (0, 1) for s in range(5)]
    rows = rows_of(settings, [100 * s["a"] + s["b"] + 0.3 * random.normal() for s in settings])
    assert {one.setting for one in asked(rows) if one.answer is Answered.FOUND} == {"a", "b"}


def test_a_small_grid_cannot_show_it_and_says_so():
    rows = rows_of([{"a": a, "b": b} for a, b in product((0, 1), (0, 1))], [0.0, 1.0, 5.0, 6.0])
    found = answer(rows, "a")
    assert found.answer is Answered.NOT_CHECKED
    assert "so few runs cannot show it" in found.why


def test_of_six_runs_the_p_is_that_which_is_counted():
    """Two levels of three: 20 ways to split, 2 of which are as far apart."""
    rows = rows_of([{"a": i // 3} for i in range(6)], [1, 2, 3, 11, 12, 13])
    assert answer(rows, "a").why.endswith("the least p that they can give is 0.1")


def test_settings_that_change_together_are_one():
    settings = [{"lr": lr, "schedule": f"s{lr}", "b": b} for lr in (1, 2, 3) for b in range(6)]
    found = answer(rows_of(settings, [s["lr"] + 0.1 * s["b"] for s in settings]), "lr")
    assert (found.also, found.answer) == (("schedule",), Answered.FOUND)


def test_the_verdict_is_an_outcome_of_its_own():
    settings = [{"wd": wd, "k": k} for wd in (0, 1) for k in range(12)]
    rows = rows_of(settings, np.random.default_rng(1).normal(size=24), ["memorized"] * 12 + ["grokked"] * 12)
    assert answer(rows, "wd", "verdict").answer is Answered.FOUND
    assert answer(rows, "k", "verdict").answer is not Answered.FOUND
    assert answer(rows, "wd").answer is Answered.NOT_FOUND


def test_the_order_of_the_runs_changes_nothing():
    rows = sweep(np.random.default_rng(2), 1.0)
    turned = rows[::-1]
    assert [(m.setting, m.answer) for m in asked(rows)[:1]] == [(m.setting, m.answer) for m in asked(turned)[:1]]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_few_runs_are_no_error(count):
    rows = rows_of([{"a": i} for i in range(count)], range(count))
    assert all(one.answer is Answered.NOT_CHECKED for one in asked(rows))
