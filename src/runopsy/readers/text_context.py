"""What lines leave unsaid: the epoch in a heading above them, the side of the pass that they belong to.

A line that only gives a position (an epoch, an iteration, a side) carries forward to the readings below it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runopsy.readers.text_pairs import EVALUATION
from runopsy.signals.names import SINGLES

if TYPE_CHECKING:
    import polars as pl

OFTEN = 3  # times that the same names occur in one line before such lines are a log; an axis beside a metric needs one
FEWEST = 2  # lines with a metric and a position: two epochs make a log; without a position, OFTEN
SETTINGS = 8  # names in a line, most of which stand nowhere else: ``epochs=4, iou=0.7, …`` is no reading at epoch 4
MOSTLY = 0.5  # share of its names that stand nowhere else, beyond which such a line lists settings
FIRST = 1  # epoch: a text that was copied without the heading of its first epoch has that of the second
MANY = 10  # lines with a position and unknown names make a log too
HEADINGS = 2  # times that a line must occur, numbers aside, to give the position of the lines below it
COMMON = (
    0.3  # share of the commonest heading of its axis that another form must reach: "Epoch 20: early stopping" does not
)
NEWS = (
    r"(?i)\b(?:sav(?:ed|ing)|new best|improved|best (?:so far|model|score|val|iteration|epoch))\b"
    r"|^\W*(?:checkpoint|resum(?:ed|ing)|restored|loaded)\b"
    r"|\b(?:resum(?:ed|ing)|restored|loaded)\b.{0,300}\.(?:pth?|ckpt|h5|keras|safetensors|bin|tar)\b"
)
CLOSING = r"(?i)best iteration"  # boosting repeats the best round below such a line
# Behind the last epoch the best checkpoint is evaluated once more: what stands below such a line is none of the curve.
AFTERWARDS = r"(?i)\b(?:validating|evaluating|testing|loading|loaded|restoring)\b.{0,200}\bbest\b"
STARRED = r"^\s*\*+\s"  # `` * Acc@1 70.1``: the summary of the pass above it


def of_the_log(pairs: pl.DataFrame, lines: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(the pairs of the readings, the position of each line, its own or taken from above).

    The second has a row for every line: ``epoch``, ``count`` of ``total`` within the epoch, ``side``, ``placed``
    (whether the line gives its position itself). Both are empty where the text is no log.
    """
    import polars as pl

    rows = _rows(pairs, lines)
    counters = _counters_of_passes(rows)
    if counters.height:
        marked = counters.select("row", pl.col("step_name").alias("column"), pl.lit(value=True).alias("aside"))
        pairs = pairs.join(marked, on=["row", "column"], how="left", maintain_order="left")
        pairs = pairs.with_columns(
            pl.when("aside").then(pl.lit("side")).otherwise("kind").alias("kind"),
            pl.when(pl.col("aside").is_null()).then("column").alias("column"),
        ).drop("aside")
        rows = _rows(pairs, lines)
    rows = _read(rows)
    reading = rows.filter("reading")
    metrics = reading.filter("metric")
    if not metrics.height:  # names that are unknown here, beside an axis: --map may give their roles
        metrics = reading.filter(pl.col("placed") & (pl.col("times") >= MANY))
    enough = FEWEST if bool((metrics["placed"] | metrics["positioned"]).any()) else OFTEN
    if metrics.height < enough:
        return pairs.clear(), reading.clear()
    kept = pairs.join(reading.select("row"), on="row", how="semi", maintain_order="left")
    return kept, reading


def _rows(pairs: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """What each line with a pair or a word for a side gives, and what of that may carry forward."""
    import polars as pl

    kind = pl.col("kind")
    count = kind.is_in(["step", "batch"]) & pl.col("of").is_not_null()
    steps = kind.is_in(["step", "batch"]) & pl.col("of").is_null()
    valued = ~kind.is_in(["side", "batch"]) & pl.col("column").is_not_null()
    rows = pairs.group_by("row", maintain_order=True).agg(
        valued.sum().alias("values"),
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
    named = rows.filter(pl.col("epoch").is_not_null() | pl.col("step").is_not_null())
    end = _end(named if named.height else rows.filter(placed), lines)  # the evaluation may count batches of its own
    rows = rows.with_columns((pl.col("closing") | (pl.col("row") > end)).alias("closing"))
    # A word gives the side of the line; without one, its names do, where they agree.
    rows = rows.with_columns(
        pl.coalesce("word", pl.when("agreed").then("named")).alias("side_word"),
        placed.alias("placed"),
        pl.len().over("names").alias("times"),
        pl.when(~pl.col("valued")).then(
            pl.col("line").str.replace_all(r"[0-9]+", "").str.strip_chars().str.slice(0, 60)
        ).alias("shape"),
    )  # fmt: skip
    return rows.with_columns(pl.col("row").is_in(_settings(rows, pairs.filter(valued)).implode()).alias("settings"))


def _settings(rows: pl.DataFrame, pairs: pl.DataFrame) -> pl.Series:
    """The lines that list many names, more than half of which stand in no other line."""
    import polars as pl

    lists = rows.filter((pl.col("values") >= SETTINGS) & (pl.col("times") == 1)).select("row")
    if not lists.height:
        return lists["row"]
    alone = (pl.len().over("column") == 1).alias("alone")
    shares = pairs.with_columns(alone).join(lists, on="row", how="semi").group_by("row").agg(pl.col("alone").mean())
    return shares.filter(pl.col("alone") > MOSTLY)["row"]


def _end(placed: pl.DataFrame, lines: pl.DataFrame) -> int:
    """The line behind which only the best checkpoint is evaluated; the last one where there is none such."""
    import polars as pl

    last = placed["row"].max()
    if last is None:
        return lines.height
    after = lines.filter((pl.col("row") > last) & pl.col("line").str.contains(AFTERWARDS))["row"]
    return int(after[0]) if len(after) else lines.height


def _counters_of_passes(rows: pl.DataFrame) -> pl.DataFrame:
    """Where a line of validation counts its own batches, always to the same number, or to one of its own.

    ``Iter(val) [100]``; and ``Iter(val) [50/1158]`` where training counts ``Iter(train) [50/40000]``.
    """
    import polars as pl

    aside = pl.col("side_word").is_in(["val", "test"]).fill_null(value=False)
    placed = pl.col("step").is_not_null() | pl.col("count").is_not_null()
    stepped = rows.filter(aside & pl.col("step").is_not_null())
    if rows.filter(~aside & placed).height < FEWEST:  # only validation counts: these are steps of the run
        return stepped.clear().select("row", "step_name")
    alike = stepped.group_by("step_name").agg(pl.col("step").n_unique().alias("values"), pl.len().alias("often"))
    names = alike.filter((pl.col("values") == 1) & (pl.col("often") > 1))["step_name"]
    found = stepped.filter(pl.col("step_name").is_in(names.implode())).select("row", "step_name")
    totals = rows.filter(~aside & pl.col("by_step"))["total"].unique()
    if not len(totals) or rows["epoch"].drop_nulls().n_unique() > 1:
        return found
    of_a_pass = rows.filter(aside & pl.col("by_step") & ~pl.col("total").is_in(totals.implode()))
    return pl.concat([found, of_a_pass.select("row", pl.col("count_name").alias("step_name"))])


def _spoken_in(words: pl.Expr) -> pl.Expr:
    """The side that the words of a line name: ``evaluate:test`` is of test; train and test together name none."""
    import polars as pl

    plain = words.filter(words != EVALUATION).unique(maintain_order=True)
    only_one = pl.when(plain.len() == 1).then(plain.first())
    return pl.when(plain.len() == 0).then(words.first().replace(EVALUATION, "val")).otherwise(only_one)


def _read(rows: pl.DataFrame) -> pl.DataFrame:
    """Which lines are readings; the epoch, the step and the side that each takes from a heading above it."""
    import polars as pl

    rows = rows.with_columns(pl.len().over("shape").alias("alike"))
    how_many = (pl.col("epoch_name").str.to_lowercase() == "epochs") & pl.col("epoch_of").is_null()  # a setting
    heading = ~pl.col("valued") & (pl.col("placed") | pl.col("side_word").is_not_null())
    heading &= ~how_many.fill_null(value=False)
    counted = heading & pl.col("epoch").is_not_null()
    most = rows.filter(counted)["alike"].max() or 0
    often = (pl.col("alike") >= HEADINGS) & (~counted | (pl.col("alike") >= COMMON * float(most)))  # type: ignore[arg-type]
    only = counted & (pl.lit(float(most)) <= 1) & pl.col("epoch_of").is_not_null()  # type: ignore[arg-type]
    news = (pl.col("metrics") <= 1) & pl.col("line").str.contains(NEWS)
    rows = rows.with_columns((heading & (often | only)).alias("heading"), news.alias("news")).with_columns(
        pl.col("line").str.contains(STARRED).alias("starred")
    )
    own = pl.col("metric") & pl.col("axis") & ~pl.col("settings")
    headed = pl.when(pl.col("heading") & pl.col("placed")).then(pl.lit(1)).forward_fill().is_not_null()
    positioned = (pl.col("heading") | own) & (pl.col("epoch").is_not_null() | pl.col("step").is_not_null())
    before = pl.when(positioned).then(pl.lit(1)).forward_fill().is_not_null()
    repeated = (pl.col("times") >= OFTEN) & (pl.col("metric") | pl.col("axis") | (pl.col("known") & headed))
    reading = pl.col("valued") & ~pl.col("news") & ~pl.col("closing")
    reading &= repeated | own | (pl.col("metric") & before)
    rows = rows.with_columns(reading.alias("reading"), before.alias("positioned"))
    return _with_sides(rows.filter(pl.col("reading") | pl.col("heading")))


def _with_sides(rows: pl.DataFrame) -> pl.DataFrame:
    """Headings and readings only: what is missing is taken from above."""
    import polars as pl

    rows = rows.with_columns(
        (pl.col("epoch").backward_fill() if _is_summed_up(rows) else _from_above(rows)).alias("in_epoch"),
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
    # The step that a line gives holds until a line gives another position.
    placing = pl.col("heading") | pl.col("step").is_not_null() | (pl.col("epoch").is_not_null())
    rows = rows.with_columns(placing.cast(pl.Int64).cum_sum().alias("stretch"))
    rows = rows.with_columns(
        pl.col("head_step").forward_fill().over("stretch"), pl.col("head_name").forward_fill().over("stretch")
    )
    bare = pl.col("step").is_null()
    rows = rows.with_columns(
        pl.when(bare).then("head_step").otherwise("step").alias("step"),
        pl.when(bare).then("head_name").otherwise("step_name").alias("step_name"),
    )
    meter = pl.col("metric") & pl.col("count").is_not_null() & pl.col("side_word").is_not_null()
    carrier = (pl.col("heading") & pl.col("side_word").is_not_null()) | meter
    rows = rows.with_columns(_of_the_pass(rows, carrier).alias("of_pass"))
    placed = pl.col("placed") & ~pl.col("of_pass")
    announced = (
        pl.when(carrier).then("side_word")
        .when(placed | pl.col("side_word").is_not_null() | pl.col("named").is_not_null()).then(pl.lit(""))
    )  # fmt: skip
    rows = rows.with_columns(announced.forward_fill().alias("carried"))
    last = pl.when(placed | pl.col("side_word").is_not_null()).then(pl.col("side_word").fill_null("")).forward_fill()
    quiet = ~placed & pl.col("side_word").is_null() & pl.col("named").is_null()
    inherited = pl.when(pl.col("starred")).then(last).otherwise("carried")
    return rows.with_columns(
        pl.when(quiet).then(inherited).otherwise("side_word").fill_null("").alias("side"),
    )


def _from_above(rows: pl.DataFrame) -> pl.Expr:
    """The epoch of the last heading; above the first one, where that begins the second epoch, the first."""
    import polars as pl

    carried = pl.col("epoch").forward_fill()
    first = rows.filter(pl.col("epoch").is_not_null()).head(1)
    cut = first.height and first["heading"][0] and first["epoch_of"][0] is not None and first["epoch"][0] == FIRST + 1
    return carried.fill_null(FIRST) if cut else carried


def _of_the_pass(rows: pl.DataFrame, carrier: pl.Expr) -> pl.Expr:
    """Whether a line counts the batches of the pass that a heading above it names: ``Eval begin``, ``step 10/88``.

    Its total is one that only lines below such a heading have, as training counts to another.
    """
    import polars as pl

    heading = pl.when(carrier).then("side_word").when(pl.col("heading")).then(pl.lit("")).forward_fill()
    counted = pl.col("count").is_not_null() & pl.col("side_word").is_null() & pl.col("named").is_null()
    below = rows.select(
        pl.col("total"), heading.is_in(["val", "test"]).fill_null(value=False).alias("below"), counted.alias("counted")
    )
    totals = below.filter("counted").group_by("total").agg(pl.col("below").all())
    if totals["below"].all():  # nothing else is counted: these are the batches of training
        return pl.lit(value=False)
    return counted & pl.col("total").is_in(totals.filter("below")["total"].implode())


def _is_summed_up(rows: pl.DataFrame) -> bool:
    """Whether the epoch of the batches stands below them, with what they sum up to, and in no heading above."""
    import polars as pl

    epochs = rows.filter(pl.col("epoch").is_not_null())
    batches = rows.filter(pl.col("metric") & pl.col("count").is_not_null() & pl.col("epoch").is_null())["row"]
    if not epochs.height or not batches.len() or not epochs["metric"].all():
        return False
    first, last = epochs["row"][0], epochs["row"][-1]
    return int((batches < first).sum()) >= FEWEST and not (batches > last).any()


def sided(pairs: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Metrics that do not name their side take that of the last name or word before them that does.

    ``Test set: loss: 0.3`` and ``val loss 2.1 acc 0.4`` do so, and so does a heading above the line; where the
    words of all lines name one side alone, they may be of the script's title, and are not heard.
    """
    import polars as pl

    metric = pl.col("kind") == "metric"
    bare = metric & (pl.col("side") == "")
    if not (pairs["side"] != "").any() and not (rows["side"] != "").any():
        return pairs
    pairs = pairs.with_columns(pl.col("side").replace(EVALUATION, "val"))
    announced = pl.when(pl.col("side") != "").then("side")
    pairs = pairs.with_columns(announced.forward_fill().over("row").alias("before"))
    pairs = pairs.join(rows.select("row", pl.col("side").replace("", None).alias("headed")), on="row", how="left",
                       maintain_order="left")  # fmt: skip
    heard = pl.coalesce("before", "headed").fill_null("")
    pairs = pairs.with_columns(pl.when(bare).then(heard).otherwise(pl.lit("")).alias("heard")).filter(
        pl.col("kind") != "side"
    )
    found = pairs.filter(metric)
    sides = set(found["heard"].unique().to_list()) | set(found["side"].unique().to_list())
    unheard = bool(pairs.filter(bare & (pl.col("heard") == "")).height)
    if len(sides - {""}) < 2 and not ({"val", "test"} & sides and unheard):
        return pairs.drop("before", "headed", "heard")
    rate = pl.col("column").str.to_lowercase().is_in(list(SINGLES["lr"]))  # of the training, whatever stands before it
    both = pl.col("kind").is_in(["other", "known"]) & (pl.col("side") == "") & ~rate
    pairs = pairs.with_columns(pl.when(both).then(heard).otherwise("heard").alias("heard")).with_columns(
        pl.when(both & (pl.col("heard").n_unique().over("column") < 2))
        .then(pl.lit(""))
        .otherwise("heard")
        .alias("heard")
    )
    name = pl.when(pl.col("heard") != "").then(pl.concat_str("heard", pl.lit("/"), "column")).otherwise("column")
    return pairs.with_columns(name.alias("column")).drop("before", "headed", "heard")
