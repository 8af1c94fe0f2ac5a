"""What lines leave unsaid: the epoch in a heading above them, the side of the pass that they belong to.

A line that only says where we are (an epoch, an iteration, a side) carries forward to the readings below it. Readings
of one pass over validation batches become one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from runopsy.readers.text_pairs import EVALUATION

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    from runopsy.model import Counts, Values

OFTEN = 3  # times that the same names occur in one line before such lines are a log; an axis beside a metric needs one
FEWEST = 2  # lines with a metric and a position: two epochs make a log; without a position, OFTEN
MANY = 10  # lines with a position and unknown names make a log too
HEADINGS = 2  # times that a line must occur, numbers aside, to say where the lines below it are
COMMON = (
    0.3  # share of the commonest heading of its axis that another form must reach: "Epoch 20: early stopping" does not
)
CROWDED = 1 / 3  # share of readings that stand at the epoch of the one before: it was logged more finely than that
NEWS = r"(?i)\b(?:sav(?:ed|ing)|new best|improved|best (?:so far|model|score|val|iteration|epoch))\b"
CLOSING = r"(?i)best iteration"  # boosting repeats the best round below such a line
STARRED = r"^\s*\*+\s"  # `` * Acc@1 70.1``: the summary of the pass above it
BAR = r"%\||\[[=>]"


def of_the_log(pairs: pl.DataFrame, lines: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(the pairs of the readings, what each of their lines says or was told about where it is).

    The second has a row for every line: ``epoch``, ``count`` of ``total`` within the epoch, ``side``, ``placed``
    (whether the line says its position itself). Both are empty where the text is no log.
    """
    import polars as pl

    rows = _rows(pairs, lines)
    rows = _read(rows)
    reading = rows.filter("reading")
    metrics = reading.filter("metric")
    if not metrics.height:  # names that say nothing to us, beside an axis: --map may say what they are
        metrics = reading.filter(pl.col("placed") & (pl.col("times") >= MANY))
    enough = FEWEST if bool((metrics["placed"] | metrics["told"]).any()) else OFTEN
    if metrics.height < enough:
        return pairs.clear(), reading.clear()
    kept = pairs.join(reading.select("row"), on="row", how="semi", maintain_order="left")
    return kept, reading


def _rows(pairs: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """What each line with a pair or a word for a side says, and what of that may carry forward."""
    import polars as pl

    kind = pl.col("kind")
    count = kind.is_in(["step", "batch"]) & pl.col("of").is_not_null()
    steps = kind.is_in(["step", "batch"]) & pl.col("of").is_null()
    valued = ~kind.is_in(["side", "batch"]) & pl.col("column").is_not_null()
    rows = pairs.group_by("row", maintain_order=True).agg(
        pl.col("column").filter(valued).hash().cast(pl.Int64, wrap_numerical=True).sum().alias("names"),
        (kind == "metric").any().alias("metric"),
        (kind == "metric").sum().alias("metrics"),
        kind.is_in(["metric", "known"]).any().alias("known"),
        kind.is_in(["epoch", "step", "axis"]).any().alias("axis"),
        kind.is_in(["metric", "known", "other", "axis"]).any().alias("valued"),
        pl.col("value").filter(kind == "epoch").first().alias("epoch"),
        pl.col("of").filter(kind == "epoch").first().alias("epoch_of"),
        pl.col("column").filter(steps).first().alias("step_name"),
        pl.col("value").filter(steps).first().alias("step"),
        pl.col("value").filter(count).first().alias("count"),
        pl.col("of").filter(count).first().alias("total"),
        (kind.filter(count).first() == "step").alias("by_step"),
        pl.col("column").filter(count).first().alias("count_name"),
        pl.col("column").filter(kind == "epoch").first().alias("epoch_name"),
        _spoken_in(pl.col("side").filter(kind == "side")).alias("word"),
        pl.col("side").filter((pl.col("side") != "") & (kind != "side")).first().alias("named"),
        (pl.col("side").filter(kind == "metric").n_unique() < 2).alias("agreed"),
    )
    closing = pl.col("line").str.contains(CLOSING).shift(1, fill_value=False).alias("closing")
    rows = rows.join(lines.with_columns(closing), on="row", how="left", maintain_order="left")
    placed = pl.col("epoch").is_not_null() | pl.col("step").is_not_null() | pl.col("count").is_not_null()
    # A word says the side of the line; without one, its names do, where they agree.
    return rows.with_columns(
        pl.coalesce("word", pl.when("agreed").then("named")).alias("spoken"),
        placed.alias("placed"),
        pl.len().over("names").alias("times"),
        pl.when(~pl.col("valued")).then(
            pl.col("line").str.replace_all(r"[0-9]+", "").str.strip_chars().str.slice(0, 60)
        ).alias("shape"),
    )  # fmt: skip


def _spoken_in(words: pl.Expr) -> pl.Expr:
    """The side that the words of a line say: ``evaluate:test`` is of test; train and test together say none."""
    import polars as pl

    plain = words.filter(words != EVALUATION).unique(maintain_order=True)
    told = pl.when(plain.len() == 1).then(plain.first())
    return pl.when(plain.len() == 0).then(words.first().replace(EVALUATION, "val")).otherwise(told)


def _read(rows: pl.DataFrame) -> pl.DataFrame:
    """Which lines are readings; the epoch, the step and the side that each is told by a heading above it."""
    import polars as pl

    rows = rows.with_columns(pl.len().over("shape").alias("alike"))
    heading = ~pl.col("valued") & (pl.col("placed") | pl.col("spoken").is_not_null())
    counted = heading & pl.col("epoch").is_not_null()
    most = rows.filter(counted)["alike"].max() or 0
    often = (pl.col("alike") >= HEADINGS) & (~counted | (pl.col("alike") >= COMMON * float(most)))  # type: ignore[arg-type]
    only = counted & (pl.lit(float(most)) <= 1) & pl.col("epoch_of").is_not_null()  # type: ignore[arg-type]
    news = (pl.col("metrics") <= 1) & pl.col("line").str.contains(NEWS)
    rows = rows.with_columns((heading & (often | only)).alias("heading"), news.alias("news")).with_columns(
        pl.col("line").str.contains(STARRED).alias("starred")
    )
    own = pl.col("metric") & pl.col("axis")
    headed = pl.when(pl.col("heading") & pl.col("placed")).then(pl.lit(1)).forward_fill().is_not_null()
    positioned = (pl.col("heading") | own) & (pl.col("epoch").is_not_null() | pl.col("step").is_not_null())
    before = pl.when(positioned).then(pl.lit(1)).forward_fill().is_not_null()
    repeated = (pl.col("times") >= OFTEN) & (pl.col("metric") | pl.col("axis") | (pl.col("known") & headed))
    reading = pl.col("valued") & ~pl.col("news") & ~pl.col("closing")
    reading &= repeated | own | (pl.col("metric") & before)
    rows = rows.with_columns(reading.alias("reading"), before.alias("told"))
    return _told(rows.filter(pl.col("reading") | pl.col("heading")))


def _told(rows: pl.DataFrame) -> pl.DataFrame:
    """Headings and readings only: what is not said is taken from above."""
    import polars as pl

    rows = rows.with_columns(
        pl.col("epoch").forward_fill().alias("in_epoch"),
        pl.col("epoch_name").forward_fill(),
    )
    # Without epochs, step 5 of 3000 is a step of the run.
    one = rows["in_epoch"].drop_nulls().n_unique() < 2
    ofrun = (pl.col("in_epoch").is_null() | pl.lit(value=one)) & pl.col("by_step") & pl.col("count").is_not_null()
    rows = rows.with_columns(
        pl.when(ofrun).then("count").otherwise("step").alias("step"),
        pl.when(ofrun).then("count_name").otherwise("step_name").alias("step_name"),
        pl.when(~ofrun).then("count").alias("count"),
        pl.when(~ofrun).then("total").alias("total"),
    ).with_columns(pl.col("step").alias("head_step"), pl.col("step_name").alias("head_name"))
    # The step that a line says holds until a line says another position.
    speaks = pl.col("heading") | pl.col("step").is_not_null() | (pl.col("epoch").is_not_null())
    rows = rows.with_columns(speaks.cast(pl.Int64).cum_sum().alias("stretch"))
    rows = rows.with_columns(
        pl.col("head_step").forward_fill().over("stretch"), pl.col("head_name").forward_fill().over("stretch")
    )
    bare = pl.col("step").is_null()
    rows = rows.with_columns(
        pl.when(bare).then("head_step").otherwise("step").alias("step"),
        pl.when(bare).then("head_name").otherwise("step_name").alias("step_name"),
    )
    meter = pl.col("metric") & pl.col("count").is_not_null() & pl.col("spoken").is_not_null()
    carrier = (pl.col("heading") & pl.col("spoken").is_not_null()) | meter
    said = (
        pl.when(carrier).then("spoken")
        .when(pl.col("placed") | pl.col("spoken").is_not_null() | pl.col("named").is_not_null()).then(pl.lit(""))
    )  # fmt: skip
    rows = rows.with_columns(said.forward_fill().alias("carried"))
    last = (
        pl.when(pl.col("placed") | pl.col("spoken").is_not_null()).then(pl.col("spoken").fill_null("")).forward_fill()
    )
    quiet = ~pl.col("placed") & pl.col("spoken").is_null() & pl.col("named").is_null()
    told = pl.when(pl.col("starred")).then(last).otherwise("carried")
    return rows.with_columns(
        pl.when(quiet).then(told).otherwise("spoken").fill_null("").alias("side"),
    )


def sided(pairs: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Metrics that do not say their side take that of the last name or word before them that does.

    ``Test set: loss: 0.3`` and ``val loss 2.1 acc 0.4`` do so, and so does a heading above the line; where the
    words of all lines name one side alone, they may be of the script's title, and are not heard.
    """
    import polars as pl

    metric = pl.col("kind") == "metric"
    bare = metric & (pl.col("side") == "")
    if not (pairs["side"] != "").any() and not (rows["side"] != "").any():
        return pairs
    pairs = pairs.with_columns(pl.col("side").replace(EVALUATION, "val"))
    said = pl.when(pl.col("side") != "").then("side")
    pairs = pairs.with_columns(said.forward_fill().over("row").alias("before"))
    pairs = pairs.join(rows.select("row", pl.col("side").replace("", None).alias("told")), on="row", how="left",
                       maintain_order="left")  # fmt: skip
    heard = pl.coalesce("before", "told").fill_null("")
    pairs = pairs.with_columns(pl.when(bare).then(heard).otherwise(pl.lit("")).alias("heard")).filter(
        pl.col("kind") != "side"
    )
    found = pairs.filter(metric)
    sides = set(found["heard"].unique().to_list()) | set(found["side"].unique().to_list())
    unheard = bool(pairs.filter(bare & (pl.col("heard") == "")).height)
    if len(sides - {""}) < 2 and not ({"val", "test"} & sides and unheard):
        return pairs.drop("before", "told", "heard")
    both = pl.col("kind").is_in(["other", "known"]) & (pl.col("side") == "")
    pairs = pairs.with_columns(pl.when(both).then(heard).otherwise("heard").alias("heard")).with_columns(
        pl.when(both & (pl.col("heard").n_unique().over("column") < 2))
        .then(pl.lit(""))
        .otherwise("heard")
        .alias("heard")
    )
    name = pl.when(pl.col("heard") != "").then(pl.concat_str("heard", pl.lit("/"), "column")).otherwise("column")
    return pairs.with_columns(name.alias("column")).drop("before", "told", "heard")


# --- passes over validation, and places within an epoch -------------------------------------------


def passes(pairs: pl.DataFrame, rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The readings along one pass over validation batches as one, at its last line: its mean, or its summary."""
    import polars as pl

    metered = rows["side"].is_in(["val", "test"]) & rows["count"].is_not_null() & rows["metric"]
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
        if metered[i]:
            if not goes_on or counts[i] < high or (counts[i - 1] is None and counts[i] == high):
                current += 1
            number[i], high = current, counts[i]
        elif goes_on and not placed[i]:
            number[i] = current
    return number


def drawn_again(pairs: pl.DataFrame, rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Without a full bar that is drawn full once more in its epoch, with all that it said and the validation beside it.

    Keras does so where a callback prints between the last batch and the end of the epoch.
    """
    import polars as pl

    full = rows.filter((pl.col("count") == pl.col("total")) & pl.col("metric") & pl.col("in_epoch").is_not_null())
    where = full.select("row", "in_epoch", "total").with_columns(
        pl.col("row", "in_epoch", "total").shift(-1).name.prefix("next_")
    )
    twice = where.filter((pl.col("in_epoch") == pl.col("next_in_epoch")) & (pl.col("total") == pl.col("next_total")))
    if not twice.height:
        return pairs, rows
    said = pairs.filter(pl.col("kind") == "metric").select("row", "column").unique()
    lost = (
        twice.select("row", "next_row")
        .join(said, on="row")
        .join(said, left_on=["next_row", "column"], right_on=["row", "column"], how="anti")["row"]
    )
    gone = twice.filter(~pl.col("row").is_in(lost.implode()))["row"].implode()
    return pairs.filter(~pl.col("row").is_in(gone)), rows.filter(~pl.col("row").is_in(gone))


def within_epochs(rows: pl.DataFrame) -> tuple[Values | None, Values | None]:
    """(the epoch of each reading, with what of it was done; the step, counted over all epochs): one of them, or none.

    Where lines count batches within their epoch and others speak of whole epochs, all stand on the axis of epochs:
    the batch 100 of 400 of the third epoch at 2.25, what was read at its end at 3. Where all lines count batches,
    the epochs are laid end to end.
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
    """A line that says no position at all, and is of no other side, stands where the line above it stands."""
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
    said = np.flatnonzero(main & ~np.isnan(epoch))
    if len(said) < 2 or np.mean(epoch[said][1:] == epoch[said][:-1]) <= CROWDED:
        return None
    here = epoch[said]
    if (here != np.round(here)).any():
        return None
    base = 1.0 if here.min() >= 1 else 0.0
    begin = np.flatnonzero(np.append(True, here[1:] != here[:-1]))
    size = np.diff(np.append(begin, len(here)))
    number = np.arange(len(here)) - np.repeat(begin, size)
    at = epoch.copy()
    at[said] = here - base + (number + base) / np.repeat(size, size)
    return at
