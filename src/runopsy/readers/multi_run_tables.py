"""Tables that hold more than one run: sweeps and repetitions, one below the other."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from runopsy.readers.number_columns import is_numbers
from runopsy.readers.resume_detection import DISORDER, STAYS
from runopsy.signals.names import words
from runopsy.stats import median

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    from runopsy.model import Counts, Values
    from runopsy.readers.numeric_text import Numbers, Table

# Columns of numbers (after ``axes.plain``) that name the run a row belongs to; text always may.
RUN_NAMES = ("run", "run_id", "run_name", "experiment", "experiment_id", "trial", "trial_id", "seed", "random_seed",
             "fold", "model", "config", "config_id")  # fmt: skip
# These change along one run.
ATTEMPT_NAMES = frozenset(("session", "attempt", "restart", "resume"))
ATTEMPTS = (*ATTEMPT_NAMES, "epoch", "epochs", "ep", "epoch_num", "current_epoch",
            "train_epoch", "date", "datetime", "time", "timestamp")  # fmt: skip
MANY = 3  # times over the same ground: fewer may be a run that was started anew
# Words of names: how large a model is, and what a text column compares.
SIZES = {"width", "widths", "neurons", "units", "hidden", "params", "parameters", "depth", "layers", "degree",
         "capacity", "channels", "heads", "dim"}  # fmt: skip
SIZED = {"model", "train", "training", "data", "dataset", "sample", "network"}
AMOUNTS = {"tokens", "samples", "examples", "images"}  # that a training has seen, or that a data set has
SUBJECTS = {"dataset", "data", "task", "benchmark", "model", "method", "arch", "architecture", "network", "backbone",
            "corpus", "language", "class", "label", "category", "algorithm", "classifier", "experiment",
            "id", "patient", "subject", "file", "filename", "image"}  # fmt: skip
NAMES = {"name", "config", "configuration", "setting", "variant", "fold"}  # likewise, where nothing counts steps
LAST, LONG = 3, 9  # values whose median is where a stretch ends, and how many it must have for them to be its end
ANEW = 0.5  # share of the stretches that begin at the first level of the one before, for them to be runs
SHARED = 0.5  # share of the steps of the shorter of two runs that the other has too; less is a resumed run


def column_of_runs(
    table: Table, numbers: Numbers, plain_names: dict[str, str], column: str, at: Values, series: Counts
) -> str | None:
    """The column whose values are several runs, which cannot be judged as one; None where there is but one run.

    Args:
        table: the columns.
        numbers: what of them are numbers; text may separate runs by any name.
        plain_names: what they are called, for comparison.
        column: the axis.
        at: what it holds in each row.
        series: the rows of one curve.
    """
    bounds = laps(at[series])
    for other, cells in table.items():
        if other == column or plain_names[other] in ATTEMPTS:
            continue
        names_runs = numbers[other] is None or plain_names[other] in RUN_NAMES
        if (names_runs and _share_steps(cells.gather(series), at[series])) or (
            len(bounds) > MANY and _separates(cells, series, bounds)
        ):
            return other
    return None


def no_training(table: Table, numbers: Numbers, *, counted: bool) -> str:
    """What the rows are, where each is another model or another data set; empty where they may be one training.

    Args:
        table: the columns.
        numbers: what of them are numbers.
        counted: whether a column counts steps, epochs or the like.
    """
    for name, column in table.items():
        values = numbers[name]
        if values is None:
            import polars as pl

            apart = column.dtype == pl.String and column.null_count() == 0 and column.n_unique() == len(column)
            if apart and len(column) >= MANY and set(words(name)) & (SUBJECTS if counted else SUBJECTS | NAMES):
                return f"each row is another {name!r}: rows of a comparison, and no steps of one training"
        elif not counted and _is_amount(name) and are_amounts(values.drop_nulls().to_numpy()):
            return f"{name!r} goes up and down: sizes of data sets, and no steps of one training"
        elif not counted and _is_size(name) and values.drop_nulls().n_unique() >= MANY:
            return f"the rows differ in {name!r}: a sweep over models, and no steps of one training"
    return ""


def are_amounts(at: Values) -> bool:
    """Whether numbers of tokens or samples fall too often to be counted along a training, or along several."""
    bounds = laps(at)
    falls = int((at[1:] < at[:-1]).sum())
    same = len(np.unique(at[bounds[:-1]])) == 1
    return falls > max(1, DISORDER * len(at)) and not (same and falls == len(bounds) - 2)


def is_disordered(at: Values) -> bool:
    """Whether positions fall too often for a few runs one after the other."""
    falls = int((at[1:] < at[:-1]).sum()) - (len(laps(at)) - 2)
    return falls > max(1, DISORDER * len(at)) and int((at[1:] > at[:-1]).sum()) > 0


def _is_amount(name: str) -> bool:
    """Whether a column counts data: tokens seen, and no rate such as tokens per second."""
    parts = set(words(name))
    return bool(parts & AMOUNTS) and parts <= AMOUNTS | {"num", "n", "total", "seen", "train", "count"}


def _is_size(name: str) -> bool:
    """Whether a column gives the size of the model or of its data set, which no training changes."""
    parts = set(words(name))
    return bool(parts & SIZES) or ("size" in parts and bool(parts & SIZED))


def laps(at: Values) -> Counts:
    """Row bounds of the stretches between returns to where the axis began; one stretch has two bounds."""
    known = np.flatnonzero(~np.isnan(at)) if (at[1:] < at[:-1]).any() or np.isnan(at).any() else at[:0]
    if not len(known):
        return np.array([0, len(at)])
    steps = at[known]
    back = np.flatnonzero((steps[1:] < steps[:-1]) & (steps[1:] <= steps[0])) + 1
    return np.concatenate([[0], known[back], [len(at)]])


def is_counter(at: Values, value: Values | None = None) -> bool:
    """Whether the axis runs ``MANY`` times or more from one start to one end, as a batch number in its epoch does.

    Where ``value``, the curve itself, is back at its first level as often as not, these are as many runs.
    """
    bounds = laps(at)
    if value is not None and len(bounds) > 2 and starts_anew(value, bounds).mean() >= ANEW:
        return False
    if len(bounds) <= MANY or np.diff(bounds)[:-1].min() < STAYS:
        return False
    tops = [np.nanmax(at[a:b]) for a, b in pairwise(bounds.tolist())]
    return all(top == tops[0] for top in tops[:-1])


def starts_anew(value: Values, bounds: Counts) -> NDArray[np.bool_]:
    """For each stretch but the first: whether the curve is back on the side where the stretch before it began."""
    found = []
    for a, b, c in zip(bounds[:-2], bounds[1:-1], bounds[2:], strict=True):
        first, after, before = first_level(value[a:b]), first_level(value[b:c]), last_level(value[a:b])
        found.append(first != before and (after - (first + before) / 2) * (first - before) > 0)
    return np.array(found, dtype=bool)


def first_level(value: Values) -> float:
    """Where a stretch begins: its first number."""
    there = value[np.isfinite(value)]
    return float(there[0]) if len(there) else float("nan")


def last_level(value: Values) -> float:
    """Where a stretch ends: its last number; of a long one the middle of three, as the last may be of what follows."""
    there = value[np.isfinite(value)]
    if len(there) < LONG:
        return first_level(there[::-1])
    return median(there[-LAST:])


def _separates(column: pl.Series, series: Counts, bounds: Counts) -> bool:
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

    if is_numbers(column):
        column = pl.Series(column.values)
    pairs = pl.DataFrame({"run": column.cast(pl.String, strict=False), "at": at}).drop_nulls().drop_nans("at").unique()
    counts = pairs["run"].value_counts()["count"].sort(descending=True)
    if len(counts) < 2 or pairs.height < STAYS * len(counts):  # text of its own in nearly every row names no run
        return False
    again = pairs.height - pairs["at"].n_unique()
    return bool(again > SHARED * counts[1])
