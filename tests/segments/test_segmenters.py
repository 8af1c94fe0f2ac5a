"""What every segmenter must do, ours and each search of ruptures."""

import numpy as np
import pytest

import planted
from runopsy.errors import BadOption
from runopsy.model import Signal
from runopsy.segments import EXACT, segment
from runopsy.segments.bins import Bins
from runopsy.segments.by_ruptures import KERNELS, PENALTIES, SEARCHES, Ruptures, cost_of, segmenter
from runopsy.segments.lines import line_costs

LINES = [EXACT, *(Ruptures(search) for search in SEARCHES if search != "KernelCPD")]
LEVELS = [Ruptures("Pelt", cost) for cost in ("l1", "l2", "normal", "rank", "rbf")]
LEVELS += [Ruptures("KernelCPD", cost) for cost in KERNELS]
ALL = [*LINES, *LEVELS]


def bins(level, error=0.05):
    at = np.linspace(0, 4, len(level))
    return Bins(np.exp(at), np.asarray(level, float), np.full(len(level), error), 0.0, 0.0, 1.0)


@pytest.mark.parametrize("cutter", ALL, ids=lambda one: one.name)
def test_a_step_is_cut_where_it_is(cutter):
    rng = np.random.default_rng(1)
    cuts = cutter.cuts(bins(np.where(np.arange(90) < 55, 1.0, 0.0) + 0.05 * rng.standard_normal(90)))
    assert any(abs(cut - 55) <= 2 for cut in cuts)
    assert len(cuts) <= 3


@pytest.mark.parametrize("cutter", ALL, ids=lambda one: one.name)
def test_noise_is_hardly_ever_cut(cutter):
    rng = np.random.default_rng(2)
    cut = [bool(cutter.cuts(bins(0.05 * rng.standard_normal(90)))) for _ in range(12)]
    assert sum(cut) <= 1


@pytest.mark.parametrize("cutter", LINES, ids=lambda one: one.name)
def test_a_bend_of_straight_lines_is_cut_once(cutter):
    rng = np.random.default_rng(3)
    at = np.linspace(-1, 1, 90)
    cuts = cutter.cuts(bins(np.abs(at) * 3 + 0.05 * rng.standard_normal(90)))
    assert len(cuts) == 1
    assert abs(cuts[0] - 45) <= 4


@pytest.mark.parametrize("cutter", LINES, ids=lambda one: one.name)
def test_what_comes_of_it_is_the_same_for_all(cutter):
    step = np.arange(0, 3000)
    value = planted.noisy(np.where(step < 2000, 1.0, 0.4), 0.05)
    found = segment(Signal("train/loss", "x", step.astype(float), value), 0.0, segmenter=cutter)
    assert np.abs(found.edges - 2000).min() < 80
    assert found.curve[-1] == pytest.approx(0.4, rel=0.05)
    smooth = segment(
        Signal("train/loss", "x", step.astype(float), planted.noisy(planted.decay(step), 0.05)), 0.0, segmenter=cutter
    )
    assert smooth.smooth


@pytest.mark.parametrize("m", [2, 3, 4, 7])
@pytest.mark.parametrize("cutter", ALL, ids=lambda one: one.name)
def test_a_few_points_raise_nothing(cutter, m):
    assert all(1 < cut < m - 1 for cut in cutter.cuts(bins(np.arange(m) % 2)))


def test_pelt_with_our_cost_finds_the_same_as_our_own_programme():
    rng = np.random.default_rng(4)
    for _ in range(5):
        given = bins(np.cumsum(rng.standard_normal(60)) * 0.2)
        assert Ruptures("Pelt", penalty=4.5).cuts(given) == EXACT.cuts(given)


def test_our_cost_is_the_table_of_lines():
    given = bins(np.random.default_rng(5).standard_normal(30))
    cost = cost_of("weighted_line", given).fit(given.level)
    assert cost.error(3, 17) == line_costs(given.log, given.level, given.error**-2)[3, 17]


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"search": "Fastest"}, "no search 'Fastest'"),
        ({"cost": "l3"}, "no cost 'l3'"),
        ({"search": "KernelCPD", "cost": "l1"}, "KernelCPD has no cost 'l1'"),
        ({"penalty": -1.0}, "not above 0"),
        ({"penalty": "high"}, "is no number"),
        ({"model": "l2"}, "has no model"),
    ],
)
def test_what_ruptures_does_not_know_is_refused(said, message):
    with pytest.raises(BadOption, match=message):
        segmenter(said)


def test_every_penalty_is_asked_for():
    assert {cost for cost in PENALTIES if cost != "clinear"} <= {*(c.cost for c in LEVELS), "weighted_line"}
