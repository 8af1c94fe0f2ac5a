"""Whether training learnt, whether that carries over to validation, and how both end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from runopsy.facts.curve import Curve
from runopsy.facts.fact import UNASKED, Fact
from runopsy.model import Position
from runopsy.thresholds import Limits

Curves = Mapping[str, Curve]

LN2 = 0.693  # nats: the cross-entropy of guessing between two classes, the least that guessing costs
# Numbers of classes that people have: among many, any loss is near that of guessing among some number of them.
CLASSES = (*range(2, 21), 50, 100, 200, 1000)


@dataclass(frozen=True, slots=True)
class Start:
    """Where training began. A validation curve that begins later began here too."""

    late: bool  # the log begins late: it is a window out of a longer run
    loss: float | None  # first level of the training loss; without one, of the validation loss
    accuracy: float | None  # lowest first level of an accuracy
    trained: bool  # the log begins with a model that had learnt before


def start_of(curves: Curves, first: Position, last: Position, limits: Limits) -> Start:
    """Where training began, of a log that runs from one position to another."""
    loss = curves.get("train/loss") or curves.get("val/loss")
    firsts = [curves[n].begins for n in ("train/acc", "val/acc") if n in curves]
    low = loss is not None and 0 <= loss.begins < limits.most * LN2
    trained = bool(firsts) and ((low and max(firsts) >= limits.half_way) or max(firsts) >= limits.most)
    return Start(
        first > limits.last_part * last > 0, None if loss is None else loss.begins, min(firsts, default=None), trained
    )


def gain_of(curve: Curve) -> float:
    """How far a curve came from its first level, in its good direction."""
    return curve.sign * (curve.best - curve.begins)


def noise_at(curve: Curve, best: float) -> float:
    """One standard error of the difference between a curve's last level and one of its fitted levels."""
    at = int(np.argmin(np.abs(curve.fit - best)))
    return float(np.hypot(curve.ends_error, curve.error[at]))


# --- training ------------------------------------------------------------------------------------


def moved(curves: Curves, limits: Limits) -> Fact:
    """Training ever left its first level by more than noise; without training curves, validation is asked."""
    asked = [n for n in ("train/loss", "train/acc", "val/acc") if n in curves] or list(curves)
    facts = [_moved(curves[n], limits) for n in asked]
    found = next((f for f in facts if f), facts[0] if facts else UNASKED)
    return replace(found, holds=False) if all(_repeats(c, limits) for c in curves.values()) else found


def _repeats(curve: Curve, limits: Limits) -> bool:
    """One row, and then the same digits for ever."""
    return len(curve.signal) > limits.few_rows and bool(np.ptp(curve.signal.value[1:]) == 0)


def _moved(curve: Curve, limits: Limits) -> Fact:
    least = limits.visible_accuracy if curve.sign > 0 else limits.slight * abs(curve.begins)
    made, sure = 0.0, 0.0
    for move in curve.moves:
        if curve.sign * move.change > made:
            made = curve.sign * move.change
            sure = made / max(float(np.hypot(curve.error_at(move.start), curve.error_at(move.end))), 1e-300)
    holds = made > 0 and made >= least and sure >= limits.sure
    return Fact(bool(holds), made, least, sure, curve.best_at, curve.name)


def rose(curves: Curves, moved: Fact, limits: Limits) -> Fact:
    """The training loss only got worse."""
    loss = curves.get("train/loss")
    if loss is None or moved or loss.flat:
        return UNASKED
    worse = max(-loss.sign * m.change for m in loss.moves)
    least = limits.visible_ratio * abs(loss.begins)
    return Fact(worse >= least, worse, least, worse / max(loss.noise, 1e-300), loss.moves[0].start, loss.name)


def fits(curves: Curves, limits: Limits) -> tuple[Fact, bool]:
    """Training ends fitted; and whether the log can say so at all."""
    train, val, loss = (curves.get(n) for n in ("train/acc", "val/acc", "train/loss"))
    accuracies = [acc for acc in (val, train) if acc is not None]
    acc = next((a for a in accuracies if a.ends >= limits.fits_at_end), train)  # dropout may keep training's own low
    if acc is not None:
        holds = acc.ends >= limits.fits_at_end
        return Fact(holds, acc.ends, limits.fits_at_end, at=acc.best_at, curve=acc.name), True
    if loss is None or loss.begins <= 0:
        return UNASKED, val is not None
    share = loss.ends / loss.begins
    fell = share <= limits.fell_far
    known = val is not None or share <= 1 - limits.part
    return Fact(fell, share, limits.fell_far, at=loss.best_at, curve=loss.name), known


def at_chance(curves: Curves, moved: Fact, limits: Limits) -> Fact:
    """Nothing was learnt, and the level is that of guessing among K classes, or of the most frequent one."""
    if moved:
        return UNASKED
    accuracies = [c for n in ("train/acc", "val/acc") if (c := curves.get(n)) is not None]
    for name in ("train/loss", "val/loss"):
        loss = curves.get(name)
        if loss is None or loss.rows < limits.level_rows:
            continue
        classes = min(CLASSES, key=lambda k: abs(np.log(k) - loss.ends))
        near = abs(loss.ends - np.log(classes)) <= limits.slight * np.log(classes)
        if near and all(abs(a.ends - 1 / classes) <= limits.half_way / classes for a in accuracies):
            says = f"the loss stands at {loss.ends:.3g}, the value of guessing among {classes} classes (ln {classes})"
            return Fact(True, loss.ends, float(np.log(classes)), at=float(loss.step[0]), curve=name, says=says)
    for acc in accuracies:
        if _repeats(acc, limits):
            says = f"accuracy stands at {acc.ends:.4g}, as if one class were always answered (chance)"
            return Fact(True, acc.ends, acc.ends, at=float(acc.step[0]), curve=acc.name, says=says)
    return UNASKED


# --- validation ----------------------------------------------------------------------------------


def _descent(curves: Curves, start: Start) -> tuple[float, float]:
    """(how far validation loss came down from training's start, how far the training loss did)."""
    val, train = curves.get("val/loss"), curves.get("train/loss")
    if val is None:
        return 0.0, 0.0
    begins = max(val.begins, start.loss if start.loss is not None else val.begins)
    way = begins - train.best if train is not None else abs(begins)
    return begins - val.best, max(way, 0.0)


def left_chance(curves: Curves, start: Start, limits: Limits) -> Fact:
    """Validation ever left its start: by accuracy where there is one, else by loss."""
    acc, loss = curves.get("val/acc"), curves.get("val/loss")
    fell, way = _descent(curves, start)
    by_loss = fell > 0 and fell >= max(limits.real_change * way, limits.slight * abs(start.loss or 0.0))
    if acc is None:
        if loss is None:
            return UNASKED
        return Fact(by_loss, fell, limits.real_change * way, at=loss.best_at, curve=loss.name)
    gain = acc.best - (start.accuracy if start.accuracy is not None else acc.begins)
    began_late = loss is not None and start.loss is not None and acc.begins >= limits.half_way and by_loss
    began_late = began_late and not acc.flat
    began_late = (
        began_late
        and loss is not None
        and (start.loss or 0.0) - loss.begins >= limits.real_change * (start.loss or 0.0)
    )
    holds = start.trained or began_late or (gain >= limits.left_chance and not acc.flat)
    return Fact(holds, gain, limits.left_chance, gain / max(acc.noise, 1e-300), acc.best_at, acc.name)


def generalised(curves: Curves, start: Start, left: Fact, limits: Limits) -> Fact:
    """Validation made a fair part of the way that training made."""
    train, val = curves.get("train/acc"), curves.get("val/acc")
    if train is not None and val is not None and start.accuracy is not None:
        way = train.ends - start.accuracy
        share = 1.0 if way <= 0 else (val.ends - start.accuracy) / way
        share = 1.0 if start.trained and val.ends >= limits.half_way else share
        return Fact(share >= limits.half_way, share, limits.half_way, at=val.best_at, curve=val.name)
    return left


def better_loss(curves: Curves, start: Start, left: Fact, limits: Limits) -> Fact:
    """Validation loss had really come down, and ends visibly above its lowest level."""
    loss = curves.get("val/loss")
    if loss is None or loss.flat:
        return UNASKED
    fell, way = _descent(curves, start)
    rise = loss.ends - loss.best
    real = start.trained or (fell >= limits.real_change * way and fell > 0 and bool(left))
    least = max(limits.visible_loss * fell, limits.visible_ratio * abs(loss.best))
    sure = rise / noise_at(loss, loss.best)
    turned = loss.fit[-1] > loss.best
    certain = sure >= limits.sure or trend(loss, limits) >= limits.likely
    return Fact(bool(real and turned and rise >= least and certain), rise, least, sure, loss.best_at, loss.name)


def trend(curve: Curve, limits: Limits) -> float:
    """How sure a curve got worse after its best row, in a short log: Kendall's rank test, in standard errors.

    It needs no estimate of the noise, which few rows do not allow. (Kendall 1938, Biometrika 30.)
    """
    after = curve.sign * curve.signal.value[curve.signal.step >= curve.best_at]
    n = len(after)
    if not limits.level_rows <= n <= limits.fewest_rows:
        return 0.0
    worse = int(sum(np.sign(after[i] - after[i + 1 :]).sum() for i in range(n - 1)))
    return float((worse - 1) / (n * (n - 1) * (2 * n + 5) / 18) ** 0.5)


def better_accuracy(curves: Curves, start: Start, left: Fact, limits: Limits) -> Fact:
    """Validation accuracy had left chance, and ends visibly below its best level."""
    acc = curves.get("val/acc")
    if acc is None or acc.flat:
        return UNASKED
    fall = acc.best - acc.ends
    sure = fall / noise_at(acc, acc.best)
    certain = sure >= limits.sure or trend(acc, limits) >= limits.likely
    holds = bool(left) and acc.fit[-1] < acc.best and fall >= limits.visible_accuracy and certain
    return Fact(bool(holds), fall, limits.visible_accuracy, sure, acc.best_at, acc.name)


def turn(curves: Curves, loss: Fact, accuracy: Fact, fits: Fact, gap: Fact, improves: Fact, limits: Limits) -> Fact:
    """Validation got worse for good while training was fitted, ran ahead or went on getting better.

    It is told by the loss, where the loss says so, else by the accuracy.
    """
    better = loss or accuracy
    train = curves.get("train/loss") or curves.get("train/acc")
    if not better or train is None or better.at is None:
        return UNASKED
    went_on = train.sign * (train.ends - train.at(better.at)) >= limits.slight * abs(train.best - train.begins)
    return better if fits or gap or improves or went_on else UNASKED


def accuracy_rose_since(curves: Curves, better: Fact, limits: Limits) -> Fact:
    """Validation accuracy is visibly above its level where validation loss turned."""
    acc = curves.get("val/acc")
    if acc is None or better.at is None:
        return UNASKED
    rise = acc.ends - acc.at(better.at)
    return Fact(rise >= limits.visible_accuracy, rise, limits.visible_accuracy, at=better.at, curve=acc.name)


def gap(curves: Curves, start: Start, limits: Limits) -> Fact:
    """Validation ends far behind training: by accuracy where both are there, else by loss."""
    for quantity, scale in (("acc", 1.0), ("loss", abs(start.loss or 0.0))):
        train, val = curves.get(f"train/{quantity}"), curves.get(f"val/{quantity}")
        if train is not None and val is not None and scale > 0:
            size = val.sign * (train.ends - val.ends) / scale
            return Fact(size > limits.gap, size, limits.gap, curve=val.name, at=float(val.step[-1]))
    return UNASKED


def ahead(curves: Curves, limits: Limits) -> Fact:
    """Validation stands better than training for several rows: how training figures are taken explains that."""
    for quantity in ("acc", "loss"):
        train, val = curves.get(f"train/{quantity}"), curves.get(f"val/{quantity}")
        if train is None or val is None or train.rows < limits.few_rows or val.rows < limits.few_rows:
            continue
        lead = val.sign * (val.value - np.interp(val.step, train.step, train.value))
        noise = np.hypot(val.error, np.interp(val.step, train.step, train.error))
        least = limits.visible_accuracy if quantity == "acc" else limits.visible_loss * abs(train.begins)
        rows = np.flatnonzero((lead >= least) & (lead >= limits.sure * noise))
        if len(rows) >= limits.few_rows:
            return Fact(True, float(np.median(lead[rows])), least, at=float(val.step[rows[-1]]), curve=val.name)
    return UNASKED


def follows(curves: Curves, limits: Limits) -> Fact:
    """A validation curve still improves over the last part of the rows, or may do so for all that its noise shows."""
    found = UNASKED
    for name in ("val/acc", "val/loss"):
        if name not in curves:
            continue
        fact = _improving(curves[name], limits)
        error = fact.size / fact.sure if fact.sure else 0.0
        may = not fact.curve or curves[name].flat or fact.size + limits.likely * abs(error) >= fact.limit
        worsens = fact.size <= -fact.limit and fact.sure <= -limits.likely
        found = replace(fact, holds=bool(may and not worsens))
        if found:
            return found
    return found


def mode_gap(curves: Curves, limits: Limits) -> Fact:
    """Training figures are far better than those of the same data in evaluation mode, and validation is not.

    Batch normalisation and dropout make a model another one in training mode: the gap is then none of data.
    """
    for quantity, side in (("acc", 1.0), ("loss", -1.0)):
        train, read = curves.get(f"train/{quantity}"), curves.get(f"eval/{quantity}_train")
        val = curves.get(f"val/{quantity}") or curves.get(f"eval/{quantity}_heldout")
        if train is None or read is None or val is None or read.rows < limits.few_rows:
            continue
        scale = 1.0 if quantity == "acc" else abs(train.begins)
        modes, data = side * (train.ends - read.ends) / scale, side * (read.ends - val.ends) / scale
        if modes > limits.gap and data < modes * limits.half_way:
            says = f"{train.ends:.3g} in training mode, {read.ends:.3g} in evaluation mode; validation {val.ends:.3g}"
            return Fact(True, modes, limits.gap, at=float(read.step[0]), curve=read.name, says=says)
    return UNASKED


def in_evaluation_mode(curves: Curves, gap: Fact) -> Curves:
    """The curves by which a run is judged: where the gap is one of modes, training data in evaluation mode."""
    if not gap:
        return curves
    read = {f"train/{q}": curves[f"eval/{q}_train"] for q in ("loss", "acc") if f"eval/{q}_train" in curves}
    return {**curves, **read}


# --- the end -------------------------------------------------------------------------------------


def improving(curves: Curves, side: str, limits: Limits) -> Fact:
    """A curve of one side still improves over the last part of the rows, beyond noise and visibly."""
    facts = [_improving(curves[n], limits) for n in (f"{side}/acc", f"{side}/loss") if n in curves]
    return max(facts, key=lambda f: (f.holds, f.sure), default=UNASKED)


def _improving(curve: Curve, limits: Limits) -> Fact:
    value = curve.signal.value
    rows = max(1, int(limits.last_part * len(value)))
    if len(value) < 2 * rows + 1 or curve.flat:
        return Fact(curve=curve.name, limit=limits.improving)
    made = curve.sign * float(value[-rows:].mean() - value[-2 * rows : -rows].mean())
    way = max(abs(curve.best - curve.worst), 1e-300)
    error = float(np.hypot(curve.ends_error, curve.ends_error) if rows > 1 else curve.noise * 2**0.5)
    sure = made / max(error, 1e-300)
    at = float(curve.signal.step[-rows])
    holds = made >= limits.improving * way and sure >= limits.likely
    return Fact(bool(holds), made / way, limits.improving, sure, at, curve.name)
