"""How sure phases and verdict are: what other careful readers would have concluded of the same run.

A committee reads the run again. Each member multiplies every threshold by a random factor and adds to each
fitted curve a smooth error as large as the fit's own. What all members conclude depends neither on our choice of
thresholds nor on the noise; where they differ, that is how much it does. The share that agrees is turned into
a confidence by what agreement was worth on runs whose truth is known (``make bench-confidence``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runopsy import phases, verdicts
from runopsy.facts import Case, Curve, Facts
from runopsy.facts.table import concluded
from runopsy.model import (
    Event,
    Phase,
    Position,
    Positions,
    Segments,
    Transition,
    Values,
    Verdict,
)
from runopsy.stats import first_spacing, quantiles
from runopsy.thresholds import THRESHOLDS, Limits

# The members' numbers: the middles of eight equal parts of the normal distribution, (i + 1/2) / 8. Drawn so, eight know
# a share as well as sixteen drawn apart do: to .06, against 128 of them on 57 logs.
MIDDLES = (-1.5341, -0.8871, -0.4888, -0.1573, 0.1573, 0.4888, 0.8871, 1.5341)
MEMBERS = len(MIDDLES)
FACTOR = 0.35  # standard deviation of a threshold's logarithm: two readers seldom differ by more than a factor of 2
EVERY = 2  # points of the grid that members read: twice as fine moves no interval
KNOTS = 12  # of the smooth error, even in log elapsed steps: about as many stretches as a long run has
SHAKEN = 1.0  # standard errors of a point by which a member reads a curve otherwise
TAIL = 0.1  # of the members' answers beyond either end of a 90 % interval: they differ more than the noise makes them
# What agreement was worth where the truth is known, by the rows of the log. Of phases: make bench-confidence, and the
# epoch logs and cases as they are, with every second row, and with 4 % of noise. Of verdicts: 200 trainings drawn at
# random, by the code before anybody had looked at them (tests/epochs/drawn): where fewer than half of the members
# agreed 15 of 22 were right, to .8 33 of 41, below all 41 of 50, where all agreed 75 of 80; and 48 sealed ones, which
# show the same but for the first, 5 of 11. The rules have learnt since, and a little more is stated.
FEW_ROWS = 12  # rows: in a shorter log the same agreement was worth less
PHASE_AGREED = (0.0, 0.5, 0.8, 1.0)
PHASE_RIGHT, PHASE_RIGHT_FEW = (0.75, 0.82, 0.9, 0.95), (0.65, 0.72, 0.82, 0.9)
VERDICT_AGREED = (0.0, 0.5, 0.8, 1.0)
VERDICT_RIGHT, VERDICT_RIGHT_FEW = (0.55, 0.72, 0.85, 0.95), (0.5, 0.7, 0.82, 0.92)
FIRST_ROWS = 1  # points of the members' grid, two rows of the log: the start of a curve is the median of five
VALUES_OF = attrgetter(*(one.name for one in THRESHOLDS))
HEARD = 0.5  # of the members that must know a transition for it to have a place


@dataclass(frozen=True, slots=True, eq=False)
class Committee:
    """What its members concluded."""

    grid: Positions  # (g,)
    labels: NDArray[np.str_]  # (members, g)
    words: tuple[str, ...]  # (members,) verdicts


def ask(case: Case, events: Sequence[Event]) -> Committee:
    """Every member's phases and verdict; the same members each time.

    Events that need the full log (divergence, spikes, jumps of the rate) are taken as found.
    """
    gone = phases.divergence(events)
    elapsed = {name: _elapsed(case.segments[name]) for name in phases.WATCHED if name in case.segments}
    grid = phases.grid(case, gone)[::EVERY] if elapsed else np.zeros(0)
    known = phases.doubts(case.segments, grid)
    curves = len(case.facts.curves) * (KNOTS + 1)
    errors = _drawn(len(THRESHOLDS) + curves + len(elapsed) * KNOTS)[:, len(THRESHOLDS) :]
    labels, words = [], []
    for limits, drawn in zip(other_limits(case.limits), errors, strict=True):
        facts = _asked_again(case, limits, drawn[:curves].reshape(-1, KNOTS + 1))
        words.append(verdicts.name_of(facts))
        if elapsed:
            shaken = _shaken(case.segments, elapsed, drawn[curves:].reshape(-1, KNOTS))
            own = replace(case, segments=shaken, facts=facts, limits=limits)
            spells = phases.spells(own, grid, gone, known)
            labels.append([label for a, b, label in spells for _ in range(b - a)])
    return Committee(grid, np.array(labels, dtype=np.str_), tuple(words))


@lru_cache(maxsize=8)
def _drawn(count: int) -> Values:
    """(members, count) standard normal numbers, the first of each member the same however many are asked.

    Each column holds the middles in an order of its own: a Latin hypercube. (McKay, Beckman and Conover 1979,
    Technometrics 21.)
    """
    return np.random.default_rng(0).permuted(np.tile(MIDDLES, (count, 1)), axis=1).T


def _asked_again(case: Case, limits: Limits, drawn: Values) -> Facts:
    """The facts with other limits, of curves that differ by their own noise: a row of numbers for each."""
    named = zip(case.facts.curves.items(), drawn, strict=True)
    curves = {name: _other_curve(curve, own) for (name, curve), own in named}
    judged = {name: case.signals[name] for name in case.facts.curves if name in case.signals}
    extent, leap = (case.first, case.last), case.facts.leap
    return concluded(curves, judged, case.facts.spikes, case.run.marks, case.changes, extent, leap, limits)


def _other_curve(curve: Curve, drawn: Values) -> Curve:
    """A curve whose fit and last level are moved by their own errors."""
    error = np.interp(_along(len(curve.fit)), np.arange(KNOTS), drawn[:KNOTS])
    last = curve.ends + curve.ends_error * float(drawn[KNOTS])
    return replace(curve, fit=curve.fit + SHAKEN * curve.error * error, ends=last)


@lru_cache(maxsize=64)
def _along(points: int) -> Values:
    """(points,) where evenly spread points lie among the knots: the same for every member."""
    return np.linspace(0, KNOTS - 1, points)


def other_limits(limits: Limits) -> tuple[Limits, ...]:
    """The limits as each member would have set them: those near 1 by what is left to 1."""
    others = _others(VALUES_OF(limits))
    return tuple(replace(other, own=limits.own) for other in others) if limits.own else others


@lru_cache(maxsize=4)
def _others(values: tuple[float, ...]) -> tuple[Limits, ...]:
    """The limits of every member from the values of ours: each draws the same factors for every run."""
    factors = np.exp(FACTOR * _drawn(len(THRESHOLDS)))
    return tuple(Limits(**_moved(values, own)) for own in factors.tolist())


def _moved(values: tuple[float, ...], factors: Sequence[float]) -> dict[str, Any]:
    """Threshold → its value times a factor."""
    changed = {}
    for about, value, factor in zip(THRESHOLDS, values, factors, strict=True):
        moved = 1 - (1 - value) * factor if about.high == 1 and value > 0.5 else value * factor
        changed[about.name] = min(max(round(moved) if isinstance(value, int) else moved, about.low), about.high)
    return changed


def _elapsed(segments: Segments) -> tuple[Values, Values]:
    """Log elapsed steps of the points of a fitted curve, and of the knots of its errors."""
    u = np.log(segments.step - segments.step[0] + first_spacing(segments.step))
    return u, np.linspace(u[0], u[-1], KNOTS)


def _shaken(
    segments: Mapping[str, Segments], elapsed: Mapping[str, tuple[Values, Values]], drawn: Values
) -> dict[str, Segments]:
    """The fitted curves with a smooth error of the size of their own: a row of numbers for each."""
    shaken = {}
    for (name, (points, knots)), own in zip(elapsed.items(), drawn, strict=True):
        s = segments[name]
        error = np.interp(points, knots, own)
        shaken[name] = replace(s, curve=s.curve + s.spread * error)
    return shaken


def agreement(committee: Committee, phase: Phase) -> float:
    """The share of members that give a phase its name, half of it weighed by step and half by log step."""
    inside = (committee.grid >= phase.start) & (committee.grid < phase.end)
    weights = _weights(committee.grid)[:, inside]
    same = (committee.labels[:, inside] == phase.label).mean(axis=0)
    return float(np.mean(weights @ same / weights.sum(axis=1))) if inside.any() else 0.0


def _weights(grid: Positions) -> Values:
    """(2, g) what each point of the grid stands for, in steps and in log elapsed steps."""
    elapsed = grid - grid[0] + first_spacing(grid)
    if len(grid) < 2:
        return np.ones((2, len(grid)))
    return np.array([np.diff(of, append=2 * of[-1] - of[-2]) for of in (elapsed, np.log(elapsed))])


def weigh(
    case: Case,
    events: Sequence[Event],
    named: Sequence[Phase],
    transitions: Sequence[Transition],
    verdict: Verdict,
) -> tuple[tuple[Phase, ...], tuple[Transition, ...], Verdict]:
    """The same phases, transitions and verdict with how sure each is."""
    committee, window = ask(case, events), case.limits.beside
    few = case.facts.rows < FEW_ROWS
    phase_right, verdict_right = (PHASE_RIGHT_FEW, VERDICT_RIGHT_FEW) if few else (PHASE_RIGHT, VERDICT_RIGHT)
    sure = tuple(_with_confidence(p, committee, phase_right) for p in named)
    spans = list(zip(transitions, pairwise(named), strict=True))
    placed = tuple(replace(t, interval=_interval(committee, t, before, after, window)) for t, (before, after) in spans)
    if verdict.name == "inconclusive":
        return sure, placed, verdict  # it claims nothing of which one could be sure
    agreed = float(np.mean([word == verdict.name for word in committee.words]))
    return sure, placed, replace(verdict, confidence=_worth(agreed, VERDICT_AGREED, verdict_right))


def _with_confidence(phase: Phase, committee: Committee, right: Sequence[float]) -> Phase:
    """How sure a phase is; not known where no curve had a value that the members could read."""
    if not len(committee.grid):
        return phase
    return replace(phase, confidence=_worth(agreement(committee, phase), PHASE_AGREED, right))


def _worth(agreed: float, shares: Sequence[float], right: Sequence[float]) -> float:
    """How often a claim was right that so many members agreed with; two digits, as no more are known."""
    return round(float(np.interp(agreed, shares, right)), 2)


def _interval(
    committee: Committee, t: Transition, before: Phase, after: Phase, window: float
) -> tuple[Position, Position] | None:
    """Where nine in ten members that know the transition put it; None where too few know it."""
    grid = committee.grid
    inside = (grid >= before.start) & (grid <= after.end)
    labels, places = committee.labels[:, inside], grid[inside]
    steps = []
    for turned in (labels[:, :-1] == t.before) & (labels[:, 1:] == t.after):
        at = places[1:][turned]
        if len(at):
            steps.append(float(at[np.argmin(np.abs(at - t.step))]))
    if len(steps) < HEARD * len(committee.labels):
        return None
    low, high = quantiles([*steps, t.step], (TAIL, 1 - TAIL))
    elapsed, row = t.step - grid[0], _row(grid, t.step)
    low = min(float(low), grid[0] + elapsed / (1 + window), t.step - FIRST_ROWS * row)
    high = max(float(high), grid[0] + elapsed * (1 + window), t.step + row)
    return float(max(low, before.start)), float(min(high, after.end))


def _row(grid: Positions, step: Position) -> float:
    """The distance of the grid's points before a step: nothing finer is known."""
    at = int(np.clip(np.searchsorted(grid, step), 1, len(grid) - 1))
    return float(grid[at] - grid[at - 1])
