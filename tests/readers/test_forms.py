"""One run in every form it may come in: the same tracks."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Mapping

import numpy as np
import polars as pl
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from runopsy.model import Run, Track
from runopsy.readers import _read_source
from runopsy.readers.axes import AXES, plain
from runopsy.readers.multi_run_tables import RUN_NAMES
from runopsy.readers.numeric_text import is_number
from runopsy.readers.source import Source
from runopsy.readers.table_to_run import LONG_NAMES, LONG_VALUES, SIDE_NAMES

Table = Mapping[str, list[float | None]]  # a column of steps, and metrics with gaps

SPECIAL = {word for _, words in AXES for word in words} | {*LONG_NAMES, *LONG_VALUES, *SIDE_NAMES, *RUN_NAMES}
NAMES = st.one_of(
    st.sampled_from(
        ["train/loss", "val_loss", "acc (%)", "Prüfverlust", "a, b", 'say "x"', "a;b", "a|b", "a\tb", "1st", "#3"]
    ),
    st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=8),
).filter(lambda name: plain(name) not in SPECIAL and not name.startswith("#") and not is_number(name))
VALUES = st.one_of(st.none(), st.floats(width=64), st.integers(-1000, 1000).map(float))


@st.composite
def tables(draw: st.DrawFn) -> Table:
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique_by=lambda name: " ".join(name.split())))
    rows = draw(st.integers(2, 12))
    gaps = draw(st.lists(st.integers(1, 5), min_size=rows, max_size=rows))
    table: dict[str, list[float | None]] = {"step": [float(s) for s in np.cumsum(gaps)]}
    for name in names:
        table[name] = draw(st.lists(VALUES, min_size=rows, max_size=rows))
    assume(any(value is not None for name in names for value in table[name]))
    return table


def _number(value: float | None) -> str:
    return "" if value is None else repr(value)


def as_text(separator: str) -> Callable[[Table], bytes]:
    def write(table: Table) -> bytes:
        out = io.StringIO()
        writer = csv.writer(out, delimiter=separator, lineterminator="\n")
        writer.writerow(table)
        writer.writerows([*map(_number, row)] for row in zip(*table.values(), strict=True))
        return out.getvalue().encode()

    return write


def as_json_lines(table: Table) -> bytes:
    rows = [dict(zip(table, row, strict=True)) for row in zip(*table.values(), strict=True)]
    kept = [{name: value for name, value in row.items() if value is not None} for row in rows]
    return "".join(json.dumps(row) + "\n" for row in kept).encode()


def as_parquet(table: Table) -> bytes:
    out = io.BytesIO()
    pl.DataFrame(table, schema=dict.fromkeys(table, pl.Float64)).write_parquet(out)
    return out.getvalue()


def as_long(write: Callable[[pl.DataFrame], bytes]) -> Callable[[Table], bytes]:
    def long(table: Table) -> bytes:
        rows = [
            (step, name, value)
            for i, step in enumerate(table["step"])
            for name, column in table.items()
            if name != "step" and (value := column[i]) is not None
        ]
        return write(
            pl.DataFrame(rows, schema={"step": pl.Float64, "metric": pl.String, "value": pl.Float64}, orient="row")
        )

    return long


def _long_csv(frame: pl.DataFrame) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(frame.columns)
    writer.writerows([_number(s), n, _number(v)] for s, n, v in frame.rows())
    return out.getvalue().encode()


def _long_parquet(frame: pl.DataFrame) -> bytes:
    out = io.BytesIO()
    frame.with_columns(pl.col("metric").cast(pl.Categorical)).write_parquet(out)
    return out.getvalue()


WIDE = {",": as_text(","), "tab": as_text("\t"), ";": as_text(";"), "|": as_text("|"), "jsonl": as_json_lines,
        "parquet": as_parquet}  # fmt: skip
LONG = {
    "csv": as_long(_long_csv),
    "jsonl": as_long(lambda frame: "".join(json.dumps(row) + "\n" for row in frame.to_dicts()).encode()),
    "parquet": as_long(_long_parquet),
    "grouped": as_long(lambda frame: _long_csv(frame.sort("metric", maintain_order=True))),
}


def tracks(content: bytes) -> dict[str, Track]:
    run: Run = _read_source(Source.from_bytes("log", content))
    assert run.axis == "step"
    return dict(run.tracks)


def expected(table: Table) -> dict[str, tuple[list[float], list[float]]]:
    found = {}
    for name, column in table.items():
        filled = [(step, value) for step, value in zip(table["step"], column, strict=True) if value is not None]
        if name != "step" and filled:
            found[" ".join(name.split())] = ([s for s, _ in filled], [v for _, v in filled])
    return found


def agree(found: Mapping[str, Track], wanted: Mapping[str, tuple[list[float], list[float]]]) -> None:
    assert set(found) == set(wanted)
    for name, (step, value) in wanted.items():
        np.testing.assert_array_equal(found[name].step, step)
        np.testing.assert_array_equal(found[name].value, value)
        assert found[name].session is None
        assert found[name].unread == 0


@settings(max_examples=60)
@given(tables(), st.sampled_from(sorted(WIDE)))
def test_a_wide_table_has_the_same_tracks_in_every_format(table, form):
    agree(tracks(WIDE[form](table)), expected(table))


@settings(max_examples=60)
@given(tables(), st.sampled_from(sorted(LONG)))
def test_a_long_table_has_the_tracks_of_the_wide_one(table, form):
    placed = {s for i, s in enumerate(table["step"]) for n, c in table.items() if n != "step" and c[i] is not None}
    assume(len(placed) > 1)  # one step alone counts nothing
    agree(tracks(LONG[form](table)), expected(table))


@settings(max_examples=40)
@given(tables(), st.randoms(use_true_random=False))
def test_the_order_of_the_columns_does_not_matter(table, dice):
    names = list(table)
    dice.shuffle(names)
    agree(tracks(as_text(",")({name: table[name] for name in names})), expected(table))


def test_decimals_after_a_comma_are_the_same_run():
    table: Table = {"step": [1, 2, 3], "loss": [0.5, 0.25, 1.125], "acc": [0.1, None, math.nan]}
    german = as_text(";")(table).replace(b".", b",")
    agree(tracks(german), expected(table))
