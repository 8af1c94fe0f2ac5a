"""What validation does after training was fitted: a late gain (grokking), a second descent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from runopsy.facts.curve import Curve, Curves
from runopsy.facts.fact import Fact
from runopsy.facts.start import TRAINED_ACC, Start
from runopsy.model import Counts, Position, Values
from runopsy.thresholds import Limits

BETWEEN = 2  # rows of validation between fitting and the half-way point: with fewer, the log cannot separate them
ONSET, HALF, COMPLETE = 0.1, 0.5, 0.95  # of the late gain: the places that are reported of it


@dataclass(frozen=True, slots=True)
class LateGain:
    """What validation accuracy gained after the training set was fitted."""

    fitted: Position
    before: float  # validation accuracy there
    best: float  # the best it reached later
    ends: float
    onset: Position  # where it had made a tenth of that gain, …
    half: Position  # … half, …
    complete: Position  # … and 95 %
    delay: float  # elapsed steps to the half-way point / elapsed steps to fitting
    kept: bool  # at least half of it remains at the end


@dataclass(frozen=True, slots=True)
class Peak:
    """The top of a validation curve between two descents (its error, where the curve is an accuracy)."""

    curve: str
    before: Position  # of the lowest point before it
    at: Position
    after: Position  # of the lowest point after it
    low_before: float
    top: float
    low_after: float


def fitted_at(curves: Curves, limits: Limits) -> Position | None:
    """Where the training set came to be fitted: three of four rows in a row; without accuracy, 95 % of the drop."""
    acc, loss = curves.get("train/acc"), curves.get("train/loss")
    if acc is not None:
        fitted = acc.signal.value >= limits.fitted_accuracy
        if acc.rows > 2 * limits.window_rows:
            few = limits.few_rows
            counted = np.cumsum(np.concatenate([[0], fitted, np.zeros(few, dtype=int)]))  # none beyond the last row
            fitted &= counted[few + 1 :] - counted[: -few - 1] >= np.minimum(few, np.arange(acc.rows, 0, -1))
        return float(acc.signal.step[np.argmax(fitted)]) if fitted.any() else None
    if loss is None or loss.begins - loss.best <= 0:
        return None
    done = np.flatnonzero(loss.fit <= loss.best + limits.visible_loss * (loss.begins - loss.best))
    return float(loss.step[done[0]]) if len(done) else None


def never_follows(curves: Curves, start: Start, fits: Fact, fitted: Position | None, limits: Limits) -> Fact:
    """When training came to be fitted, validation stood where it began; it may have gained later."""
    acc, loss, train = curves.get("val/acc"), curves.get("val/loss"), curves.get("train/loss")
    val = acc or loss
    if fitted is None or val is None or not fits or start.trained or val.begins_at > fitted:
        return Fact()
    end = float(val.step[min(int(np.searchsorted(val.step, fitted)), len(val.step) - 1)])
    by_loss = Fact() if loss is None else _stood_by_loss(loss, train, end, limits)
    if acc is None or start.accuracy is None:
        known = train is not None and train.best <= limits.fell_far * train.begins
        return replace(by_loss, holds=by_loss.holds and known, at=fitted)
    gained, ever = float(acc.fit[acc.step <= end].max()) - start.accuracy, acc.best - start.accuracy
    least = max(2 * limits.left_chance, limits.gap * ever)
    if "train/acc" in curves:
        behind = curves["train/acc"].at(end) - acc.at(end) >= limits.gap
    else:  # how well training fitted by then is not known: what validation gains later may be a part of it
        before = start.accuracy > TRAINED_ACC  # its first row may be of a model that had learnt
        learnt = before and gained > 0 and loss is not None and not by_loss
        behind = ever < 2 * limits.left_chance and not learnt
    return Fact(bool(gained < least and behind), gained, least, at=fitted, curve="val/acc")


def _stood_by_loss(loss: Curve, train: Curve | None, end: Position, limits: Limits) -> Fact:
    """Whether the validation loss had come down by little until a position, from where training or itself began."""
    begins = loss.begins if train is None else max(loss.begins, train.begins)
    fell, least = begins - float(loss.fit[loss.step <= end].min()), limits.real_change * abs(loss.begins)
    return Fact(fell < least, fell, least, curve="val/loss")


def late_gain(curves: Curves, fitted: Position | None, first: Position, limits: Limits) -> LateGain | None:
    """The late gain of validation accuracy, where it is one."""
    acc = curves.get("val/acc")
    if acc is None or fitted is None or "train/acc" not in curves:
        return None
    after = acc.step >= fitted
    if after.sum() < 2:
        return None
    before, best = acc.at(fitted), float(acc.fit[after].max())
    if best - before < limits.late_gain or before >= limits.late_from * best:
        return None
    onset, half, complete = (acc.reaches(before + share * (best - before), fitted) for share in (ONSET, HALF, COMPLETE))
    delay = (half - first) / max(fitted - first, float(np.min(np.diff(acc.step))) if acc.rows > 1 else 1.0)
    between = int(((acc.signal.step > fitted) & (acc.signal.step < half)).sum())
    if delay < limits.late_delay or between < BETWEEN:
        return None
    kept = acc.ends >= before + limits.half_way * (best - before)
    return LateGain(fitted, before, best, acc.ends, onset, half, complete, delay, kept)


def second_descent(
    curves: Curves, start: Start, left: Fact, changes: Sequence[Position], limits: Limits
) -> Peak | None:
    """The most prominent peak of the validation loss between two descents; where it has none, of the error.

    A peak between whose feet the learning rate jumps is the schedule's.
    """
    if not left:
        return None
    loss, acc = curves.get("val/loss"), curves.get("val/acc")
    if loss is not None:
        begins = max(loss.begins, loss.begins if start.loss is None else start.loss)
        found = _peak(loss, curves.get("train/loss"), loss.fit, begins, 0.0, changes, limits)
        if found is not None:
            return found
    if acc is not None:
        begins = 1 - (acc.begins if start.accuracy is None else start.accuracy)
        return _peak(acc, curves.get("train/loss"), 1 - acc.fit, begins, limits.visible_accuracy, changes, limits)
    return None


def _peak(
    curve: Curve,
    train: Curve | None,
    falling: Values,
    begins: float,
    least: float,
    changes: Sequence[Position],
    limits: Limits,
) -> Peak | None:
    m = len(falling)
    if m < limits.few_rows or len(curve.moves) < 2:  # one direction has no peak
        return None
    reach = max(begins, float(falling.max())) - float(falling.min())
    least_worse = 0.0 if train is None else limits.visible_loss * abs(train.begins - train.best)
    over = falling - np.maximum(np.minimum.accumulate(falling), np.minimum.accumulate(falling[::-1])[::-1])
    if over.max() < max(limits.slight * reach, least):
        return None  # nothing stands out from what lies before it and after it
    tops = np.arange(1, m - 1)
    before = _lowest_so_far(falling, first=True)[tops - 1]
    after = m - 1 - _lowest_so_far(falling[::-1], first=False)[::-1][tops]
    height = falling[tops] - np.maximum(falling[before], falling[after])
    fell = np.maximum(begins, np.maximum.accumulate(falling)[before]) - falling[before]
    needed = np.maximum(limits.peak * falling[tops], max(limits.slight * reach, least))
    elapsed = np.log(curve.step - curve.step[0] + (curve.step[1] - curve.step[0]))
    flanks = np.minimum(elapsed[tops] - elapsed[before], elapsed[after] - elapsed[tops])
    stands_out = (height >= needed) & (fell >= needed) & (flanks >= limits.abrupt / 2)
    stands_out &= np.minimum(tops - before, after - tops) >= limits.few_rows
    stands_out &= (before > 0) | (begins > falling[0])
    for i in sorted(np.flatnonzero(stands_out).tolist(), key=lambda i: (-height[i], i)):
        feet = [int(before[i]), int(tops[i]), int(after[i])]
        first, at, last = (float(curve.step[k]) for k in feet)
        if any(first <= change <= last for change in changes):
            continue
        if height[i] < limits.sure_of_many * float(curve.error[feet].max()):
            continue
        if train is not None and train.at(at) - train.at(first) > least_worse:
            continue  # training broke down there too: that is no second descent
        low, high, lower = (float(curve.fit[k]) for k in feet)
        if not _lasts(curve, first, last, _half(curve, low, high, lower), limits):
            continue  # rows that fell out of line, and no peak
        return Peak(curve.name, first, at, last, low, high, lower)
    return None


def _lowest_so_far(values: Values, *, first: bool) -> Counts:
    """(m,) the place of the lowest value up to each place; the first of equals, or the last."""
    lowest = np.minimum.accumulate(values)
    new = np.concatenate([[True], values[1:] < lowest[:-1] if first else values[1:] <= lowest[:-1]])
    return np.maximum.accumulate(np.where(new, np.arange(len(values)), 0))


def _half(curve: Curve, low: float, high: float, lower: float) -> float:
    """Halfway from the higher foot of a peak to its top."""
    return (curve.sign * min(curve.sign * low, curve.sign * lower) + high) / 2


def _lasts(curve: Curve, first: Position, last: Position, level: float, limits: Limits) -> bool:
    """Whether most rows of a stretch between two positions, as long as the shortest phase, are worse than a level."""
    step, worse = curve.signal.step, curve.sign * curve.signal.value <= curve.sign * level
    beyond = np.flatnonzero(worse & (step >= first) & (step <= last))
    if len(beyond) < limits.few_rows:
        return False
    begins, ends = step[beyond[[0, -1]]] - step[0]
    mostly = len(beyond) >= limits.half_way * (beyond[-1] + 1 - beyond[0])
    return bool(mostly and ends >= np.exp(limits.shortest) * begins)
