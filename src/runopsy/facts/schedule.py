"""Jumps of a quantity that is set by hand: the learning rate, the batch size."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from runopsy.model import Position, Signal

RATIO = 1.2  # of the values on either side: smaller jumps move no curve visibly
STEADY = 0.2  # of a jump, that its neighbours may change: warm-up doubles its first values smoothly


def jumps(signal: Signal, ratio: float = RATIO, steady: float = STEADY) -> Iterator[tuple[Position, float, float]]:
    """(step, value before, value after) of each jump of a positive quantity between steadier stretches.

    Beside a jump the quantity itself changes far less: a linear or cosine decay to 0 multiplies its ratios at the end,
    and its steps stay alike. An exponential warm-up repeats its ratio, in the same direction.
    """
    usable = signal.value > 0
    step, value = signal.step[usable], signal.value[usable]
    change, factor = np.diff(value), np.diff(np.log(value))
    for i in np.flatnonzero(np.abs(factor) >= np.log(ratio)):
        near = np.array([j for j in (i - 2, i - 1, i + 1, i + 2) if 0 <= j < len(change)], dtype=int)
        if i == 0 or not len(near) or np.abs(change[near]).max() > steady * abs(change[i]):
            continue
        onward = factor[near] * np.sign(factor[i])
        if onward.max() <= abs(factor[i]) / 2:
            yield float(step[i + 1]), float(value[i]), float(value[i + 1])
