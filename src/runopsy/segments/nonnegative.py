"""Least squares with weights that are nowhere negative (Lawson & Hanson 1974, chapter 23).

SciPy's does the same in compiled code, but loading it costs more than all the fits of a run together. The test
holds this one against it.
"""

from __future__ import annotations

import numpy as np

from runopsy.stats import Floats

PER_COLUMN = 5  # rounds for each column: some two columns enter and leave for each that stays, on mixtures
ZERO = 1e-10  # of the largest gradient at the start: a gain below it is one of rounding


def nonnegative(design: Floats, value: Floats) -> Floats:
    """The weights w >= 0 for which ``design @ w`` is nearest to ``value``.

    Args:
        design: (m, n) columns of any scale.
        value: (m,).

    Returns:
        (n,) weights; where columns are nearly alike, one of many that fit as well.
    """
    n = design.shape[1]
    triangle = np.asarray(np.linalg.qr(np.column_stack([design, value]), mode="r"))  # n + 1 rows, the same residuals
    columns, target = triangle[:, :n], triangle[:, n]
    weights, chosen = np.zeros(n), np.zeros(n, dtype=bool)
    gradient = columns.T @ target
    enough = ZERO * float(np.abs(gradient).max(initial=0.0))
    for _ in range(PER_COLUMN * n):
        open_ = np.where(chosen, -np.inf, gradient)
        best = int(np.argmax(open_))
        if open_[best] <= enough:
            break
        chosen[best] = True
        if not _entered(columns, target, weights, chosen, best):
            gradient[best], chosen[best] = 0.0, False  # it gains nothing but rounding
            continue
        gradient = columns.T @ (target - columns @ weights)
    return weights


def _entered(
    columns: Floats, target: Floats, weights: Floats, chosen: np.ndarray[tuple[int], np.dtype[np.bool_]], new: int
) -> bool:
    """Fit the chosen columns; those whose weight would fall below zero leave. Changes ``weights`` and ``chosen``.

    False, with nothing changed, where the new column itself gets no weight above zero.
    """
    first = True
    while chosen.any():
        at = np.flatnonzero(chosen)
        fitted = np.linalg.lstsq(columns[:, at], target, rcond=None)[0]
        if first and fitted[np.searchsorted(at, new)] <= 0:
            return False
        first = False
        below = fitted <= 0
        if not below.any():
            weights[:] = 0.0
            weights[at] = fitted
            return True
        held = weights[at]
        share = float((held[below] / (held[below] - fitted[below])).min())
        weights[at] = np.maximum(held + share * (fitted - held), 0.0)
        gone = at[below & (weights[at] <= ZERO * weights.max(initial=0.0))]
        weights[gone] = 0.0
        chosen[gone] = False
        if not len(gone):
            smallest = at[below][np.argmin(weights[at][below])]
            weights[smallest], chosen[smallest] = 0.0, False
    return True
