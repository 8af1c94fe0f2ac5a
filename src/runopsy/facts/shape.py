"""The shape of a curve: how often it changes direction, where, and by how much.

The fit is piecewise monotone regression: the curve that has at most k monotone pieces and lies nearest to
the points. It needs no decay model, no window and no start value: a power law, an exponential and a cosine
are each one falling piece. The best fit for every number of pieces is found by dynamic programming over
(point, level); the number of pieces by a penalty that was calibrated on smooth decays and on flat noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from runopsy.stats import Floats, weighted_mean

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

    Examples:
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
    totals = _totals(cost)
    counts = np.arange(1, MOST_PIECES + 1)
    priced = totals[-1].min(axis=2) + (FIRST + FURTHER * (counts - 1)) * np.log(max(m, 3))
    start, piece = divmod(int(np.argmin(priced)), MOST_PIECES)
    if priced[start, piece] < cost[:, constant].sum():
        return _shaped(levels[_walk_back(totals[:, start], start, piece)], value, error)
    return Shape((), np.full(m, levels[constant]))


def _huber(z: Floats) -> Floats:
    away = np.abs(z)
    return np.where(away <= HUBER, away * away, HUBER * (2 * away - HUBER))


def _totals(cost: Floats) -> Floats:
    """(m, 2, pieces, levels) cost of the cheapest path to each state.

    State of the programme at a point: direction of the first piece, piece, level. Within a rising piece the level only
    stays or grows; a next piece begins anywhere beyond the level at which the one before it ended. Levels of falling
    pieces are kept upside down, so that every piece rises.
    """
    m, count = cost.shape
    totals = np.empty((m, 2, MOST_PIECES, count))
    for start in (0, 1):
        for piece in range(MOST_PIECES):
            totals[:, start, piece] = cost[:, ::-1] if (start + piece) % 2 else cost
    totals[0, :, 1:] = np.inf
    before = np.empty((2, MOST_PIECES, count))
    first, further = before[:, :1], before[:, 1:]
    for i in range(1, m):
        last, now = totals[i - 1], totals[i]
        first[:] = last[:, :1]
        if i > 1:
            np.minimum(last[:, 1:], last[:, :-1, ::-1], out=further)
        else:
            further[:] = last[:, 1:]
        np.minimum.accumulate(before, axis=2, out=before)
        now += before
    return totals


def _walk_back(totals: Floats, start: int, piece: int) -> NDArray[np.int64]:
    """(m,) level of each point, right way up, of the cheapest path that ends in a piece.

    Args:
        totals: (m, pieces, levels) of ``_totals``, for one direction of the first piece.
        start: that direction: 0 rises, 1 falls.
        piece: with which the path ends, from 0.
    """
    m, _, count = totals.shape
    path = np.zeros(m, dtype=np.int64)
    level = int(np.argmin(totals[-1, piece]))
    for i in range(m - 1, -1, -1):
        path[i] = count - 1 - level if (start + piece) % 2 else level
        if not i:
            break
        held = totals[i - 1, piece, level::-1]  # from the level here downwards: of equal costs, the nearest level
        down = int(np.argmin(held))
        turned = totals[i - 1, piece - 1, count - 1 - level :] if i > 1 and piece else None
        if turned is not None and turned.min() < held[down]:
            level = count - 1 - (level - int(np.argmin(turned)))
            piece -= 1
        else:
            level -= down
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
    middle = weighted_mean(value[here], error[here] ** -2)
    flat, fitted = (float(_huber((value[here] - of) / error[here]).sum()) for of in (middle, fit[here]))
    return Piece(a, b, float(fit[a]), float(fit[b]), flat - fitted)
