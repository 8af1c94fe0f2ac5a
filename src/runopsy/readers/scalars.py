"""What a tracker has stored, value by value → Run: sessions, and curves that count something else than the others.

Trackers keep each value with its metric, step and time. All of them are put in the order in which they
were written, which says what steps do not: where a run was resumed, and where on the common axis a metric
stands whose step is its own counter, such as the epoch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from runopsy.errors import UnreadableLog
from runopsy.model import Run, Track
from runopsy.readers.attempts import common_sessions, restarts
from runopsy.readers.axes import since_start
from runopsy.readers.cells import listed
from runopsy.readers.frames import tidy_names
from runopsy.signals.names import guess

if TYPE_CHECKING:
    from runopsy.model import Counts, Values

A_CURVE = 3  # values that show what a metric's steps count; fewer may be a summary, noted at any step
# A metric that covers less than half of the steps that the others went through meanwhile, and ends below half
# of where they then were, has a counter of its own: a metric that is logged rarely ends near where they are.
OWN = 0.5


class Scalars(NamedTuple):
    """Values in the order in which they were written."""

    names: Sequence[str]  # of the metrics
    which: Counts  # (n,) index into ``names``
    step: Values  # (n,) NaN where none was given
    time: Values | None  # (n,) unix seconds
    value: Values  # (n,)
    starts: Counts  # rows with which a session begins, where the tracker says so
