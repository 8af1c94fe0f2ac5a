"""Segments + Events → Phases: what each stretch of the run is called.

Every point of a grid is read (``readings``) and given the first label that fits (``labels``); spells
too short to be seen are joined to their neighbours (``spells``).
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import numpy as np

from runopsy.facts import Case
from runopsy.facts.curve import EVALUATIONS
from runopsy.kinds import INTERVENTIONS
from runopsy.model import Event, Evidence, Phase, Position, Positions, Transition
from runopsy.phases.labels import corrected_by_facts, labels_of, one_passage, plateaus, plausible
from runopsy.phases.readings import WATCHED, Doubts, doubts, read
from runopsy.phases.spells import Spell, join_short, spells_of, visible
from runopsy.stats import distinct, first_spacing

__all__ = ["WATCHED", "Doubts", "Spell", "divergence", "doubts", "grid", "name", "phases_of", "spells", "transitions"]

GRID = 400  # points at which the run is read, half even in steps and half in log steps: a phase shorter than
# 0.5 % of the run, or 2 % of the steps before it, is no phase


def phases_of(case: Case, events: Iterable[Event]) -> tuple[tuple[Phase, ...], tuple[Transition, ...]]:
    """The phases of a run and where each gives way to the next; none where no judged curve has values enough."""
    events = tuple(events)
    gone = divergence(events)
    if not any(name in WATCHED for name in case.segments):
        lost = gone is not None and gone <= case.first  # no value was ever finite
        return ((Phase("diverged", case.first, case.last, ()),) if lost else ()), ()
    points = grid(case, gone)
    named = name(case, points, spells(case, points, gone, doubts(case.segments, points)))
    return named, transitions(case, named, events)


def name(case: Case, points: Positions, spells_found: list[Spell]) -> tuple[Phase, ...]:
    """The spells of a run as phases, half-open and without gaps, each with what the watched curves did over it."""
    starts = [case.first, *(float(points[a]) for a, _, _ in spells_found[1:])]
    ends = [*starts[1:], case.last]
    return tuple(
        Phase(word, start, end, _why(case, start, end))
        for (_, _, word), start, end in zip(spells_found, starts, ends, strict=True)
    )


def spells(case: Case, points: Positions, gone: Position | None, known: Doubts) -> list[Spell]:
    """The runs of equal labels along a grid of positions; from ``gone`` on the run has diverged."""
    readings = read(case, points, gone, known)
    labels = one_passage(labels_of(readings, case), readings, case)
    found = seen(case, points, corrected_by_facts(labels, points, case))
    if case.facts.rows > EVALUATIONS:  # many short spells may have been joined; in a short log the facts have decided
        joined = [word for start, stop, word in found for _ in range(stop - start)]
        found = spells_of(plausible(joined, readings, case))
    return plateaus(found)


def seen(case: Case, points: Positions, labels: list[str]) -> list[Spell]:
    """The runs of equal labels that are long enough to be seen."""
    return join_short(spells_of(labels), visible(case, points))


def divergence(events: Iterable[Event]) -> Position | None:
    """Where the run left for good, if it did."""
    return next((e.step for e in events if e.kind == "divergence"), None)


def transitions(case: Case, phases: tuple[Phase, ...], events: Iterable[Event]) -> tuple[Transition, ...]:
    """Where one phase gives way to the next: which curves turn there, and what was changed by hand.

    It is confirmed where a second curve turns there too, and one of those that do is a validation curve; or where
    several recorded signals change together.
    """
    handles = [
        *((e.step, e.kind) for e in events if e.kind in INTERVENTIONS),
        *((m.step, m.kind) for m in case.run.marks),
    ]
    together = [e.step for e in events if e.kind == "common_change"]
    found = []
    for before, after in pairwise(phases):
        near = case.limits.beside * max(after.start - case.first, 1.0)
        turning = tuple(n for n, s in case.segments.items() if np.any(np.abs(s.edges[1:-1] - after.start) <= near))
        beside = [kind for step, kind in handles if abs(step - after.start) <= near]
        explained = beside[0] if beside else None
        confirmed = len(turning) > 1 and any(n.startswith("val/") for n in turning)
        confirmed = confirmed or any(abs(step - after.start) <= near for step in together)
        found.append(Transition(after.start, before.label, after.label, turning, explained, confirmed=confirmed))
    return tuple(found)


def grid(case: Case, also: Position | None) -> Positions:
    """The positions at which a run is read, logged ones, with one more that must not be missed."""
    length = max(case.last - case.first, 1e-9)
    low = max(min(first_spacing(s.step) for n, s in case.segments.items() if n in WATCHED), length * 1e-6)
    log = np.geomspace(low, length, GRID // 2)
    points = distinct(np.concatenate([[0.0], log, np.linspace(0, length, GRID // 2)])) + case.first
    # boundaries stand on steps that the log knows
    logged = max((case.signals[n].step for n in case.segments if n in WATCHED), key=len)
    points = logged[np.clip(np.searchsorted(logged, points), 0, len(logged) - 1)]
    return distinct(np.concatenate([[case.first], points, [] if also is None else [also]]))


def _why(case: Case, start: Position, end: Position) -> tuple[Evidence, ...]:
    """What each watched signal did over the phase."""
    proof = []
    for signal in WATCHED:
        if signal in case.segments and (case.segments[signal].step[0] < end or end >= case.last):
            s = case.segments[signal]
            # the last point before the end: across a hard boundary, interpolation would mix two phases
            last = max(int(np.searchsorted(s.step, end)) - 1, 0) if end < case.last else len(s.step) - 1
            a, b = float(np.interp(start, s.step, s.curve)), float(s.curve[last])
            proof.append(Evidence(signal, end, b, a, "", "at the end of the phase, compared with its beginning"))
    return tuple(proof)
