"""Fitted curves as rules like to ask about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from runopsy.facts import Case
from runopsy.model import INSIDE, Position, Positions, Signal, Values

NOT_SINGLE = (
    "grad/norm/",
    "features/cka/",
)  # one per module or pair of layers: a hundred of them show no more than one


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """A fitted signal, with one standard error."""

    step: Positions
    value: Values
    spread: Values

    def at(self, step: Position) -> float:
        """The fitted value at any step."""
        return float(np.interp(step, self.step, self.value))

    def passes(self, value: float, since: Position) -> Position | None:
        """Where a rising curve first passes a value after a step, between two points; None where it never does."""
        where = np.flatnonzero((self.step >= since) & (self.value >= value))
        if not len(where):
            return None
        i = int(where[0])
        if i == 0 or self.value[i - 1] >= value:
            return float(self.step[i])
        share = (value - self.value[i - 1]) / (self.value[i] - self.value[i - 1])
        return float(self.step[i - 1] + share * (self.step[i] - self.step[i - 1]))

    def first(self, reached: np.ndarray) -> Position | None:
        """The first step at which a condition over the points holds."""
        where = np.flatnonzero(reached)
        return float(self.step[where[0]]) if len(where) else None


def curve(case: Case, name: str) -> Curve | None:
    """The fitted signal, its points moved to the nearest logged steps: a bin's centre may lie between two."""
    if name not in case.segments:
        return None
    segments, logged = case.segments[name], case.signals[name].step
    after = np.clip(np.searchsorted(logged, segments.step), 1, len(logged) - 1)
    nearer = np.where(segments.step - logged[after - 1] < logged[after] - segments.step, after - 1, after)
    return Curve(logged[nearer], segments.curve, segments.spread)


def drop_done(loss: Curve) -> Values:
    """Share of the loss's whole drop that has been made at each point; zeros where it never drops."""
    drop = loss.value[0] - loss.value.min()
    return (loss.value[0] - loss.value) / drop if drop > 0 else np.zeros_like(loss.value)


def inside(signals: Mapping[str, Signal]) -> tuple[str, ...]:
    """The recorded signals of the model's inside."""
    return tuple(n for n in signals if n.startswith(INSIDE) and not n.startswith(NOT_SINGLE))
