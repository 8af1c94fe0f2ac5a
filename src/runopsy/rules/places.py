"""Where on the axis something is, and how sure that is.

The intervals are meant to hold the true step nine times in ten; ``make bench-segments`` measures it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from runopsy.model import Case, Position, Segments, Signal, Values
from runopsy.stats import first_spacing

Z = 1.645  # standard errors on either side that hold 90 % of a Gaussian
STEEP = 2.0  # standard errors by which a curve must move for a crossing of it to have a place at all


class Place(NamedTuple):
    step: Position
    interval: tuple[Position, Position] | None  # None: unresolved


def spacing_at(signal: Signal, step: Position) -> float:
    """The distance between the logged values around a step: no location can be finer."""
    if len(signal) < 2:
        return 0.0
    i = int(np.clip(np.searchsorted(signal.step, step), 1, len(signal) - 1))
    return float(signal.step[i] - signal.step[i - 1])


def row(signal: Signal, step: Position, since: Position | None = None) -> Place:
    """A change seen at one row: it came after the row before (or after ``since``, when all was still as usual)."""
    before = signal.step[signal.step < step]
    low = since if since is not None else float(before[-1]) if len(before) else step
    return Place(step, (min(low, step), step))


def crossing(case: Case, name: str, step: Position) -> Place:
    """Where a fitted curve passes a value: as sure as its level is, divided by how fast it moves."""
    s = case.segments[name]
    i = int(np.argmin(np.abs(s.step - step)))
    pace, pace_error, error = float(s.pace[i]), float(s.pace_error[i]), float(s.local_error[i])
    if not np.isfinite(error) or abs(pace) < STEEP * pace_error:
        return Place(step, None)
    u = float(np.log(step - case.first + first_spacing(s.step)))
    around = _around(s, case, (u, u), Z * error / abs(pace), _distance(s, i))
    return Place(nearest(case.signals[name], step), around)


def vertex(case: Case, name: str, at: int, reach: float) -> Place:
    """Where a valley or a peak of a fitted curve lies: the vertex of a parabola through its neighbourhood.

    The lowest of many noisy points lies anywhere in a flat valley; the parabola uses them all. A valley
    is seldom a parabola, so one through half the neighbourhood is asked as well: the interval holds
    both answers with their errors.

    Args:
        case: gives the segments.
        name: of the signal.
        at: index of the extreme fitted point.
        reach: points whose value lies within this of the extreme belong to the neighbourhood.
    """
    s, signal = case.segments[name], case.signals[name]
    tops = [top for share in (1.0, 0.5) if (top := _top(s, case.first, at, share * reach)) is not None]
    if not tops:
        return Place(nearest(signal, float(s.step[at])), None)
    step = nearest(signal, float(np.exp(tops[-1][0])) + case.first - first_spacing(s.step))
    low, high = min(u - Z * e for u, e in tops), max(u + Z * e for u, e in tops)
    flat = _indistinct(s, case.first, at)
    return Place(step, _around(s, case, (min(low, flat[0]), max(high, flat[1])), 0.0, _distance(s, at)))


def _indistinct(s: Segments, first: Position, at: int) -> tuple[float, float]:
    """From where to where, in log elapsed steps, the fitted curve differs from its extreme by less than can be told."""
    told = Z * 2**0.5 * s.natural_error[at]
    left, right = _neighbourhood(np.abs(s.curve - s.curve[at]) <= told, at)
    u = _log_elapsed(s, first)
    return float(u[left]), float(u[right - 1])


def _top(s: Segments, first: Position, at: int, reach: float) -> tuple[float, float] | None:
    """(log elapsed steps, standard error) of the vertex; None where the points form none."""
    left, right = _neighbourhood(np.abs(s.curve - s.curve[at]) <= reach, at)
    if right - left < 5 or not left < at < right - 1:
        return None
    u = _log_elapsed(s, first)[left:right]
    bend, slope, covariance = _parabola(u - u.mean(), s.level[left:right], s.error[left:right])
    if not bend:
        return None
    top = float(u.mean()) - slope / (2 * bend)
    gradient = np.array([slope / (2 * bend**2), -1 / (2 * bend)])  # of -slope / 2 bend: the delta method
    return (top, float(np.sqrt(gradient @ covariance @ gradient))) if u[0] <= top <= u[-1] else None


def nearest(signal: Signal, step: Position) -> Position:
    """The logged step nearest to a position."""
    return float(signal.step[np.argmin(np.abs(signal.step - step))])


def _parabola(x: Values, y: Values, error: Values) -> tuple[float, float, Values]:
    """Bend and slope at 0 of the weighted parabola through points, and their covariance; misfit counts as noise."""
    design = np.stack([x**2, x, np.ones_like(x)], axis=1) / error[:, None]
    inverse = np.linalg.pinv(design.T @ design)
    answer = inverse @ design.T @ (y / error)
    residual = y / error - design @ answer
    excess = max(1.0, float(residual @ residual) / max(len(x) - 3, 1))
    return float(answer[0]), float(answer[1]), np.asarray(inverse[:2, :2] * excess, dtype=np.float64)


def _neighbourhood(near: Values, at: int) -> tuple[int, int]:
    """The run of points around ``at`` that all lie near: [left, right)."""
    outside = np.flatnonzero(~np.asarray(near, dtype=bool))
    before, after = outside[outside < at], outside[outside > at]
    return (int(before[-1]) + 1 if len(before) else 0), (int(after[0]) if len(after) else len(near))


def _log_elapsed(s: Segments, first: Position) -> Values:
    return np.asarray(np.log(s.step - first + first_spacing(s.step)))


def _distance(s: Segments, i: int) -> float:
    """Between the fitted points around one: nothing finer is known."""
    near = s.step[max(0, i - 1) : i + 2]
    return float(np.diff(near).max()) if len(near) > 1 else 0.0


def _around(s: Segments, case: Case, u: tuple[float, float], half: float, distance: float) -> tuple[Position, Position]:
    """From half below to half above, in log elapsed steps, and half the distance of the points beyond, as steps."""
    shift = case.first - first_spacing(s.step)
    low, high = float(np.exp(u[0] - half)) + shift - distance / 2, float(np.exp(u[1] + half)) + shift + distance / 2
    if case.first == np.floor(case.first) and first_spacing(s.step) > 0.99:  # whole steps are counted
        low, high = float(np.floor(low)), float(np.ceil(high))
    return max(low, case.first), min(high, case.last)
