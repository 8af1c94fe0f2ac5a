"""Where things lie on a drawing, whatever draws it: shares of a width and of a height, ticks, fewer points."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from runopsy.model import Position, Positions, Values
from runopsy.report.document import Chart, Line, Scale

STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)  # the distances between ticks that people read without effort, times a power of ten

AIR = 0.04  # of the height


def across(scale: Scale, at: ArrayLike) -> Values:
    """Positions as shares of the width, 0 at the first and 1 at the last; what lies outside is put on the edge."""
    length = scale.last - scale.first
    elapsed = np.clip(np.asarray(at, dtype=np.float64) - scale.first, 0.0, max(length, 0.0))
    if length <= 0:
        return np.zeros_like(elapsed)
    if scale.log:
        return np.asarray(np.log1p(elapsed / scale.origin) / np.log1p(length / scale.origin))
    return np.asarray(elapsed / length)


def extent(chart: Chart, *, rows: bool = False) -> tuple[float, float]:
    """The least and the largest value of all curves; with ``rows``, of the rows behind them too."""
    values = [_values(line, rows=rows) for line in chart.lines]
    low, high = min(float(v.min()) for v in values), max(float(v.max()) for v in values)
    if chart.log and low <= 0:  # a row may be zero where every fitted value is positive
        low = min(float(v[v > 0].min()) for v in values if (v > 0).any())
    if chart.ceiling is not None and low < chart.ceiling:
        high = min(high, chart.ceiling)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _values(line: Line, *, rows: bool) -> Values:
    return np.concatenate([line.value, line.rows[1]]) if rows and line.rows is not None else line.value


def up(values: ArrayLike, low: float, high: float, *, log: bool) -> Values:
    """Values as shares of the height, 0 at the bottom; what lies outside is put on the edge."""
    value = np.clip(np.asarray(values, dtype=np.float64), low, high)
    if log:
        value, low, high = np.log(value), float(np.log(low)), float(np.log(high))
    return np.asarray((value - low) / (high - low))


def drawn(shares: Values) -> Values:
    """Shares of the height of a drawing, from the top, with air above and below: an edge would hide a flat curve."""
    return np.asarray(1 - AIR - (1 - 2 * AIR) * shares)


def ticks(low: float, high: float, most: int) -> list[float]:
    """At most ``most`` round numbers from low to high, evenly spaced."""
    if not high > low:
        return [low]
    size = 10.0 ** np.floor(np.log10((high - low) / most))
    step = next(s for s in (size * k for k in (*STEPS, 20.0, 50.0)) if (high - low) / s <= most)
    return [float(i * step) for i in range(int(np.ceil(low / step - 1e-9)), int(np.floor(high / step + 1e-9)) + 1)]


def decades(low: float, high: float, most: int) -> list[float]:
    """At most ``most`` powers of ten from low to high; round numbers where fewer than two powers lie between."""
    first, last = int(np.ceil(np.log10(low) - 1e-9)), int(np.floor(np.log10(high) + 1e-9))
    if last - first < 1:
        return ticks(low, high, most)
    stride = max(1, -(-(last - first + 1) // most))
    return [10.0**k for k in range(first, last + 1, stride)]


def places(scale: Scale, most: int) -> list[Position]:
    """Ticks of the axis: round numbers, at a distance of at least 1 / ``most`` of the width."""
    if not scale.log:
        return ticks(scale.first, scale.last, most)
    largest = np.log10(max(abs(scale.first), abs(scale.last), scale.origin))
    smallest = np.floor(np.log10(scale.origin))
    powers = 10.0 ** np.arange(smallest, np.floor(largest) + 1)
    whole = [scale.first, *powers, *(3 * powers), *(2 * powers), *(5 * powers)]  # the most useful first
    chosen: list[Position] = []
    for at in whole:
        if scale.first <= at <= scale.last and _apart(scale, at, chosen) >= 1 / most:
            chosen.append(float(at))
    return sorted(chosen)


def _apart(scale: Scale, at: Position, others: list[Position]) -> float:
    """The distance to the nearest of the others, as a share of the width."""
    return float(np.abs(across(scale, others) - across(scale, at)).min()) if others else 1.0


def thinned(scale: Scale, step: Positions, value: Values, buckets: int) -> NDArray[np.int64]:
    """Indices of at most ``2 * buckets + 2`` points that draw the same picture: each bucket's least and largest.

    Buckets are equal parts of the width. The first and the last point are kept.
    """
    if len(step) <= 2 * buckets:
        return np.arange(len(step))
    bucket = np.minimum((across(scale, step) * buckets).astype(np.int64), buckets - 1)
    starts = np.flatnonzero(np.diff(bucket, prepend=-1))  # positions rise, so that buckets do too
    part = np.repeat(np.arange(len(starts)), np.diff(starts, append=len(step)))
    least, largest = np.minimum.reduceat(value, starts), np.maximum.reduceat(value, starts)
    kept = [np.array([0, len(step) - 1])]
    for extreme in (least, largest):
        hits = np.flatnonzero(value == extreme[part])
        kept.append(hits[np.flatnonzero(np.diff(part[hits], prepend=-1))])  # the first in each bucket
    return np.unique(np.concatenate(kept))


def stacked(spans: Iterable[tuple[float, float]], gap: float, most: int) -> list[int]:
    """The row of each label, given where it starts and ends: the first in which it meets no other.

    -1 where there are ``most`` rows and it meets a label in each.
    """
    ends: list[float] = []  # per row, where its last label ends
    rows = []
    for start, end in spans:
        row = next((i for i, taken in enumerate(ends) if taken + gap <= start), len(ends))
        if row < most:
            ends[row : row + 1] = [end]
        rows.append(row if row < most else -1)
    return rows
