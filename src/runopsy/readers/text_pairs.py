"""Lines of text → pairs of a name and a number, and what each name is: an axis, a metric, a word for a side.

All of it runs over whole columns: a million lines take seconds.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runopsy.readers.axes import AXES, COUNTING, plain
from runopsy.readers.text_spelling import SIDE_WORDS
from runopsy.signals.names import (
    LOSSES,
    NEVER,
    PERPLEXITIES,
    QUANTITIES,
    SIDE_OF,
    SINGLE_WORDS,
    better,
    guess,
    is_learning_rate,
    is_side,
    words,
)
from runopsy.signals.scores import earned

if TYPE_CHECKING:
    import polars as pl

# The pattern of one pair. ASCII classes: several times as fast as those of all alphabets.
WORD = r"[A-Za-z_][A-Za-z0-9_@./-]*(?:'s)?(?:\([A-Za-z0-9_@.-]{1,20}\))?"
NUMBER = r"[+-]?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
VALUE = rf"(?P<value>{NUMBER}|[+-]?(?i:nan|inf|infinity))"
NAME = rf"(?P<name>{WORD}(?:[ ]{WORD}){{0,3}})"
# Right after it: the end of a count (3/100), a unit, and what shows that it was no number: 12:30, 2026-01-31, 2.1.0
WHOLE = r"[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+"
AFTER = rf"(?:\s?/\s?(?P<of>{WHOLE}))?(?P<unit>[A-Za-z%]*)(?P<odd>\||[-:./_,][0-9][A-Za-z0-9:./_-]*|[0-9])?"
# Then the mean so far, as meters print it: 70.1 (68.2); or another number: the first one was a part of the name.
MEAN = rf"(?:[ ]{{0,2}}\([ ]*(?P<mean>{NUMBER})[ ]*\)|(?P<next>[ ]+[0-9]+\.[0-9]+))?"
TENSOR = r"(?:tensor\(|(?:np|numpy|torch)\.[a-z0-9]+\()?"  # tensor(0.31, device='cuda:0')
PAIR = (
    rf"{NAME}(?P<sign>['\"]?\s{{0,8}}(?:[:=]|-{{1,3}}>|=>)\s*|\s+|\s*\[\s*)['\"]?[\[(]?\s*{TENSOR}{VALUE}{AFTER}{MEAN}"
    r"|(?P<done>[0-9]+(?:\.[0-9]+)?)\s?/\s?(?P<all>[0-9]+)(?P<more>/[0-9]|[ ][0-9]{1,2}:[0-9]{2}:[0-9]{2})?"
    rf"|(?P<side_word>\b(?i:{'|'.join(SIDE_WORDS)})\b)"
)
SCRIPT = r"\S+\.(?:py|cpp|cc|cu|h|ipynb|log)\b\S*|\([a-z_.]+:[0-9]+\)"  # the place in the source, as loggers print it
SOURCES = r"\.(?:py|cpp|cc|cu|h|ipynb|log)\b|\([a-z_.]+:[0-9]"  # whether there is any
EVALUATION = "evaluation"  # a word for validation, unless another one names the set: evaluate:test
UNIT = 8  # letters of a unit right behind its number; more, and it is a word that begins with a digit
MULTIPLES = {"k": 1e3, "K": 1e3, "M": 1e6, "B": 1e9, "G": 1e9, "T": 1e12}  # tokens: 1.2B

LEADING = {"info", "debug", "warning", "error", "at", "in", "for", "on", "the", "of", "is", "and", "with", "after",
           "during", "end", "finished", "done", "result", "results", "current", "got", "has", "to", "from",
           "s.", "s", "ms", "sec", "seconds", "min", "it/s", "s/it", "batch/s", "batches/s", "steps/s"}  # fmt: skip
# Val acc is 86 %; lm loss value: 3.56; avg loss so far is 0.12
TRAILING = ("is", "was", "are", "of", "equals", "value", "so", "far")
ALIASES = {"s": "step", "trl": "train/loss", "tel": "val/loss", "tea": "val/acc"}  # llm.c
LLMC = ("trl", "tel")  # one of which is there where the aliases hold
LEARN, TEST = "learn", "test"  # CatBoost prints the loss that it lowers, or the score that it raises, by no other name
NUMBERED = re.compile(r"(?:_\d+)?'s\b")  # LightGBM's valid_1's binary_logloss, where there is but one such set
BARE = "bare"  # a name that is a side alone
BATCH = "batch"  # what 450/1000 [00:12<00:15] counts
EPOCHS = dict(AXES)["epoch"]
STEPS = tuple(word for word in dict(AXES)["step"] if word != BATCH)
ALONE = (
    "epoch",
    "step",
    "iteration",
    "iter",
    "num_timesteps",
    "timesteps",
)  # behind one more word they count all the same: Training Epoch: 3
NO_COUNT = {*NEVER, "per", "total", "last", "start", "end", "warmup", "of", "save", "log", "every", "max", "previous"}
LONGEST = 4  # words of the name of a score
MEASURED = {"throughput"}  # better when higher, and no score of the model


def pairs_in(lines: pl.DataFrame) -> pl.DataFrame:
    """row, name, spaced, value, of, mean, side_word, …: every pair of every line, and every word for a side."""
    import polars as pl

    line = pl.col("line")
    if lines["line"].str.contains(SOURCES).any():
        line = line.str.replace_all(SCRIPT, " ")
    fenced = (pl.col("odd") == "|") & (pl.col("unit") != "%")  # Epoch: 1| loss: 0.5, and no 25%|███ of a bar
    found = (
        lines.with_columns(line.str.extract_all(PAIR).alias("pair"))
        .drop("line")
        .filter(pl.col("pair").list.len() > 0)
        .explode("pair")
        .with_columns(pl.col("pair").str.extract_groups(PAIR).struct.unnest())
        .filter((pl.col("odd").is_null() | fenced) & pl.col("more").is_null())
        .filter(pl.col("unit").is_null() | (pl.col("unit").str.len_chars() <= UNIT))
    )  # fmt: skip
    count = pl.col("done").is_not_null()
    value = pl.when(count).then("done").otherwise("value").str.replace_all(",", "", literal=True)
    spaced = ~count & ~pl.col("sign").str.contains("[:=>\\[]")
    return found.select(
        "row",
        pl.when(count).then(pl.lit(BATCH)).otherwise("name").alias("name"),
        spaced.fill_null(value=False).alias("spaced"),
        (value.cast(pl.Float64, strict=False) * pl.col("unit").replace_strict(MULTIPLES, default=1.0)).alias("value"),
        pl.coalesce("of", "all").str.replace_all(",", "", literal=True).cast(pl.Float64, strict=False).alias("of"),
        pl.col("mean").cast(pl.Float64, strict=False),
        pl.col("side_word").str.to_lowercase(),
        (spaced & pl.col("next").is_not_null() & pl.col("value").str.contains(r"^\d+$")).alias("named_on"),
        (~count & pl.col("sign").str.contains(r"\[") & pl.col("of").is_not_null()).alias("counted"),
        pl.lit(value=False).alias("tabled"),
        (pl.col("value").str.contains("[.eE]") & (pl.col("unit") == "") & pl.col("of").is_null()).alias("fraction"),
    ).filter(
        pl.col("side_word").is_not_null()
        | (
            pl.col("value").is_not_null()
            & (pl.col("of").is_null() | (pl.col("name") != BATCH) | (pl.col("value") <= pl.col("of")))
        )
    )


def named(pairs: pl.DataFrame) -> pl.DataFrame:
    """The pairs with what they are, ``kind``: epoch, step, batch, axis, metric, known, other or side; without prose."""
    import polars as pl

    kinds = pairs.filter(pl.col("side_word").is_null()).select("name", "spaced").unique(maintain_order=True)
    aliases = _aliases(pairs, set(kinds["name"].to_list()))
    several = sum("'s " in name and name.startswith("valid") for name in kinds["name"].unique()) > 1
    table = []
    axes: dict[str, str] = {}  # Step and step are one column
    for name, spaced in kinds.rows():
        called = _called(aliases.get(name, name), spaced=spaced)
        if called:
            called = called.replace("'s ", " ") if several else NUMBERED.sub("", called)
            kind, what, side = _kind(called, aliases.get(name, name))
            if kind in ("epoch", "step"):
                called = axes.setdefault(plain(_bare_axis(called)), _bare_axis(called))
            table.append((name, spaced, called, kind, what, side))
    names = pl.DataFrame(
        table,
        schema={"name": pl.String, "spaced": pl.Boolean, "column": pl.String, "kind": pl.String, "what": pl.String,
                "side": pl.String},
        orient="row",
    )  # fmt: skip
    joined = _bare_sides(pairs.join(names, on=["name", "spaced"], how="left", maintain_order="left"))
    side_word = pl.col("side_word").is_not_null()
    accuracy = (pl.col("what") == "acc").fill_null(value=False)
    share = accuracy & (pl.col("of") > 0)  # Accuracy: 9820/10000
    worded = {word: EVALUATION if word.startswith("eval") else SIDE_OF[word] for word in SIDE_WORDS}
    wrong = (pl.col("kind") == "metric") & (pl.col("named_on") | pl.col("counted")) & ~accuracy
    run_on = (pl.col("kind") == "metric") & pl.col("named_on")
    return (
        joined.with_columns(
            pl.when(side_word).then(pl.lit("side")).otherwise("kind").alias("kind"),
            pl.when(side_word)
            .then(pl.col("side_word").replace_strict(worded, default=""))
            .otherwise("side")
            .alias("side"),
            pl.when(share).then(pl.col("value") / pl.col("of")).otherwise("value").alias("value"),
        )
        .filter(pl.col("kind").is_not_null() & ~wrong.fill_null(value=False) & ~run_on.fill_null(value=False))
        .with_columns(
            pl.when((pl.col("kind") == "other") & pl.col("tabled"))
            .then(pl.lit("known"))
            .otherwise("kind")
            .alias("kind")
        )
        .select("row", "column", "kind", "side", "value", "of", "mean")
    )


def _bare_sides(pairs: pl.DataFrame) -> pl.DataFrame:
    """``train 2.51 val 2.58``, ``Loss: 0.13, Validation: 0.09``: a side alone that names a number.

    It is a metric where its line has two of them, or a loss beside it; sizes, counts and seconds are none.
    """
    import polars as pl

    bare = (pl.col("kind") == BARE).fill_null(value=False)
    if not pairs.select(bare.any()).item():
        return pairs
    number = bare & pl.col("fraction")
    both = pl.col("side").filter(number).n_unique().over("row") > 1
    beside_a_loss = (
        ((pl.col("kind") == "metric") & pl.col("what").is_in(LOSSES)).fill_null(value=False).any().over("row")
    )
    otherwise = pl.when(~pl.col("spaced")).then(pl.lit("other"))  # what a blank separates is prose
    kind = pl.when(number & (both | beside_a_loss)).then(pl.lit("metric")).otherwise(otherwise)
    return pairs.with_columns(pl.when(bare).then(kind).otherwise("kind").alias("kind"))


def _aliases(pairs: pl.DataFrame, names: set[str]) -> dict[str, str]:
    """Short names that tools give to what they measure."""
    import polars as pl

    if not names.isdisjoint(LLMC):
        return ALIASES
    if rewards := earned(names):
        return {name: f"{name} reward" for name in rewards}
    if LEARN not in names or "iteration" not in names:
        return {}
    learnt = pairs.filter(pl.col("name") == LEARN)["value"]
    what = "score" if len(learnt) > 1 and learnt[-1] > learnt[0] else "loss"
    return {LEARN: f"train/{what}", TEST: f"test/{what}", "best": "best"}


def _called(name: str, *, spaced: bool) -> str:
    """The name of a column; empty for prose: what a blank separates from its number must be known by name."""
    parts = name.strip("./-").split(" ")
    while len(parts) > 1 and parts[0].lower() in LEADING:
        parts.pop(0)
    while len(parts) > 1 and parts[-1].lower() in TRAILING:
        spaced = spaced and parts[-1].lower() == "of"
        parts.pop()
    if len(parts) > 1 and plain(parts[-1]) in COUNTING and parts[-2].lower() not in NO_COUNT and spaced:
        return parts[-1]
    parts = _without_prose(parts)
    if any(part.lower() in PERPLEXITIES for part in parts):  # lm loss PPL
        parts = [part for part in parts if part.lower() not in QUANTITIES["loss"]]
    called = " ".join(parts)
    if not spaced or plain(called) in COUNTING or plain(called) in SINGLE_WORDS or is_side(called):
        return called
    for start in range(len(parts)):
        rest = " ".join(parts[start:])
        found = guess(rest)
        if (found is not None and len(found.extra) <= 1) or (
            found is None and start == len(parts) - 1 and _scored(rest)
        ):
            return rest
    return called if is_learning_rate(called) else ""


def _without_prose(parts: list[str]) -> list[str]:
    """``Adam is test acc`` from its last word for a side on, where what stands before it is prose."""
    sides = [i for i, part in enumerate(parts) if part.lower() in SIDE_OF]
    if not sides or not any(part.lower() in LEADING for part in parts[: sides[-1]]):
        return parts
    found = guess(" ".join(parts[sides[-1] :]))
    return parts[sides[-1] :] if found is not None and not found.extra else parts


def _bare_axis(called: str) -> str:
    """``Test Epoch`` counts what ``Epoch`` counts."""
    parts = called.split(" ")
    return parts[-1] if len(parts) > 1 and plain(parts[-1]) in ALONE else called


def _kind(called: str, name: str) -> tuple[str, str, str]:
    """(what a column is, the quantity of a loss or an accuracy, the side that its name gives)."""
    found = guess(called)
    side = _word_side(name.split(" ")) or next((SIDE_OF[word] for word in words(name) if word in SIDE_OF), "")
    word, last = plain(called), called.split(" ")
    if len(last) == 2 and plain(last[1]) in ALONE and last[0].lower() not in NO_COUNT:
        word = plain(last[1])
    if word == BATCH:
        return "batch", "", side
    if word in EPOCHS:
        return "epoch", "", side
    if word in STEPS:
        return "step", "", side
    if word in COUNTING:
        return "axis", "", side
    if found is not None or _scored(called) or "'s " in name:
        return "metric", "" if found is None else found.quantity, side
    if is_side(called):
        return BARE, "", side
    return ("known" if word in SINGLE_WORDS or is_learning_rate(called) else "other"), "", side


def _scored(called: str) -> bool:
    """Whether a name is that of a score or an error by which people judge, other than a loss or an accuracy."""
    terms = words(called)
    if len(terms) > LONGEST and guess(called) is None:  # prose with such a word in it
        return False
    named = bool(better(called)) or any(word.endswith("loss") for word in terms)  # logloss, mlogloss
    return named and MEASURED.isdisjoint(terms) and not any(word in NEVER for word in terms)


def _word_side(parts: list[str]) -> str:
    return next((SIDE_OF[part.lower()] for part in parts if part.lower() in SIDE_OF), "")
