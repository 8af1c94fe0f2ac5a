"""Whether a run broke: values that are no numbers, what was learnt lost again, swings without end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from runopsy.facts.counting import set_size
from runopsy.facts.curve import EVALUATIONS, Curve, Curves, noise_at
from runopsy.facts.fact import UNASKED, Fact
from runopsy.facts.spikes import Spike
from runopsy.facts.start import Start
from runopsy.model import Mark, Position, Positions, Signal, Values
from runopsy.stats import OF_MEDIAN, long_run_factor, rolling_median, white_noise
from runopsy.thresholds import Limits


def broken(signals: Mapping[str, Signal], marks: Sequence[Mark], last: Position, limits: Limits) -> Fact:
    """A loss is not finite from some step on to the end; or the last line of the log reports it."""
    losses = [name for name in ("train/loss", "val/loss") if name in signals]
    for name in losses:
        signal = signals[name]
        if signal.broken is None:
            continue
        tail = signal.broken[signal.broken > signal.step[-1]] if len(signal) else signal.broken
        if len(tail) >= min(limits.level_rows, 1 + int(limits.tail * len(signal))):
            return Fact(True, float(len(tail)), 1.0, np.inf, float(tail[0]), name)
    for mark in marks:
        if losses and mark.kind == "not_finite" and mark.step >= last:
            return Fact(True, 1.0, 1.0, np.inf, mark.step, losses[0], str(mark.detail.get("text", "")))
    return UNASKED


def lost(curves: Curves, start: Start, limits: Limits) -> Fact:
    """Most of what was learnt is lost again to the end, or the loss ends far above its start.

    Where an accuracy had learnt, it must have fallen too: a loss may rise from over-confidence alone.
    """
    acc = curves.get("train/acc") or curves.get("val/acc")
    asked = acc is not None and (start.trained or _learnt(acc, start, limits))
    fell = acc if asked and acc is not None and _fell(acc, start, limits) else None
    loss = curves.get("train/loss") or curves.get("val/loss")
    if asked and acc is not None:
        if fell is None and loss is not None and _ran_away(loss, acc, limits):
            return _lost(loss, limits.far_above * loss.begins, loss.ends - loss.best, limits)
        return UNASKED if fell is None else _where(fell, loss, start, limits)
    facts = [_loss_lost(one, acc is None, limits) for one in _losses(curves)]
    return next((fact for fact in facts if fact), UNASKED)


def went_back(curves: Curves, limits: Limits) -> Fact:
    """The training loss ends well above its best level, though most of what was learnt is kept."""
    loss = curves.get("train/loss")
    if loss is None or loss.flat or loss.fit[-1] <= loss.best:
        return UNASKED
    rise, sure = loss.ends - loss.best, (loss.ends - loss.best) / noise_at(loss, loss.best)
    least = max(limits.real_change * abs(loss.begins - loss.best), (limits.jump - 1) * abs(loss.best))
    return Fact(bool(rise >= least and sure >= limits.sure), rise, least, sure, loss.best_at, loss.name)


def _losses(curves: Curves) -> list[Curve]:
    """The losses that may show it: training's; where that ends no better than it began, validation's as well."""
    train, val = curves.get("train/loss"), curves.get("val/loss")
    if train is None or (val is not None and train.ends >= train.begins):
        return [loss for loss in (train, val) if loss is not None]
    return [train]


def _loss_lost(loss: Curve, alone: bool, limits: Limits) -> Fact:
    """Whether a loss lost what it had learnt, where no accuracy was logged, or ends far above where it stood."""
    if loss.flat or loss.fit[-1] <= loss.best or loss.begins <= 0:
        return UNASKED
    sure = (loss.ends - loss.best) / noise_at(loss, loss.best)
    drop = loss.begins - loss.best
    if drop >= limits.part * loss.begins and alone:
        limit = loss.best + limits.lost * drop
        lost = loss.ends >= limit and sure >= (limits.sure if loss.ends >= loss.begins else limits.sure_of_many)
        return _lost(loss, limit, loss.ends - loss.best, limits, sure) if lost else UNASKED
    limit = limits.far_above * min(loss.best, loss.begins)  # as it had not learnt, that is where it began, noise aside
    if loss.ends >= limit and sure >= limits.sure:
        return _lost(loss, limit, loss.ends - loss.best, limits, sure)
    return UNASKED


def _ran_away(loss: Curve, acc: Curve, limits: Limits) -> bool:
    """Whether the training loss ends far above its start, and accuracy fell too, if less, or never came half-way."""
    if loss.name != "train/loss" or loss.begins <= 0:
        return False
    poor = acc.best - acc.ends >= limits.gap or acc.ends < limits.half_way
    return loss.ends >= limits.far_above * loss.begins and poor


def _where(acc: Curve, loss: Curve | None, start: Start, limits: Limits) -> Fact:
    """An accuracy that was lost, placed by the loss where that is logged as often and left too."""
    found = _lost(acc, _kept(acc, start, limits), acc.best - acc.ends, limits)
    if loss is None or 2 * loss.rows < acc.rows or start.loss is None or start.loss <= loss.best or start.trained:
        return found
    limit = loss.best + limits.lost * (start.loss - loss.best)
    return _lost(loss, limit, loss.ends - loss.best, limits) if loss.ends >= limit else found


def _learnt(acc: Curve, start: Start, limits: Limits) -> bool:
    return acc.best - (acc.begins if start.accuracy is None else start.accuracy) >= limits.gap


def _kept(acc: Curve, start: Start, limits: Limits) -> float:
    """The accuracy below which most of what was learnt is lost."""
    chance = 0.0 if start.trained or start.accuracy is None else start.accuracy
    least = limits.lost * (limits.most if start.trained else 1.0)  # where it would begin untrained is not known
    return acc.best - least * (acc.best - chance)


def _fell(acc: Curve, start: Start, limits: Limits) -> bool:
    sure = (acc.best - acc.ends) / noise_at(acc, acc.best)
    return acc.ends <= _kept(acc, start, limits) and sure >= limits.sure_of_many and acc.fit[-1] < acc.best


def _lost(curve: Curve, limit: float, size: float, limits: Limits, sure: float = np.inf) -> Fact:
    """From the first row after the last one that was still within the limit, a median of rows taken in long logs."""
    value = curve.signal.value
    within = np.flatnonzero(curve.sign * curve.calm >= curve.sign * limit)
    row = min(int(within[-1]) + 1 if len(within) else 0, len(value) - 1)
    return Fact(True, size, limit, sure, float(curve.signal.step[row]), curve.name)


def many_spikes(spikes: Sequence[Spike], first: Position, last: Position, limits: Limits) -> Fact:
    """The training loss leaps again and again, and goes on so to the end."""
    if not spikes:
        return UNASKED
    late = spikes[-1].end >= last - limits.last_part * (last - first)
    many = len(spikes) > limits.many_spikes
    return Fact(many and late, float(len(spikes)), limits.many_spikes, np.inf, spikes[0].start, "train/loss")


def swings(curves: Curves, limits: Limits) -> Fact:
    """An accuracy, or without one a loss, passes the middle of what it learnt again and again, far on both sides."""
    for name in ("train/acc", "val/acc", "train/loss", "val/loss"):
        curve = curves.get(name)
        if curve is None or (curve.sign < 0 and any(n.endswith("acc") for n in curves)):
            continue
        learnt = _range_of(curve)
        if learnt.whole < 1:  # a loss that changed by less than a factor of e has no range over which it could swing
            continue
        passages = _passages(learnt, limits.swing * learnt.whole, curve.sign, limits)
        if len(passages) >= limits.swings:  # few curves do, and only of them the noise is asked
            reach = max(limits.swing * learnt.whole, limits.sure * _row_noise(curve))
            passages = _passages(learnt, reach, curve.sign, limits)
        if len(passages) >= limits.swings:
            at = float(curve.signal.step[passages[0]])
            return Fact(True, float(len(passages)), limits.swings, np.inf, at, name)
    return UNASKED


@dataclass(frozen=True, slots=True, eq=False)
class Range:
    """What a curve may learn in all."""

    calm: Values  # its calm rows, in its own unit
    middle: float  # of what can be learnt; of a loss in log units
    whole: float  # all of it: of an accuracy 0 to 1; of a loss in log units, 0 where it has none
    by_factors: bool  # whether it is of a loss

    def at(self, reach: float) -> float:
        """The level so far above the middle, in the curve's own unit: no logarithm of all rows is needed."""
        return float(np.exp(self.middle + reach)) if self.by_factors else self.middle + reach


def _range_of(curve: Curve) -> Range:
    if curve.sign > 0:
        return Range(curve.calm, 0.5, 1.0, by_factors=False)
    low, high = float(curve.signal.value.min()), curve.begins
    if low <= 0 or high <= 0:
        return Range(curve.calm, 0.0, 0.0, by_factors=False)
    return Range(curve.calm, float(np.log(low * high)) / 2, float(np.log(high / low)), by_factors=True)


def _row_noise(curve: Curve) -> float:
    """Standard deviation of one row, of a loss in log units.

    In a short log each row is an evaluation, and whatever an accuracy swings beyond the counting of its examples is no
    noise. In a long one a row may be a batch, whose noise neighbouring rows show.
    """
    value = curve.signal.value
    if curve.sign > 0 and curve.rows <= EVALUATIONS:
        size = set_size(value)
        return 0.5 / size**0.5 if size else 0.0
    return curve.scatter if curve.sign > 0 else white_noise(np.log(value))


def _passages(learnt: Range, reach: float, sign: float, limits: Limits) -> list[int]:
    """Rows at which a series has passed from far on one side of its middle to the other, since its first fall back."""
    value, low, high = learnt.calm, learnt.at(-reach), learnt.at(reach)
    if value.max() <= high or value.min() >= low:
        return []
    above, below = value > high, value < low
    worse, better = (below, above) if sign > 0 else (above, below)
    clear = np.flatnonzero(above | below)
    side = above[clear]
    turned = clear[np.flatnonzero(side[1:] != side[:-1]) + 1]
    if len(turned) and better[turned[0]]:
        turned = turned[1:]  # that was learning
    if not len(turned) or np.mean(worse[turned[0] :]) < limits.tail:
        return []  # brief leaps that come back are spikes
    return [int(row) for row in turned]


def ends_swinging(curves: Curves, swings: Fact, last: Position, limits: Limits) -> bool:
    """Whether the swings go on to the end, so that the run has no end value."""
    if not swings:
        return False
    curve = curves[swings.curve]
    steps: Positions = curve.signal.step
    learnt = _range_of(curve)
    late = steps >= last - limits.last_part * (last - steps[0])
    above = learnt.calm[late] > learnt.at(0.0)
    return bool(above.any() and not above.all())


def leap(loss: Signal | None, spikes: Sequence[Spike], limits: Limits) -> Fact:
    """The largest rise of the training loss at once that lasts: ``limit`` is the level before, ``size`` the ratio.

    Medians of some rows before and after each place are compared, against how far such medians differ elsewhere.
    """
    if loss is None or len(loss) < 2 * limits.few_rows or loss.value.min() <= 0:
        return UNASKED
    log = np.log(loss.value)
    rows = max(limits.few_rows, min(limits.window_rows, len(log) // limits.readings)) | 1
    if len(log) < 2 * rows:
        return UNASKED
    windows = rolling_median(log, rows)[rows // 2 : len(log) - rows // 2]
    change = windows[rows:] - windows[:-rows]  # i: rows i … i + rows - 1 against the next ones
    at = int(np.argmax(change))
    noise = white_noise(log)
    scatter = _scatter_of_medians(noise, rows)
    if change[at] <= 0 or change[at] < limits.sure_of_many * scatter:
        return UNASKED  # most runs: and noise that wanders is more
    scatter = _scatter_of_medians(long_run_factor(log) ** 0.5 * noise, rows)
    if change[at] < limits.sure_of_many * scatter:
        return UNASKED
    middle = (windows[at] + windows[at + rows]) / 2
    place = _edge(log, at + rows, rows, float(middle))
    after = log[place:]
    lasting = len(after) >= max(limits.few_rows, int(limits.tail * len(log)))
    lasting = lasting and float(np.mean(after > middle)) >= limits.most
    at_once = float(np.mean(log[max(place - limits.few_rows, 0) : place] < middle)) >= limits.most
    spiked = any(s.start <= loss.step[place] <= s.end for s in spikes)
    if not lasting or not at_once or spiked:
        return UNASKED
    before, now = float(np.exp(windows[at])), float(np.exp(windows[at + rows]))
    text = f"{before:.4g} before, {now:.4g} after: {now / before:.3g} times"
    return Fact(True, now / before, before, float(change[at] / scatter), float(loss.step[place]), "train/loss", text)


def _scatter_of_medians(noise: float, rows: int) -> float:
    """Standard deviation of the difference between two neighbouring medians of rows, in log units."""
    return max(noise * OF_MEDIAN * float((2 / rows) ** 0.5), 1e-6)


def jump(leap: Fact, limits: Limits) -> Fact:
    """The training loss rises at once to a level that lasts, and by enough to be called a jump."""
    return leap if leap and leap.size >= limits.jump else UNASKED


def _edge(log: Values, about: int, rows: int, middle: float) -> int:
    """The row near a place at which the rows before lie below a level and those after it above."""
    places = range(max(1, about - rows), min(len(log) - 1, about + rows) + 1)
    high = log > middle
    return max(places, key=lambda p: int((~high[max(p - rows, 0) : p]).sum() + high[p : p + rows].sum()))
