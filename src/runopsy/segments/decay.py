"""The null model: a smooth decay, however long, is one passage.

A function that falls ever more slowly in every derivative (completely monotone) is a mixture of
exponentials with non-negative weights (Bernstein 1928). Power laws with a shift, exponentials,
stretched exponentials with exponent up to 1, and every sum of them are such mixtures, so one
non-negative least-squares fit on a grid of rates covers the whole family, exactly and at once. With a
logged learning rate the mixture also runs on its cumulative sum, and a term proportional to the rate
is added, so that what the schedule does is not taken for a phase.
"""

from __future__ import annotations

import numpy as np

from runopsy.segments.nonnegative import nonnegative
from runopsy.stats import Floats

RATES = 48  # exponentials, log-spaced: neighbours a factor of 1.3 apart, between which noise shows no difference
FASTEST = 0.3  # of the first elapsed step, and …
SLOWEST = 30.0  # x the whole run: beyond, an exponential is a line and a constant over the run


def mixture(elapsed: Floats) -> Floats:
    """(m, RATES + 1) exponentials of different rates at the points, and a constant."""
    tau = np.geomspace(FASTEST * elapsed[0], SLOWEST * elapsed[-1], RATES)
    return np.concatenate([np.exp(-elapsed[:, None] / tau[None, :]), np.ones((len(elapsed), 1))], axis=1)


def smooth_decay(elapsed: Floats, value: Floats, error: Floats, rate: Floats | None = None) -> Floats:
    """The completely monotone curve nearest to weighted points.

    Args:
        elapsed: (m,) elapsed steps, > 0, increasing.
        value: (m,) of a quantity that falls, on its natural scale (a loss, 1 - accuracy), >= 0.
        error: (m,) standard error of each value, > 0.
        rate: (m,) learning rate at the points, if it was logged and changes.

    Returns:
        (m,) fitted values.
    """
    columns = [mixture(elapsed)]
    if rate is not None and np.ptp(rate) > 0 and rate.min() >= 0:  # a negative rate is a misread column
        share = rate / rate.max()
        summed = np.cumsum(share * np.diff(elapsed, prepend=0.0))
        columns += [mixture(np.maximum(summed, 1e-9 * summed[-1]))[:, :-1], share[:, None]]
    design = np.concatenate(columns, axis=1)
    return np.asarray(design @ nonnegative(design / error[:, None], value / error))
