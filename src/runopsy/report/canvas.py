"""Curves as characters, on the same columns as the timeline above them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from runopsy.model import Position, Values
from runopsy.report.document import Chart, Line, Scale
from runopsy.report.geometry import across, extent, up
from runopsy.stats import distinct

GLYPHS = ("·", "●", "○", "+", "x")  # one per curve, distinct without colour
CUT = "┊"


def column(scale: Scale, at: Position, width: int) -> int:
    """The column of a position, 0 to width - 1."""
    return int(np.round(across(scale, at) * (width - 1)))


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


def _traces(chart: Chart, line: Line, width: int, low: float, high: float) -> list[tuple[int, range]]:
    """Per column the rows that the curve passes; columns between two values are joined by a straight line."""
    at = np.round(across(chart.scale, line.step) * (width - 1)).astype(np.int64)
    rows = (1 - up(line.value, low, high, log=chart.log)) * (chart.rows - 1)
    columns = np.arange(at[0], at[-1] + 1)
    middle = np.round(np.interp(columns, *_means(at, rows))).astype(int)
    top, bottom = middle.copy(), middle.copy()
    for c in distinct(at):
        mine = np.round(rows[at == c]).astype(int)
        top[c - at[0]], bottom[c - at[0]] = mine.min(), mine.max()
    top[1:] = np.minimum(top[1:], np.maximum(middle[:-1] + 1, middle[1:]))  # leave no gap to the column before
    bottom[1:] = np.maximum(bottom[1:], np.minimum(middle[:-1] - 1, middle[1:]))
    return [(int(c), range(int(a), int(b) + 1)) for c, a, b in zip(columns, top, bottom, strict=True)]


def _means(at: NDArray[np.int64], rows: Values) -> tuple[NDArray[np.int64], Values]:
    """Each column that has values, with their mean."""
    columns, where = np.unique(at, return_inverse=True)
    return columns, np.bincount(where, rows) / np.bincount(where)
