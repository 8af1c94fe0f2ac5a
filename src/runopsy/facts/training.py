"""Whether training left its start, only got worse, stands at chance, and how well it ends fitted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from runopsy.facts.curve import EVALUATIONS, FEWEST_FIT, Curve, Curves
from runopsy.facts.ending import at_end, kendall
from runopsy.facts.fact import UNASKED, Fact
from runopsy.facts.start import CROSS_ENTROPIES, Start, guessed_among
from runopsy.stats import median
from runopsy.thresholds import Limits

# Numbers of classes that people have: among many, any loss is near that of guessing among some number of them.
FEW_CLASSES = 3.0  # nats, ln 20: a loss that begins higher is of more classes, as of words, and ends higher too
# Nats: the cross-entropy of classifiers that are right nine times in ten, a median of 360 readings of 80 trainings with
# 2 to 10 classes (.30 to .42 in half of them).
FITTED_NATS = 0.33
SLOW = 0.25  # of the least visible way, from which one that goes on to the last row, far beyond noise, is one …
STEADY = 5.0  # x the standard errors asked otherwise


def moved(curves: Curves, limits: Limits) -> Fact:
    """Training ever left its first level by more than noise: any curve that became better shows it."""
    asked = [n for n in ("train/loss", "train/acc", "val/acc", "val/loss") if n in curves] or list(curves)
    facts: list[Fact] = []
    while len(facts) < len(asked) and not any(facts):
        facts.append(_moved(curves[asked[len(facts)]], limits))
    found = next((f for f in facts if f), facts[0] if facts else UNASKED)
    still = all(_repeats(c, limits) for c in curves.values()) or _came_down_to_guessing(curves, limits)
    return replace(found, holds=False) if still else found


def _came_down_to_guessing(curves: Curves, limits: Limits) -> bool:
    """Whether a loss that began above the level of guessing came down to it, and no accuracy ever left 1 / K."""
    accuracies = [c for n in ("train/acc", "val/acc") if (c := curves.get(n)) is not None]
    loss = curves.get("train/loss")
    if loss is None or not accuracies:
        return False
    best = [accuracy.best for accuracy in accuracies]
    return None not in (guessed_among(loss.ends, best, limits), guessed_among(loss.best, best, limits))


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
    room = abs(curve.begins) if curve.sign < 0 else 1 - curve.begins  # for the better
    by_half = made >= limits.fell_far * room > 0 and sure >= limits.likely
    holds = holds or by_half or _falls_by_half(curve, limits)
    in_order = not holds and _in_order(curve, far, limits)
    slowly = not holds and made >= SLOW * least and sure >= STEADY * limits.sure and bool(at_end(curve, limits))
    return Fact(bool(holds or in_order or slowly), made, least, sure, curve.best_at, curve.name)


def _in_order(curve: Curve, far: bool, limits: Limits) -> bool:
    """Whether the rows of a short log improve by their ranks, and visibly, where noise hides every single move."""
    if curve.rows > EVALUATIONS or curve.rows < limits.level_rows:
        return False
    rows = max(1, int(limits.last_part * curve.rows))
    begins, ends = median(curve.signal.value[:rows]), median(curve.signal.value[-rows:])
    seen = far or curve.sign * (ends - begins) >= limits.visible_ratio * abs(begins)
    return seen and kendall(curve.sign * curve.signal.value) >= limits.sure


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
    if loss is None or loss.begins <= 0 or start.loss is None or loss.below_zero:
        return UNASKED, val is not None
    if val is not None and CROSS_ENTROPIES[0] < loss.begins < FEW_CLASSES:
        return Fact(loss.ends <= FITTED_NATS, loss.ends, FITTED_NATS, at=loss.best_at, curve=loss.name), True
    share = left_of(loss, start.loss)
    if (val_loss := curves.get("val/loss")) is not None and _over_before(loss, val_loss, limits):
        return Fact(False, share, limits.fell_far, at=loss.best_at, curve=loss.name), False
    fell = share <= limits.fell_far
    known = val is not None or share <= 1 - limits.part or loss.signal.power > 0
    left = f"{max(loss.ends, 0.0) / start.loss:.0%}"  # of the loss as it is logged, squared or not
    text = f"its loss came down to {'less than 1%' if left == '0%' else left} of the first"
    return Fact(fell, share, limits.fell_far, at=loss.best_at, curve=loss.name, text=text), known


def _over_before(loss: Curve, val: Curve, limits: Limits) -> bool:
    """Whether all that training gained lies before the first validation, which gained nothing and stands beside it.

    Such a fall may be that of outputs which only came into their range.
    """
    since, little = loss.at(val.begins_at), limits.visible_loss * abs(val.begins)
    return max(since - loss.ends, val.begins - val.best, val.ends - loss.ends) < little


def left_of(loss: Curve, begins: float) -> float:
    """The share of its first level at which a loss ends; of a regression, in the target's unit."""
    return float((max(loss.ends, 0.0) / begins) ** (1 / max(loss.signal.power, 1)))


def far(curves: Curves, start: Start, limits: Limits) -> Fact:
    """Every accuracy ends far from fitting, validation's too, which dropout leaves alone; or a regression's error."""
    accuracies = [curves[n] for n in ("train/acc", "val/acc") if n in curves]
    loss = curves.get("train/loss")
    if not accuracies and loss is not None and loss.signal.power and loss.begins > 0 and start.loss is not None:
        left = left_of(loss, start.loss)
        return Fact(left > limits.fell_far, left, limits.fell_far, np.inf, curve=loss.name)
    if not accuracies:
        return UNASKED
    best = max(accuracies, key=lambda acc: acc.ends)
    sure = min((limits.most - acc.ends) / max(acc.ends_error, 1e-300) for acc in accuracies)
    return Fact(best.ends < limits.most, best.ends, limits.most, sure, curve=best.name)


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
