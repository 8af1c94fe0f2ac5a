"""How a curve ends: whether it still improves, or has become worse since its best."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from runopsy.facts.curve import EVALUATIONS, Curve, Curves
from runopsy.facts.fact import UNASKED, Fact
from runopsy.model import JUDGED, Values
from runopsy.stats import white_noise
from runopsy.thresholds import Limits

TREND = 2.2  # standard errors of a rank trend: five rows in order, 1 in 120 by chance
MOST_RANKED = 12  # rows from the best to the end, up to which ranks alone decide: more may wander from row to row


def ends_of(curves: Curves, limits: Limits) -> Mapping[str, Fact]:
    """What each judged curve gains over its last part, by name: several facts ask for it."""
    return {name: at_end(curves[name], limits) for name in JUDGED if name in curves}


def improving(ends: Mapping[str, Fact], side: str) -> Fact:
    """A curve of one side still improves over the last part of the rows, beyond noise and visibly."""
    facts = [ends[n] for n in (f"{side}/acc", f"{side}/loss") if n in ends]
    return max(facts, key=lambda f: (f.holds, f.sure), default=UNASKED)


def at_end(curve: Curve, limits: Limits) -> Fact:
    """What a curve gains over the last part of its rows against the part before it: visibly, and beyond noise."""
    value = curve.signal.value
    rows = max(1, int(limits.last_part * len(value)))
    if len(value) < 2 * rows + 1 or curve.flat:
        return Fact(curve=curve.name, limit=limits.improving)
    summed, before = np.add.reduce(value[-rows:]), np.add.reduce(value[-2 * rows : -rows])  # sooner than two means
    made = curve.sign * float(summed / rows - before / rows)
    way = max(abs(curve.best - curve.worst), 1e-300)
    error = float(np.hypot(curve.ends_error, curve.ends_error) if rows > 1 else curve.noise * 2**0.5)
    sure = made / max(error, 1e-300)
    at = float(curve.signal.step[-rows])
    last = curve.sign * curve.fit[np.searchsorted(curve.step, at) :]
    new_ground = not len(last) or bool(last.max() >= curve.sign * curve.best)  # climbing out of a setback is none
    holds = new_ground and made >= limits.improving * way and sure >= limits.likely
    holds = holds and not _levelled(curve.sign * value[-rows:], made, limits.improving * way, limits)
    return Fact(bool(holds), made / way, limits.improving, sure, at, curve.name)


def _levelled(last: Values, made: float, least: float, limits: Limits) -> bool:
    """Whether a curve that gained ``made`` over its last part has levelled off within it, as far as its rows show.

    A line gains half as much from one half of the part to the other. The more of an exponential is over, the less it
    does: a part later it would gain ``made`` / (√(2 / share) - 1)². Less than half of a line's share, where that share
    is known to a tenth, is no line.
    """
    half = len(last) // 2
    if half < limits.few_rows:
        return False
    gained = float(last[-half:].mean() - last[-2 * half : -half].mean())
    if white_noise(last) * (2 / half) ** 0.5 > limits.real_change * made:
        return False
    share = max(gained / made, 1e-9)
    return share < limits.half_way / 2 and made / ((2 / share) ** 0.5 - 1) ** 2 < least


def trend(curve: Curve, limits: Limits) -> float:
    """How sure a curve got worse after its best row, in a short log, in standard errors.

    It needs no estimate of the noise, which few rows do not allow. Many rows may wander: of them more is asked.
    """
    after = curve.sign * curve.signal.value[curve.best_row :]
    if not limits.level_rows <= len(after) <= EVALUATIONS:
        return 0.0
    longer = np.log(max(len(after), MOST_RANKED) / MOST_RANKED) / np.log(EVALUATIONS / MOST_RANKED)
    return float(kendall(-after) * TREND / (TREND + longer * (limits.sure - TREND)))


def kendall(value: Values) -> float:
    """How sure a series rises: Kendall's rank test, in standard errors. (Kendall 1938, Biometrika 30.)"""
    n = len(value)
    higher, later = value[None, :] > value[:, None], ~np.tri(n, dtype=bool)
    rises = int(np.count_nonzero(higher & later) - np.count_nonzero(higher.T & later))
    return float((rises - 1) / (n * (n - 1) * (2 * n + 5) / 18) ** 0.5)
