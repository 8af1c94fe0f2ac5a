"""At which row a common change lies: the likelihood of every place between rows, all signals together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from runopsy.model import Position, Signal
from runopsy.segments.grid import scaled
from runopsy.stats import Floats, long_run_factor, white_noise

BESIDE = 60  # rows of a signal on either side of the stretch
MASS = 0.9  # of the posterior, evenly likely beforehand, that an interval holds
TRUST = 3.0  # power of the likelihood, whose noise is the long-run one: measured, intervals then hold at their rate


def moment(
    signals: Sequence[Signal], low: Position, high: Position, alike: Floats
) -> tuple[Position, tuple[Position, Position]]:
    """The likeliest place of a step that the signals make together in [low, high], and its 90 % interval.

    A place is a gap between two logged steps of any of the signals. Of each signal a line is fitted to the rows
    around with a step at every gap; the gains in likelihood are summed, and count for as many signals as their
    noise is worth, whose correlations are ``alike``.
    """
    steps = np.unique(np.concatenate([s.step[(s.step >= low) & (s.step <= high)] for s in signals]))
    if len(steps) < 2:
        return low, (low, high)
    worth = TRUST * len(alike) / float((alike**2).sum())
    gain = worth * sum((_gains(s, steps) for s in signals), np.zeros(len(steps)))
    chance = np.exp((gain - gain.max()) / 2) * np.diff(steps, prepend=low)  # a wide gap is likelier
    chance[0] = 0.0 if steps[0] <= low else chance[0]
    chance /= chance.sum()
    order = np.argsort(-chance)
    inside = order[: int(np.searchsorted(np.cumsum(chance[order]), MASS)) + 1]
    first, last, best = int(inside.min()), int(inside.max()), int(order[0])
    return float(steps[best]), (_row_before(signals, steps[first], low), float(steps[last]))


def _row_before(signals: Sequence[Signal], step: Position, low: Position) -> Position:
    """The last logged step before a step: a change that is seen there came after it."""
    before = [float(s.step[k - 1]) for s in signals if (k := int(np.searchsorted(s.step, step))) > 0]
    return max(before, default=min(low, step))


def _gains(signal: Signal, places: Floats) -> Floats:
    """(k,) twice the log likelihood that a step before each place gains over a line, for one signal."""
    a = max(int(np.searchsorted(signal.step, places[0])) - BESIDE, 0)
    b = min(int(np.searchsorted(signal.step, places[-1])) + BESIDE, len(signal))
    rows, _ = scaled(signal.value)
    value = rows[a:b]
    noise = white_noise(value) * long_run_factor(rows) ** 0.5
    n = len(value)
    if n < 4 or noise <= 0:
        return np.zeros(len(places))
    s = np.linspace(-1, 1, n)
    basis = np.linalg.qr(np.column_stack([np.ones(n), s]))[0]
    left = value - basis @ (basis.T @ value)
    k = np.searchsorted(signal.step[a:b], places)  # rows before each place
    sums = np.concatenate([[0.0], np.cumsum(left)])
    parts = np.concatenate([np.zeros((1, 2)), np.cumsum(basis, axis=0)])
    after = sums[-1] - sums[k]
    free = (n - k) - ((parts[-1] - parts[k]) ** 2).sum(axis=1)  # of the step, once the line is taken out
    with np.errstate(invalid="ignore", divide="ignore"):
        gain = np.where(free > 0.5, after**2 / np.maximum(free, 0.5), 0.0)
    return np.asarray(gain / noise**2)
