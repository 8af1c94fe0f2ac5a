"""Tables that hold more than one run: sweeps and repetitions, one below the other."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from runopsy.readers.resume_detection import STAYS

if TYPE_CHECKING:
    import polars as pl

    from runopsy.model import Counts, Values
    from runopsy.readers.numeric_text import Numbers, Table

# Columns of numbers (after ``axes.plain``) that say which run a row belongs to; text always may.
RUN_NAMES = ("run", "run_id", "run_name", "experiment", "experiment_id", "trial", "trial_id", "seed", "random_seed",
             "fold", "model", "config", "config_id")  # fmt: skip
# These change along one run.
ATTEMPTS = ("session", "attempt", "restart", "resume", "epoch", "epochs", "ep", "epoch_num", "current_epoch",
            "train_epoch", "date", "datetime", "time", "timestamp")  # fmt: skip
MANY = 3  # times over the same ground: fewer may be a run that was started anew
SHARED = 0.5  # share of the steps of the shorter of two runs that the other has too; less is a resumed run


def told_apart_by(
    table: Table, numbers: Numbers, plain_names: dict[str, str], column: str, at: Values, series: Counts
) -> str | None:
    """The column whose values are several runs, which cannot be judged as one; None where there is but one run.

    Args:
        table: the columns.
        numbers: what of them are numbers; text may tell runs apart by any name.
        plain_names: what they are called, for comparison.
        column: the axis.
        at: what it says in each row.
        series: the rows of one curve.
    """
    bounds = laps(at[series])
    for other, cells in table.items():
        if other == column or plain_names[other] in ATTEMPTS:
            continue
        says = numbers[other] is None or plain_names[other] in RUN_NAMES
        if (says and _share_steps(cells.gather(series), at[series])) or (
            len(bounds) > MANY and _tells_apart(cells, series, bounds)
        ):
            return other
    return None


def laps(at: Values) -> Counts:
    """Row bounds of the stretches between returns to where the axis began; one stretch has two bounds."""
    said = np.flatnonzero(~np.isnan(at)) if (at[1:] < at[:-1]).any() or np.isnan(at).any() else at[:0]
    if not len(said):
        return np.array([0, len(at)])
    steps = at[said]
    back = np.flatnonzero((steps[1:] < steps[:-1]) & (steps[1:] <= steps[0])) + 1
    return np.concatenate([[0], said[back], [len(at)]])


def is_counter(at: Values) -> bool:
    """Whether the axis runs ``MANY`` times or more from one start to one end, as a batch number in its epoch does."""
    bounds = laps(at)
    if len(bounds) <= MANY or np.diff(bounds)[:-1].min() < STAYS:
        return False
    tops = [np.nanmax(at[a:b]) for a, b in pairwise(bounds.tolist())]
    return all(top == tops[0] for top in tops[:-1])


def _tells_apart(column: pl.Series, series: Counts, bounds: Counts) -> bool:
    """Whether every stretch has one value of the column, and each another."""
    if np.diff(bounds)[:-1].min() < STAYS:
        return False
    seen = {None}
    for a, b in pairwise(bounds.tolist()):
        value = column[int(series[a])]
        if value in seen or column.gather(series[a:b]).n_unique() > 1:
            return False
        seen.add(value)
    return True


def _share_steps(column: pl.Series, at: Values) -> bool:
    """Whether two of the column's values have most of their steps in common."""
    import polars as pl

    pairs = pl.DataFrame({"run": column.cast(pl.String, strict=False), "at": at}).drop_nulls().drop_nans("at").unique()
    counts = pairs["run"].value_counts()["count"].sort(descending=True)
    if len(counts) < 2 or pairs.height < STAYS * len(counts):  # text of its own in nearly every row names no run
        return False
    again = pairs.height - pairs["at"].n_unique()
    return bool(again > SHARED * counts[1])
