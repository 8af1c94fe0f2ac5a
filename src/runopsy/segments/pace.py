"""How fast a signal moves around each of its points; asked of the few whose pace is of interest."""

from __future__ import annotations

import numpy as np

from runopsy.model import Segments
from runopsy.segments.lines import local_slope
from runopsy.stats import Floats

NEIGHBOURHOOD = 0.1  # in log elapsed steps: a stage is separated from the next if they lie a factor of 1.3 apart


def pace(segments: Segments) -> tuple[Floats, Floats]:
    """(m,) rise per unit of log elapsed steps around each point, and one standard error of it.

    On the scale of the cut: of a loss, of its logarithm. The error is infinite where too few points lie near.
    """
    level, error = segments.level, segments.error
    if segments.by_factors:
        level, error = np.log(level), error / level
    return local_slope(np.log(segments.step - segments.origin), level, error, NEIGHBOURHOOD)


def level_error(segments: Segments) -> Floats:
    """(m,) one standard error of the level around each point, in the signal's own unit; infinite likewise."""
    unit = segments.level if segments.by_factors else 1.0
    return np.asarray(2**0.5 * NEIGHBOURHOOD * pace(segments)[1] * unit)  # of a Gaussian kernel, by integration
