"""Which phase answers to which."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

import planted
from runopsy import analyze
from runopsy.comparison.pairing import ONCE, extra_events, extra_phases, middle, slots
from runopsy.kinds import KINDS
from runopsy.model import Event, Phase, Severity

BASE = analyze(planted.healthy(last=400))


def run(*phases, last=1000.0, events=()):
    """An autopsy with phases given as (label, start), and events as (kind, step)."""
    starts = [start for _, start in phases]
    told = tuple(Phase(label, s, e) for (label, s), e in zip(phases, [*starts[1:], last], strict=True))
    check = replace(BASE.checks[0], events=tuple(Event(kind, "X", step, Severity.INFO, ()) for kind, step in events))
    return replace(BASE, first=0.0, last=last, phases=told, transitions=(), checks=(check,))


def test_phases_of_one_name_answer_to_each_other_in_their_order():
    a = run(("underfitting", 0), ("memorization", 20), ("feature_learning", 100), ("converged", 400))
    b = run(("underfitting", 0), ("feature_learning", 150), ("converged", 300))
    found = {s.label: s.phases for s in slots([a, b])}
    assert found["converged"] == (3, 2)
    assert found["feature_learning"] == (2, 1)
    assert [(e.what, e.side) for e in extra_phases([a, b], 1, slots([a, b]))] == [("memorization", "a")]


def test_of_two_phases_of_one_name_the_nearer_answers():
    a = run(("feature_learning", 0), ("converged", 50), ("feature_learning", 400), ("converged", 800))
    b = run(("underfitting", 0), ("feature_learning", 390), ("converged", 790))
    assert {s.label: s.phases for s in slots([a, b]) if None not in s.phases} == {
        "feature_learning": (2, 1),
        "converged": (3, 2),
    }


labels = st.sampled_from(["underfitting", "feature_learning", "memorization", "converged"])
stories = st.lists(labels, min_size=1, max_size=6).flatmap(
    lambda said: st.lists(st.integers(1, 999), min_size=len(said) - 1, max_size=len(said) - 1, unique=True).map(
        lambda cuts: run(*zip(said, [0, *sorted(cuts)], strict=True))
    )
)


@given(stories, stories)
def test_swapping_the_sides_pairs_the_same_phases(a, b):
    """As many phases of one name are paired, and as far apart; ties may be broken another way."""

    def pairs(x, y):
        return [s.phases for s in slots([x, y]) if None not in s.phases]

    def apart(x, y):
        return sum(abs(x.phases[i].start - y.phases[j].start) for i, j in pairs(x, y))

    assert len(pairs(a, b)) == len(pairs(b, a))


@given(stories)
def test_a_run_answers_to_itself_phase_by_phase(a):
    assert [s.phases for s in slots([a, a])] == [(k, k) for k in range(len(a.phases))]


def test_only_kinds_that_exist_answer_wherever_they_lie():
    assert {*ONCE} <= {*KINDS}


def test_the_middle_run_is_the_one_that_the_others_resemble():
    odd = run(("underfitting", 0), ("diverged", 100))
    early = run(("underfitting", 0), ("feature_learning", 10))
    late = run(("underfitting", 0), ("feature_learning", 30))
    between = run(("underfitting", 0), ("feature_learning", 18))
    assert middle([odd, early, between, late]) == 2
    assert middle([late, between, early, odd]) == 1


def test_a_milestone_answers_wherever_it_lies_and_a_spike_only_nearby():
    a = run(("underfitting", 0), events=[("grokking", 100), ("loss_spike", 200)])
    b = run(("underfitting", 0), events=[("grokking", 900), ("loss_spike", 205), ("loss_spike", 700)])
    assert [(e.what, e.side, e.steps) for e in extra_events([a], [b])] == [("loss_spike", "b", (700,))]
    assert extra_events([a], [a]) == []
