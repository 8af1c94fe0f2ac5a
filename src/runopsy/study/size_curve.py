"""One outcome over sizes: how it turns, where its first minimum and its peak lie, and how surely.

A turn is judged as everywhere in runopsy: by piecewise monotone regression (``facts.shape``), on a scale on which
seeds scatter about evenly. What differs is the noise, of which a sweep of ten trainings shows little: it comes from
repetitions where there are any, else from where the curve goes back on itself, and is widened by how few of these
there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from runopsy.facts.shape import Piece, shape_of
from runopsy.stats import Floats
from runopsy.thresholds import DEFAULTS

# Shape's penalty was set for rows of a log, whose noise is slow; sizes are trained apart from each other. With it, a
# monotone sweep shows a false peak in at most 2 of 100 (make bench-sizes); at 0.5 in 5 to 20.
INDEPENDENT = 0.85
EXPECTED = 0.7  # of that, for a peak at the interpolation threshold: a few places are asked instead of all
CAUTION = 0.95  # quantile of Student's distribution by which a noise known from few trainings is widened
# What one training differs from another of its size by, where only one was trained: a few percent of the loss; worth
# PRIOR readings, so that a curve which never goes back on itself is not taken for one without noise.
USUAL = {"loss": 0.07, "error": 0.015}
PRIOR = 1.0
TURNS = 2  # that a double descent has, and that are no noise
REVERSAL, LEFT_OUT = 0.89, 8.0  # root mean square of reversals of white noise, and sizes over which two weigh in it
OVERLAP = 0.5  # independent readings per size: simulated, as the two above
LEAST_READINGS = 0.2  # of so few sizes that nothing is known of their noise
LEAST = 1e-9  # relative: rounding of a closed form is no noise, and no division by zero


@dataclass(frozen=True, slots=True, eq=False)
class Trainings:
    """The trainings of one curve, in any order."""

    size: Floats  # (n,)
    value: Floats  # (n,) loss, or error as a share
    margin: Floats | None = None  # (n,) standard deviation over the repetitions that a value is the mean of


@dataclass(frozen=True, slots=True, eq=False)
class Points:
    """One value per size, rising in size."""

    size: Floats  # (m,)
    value: Floats  # (m,) mean over seeds, on the scale of judging, brought back
    level: Floats  # (m,) on the scale of judging: log of a loss, square root of an error
    error: Floats  # (m,) one standard error of ``level``, widened by how few trainings it is known from
    trainings: int  # of the size that has the fewest


@dataclass(frozen=True, slots=True)
class Place:
    """A size at which something lies, and the sizes between which it may lie."""

    at: float
    interval: tuple[float, float]
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Turns:
    """Where a curve over sizes turns; None for what is not there."""

    first_minimum: Place | None
    peak: Place | None
    second_descent: float | None  # the first size beyond the peak that is better than the first minimum
    directions: tuple[int, ...]  # of its pieces, from the smallest size: -1 falls, 1 rises; empty where it is flat
    lone_peak: float | None = None  # a size at which a single training makes all of a peak: it may be chance


def points_of(trainings: Trainings, kind: str) -> Points | None:
    """The mean of each size with its standard error; None for fewer than three sizes.

    Losses scatter by a share of themselves; errors are counts, whose square root scatters evenly.
    """
    known = np.isfinite(trainings.size) & np.isfinite(trainings.value)
    size, value = trainings.size[known], trainings.value[known]
    if len(np.unique(size)) < 3:
        return None
    by_log = kind == "loss" and float(value.min()) > 0
    by_root = kind == "error" and float(value.min()) >= 0
    scaled = np.log(value) if by_log else np.sqrt(value) if by_root else value
    sizes, which = np.unique(size, return_inverse=True)
    count = np.bincount(which)
    level = np.bincount(which, scaled) / count
    back = np.exp(level) if by_log else level**2 if by_root else level
    usual = USUAL[kind] * (1.0 if by_log or by_root else float(np.median(np.abs(scaled))))
    noted = None
    if trainings.margin is not None:
        slope = 1 / value if by_log else 0.5 / np.sqrt(np.maximum(value, LEAST)) if by_root else np.ones_like(value)
        noted = np.bincount(which, np.nan_to_num(trainings.margin[known]) * slope) / count
    error = _noise(sizes, level, scaled, which, count, noted, usual)
    least = LEAST * max(float(np.abs(level).max()), LEAST)
    return Points(sizes, back, level, np.maximum(error, least), int(count.min()))


def _noise(
    size: Floats,
    level: Floats,
    scaled: Floats,
    which: NDArray[np.int64],
    count: NDArray[np.int64],
    noted: Floats | None,
    usual: float,
) -> Floats:
    """(m,) standard error of each size's mean."""
    from scipy.stats import chi2, norm, t

    spare = int((count - 1).sum())
    if spare >= len(size) // 2:
        squares = np.bincount(which, (scaled - level[which]) ** 2)
        repeated = count > 1
        usually = float(np.median(count[repeated] - 1))  # a median: beside the threshold seeds differ by decades
        pooled = np.median(squares[repeated] / (count[repeated] - 1)) * usually / chi2.median(usually)
        near = np.convolve(squares, np.ones(3), "same") / np.maximum(np.convolve(count - 1, np.ones(3), "same"), 1)
        widened = pooled * (t.ppf(CAUTION, spare) / norm.ppf(CAUTION)) ** 2
        return np.asarray(np.sqrt(np.maximum(widened, near) / count))  # near its threshold a model scatters the most
    if noted is not None and noted.any():
        return np.asarray(np.maximum(noted, np.median(noted)))
    spread, readings = _reversals(level)
    variance = (readings * spread**2 + PRIOR * usual**2) / (readings + PRIOR)
    return np.full(len(size), np.sqrt(variance) * t.ppf(CAUTION, readings + PRIOR) / norm.ppf(CAUTION))


def _reversals(level: Floats) -> tuple[float, float]:
    """Standard deviation of one training's noise, and of how many readings it is worth, from one curve.

    A curve that turns twice goes back on itself at two sizes; every other size at which it does is noise. How far it
    goes back there is the smaller of the two changes around that size, whose root mean square is REVERSAL standard
    deviations of white noise on a flat curve. Unlike second differences it does not take a bend for noise.
    """
    before, after = np.abs(np.diff(level))[:-1], np.abs(np.diff(level))[1:]
    back = np.where(np.diff(level)[:-1] * np.diff(level)[1:] < 0, np.minimum(before, after), 0.0)
    rest = np.sort(back)[: max(len(back) - TURNS, 1)]
    kept = REVERSAL * (1 - np.exp(-(len(level) - 1) / LEFT_OUT))
    return float(np.sqrt(np.mean(rest**2)) / kept), max(OVERLAP * (len(level) - 2) - TURNS, LEAST_READINGS)


def turns_of(points: Points, threshold: Place | None = None) -> Turns:
    """First minimum, peak and second descent of a curve.

    Args:
        points: of one outcome.
        threshold: where training just fits. With one training per size, a peak that a single training makes is none;
            there, where theory expects one, less evidence is asked for.
    """
    every = np.ones(len(points.size), dtype=bool)
    pieces = _pieces(points, every)
    at = _summit(points, pieces)
    if at is None and threshold is not None and points.trainings < 2:
        closer = _pieces(points, every, EXPECTED)
        expected = _summit(points, closer)
        if expected is not None and _beside(points, expected, threshold):
            pieces, at = closer, expected
    directions = tuple(int(np.sign(p.change)) for p in pieces)
    if at is None:
        turned = directions == (-1, 1)
        return Turns(_place(points, int(np.argmin(points.level)), 1) if turned else None, None, None, directions)
    if points.trainings < 2:
        without = every & (np.arange(len(points.size)) != at)
        share = EXPECTED if _beside(points, at, threshold) else 1.0
        if _summit(points, _pieces(points, without, share)) is None:
            return Turns(None, None, None, (), lone_peak=float(points.size[at]))
    return _around(points, at)


def _around(points: Points, at: int) -> Turns:
    """First minimum and second descent of a curve that has a peak in row ``at``."""
    first = int(np.argmin(points.level[: at + 1]))
    fall = points.level[:first] - points.level[first]
    if not (fall > DEFAULTS.sure * np.hypot(points.error[:first], points.error[first])).any():
        return Turns(None, _place(points, at, -1), None, (1, -1))
    better = np.flatnonzero(points.level[at:] < points.level[first])
    second = float(points.size[at + better[0]]) if len(better) else None
    return Turns(_place(points, first, 1), _place(points, at, -1), second, (-1, 1, -1))


def _pieces(points: Points, kept: NDArray[np.bool_], share: float = 1.0) -> tuple[Piece, ...]:
    """The monotone pieces of the sizes that are kept, their rows counted among all sizes."""
    rows = np.flatnonzero(kept)
    shape = shape_of(points.level[rows], share * INDEPENDENT * points.error[rows])
    return tuple(Piece(int(rows[p.first]), int(rows[p.last]), p.begins, p.ends, p.gain) for p in shape.pieces)


def _summit(points: Points, pieces: tuple[Piece, ...]) -> int | None:
    """The row of the highest peak between a rise and a fall that both are visible; None where there is none."""
    found = [
        (min(rise.change, -fall.change), rise.last)
        for rise, fall in pairwise(pieces)
        if rise.change > 0 > fall.change and _stands_out(points, rise, fall)
    ]
    return max(found)[1] if found else None


def _stands_out(points: Points, rise: Piece, fall: Piece) -> bool:
    top = points.value[rise.last]
    sides = max(points.value[rise.first], points.value[fall.last])
    return bool(top - sides >= DEFAULTS.peak * abs(top))


def _beside(points: Points, at: int, threshold: Place | None) -> bool:
    """Whether a row is one of those at which training just fits, or the next larger one."""
    if threshold is None:
        return False
    low, high = np.searchsorted(points.size, threshold.interval)
    return bool(low <= at <= high + 1)


def _place(points: Points, at: int, sign: int) -> Place:
    """An extreme with its interval: up to the nearest sizes on either side that are beyond noise apart from it.

    Args:
        points: of the curve.
        at: row of the extreme.
        sign: 1 for a minimum, -1 for a peak.
    """
    away = sign * (points.level - points.level[at])
    apart = away > DEFAULTS.likely * np.hypot(points.error, points.error[at])
    left, right = np.flatnonzero(apart[:at]), np.flatnonzero(apart[at:])
    low = points.size[left[-1]] if len(left) else points.size[0]
    high = points.size[at + right[0]] if len(right) else points.size[-1]
    return Place(float(points.size[at]), (float(low), float(high)), float(points.value[at]))
