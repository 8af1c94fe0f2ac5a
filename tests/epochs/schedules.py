"""How a learning rate moves over the epochs: each gives a factor for the epochs done so far."""

from __future__ import annotations

import math
from collections.abc import Callable

Schedule = Callable[[float], float]


def drops(*at: float, factor: float = 0.1) -> Schedule:
    return lambda t: factor ** sum(t >= a for a in at)


def cosine(epochs: float, floor: float = 0.0) -> Schedule:
    return lambda t: floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * min(t / epochs, 1)))


def restarts(period: float, floor: float = 0.01) -> Schedule:
    return lambda t: cosine(period, floor)(t % period)


def triangles(period: float, floor: float = 0.1) -> Schedule:
    return lambda t: floor + (1 - floor) * (1 - abs(2 * (t % period) / period - 1))


def warmup(epochs: float, rise: float) -> Schedule:
    after = cosine(epochs - rise)
    return lambda t: (t + 0.05) / (rise + 0.05) if t < rise else after(t - rise)


def linear(epochs: float) -> Schedule:
    return lambda t: max(1 - t / epochs, 0.0)
