"""The shape of a curve: how often it changes direction, where, and by how much.

The fit is piecewise monotone regression: the curve that has at most k monotone pieces and lies nearest to
the points. It needs no decay model, no window and no start value: a power law, an exponential and a cosine
are each one falling piece. The best fit for every number of pieces is found by dynamic programming over
(point, level); the number of pieces by a penalty that was calibrated on smooth decays and on flat noise.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from runopsy.stats import Floats

LEVELS = 96  # levels between the lowest and the highest point: a hundredth of the range is beneath notice
MOST_PIECES = 5  # nobody describes a curve that turns more often by its turns; swings have a fact of their own
HUBER = 2.5  # standard errors beyond which a point counts linearly: one wild row is no turn
FIRST, FURTHER = 3.0, 6.0  # penalty of the first piece and of each further one, x log m: research/shapes.md


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch over which a curve moves in one direction only.

    Positions are indices of points, the first and the last included; values are on the scale of the fit.
    """

    first: int
    last: int
    begins: float
    ends: float
    gain: float  # how much worse the fit would be if this stretch were flat, in units of noise variance

    @property
    def change(self) -> float:
        return self.ends - self.begins


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """The monotone pieces of a curve; none where it is flat beyond noise."""

    pieces: tuple[Piece, ...]
    fit: Floats  # (m,) fitted values

    @property
    def flat(self) -> bool:
        return not self.pieces


def shape_of(value: Floats, error: Floats) -> Shape:
    """The shape of a series of points.

    Args:
        value: (m,) values on a scale on which a reader measures changes.
        error: (m,) one standard error of each, > 0, slow noise included.

    Returns:
        Pieces that alternate between rising and falling and cover all points.

    Example:
        >>> import numpy as np
        >>> found = shape_of(np.array([3.0, 2, 1, 1, 2, 3, 4, 5]), np.full(8, 0.05))
        >>> [(p.first, p.last, round(p.change, 1)) for p in found.pieces]
        [(0, 3, -2.0), (3, 7, 4.0)]
    """
    m = len(value)
    if m < 2 or np.ptp(value) == 0:
        return Shape((), np.array(value, dtype=float))
    levels = np.linspace(float(value.min()), float(value.max()), LEVELS)
    cost = _huber((value[:, None] - levels) / error[:, None])
    constant = int(np.argmin(cost.sum(axis=0)))
    best, path = float(cost[:, constant].sum()), np.full(m, constant)
    for count, candidate in _paths(cost):
        penalty = (FIRST + FURTHER * (count - 1)) * np.log(max(m, 3))
        total = float(cost[np.arange(m), candidate].sum()) + penalty
        if total < best:
            best, path = total, candidate
    return _shaped(levels[path], value, error)


def _huber(z: Floats) -> Floats:
    away = np.abs(z)
    return np.where(away <= HUBER, away * away, HUBER * (2 * away - HUBER))


def _paths(cost: Floats) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """(pieces, (m,) level of each point) of the cheapest path for each direction of the first piece and each count.

    State of the programme: direction of the first piece, piece, level. Within a rising piece the level only stays
    or grows; a next piece begins anywhere beyond the level at which the one before it ended. Levels of falling
    pieces are kept upside down, so that every piece rises.
    """
    m, count = cost.shape
    index = np.arange(count, dtype=np.int16)
    falling = np.array([[(start + k) % 2 for k in range(MOST_PIECES)] for start in (0, 1)])
    sided = np.stack([cost, cost[:, ::-1]], axis=1)  # (m, 2, count)
    total = np.full((2, MOST_PIECES, count), np.inf)
    total[:, 0] = sided[0]
    came = np.zeros((m, 2, MOST_PIECES, count), dtype=np.int16)  # level before; + count where the piece changed
    change = index[::-1] + count
    for i in range(1, m):
        value, arg = total, np.broadcast_to(index, total.shape).copy()
        if i > 1:
            earlier = total[:, :-1, ::-1]
            better = earlier < total[:, 1:]
            value = total.copy()
            np.copyto(value[:, 1:], earlier, where=better)
            np.copyto(arg[:, 1:], change, where=better)
        low = np.minimum.accumulate(value, axis=2)
        at = np.maximum.accumulate(np.where(value <= low, index, np.int16(0)), axis=2)
        came[i] = np.take_along_axis(arg, at, axis=2)
        total = low + sided[i][falling]
    for start in (0, 1):
        for k in range(MOST_PIECES):
            level = int(np.argmin(total[start, k]))
            if np.isfinite(total[start, k, level]):
                yield k + 1, _walk_back(came[:, start], k, level, falling[start])


def _walk_back(came: NDArray[np.int16], piece: int, level: int, falling: NDArray[np.int64]) -> NDArray[np.int64]:
    """(m,) level of each point, right way up, of the path that ends in a piece at a level."""
    m, _, count = came.shape
    path = np.zeros(m, dtype=np.int64)
    for i in range(m - 1, -1, -1):
        path[i] = count - 1 - level if falling[piece] else level
        step = int(came[i, piece, level])
        piece, level = (piece - 1, step - count) if step >= count else (piece, step)
    return path


def _shaped(fit: Floats, value: Floats, error: Floats) -> Shape:
    """The fitted levels as pieces: where the fit stands still between two of them, the extreme point parts them."""
    direction = np.sign(np.diff(fit))
    moving = np.flatnonzero(direction)
    if not len(moving):
        return Shape((), fit)
    bounds = [0]
    for a, b in pairwise(moving.tolist()):
        if direction[a] != direction[b]:
            still = np.arange(a + 1, b + 1)
            bounds.append(int(still[np.argmin(direction[b] * value[still])]))
    bounds.append(len(fit) - 1)
    return Shape(tuple(_piece(fit, value, error, a, b) for a, b in pairwise(bounds)), fit)


def _piece(fit: Floats, value: Floats, error: Floats, a: int, b: int) -> Piece:
    here = slice(a, b + 1)
    middle = np.average(value[here], weights=error[here] ** -2)
    flat, fitted = (float(_huber((value[here] - of) / error[here]).sum()) for of in (middle, fit[here]))
    return Piece(a, b, float(fit[a]), float(fit[b]), flat - fitted)
