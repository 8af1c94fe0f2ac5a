"""Numbers that scripts write where nothing was measured, since a cell must hold something."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from runopsy.model import Values
from runopsy.stats import median

NEVER = -1.0  # a loss or an accuracy that is exactly this, while nothing else is below zero, was not measured
ENOUGH = 5  # measured values between zeros, before their spacing can be called regular
REGULAR = 0.9  # share of the gaps between them that must be equal; an accuracy that flickers at zero is not regular


def placeholders(value: Values) -> NDArray[np.bool_]:
    """Which values of a loss or an accuracy stand for none: -1, or 0 in all rows but every n-th.

    Args:
        value: in the order of the log, as logged.
    """
    if not ((value == NEVER) | (value == 0)).any():
        return np.zeros(len(value), dtype=bool)
    finite = value[np.isfinite(value)]
    if (finite == NEVER).any() and (finite != NEVER).any() and finite[finite != NEVER].min() >= 0:
        return np.asarray(value == NEVER)
    if _is_every_nth(np.flatnonzero(value != 0)) and (finite[finite != 0] > 0).all():
        return np.asarray(value == 0)
    return np.zeros(len(value), dtype=bool)


def before_the_first(value: Values) -> NDArray[np.bool_]:
    """Which values of a loss are 0 because nothing was measured yet: no loss begins at 0 and rises from there.

    Args:
        value: in the order of the log, as logged.
    """
    measured = np.flatnonzero(value != 0)
    unmeasured = np.zeros(len(value), dtype=bool)
    if len(measured) and value[measured[0]] > 0:
        unmeasured[: measured[0]] = True
    return unmeasured


def _is_every_nth(rows: NDArray[np.int64]) -> bool:
    gaps = np.diff(rows)
    if len(rows) < ENOUGH or median(gaps) < 2:
        return False
    return bool(np.mean(gaps == median(gaps)) >= REGULAR)
