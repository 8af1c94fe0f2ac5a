"""How far a signal steps at one place, beyond what its own bending makes of it.

A cubic and a step are fitted to as many bins on either side. The standard error counts the noise of the bins, and
where the fit leaves more than that, what it leaves, with its autocorrelation: of a curve that only bends, the
residuals are smooth, and the step that they would allow is large.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from runopsy.stats import Floats

SIDES = (16, 48, 100)  # bins on either side: few where a curve bends, many where it is noisy; the surest counts
LEAST = 0.5  # of the variance that the bins' errors claim: they count slow noise in full, and rather too much of it
FEWEST = 6  # bins on either side
CUBIC = 10  # bins on either side from which a cubic is distinguished from a step; below, a line
ROUGHEST = 0.9  # autocorrelation of residuals, at most: beyond, (1 + r) / (1 - r) is anything


class Step(NamedTuple):
    size: float  # after less before
    error: float  # one standard error of it
    before: float  # level next to the step
    sigmas: float


@lru_cache(maxsize=128)
def _filters(side: int) -> tuple[Floats, Floats, Floats, int]:
    """((2 side,) weights that give the step, those of the level before it, residual projector, degrees of freedom)."""
    s = (np.arange(2 * side) - side + 0.5) / side
    degree = 3 if side >= CUBIC else 1
    design = np.column_stack([*(s**k for k in range(degree + 1)), s > 0])
    solve = np.linalg.pinv(design)
    return solve[-1], solve[0], np.eye(2 * side) - design @ solve, 2 * side - design.shape[1]


def step_at(value: Floats, error: Floats, at: int, gap: int = 0) -> Step | None:
    """The surest step of a series between bins ``at - 1`` and ``at``; None where too few bins lie beside it.

    Args:
        value: (k,) bins with rows.
        error: (k,) one standard error of each.
        at: the first bin after the step.
        gap: bins from ``at`` on that are left out, as the step may lie within them.
    """
    best: Step | None = None
    for most in SIDES:
        side = min(most, at, len(value) - at - gap)
        if side < FEWEST:
            return best
        here = np.r_[at - side : at, at + gap : at + gap + side]
        found = _step(value[here], error[here], side)
        if best is None or abs(found.sigmas) > abs(best.sigmas):
            best = found
        if side < most:
            break
    return best


def _step(value: Floats, error: Floats, side: int) -> Step:
    """The step in the middle of a window."""
    weights, level, project, freedom = _filters(side)
    left = (project @ value) / error
    power = float(left @ left)
    rough = float(left[1:] @ left[:-1]) / power if power > 0 else 0.0
    rough = min(max(rough + 2 / len(left), 0.0), ROUGHEST)  # residuals of a fit are less alike than the noise was
    misfit = power / freedom * (1 + rough) / (1 - rough)
    size = float(weights @ value)
    spread = float(np.sqrt((weights**2) @ error**2 * max(LEAST, misfit)))
    return Step(size, spread, float(level @ value), size / spread)
