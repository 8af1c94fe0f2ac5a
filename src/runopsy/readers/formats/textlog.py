"""What scripts print: lines with ``name: number`` or ``name=number`` in them, tables and boxes, among anything else.

Every line becomes a row and every name a column; a name is followed by a colon, an equals sign or, for the names of
axes and metrics alone, by a blank. Lines that only give a position (an epoch, a side) carry forward. Lines whose
names occur together only once are headings, settings or the source code of the script, and are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from runopsy.errors import UnreadableLog
from runopsy.readers.run_selection import Found
from runopsy.readers.source import Source
from runopsy.readers.table_to_run import Remarked, to_run
from runopsy.readers.text_context import of_the_log, sided
from runopsy.readers.text_errors import Remark, remarks
from runopsy.readers.text_lists import lists_in
from runopsy.readers.text_pairs import BATCH, named, pairs_in
from runopsy.readers.text_passes import BAR, IN_BAR, drawn_again, passes, spread, updated, within_epochs
from runopsy.readers.text_spelling import spelled, spelled_lines
from runopsy.readers.text_tables import boxes_in, candidates, tables_in
from runopsy.signals.names import guess

if TYPE_CHECKING:
    import polars as pl

DATE = r"(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:[.,]\d+)?)"
JSON = re.compile(r"\s*(?:[{]\s*\"|\[\s*[{\[\"])[^\n]{0,200}\n\s+\"")  # a document over many lines, not a log
SAMPLE = 60_000  # characters at the head and as many further down in which a log must show itself
MOST = 500  # columns; a text with more names than that is no log of one run
EPOCH = "epoch"
CODES = 1 << 20  # more than names in a text: a line and a name as one number


class Reading(NamedTuple):
    """The log in a text."""

    frame: pl.DataFrame
    errors: list[Remarked]


def recognises(source: Source) -> bool:
    """Text in which the same names, one of a metric among them, are given numbers again and again."""
    if source.is_binary or source.is_folder or source.is_empty or JSON.match(source.head_text()):
        return False
    return any(is_log(text) for text in _glimpses(source))


def is_log(text: str) -> bool:
    """Whether lines of a text are of a log."""
    return _reading(text) is not None


def _glimpses(source: Source) -> Iterable[str]:
    """The beginning, and where that is something else (for example the source of the script), the rest bit by bit."""
    yield source.head_text()
    if len(source.head) >= SAMPLE:
        text = source.text()
        yield text[SAMPLE : 20 * SAMPLE]
        yield text[-10 * SAMPLE :]


def read(source: Source) -> Found:
    """The rows of all lines that are of the log.

    Raises:
        UnreadableLog: there are none.
    """
    return read_text(source.text(), source)


def read_text(text: str, source: Source) -> Found:
    """What ``read`` gives, of a text that came out of ``source``: for example what a notebook's cell printed.

    Raises:
        UnreadableLog: no line of the text is of a log.
    """
    notes: list[str] = []
    found = _reading(text, notes)
    if found is None:
        raise UnreadableLog(f"{source.name} is text without a table in it", hint="give the file with the numbers")
    return to_run(found.frame, found.frame.columns, source, notes, found.errors)


def _reading(text: str, notes: list[str] | None = None) -> Reading | None:
    """A row for every line of the log, a column for every name; None where it is no log."""
    import polars as pl

    notes = notes if notes is not None else []
    text = spelled(text)
    lines = pl.DataFrame({"line": text.split("\n")}).with_row_index("row").with_columns(pl.col("row").cast(pl.Int64))
    found = _lines(lines, notes)
    lists = lists_in(text)
    if lists is not None and (found is None or _filled(lists) > _filled(found.frame)):
        return Reading(lists, [])
    return found


def _filled(frame: pl.DataFrame) -> int:
    """How many values of metrics there are."""
    return sum(column.count() for column in frame.get_columns() if guess(column.name) is not None)


def _lines(lines: pl.DataFrame, notes: list[str]) -> Reading | None:
    """The log in the lines, tables and boxes among them."""
    import polars as pl

    tables, rest = _tables(spelled_lines(lines))
    pairs = named(pl.concat([pairs_in(rest), tables]).sort("row", maintain_order=True))
    if not pairs.height:
        return None
    pairs, rows = of_the_log(pairs, rest)
    if not pairs.height:
        return None
    pairs = _numbered(sided(pairs, rows))
    pairs, rows = passes(*drawn_again(*updated(pairs, rows)))
    frame = _wide(_of_bars(pairs, rows), rows, notes)
    left = lines.filter(pl.col("line").str.strip_chars() != "").height - frame.height
    if left > 0:
        notes.append(f"lines without logged values: {left} of {left + frame.height}, left out")
    errors = _placed(remarks(lines.join(rows.select("row"), on="row", how="anti")), frame)
    return Reading(frame.drop("row"), errors)


def _tables(lines: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(pairs out of tables and boxes, the lines without these)."""
    import polars as pl

    text = lines["line"].to_list()
    cells, used = tables_in(text, candidates(lines))
    boxed = lines["line"].str.contains(r"^\s*\|").sum()
    if boxed > 1:
        more, taken = boxes_in(text)
        cells = [cell for cell in cells if cell.row not in taken] + more
        used |= taken
    schema = {"row": pl.Int64, "name": pl.String, "value": pl.Float64, "of": pl.Float64}
    pairs = pl.DataFrame(cells, schema=schema, orient="row").select(
        "row", "name", pl.lit(value=False).alias("spaced"), "value", "of", pl.lit(None, pl.Float64).alias("mean"),
        pl.lit(None, pl.String).alias("side_word"), pl.lit(value=False).alias("named_on"),
        pl.lit(value=False).alias("counted"), pl.lit(value=True).alias("tabled"),
        (pl.col("value") % 1 != 0).any().over("name").alias("fraction"),
    )  # fmt: skip
    if used:
        taken_rows = pl.Series("row", sorted(used), dtype=pl.Int64)
        lines = lines.with_columns(
            pl.when(~pl.col("row").is_in(taken_rows.implode())).then("line").otherwise(pl.lit(""))
        )
    return pairs, lines


def _numbered(pairs: pl.DataFrame) -> pl.DataFrame:
    """A name that occurs again in its line as ``name#2``."""
    import polars as pl

    codes = pairs.with_columns((pl.col("row") * CODES + pl.col("column").rank("dense").cast(pl.Int64)).alias("code"))
    if codes["code"].n_unique() == codes.height:  # nearly always, and many times as fast
        return pairs
    again = pl.int_range(pl.len()).over("code")
    return (
        codes.filter((pl.col("kind") != "batch") | (again == 0))
        .with_columns(
            pl.when(again > 0).then(pl.concat_str("column", pl.lit("#"), again + 1)).otherwise("column").alias("column")
        )
        .drop("code")
    )


def _of_bars(pairs: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """The loss in a progress bar, which is of a batch, is another than the one of training in the summary below it."""
    import polars as pl

    barred = rows.filter(pl.col("line").str.contains(BAR))["row"]
    if not barred.len() or barred.len() == rows.height:
        return pairs
    metrics = pairs.filter(pl.col("kind") == "metric").with_columns(pl.col("row").is_in(barred.implode()).alias("bar"))
    where = metrics.group_by("column", maintain_order=True).agg(pl.col("bar").all(), pl.col("bar").any().alias("some"))
    summed = [found for name in where.filter(~pl.col("some"))["column"] if (found := guess(name)) is not None]
    quantities = {found.quantity for found in summed if found.side in ("train", "") and not found.extra}
    names = {
        name: f"{name}{IN_BAR}"
        for name in where.filter("bar")["column"].to_list()
        if (found := guess(name)) is not None and found.side == "" and found.quantity in quantities
    }
    return pairs.with_columns(pl.col("column").replace(names)) if names else pairs


def _wide(pairs: pl.DataFrame, rows: pl.DataFrame, notes: list[str]) -> pl.DataFrame:
    """A column for every name, the axes first: whatever gives the position of a reading is in its row."""
    import polars as pl

    at, steps = within_epochs(rows)
    epochs = rows["epoch_name"].drop_nulls()
    called = epochs[0] if len(epochs) else EPOCH
    counted = pl.col("kind").is_in(["batch", "step"]) & pl.col("of").is_not_null()
    drop = pl.col("kind") == "epoch"
    if at is not None or steps is not None:
        drop |= counted
    headed = _logged_steps(pairs, rows)
    values = pl.concat([pairs.filter(~drop).select("row", "column", "value"), headed])
    values = _fewer(values, notes)
    wide = values.pivot(on="column", index="row", values="value", aggregate_function="last").sort("row")
    where = rows.select("row", pl.col("in_epoch").alias(called)) if len(epochs) else rows.select("row")
    if steps is not None:
        where = where.with_columns(pl.Series(BATCH, steps).fill_nan(None))
    if len(epochs):
        main = _main(pairs)
        where = where.with_columns(pl.Series(called, _epochs(at, rows, main)).fill_nan(None))
    wide = where.join(wide, on="row", how="right", maintain_order="right")
    return _dated(wide, rows)


def _epochs(at: np.ndarray | None, rows: pl.DataFrame, main: pl.Series) -> np.ndarray:
    epoch = rows["in_epoch"].to_numpy().astype(np.float64)
    if at is not None:
        return at
    mine = rows["row"].is_in(main.implode())
    counted = (rows["step"].is_not_null() | rows["count"].is_not_null()) & mine
    finer = counted.sum() > max(mine.sum(), rows.height) / 2  # most readings give more than their epoch
    spreading = None if finer else spread(epoch, mine.to_numpy())
    return epoch if spreading is None else spreading


def _main(pairs: pl.DataFrame) -> pl.Series:
    """The rows of the curve with the most values; what a bar shows beside a summary places no reading."""
    import polars as pl

    metrics = pairs.filter((pl.col("kind") == "metric") & ~pl.col("column").str.ends_with(IN_BAR))
    most = metrics["column"].mode().sort()
    return metrics.filter(pl.col("column") == (most[0] if len(most) else ""))["row"]


def _logged_steps(pairs: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """The step that a heading gives, for readings that give none."""
    import polars as pl

    own = pairs.filter(pl.col("kind").is_in(["batch", "step"])).select("row").unique()
    return (
        rows.filter(pl.col("step").is_not_null())
        .join(own, on="row", how="anti")
        .select("row", pl.col("step_name").alias("column"), pl.col("step").alias("value"))
    )


def _fewer(values: pl.DataFrame, notes: list[str]) -> pl.DataFrame:
    """Without the rarest names, where there are more than ``MOST``."""
    import polars as pl

    counts = values.group_by("column", maintain_order=True).len()
    if counts.height <= MOST:
        return values
    kept = counts.sort("len", descending=True, maintain_order=True)["column"][:MOST]
    notes.append(f"the rarest {counts.height - MOST} of {counts.height} names were left out")
    return values.filter(pl.col("column").is_in(kept.implode()))


def _dated(wide: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """With the date that the lines begin with, if most do."""
    dates = wide.select("row").join(rows, on="row", how="left", maintain_order="left")["line"].str.extract(DATE)
    if dates.count() > len(dates) // 2 and "timestamp" not in wide.columns:
        return wide.with_columns(dates.str.replace(",", ".", literal=True).alias("timestamp"))
    return wide


def _placed(errors: list[Remark], frame: pl.DataFrame) -> list[Remarked]:
    """The errors, each with the number of readings above it."""
    above = np.searchsorted(frame["row"].to_numpy(), [remark.row for remark in errors])
    return [Remarked(int(n), remark.kind, remark.detail) for n, remark in zip(above, errors, strict=True)]
