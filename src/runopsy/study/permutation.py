"""Permutation tests of settings against an outcome, corrected for how many are tested.

If a setting did nothing, the outcomes could be dealt out among its values in any order; each order is a deal. The
least p is multiplied by the number of settings left (Holm, Scandinavian Journal of Statistics 6, 1979); what is found
is taken out of the outcome, and the rest is tested again, so that a second setting is not hidden by the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import permutations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from runopsy.study.outcomes import ALPHA

DEALS = 9_999  # that are drawn: p to .002 at .05
ALL = 7  # outcomes up to which every deal is made: 5 040
ROOM = 5_000_000  # numbers that the deals of one setting may hold at once
FEWEST_DEALS = 999
EPS = 1e-9

Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Code:
    """A setting as numbers, for each outcome that is dealt out."""

    level: NDArray[np.int64]  # (n,) from 0
    rank: Matrix | None  # (n,) normal scores of its numbers; None where they have no order


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """One setting, and the outcomes that are dealt out among its values."""

    y: Matrix  # (n, columns) of mean 0 in each block; weighted so that statistics are near chi square
    degrees: int  # of freedom of one contrast
    code: Code
    block: NDArray[np.int64]  # (n,) outcomes are dealt out within blocks
    level: NDArray[np.int64]  # (configurations,) of the setting
    total: float  # sum of squares before blocks were held equal
    is_grid: bool
    taken: tuple[NDArray[np.int64], ...] = ()  # levels of the settings whose effects were taken out of ``y``

    @property
    def share(self) -> float:
        """Of the variance, what the levels explain beyond what as many would by chance (omega squared)."""
        level, n = self.code.level, len(self.y)
        levels, blocks = int(level.max()) + 1, int(self.block.max()) + 1
        free = n - blocks - levels + 1
        if self.total <= EPS or free < 1:
            return 0.0
        between = float((level_sums(self.y, level) ** 2 / np.bincount(level)[:, None]).sum())
        within = max(0.0, float((self.y**2).sum()) - between) / free
        return max(0.0, (between - (levels - 1) * within) / (self.total + within))

    def without(self, other: Design) -> Design:
        """The same with the effect of another setting taken out, where it was not held equal anyway."""
        if self.is_grid:
            return self
        return replace(self, y=_without_levels(self.y.T, other.level).T, taken=(*self.taken, other.level))


class Tested(NamedTuple):
    """What the test of a design gave."""

    p: float  # corrected
    least: float  # that its deals can give, not corrected


def step_down(designs: Sequence[Design], families: int = 1) -> list[Tested]:
    """For each setting p, corrected for the number of settings and of outcomes."""
    left = dict(enumerate(designs))
    answers: dict[int, Tested] = {}
    deals: dict[bytes, NDArray[np.int64]] = {}
    reached = 0.0
    while left:
        found = {i: _test(design, deals) for i, design in left.items()}
        many = len(left) * families
        for i, one in found.items():
            first = answers.get(i, one)
            answers[i] = Tested(max(reached, min(1.0, many * one.p)), first.least)
        best = min(found, key=lambda i: found[i].p)
        reached = answers[best].p
        if reached > ALPHA:
            break
        taken = left.pop(best)
        left = {i: design.without(taken) for i, design in left.items()}
    return [answers[i] for i in range(len(designs))]


def _test(design: Design, known: dict[bytes, NDArray[np.int64]]) -> Tested:
    key = design.block.tobytes()
    if key not in known:
        known[key] = _deals(design.block)
    statistics = _statistics(design, known[key])
    p = float((statistics >= statistics[0] - EPS).mean())
    return Tested(p, float((statistics >= statistics.max() - EPS).mean()))


def _deals(block: NDArray[np.int64]) -> NDArray[np.int64]:
    """(deals, n) orders of the outcomes, each block in itself; the first is how they are."""
    n = len(block)
    if n <= ALL and int(block.max()) == 0:
        return np.array(list(permutations(range(n))))
    random = np.random.default_rng(0)  # fixed: the same runs get the same answer
    many = min(DEALS, max(FEWEST_DEALS, ROOM // n))
    shuffled = np.argsort(block + random.random((many, n)), axis=1)  # by blocks, and in each at random
    drawn = np.empty_like(shuffled)
    drawn[:, np.argsort(block, kind="stable")] = shuffled
    return np.concatenate([np.arange(n)[None, :], drawn])


def _statistics(design: Design, deals: NDArray[np.int64]) -> Matrix:
    """(deals,) how unlikely the setting's levels, or its trend, look: minus the log of the chi square tail."""
    y, code = design.y, design.code
    counts = np.bincount(code.level)
    between, trend = np.zeros(len(deals)), np.zeros(len(deals))
    belongs = (code.level[:, None] == np.arange(len(counts))).astype(np.float64)
    variance = float((y**2).sum()) / max(1, len(y) - 1 - int(design.block.max())) / design.degrees
    if variance <= EPS:
        return between
    for dealt in _dealt(design, deals):
        between += ((dealt @ belongs) ** 2 / counts).sum(axis=1)
        if code.rank is not None:
            trend += (dealt @ code.rank) ** 2 / float((code.rank**2).sum())
    found = np.asarray(-stats.chi2.logsf(between / variance, (len(counts) - 1) * design.degrees))
    if code.rank is None or len(np.unique(code.rank)) == 2:  # of two values, the trend is their difference
        return found
    return np.asarray(np.maximum(found, -stats.chi2.logsf(trend / variance, design.degrees)))


def _dealt(design: Design, deals: NDArray[np.int64]) -> list[Matrix]:
    """(deals, n) for each column of the outcomes; what was taken out of them is taken out of each deal as well.

    That leaves a deal with a little less variance than the outcomes, which is given back, so that all are held
    against their own noise (Freedman and Lane, Journal of Business & Economic Statistics 1, 1983).
    """
    columns = [column[deals] for column in design.y.T]
    if not design.taken:
        return columns
    for level in design.taken:
        columns = [_without_levels(dealt, level) for dealt in columns]
    left = np.sum([(dealt**2).sum(axis=1) for dealt in columns], axis=0)
    scale = np.sqrt(float((design.y**2).sum()) / np.maximum(left, EPS))[:, None]
    return [dealt * scale for dealt in columns]


def _without_levels(y: Matrix, level: NDArray[np.int64]) -> Matrix:
    """(…, n) less the mean of each level."""
    belongs = (level[:, None] == np.arange(int(level.max()) + 1)).astype(np.float64)
    return np.asarray(y - (y @ belongs / belongs.sum(axis=0)) @ belongs.T)


def level_sums(y: Matrix, level: NDArray[np.int64]) -> Matrix:
    """(levels, columns) of the rows of each level."""
    return np.array([y[level == k].sum(axis=0) for k in range(int(level.max()) + 1)])
