"""Whether what training learnt carries over to validation: it left chance, was better before, turned, follows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from runopsy.facts.curve import EVALUATIONS, FEWEST_FIT, Curve, Curves, noise_at
from runopsy.facts.ending import TREND, kendall, trend
from runopsy.facts.fact import UNASKED, Fact
from runopsy.facts.start import CROSS_ENTROPIES, LATE, LN2, Start
from runopsy.model import Position
from runopsy.stats import median
from runopsy.thresholds import Limits

FAIR = 0.8  # x ``half_way``: validation that makes so much of training's way makes a fair part of it
LARGE = 2.0  # x a visible rise: a large one; where training goes against it, a visible one divided by it is seen


def _descent(curves: Curves, start: Start, limits: Limits) -> tuple[float, float]:
    """(how far validation loss came down from training's start, how far the training loss did).

    Where the two are of different quantities: (how far it came down from its own start, that start).
    """
    val, train = curves.get("val/loss"), curves.get("train/loss")
    if val is None:
        return 0.0, 0.0
    if train is not None and not _in_one_unit(train, val, limits):
        return val.begins - val.best, abs(val.begins)
    begins = max(val.begins, start.loss if start.loss is not None else val.begins)
    way = begins - train.best if train is not None else abs(begins)
    return begins - val.best, max(way, 0.0)


def _in_one_unit(train: Curve, val: Curve, limits: Limits) -> bool:
    """Whether training's figures can be of the quantity that validation's are: at least one comes near them.

    A sum over batches beside a mean, or with terms that validation leaves out, stays far above all of them.
    """
    return train.sign > 0 or train.low <= limits.far_above * max(val.high, 0.0)


def left_chance(curves: Curves, start: Start, limits: Limits) -> Fact:
    """Validation ever left its start: by accuracy where there is one, else by loss."""
    acc, loss = curves.get("val/acc"), curves.get("val/loss")
    fell, way = _descent(curves, start, limits)
    began = 0.0 if loss is None else abs(fell + loss.best)
    by_loss = fell > 0 and fell >= max(limits.real_change * way, limits.slight * began)
    if acc is None:
        if loss is None:
            return UNASKED
        return Fact(by_loss, fell, limits.real_change * way, at=loss.best_at, curve=loss.name)
    gain = acc.best - (start.accuracy if start.accuracy is not None else acc.begins)
    began_late = loss is not None and start.loss is not None and acc.begins >= FAIR * limits.half_way and by_loss
    began_late = began_late and (not acc.flat or acc.rows < FEWEST_FIT)
    began_late = (
        began_late
        and loss is not None
        and (start.loss or 0.0) - loss.begins >= limits.real_change * (start.loss or 0.0)
    )
    began_late = began_late or (acc.begins >= FAIR * limits.half_way and _begins_late(acc, curves))
    sure = gain / max(acc.noise / acc.rows**0.5 if acc.flat else acc.noise, 1e-300)  # flat: its mean, against the start
    above = gain >= limits.left_chance and (not acc.flat or sure >= limits.sure)
    holds = start.trained or began_late or above
    return Fact(bool(holds), gain, limits.left_chance, sure, acc.best_at, acc.name)


def _begins_late(val: Curve, curves: Curves) -> bool:
    """Whether validation has its first row when much of the training has passed: it had no start to leave."""
    train = curves.get("train/loss") or curves.get("train/acc")
    if train is None or train.rows < FEWEST_FIT:
        return False
    return val.begins_at > train.begins_at + LATE * (float(train.signal.step[-1]) - train.begins_at)


def generalised(curves: Curves, start: Start, left: Fact, limits: Limits) -> Fact:
    """Validation made a fair part of the way that training made."""
    train, val = curves.get("train/acc"), curves.get("val/acc")
    if train is not None and val is not None and start.accuracy is not None:
        chance, least = start.accuracy, FAIR * limits.half_way
        if start.loss is not None and CROSS_ENTROPIES[0] < start.loss < CROSS_ENTROPIES[1]:
            chance = min(chance, float(np.exp(-start.loss)))  # a first epoch's accuracy is no longer that of chance
        way = train.ends - chance
        share = 1.0 if way <= 0 else (val.ends - chance) / way
        share = 1.0 if (start.trained or _begins_late(val, curves)) and val.ends >= least else share
        return Fact(share >= least, share, least, at=val.best_at, curve=val.name)
    return left


def better_loss(curves: Curves, start: Start, left: Fact, limits: Limits) -> Fact:
    """Validation loss had really come down, and ends visibly above its lowest level."""
    loss = curves.get("val/loss")
    if loss is None:
        return UNASKED
    noisy = loss.flat
    if noisy:  # too few rows for a shape may still be enough for the ranks of those after the lowest one
        loss = replace(loss, fit=loss.value)
    fell, made = _descent({**curves, "val/loss": loss}, start, limits)
    rise = loss.ends - loss.best
    real = start.trained or (fell >= limits.real_change * made and fell > 0 and bool(left))
    way = max(fell, LN2 - loss.best if start.trained else 0.0)  # of a trained classifier: from guessing, at least
    least = max(limits.visible_loss * way, limits.visible_ratio * abs(loss.best))
    against = _against(curves.get("train/loss"), loss, rise, limits)
    sure = rise / noise_at(loss, loss.best)
    ranked = trend(loss, limits) >= TREND
    # training that goes the other way is a witness: of a large rise that is likely, or of a sure one that is small
    likely = against and rise >= LARGE * least and sure >= limits.likely
    certain = (sure >= limits.likely and ranked) if noisy else (sure >= limits.sure or ranked or likely)
    certain = certain or _only_rises(loss, limits)
    least /= LARGE if against else 1.0
    turned = loss.fit[-1] > loss.best
    return Fact(bool(real and turned and rise >= least and certain), rise, least, sure, loss.best_at, loss.name)


def _against(train: Curve | None, loss: Curve, rise: float, limits: Limits) -> bool:
    """Whether training gained since validation was best, while that lost a fair part as much for more than a row."""
    gained = 0.0 if train is None else train.at(loss.best_at) - train.ends
    lasts = loss.rows - loss.best_row >= limits.few_rows
    return lasts and gained > 0 and rise >= limits.gap * gained


def _only_rises(loss: Curve, limits: Limits) -> bool:
    """Whether each of the few rows after the lowest one is worse than the one before, and the last by much."""
    after = loss.signal.value[loss.best_row :]
    if loss.rows >= FEWEST_FIT or len(after) < limits.few_rows:
        return False
    return bool((np.diff(after) > 0).all() and after[-1] >= limits.jump * after[0])


def better_accuracy(curves: Curves, start: Start, left: Fact, limits: Limits) -> Fact:
    """Validation accuracy had left chance, and ends visibly below its best level."""
    acc = curves.get("val/acc")
    if acc is None or acc.flat:
        return UNASKED
    fall = acc.best - acc.ends
    sure = fall / noise_at(acc, acc.best)
    certain = sure >= limits.sure or trend(acc, limits) >= TREND
    by_luck = acc.best_at <= acc.begins_at and not start.trained and left.sure < limits.sure  # a first row alone
    holds = bool(left) and acc.fit[-1] < acc.best and fall >= limits.visible_accuracy and certain and not by_luck
    return Fact(bool(holds), fall, limits.visible_accuracy, sure, acc.best_at, acc.name)


def turn(curves: Curves, loss: Fact, accuracy: Fact, fits: Fact, gap: Fact, improves: Fact, limits: Limits) -> Fact:
    """Validation got worse for good while training was fitted, ran ahead or went on getting better.

    It is read from the loss where the loss shows it, else from the accuracy.
    """
    better = loss or accuracy
    train = curves.get("train/loss") or curves.get("train/acc")
    if not better or train is None or better.at is None:
        return UNASKED
    way = abs(train.best - train.begins)
    seen = way >= (limits.visible_accuracy if train.sign > 0 else limits.slight * abs(train.begins))
    went_on = seen and train.sign * (train.ends - train.at(better.at)) >= limits.slight * way
    if _wanders(train) or (not went_on and _set_back(train, better.at, limits)):
        return UNASKED  # up and down alike: a validation that does so too has not turned
    return better if fits or gap or improves or went_on else UNASKED


def _set_back(train: Curve, since: Position, limits: Limits) -> bool:
    """Whether training itself lost a fair part of its way after a position: what broke it broke validation."""
    after = train.sign * train.fit[train.step >= since]
    lost = train.sign * train.at(since) - float(after.min(initial=np.inf))
    return bool(len(after)) and lost >= limits.real_change * abs(train.best - train.begins)


def _wanders(train: Curve) -> bool:
    """Whether a training curve gets worse by as much, at some time, as half of what it ever gains at once."""
    gains = [train.sign * m.change for m in train.moves]
    return bool(gains) and -min(gains) >= max(gains) / 2


def accuracy_rose_since(curves: Curves, better: Fact, limits: Limits) -> Fact:
    """Validation accuracy is visibly above its level where validation loss turned."""
    acc = curves.get("val/acc")
    if acc is None or better.at is None:
        return UNASKED
    rise = acc.ends - acc.at(better.at)
    return Fact(rise >= limits.visible_accuracy, rise, limits.visible_accuracy, at=better.at, curve=acc.name)


def gap(curves: Curves, start: Start, limits: Limits) -> Fact:
    """Validation ends far behind training: by accuracy where both are there, else by loss."""
    for quantity, first in (("acc", 1.0), ("loss", abs(start.loss or 0.0))):
        train, val = curves.get(f"train/{quantity}"), curves.get(f"val/{quantity}")
        scale = abs(train.best - train.worst) if train is not None and train.below_zero else first
        if train is not None and val is not None and scale > 0 and _in_one_unit(train, val, limits):
            if quantity == "loss" and "val/acc" in curves and 1 - curves["val/acc"].ends <= limits.gap:
                continue  # an accuracy so high leaves no room for a gap, however the losses differ
            size = val.sign * (train.ends - val.ends) / scale
            return Fact(size > limits.gap, size, limits.gap, curve=val.name, at=float(val.step[-1]))
    return UNASKED


def ahead(curves: Curves, limits: Limits) -> Fact:
    """Validation stands better than training for many rows: how training figures are taken explains that."""
    for quantity in ("acc", "loss"):
        train, val = curves.get(f"train/{quantity}"), curves.get(f"val/{quantity}")
        if train is None or val is None or train.rows < limits.few_rows or val.rows < limits.few_rows:
            continue
        if not _in_one_unit(train, val, limits):
            continue
        lead = val.sign * (val.value - np.interp(val.step, train.step, train.value))
        noise = np.hypot(val.error, np.interp(val.step, train.step, train.error))
        least = visible(train, limits)
        rows = np.flatnonzero((lead >= least) & (lead >= limits.sure * noise))
        if len(rows) >= limits.few_rows and float(np.mean(lead > 0)) >= limits.half_way:
            return Fact(True, median(lead[rows]), least, at=float(val.step[rows[-1]]), curve=val.name)
        rows = np.flatnonzero(lead > 0)  # by less, and in nearly all rows
        small = limits.visible_ratio * abs(median(val.value))
        if len(lead) >= limits.fewest_rows and len(rows) >= limits.most * len(lead) and median(lead) >= small:
            return Fact(True, median(lead), small, at=float(val.step[rows[-1]]), curve=val.name)
    return UNASKED


def visible(curve: Curve, limits: Limits) -> float:
    """The least change of a curve that counts: of an accuracy itself, of a loss as a share of its first level."""
    return limits.visible_accuracy if curve.sign > 0 else limits.visible_loss * abs(curve.begins)


def follows(curves: Curves, ends: Mapping[str, Fact], limits: Limits) -> Fact:
    """A validation curve still improves over the last part, or may for all its noise shows; and none gets worse."""
    trained = max((curve.rows for name, curve in curves.items() if name.startswith("train/")), default=0)
    asked = [curves[name] for name in ("val/acc", "val/loss") if name in curves]
    late = [ends[name] for name in ("val/acc", "val/loss") if name in curves]
    if any(_worsens(curve, fact, limits) for curve, fact in zip(asked, late, strict=True)):
        return Fact(curve=asked[0].name)
    few = trained >= limits.fewest_rows
    enough = 2 * limits.few_rows
    facts = [
        _may_improve(c, fact, limits) if c.rows >= enough else _last_is_best(c, limits, few)
        for c, fact in zip(asked, late, strict=True)
    ]
    return next((fact for fact in facts if fact), facts[0] if facts else UNASKED)


def _worsens(curve: Curve, fact: Fact, limits: Limits) -> bool:
    """Whether a curve gets worse over the last part, by noise or by ranks, or has since its best, however little."""
    back = curve.sign * (curve.best - curve.ends)
    if trend(curve, limits) >= TREND or back >= limits.sure * noise_at(curve, curve.best) > 0:
        return True
    if fact.size > -fact.limit or fact.sure <= -limits.likely or not 2 * limits.level_rows <= curve.rows <= EVALUATIONS:
        return fact.size <= -fact.limit and fact.sure <= -limits.likely
    rows = max(limits.level_rows, 2 * int(limits.last_part * curve.rows))
    return kendall(-curve.sign * curve.signal.value[-rows:]) >= TREND


def _may_improve(curve: Curve, fact: Fact, limits: Limits) -> Fact:
    """Whether a curve gains over its last part, by its level or by its ranks, and visibly for all its noise shows."""
    error = abs(fact.size / fact.sure) if fact.sure else 0.0
    least = limits.half_way * limits.likely
    gains = (fact.size > 0 and fact.sure >= least) or _rises_by_ranks(curve, limits) >= least
    possible = curve.flat or fact.size + limits.likely * error >= fact.limit
    return replace(fact, holds=bool(gains and possible))


def _rises_by_ranks(curve: Curve, limits: Limits) -> float:
    """How sure the ranks of the last rows rise, in standard errors; 0 in a long log, where the level shows it."""
    if curve.rows > EVALUATIONS:
        return 0.0
    rows = max(limits.level_rows, int(2 * limits.last_part * curve.rows))
    return kendall(curve.sign * curve.signal.value[-rows:])


def unclear(curves: Curves, ends: Mapping[str, Fact], follows: Fact, limits: Limits) -> Fact:
    """Validation varies so much from row to row that a visible gain over its last part would not show.

    The error of counting is no part of it: each row is an evaluation of the same examples.
    """
    asked = [
        curves[name] for name in ("val/acc", "val/loss") if name in curves and curves[name].rows >= limits.few_rows
    ]
    if follows or any(_worsens(curve, ends[curve.name], limits) for curve in asked):
        return UNASKED
    for curve in asked:
        least = visible(curve, limits)
        error = curve.scatter * (2 / max(1, int(limits.last_part * curve.rows))) ** 0.5
        if limits.likely * error >= least:
            return Fact(True, curve.scatter, least, at=float(curve.step[-1]), curve=curve.name)
    return UNASKED


def _last_is_best(curve: Curve, limits: Limits, enough: bool) -> Fact:
    """The last of few evaluations, beside training rows enough, is the best and visibly better than those before it."""
    value = curve.signal.value
    if len(value) < 2 or not enough:
        return UNASKED
    least = visible(curve, limits)
    made = curve.sign * float(value[-1] - value[:-1].mean())
    best = curve.sign * value[-1] >= (curve.sign * value).max()
    return Fact(bool(best and made >= least), made, least, np.inf, curve.best_at, curve.name)


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
        if modes > limits.gap and data < modes * FAIR * limits.half_way:
            text = f"{train.ends:.3g} in training mode, {read.ends:.3g} in evaluation mode; validation {val.ends:.3g}"
            return Fact(True, modes, limits.gap, at=float(read.step[0]), curve=read.name, text=text)
    return UNASKED


def in_evaluation_mode(curves: Curves, gap: Fact) -> Curves:
    """The curves by which a run is judged: where the gap is one of modes, training data in evaluation mode."""
    if not gap:
        return curves
    read = {f"train/{q}": curves[f"eval/{q}_train"] for q in ("loss", "acc") if f"eval/{q}_train" in curves}
    return {**curves, **read}
