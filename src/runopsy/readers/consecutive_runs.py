"""One training after another in the rows of a table: where each begins and ends."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np

from runopsy.readers.multi_run_tables import ATTEMPT_NAMES, is_disordered, starts_anew
from runopsy.stats import median

if TYPE_CHECKING:
    from runopsy.model import Counts, Values
    from runopsy.readers.numeric_text import Numbers

NEAR = 0.01  # share of the whole axis within which a return is one to its start
WHOLE = 2  # different positions that a run has at least
BROKEN = 0.02  # share of the longest run's rows below which a run broke off at once, and was started again


def parts(
    counts: str,
    at: Values,
    series: Counts,
    curve: Values,
    column: str,
    plain_names: dict[str, str],
    numbers: Numbers,
    epoch_names: Collection[str],
) -> tuple[tuple[int, int], ...]:
    """The rows of each run, where one training follows another; none where there is but one."""
    known = series[~np.isnan(at[series])]
    if counts == "time" or set(plain_names.values()) & ATTEMPT_NAMES or not (at[known][1:] < at[known][:-1]).any():
        return ()
    bounds = runs_in(at[known], curve[known])
    bounds = _not_within_epochs(bounds, known, column, plain_names, numbers, epoch_names)
    if bounds == [(0, len(known))]:
        return ()
    begins = [_begin(at, known, a) for a, _ in bounds]
    ends = [_begin(at, known, b) if b < len(known) else len(at) for _, b in bounds]
    return tuple(zip(begins, ends, strict=True))


def _not_within_epochs(
    bounds: list[tuple[int, int]],
    known: Counts,
    column: str,
    plain_names: dict[str, str],
    numbers: Numbers,
    epoch_names: Collection[str],
) -> list[tuple[int, int]]:
    """Without the bounds over which an epoch goes on: there a counter of batches starts again, and no run."""
    for name, word in plain_names.items():
        epochs = numbers[name]
        if word not in epoch_names or name == column or epochs is None or not epochs.count():
            continue
        epoch = epochs.forward_fill().backward_fill().to_numpy()[known]
        kept: list[tuple[int, int]] = []
        for a, b in bounds:
            if kept and epoch[a] > epoch[a - 1]:
                kept[-1] = (kept[-1][0], b)
            else:
                kept.append((a, b))
        return kept
    return bounds


def _begin(at: Values, known: Counts, i: int) -> int:
    """The first row of a run whose curve begins at ``known[i]``: other curves may begin before it."""
    if i == 0:
        return 0
    between = np.arange(int(known[i - 1]) + 1, int(known[i]) + 1)
    back = between[at[between] < at[known[i - 1]]]
    return int(back[0]) if len(back) else int(known[i])


def runs_in(at: Values, value: Values) -> list[tuple[int, int]]:
    """Where one training follows another in the rows of a curve: the bounds of each; one pair where there is but one.

    A new run begins where the axis is back at its first value, and the curve at its first level, or the axis at the
    very beginning of a training. What goes on from a later position is a resume, and what goes on from the same
    level may be one. Starts that broke off at once are none.
    """
    bounds = _returns(at)
    if len(bounds) < 3 or np.isnan(at).any() or is_disordered(at):
        return [(0, len(at))]
    anew = starts_anew(value, bounds)
    early = at[bounds[1:-1]] <= max(1.0, _spacing(at[: bounds[1]]))
    begins = [0, *(int(b) for b, new, start in zip(bounds[1:-1], anew, early, strict=True) if new or start)]
    runs = [(a, b) for a, b in zip(begins, [*begins[1:], len(at)], strict=True)]
    longest = max(b - a for a, b in runs)
    whole = [run for run in runs if len(np.unique(at[run[0] : run[1]])) >= max(WHOLE, BROKEN * longest)]
    return whole or runs[-1:]


def _returns(at: Values) -> Counts:
    """Row bounds of the stretches between returns to about where the axis began; other batches begin near it."""
    falls = np.flatnonzero(at[1:] < at[:-1]) + 1
    if not len(falls):
        return np.array([0, len(at)])
    near = at[0] + max(_spacing(at[: falls[0]]), NEAR * (at.max() - at[0]))
    return np.concatenate([[0], falls[at[falls] <= near], [len(at)]])


def _spacing(at: Values) -> float:
    return median(np.diff(at)) if len(at) > 1 else 1.0
