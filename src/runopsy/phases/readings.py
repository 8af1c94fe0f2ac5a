"""What is known of each moment of a run: how far training has come, and whether validation follows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runopsy.facts import Case
from runopsy.facts.curve import VISIBLE
from runopsy.model import Position, Positions, Segments, Values
from runopsy.stats import first_spacing
from runopsy.thresholds import Limits

Bools = NDArray[np.bool_]

GROUND = ("train/loss", "train/acc")  # these count where they are better than ever before
WATCHED = ("train/loss", "train/acc", "val/loss", "val/acc")


@dataclass(frozen=True, slots=True, eq=False)
class Readings:
    """What is known of each moment of a run, (g,) each. Shares are of the whole run's change."""

    step: Positions
    train_done: Values  # share of the training loss's drop already made
    train_improves: Bools
    val_known: Bools
    val_done: Values  # how far validation has come between its worst and its best, by whichever curve came further
    train_factors: Values  # share of its way in factors that the training loss has made, where it is the only witness
    val_factors: Values  # the same of the validation loss, where there is no accuracy
    val_improves: Bools
    val_keeps_pace: Bools  # validation makes, in shares of its own drop, a fair part of what training makes
    val_near_best: Bools
    gap_open: Bools  # validation stands clearly worse than training
    guessing: Bools  # validation has not left chance so far, and its loss stands above its start
    fits: Bools  # training is fitted there, or validation clearly behind it
    fresh: Bools  # no example has been seen twice by the end of the run: training loss is a validation
    diverged: Bools


@dataclass(frozen=True, slots=True, eq=False)
class Doubt:
    """How well a fitted signal is known on the grid: standard errors, of its value and of its change per log step."""

    value: Values
    rate: Values


Doubts = Mapping[str, Doubt]  # by signal


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """A fitted signal on the grid: its value, and its change over the window centred at each point."""

    value: Values
    change: Values
    error: Values  # one standard error of that change
    spread: Values  # one standard error of the value


def doubts(segments: Mapping[str, Segments], grid: Positions) -> Doubts:
    """How well each watched signal is known on the grid: the same whatever the limits, and however a fit is moved."""
    return {
        name: Doubt(np.interp(grid, s.step, s.spread), np.interp(grid, s.step, s.rate_spread))
        for name, s in segments.items()
        if name in WATCHED
    }


def read(case: Case, grid: Positions, diverged_from: Position | None, known: Doubts) -> Readings:
    """One reading for each point of the grid."""
    limits = case.limits
    raw = {n: _motion(case.segments[n], case.segments[n].curve, grid, case, doubt) for n, doubt in known.items()}
    motions = dict(raw)
    for name in (n for n in raw if n in GROUND):
        segments = case.segments[name]
        motions[name] = _motion(segments, _new_ground(segments), grid, case, known[name])
    loss, acc = motions.get("val/loss"), motions.get("val/acc")
    train, train_acc = motions.get("train/loss"), motions.get("train/acc")
    drop = 0.0 if train is None else max(_start(case) - float(train.value.min()), 0.0)
    improves, near = np.zeros(len(grid), bool), np.ones(len(grid), bool)
    guessing = _guessing(case, loss, acc, len(grid))
    if loss is not None:
        fall = _own_drop(loss, limits)
        improves |= _falls(loss, fall, limits)
        lowest = np.minimum.accumulate(loss.value)
        near &= loss.value - loss.value.min() <= limits.real_change * fall
        left = loss.value - lowest > np.maximum(limits.improving * fall, (limits.jump - 1) * np.abs(lowest))
        near &= ~left | _held_best(acc, limits)
    if acc is not None:
        improves |= _rises(acc, limits)
        at_best = max(limits.real_change * float(np.ptp(acc.value)), limits.visible_accuracy)
        near &= np.asarray(acc.value.max() - acc.value <= at_best)
        near &= bool(case.facts.left_chance)  # at its best, and that is chance
    return Readings(
        step=grid,
        train_done=_done(case, train, train_acc, drop, len(grid)),
        train_improves=np.zeros(len(grid), bool) | _falls(train, drop, limits) | _rises(train_acc, limits),
        val_known=np.full(len(grid), loss is not None or acc is not None),
        val_done=np.where(guessing, 0.0, _way(loss, acc, len(grid), limits)),
        train_factors=_by_factors(case, None if loss is not None else train, len(grid)),
        val_factors=_by_factors(case, loss, len(grid)),
        val_improves=improves & ~guessing,
        val_keeps_pace=_pace(motions, drop, limits) & ~guessing,
        val_near_best=near & ~guessing,
        gap_open=_gap(raw, drop, limits) & (not case.facts.never_learns),
        guessing=guessing,
        fits=_fits(case, train_acc, len(grid)),
        fresh=np.full(len(grid), _never_repeats(case)),
        diverged=np.zeros(len(grid), bool) if diverged_from is None else np.asarray(grid >= diverged_from),
    )


def _start(case: Case) -> float:
    """Where the training loss began, as logged: a fitted line overshoots at its end."""
    return case.facts.curves["train/loss"].begins


def _done(case: Case, train: Motion | None, acc: Motion | None, drop: float, n: int) -> Values:
    """(g,) share of training's own way that stands made: of the loss's, or where there is none of the accuracy's."""
    if not case.facts.moved and _already_trained(case):
        return np.ones(n)
    done = np.zeros(n)
    if case.facts.moved and train is not None and drop > 0:
        done = np.clip((_start(case) - train.value) / drop, 0, 1)
    elif case.facts.moved and acc is not None and np.ptp(acc.value) > 0:
        done = (acc.value - acc.value[0]) / max(float(acc.value.max() - acc.value[0]), 1e-12)
    elif case.facts.moved:  # validation alone: nobody saw training begin
        done = np.ones(n)
    reached = np.maximum.accumulate(done)
    reached[0] = 0.0  # by definition: noise in the first rows is no learning
    return reached


def _already_trained(case: Case) -> bool:
    """Whether nothing moves because it had moved before the log begins."""
    start = case.facts.start
    return (start.late and not case.facts.moved) or (start.trained and not case.facts.far)


def _fits(case: Case, acc: Motion | None, n: int) -> Bools:
    """(g,) where the training set is fitted, as far as an accuracy shows; without one, where the whole run shows it."""
    if acc is None:
        return np.full(n, bool(case.facts.fits) or not case.facts.known)
    return np.asarray(np.maximum.accumulate(acc.value) >= case.limits.fits_at_end)


def _guessing(case: Case, loss: Motion | None, acc: Motion | None, n: int) -> Bools:
    """(g,) where nothing carries over: accuracy has not left chance so far, and its loss stands above its start."""
    start = case.facts.start
    if acc is None or start.accuracy is None or start.trained:
        return np.zeros(n, bool)
    if case.facts.stays_at_chance:
        return np.ones(n, bool)
    guessing = np.maximum.accumulate(acc.value) < start.accuracy + case.limits.left_chance
    if loss is not None and start.loss is not None and case.facts.left_chance:
        guessing &= loss.value >= start.loss
    return np.asarray(guessing)


def _motion(segments: Segments, curve: Values, grid: Positions, case: Case, doubt: Doubt) -> Motion:
    """A curve of a fitted signal on the grid."""
    elapsed = np.maximum(grid - case.first, first_spacing(segments.step))
    half = 1 + case.limits.beside / 2
    early, late = elapsed / half + case.first, elapsed * half + case.first
    around = np.interp(np.concatenate([early, grid, late]), segments.step, curve)
    before, value, after = around.reshape(3, -1)
    return Motion(value, after - before, doubt.rate * np.log1p(case.limits.beside), doubt.value)


def _way(loss: Motion | None, acc: Motion | None, n: int, limits: Limits) -> Values:
    """Share of validation's own drop or gain that stands made at each point; 0 where it makes none."""
    way = np.full(n, -np.inf)
    if loss is not None:
        way = np.maximum(way, (loss.value.max() - loss.value) / _own_drop(loss, limits))
    if acc is not None and np.ptp(acc.value) > limits.real_change:
        way = np.maximum(way, (acc.value - acc.value.min()) / np.ptp(acc.value))
    return way if loss is not None or acc is not None else np.zeros(n)


def _by_factors(case: Case, loss: Motion | None, n: int) -> Values:
    """(g,) share of its way in factors that a loss has made; 0 where an accuracy shows what is learnt by it.

    Where the first rows of a loss lie far above all others, what it halves later is little beside them.
    """
    if loss is None or case.facts.has_accuracy or not case.facts.moved or loss.value.min() < 0:
        return np.zeros(n)
    reached = np.minimum.accumulate(loss.value)
    factors = np.log(reached + VISIBLE * float(reached[0] - reached[-1]) + 1e-300)
    return np.asarray((factors[0] - factors) / max(float(factors[0] - factors[-1]), 1e-12))


def _new_ground(segments: Segments) -> Values:
    """The best that training had reached: climbing out of a spike is no learning."""
    best = np.minimum if segments.signal == "train/loss" else np.maximum
    return np.asarray(best.accumulate(segments.curve))


def _gap(motions: Mapping[str, Motion], drop: float, limits: Limits) -> Bools:
    """Whether validation stands clearly worse than training: without a gap, what is learnt carries over."""
    train, val = motions.get("train/loss"), motions.get("val/loss")
    train_acc, val_acc = motions.get("train/acc"), motions.get("val/acc")
    open_ = np.zeros(len(next(iter(motions.values())).value), bool)
    if train is not None and val is not None:
        open_ |= _stands_out(val.value - train.value, limits.visible_loss * max(drop, 1e-12), limits.likely, val, train)
    if train_acc is not None and val_acc is not None:
        open_ |= _stands_out(train_acc.value - val_acc.value, limits.visible_loss, limits.likely, val_acc, train_acc)
    return open_


def _stands_out(gap: Values, least: float, noise: float, val: Motion, train: Motion) -> Bools:
    return np.asarray((gap > least) & (gap > noise * np.hypot(val.spread, train.spread)))


def _held_best(acc: Motion | None, limits: Limits) -> Bools | bool:
    """Where accuracy holds its best, a rising loss is over-confidence and no forgetting."""
    return False if acc is None else np.asarray(acc.value.max() - acc.value <= limits.visible_accuracy)


def _own_drop(loss: Motion, limits: Limits) -> float:
    """From where it starts, or from its highest later point, down to its lowest: the scale of its changes."""
    falls = np.maximum.accumulate(loss.value) - loss.value
    return float(max(falls.max(), limits.visible_loss * abs(loss.value[0])))


def _falls(loss: Motion | None, drop: float, limits: Limits) -> Bools | bool:
    if loss is None:
        return False
    strength = -loss.change / max(drop, 1e-12) / limits.slight
    return _held(strength, -loss.change > limits.likely * loss.error, limits.hold)


def _rises(acc: Motion | None, limits: Limits) -> Bools | bool:
    if acc is None:
        return False
    return _held(acc.change / (limits.visible_accuracy / 2), acc.change > limits.likely * acc.error, limits.hold)


def _held(strength: Values, real: Bools, hold: float) -> Bools:
    """Where something moves: from strength 1 on, until it falls below ``hold``. One threshold would flicker."""
    begins, ends = real & (strength > 1.0), ~(real & (strength > min(hold, 1.0)))
    latest = np.maximum.accumulate(np.where(begins | ends, np.arange(len(real)), 0))  # the last point of either kind
    return np.asarray(begins[latest])


def _pace(motions: Mapping[str, Motion], drop: float, limits: Limits) -> Bools:
    """Whether validation follows: by its loss or by its accuracy, whichever does better."""
    follows = np.zeros(len(next(iter(motions.values())).value), bool)
    for train, val, sign in (("train/loss", "val/loss", -1.0), ("train/acc", "val/acc", 1.0)):
        if train in motions and val in motions:
            scale, own = max(np.ptp(motions[train].value), 1e-12), max(np.ptp(motions[val].value), 1e-12)
            if val == "val/loss":
                scale, own = max(drop, 1e-12), _own_drop(motions[val], limits)
            made, trained = sign * motions[val].change / own, sign * motions[train].change / scale
            follows |= (made >= limits.part * trained) & (made > 0)
    return follows


def _never_repeats(case: Case) -> bool:
    epoch = case.signals.get("epoch")
    return epoch is not None and len(epoch) > 0 and float(epoch.value.max()) <= 1.0
