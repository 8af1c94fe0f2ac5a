"""Jumps of a quantity that is set by hand: the learning rate, the batch size."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from runopsy.model import Position, Signal
from runopsy.thresholds import Limits


def jumps(signal: Signal, limits: Limits) -> Iterator[tuple[Position, float, float]]:
    """(step, value before, value after) of each jump of a positive quantity between steadier stretches.

    Beside a jump the quantity itself changes far less: a linear or cosine decay to 0 multiplies its ratios at the end,
    and its steps stay alike. An exponential warm-up repeats its ratio from row to row, in the same direction; a jump
    that comes again after rows at rest is another jump.
    """
    usable = signal.value > 0
    step, value = signal.step[usable], signal.value[usable]
    change, factor = np.diff(value), np.diff(np.log(value))
    for i in np.flatnonzero(np.abs(factor) >= np.log(limits.jump)):
        near = np.array([j for j in (i - 1, i + 1) if 0 <= j < len(change)], dtype=int)
        if i == 0 or not len(near) or np.abs(change[near]).max() > (1 - limits.most) * abs(change[i]):
            continue
        onward = factor[near] * np.sign(factor[i])
        if onward.max() <= abs(factor[i]) / 2:
            yield float(step[i + 1]), float(value[i]), float(value[i + 1])
