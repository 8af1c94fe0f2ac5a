"""Segments + Events → Phases: what each stretch of the run is called.

Every point of a grid is read (how far has training come, does it improve, does validation) and given
the first label of ``LABELS`` that fits; spells too short to be seen are joined to their neighbours.
The definitions are those by which labelled runs are scored: see the documentation of each label.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from runopsy.model import Case, Event, Evidence, Phase, Position, Positions, Segments, Transition, Values
from runopsy.stats import first_spacing

GRID = 400  # points at which the run is read, half even in steps and half in log steps: a phase shorter than
# 0.5 % of the run, or 2 % of the steps before it, is no phase
WINDOW = 0.12  # of the elapsed steps, over which a change is judged
LOSS_MOVES = 0.02  # of the loss's whole drop, over the window
ACC_MOVES = 0.015  # of accuracy, over the window
HOLD = 0.6  # of the two thresholds above, while moving already
FIRST = 5  # rows whose median is the loss at the start
STARTED = 0.05  # of the training loss's drop: below it, training has not begun to fit
NEAR_BEST = 0.1  # of validation's own drop, or of accuracy's gain: closer than this is at its best
LEARNT = 0.1  # of the loss's start, or of accuracy: a smaller change is no learning at all
GAP = 0.05  # of the training loss's drop, or of accuracy, by which validation is worse: smaller gaps every run has
PACE = 0.3  # of training's progress, each in shares of its own drop, that validation must make to follow it
MOSTLY_DONE = 0.6  # of the training loss's drop: a pause before it is a plateau on the way
NOISE = 2.0  # standard errors of the fitted curve that a change over the window must exceed
SHORTEST = 0.15  # in log elapsed steps: a spell shorter than this (16 % of the steps before it) …
FEWEST_READINGS = 3  # evaluations in a spell that says validation does not move: with fewer, it may have
SHORTEST_OF_RUN = 0.03  # … and than this share of the run joins a neighbour


@dataclass(frozen=True, slots=True)
class Reading:
    """What can be said of one moment of a run. Shares are of the whole run's change."""

    step: Position
    train_done: float  # share of the training loss's drop already made
    train_improves: bool
    val_known: bool
    val_improves: bool
    val_keeps_pace: bool  # validation makes, in shares of its own drop, a fair part of what training makes
    val_near_best: bool
    gap_open: bool  # validation stands clearly worse than training
    fresh: bool  # no example has been seen twice by the end of the run: training loss is a validation
    diverged: bool


Label = tuple[str, Callable[[Reading], bool]]

LABELS: tuple[Label, ...] = (
    ("diverged", lambda r: r.diverged),
    ("underfitting", lambda r: r.train_done < STARTED),
    ("feature_learning", lambda r: r.val_improves),
    ("feature_learning", lambda r: not r.val_known and r.fresh and r.train_improves),
    ("fitting", lambda r: not r.val_known and r.train_improves),
    ("memorization", lambda r: r.val_known and r.train_improves and not r.val_keeps_pace),
    ("memorization", lambda r: r.val_known and r.gap_open and not r.val_near_best),
    ("feature_learning", lambda r: r.val_known and (r.train_improves or r.train_done < MOSTLY_DONE)),
    ("converged", lambda r: True),
)


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """A fitted signal on the grid: its value, and its change over the window centred at each point."""

    value: Values
    change: Values
    error: Values  # one standard error of that change
    spread: Values  # one standard error of the value


def name(case: Case, events: Iterable[Event]) -> tuple[Phase, ...]:
    """The phases of a run, half-open and without gaps; none where there is no training loss to read."""
    if "train/loss" not in case.segments:
        return ()
    gone = _divergence(events)
    grid = _grid(case, gone)
    readings = _read(case, grid, gone)
    labels = _one_passage(_without_gap([_label(reading) for reading in readings], readings), case)
    spells = _join_short(_spells(labels), _visible(case, grid))
    starts = [case.first, *(float(grid[a]) for a, _, _ in spells[1:])]
    ends = [*starts[1:], case.last]
    return tuple(
        Phase(label, start, end, _why(case, start, end))
        for (_, _, label), start, end in zip(spells, starts, ends, strict=True)
    )


def transitions(case: Case, phases: tuple[Phase, ...], events: Iterable[Event]) -> tuple[Transition, ...]:
    """Where one phase gives way to the next: which curves turn there, and what was changed by hand."""
    handles = [e for e in events if e.kind in ("lr_change", "resume")]
    found = []
    for before, after in pairwise(phases):
        near = WINDOW * max(after.start - case.first, 1.0)
        turning = tuple(n for n, s in case.segments.items() if np.any(np.abs(s.edges[1:-1] - after.start) <= near))
        beside = [e for e in handles if abs(e.step - after.start) <= near]
        explained = beside[0].kind if beside else None
        found.append(Transition(after.start, before.label, after.label, turning, explained))
    return tuple(found)


# --- reading -------------------------------------------------------------------------------------


def _grid(case: Case, also: Position | None) -> Positions:
    length = max(case.last - case.first, 1e-9)
    low = max(min(first_spacing(s.step) for s in case.segments.values()), length * 1e-6)
    log = np.geomspace(low, length, GRID // 2)
    points = np.unique(np.concatenate([[0.0], log, np.linspace(0, length, GRID // 2)])) + case.first
    logged = case.signals["train/loss"].step  # boundaries stand on steps that the log knows
    points = np.append(points, [] if also is None else also)
    return np.unique(np.append(case.first, logged[np.clip(np.searchsorted(logged, points), 0, len(logged) - 1)]))


def _motion(segments: Segments, grid: Positions, first: Position) -> Motion:
    elapsed = np.maximum(grid - first, first_spacing(segments.step))
    early, late = elapsed / (1 + WINDOW / 2) + first, elapsed * (1 + WINDOW / 2) + first

    def at(where: Positions, values: Values) -> Values:
        return np.interp(where, segments.step, values)

    change = at(late, segments.curve) - at(early, segments.curve)
    error = at(grid, segments.rate_spread) * np.log1p(WINDOW)
    return Motion(at(grid, segments.curve), change, error, at(grid, segments.spread))


def _read(case: Case, grid: Positions, diverged_from: Position | None) -> list[Reading]:
    raw = {n: _motion(s, grid, case.first) for n, s in case.segments.items() if n in WATCHED}
    motions = {n: _motion(_new_ground(case.segments[n]), grid, case.first) for n in raw}
    train, train_acc = motions["train/loss"], motions.get("train/acc")
    start = float(np.median(case.signals["train/loss"].value[:FIRST]))  # as logged: a fitted line overshoots at its end
    drop = float(start - train.value.min())
    done = np.clip((start - train.value) / drop, 0, 1) if drop > 0 else np.zeros_like(grid)
    if drop < LEARNT * abs(start) and (train_acc is None or np.ptp(train_acc.value) < LEARNT):
        done = np.zeros_like(grid)  # it never learnt anything: no drop to take shares of
    train_improves = _falls(train, drop) | _rises(train_acc)
    val_improves, near = np.zeros(len(grid), bool), np.ones(len(grid), bool)
    if (loss := motions.get("val/loss")) is not None:
        fall = _own_drop(loss)
        val_improves |= _falls(loss, fall)
        near &= loss.value - loss.value.min() <= NEAR_BEST * fall
    if (acc := motions.get("val/acc")) is not None:
        val_improves |= _rises(acc)
        near &= np.asarray(acc.value.max() - acc.value <= max(NEAR_BEST * np.ptp(acc.value), 2 * ACC_MOVES))
        near &= bool(acc.value.max() - acc.value[0] > LEARNT)  # at its best, and that is chance
    known = loss is not None or acc is not None
    gap, pace = _gap(raw, drop), _pace(motions, drop)
    reached = np.maximum.accumulate(done)
    reached[0] = 0.0  # by definition: noise in the first rows is no learning
    fresh = _never_repeats(case)
    return [
        Reading(
            step=float(step),
            train_done=float(reached[i]),
            train_improves=bool(train_improves[i]),
            val_known=known,
            val_improves=bool(val_improves[i]),
            val_keeps_pace=bool(pace[i]),
            val_near_best=bool(near[i]),
            gap_open=bool(gap[i]),
            fresh=fresh,
            diverged=diverged_from is not None and bool(step >= diverged_from),
        )
        for i, step in enumerate(grid)
    ]


def _new_ground(segments: Segments) -> Segments:
    """Training counts where it is better than ever before: climbing out of a spike is no learning."""
    if segments.signal == "train/loss":
        return replace(segments, curve=np.minimum.accumulate(segments.curve))
    if segments.signal == "train/acc":
        return replace(segments, curve=np.maximum.accumulate(segments.curve))
    return segments


def _gap(motions: Mapping[str, Motion], drop: float) -> NDArray[np.bool_]:
    """Whether validation stands clearly worse than training: without a gap, what is learnt carries over."""
    train, val = motions["train/loss"], motions.get("val/loss")
    train_acc, val_acc = motions.get("train/acc"), motions.get("val/acc")
    open_ = np.zeros(len(train.value), bool)
    if val is not None:
        open_ |= _stands_out(val.value - train.value, GAP * max(drop, 1e-12), val, train)
    if train_acc is not None and val_acc is not None:
        open_ |= _stands_out(train_acc.value - val_acc.value, GAP, val_acc, train_acc)
    return open_


def _stands_out(gap: Values, least: float, val: Motion, train: Motion) -> NDArray[np.bool_]:
    return np.asarray((gap > least) & (gap > NOISE * np.hypot(val.spread, train.spread)))


WATCHED = ("train/loss", "train/acc", "val/loss", "val/acc")


def _own_drop(loss: Motion) -> float:
    """From where it starts, or from its highest later point, down to its lowest: the scale of its changes."""
    falls = np.maximum.accumulate(loss.value) - loss.value
    return float(max(falls.max(), 0.05 * abs(loss.value[0])))


def _falls(loss: Motion, drop: float) -> NDArray[np.bool_]:
    return _held(-loss.change / max(drop, 1e-12) / LOSS_MOVES, -loss.change > NOISE * loss.error)


def _rises(acc: Motion | None) -> NDArray[np.bool_] | bool:
    if acc is None:
        return False
    return _held(acc.change / ACC_MOVES, acc.change > NOISE * acc.error)


def _held(strength: Values, real: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Where something moves: from strength 1 on, until it falls below ``HOLD``. One threshold would flicker."""
    moving, now = np.zeros(len(strength), bool), False
    for i, (s, r) in enumerate(zip(strength.tolist(), real.tolist(), strict=True)):
        now = r and s > (HOLD if now else 1.0)
        moving[i] = now
    return moving


def _pace(motions: Mapping[str, Motion], drop: float) -> NDArray[np.bool_]:
    """Whether validation follows: by its loss or by its accuracy, whichever does better."""
    follows = np.zeros(len(motions["train/loss"].value), bool)
    for train, val, sign in (("train/loss", "val/loss", -1.0), ("train/acc", "val/acc", 1.0)):
        if train in motions and val in motions:
            scale, own = max(np.ptp(motions[train].value), 1e-12), max(np.ptp(motions[val].value), 1e-12)
            if val == "val/loss":
                scale, own = max(drop, 1e-12), _own_drop(motions[val])
            made, trained = sign * motions[val].change / own, sign * motions[train].change / scale
            follows |= (made >= PACE * trained) & (made > 0)
    return follows


def _never_repeats(case: Case) -> bool:
    epoch = case.signals.get("epoch")
    return epoch is not None and len(epoch) > 0 and float(epoch.value.max()) <= 1.0


def _divergence(events: Iterable[Event]) -> Position | None:
    return next((e.step for e in events if e.kind == "divergence"), None)


def _label(reading: Reading) -> str:
    return next(label for label, fits in LABELS if fits(reading))


def _without_gap(labels: list[str], readings: list[Reading]) -> list[str]:
    """Memorization leaves a gap: a spell of it in which none ever opens was training that went ahead by chance."""
    told = list(labels)
    for start, stop, label in _spells(labels):
        if label == "memorization" and not any(reading.gap_open for reading in readings[start:stop]):
            told[start:stop] = [_label(replace(r, val_keeps_pace=True)) for r in readings[start:stop]]
    return told


def _one_passage(labels: list[str], case: Case) -> list[str]:
    """Labels of a run whose validation is one smooth decay: a pause within it is no phase, whatever training does."""
    val = [case.segments[n] for n in ("val/loss", "val/acc") if n in case.segments]
    if not all(s.smooth for s in (val or [case.segments["train/loss"]])):
        return labels
    told = list(labels)
    learning = [i for i, label in enumerate(labels) if label in ("feature_learning", "fitting")]
    if learning:
        told[learning[0] : learning[-1]] = [labels[learning[0]]] * (learning[-1] - learning[0])
    tail = learning[-1] + 1 if learning else len(labels)
    if tail < len(labels) and "diverged" not in labels[tail:]:
        told[tail:] = [labels[-1]] * (len(labels) - tail)  # it ends in one way: in between, training only wandered
    return told


# --- spells --------------------------------------------------------------------------------------

Spell = tuple[int, int, str]  # grid points [a, b) of one label


def _spells(labels: list[str]) -> list[Spell]:
    spells: list[Spell] = []
    for i, label in enumerate(labels):
        if spells and spells[-1][2] == label:
            spells[-1] = (spells[-1][0], i + 1, label)
        else:
            spells.append((i, i + 1, label))
    return spells


def _visible(case: Case, grid: Positions) -> Callable[[Spell], float]:
    """How large a spell is against the smallest that can be seen: 1 and more can."""
    elapsed = grid - grid[0] + (max(grid[1] - grid[0], 1e-12) if len(grid) > 1 else 1.0)
    read = next((case.signals[n].step for n in ("val/loss", "val/acc") if n in case.segments), None)

    def size(spell: Spell) -> float:
        start, stop, label = spell
        a, b = elapsed[start], elapsed[min(stop, len(elapsed) - 1)]
        length = max(np.log(b / a) / SHORTEST, (b - a) / elapsed[-1] / SHORTEST_OF_RUN)
        if start == 0 and label == "underfitting":
            return float(max(length, 1.0))  # every run begins there, however soon it leaves
        if read is None or label not in ("memorization", "converged"):
            return float(length)
        inside = np.searchsorted(read, grid[min(stop, len(grid) - 1)]) - np.searchsorted(read, grid[start])
        return float(min(length, inside / FEWEST_READINGS))

    return size


def _join_short(spells: list[Spell], size: Callable[[Spell], float]) -> list[Spell]:
    """Join the smallest spell to its larger neighbour until every spell can be seen."""
    while len(spells) > 1:
        sizes = [size(s) for s in spells]
        i = int(np.argmin(sizes))
        if sizes[i] >= 1:
            return spells
        beside = [j for j in (i - 1, i + 1) if 0 <= j < len(spells)]
        winner = spells[max(beside, key=lambda j: sizes[j])][2]
        spells[i] = (*spells[i][:2], winner)
        spells = _spells([label for a, b, label in spells for _ in range(b - a)])
    return spells


def _why(case: Case, start: Position, end: Position) -> tuple[Evidence, ...]:
    """What each watched signal did over the phase."""
    proof = []
    for signal in WATCHED:
        if signal in case.segments:
            s = case.segments[signal]
            a, b = (float(np.interp(x, s.step, s.curve)) for x in (start, end))
            proof.append(Evidence(signal, end, b, a, "", "at the end of the phase, against its beginning"))
    return tuple(proof)


def by_label(phases: Iterable[Phase]) -> Mapping[str, float]:
    """Label → steps spent in it."""
    total: dict[str, float] = {}
    for phase in phases:
        total[phase.label] = total.get(phase.label, 0.0) + phase.end - phase.start
    return total
