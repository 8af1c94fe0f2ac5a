"""A signal of any length as a few hundred weighted points, dense where training changes fast."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from runopsy.model import Counts, Signal
from runopsy.stats import Floats, distinct, first_spacing, long_run_factor, white_noise, white_noises

MOST = 300  # bins: exact segmentation is quadratic in them, and 300 put an edge every 2-3 % of the elapsed steps
NEIGHBOURS = 9  # bins over which the noise of a row is taken to be the same …
TOGETHER = 3  # … of which, where each holds several rows, those in the middle share one estimate: it is nearly theirs
ENOUGH = 255  # second differences around a bin: their median gives the noise to 7 %, and its neighbours ask others
FLOOR = 0.004  # of the signal's whole range: differences below it are beneath notice, and full-batch runs have no noise


@dataclass(frozen=True, slots=True, eq=False)
class Bins:
    """Means of neighbouring rows on the transformed scale."""

    elapsed: Floats  # (m,) mean elapsed steps of the rows, > 0
    level: Floats  # (m,) mean of the transformed values
    error: Floats  # (m,) standard error of that mean, autocorrelation included
    floor: float  # the part of each error that is no noise: a difference that is beneath notice
    first: float  # elapsed = step - first + spacing
    spacing: float

    @property
    def log(self) -> Floats:
        return np.asarray(np.log(self.elapsed))

    @property
    def step(self) -> Floats:
        return self.elapsed + self.first - self.spacing


def edges(elapsed: Floats, most: int = MOST) -> Counts:
    """Counts where bins begin, and ``len(elapsed)``: half of them evenly spaced, half evenly in log steps."""
    n = len(elapsed)
    if n <= most:
        return np.arange(n + 1, dtype=np.int64)
    linear = np.linspace(elapsed[0], elapsed[-1], most // 2, endpoint=False)
    log = np.geomspace(elapsed[0], elapsed[-1], most // 2, endpoint=False)
    starts = distinct(np.searchsorted(elapsed, distinct(np.concatenate([linear, log]))))
    return np.append(starts, n).astype(np.int64)


def bin_signal(signal: Signal, transformed: Floats, first: float, most: int = MOST) -> Bins:
    """Bins of a signal whose values were transformed to a scale on which noise is roughly even.

    Args:
        signal: gives the steps, (n,) strictly increasing.
        transformed: (n,) the values on that scale.
        first: the run's first step; elapsed steps are counted from just before it, so that a log that
            starts at step 50 000 is cut like one that starts at 0.
        most: bins.
    """
    spacing = first_spacing(signal.step)
    elapsed = signal.step - first
    np.maximum(elapsed, 0, out=elapsed)
    elapsed += spacing
    cut = edges(elapsed, most)
    count = np.diff(cut)
    mean = np.add.reduceat(transformed, cut[:-1]) / count
    centre = np.exp(np.add.reduceat(np.log(elapsed, out=elapsed), cut[:-1]) / count)
    del elapsed  # of a long log, as much memory as the log
    noise = _row_noise(transformed, cut)
    reach = float(np.ptp(transformed)) if len(transformed) else 0.0
    floor = max(FLOOR * reach, 1e-12)
    error = np.sqrt(long_run_factor(transformed) * noise**2 / count + floor**2)
    return Bins(centre, mean, error, floor, first, spacing)


def _row_noise(values: Floats, cut: Counts) -> Floats:
    """(m,) standard deviation of one row around each bin: noise grows and shrinks along a run."""
    m = len(cut) - 1
    together = TOGETHER if m < len(values) else 1
    around = np.minimum(np.arange(together // 2, m + together // 2, together), m - 1)
    first = cut[np.maximum(0, around - NEIGHBOURS // 2)]
    count = cut[np.minimum(m, around + NEIGHBOURS // 2 + 1)] - 2 - first
    enough = count >= NEIGHBOURS - 2
    noise = np.full(len(around), 0.0 if enough.all() else white_noise(values))
    noise[enough] = white_noises(values, first[enough], count[enough], ENOUGH)
    return np.repeat(noise, together)[:m]
