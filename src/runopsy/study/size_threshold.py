"""The interpolation threshold: the size at which training just fits its data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from runopsy.stats import Floats
from runopsy.study.size_columns import Outcome, numbers, outcome, outcomes_of
from runopsy.study.size_curve import Place
from runopsy.thresholds import DEFAULTS

if TYPE_CHECKING:
    import polars as pl

# A squared loss that falls this far between two neighbouring sizes is fitted from there on: a system of equations
# has got a solution. Rounding keeps it above 0, and the best fits below the threshold seldom fall tenfold a step.
COLLAPSE = 1e3


def threshold_of(rows: pl.DataFrame, by: str, kind: str, train: str | None, seed: str | None) -> Place | None:
    """Where training just fits; None where nothing shows how well it fitted, or it fits everywhere or nowhere.

    The training error decides where there is one, else the training loss.

    Args:
        rows: of one curve.
        by: the size's column.
        kind: of the outcome beside which it is asked: for a loss, a training loss that collapses comes first.
        train: the column to ask; None: by name.
        seed: the column that numbers repetitions, whose thresholds make the interval.
    """
    found = outcomes_of(rows, "train") if train is None else [outcome(train) or Outcome(train, "train", "loss")]
    losses = [one for one in found if one.kind == "loss"]
    errors = [one for one in found if one.kind == "error"]
    size = numbers(rows[by])
    for one in losses:
        at = _collapse(*_means(size, one.read(rows)))
        if at is not None:
            return at
    for one in (*errors, *losses):
        place = _first_fitted(rows, size, one, seed)
        if place is not None:
            return place
    return None


def _means(size: Floats, value: Floats) -> tuple[Floats, Floats]:
    """Each size with the median of its trainings."""
    known = np.isfinite(size) & np.isfinite(value)
    sizes = np.unique(size[known])
    return sizes, np.array([np.median(value[known & (size == s)]) for s in sizes])


def _collapse(size: Floats, loss: Floats) -> Place | None:
    """Where a training loss falls, or with more data rises, by orders of magnitude from one size to the next."""
    if len(size) < 3 or float(loss.min()) < 0:
        return None
    tiny = max(float(loss.max()) * 1e-16, 1e-300)
    change = np.diff(np.log(np.maximum(loss, tiny)))
    at = int(np.argmax(np.abs(change)))
    fits = at + 1 if change[at] < 0 else at
    if abs(change[at]) < np.log(COLLAPSE) or loss[fits] > loss.max() / COLLAPSE:
        return None
    return Place(float(size[fits]), (float(size[at]), float(size[at + 1])), float(loss[fits]))


def _first_fitted(rows: pl.DataFrame, size: Floats, one: Outcome, seed: str | None) -> Place | None:
    """The edge of what fits: the smallest model from which on all fit, or the largest data set that is fitted."""
    value = one.read(rows)
    sizes, mean = _means(size, value)
    if len(sizes) < 3:
        return None
    fitted = _limit(one, mean)
    edge = _edge(mean <= fitted)
    if edge is None:
        return None
    edges = [edge]
    if seed is not None:
        names = rows[seed].to_numpy()
        for name in np.unique(names):
            mine, of_it = _means(size[names == name], value[names == name])
            alone = _edge(of_it <= fitted) if len(mine) == len(sizes) else None
            edges += [] if alone is None else [alone]
    inside, outside = [i for i, _ in edges], [o for _, o in edges]
    low, high = min(*inside, *outside), max(*inside, *outside)
    return Place(float(sizes[edge[0]]), (float(sizes[low]), float(sizes[high])), float(mean[edge[0]]))


def _limit(one: Outcome, mean: Floats) -> float:
    """Below it training counts as fitted; a loss, beside the worst of the sizes."""
    missed = 1 - DEFAULTS.fitted_accuracy
    return missed if one.kind == "error" else missed * float(mean.max())


def _edge(fits: NDArray[np.bool_]) -> tuple[int, int] | None:
    """(first fitted row, the row before it that is not) where what fits is one end of the sizes; None otherwise."""
    if fits.all() or not fits.any():
        return None
    if fits[-1] and not fits[0]:
        last = int(np.flatnonzero(~fits)[-1])
        return last + 1, last
    if fits[0] and not fits[-1]:
        first = int(np.flatnonzero(~fits)[0])
        return first - 1, first
    return None
