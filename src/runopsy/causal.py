"""A curve read value by value: what came so far is known, and nothing of what comes.

The detector in the loop (``run.state()``) and a watch between two autopsies ask the same, by these definitions. The
numbers that decide are the autopsy's own (``runopsy.thresholds``).
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING, Self

from runopsy.thresholds import DEFAULTS, KEPT_ROWS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


LATELY = 1.1  # the newest rows, by which the log has grown so much, are no part of what it was before them


class Level:
    """Where a noisy curve stands: the median of its newest rows, how it began, the lowest and highest it has been.

    Attributes:
        rows: how many it has seen.
        first: the median of the first rows.
        now: of the newest.
        lowest: of any so far; infinite before there are enough rows for one.
        settled: the highest until the last tenth of the rows, which may have begun to leave.
        beyond: rows in a row, the newest included, that lie far above that.
    """

    def __init__(self) -> None:
        self.rows = self.beyond = 0
        self.first = self.now = math.nan
        self.lowest, self.settled = math.inf, -math.inf
        self._highest = self._marked = -math.inf  # of all rows; of those until ``_mark``
        self._top = -math.inf  # the highest level since it lies beyond
        self._mark = DEFAULTS.level_rows  # rows after which ``settled`` goes up to here
        self._newest: deque[float] = deque(maxlen=DEFAULTS.level_rows)

    @classmethod
    def after(cls, values: NDArray[np.float64]) -> Self:
        """As if it had seen finite values one by one, but for ``beyond``: the newest are taken to be as the rest."""
        from runopsy.stats import rolling_median

        level, window = cls(), DEFAULTS.level_rows
        if len(values) < 2 * window:
            for value in values.tolist():
                level.see(value)
            return level
        levels = rolling_median(values, window)[window // 2 : len(values) - window // 2]
        level.rows, level.first, level.now = len(values), float(levels[0]), float(levels[-1])
        older = max(int(len(levels) / LATELY), 1)
        level.lowest, level._highest = float(levels.min()), float(levels.max())
        level.settled = level._marked = float(levels[:older].max())
        level._mark = len(values)
        level._newest.extend(values[-window:].tolist())
        return level

    def see(self, value: float) -> None:
        """One finite value more."""
        self.rows += 1
        self._newest.append(value)
        self.now = sorted(self._newest)[len(self._newest) // 2]
        if self.rows <= DEFAULTS.level_rows:
            self.first = self.now
        if self.settled > 0 and value > DEFAULTS.far_above * self.settled:
            self.beyond += 1
            self._top = max(self._top, self.now)
            return  # what it leaves is the level before
        self.beyond, self._top = 0, -math.inf
        if self.rows >= DEFAULTS.level_rows:
            self.lowest, self._highest = min(self.lowest, self.now), max(self._highest, self.now)
        if self.rows >= LATELY * self._mark:
            self.settled, self._marked, self._mark = self._marked, self._highest, self.rows

    @property
    def has_left(self) -> bool:
        """Whether a loss has been far beyond everything seen for long enough, and is not on its way back.

        A spike is, often for many rows: from its top it falls by half and by half again.
        """
        return self.beyond >= KEPT_ROWS and self.now >= DEFAULTS.lost * self._top
