"""Curves as characters, on the same columns as the timeline above them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from runopsy.model import Position, Values
from runopsy.report.document import Chart, Line, Scale

GLYPHS = ("·", "●", "○", "+", "x")  # one per curve, told apart without colour
CUT = "┊"


def column(scale: Scale, step: Position, width: int) -> int:
    """The column of a position, 0 to width - 1."""
    if scale.last <= scale.first:
        return 0
    share = (step - scale.first) / (scale.last - scale.first)
    if scale.log:
        full = np.log1p((scale.last - scale.first) / scale.origin)
        share = float(np.log1p(max(step - scale.first, 0.0) / scale.origin) / full)
    return int(np.clip(round(share * (width - 1)), 0, width - 1))


def draw(chart: Chart, width: int) -> list[list[tuple[str, int]]]:
    """Rows, top first, of (character, curve number; -1 for none)."""
    low, high = extent(chart)
    cells = [[(" ", -1)] * width for _ in range(chart.rows)]
    for cut in chart.cuts:
        at = column(chart.scale, cut, width)
        for row in cells:
            row[at] = (CUT, -1)
    for k, line in enumerate(chart.lines):
        for at, passed in _traces(chart, line, width, low, high):
            for i in passed:
                cells[i][at] = (GLYPHS[k % len(GLYPHS)], k)
    return cells


def extent(chart: Chart) -> tuple[float, float]:
    low = min(float(line.value.min()) for line in chart.lines)
    high = max(float(line.value.max()) for line in chart.lines)
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _traces(chart: Chart, line: Line, width: int, low: float, high: float) -> list[tuple[int, range]]:
    """Per column the rows that the curve passes; columns between two values are joined by a straight line."""
    at = np.array([column(chart.scale, s, width) for s in line.step])
    rows = (1 - np.array([_height(v, low, high, chart.log) for v in line.value])) * (chart.rows - 1)
    columns = np.arange(at[0], at[-1] + 1)
    middle = np.round(np.interp(columns, *_means(at, rows))).astype(int)
    top, bottom = middle.copy(), middle.copy()
    for c in np.unique(at):
        mine = np.round(rows[at == c]).astype(int)
        top[c - at[0]], bottom[c - at[0]] = mine.min(), mine.max()
    top[1:] = np.minimum(top[1:], np.maximum(middle[:-1] + 1, middle[1:]))  # leave no gap to the column before
    bottom[1:] = np.maximum(bottom[1:], np.minimum(middle[:-1] - 1, middle[1:]))
    return [(int(c), range(int(a), int(b) + 1)) for c, a, b in zip(columns, top, bottom, strict=True)]


def _means(at: NDArray[np.int64], rows: Values) -> tuple[NDArray[np.int64], Values]:
    """Each column that has values, with their mean."""
    columns, where = np.unique(at, return_inverse=True)
    return columns, np.bincount(where, rows) / np.bincount(where)


def _height(value: float, low: float, high: float, log: bool) -> float:
    if log:
        value, low, high = np.log(value), np.log(low), np.log(high)
    return float(np.clip((value - low) / (high - low), 0, 1))
