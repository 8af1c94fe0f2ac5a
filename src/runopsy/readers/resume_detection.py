"""Which attempt each row belongs to: a run that is resumed goes through steps again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from runopsy.model import Counts, Values

STAYS = 3  # different steps in a row that were seen before: a resume; one or two are rows written late
DISORDER = 0.05  # share of falling rows above which the rows are in no order (a sorted or shuffled export)
FEW = 3  # falls that are no disorder, however short the log


def restarts(at: Values) -> Counts:
    """The rows with which a new attempt begins.

    There the axis falls, and at least ``STAYS`` different steps follow that rise and do not go beyond
    the highest one before; and what follows up to that height was at least in part logged before, for rows that
    fill a hole are only out of order. Rows in no order at all are one attempt.
    """
    if not (at[1:] < at[:-1]).any():  # nearly always, and nothing need be held for it
        return np.zeros(0, dtype=np.int64)
    change = np.flatnonzero(np.append(True, at[1:] != at[:-1])) if len(at) else np.zeros(0, dtype=np.int64)
    steps = at[change]  # rows that share a step count as one
    falls = np.flatnonzero(steps[1:] < steps[:-1]) + 1
    if not len(falls) or len(falls) > max(FEW, DISORDER * len(steps)):
        return np.zeros(0, dtype=np.int64)
    tops = np.maximum.accumulate(steps)
    ends = np.append(falls[1:], len(steps))
    begins = [f for f, end in zip(falls, ends, strict=True) if _goes_over(steps, tops, int(f), int(end))]
    return change[np.array(begins, dtype=np.int64)]


def _goes_over(steps: Values, tops: Values, fall: int, end: int) -> bool:
    """Whether the rising steps from ``fall`` up to ``end`` go over ground that was covered before."""
    top = tops[fall - 1]
    again = steps[fall:end][: int(np.searchsorted(steps[fall:end], top, side="right"))]
    if len(again) < STAYS:
        return False
    before = steps[:fall]
    return bool(((before >= again[0]) & (before <= again[-1])).any())


def sessions(at: Values) -> Counts | None:
    """The number of the attempt of each row, from 0; None where there is but one."""
    begins = restarts(at)
    return _numbered(len(at), begins) if len(begins) else None


def common_sessions(at: Values, columns: Iterable[Counts]) -> Counts | None:
    """The number of the attempt of each row of a table whose columns are filled in different rows.

    Only a column that goes through its own steps again shows a resume: validation rows that follow all
    training rows do not. The attempt begins where the table fell back last before that column did so.

    Args:
        at: where each row stands; no NaN.
        columns: for every column, the rows in which it has a value.
    """
    if not (at[1:] < at[:-1]).any():
        return None
    spans: set[tuple[int, int]] = set()
    for rows in {column.tobytes(): column for column in columns}.values():
        for begin in restarts(at[rows]).tolist():
            spans.add((int(rows[begin - 1]), int(rows[begin])))
    falls = np.flatnonzero(at[1:] < at[:-1]) + 1
    begins: list[int] = []
    for before, row in sorted(spans, key=lambda span: span[1]):
        if not begins or before >= begins[-1]:
            between = falls[(falls > before) & (falls <= row)]
            begins.append(int(between[-1]) if len(between) else row)
    return _numbered(len(at), np.array(begins, dtype=np.int64)) if begins else None


def _numbered(rows: int, begins: Counts) -> Counts:
    number = np.zeros(rows, dtype=np.int64)
    number[begins] = 1
    return np.cumsum(number)
