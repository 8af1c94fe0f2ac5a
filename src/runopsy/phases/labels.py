"""What a reading is called, and what a whole sequence of them shows that no single one can."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from runopsy.facts import Case
from runopsy.facts.curve import EVALUATIONS
from runopsy.model import Position, Positions, Values
from runopsy.phases.readings import Bools, Readings
from runopsy.phases.spells import Spell, spells_of
from runopsy.thresholds import Limits

Label = tuple[str, Callable[[Readings, Limits], Bools]]

LABELS: tuple[Label, ...] = (
    ("diverged", lambda r, c: r.diverged),
    ("underfitting", lambda r, c: r.train_done < c.visible_loss),
    ("underfitting", lambda r, c: r.guessing & ~r.fits & ~r.gap_open),
    ("feature_learning", lambda r, c: r.val_improves),
    ("feature_learning", lambda r, c: ~r.val_known & r.fresh & (r.train_improves | (r.train_done < c.hold))),
    ("fitting", lambda r, c: ~r.val_known & (r.train_improves | (r.train_done < c.hold))),
    ("memorization", lambda r, c: r.val_known & r.train_improves & ~r.val_keeps_pace),
    ("memorization", lambda r, c: r.val_known & r.gap_open & ~r.val_near_best),
    ("feature_learning", lambda r, c: r.val_known & (r.train_improves | (r.train_done < c.hold))),
    ("converged", lambda r, c: np.ones_like(r.diverged)),
)


def label(readings: Readings, limits: Limits) -> list[str]:
    """For each reading the first of ``LABELS`` that fits."""
    fits = np.array([test(readings, limits) for _, test in LABELS])
    return [LABELS[i][0] for i in np.argmax(fits, axis=0).tolist()]


def labels_of(readings: Readings, case: Case) -> list[str]:
    """For each reading what it is called, by itself and as a part of its whole spell."""
    limits = case.limits
    labels = plausible(label(readings, limits), readings, case)
    moves = readings.train_improves | _slowly_trained(labels, readings, limits)
    whole = replace(readings, train_improves=moves, val_known=readings.val_known & (not case.facts.unclear))
    again = label(whole, limits)
    slow = [new if word == "converged" else word for word, new in zip(labels, again, strict=True)]
    return plausible(slow, whole, case)


def _slowly_trained(labels: list[str], readings: Readings, limits: Limits) -> Bools:
    """(g,) where training stands still from moment to moment, and yet makes a part of its way over the whole spell.

    It goes on until what is left of the spell adds less than that part.
    """
    moves = np.zeros_like(readings.train_improves)
    for start, stop, word in spells_of(labels):
        if word == "converged":
            left = _left(readings.train_done, readings.train_factors, start, stop)
            moves[start:stop] = left > limits.real_change
    return moves


def _left(done: Values, factors: Values, start: int, stop: int) -> Values:
    """(stop - start,) what each point of a spell leaves to its end: of a curve's way, or of its way in factors."""
    return np.asarray(np.maximum(done[stop - 1] - done[start:stop], factors[stop - 1] - factors[start:stop]))


def plausible(labels: list[str], readings: Readings, case: Case) -> list[str]:
    """Labels that hold over their whole spell, not only from moment to moment.

    Memorization leaves a gap, and validation does not improve over it; a run in which validation makes
    a visible part of its own way is still learning, however slowly. Something was memorized where a fact shows that
    training ran ahead of validation, or where training goes on to the end while validation stands still.
    """
    result, otherwise, facts, limits = list(labels), list[str](), case.facts, case.limits
    stands = not (facts.follows or facts.improving or facts.unclear)
    for first, stop, word in spells_of(labels):
        start, left = first, _left(readings.val_done, readings.val_factors, first, stop)
        gained = float(left[0])
        trained = readings.train_done[stop - 1] - readings.train_done[start]
        ahead = facts.memorizes or (stands and stop == len(labels) and trained > limits.real_change)
        if word in ("memorization", "converged") and gained > limits.real_change:
            since = stop
            if word == "converged" or stop == len(labels):  # from here on little is gained
                since = start + int(np.flatnonzero(left > limits.real_change)[-1]) + 1
            result[start:since] = ["feature_learning"] * (since - start)
            start, gained = since, float(left[min(since, stop - 1) - first])
        if word == "memorization" and start < stop and not (ahead and readings.gap_open[start:stop].any()):
            worse = stands and stop == len(labels) and gained < 0  # nothing carries over while validation gets worse
            otherwise = otherwise or _without_gap(readings, limits)
            result[start:stop] = ["converged"] * (stop - start) if worse else otherwise[start:stop]
    return result


def _without_gap(readings: Readings, limits: Limits) -> list[str]:
    """The labels if validation had kept pace with training and no gap were open."""
    closed = np.zeros_like(readings.gap_open)
    return label(replace(readings, val_keeps_pace=~closed, gap_open=closed), limits)


def plateaus(spells: list[Spell]) -> list[Spell]:
    """Spells without those plateaus that are followed by learning of the kind before them, or by the first learning.

    Each is a pause of one slow decay: what goes on afterwards had not converged.
    """
    result = list(spells)
    at = 1
    while at < len(result) - 1:
        (start, _, before), (begins, _, word), (_, stop, after) = result[at - 1 : at + 2]
        pause = word == "converged" and after in ("feature_learning", "fitting")
        if pause and before == after:
            result[at - 1 : at + 2] = [(start, stop, before)]
        elif pause and before == "underfitting":
            result[at : at + 2] = [(begins, stop, after)]
        else:
            at += 1
    return result


def one_passage(labels: list[str], readings: Readings, case: Case) -> list[str]:
    """Labels of a run whose validation is one smooth decay: a pause within it is no phase, whatever training does."""
    val = [case.segments[n] for n in ("val/loss", "val/acc") if n in case.segments]
    train = [case.segments[n] for n in ("train/loss", "train/acc") if n in case.segments]
    if not all(s.smooth for s in (val or train)):
        return labels
    result = list(labels)
    learning = [i for i, word in enumerate(labels) if word in ("feature_learning", "fitting")]
    if learning:
        result[learning[0] : learning[-1]] = [labels[learning[0]]] * (learning[-1] - learning[0])
    tail = learning[-1] + 1 if learning else len(labels)
    if tail < len(labels) and "diverged" not in labels[tail:]:
        # it ends in one way: in between, training only wandered
        behind = float(readings.gap_open[tail:].mean()) > case.limits.half_way
        word = "memorization" if behind and "memorization" in labels[tail:] else labels[-1]
        result[tail:] = [word] * (len(labels) - tail)
    return result


def corrected_by_facts(labels: list[str], steps: Positions, case: Case) -> list[str]:
    """Labels that a page can carry beside its events and its verdict.

    In a short log, learning is over where the validation curves have come as far as they ever come, unless they still
    improve at the end. Where validation turned for good, or ends far behind fitted training, a plateau after that is
    memorization; where a fact shows that the run still learns at its end, the last plateau is none.
    """
    result, facts, settled = list(labels), case.facts, _settled(case)
    if settled is not None:
        result = [
            "converged" if s > settled and w == "feature_learning" else w for s, w in zip(steps, result, strict=True)
        ]
    turned = facts.turn.at if facts.turn and not (facts.lost or facts.broken or facts.swings) else None
    if turned is None and facts.fits and facts.gap:
        turned = case.first if all(curve.flat for curve in facts.validation_curves) else settled
    if turned is not None:
        result = ["memorization" if s >= turned and w == "converged" else w for s, w in zip(steps, result, strict=True)]
    elif (facts.still_improves or facts.may_improve) and facts.late_gain is None and facts.peak is None:
        start, stop, word = list(spells_of(result))[-1]
        if word == "converged":  # it still learns at the end, however slowly
            result[start:] = ["feature_learning"] * (stop - start)
    return result


def _settled(case: Case) -> Position | None:
    """Where the last of few validations came near its best; None where one still improves, or there are many rows."""
    facts = case.facts
    vals = [c for n, c in facts.curves.items() if n.startswith("val/") and not c.flat]
    # beside dense rows of training a turn of validation is placed well by itself
    few = facts.rows <= EVALUATIONS or (facts.validations <= EVALUATIONS and not facts.turn)
    if facts.improving or not vals or not few or facts.late_gain is not None or facts.peak is not None:
        return None
    reached = []
    for curve in vals:
        noise = float(curve.error[curve.best_point])  # of a loss it may have grown since
        little = max(case.limits.improving * abs(curve.best - curve.begins), noise)
        near = np.flatnonzero(curve.sign * (curve.fit - curve.best) >= -little)
        reached.append(float(curve.step[near[0]]))
    return max(reached)
