"""Seeds, the best, and the map over two settings."""

from itertools import product

import numpy as np
import pytest
from scipy.stats import ttest_ind

from runopsy.errors import BadOption
from runopsy.model import Outcome as Answered
from runopsy.study.best import best_of, configured
from runopsy.study.diagram import PHASES, diagram
from runopsy.study.outcomes import outcome_of
from runopsy.study.row import Row
from runopsy.study.settings import differences
from runopsy.verdicts import VERDICTS


def row(settings, value=1.0, verdict="healthy"):
    reading = {"best": value, "step": 1, "last": value, "better": "lower"}
    return Row(path=str(settings), run=None, id="r", verdict=verdict, settings=settings, readings={"val/loss": reading})


def best(rows):
    found, outcome = differences(rows), outcome_of(rows)
    configurations = configured(rows, found, outcome)
    return configurations, best_of(configurations, outcome)


def test_mean_spread_and_standard_error_are_those_of_the_seeds():
    rows = [
        row({"lr": lr, "seed": s}, v) for lr, values in ((1, (2, 4, 9)), (2, (1, 1, 4))) for s, v in enumerate(values)
    ]
    (first, second), _ = best(rows)
    assert (first.settings, first.runs, first.mean) == ({"lr": 2}, 3, 2)
    assert second.spread == pytest.approx(np.std([2, 4, 9], ddof=1))
    assert second.standard_error == pytest.approx(np.std([2, 4, 9], ddof=1) / 3**0.5)


def test_two_configurations_are_held_apart_as_a_t_test_does():
    random = np.random.default_rng(0)
    a, b = np.exp(random.normal(0, 0.1, 5)), np.exp(random.normal(0.3, 0.1, 5))
    rows = [row({"lr": lr, "seed": s}, float(v)) for lr, values in ((1, a), (2, b)) for s, v in enumerate(values)]
    _, found = best(rows)
    assert found.p == pytest.approx(ttest_ind(np.log(a), np.log(b), alternative="less").pvalue)


def test_the_best_of_many_like_ones_is_called_the_best_in_few_studies():
    random, wrong = np.random.default_rng(0), 0
    for _ in range(200):
        rows = [row({"lr": lr, "seed": s}, float(random.normal())) for lr in range(10) for s in range(3)]
        wrong += best(rows)[1].answer is Answered.FOUND
    assert wrong <= 18  # 5 % of 200, and what chance adds in one of a hundred such tests


@pytest.mark.parametrize(
    ("rows", "why"),
    [
        ([row({"lr": 1}), row({"lr": 2}, 2)], "no configuration was run with two seeds"),
        ([row({"lr": 1, "seed": 1}), row({"lr": 1, "seed": 2})], "there is one configuration"),
        ([row({"lr": 1, "seed": 1}, 0.1), row({"lr": 2, "seed": 1}, 2), row({"lr": 2, "seed": 2}, 3)], "with one seed"),
    ],
)
def test_what_the_seeds_cannot_tell_is_said(rows, why):
    _, found = best(rows)
    assert found.answer is Answered.NOT_CHECKED
    assert why in found.why


def test_the_map_has_every_square_and_its_boundary():
    words = {(1, 0): "memorized", (1, 1): "grokked", (2, 0): "memorized", (2, 1): "healthy"}
    rows = [row({"lr": lr, "wd": wd, "seed": s}, verdict=words[lr, wd]) for (lr, wd), s in product(words, (0, 1))]
    found = diagram(rows, ("lr", "wd"), None)
    assert [step.name for step in found.x] == ["1", "2"]
    assert {(c.x, c.y): c.phase for c in found.cells} == {
        (0, 0): "memorization", (0, 1): "grokking", (1, 0): "memorization", (1, 1): "comprehension"
    }  # fmt: skip
    assert {(e.a, e.b) for e in found.boundary} == {((0, 0), (0, 1)), ((0, 1), (1, 1)), ((1, 0), (1, 1))}


def test_a_square_says_how_many_of_its_runs_agree():
    rows = [row({"a": 1, "b": 1, "seed": s}, verdict=v) for s, v in enumerate(("grokked", "grokked", "memorized"))]
    rows.append(row({"a": 2, "b": 2, "seed": 0}))
    cell = diagram(rows, ("a", "b"), None).cell(0, 0)
    assert (cell.phase, cell.runs, cell.share) == ("grokking", 3, pytest.approx(2 / 3))


def test_many_values_are_cut_into_parts():
    rows = [row({"lr": 0.001 * k, "wd": k % 2}) for k in range(100)]
    found = diagram(rows, ("lr", "wd"), None)
    assert len(found.x) == 8
    assert sum(cell.runs for cell in found.cells) == 100
    assert "lr" in found.notes[0]


@pytest.mark.parametrize("by", [("lr", "nothing"), ("lr", "same")])
def test_a_setting_that_makes_no_axis_is_refused_with_those_that_do(by):
    rows = [row({"lr": k, "wd": k, "same": 1}) for k in range(3)]
    with pytest.raises(BadOption) as refused:
        diagram(rows, by, None)
    assert "lr, wd" in refused.value.hint


def test_every_verdict_has_a_phase_but_that_which_says_nothing():
    assert {one.verdict for one in VERDICTS} - set(PHASES) == {"inconclusive"}
