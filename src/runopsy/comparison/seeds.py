"""What several runs of each side can show: exact permutation tests on ranks, also of what was not seen in time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import comb
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from runopsy.model import Values

ALPHA = 0.1  # two-sided; the least that 3 runs against 3 can show, and few train more seeds than that
MOST = 20_000  # ways to split the runs that are all looked at; beyond, so many drawn ones give p to about 0.002


class Spot(NamedTuple):
    """Where one run has something, or by when it had not happened."""

    at: float | None  # None: not seen
    interval: tuple[float, float] | None = None
    seconds: float | None = None  # by the run's clock, since its first value
    until: float = -np.inf  # of something not seen: the last place at which it could have been


class Splits(NamedTuple):
    """Every way to call as many of the runs B as are; the first row is how it is."""

    b: NDArray[np.bool_]  # (splits, runs)

    @classmethod
    def of(cls, a: int, b: int) -> Splits:
        n = a + b
        actual = np.arange(n) >= a
        if comb(n, b) > MOST:
            random = np.random.default_rng(0)  # fixed: the same runs get the same answer
            drawn = [random.permutation(actual) for _ in range(MOST - 1)]
            return cls(np.array([actual, *drawn]))
        chosen = [np.isin(np.arange(n), who) for who in combinations(range(n), b)]
        return cls(np.array([actual, *(c for c in chosen if not np.array_equal(c, actual))]))

    @property
    def least_p(self) -> float:
        """What complete separation would give."""
        n, b = self.b.shape[1], int(self.b[0].sum())
        return 2 / comb(n, b)

    def sums(self, score: Values) -> Values:
        """(splits,) |sum of the scores of those called B|."""
        return np.asarray(np.abs(self.b @ score), dtype=np.float64)


def scores(spots: Sequence[Spot]) -> Values:
    """(runs,) for each run, how many others it is later than, less how many it is earlier than.

    A run in which something has not been seen is later than all that had it by then, and not
    comparable with the rest (Gehan, Biometrika 52, 1965); without such runs the sum over one side is
    the statistic of Mann and Whitney.
    """
    at = np.array([np.nan if s.at is None else s.at for s in spots], dtype=np.float64)
    until = np.array([s.until if s.at is None else np.nan for s in spots], dtype=np.float64)
    later = at[:, None] > at[None, :]  # comparisons with NaN are false
    later |= until[:, None] >= at[None, :]
    return np.asarray(later.sum(axis=1) - later.sum(axis=0), dtype=np.float64)


def p_value(splits: Splits, score: Values) -> float:
    """Two-sided: the share of splits that separate the sides at least as far."""
    sums = splits.sums(score)
    return float(np.mean(sums >= sums[0] - 1e-9))


def chance(statistics: Sequence[Values]) -> float:
    """The share of splits that separate the sides as far as they are, over everything that was measured at once.

    One row in ten reaches p = 0.1 by chance; asked together, only one comparison in ten does.

    Args:
        statistics: per thing measured a statistic of every split, (splits,), the first as it is.
    """
    moving = [sums / sums.max() for sums in statistics if sums.max() > 0]
    if not moving:
        return 1.0
    total = np.sum(moving, axis=0)
    return float(np.mean(total >= total[0] - 1e-9))
