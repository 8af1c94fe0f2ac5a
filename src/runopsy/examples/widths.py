"""How widely the difficulty of examples is spread, and whether one group's is spread more widely than another's.

Difficulty is the step at which an example is learnt for good, on a log scale: a step counts for more early in a run.
"""

from __future__ import annotations

import numpy as np

from runopsy.model import WidthTest
from runopsy.stats import Floats

# Permutations: the test costs 20 ms for 500 examples beside 100.
DRAWS = 199
LEAST_P = 1 / (DRAWS + 1)  # that so many permutations can give
COVERED = 0.90  # of the intervals hold the true difference; measured: make bench-widths
FEWEST = 20  # examples: the spread of fewer is known to a third at best
LEARNT = 0.8  # of the examples, at least: where more were never learnt, the widest part of the spread was not seen
MOST = 500  # examples of a group that the test takes: more make it slower, and no surer of anything that matters


def decades(steps: Floats, start: float) -> Floats:
    """Log10 of steps elapsed, counted from 1 so that the first reading has a place."""
    return np.asarray(np.log10(np.maximum(steps - start, 0.0) + 1.0))


def distances(values: Floats) -> Floats:
    """(…, n) distance of each value from the median along the last axis."""
    return np.asarray(np.abs(values - np.median(values, axis=-1, keepdims=True)))


def width(values: Floats) -> float:
    """Mean distance from the median, in the unit of the values."""
    return float(distances(values).mean())


def compare(name_a: str, a: Floats, name_b: str, b: Floats, seed: int = 0) -> WidthTest | None:
    """A permutation test of equal width, and an interval of the difference; None where nothing varies.

    Distances from the group's own median (Brown and Forsythe 1974), their difference over its standard error as Welch
    has it, and what that is where the centred values are dealt out at random (Janssen 1997: divided by its standard
    error, such a difference keeps its size also where the shapes differ). The interval is that of the same draws.

    Args:
        name_a, name_b: the groups.
        a, b: (n,), (m,) difficulties in decades.
        seed: of the draws.
    """
    draw = np.random.default_rng(seed)
    a, b = (values if len(values) <= MOST else draw.choice(values, MOST, replace=False) for values in (a, b))
    difference, error = _contrast(a, b)
    if error == 0:
        return None
    centred = np.concatenate([a - np.median(a), b - np.median(b)])
    dealt = draw.permuted(np.broadcast_to(centred, (DRAWS, len(centred))), axis=1)
    by_chance = np.abs(np.divide(*_contrast(dealt[:, : len(a)], dealt[:, len(a) :])))
    p = (1 + int((by_chance >= abs(difference / error) * (1 - 1e-12)).sum())) * LEAST_P
    reach = float(np.quantile(by_chance, COVERED) * error)
    return WidthTest(name_a, name_b, float(difference), (float(difference) - reach, float(difference) + reach), p)


def _contrast(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """Difference of the widths along the last axis, and its standard error."""
    near, far = distances(a), distances(b)
    variance = near.var(axis=-1, ddof=1) / near.shape[-1] + far.var(axis=-1, ddof=1) / far.shape[-1]
    return near.mean(axis=-1) - far.mean(axis=-1), np.sqrt(variance)
