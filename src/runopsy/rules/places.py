"""Where on the axis something is, and how sure that is.

The intervals are meant to hold the true step nine times in ten; ``make bench-segments`` measures it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from runopsy.facts import Case
from runopsy.model import Position, Segments, Signal, Values
from runopsy.segments import pace
from runopsy.stats import first_spacing, quantiles

STEEP = 2.0  # standard errors by which a curve must move for a crossing of it to have a place at all
CAUTIOUS = 0.9  # standard errors for 90 %, measured: they count slow noise in full, though it moves neighbours alike
UNSEEN = 0.45  # of the distance of two points, for a jump between them: nine tenths of it
NARROW = 0.006  # in log elapsed steps, of the neighbourhood whose level is asked: mostly, points lie further apart; …
REACH = 0.1  # … and how far from where the fit passes a value the points may do so
DEGREE = 5  # of the polynomial through a valley: measured, a parabola's intervals hold 3 in 10 of lopsided ones
FEWEST = 6  # points in a valley: fewer bend any way
DRAWS = 400  # of the polynomial's uncertainty: its 5 % and 95 % quantiles to about a percent


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


def crossing(case: Case, name: str, value: float, step: Position) -> Place:
    """Where a curve passes a value, near the step at which its fit does: as sure as its level, over how fast it moves.

    Straight pieces miss a bent rise by a little; so the place is asked again of the points near it.
    Between two points the curve is known by interpolation only: the more of the change is made there,
    the less is known of where.
    """
    s = case.segments[name]
    i = int(np.argmin(np.abs(s.step - step)))
    speed, error_of_speed = pace(s)
    if not np.isfinite(error_of_speed[i]) or abs(speed[i]) < STEEP * error_of_speed[i]:
        return Place(step, None)
    shift = case.first - first_spacing(s.step)
    u = np.log(s.step - shift)
    at, error = _passes(u, s, value, float(np.log(step - shift)))
    middle = float(np.exp(at)) + shift
    noise, unseen = CAUTIOUS * error, UNSEEN * _unseen(s, middle)
    low = middle - float(np.hypot((middle - shift) * -np.expm1(-noise), unseen))
    high = middle + float(np.hypot((middle - shift) * np.expm1(noise), unseen))
    return _placed(case.signals[name], middle, _whole(s, case, low, high))


def _passes(u: Values, s: Segments, value: float, about: float) -> tuple[float, float]:
    """Where lines through the points near a place pass a value, and one standard error of it, in log elapsed steps."""
    gap = int(np.clip(np.searchsorted(u, about), 1, len(u) - 1))
    width = max(NARROW, (u[gap] - u[gap - 1]) / 4)  # so that the points on either side are always heard
    x = about + max(REACH, 4 * width) * np.linspace(-1, 1, 61)
    away = u[None, :] - x[:, None]
    # by distance alone: by errors, which fall with a loss, it would lean to one side
    weight = np.gradient(u) * np.exp(-0.5 * (away / width) ** 2) + 1e-30
    s0, s1, s2 = weight.sum(1), (weight * away).sum(1), (weight * away**2).sum(1)
    share = (s2[:, None] - s1[:, None] * away) * weight / (s0 * s2 - s1**2)[:, None]
    level = share @ s.level
    error = np.sqrt((share**2) @ s.error**2)
    change = np.flatnonzero(np.sign(level[1:] - value) != np.sign(level[:-1] - value))
    if not len(change):
        return about, float(error[30] / max(abs(level[33] - level[27]) / (x[33] - x[27]), 1e-300))
    k = int(min(change, key=lambda c: abs(x[c] - about)))
    slope = (level[k + 1] - level[k]) / (x[k + 1] - x[k])
    return float(x[k] + (value - level[k]) / slope), float(error[k] / abs(slope))


def vertex(case: Case, name: str, at: int, reach: float) -> Place:
    """Where a valley or a peak of a fitted curve lies: the extreme of a polynomial through its neighbourhood.

    The lowest of many noisy points lies anywhere in a flat valley; the polynomial uses them all. A parabola
    would be surer and wrong, because valleys are lopsided. The interval holds nine in ten of the extremes
    of polynomials drawn from the fit's own uncertainty.

    Args:
        case: gives the segments.
        name: of the signal.
        at: index of the extreme fitted point.
        reach: points whose value lies within this of the extreme belong to the neighbourhood.
    """
    s, signal = case.segments[name], case.signals[name]
    left, right = _neighbourhood(np.abs(s.curve - s.curve[at]) <= reach, at)
    if right - left < FEWEST or not left < at < right - 1:
        return Place(nearest(signal, float(s.step[at])), None)
    shift = case.first - first_spacing(s.step)
    u = np.log(s.step[left:right] - shift)
    valley = bool(s.curve[at] <= s.curve[left:right].mean())
    share = _extreme((u - u[0]) / (u[-1] - u[0]), s.level[left:right], s.error[left:right], valley=valley)
    low, top, high = (np.exp(u[0] + (u[-1] - u[0]) * share) + shift).tolist()
    if share[0] <= 0 and share[2] >= 1:  # it may be anywhere among these points
        return Place(nearest(signal, top), None)
    return _placed(signal, top, _whole(s, case, low, high))


def _extreme(x: Values, y: Values, error: Values, *, valley: bool) -> Values:
    """(low, middle, high): where a polynomial through points has its extreme; misfit counts as noise.

    Args:
        x: (m,) from 0 to 1.
        y: (m,) values.
        error: (m,) one standard error of each.
        valley: whether the extreme is a lowest point.
    """
    degree = min(DEGREE, len(x) - 3)
    design = np.vander(x, degree + 1) / error[:, None]
    covariance = np.linalg.pinv(design.T @ design)
    answer = covariance @ design.T @ (y / error)
    residual = y / error - design @ answer
    excess = max(1.0, float(residual @ residual) / (len(x) - degree - 1))
    size, axes = np.linalg.eigh(covariance * excess)
    drawn = np.random.default_rng(0).standard_normal((DRAWS, degree + 1)) * np.sqrt(np.maximum(size, 0)) @ axes.T
    fine = np.linspace(0, 1, 401)
    curves = np.vander(fine, degree + 1) @ np.concatenate([[answer], answer + drawn]).T
    found = fine[np.argmin(curves if valley else -curves, axis=0)]
    return quantiles(found[1:], (0.05, 0.5, 0.95))


def _placed(signal: Signal, step: Position, interval: tuple[Position, Position]) -> Place:
    """At the nearest logged row, if the interval holds it; else at the step itself, as whole steps are."""
    logged = nearest(signal, step)
    within = interval[0] <= logged <= interval[1]
    return Place(logged if within else float(np.clip(round(step), *interval)), interval)


def nearest(signal: Signal, step: Position) -> Position:
    """The logged step nearest to a position."""
    return float(signal.step[np.argmin(np.abs(signal.step - step))])


def _neighbourhood(near: Values, at: int) -> tuple[int, int]:
    """The run of points around ``at`` that all lie near: [left, right)."""
    outside = np.flatnonzero(~np.asarray(near, dtype=bool))
    before, after = outside[outside < at], outside[outside > at]
    return (int(before[-1]) + 1 if len(before) else 0), (int(after[0]) if len(after) else len(near))


def _unseen(s: Segments, step: Position) -> float:
    """Distance of the points on either side of a step, x the share of the change that is made between them."""
    k = int(np.clip(np.searchsorted(s.step, step), 1, len(s.step) - 1))
    change = float(np.ptp(s.level[max(k - 3, 0) : k + 3]))
    share = abs(float(s.level[k] - s.level[k - 1])) / change if change > 0 else 1.0
    return float(s.step[k] - s.step[k - 1]) * share


def _whole(s: Segments, case: Case, low: float, high: float) -> tuple[Position, Position]:
    """An interval inside the run; in whole steps where these are counted."""
    if case.first == np.floor(case.first) and first_spacing(s.step) > 0.99:
        low, high = float(np.floor(low)), float(np.ceil(high))
    return max(low, case.first), min(high, case.last)
