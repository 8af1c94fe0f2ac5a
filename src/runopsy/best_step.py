"""The step at which it would have been best to stop, and what came after it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from runopsy.facts import Case, Fact
from runopsy.facts.curve import noise_at
from runopsy.facts.ending import TREND, trend
from runopsy.facts.validation import accuracy_rose_since
from runopsy.model import VALIDATED, Counts, Position, Role, Signal, Stop
from runopsy.signals import clock


def stop(case: Case, roles: Sequence[Role] = ()) -> Stop | None:
    """The best validated step, what came after it, and another witness where it names another step.

    It is read from the metric that was chosen (``--metric``, the log's own best), else from validation accuracy where
    that rose visibly after the loss was lowest, else from the first of ``VALIDATED`` that is there.
    """
    there = [s for n in VALIDATED if (s := case.signals.get(n)) is not None and len(s) >= 2 and _better_is(s)]
    if not there:
        return None
    chosen = next((role.role for role in roles if role.chosen), "")
    if not chosen and there[0].name == "val/loss" and _rose_since(case, float(there[0].step[_best_row(there[0])])):
        chosen = "val/acc"
    there.sort(key=lambda signal: signal.name != chosen)  # stable: the others keep their order
    signal, *others = there
    at = _best_row(signal, beside=others)
    best, last = float(signal.value[at]), float(signal.value[-1])
    worse = best - last if _better_is(signal) == "higher" else last - best
    return Stop(
        signal=signal.name,
        best_step=float(signal.step[at]),
        best=best,
        last=last,
        after_best=worse / abs(best) if best else math.inf if worse > 0 else 0.0,
        wasted_steps=float(signal.step[-1] - signal.step[at]),
        unread_steps=case.last - float(signal.step[-1]),
        wasted_seconds=_seconds_between(case, float(signal.step[at]), float(signal.step[-1])),
        other=_other(case, others, float(signal.step[at])),
        lower_is_better=_better_is(signal) == "lower",
        within_noise=_within_noise(case, signal.name),
    )


def _rose_since(case: Case, at: Position) -> bool:
    """Whether validation accuracy ends visibly above its level at a position, which validation loss calls its best."""
    return bool(accuracy_rose_since(case.facts.curves, Fact(at=at), case.limits))


def _within_noise(case: Case, name: str) -> bool:
    """Whether a curve's level at the end differs from its best level by noise alone; False where that is unknown."""
    curve, facts = case.facts.curves.get(name), case.facts
    better = {"val/loss": facts.better_loss, "val/acc": facts.better_accuracy}.get(name)
    if curve is None or curve.rows < case.limits.level_rows or better:
        return False
    worse = curve.sign * (curve.best - curve.ends)
    small = worse < case.limits.likely * noise_at(curve, curve.best)
    return bool(small and trend(curve, case.limits) < TREND)  # what gets worse row by row is no noise, however little


def _better_is(signal: Signal) -> str:
    """Whether "higher" or "lower" values are better; "" where it is unknown."""
    return {"val/loss": "lower", "val/acc": "higher"}.get(signal.name, signal.better)


def _best_rows(signal: Signal) -> Counts:
    """The rows that hold the best value, in order."""
    best = signal.value.max() if _better_is(signal) == "higher" else signal.value.min()
    return np.flatnonzero(signal.value == best)


def _best_row(signal: Signal, beside: Sequence[Signal] = ()) -> int:
    """The row that holds the best value; of several, the first that is best by the first of the signals beside it."""
    rows = _best_rows(signal)
    if len(rows) == 1 or not beside:
        return int(rows[0])
    witness = beside[0]
    told = np.interp(signal.step[rows], witness.step, witness.value)
    return int(rows[np.argmax(told) if _better_is(witness) == "higher" else np.argmin(told)])


def _other(case: Case, others: Sequence[Signal], best_step: float) -> tuple[str, float, float] | None:
    """Loss, accuracy and score are different witnesses: the best step of the first whose best is elsewhere."""
    for signal in others:
        steps = signal.step[_best_rows(signal)]
        nearest = float(steps[np.argmin(np.abs(steps - best_step))])
        if abs(nearest - best_step) > case.limits.tail * (case.last - case.first):
            return (signal.name, nearest, float(signal.value[_best_row(signal)]))
    return None


def _seconds_between(case: Case, start: float, end: float) -> float | None:
    known = clock(case.signals)
    return None if known is None else float(np.interp(end, *known) - np.interp(start, *known))
