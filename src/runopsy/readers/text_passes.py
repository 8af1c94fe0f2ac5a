"""Passes over validation batches as one reading, and places within an epoch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    from runopsy.model import Counts, Values

CROWDED = 1 / 3  # share of readings that stand at the epoch of the one before: it was logged more finely than that
IN_BAR = " (bar)"  # is added to the name of a reading in a bar that is another than the one below it
BAR = r"%\||\[[=>]|\dit \["


def passes(pairs: pl.DataFrame, rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The readings along one pass over validation batches as one, at its last line: its mean, or its summary."""
    import polars as pl

    meters = pairs.filter(pl.col("mean").is_not_null())["row"].implode()  # Loss 1.92 (2.03), of a batch and of them all
    metered = rows["side"].is_in(["val", "test"]) & rows["metric"]
    metered &= rows["count"].is_not_null() | rows["row"].is_in(meters)
    if not metered.any():
        return pairs, rows
    number = _passes(rows, metered.to_numpy())
    rows = rows.with_columns(pl.Series("pass", number))
    inside = rows.filter(pl.col("pass") >= 0).select(
        "row", "pass", pl.col("row").max().over("pass").alias("last"),
        (pl.col("count").is_null()).alias("summary"), pl.col("line").str.contains(BAR).alias("bar"),
    )  # fmt: skip
    pairs = pairs.join(inside.drop("pass"), on="row", how="left", maintain_order="left")
    mine = pairs.filter(pl.col("last").is_not_null() & ~pl.col("kind").is_in(["batch", "step", "epoch"]))
    value = pl.when(pl.col("mean").is_not_null() & pl.col("of").is_null()).then("mean").otherwise("value")
    exact = pl.col("summary") | pl.col("bar") | pl.col("mean").is_not_null()
    one = mine.with_columns(value.alias("value"), exact.alias("exact")).group_by(
        "last", "column", maintain_order=True
    ).agg(
        pl.when(pl.col("exact").any()).then(pl.col("value").filter("exact").last()).otherwise(pl.col("value").mean()),
        pl.col("kind").first(), pl.col("side").first(),
    ).rename({"last": "row"})  # fmt: skip
    rest = pairs.filter(pl.col("last").is_null()).drop("last", "summary", "bar")
    joined = pl.concat([rest, one.select("row", "column", "kind", "side", "value")], how="diagonal")
    ends = rows.filter((pl.col("pass") < 0) | (pl.col("row") == pl.col("row").max().over("pass")))
    ends = ends.with_columns(
        pl.when(pl.col("pass") >= 0).then(None).otherwise("count").alias("count"),
        pl.when(pl.col("pass") >= 0).then(None).otherwise("total").alias("total"),
    )
    return joined.sort("row", maintain_order=True), ends.drop("pass")


def _passes(rows: pl.DataFrame, metered: NDArray[np.bool_]) -> Counts:
    """The number of the pass of each reading; -1 where it is of none."""
    sides, counts = rows["side"].to_list(), rows["count"].to_list()
    placed, epochs = rows["placed"].to_list(), rows["in_epoch"].to_list()
    number = np.full(len(sides), -1, dtype=np.int64)
    current, high = -1, -np.inf
    for i, side in enumerate(sides):
        goes_on = current >= 0 and i > 0 and number[i - 1] >= 0 and side == sides[i - 1] and epochs[i] == epochs[i - 1]
        counted = counts[i] is not None
        if metered[i] and (counted or not goes_on or high == -np.inf):
            count = counts[i] if counted else -np.inf  # a meter that counts nothing is shown once a pass
            if not goes_on or count < high or (counts[i - 1] is None and count == high):
                current += 1
            number[i], high = current, count
        elif goes_on and not placed[i]:
            number[i] = current
    return number


def updated(pairs: pl.DataFrame, rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Without the values that a bar only shows again: those of the epoch before, until its own are known at its end.

    Lightning does so with whatever is logged once per epoch: such a metric changes in full bars alone.
    """
    import polars as pl

    if rows["total"].null_count() == rows.height:
        return pairs, rows
    bars = rows.filter(
        pl.col("metric") & pl.col("total").is_not_null() & pl.col("in_epoch").is_not_null()
        & pl.col("line").str.contains(BAR)
    ).select("row", (pl.col("count") >= pl.col("total")).alias("full"))  # fmt: skip
    if not bars.height or bars["full"].all():
        return pairs, rows
    shown = pairs.filter(pl.col("kind") == "metric").join(bars, on="row", how="inner", maintain_order="left")
    changed = (pl.col("value") != pl.col("value").shift(1)).over("column").fill_null(value=False)
    columns = shown.with_columns(changed.alias("changed")).group_by("column").agg(
        ((pl.col("changed") & ~pl.col("full")).any()).alias("within"), (pl.col("changed") & pl.col("full")).any()
    )  # fmt: skip
    late = columns.filter(~pl.col("within") & pl.col("changed"))["column"].implode()
    again = shown.filter(~pl.col("full") & pl.col("column").is_in(late)).select("row", "column")
    if not again.height:
        return pairs, rows
    pairs = pairs.join(again, on=["row", "column"], how="anti", maintain_order="left")
    left = pairs.filter(pl.col("kind") == "metric")["row"].implode()
    gone = again.filter(~pl.col("row").is_in(left))["row"].unique().implode()
    return pairs.filter(~pl.col("row").is_in(gone)), rows.filter(~pl.col("row").is_in(gone))


def drawn_again(pairs: pl.DataFrame, rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Without a full bar that is drawn full once more in its epoch, with all that it held and the validation beside it.

    Keras does so where a callback prints between the last batch and the end of the epoch.
    """
    import polars as pl

    bars = rows.filter(pl.col("count").is_not_null() & pl.col("metric") & pl.col("in_epoch").is_not_null())
    where = bars.select("row", "in_epoch", "count", "total").with_columns(
        pl.col("row", "in_epoch", "count", "total").shift(-1).name.prefix("next_")
    )
    twice = where.filter(
        (pl.col("count") == pl.col("total")) & (pl.col("next_count") == pl.col("total"))
        & (pl.col("in_epoch") == pl.col("next_in_epoch")) & (pl.col("total") == pl.col("next_total"))
    )  # fmt: skip
    if not twice.height:
        return pairs, rows
    metrics = pairs.filter(pl.col("kind") == "metric").select("row", "column").unique()
    lost = (
        twice.select("row", "next_row")
        .join(metrics, on="row")
        .join(metrics, left_on=["next_row", "column"], right_on=["row", "column"], how="anti")["row"]
    )
    gone = twice.filter(~pl.col("row").is_in(lost.implode()))["row"].implode()
    return pairs.filter(~pl.col("row").is_in(gone)), rows.filter(~pl.col("row").is_in(gone))


def within_epochs(rows: pl.DataFrame) -> tuple[Values | None, Values | None]:
    """(the epoch of each reading, with what of it was done; the step, counted over all epochs): one of them, or none.

    Where lines count batches within their epoch and others count whole epochs, all stand on the axis of epochs:
    the batch 100 of 400 of the third epoch at 2.25, what was read at its end at 3. Where all lines count batches,
    the epochs are placed one after the other.
    """
    epoch = rows["in_epoch"].to_numpy().astype(np.float64)
    count, total = (rows[name].to_numpy().astype(np.float64) for name in ("count", "total"))
    metric = rows["metric"].to_numpy() | rows["known"].to_numpy()
    _carry_on(rows, epoch, count, total)
    inner = ~np.isnan(epoch) & ~np.isnan(count) & (total > 0) & metric
    whole = ~np.isnan(epoch) & np.isnan(count) & rows["metric"].to_numpy()
    if inner.sum() < 2 or not _starts_again(epoch[inner], count[inner]):
        return None, None
    first = np.nanmin(epoch)
    if (count[inner] == total[inner]).all():  # bars that are done: a line for each epoch
        return epoch, None
    if (epoch[inner] != np.round(epoch[inner])).any():
        return None, None
    if not whole.any():
        length = float(np.median(total[inner]))
        if (total[inner] != length).any():
            length = float(total[inner].max())
        return None, np.where(inner, (epoch - first) * length + count, np.nan)
    done = np.where(inner, count / np.where(inner, total, 1.0), np.nan)
    if first >= 1:  # epochs are counted from 1: at its end, epoch 3 has the number 3
        return np.where(inner, epoch - 1 + np.minimum(done, 1.0), epoch), None
    at = np.where(inner, epoch + np.minimum(done, 1.0), epoch)
    top = -np.inf
    for i in range(len(at)):  # what is read at the end of epoch 0 is read after its batches
        if inner[i]:
            top = at[i] if np.floor(top) != epoch[i] else max(top, at[i])
        elif whole[i] and epoch[i] <= top <= epoch[i] + 1:
            at[i] = top
    return at, None


def _carry_on(rows: pl.DataFrame, epoch: Values, count: Values, total: Values) -> None:
    """A line that gives no position at all, and is of no other side, stands where the line above it stands."""
    placed, side = rows["placed"].to_list(), rows["side"].to_list()
    for i in np.flatnonzero(~rows["placed"].to_numpy()).tolist():
        if i and not placed[i] and side[i] == side[i - 1] and epoch[i] == epoch[i - 1]:
            count[i], total[i] = count[i - 1], total[i - 1]


def _starts_again(epoch: Values, count: Values) -> bool:
    """Whether the count falls, or stands at its one value, wherever the epoch rises."""
    rises = np.flatnonzero(epoch[1:] > epoch[:-1])
    if not len(rises):
        return False
    return bool(np.mean(count[rises + 1] <= count[rises]) > 0.5)


def spread(epoch: Values, main: NDArray[np.bool_]) -> Values | None:
    """Readings that share their epoch, evenly over it; None where few do.

    Args:
        epoch: of each reading.
        main: which readings are of the curve with the most values.
    """
    placed = np.flatnonzero(main & ~np.isnan(epoch))
    if len(placed) < 2 or np.mean(epoch[placed][1:] == epoch[placed][:-1]) <= CROWDED:
        return None
    here = epoch[placed]
    if (here != np.round(here)).any():
        return None
    base = 1.0 if here.min() >= 1 else 0.0
    begin = np.flatnonzero(np.append(True, here[1:] != here[:-1]))
    size = np.diff(np.append(begin, len(here)))
    number = np.arange(len(here)) - np.repeat(begin, size)
    at = epoch.copy()
    at[placed] = here - base + (number + base) / np.repeat(size, size)
    return at
