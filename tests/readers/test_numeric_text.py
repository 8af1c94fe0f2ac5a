"""Text in cells: a number is read as what it says, and one that may say two things is not read."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runopsy.readers.numeric_text import is_number, listed, numbers_in, present, seconds_in, unread

FLOATS = st.floats(width=64)


def table(**columns: list[str | None]) -> dict[str, pl.Series]:
    """Columns of text, the shorter ones filled up."""
    rows = max(map(len, columns.values()))
    return {k: pl.Series([*cells, *[None] * (rows - len(cells))], dtype=pl.String) for k, cells in columns.items()}


def numbers(*cells: str | None, **others: list[str | None]) -> list[float | None] | None:
    """What is read from a column of these cells, in a table that has the others too."""
    found = numbers_in(table(x=list(cells), **others), [])["x"]
    return None if found is None else found.to_list()


@given(
    st.lists(
        st.tuples(FLOATS, st.sampled_from(["{!r}", "{:.17g}", "{:e}", " {!r} ", "{:+.17g}", "{:.20G}"])), min_size=1
    )
)
def test_a_number_in_any_writing_of_pythons_is_read_to_the_last_bit(pairs):
    cells = [form.format(value) for value, form in pairs]
    expected = [float(cell) for cell in cells]
    np.testing.assert_array_equal(np.array(numbers(*cells), dtype=float), expected)


@given(st.lists(st.one_of(FLOATS.map(repr), st.text(max_size=6), st.none()), min_size=1, max_size=30))
def test_a_column_is_read_cell_by_cell_as_python_would(cells):
    """The definition: what float() takes is that number, but for _ and digits of other scripts."""

    def plain(cell: str | None) -> float | None:
        if cell is None or "_" in cell or not cell.strip().isascii():
            return None
        try:
            return float(cell)
        except ValueError:
            return None

    if any(c in cell for cell in cells if cell for c in ",%()"):
        return
    found = numbers(*cells)
    expected = [plain(cell) for cell in cells]
    if found is None:
        assert sum(value is not None for value in expected) * 2 < max(
            1, sum(cell is not None for cell in cells)
        ) or all(value is None for value in expected)
    else:
        assert [None if v is None else repr(v) for v in found] == [None if v is None else repr(v) for v in expected]


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("tensor(0.31, device='cuda:0')", 0.31),
        ("tensor(2.3026, grad_fn=<NllLossBackward0>)", 2.3026),
        ("tensor(1.)", 1.0),
        ("tensor([0.5])", 0.5),
        ("np.float64(0.25)", 0.25),
        ("array(3.5, dtype=float32)", 3.5),
        ("93.5 %", 0.935),
        ("93.5%", 0.935),
        ("0.9%", 0.009),
        ("-1.5E-3", -0.0015),
        ("+7", 7.0),
        (".5", 0.5),
        ("5.", 5.0),
    ],
)
def test_the_dress_of_a_number_is_taken_off(cell, value):
    assert numbers(cell) == [pytest.approx(value, abs=0, rel=1e-15)]


@pytest.mark.parametrize(
    "cell",
    ["12:30:05", "0.5 (0.6)", "3/100", "1.2k", "1_000", "0x10", "1e", "--1", "1 2", "١", "1.2.3", "tensor([1, 2])",
     "5 %%", "2024-01-01", "1,2,3", "#REF!", "1..2", "one", "1'000", ".e-05", ".",
     ",", "e5"],
)  # fmt: skip
def test_what_is_no_number_is_not_read(cell):
    assert numbers(cell, "7", "8") == [None, 7, 8]
    assert not is_number(cell)


@pytest.mark.parametrize(
    ("cells", "others", "expected"),
    [
        (["0,5", "1,25"], {}, [0.5, 1.25]),
        (["0,5", "1,234"], {}, [0.5, 1.234]),  # one cell settles its column
        (["0,5", "1e-3", "7", "nan"], {}, [0.5, 0.001, 7, math.nan]),
        (["1,234", "5"], {"y": ["0.5"]}, [1234, 5]),  # the table settles it
        (["1,234", "5"], {"y": ["0,5"]}, [1.234, 5]),
        (["1,234,567", "1,234"], {}, [1234567, 1234]),
        (["1,234.5", "2"], {}, [1234.5, 2]),
        (["1.234,5", "0,5"], {}, [1234.5, 0.5]),
        (["1.234.567,5", "0,5"], {}, [1234567.5, 0.5]),
        (["1.234", "2.345"], {}, [1.234, 2.345]),  # three decimals are three decimals
        (["1.234", "2.345"], {"y": ["1,5 apples"]}, [1.234, 2.345]),
        (["2.303", "0.5"], {"y": ["0,5"]}, [2.303, 0.5]),
    ],
)
def test_the_decimal_sign_is_the_one_that_is_proven(cells, others, expected):
    np.testing.assert_array_equal(numbers(*cells, **others), expected)


@pytest.mark.parametrize(
    ("cells", "others"),
    [
        (["1,234", "2,345"], {}),  # nothing settles it
        (["1,234", "2,345"], {"y": ["0,5"], "z": ["0.5"]}),  # the table contradicts itself
        (["0,5", "0.5", "1,5", "1.5"], {}),  # the column contradicts itself
        (["1.000", "2.000"], {"y": ["0,5"]}),  # a thousand in German, one in English
    ],
)
def test_numbers_that_may_be_either_are_left_out_and_said(cells, others):
    notes: list[str] = []
    assert numbers_in(table(steps=cells, **others), notes)["steps"] is None
    assert any("two things" in note and "steps" in note for note in notes)


def test_a_column_half_of_text_is_a_column_and_more_is_none():
    assert numbers("1", "2", "x", "y") == [1, 2, None, None]
    assert numbers("1", "x", "y") is None
    assert numbers("", "none", None) is None


def test_numbers_booleans_and_dates_of_parquet_come_as_they_are():
    columns = {"i": pl.Series([1, None]), "b": pl.Series([True, False]), "d": pl.Series([0, 1]).cast(pl.Date)}
    found = numbers_in(columns, [])
    assert (found["i"].to_list(), found["b"].to_list(), found["d"]) == ([1.0, None], [1.0, 0.0], None)


def test_words_for_nothing_are_nothing_and_counted_by_nobody():
    column = pl.Series(["1", " N/A ", "", "oops", None, "NULL"])
    read = numbers_in({"x": column}, [])["x"]
    assert unread(column, read) == 1
    assert present(column).to_list() == ["1", None, None, "oops", None, None]


@pytest.mark.parametrize(
    ("cells", "seconds"),
    [
        (["1970-01-01", "1970-01-02"], [0, 86400]),
        (["1970-01-01 00:00:01", "1970-01-01T00:01"], [1, 60]),
        (["1970-01-01T00:00:01.5Z", "1970-01-01 01:00:00+01:00"], [1.5, 0]),
        (["1970-01-01 00:00:01,250", "1970-01-01 00:00:02 UTC"], [1.25, 2]),
        (["1970-01-01", "yesterday", None], [0, None, None]),
        (["1970-13-01", "1970-01-01"], [None, 0]),
    ],
)
def test_iso_dates_are_unix_seconds(cells, seconds):
    assert seconds_in(pl.Series(cells)).to_list() == seconds


@pytest.mark.parametrize("cells", [["01/02/2024"], ["12:30:05"], ["20240102"], ["5"], ["Jan 4"], [""]])
def test_anything_else_is_no_date(cells):
    found = seconds_in(pl.Series(cells))
    assert found is None or found.null_count() == len(cells)


def test_dates_of_parquet_are_unix_seconds():
    assert seconds_in(pl.Series([0, 1]).cast(pl.Date)).to_list() == [0, 86400]
    assert seconds_in(pl.Series([1500]).cast(pl.Datetime("ms"))).to_list() == [1.5]
    assert seconds_in(pl.Series([1.5])) is None


@settings(max_examples=50)
@given(st.lists(st.text(max_size=200), max_size=40))
def test_a_list_of_names_stays_short(names):
    assert len(listed(names)) < 5 * 42 + 20
