"""What scripts print: lines with ``name: number`` or ``name=number`` in them, among anything else.

Every line becomes a row and every name a column; a name is followed by a colon, an equals sign or, for the names of
axes and metrics alone, by a blank. Lines whose names occur together only once are headings, settings or the source
code of the script, and are left out. All of it runs over whole columns: a million lines take seconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from runopsy.errors import UnreadableLog
from runopsy.readers.axes import COUNTING, plain
from runopsy.readers.run_selection import Found
from runopsy.readers.source import Source
from runopsy.readers.table_to_run import to_run
from runopsy.signals.names import NEVER, SIDES, SINGLE_WORDS, guess, is_learning_rate, words

if TYPE_CHECKING:
    import polars as pl

ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")  # colours, titles, cursor
REDRAWN = re.compile(r"[\x08\r]+")  # a progress bar goes back and writes its line again: each time is a line

# The pattern of one pair. ASCII classes: several times as fast as those of all alphabets.
WORD = r"[A-Za-z_][A-Za-z0-9_@./-]*(?:\([A-Za-z0-9_@.-]{1,20}\))?"
NUMBER = r"[+-]?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
VALUE = rf"(?P<value>{NUMBER}|[+-]?(?i:nan|inf|infinity))"
NAME = rf"(?P<name>{WORD}(?:[ ]{WORD}){{0,3}})"
# Right after it: the end of a count (3/100), a unit, and what shows that it was no number: 12:30, 2026-01-31, 2.1.0
AFTER = r"(?:\s?/\s?(?P<of>[0-9]+))?(?P<unit>[A-Za-z%]*)(?P<odd>[-:./_,][0-9][A-Za-z0-9:./_-]*|[0-9])?"
TENSOR = r"(?:tensor\(|(?:np|numpy|torch)\.[a-z0-9]+\()?"  # tensor(0.31, device='cuda:0')
PAIR = (
    rf"{NAME}(?P<sign>['\"]?\s{{0,8}}[:=]\s*|\s+|\s*\[\s*)['\"]?[\[(]?\s*{TENSOR}{VALUE}{AFTER}"
    r"|(?P<done>[0-9]+)\s?/\s?(?P<all>[0-9]+)(?P<more>/[0-9])?"
)
DATE = r"(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:[.,]\d+)?)"
SIDED = r"(?i)\b(train|training|val|valid|validation|eval|evaluation|dev|test|testing)\b"
SCRIPT = r"\S+\.py\b\S*"  # a file's name, as loggers print it, says nothing about the side
MULTIPLES = {"k": 1e3, "K": 1e3, "M": 1e6, "B": 1e9, "G": 1e9, "T": 1e12}  # tokens: 1.2B

JSON = re.compile(r"\s*(?:[{]\s*\"|\[\s*[{\[\"])[^\n]{0,200}\n\s+\"")  # a document over many lines, not a log
OFTEN = 3  # times that the same names occur in one line before such lines are a log; an axis beside a metric needs one
SAMPLE = 60_000  # characters at the head and as many further down in which a log must show itself
LEADING = {"info", "debug", "warning", "error", "at", "in", "for", "on", "the", "of", "is", "and", "with", "after",
           "during", "end", "finished", "done", "result", "results", "current", "got", "has", "to", "from"}  # fmt: skip
ALIASES = {"s": "step", "trl": "train/loss", "tel": "val/loss", "tea": "val/acc"}  # llm.c
LLMC = ("trl", "tel")  # one of which is there where the aliases hold
BATCH = "batch"  # what 450/1000 [00:12<00:15] counts
MOST = 500  # columns; a text with more names than that is no log of one run


def recognises(source: Source) -> bool:
    """Text in which the same names, one of a metric among them, are given numbers again and again."""
    if source.is_binary or source.is_folder or source.is_empty or JSON.match(source.head_text()):
        return False
    return any(_frame(text) is not None for text in _glimpses(source))


def _glimpses(source: Source) -> Iterable[str]:
    """The beginning, and where that is something else (the source of the script, say), the rest bit by bit."""
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
    """What ``read`` gives, of a text that came out of ``source``: what a notebook's cell printed, say.

    Raises:
        UnreadableLog: no line of the text is of a log.
    """
    notes: list[str] = []
    frame = _frame(text, notes)
    if frame is None:
        raise UnreadableLog(f"{source.name} is text without a table in it", hint="give the file with the numbers")
    return to_run(frame, frame.columns, source, notes)


def _frame(text: str, notes: list[str] | None = None) -> pl.DataFrame | None:
    """A row for every line of the log, a column for every name; None where it is no log."""
    import polars as pl

    if "\x1b" in text:
        text = ESCAPES.sub("", text)
    text = REDRAWN.sub("\n", text)
    lines = pl.DataFrame({"line": text.split("\n")}).with_row_index("row")
    pairs = _pairs(lines)
    if not pairs.height:
        return None
    pairs = _named(pairs)
    pairs = _of_the_log(pairs)
    if not pairs.height:
        return None
    pairs = _sided(pairs, lines)
    return _wide(pairs, lines, notes if notes is not None else [])


def _pairs(lines: pl.DataFrame) -> pl.DataFrame:
    """row, nth, name, spaced, value, of: every pair of every line."""
    import polars as pl

    found = (
        lines.with_columns(pl.col("line").str.extract_all(PAIR).alias("pair"))
        .drop("line")
        .filter(pl.col("pair").list.len() > 0)
        .explode("pair")
        .with_columns(pl.col("pair").str.extract_groups(PAIR).struct.unnest())
        .filter(pl.col("odd").is_null() & pl.col("more").is_null())
    )
    count = pl.col("done").is_not_null()
    value = pl.when(count).then("done").otherwise("value").str.replace_all(",", "", literal=True)
    return found.select(
        "row",
        pl.when(count).then(pl.lit(BATCH)).otherwise("name").alias("name"),
        (~count & ~pl.col("sign").str.contains("[:=\\[]")).alias("spaced"),
        (value.cast(pl.Float64, strict=False) * pl.col("unit").replace_strict(MULTIPLES, default=1.0)).alias("value"),
        pl.coalesce("of", "all").cast(pl.Float64, strict=False).alias("of"),
    ).filter(pl.col("value").is_not_null() & ((pl.col("name") != BATCH) | (pl.col("value") <= pl.col("of"))))


def _named(pairs: pl.DataFrame) -> pl.DataFrame:
    """Names as columns are called, with what they are: an axis, a metric, or something else; without mere prose."""
    import polars as pl

    table = []
    kinds = pairs.select("name", "spaced").unique()
    llmc = not set(LLMC).isdisjoint(kinds["name"].to_list())
    for name, spaced in kinds.rows():
        said = ALIASES.get(name, name) if llmc else name
        called = _called(said, spaced=spaced)
        if called:
            table.append((name, spaced, called, *_kind(called)))
    names = pl.DataFrame(
        table,
        schema={"name": pl.String, "spaced": pl.Boolean, "column": pl.String, "axis": pl.Boolean, "metric": pl.Boolean,
                "acc": pl.Boolean, "side": pl.String},
        orient="row",
    )  # fmt: skip
    joined = pairs.join(names, on=["name", "spaced"], how="inner", maintain_order="left")
    share = pl.col("acc") & (pl.col("of") > 0)  # Accuracy: 9820/10000
    return joined.with_columns(pl.when(share).then(pl.col("value") / pl.col("of")).otherwise("value").alias("value"))


def _called(name: str, *, spaced: bool) -> str:
    """The name of a column; empty for prose: what a blank separates from its number must be known by name."""
    parts = name.strip("./-").split(" ")
    while len(parts) > 1 and parts[0].lower() in LEADING:
        parts.pop(0)
    if len(parts) > 1 and plain(parts[-1]) in COUNTING and parts[-2].lower() not in NEVER and spaced:
        parts = parts[-1:]
    called = " ".join(parts)
    if not spaced or plain(called) in COUNTING or plain(called) in SINGLE_WORDS:
        return called
    for start in range(len(parts)):
        rest = " ".join(parts[start:])
        found = guess(rest)
        if found is not None and len(found.extra) <= 1:
            return rest
    return called if is_learning_rate(called) else ""


def _kind(called: str) -> tuple[bool, bool, bool, str]:
    """(whether it is an axis, a metric, an accuracy; the side that it names)."""
    found = guess(called)
    side = next((side for w in words(called) for side, known in SIDES.items() if w in known), "")
    return plain(called) in COUNTING, found is not None, found is not None and found.quantity == "acc", side


def _of_the_log(pairs: pl.DataFrame) -> pl.DataFrame:
    """The lines whose names occur together again and again, or set a metric beside an axis."""
    import polars as pl

    lines = pairs.group_by("row", maintain_order=True).agg(
        pl.col("column").sort().str.join("\t").alias("names"),
        pl.col("metric").any(),
        (pl.col("axis") & (pl.col("column") != BATCH)).any().alias("axis"),
    )
    lines = lines.with_columns(pl.len().over("names").alias("times"))
    often = (pl.col("times") >= OFTEN) & (pl.col("metric") | pl.col("axis"))
    kept = lines.filter(often | (pl.col("metric") & pl.col("axis")))
    metrics = kept.filter("metric")
    if metrics.height < OFTEN:
        return pairs.clear()
    return pairs.join(kept.select("row"), on="row", how="semi", maintain_order="left")


def _sided(pairs: pl.DataFrame, lines: pl.DataFrame) -> pl.DataFrame:
    """Metrics that do not say their side take that of the last name or word before them that does.

    ``Test set: loss: 0.3`` and ``val loss 2.1 acc 0.4`` do so; where the words of all lines name one side
    alone, they may be of the script's title, and are not heard.
    """
    import polars as pl

    which = {word: side for side, known in SIDES.items() for word in known}
    bare = pl.col("metric") & (pl.col("side") == "")
    rows = pairs.filter(bare).select("row").unique()
    if not rows.height:
        return pairs
    spoken = (
        lines.join(rows, on="row", how="semi")
        .with_columns(
            pl.col("line").str.replace_all(SCRIPT, "").str.extract(SIDED).str.to_lowercase()
            .replace_strict(which, default="", return_dtype=pl.String).alias("spoken")
        )
        .select("row", "spoken")
    )  # fmt: skip
    pairs = pairs.join(spoken, on="row", how="left", maintain_order="left")
    said = pl.when(pl.col("side") != "").then("side")
    pairs = pairs.with_columns(said.forward_fill().over("row").alias("before"))
    heard = pl.coalesce("before", pl.col("spoken").replace("", None)).fill_null("")
    pairs = pairs.with_columns(pl.when(bare).then(heard).otherwise(pl.lit("")).alias("heard"))
    sides = set(pairs.filter(pl.col("metric"))["heard"].unique().to_list())
    sides |= set(pairs.filter(pl.col("metric"))["side"].unique().to_list())
    if len(sides - {""}) < 2 and not (
        {"val", "test"} & sides and bool(pairs.filter(bare & (pl.col("heard") == "")).height)
    ):
        return pairs.drop("before", "spoken", "heard")
    named = pl.when(pl.col("heard") != "").then(pl.concat_str("heard", pl.lit("/"), "column")).otherwise("column")
    return pairs.with_columns(named.alias("column")).drop("before", "spoken", "heard")


def _wide(pairs: pl.DataFrame, lines: pl.DataFrame, notes: list[str]) -> pl.DataFrame:
    import polars as pl

    again = pl.int_range(pl.len()).over("row", "column")
    pairs = pairs.with_columns(
        pl.when(again > 0).then(pl.concat_str("column", pl.lit("#"), again + 1)).otherwise("column").alias("column")
    )
    counts = pairs.group_by("column", maintain_order=True).len()
    kept = counts.sort("len", descending=True, maintain_order=True)["column"][:MOST].to_list()
    if counts.height > MOST:
        notes.append(f"the rarest {counts.height - MOST} of {counts.height} names were left out")
    names = [name for name in counts["column"].to_list() if name in set(kept)]
    pairs = pairs.filter(pl.col("column").is_in(names))
    wide = pairs.pivot(on="column", index="row", values="value", aggregate_function="last").sort("row")
    dates = wide.select("row").join(lines, on="row", how="left", maintain_order="left")["line"].str.extract(DATE)
    if dates.count() > len(dates) // 2 and "timestamp" not in names:
        wide = wide.with_columns(dates.str.replace(",", ".", literal=True).alias("timestamp"))
    left = lines.filter(pl.col("line").str.strip_chars() != "").height - wide.height
    if left:
        notes.append(f"{left} of {left + wide.height} lines are none of the log and were left out")
    return wide.drop("row")
