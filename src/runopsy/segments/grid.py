"""Several signals on one axis: a matrix of bin means, with their errors, and holes where nothing was logged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from runopsy.model import Positions, Signal
from runopsy.segments.bins import FLOOR
from runopsy.stats import Floats, long_run_factor, white_noise, white_noises

MOST = 240  # bins: a change is placed among the rows themselves afterwards
AROUND = 4  # bins on either side whose rows show how noisy a bin's rows are
ENOUGH = 31  # second differences of them: their median gives the noise to a fifth, and bins are many
FACTORS = 2.0  # largest / least of a positive signal from which it is taken to change by factors, as norms do


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """Bin means of p signals on m common bins; NaN where a signal has no row. Some are on a log scale."""

    names: tuple[str, ...]
    edges: Positions  # (m + 1,) where bins begin; the first and last are infinite
    value: Floats  # (m, p)
    error: Floats  # (m, p) one standard error, slow noise included
    noise: Floats  # (p,) standard deviation of one row, slow noise included
    rows: Floats  # (p,) median number of rows in a bin that has any
    by_factors: tuple[bool, ...]

    def filled(self, i: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """The bins in which a signal has rows."""
        return np.flatnonzero(np.isfinite(self.value[:, i]))


def scaled(value: Floats) -> tuple[Floats, bool]:
    """A signal on the scale on which its noise is roughly even, and whether that is the logarithm."""
    low = float(value.min())
    by_factors = low > 0 and float(value.max()) > FACTORS * low
    return (np.log(value) if by_factors else value), by_factors


def grid(signals: Mapping[str, Signal], most: int = MOST) -> Grid:
    """The signals binned on one axis; the one with the middle number of rows decides where bins begin.

    Args:
        signals: by name, each with some rows.
        most: bins.
    """
    middle = sorted(signals.values(), key=len)[len(signals) // 2].step
    begins = middle[np.unique(np.linspace(0, len(middle), min(most, len(middle)), endpoint=False).astype(int))]
    edges = np.concatenate([[-np.inf], begins[1:], [np.inf]])
    columns = [_column(signal, edges) for signal in signals.values()]
    value, error = (np.stack(parts, axis=1) for parts in ([c[0] for c in columns], [c[1] for c in columns]))
    noise = np.array([c[2] for c in columns])
    rows = np.array([c[3] for c in columns])
    return Grid(tuple(signals), edges, value, error, noise, rows, tuple(c[4] for c in columns))


def _column(signal: Signal, edges: Positions) -> tuple[Floats, Floats, float, float, bool]:
    """(m,) means and errors of one signal, the noise of a row, the rows of a bin, and whether it is on a log scale."""
    rows, by_factors = scaled(signal.value)
    cut = np.searchsorted(signal.step, edges)
    count = np.diff(cut)
    summed = np.concatenate([[0.0], np.cumsum(rows - rows[0])])
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.diff(summed[cut]) / count + rows[0]
        slow = long_run_factor(rows)
        error = np.sqrt(slow * _row_noise(rows, cut) ** 2 / count + (FLOOR * float(np.ptp(rows))) ** 2)
    empty = count == 0
    mean[empty], error[empty] = np.nan, np.nan
    noise = float(slow**0.5 * white_noise(rows))
    return mean, np.maximum(error, 1e-300), noise, float(np.median(count[~empty])), by_factors


def _row_noise(rows: Floats, cut: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Floats:
    """(m,) standard deviation of one row around each bin."""
    m = len(cut) - 1
    around = np.arange(m)
    first = cut[np.maximum(0, around - AROUND)]
    count = cut[np.minimum(m, around + AROUND + 1)] - 2 - first
    noise = np.full(m, white_noise(rows))
    enough = count >= 2 * AROUND
    if enough.any():
        noise[enough] = np.maximum(white_noises(rows, first[enough], count[enough], ENOUGH), noise[enough] / 4)
    return noise
