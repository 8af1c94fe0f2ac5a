"""The course of a signal over a run, and what is usual of it among runs of one kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from runopsy.model import Position, Signal, Values
from runopsy.stats import Floats

PARTS = 50  # of the run, by elapsed steps: each holds a fiftieth of the rows, the classic window of a run of 2 500
RUN = 2  # parts in a row that must lie outside: one wild part is no departure


@dataclass(frozen=True, slots=True, eq=False)
class Baseline:
    """What is usual of a signal, part by part of the run, and how far a run may stray."""

    mean: Floats  # (PARTS,) over the runs
    sd: Floats  # (PARTS,)
    limit: float  # standard deviations that no run of the kind strays from the others
    runs: int


def course(signal: Signal, first: Position, last: Position) -> Floats:
    """(PARTS,) mean of the signal in each part of the run; NaN where it has no row."""
    where = np.minimum((PARTS * (signal.step - first) / max(last - first, 1e-300)).astype(np.int64), PARTS - 1)
    count = np.bincount(where, minlength=PARTS)
    total = np.bincount(where, signal.value, minlength=PARTS)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def spread(courses: Sequence[Values], least: Floats) -> tuple[Floats, Floats]:
    """Mean and standard deviation over runs, part by part; the latter at least ``least``."""
    stacked = np.stack(courses)
    return stacked.mean(axis=0), np.maximum(stacked.std(axis=0, ddof=1), least)


def strayed(own: Values, mean: Floats, sd: Floats) -> tuple[float, int]:
    """How many standard deviations a course stays outside over ``RUN`` parts in a row, at most, and from which part.

    Parts of which one of them knows nothing are passed over.
    """
    known = np.flatnonzero(np.isfinite(own) & np.isfinite(mean) & np.isfinite(sd) & (sd > 0))
    if len(known) < RUN:
        return 0.0, 0
    z = (own[known] - mean[known]) / sd[known]
    windows = np.lib.stride_tricks.sliding_window_view(z, RUN)
    kept = np.maximum(windows.min(axis=1), -windows.max(axis=1))  # on one side, by the nearest of them
    at = int(np.argmax(kept))
    return max(float(kept[at]), 0.0), int(known[at])
