"""One training after another in the rows of a table: where each begins and ends."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from runopsy.readers.multi_run_tables import ATTEMPT_NAMES, first_level, is_disordered, last_level, starts_anew
from runopsy.stats import median

if TYPE_CHECKING:
    import polars as pl

    from runopsy.model import Counts, Values
    from runopsy.readers.numeric_text import Numbers

NEAR = 0.01  # share of the whole axis within which a return is one to its start
EARLY = 0.1  # share of the whole axis within which a return is one to its start, if the curve is at its first level
AT_LEVEL = 0.1  # share of the way that a curve went, within which a value is at a level
AT_FIRST = 2  # values of a stretch that must be at the level, for a curve to go on there
FEWEST = 3  # rows before a return, for the curve to have an end
WHOLE = 2  # different positions that a run has at least
BROKEN = 0.02  # share of the longest run's positions below which a run broke off at once, and was started again


@dataclass(frozen=True, slots=True)
class Logged:
    """One curve of a table: the rows in which it has a value, and its value in every row of the table."""

    rows: Counts  # (k,) indices, ascending
    value: Values  # (n,) NaN where there is none


def parts(
    counts: str,
    at: Values,
    curves: list[Logged],
    column: str,
    plain_names: dict[str, str],
    numbers: Numbers,
    epoch_names: Collection[str],
) -> tuple[tuple[int, int], ...]:
    """The rows of each run, where one training follows another; none where there is but one.

    Each curve is asked, as the longest may have been logged in one of the runs alone: where one of them begins anew,
    and the axis is back at its start, a run begins.
    """
    if counts == "time" or set(plain_names.values()) & ATTEMPT_NAMES:
        return ()
    first = _latest_start(at)
    ends: dict[int, int] = {}  # of the run before, by the row at which a run begins
    for curve in curves:
        known = curve.rows[~np.isnan(at[curve.rows])]
        if not (at[known][1:] < at[known][:-1]).any():
            continue
        bounds = _not_within_epochs(
            _stretches(at[known], curve.value[known]), known, column, plain_names, numbers, epoch_names
        )
        for (_, end), (start, _) in pairwise(bounds):
            row = _begin(at, known, start)
            if curve is curves[0] or at[row] <= first:
                ends[row] = min(ends.get(row, row), _begin(at, known, end))
    begins = sorted(ends)
    runs = [*zip([0, *begins], [*(ends[b] for b in begins), len(at)], strict=True)]
    return () if len(runs) == 1 else tuple(_long_enough(at, runs))


def _latest_start(at: Values) -> float:
    """The last position at which a training may begin."""
    known = at[~np.isnan(at)]
    spacing = np.diff(known)
    apart = median(spacing[spacing > 0]) if (spacing > 0).any() else 0.0
    return max(1.0, float(known[0] + max(apart, NEAR * (known.max() - known[0]))))


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


def _stretches(at: Values, value: Values) -> list[tuple[int, int]]:
    """Where one training follows another in the rows of a curve: the bounds of each; one pair where there is but one.

    A new run begins where the axis is back at its first value, and the curve at its first level, or the axis at the
    very beginning of a training; and where the axis is back at an early value, and the curve at the first level of the
    log. What goes on from a later position is a resume, and what goes on from the same level may be one.
    """
    bounds = _returns(at, value)
    if len(bounds) < 3 or np.isnan(at).any() or is_disordered(at):
        return [(0, len(at))]
    anew = starts_anew(value, bounds)
    early = at[bounds[1:-1]] <= max(1.0, _spacing(at[: bounds[1]]))
    begins = [0, *(int(b) for b, new, start in zip(bounds[1:-1], anew, early, strict=True) if new or start)]
    runs = zip(begins, [*begins[1:], len(at)], strict=True)
    return [(a, b if b == len(at) else _end(at, value, a, b)) for a, b in runs]


def _long_enough(at: Values, runs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The runs but those that broke off at once and were started again; the last where all of them did."""
    positions = [len(np.unique(at[a:b][~np.isnan(at[a:b])])) for a, b in runs]
    fewest = max(WHOLE, BROKEN * max(positions))
    kept = [run for run, count in zip(runs, positions, strict=True) if count >= fewest]
    return kept or runs[-1:]


def counted_on(at: Values, curves: list[Logged], settings: list[pl.Series]) -> Values:
    """The axis with its counts going on where it is back at its start and every curve goes on at its level.

    There the same model was trained further, as by a second call of ``fit``, which counts its epochs anew. Where a
    setting changes with it, another run begins.

    Args:
        at: (n,) the position of each row of the table.
        curves: the longest first: where the axis is back at its start along it, all are asked.
        settings: columns that are neither a metric nor a count.
    """
    known = curves[0].rows[~np.isnan(at[curves[0].rows])]
    counts, value, made = at[known], curves[0].value[known], at.copy()
    if not (counts[1:] < counts[:-1]).any() or is_disordered(counts):
        return at
    began, offset = 0, 0.0
    bounds = _returns(counts, value).tolist()
    for a, b, c in zip(bounds, bounds[1:-1], bounds[2:], strict=False):
        end = known[b - 1] + 1
        run, before, after = slice(known[began], end), slice(known[a], end), slice(known[b], known[c - 1] + 1)
        one = _is_early(counts, a, b) and not any(_is_set_anew(column, before, after) for column in settings)
        if b - a >= FEWEST and one and all(_goes_on(curve, run, before, after) for curve in curves):
            offset += counts[b - 1] + _spacing(counts[a:b]) - counts[b]
        else:
            began, offset = b, 0.0
        row = _begin(at, known, b)
        made[row:] = at[row:] + offset
    return made


def _goes_on(curve: Logged, run: slice, before: slice, after: slice) -> bool:
    """Whether a curve goes on where its stretch ended, far from where it began, or there on its way.

    A curve without values on both sides is no witness. A step beyond the end is one of those that led to it.
    """
    value, ended, again = curve.value[run], curve.value[before], curve.value[after]
    ended, again = ended[np.isfinite(ended)], again[np.isfinite(again)][:AT_FIRST]
    if len(ended) < FEWEST or not len(again):
        return True
    first, end = first_level(value), last_level(ended)
    back = (again - end) * np.sign(first - end)  # towards the start
    step = float(np.abs(np.diff(ended))[-FEWEST:].max())
    near = np.abs(again - end) < AT_LEVEL * abs(first - end)  # another run may begin there by chance, and leaves it
    beyond = (back < 0) & (back >= -step * np.arange(1, len(again) + 1))
    return bool((near | beyond).all())


def _is_set_anew(column: pl.Series, before: slice, after: slice) -> bool:
    """Whether a column has one value before and another one after."""
    one, other = column[before].drop_nulls(), column[after].drop_nulls()
    return one.n_unique() == 1 == other.n_unique() and bool(one[0] != other[0])


def _returns(at: Values, value: Values) -> Counts:
    """Row bounds of the stretches between returns to about where the axis began; other batches begin near it.

    Where the curve is back at the first level of the log, what is early in the run is near enough.
    """
    falls = np.flatnonzero(at[1:] < at[:-1]) + 1
    if not len(falls):
        return np.array([0, len(at)])
    span = at.max() - at[0]
    near = at[falls] <= at[0] + max(_spacing(at[: falls[0]]), NEAR * span)
    early = at[falls] <= at[0] + EARLY * span
    ends = [last_level(value[a:b]) for a, b in zip([0, *falls[:-1]], falls, strict=True)]
    first = first_level(value)
    anew = [abs(value[b] - first) < AT_LEVEL * abs(first - end) for b, end in zip(falls, ends, strict=True)]
    return np.concatenate([[0], falls[near | (early & np.array(anew))], [len(at)]])


def _is_early(at: Values, a: int, b: int) -> bool:
    """Whether the axis at ``b`` is at the very beginning of a training."""
    return bool(at[b] <= max(1.0, _spacing(at[a:b])))


def _end(at: Values, value: Values, a: int, b: int) -> int:
    """The end of a run before the one that begins at ``b``, whose first row may still have the position above it."""
    if b - a < FEWEST or at[b - 1] != at[b - 2]:
        return b
    return b - 1 if abs(value[b - 1] - value[b]) < AT_LEVEL * abs(value[b - 2] - value[b]) else b


def _spacing(at: Values) -> float:
    return median(np.diff(at)) if len(at) > 1 else 1.0
