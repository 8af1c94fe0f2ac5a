"""Two runs laid beside each other: against planted shifts, against themselves, against their mirror image."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import planted
from runopsy import analyze, diff
from runopsy.errors import BadOption
from runopsy.model import Change, Comparison, Outcome

EARLY, LATE = (analyze(planted.grokking(half=half)) for half in (1200.0, 2000.0))


def row(c: Comparison, kind: str, what: str):
    return next(d for d in (*c.phases, *c.events, *c.values, *c.cost) if (d.kind, d.what) == (kind, what))


def rows(c: Comparison):
    return (*c.phases, *c.events, *c.values, *c.cost)


def set_as(run, **config):
    return replace(run, config=config)


# --- one run against one -------------------------------------------------------------------------


def test_a_planted_shift_is_found_with_its_size_and_what_was_not_moved_is_not():
    c = diff(EARLY, LATE)
    late = row(c, "event", "grokking")
    assert c.outcome == "different"
    assert late.change is Change.REAL
    assert late.by == pytest.approx(800, abs=60)
    assert late.share == pytest.approx(800 / 1200, abs=0.06)
    assert row(c, "event", "memorization_onset").change is Change.NONE
    assert row(c, "begins", "memorization").change is Change.NONE


@pytest.mark.parametrize("name", ["grokking", "double-descent", "spike", "divergence", "overfitting"])
@pytest.mark.parametrize("align", [None, "time", "loss", "phase"])
def test_a_run_does_not_differ_from_itself(name, align, sample_logs):
    run = analyze(sample_logs / name)
    c = diff(run, run, align=align)
    assert c.outcome == "identical"
    assert all(d.by == 0 or d.by is None for d in rows(c))
    assert not any(d.change is Change.REAL for d in rows(c))
    assert c.extras == ()
    assert all(s.outcome is not Outcome.FOUND for s in c.separations)
    assert c.config.differing == {}


@pytest.mark.parametrize("pair", [("grokking", "memorization"), ("healthy", "spike"), ("overfitting", "divergence")])
@pytest.mark.parametrize("align", [None, "time", "loss"])
def test_swapping_the_sides_mirrors_every_difference(pair, align, sample_logs):
    a, b = (analyze(sample_logs / name) for name in pair)
    one, other = diff(a, b, align=align), diff(b, a, align=align)
    assert one.outcome == other.outcome
    told = {(d.kind, d.what): d for d in rows(other)}
    for d in rows(one):
        mirrored = told[d.kind, d.what]
        assert (mirrored.a, mirrored.b, mirrored.change) == (d.b, d.a, d.change)
        assert mirrored.by == (None if d.by is None else pytest.approx(-d.by))
    swapped = {"a": "b", "b": "a"}
    assert {(e.kind, e.what, e.side, e.steps) for e in one.extras} == {
        (e.kind, e.what, swapped[e.side], e.steps) for e in other.extras
    }
    for s, t in zip(one.separations, other.separations, strict=True):
        assert (s.signal, s.outcome, s.step) == (t.signal, t.outcome, t.step)
        assert s.above is None or s.above is not t.above
    assert one.config.differing == {key: (x, y) for key, (y, x) in other.config.differing.items()}


@settings(max_examples=12)
@given(st.integers(0, 10_000))
def test_runs_that_differ_by_noise_alone_are_the_same(seed):
    a, b = planted.healthy(last=2000, seed=2 * seed), planted.healthy(last=2000, seed=20_001 + 2 * seed)
    c = diff(a, b)
    moved = [d.what for d in (*c.phases, *c.events) if d.change is Change.REAL]
    assert moved == []


def test_runs_set_alike_but_for_the_seed_differ_by_seed_noise():
    a, b = planted.grokking(half=1200.0), planted.grokking(half=1300.0, seed=4)
    c = diff(set_as(a, lr=0.1, seed=0), set_as(b, lr=0.1, seed=1))
    assert c.outcome == "seed_noise"
    assert row(c, "event", "grokking").by == pytest.approx(100, abs=40)
    assert row(c, "event", "grokking").change is Change.NONE
    assert diff(set_as(a, lr=0.1, seed=0), set_as(b, lr=0.2, seed=1)).outcome == "different"


def test_events_of_one_run_alone_are_extras_of_its_side():
    c = diff(EARLY, analyze(planted.healthy()))
    assert ("event", "grokking", "a") in {(e.kind, e.what, e.side) for e in c.extras}
    assert c.verdicts == (("grokked",), ("healthy",))


def test_the_same_value_is_reached_later_by_as_much_as_the_clocks_say():
    step = np.arange(0, 4001, 10)
    curves = [planted.decay(step, floor=0.0, scale=scale) for scale in (100.0, 200.0)]
    a, b = (planted.run(step, {"train/loss": curve, "val/loss": curve}, time=True) for curve in curves)
    c = diff(a, b)
    reach, wall = row(c, "reach", "val/loss"), row(c, "wall", "val/loss")
    assert reach.middle_b == pytest.approx(2 * reach.middle_a, rel=0.1)
    assert wall.by == pytest.approx(0.01 * reach.by, rel=0.1)
    assert reach.seconds == pytest.approx(wall.by)
    assert wall.change is Change.OPEN


def test_values_are_taken_at_the_last_place_that_both_reach():
    c = diff(planted.healthy(last=4000), planted.healthy(last=2000))
    end = row(c, "end", "val/loss")
    assert end.at == 2000
    assert end.change is Change.NONE
    assert end.middle_a == pytest.approx(end.middle_b, rel=0.05)


def test_a_phase_that_is_not_sure_is_no_difference_that_is():
    learnt = next(p for p in EARLY.phases if p.label == "converged")
    doubtful = replace(EARLY, phases=tuple(replace(p, confidence=0.8) if p is learnt else p for p in EARLY.phases))
    without = replace(EARLY, phases=EARLY.phases[:-1], transitions=EARLY.transitions[:-1])
    surely, perhaps = (diff(x, without).extras[0] for x in (EARLY, doubtful))
    assert (surely.what, surely.sure, perhaps.what, perhaps.sure) == ("converged", True, "converged", False)
    assert row(diff(doubtful, LATE), "begins", "converged").change is Change.OPEN


# --- alignments ----------------------------------------------------------------------------------


def test_by_time_a_run_on_a_slower_machine_is_later_by_its_factor():
    fast, slow = (planted.grokking(half=1200.0) for _ in range(2))
    clocked = [
        replace(r, tracks={n: replace(t, time=1e9 + pace * t.step) for n, t in r.tracks.items()})
        for r, pace in ((fast, 0.01), (slow, 0.03))
    ]
    assert row(diff(*clocked), "event", "grokking").by == 0
    late = row(diff(*clocked, align="time"), "event", "grokking")
    assert late.middle_b == pytest.approx(3 * late.middle_a)
    assert late.unit == "time"
    assert late.share == pytest.approx(2.0)


def test_by_loss_a_place_is_the_training_loss_that_was_reached():
    late = row(diff(EARLY, LATE, align="loss"), "begins", "memorization")
    assert late.change is Change.NONE
    begins = next(p.start for p in EARLY.phases if p.label == "memorization")
    assert 10**-late.middle_a == pytest.approx(4 * np.exp(-begins / 40), rel=0.1)  # as it was planted
    assert late.share is None


def test_by_phase_the_phases_lie_on_each_other_and_their_lengths_are_told():
    c = diff(EARLY, LATE, align="phase")
    assert [p.start for p in c.laid_a.phases] == [p.start for p in c.laid_b.phases]
    assert not any(d.kind == "begins" for d in c.phases)
    assert row(c, "lasts", "memorization").by > 0


def test_logs_that_count_by_different_things_need_an_axis_that_both_know():
    a, b = planted.healthy(), replace(planted.healthy(), axis="epoch")
    with pytest.raises(BadOption) as refused:
        diff(a, b)
    assert "epoch, step" in refused.value.message
    assert "--align" in refused.value.hint
    assert diff(a, b, align="loss").align == "loss"


def test_an_axis_that_a_log_does_not_know_is_refused_with_the_log_named():
    with pytest.raises(BadOption, match="planted: the log counts steps and does not give its epoch"):
        diff(planted.healthy(), planted.healthy(), align="epoch")
    with pytest.raises(BadOption) as refused:
        diff(planted.healthy(), planted.healthy(), align="moon")
    assert "phase" in refused.value.hint


def test_a_side_without_a_run_is_refused():
    with pytest.raises(BadOption, match="no run"):
        diff([], [EARLY])


# --- several seeds of each -----------------------------------------------------------------------


def seeds(half, first, spread=100.0):
    """Three runs whose generalisation scatters as seeds scatter."""
    return [analyze(planted.grokking(half=half + (k - 1) * spread, seed=first + 10 * k)) for k in range(3)]


def test_a_difference_within_the_scatter_of_the_seeds_is_seed_noise():
    c = diff(seeds(1500, 0), seeds(1530, 100))
    assert c.outcome == "seed_noise"
    assert c.chance > 0.1
    assert row(c, "event", "grokking").change is Change.NONE


def test_sets_that_differ_in_their_seeds_alone_are_seed_noise_however_far_apart():
    a, b = ([replace(x.run, config={"lr": 0.1, "seed": 10 * side + k}) for k, x in enumerate(s)]
            for side, s in enumerate((seeds(1200, 0), seeds(2000, 100))))  # fmt: skip
    c = diff(a, b)
    assert c.outcome == "seed_noise"
    assert row(c, "event", "grokking").change is Change.NONE


def test_a_difference_beyond_the_scatter_of_the_seeds_is_found_with_what_so_few_can_show():
    c = diff(seeds(1200, 0), seeds(2000, 100))
    moved = row(c, "event", "grokking")
    assert c.outcome == "different"
    assert c.chance == pytest.approx(0.1) == c.least_p
    assert (moved.change, moved.p) == (Change.REAL, pytest.approx(0.1))
    assert moved.by == pytest.approx(800, abs=80)
    assert row(c, "event", "memorization_onset").change is Change.NONE


def test_two_seeds_against_two_cannot_say():
    c = diff(seeds(1200, 0)[:2], seeds(2400, 100)[:2])
    assert c.outcome == "undecided"
    assert c.least_p == pytest.approx(1 / 3)
    assert row(c, "event", "grokking").change is Change.OPEN


def test_a_run_in_which_it_never_came_counts_as_later():
    never = [analyze(planted.grokking(half=60_000.0, seed=s)) for s in (1, 11)]
    c = diff(seeds(1200, 0), [*never, analyze(planted.grokking(half=2500.0, seed=21))])
    moved = row(c, "event", "grokking")
    assert moved.b.count(None) == 2
    assert moved.middle_b is None
    assert moved.by is None
    assert moved.change is Change.REAL


def test_what_no_run_of_one_side_has_counts_too():
    never = [analyze(planted.grokking(half=60_000.0, seed=s)) for s in (1, 11, 21)]
    c = diff(seeds(1200, 0), never)
    assert c.outcome == "different"
    assert ("grokking", "a", 3) in {(e.what, e.side, e.runs) for e in c.extras}


def test_the_order_in_which_runs_are_given_does_not_matter():
    a, b = seeds(1200, 0), seeds(1900, 100)
    one, other = diff(a, b), diff(a[::-1], [b[1], b[2], b[0]])
    assert one.chance == other.chance
    assert [(d.kind, d.what, d.by, d.p, d.change) for d in rows(one)] == [
        (d.kind, d.what, d.by, d.p, d.change) for d in rows(other)
    ]


# --- the noun ------------------------------------------------------------------------------------


def test_a_comparison_shows_itself_in_words_as_a_frame_and_in_a_notebook():
    c = diff(EARLY, LATE)
    assert "DIFFERENT" in str(c)
    assert "<" in c._repr_html_()
    frame = c.to_polars()
    assert frame.filter(frame["what"] == "grokking")["by"][0] == row(c, "event", "grokking").by
    assert len(frame) == len(rows(c))
    assert set(frame["change"]) <= {"none", "real", "open"}
