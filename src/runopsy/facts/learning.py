"""Whether training learnt, whether that carries over to validation, and how both end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from runopsy.facts.curve import EVALUATIONS, FEWEST_FIT, Curve
from runopsy.facts.fact import UNASKED, Fact
from runopsy.model import Position, Values
from runopsy.stats import median
from runopsy.thresholds import Limits

Curves = Mapping[str, Curve]

CROSS_ENTROPIES = (0.5, 8.0)  # nats: a first loss between them may be that of guessing among 2 to 3000 classes
LN2 = 0.693  # nats: the cross-entropy of guessing between two classes, the least that guessing costs
# Numbers of classes that people have: among many, any loss is near that of guessing among some number of them.
FEW_CLASSES = 3.0  # nats, ln 20: a loss that begins higher is of more classes, as of words, and ends higher too
CLASSES = (*range(2, 21), 50, 100, 200, 1000)
# Nats: the cross-entropy of classifiers that are right nine times in ten, a median of 360 readings of 80 trainings with
# 2 to 10 classes (.30 to .42 in half of them).
FITTED_NATS = 0.33
LATE = 0.25  # of the last position, or of training: what begins beyond it shows a part only
TRAINED_LOSS = 0.9  # of LN2: a classifier whose first loss is lower had learnt before its first row
TRAINED_ACC = 0.55  # of accuracy, that it must have had with it: more than one class in two by chance
TRAINED_ACC_ALONE = 0.8  # of accuracy: a first row so high is of a trained model, whatever the loss is
FAIR = 0.8  # x ``half_way``: validation that makes so much of training's way makes a fair part of it
TREND = 2.2  # standard errors of a rank trend: five rows in order, 1 in 120 by chance
MOST_RANKED = 12  # rows from the best to the end, up to which ranks alone decide: more may wander from row to row
SLOW = 0.25  # of the least visible way, from which one that goes on to the last row, far beyond noise, is one …
STEADY = 5.0  # x the standard errors asked otherwise
LARGE = 2.0  # x a visible rise: a large one; and where training goes against it, a visible one divided by it is seen


@dataclass(frozen=True, slots=True)
class Start:
    """Where training began. A validation curve that begins later began here too."""

    late: bool  # the log begins late: it is a window out of a longer run
    loss: float | None  # first level of the loss, of training or of a validation before training's first row
    accuracy: float | None  # lowest first level of an accuracy
    trained: bool  # the log begins with a model that had learnt before


def start_of(curves: Curves, first: Position, last: Position, limits: Limits) -> Start:
    """Where training began, of a log that runs from one position to another."""
    loss = curves.get("train/loss") or curves.get("val/loss")
    firsts = [curves[n].begins for n in ("train/acc", "val/acc") if n in curves]
    low = loss is not None and 0 <= loss.begins < TRAINED_LOSS * LN2
    trained = bool(firsts) and ((low and max(firsts) >= TRAINED_ACC) or max(firsts) >= TRAINED_ACC_ALONE)
    accuracy = min(firsts, default=None)
    if accuracy is not None and _untrained(curves, loss):
        accuracy = curves["val/acc"].begins
    began = _first_loss(curves)
    classes = None if began is None else guessed_among(began, firsts, limits)
    if accuracy is not None and classes is not None:
        accuracy = max(accuracy, 1 / classes)  # a first row may lie below chance, by few examples or by bad luck
    return Start(first > LATE * last > 0, began, accuracy, trained)


def _first_loss(curves: Curves) -> float | None:
    """The level from which the loss came down: where training is logged seldom, its first row comes late.

    Validation before it is a witness of a model that had learnt less, where it stands higher.
    """
    train, val = curves.get("train/loss"), curves.get("val/loss")
    loss = train or val
    if loss is None:
        return None
    earlier = train is not None and val is not None and val.begins_at < train.begins_at
    return max(loss.begins, val.begins) if earlier and val is not None else loss.begins


def _untrained(curves: Curves, train: Curve | None) -> bool:
    """Whether the first validation is of a model that has learnt nothing: then its own accuracy is that of chance."""
    loss, acc = curves.get("val/loss"), curves.get("val/acc")
    if train is None or loss is None or acc is None or loss is train:
        return False
    return bool(loss.begins_at <= train.begins_at and loss.begins >= train.begins and acc.begins <= TRAINED_ACC)


def guessed_among(loss: float, accuracies: Sequence[float], limits: Limits) -> int | None:
    """The number of classes among which a model guesses whose loss and accuracies stand so; None where it does not."""
    classes = min(CLASSES, key=lambda k: abs(np.log(k) - loss))
    near = abs(loss - np.log(classes)) <= limits.slight * np.log(classes)
    return classes if near and all(abs(a - 1 / classes) <= limits.half_way / classes for a in accuracies) else None


def noise_at(curve: Curve, best: float) -> float:
    """One standard error of the difference between a curve's last level and one of its fitted levels."""
    at = int(np.argmin(np.abs(curve.fit - best)))
    return float(np.hypot(curve.ends_error, curve.error[at]))


# --- training ------------------------------------------------------------------------------------


def moved(curves: Curves, limits: Limits) -> Fact:
    """Training ever left its first level by more than noise: any curve that became better shows it."""
    asked = [n for n in ("train/loss", "train/acc", "val/acc", "val/loss") if n in curves] or list(curves)
    facts: list[Fact] = []
    while len(facts) < len(asked) and not any(facts):
        facts.append(_moved(curves[asked[len(facts)]], limits))
    found = next((f for f in facts if f), facts[0] if facts else UNASKED)
    return replace(found, holds=False) if all(_repeats(c, limits) for c in curves.values()) else found


def _repeats(curve: Curve, limits: Limits) -> bool:
    """One row, and then the same digits for ever."""
    after = curve.signal.value[1:]
    return len(after) >= limits.few_rows and bool(after[0] == after[-1] and np.ptp(after) == 0)


def _moved(curve: Curve, limits: Limits) -> Fact:
    share = limits.part if curve.name == "val/loss" else limits.slight  # a validation loss is a witness only
    least = limits.visible_accuracy if curve.sign > 0 else share * abs(curve.begins)
    made, sure = 0.0, 0.0
    for move in curve.moves:
        if curve.sign * move.change > made:
            made, sure = curve.sign * move.change, move.sure
    holds = made > 0 and made >= least and sure >= limits.sure
    far = curve.sign < 0 and made >= limits.gap * abs(curve.begins)
    by_half = far and made >= limits.fell_far * abs(curve.begins) and sure >= limits.likely
    holds = holds or by_half or _falls_by_half(curve, limits)
    in_order = not holds and far and curve.rows <= EVALUATIONS and _ranks(-curve.signal.value) >= limits.sure
    slowly = not holds and made >= SLOW * least and sure >= STEADY * limits.sure and bool(_improving(curve, limits))
    return Fact(bool(holds or in_order or slowly), made, least, sure, curve.best_at, curve.name)


def _falls_by_half(curve: Curve, limits: Limits) -> bool:
    """Whether a loss falls by half or more, row by row, in a log too short for its noise to be known."""
    value = curve.signal.value
    few = limits.few_rows <= len(value) < FEWEST_FIT and curve.sign < 0
    return few and bool((np.diff(value) < 0).all() and value[-1] <= limits.fell_far * value[0])


def rose(curves: Curves, moved: Fact, limits: Limits) -> Fact:
    """The training loss only got worse."""
    loss = curves.get("train/loss")
    if loss is None or moved or loss.flat:
        return UNASKED
    worse = max(-loss.sign * m.change for m in loss.moves)
    least = limits.visible_ratio * abs(loss.begins)
    return Fact(worse >= least, worse, least, worse / max(loss.noise, 1e-300), loss.moves[0].start, loss.name)


def fits(curves: Curves, start: Start, limits: Limits) -> tuple[Fact, bool]:
    """Training ends fitted; and whether the log can show it at all."""
    train, val, loss = (curves.get(n) for n in ("train/acc", "val/acc", "train/loss"))
    accuracies = [acc for acc in (val, train) if acc is not None]
    acc = next((a for a in accuracies if a.ends >= limits.fits_at_end), train)  # dropout may keep training's own low
    if acc is not None:
        holds = acc.ends >= limits.fits_at_end or _may_fit(acc, limits)
        return Fact(holds, acc.ends, limits.fits_at_end, at=acc.best_at, curve=acc.name), True
    if loss is None or loss.begins <= 0 or start.loss is None:
        return UNASKED, val is not None
    if val is not None and CROSS_ENTROPIES[0] < loss.begins < FEW_CLASSES:
        return Fact(loss.ends <= FITTED_NATS, loss.ends, FITTED_NATS, at=loss.best_at, curve=loss.name), True
    share = left_of(loss, start.loss)
    fell = share <= limits.fell_far
    known = val is not None or share <= 1 - limits.part or loss.signal.power > 0
    says = f"its loss came down to {share:.0%} of the first"
    return Fact(fell, share, limits.fell_far, at=loss.best_at, curve=loss.name, text=says), known


def left_of(loss: Curve, begins: float) -> float:
    """The share of its first level at which a loss ends; of a regression, in the target's unit."""
    return float((max(loss.ends, 0.0) / begins) ** (1 / max(loss.signal.power, 1)))


def far(curves: Curves, start: Start, limits: Limits) -> bool:
    """Every accuracy ends far from fitting, validation's too, which dropout leaves alone; or a regression's error."""
    ends = [curves[n].ends for n in ("train/acc", "val/acc") if n in curves]
    loss = curves.get("train/loss")
    if not ends and loss is not None and loss.signal.power and loss.begins > 0 and start.loss is not None:
        return left_of(loss, start.loss) > limits.fell_far
    return bool(ends) and max(ends) < limits.most


def _may_fit(acc: Curve, limits: Limits) -> bool:
    """Whether an accuracy of few examples has come to the top, and its last rows lie lower by noise alone."""
    at_top = float(acc.fit[-1]) >= limits.fitted_accuracy
    return at_top and acc.ends + limits.likely * acc.ends_error >= limits.fits_at_end


def at_chance(curves: Curves, moved: Fact, limits: Limits) -> Fact:
    """Nothing was learnt, and the level is that of guessing among K classes, or of the most frequent one."""
    if moved:
        return UNASKED
    accuracies = [c for n in ("train/acc", "val/acc") if (c := curves.get(n)) is not None]
    for name in ("train/loss", "val/loss"):
        loss = curves.get(name)
        if loss is None or loss.rows < limits.level_rows:
            continue
        classes = guessed_among(loss.ends, [a.ends for a in accuracies], limits)
        if classes is not None:
            text = f"the loss stands at {loss.ends:.3g}, the value of guessing among {classes} classes (ln {classes})"
            return Fact(True, loss.ends, float(np.log(classes)), at=float(loss.step[0]), curve=name, text=text)
    for acc in accuracies:
        if _repeats(acc, limits) and acc.ends > 0:
            text = f"accuracy stands at {acc.ends:.4g}, as if one class were always answered (chance)"
            return Fact(True, acc.ends, acc.ends, at=float(acc.step[0]), curve=acc.name, text=text)
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
    fell, made = _descent({**curves, "val/loss": loss}, start)
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
    lasts = int((loss.signal.step >= loss.best_at).sum()) >= limits.few_rows
    return lasts and gained > 0 and rise >= limits.gap * gained


def _only_rises(loss: Curve, limits: Limits) -> bool:
    """Whether each of the few rows after the lowest one is worse than the one before, and the last by much."""
    after = loss.signal.value[loss.signal.step >= loss.best_at]
    if loss.rows >= FEWEST_FIT or len(after) < limits.few_rows:
        return False
    return bool((np.diff(after) > 0).all() and after[-1] >= limits.jump * after[0])


def trend(curve: Curve, limits: Limits) -> float:
    """How sure a curve got worse after its best row, in a short log, in standard errors.

    It needs no estimate of the noise, which few rows do not allow. Many rows may wander: of them more is asked.
    """
    after = curve.sign * curve.signal.value[curve.signal.step >= curve.best_at]
    if not limits.level_rows <= len(after) <= EVALUATIONS:
        return 0.0
    longer = np.log(max(len(after), MOST_RANKED) / MOST_RANKED) / np.log(EVALUATIONS / MOST_RANKED)
    return float(_ranks(-after) * TREND / (TREND + longer * (limits.sure - TREND)))


def _ranks(value: Values) -> float:
    """How sure a series rises: Kendall's rank test, in standard errors. (Kendall 1938, Biometrika 30.)"""
    n = len(value)
    rises = int(np.triu(np.sign(value[None, :] - value[:, None])).sum())
    return float((rises - 1) / (n * (n - 1) * (2 * n + 5) / 18) ** 0.5)


def better_accuracy(curves: Curves, start: Start, left: Fact, limits: Limits) -> Fact:
    """Validation accuracy had left chance, and ends visibly below its best level."""
    acc = curves.get("val/acc")
    if acc is None or acc.flat:
        return UNASKED
    fall = acc.best - acc.ends
    sure = fall / noise_at(acc, acc.best)
    certain = sure >= limits.sure or trend(acc, limits) >= TREND
    holds = bool(left) and acc.fit[-1] < acc.best and fall >= limits.visible_accuracy and certain
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
    for quantity, scale in (("acc", 1.0), ("loss", abs(start.loss or 0.0))):
        train, val = curves.get(f"train/{quantity}"), curves.get(f"val/{quantity}")
        if train is not None and val is not None and scale > 0:
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
        lead = val.sign * (val.value - np.interp(val.step, train.step, train.value))
        noise = np.hypot(val.error, np.interp(val.step, train.step, train.error))
        least = limits.visible_accuracy if quantity == "acc" else limits.visible_loss * abs(train.begins)
        rows = np.flatnonzero((lead >= least) & (lead >= limits.sure * noise))
        if len(rows) >= limits.few_rows and float(np.mean(lead > 0)) >= limits.half_way:
            return Fact(True, median(lead[rows]), least, at=float(val.step[rows[-1]]), curve=val.name)
    return UNASKED


def follows(curves: Curves, limits: Limits) -> Fact:
    """A validation curve still improves over the last part, or may for all its noise shows; and none gets worse."""
    trained = max((curve.rows for name, curve in curves.items() if name.startswith("train/")), default=0)
    asked = [curves[name] for name in ("val/acc", "val/loss") if name in curves]
    late = [_improving(curve, limits) for curve in asked]
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
    if trend(curve, limits) >= TREND:
        return True
    if fact.size > -fact.limit or fact.sure <= -limits.likely or not 2 * limits.level_rows <= curve.rows <= EVALUATIONS:
        return fact.size <= -fact.limit and fact.sure <= -limits.likely
    rows = max(limits.level_rows, 2 * int(limits.last_part * curve.rows))
    return _ranks(-curve.sign * curve.signal.value[-rows:]) >= TREND


def _may_improve(curve: Curve, fact: Fact, limits: Limits) -> Fact:
    """Whether a curve gains, and may gain visibly within its noise; or its rows are too few or too noisy to show it."""
    error = abs(fact.size / fact.sure) if fact.sure else 0.0
    gains = fact.size > 0 and fact.sure >= limits.half_way * limits.likely
    blind = curve.rows < limits.fewest_rows or error >= fact.limit
    possible = fact.size + limits.likely * error >= fact.limit
    return replace(fact, holds=bool(curve.flat or (possible and (gains or blind))))


def _last_is_best(curve: Curve, limits: Limits, enough: bool) -> Fact:
    """The last of few evaluations, beside training rows enough, is the best and visibly better than those before it."""
    value = curve.signal.value
    if len(value) < 2 or not enough:
        return UNASKED
    least = limits.visible_accuracy if curve.sign > 0 else limits.visible_loss * abs(curve.begins)
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
