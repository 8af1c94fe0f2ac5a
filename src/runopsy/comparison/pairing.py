"""Which phase of one run answers to which of another, and which event to which."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from runopsy.kinds import ONCE
from runopsy.model import Autopsy, Event, Extra, Phase, Position

GRAIN = 1e-3  # of the run: phases that begin within it begin together
NEAR = 0.1  # in log elapsed steps: events of a kind that comes often are the same one if they lie closer
SURE = 0.9  # confidence: phases that noise alone adds to a run have 0.80 to 0.88, real ones mostly 0.92 to 0.95


@dataclass(frozen=True, slots=True)
class Slot:
    """One phase of the common story, and where each run has it."""

    label: str
    phases: tuple[int | None, ...]  # per run, A's first: index into its phases


def slots(autopsies: Sequence[Autopsy]) -> tuple[Slot, ...]:
    """The common story: the phases of the run that the others resemble most, with each run's own."""
    typical = autopsies[middle(autopsies)].phases
    partners = [dict(_match(typical, x.phases).who) for x in autopsies]
    return tuple(Slot(p.label, tuple(partner.get(k) for partner in partners)) for k, p in enumerate(typical))


def middle(autopsies: Sequence[Autopsy]) -> int:
    """Which run the others resemble most; whichever the order they are given in."""

    def likeness(x: Autopsy) -> tuple[int, float, list[float]]:
        found = [_match(x.phases, y.phases) for y in autopsies]
        starts = [-p.start for p in x.phases]  # settles a tie, as between two
        return sum(m.pairs for m in found), -sum(m.distance for m in found), starts

    return max(range(len(autopsies)), key=lambda i: likeness(autopsies[i]))


def extra_phases(autopsies: Sequence[Autopsy], split: int, story: Sequence[Slot]) -> list[Extra]:
    """Phases that one side has and the other has not: no slot is shared, and no other phase of that name is left."""
    found: list[Extra] = []
    lone: dict[tuple[str, str], list[tuple[int, Phase]]] = {}
    for slot in story:
        who = [i for i, k in enumerate(slot.phases) if k is not None]
        if not any(i < split for i in who) or not any(i >= split for i in who):
            side = "a" if who[0] < split else "b"
            at = [(i, autopsies[i].phases[slot.phases[i] or 0]) for i in who]
            lone.setdefault((slot.label, side), []).extend(at)
    for i, x in enumerate(autopsies):
        taken = {slot.phases[i] for slot in story}
        for k, phase in enumerate(x.phases):
            if k not in taken:
                lone.setdefault((phase.label, "a" if i < split else "b"), []).append((i, phase))
    for (label, side), at in lone.items():
        if (label, "b" if side == "a" else "a") not in lone:
            runs = len({i for i, _ in at})
            steps = tuple(sorted(phase.start for _, phase in at))
            found.append(Extra("phase", label, side, steps, runs, any(sure(phase) for _, phase in at)))
    return found


def sure(phase: Phase) -> bool:
    """Whether a phase is more than the noise of a log may make."""
    return phase.confidence is None or phase.confidence >= SURE


def extra_events(a: Sequence[Autopsy], b: Sequence[Autopsy]) -> list[Extra]:
    """Events of one side to which none of the other side answers."""
    found = []
    for side, mine, others in (("a", a, b), ("b", b, a)):
        theirs = [(o, e) for o in others for e in o.events]
        lone = [
            (i, e) for i, x in enumerate(mine) for e in x.events if not any(_answers(x, e, o, f) for o, f in theirs)
        ]
        for kind in dict.fromkeys(e.kind for _, e in lone):
            at = sorted(e.step for _, e in lone if e.kind == kind)
            found.append(Extra("event", kind, side, tuple(at), len({i for i, e in lone if e.kind == kind})))
    return found


def _answers(x: Autopsy, event: Event, y: Autopsy, other: Event) -> bool:
    if (event.kind, event.code) != (other.kind, other.code):
        return False
    if event.kind in ONCE:
        return True
    lie, interval = event.interval or (event.step,) * 2, other.interval or (other.step,) * 2
    if lie[0] <= interval[1] and interval[0] <= lie[1]:
        return True
    return abs(math.log(_elapsed(event.step, x) / _elapsed(other.step, y))) < NEAR


def _elapsed(step: Position, x: Autopsy) -> float:
    return max(step - x.first, GRAIN * (x.last - x.first), 1e-300)


@dataclass(frozen=True, slots=True)
class _Match:
    pairs: int
    distance: float  # summed over the pairs, of their beginnings, in log elapsed steps
    who: tuple[tuple[int, int], ...] = ()


def _match(x: Sequence[Phase], y: Sequence[Phase]) -> _Match:
    """As many phases of one name as keep their order; among such matchings the one whose phases lie closest."""
    if not x or not y:
        return _Match(0, 0.0)
    longest = max(x[-1].end - x[0].start, y[-1].end - y[0].start)

    def log(phase: Phase, story: Sequence[Phase]) -> float:
        return math.log(max(phase.start - story[0].start, GRAIN * longest, 1e-300))

    best = [[_Match(0, 0.0)] * (len(y) + 1) for _ in range(len(x) + 1)]
    for i, p in enumerate(x):
        for j, q in enumerate(y):
            options = [best[i][j + 1], best[i + 1][j]]
            if p.label == q.label:
                before = best[i][j]
                apart = before.distance + abs(log(p, x) - log(q, y))
                options.append(_Match(before.pairs + 1, apart, (*before.who, (i, j))))
            best[i + 1][j + 1] = max(options, key=lambda m: (m.pairs, -m.distance))
    return best[-1][-1]
