"""Columns of numbers without gaps, held in NumPy: a log that is nothing but numbers is read without polars.

Loading polars takes longer than reading and judging a small log. A column here answers to those names of a polars
series that readers use on numbers, and to no others.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import polars as pl

MOST_BYTES = 2_000_000  # of a file that NumPy reads sooner than polars is loaded: both take .1 s there, measured


class NumberColumn:
    """A number in every row. ``values`` are float64, or the answers of a question about each row."""

    def __init__(self, values: NDArray[Any]) -> None:
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: Any) -> Any:
        found = self.values[rows]
        return NumberColumn(found) if isinstance(found, np.ndarray) else float(found)

    def __and__(self, other: NumberColumn) -> NumberColumn:
        return NumberColumn(self.values & other.values)

    def to_numpy(self) -> NDArray[Any]:
        return self.values

    def is_null(self) -> NumberColumn:
        return NumberColumn(np.zeros(len(self), dtype=bool))

    def is_not_null(self) -> NumberColumn:
        return NumberColumn(np.ones(len(self), dtype=bool))

    def null_count(self) -> int:
        return 0

    def count(self) -> int:
        return len(self)

    def any(self) -> bool:
        return bool(self.values.any())

    def n_unique(self) -> int:
        return len(np.unique(self.values))

    def drop_nulls(self) -> NumberColumn:
        return self

    def forward_fill(self) -> NumberColumn:
        return self

    def backward_fill(self) -> NumberColumn:
        return self

    def reverse(self) -> NumberColumn:
        return NumberColumn(self.values[::-1])

    def gather(self, rows: NDArray[np.int64]) -> NumberColumn:
        return NumberColumn(self.values[rows])


class NumberTable(NamedTuple):
    """Columns of numbers, as long as each other."""

    rows: NDArray[np.float64]  # (height, width)

    @property
    def height(self) -> int:
        return len(self.rows)

    @property
    def width(self) -> int:
        return int(self.rows.shape[1])

    def get_columns(self) -> list[Any]:
        return [NumberColumn(np.ascontiguousarray(column)) for column in self.rows.T]

    def to_polars(self) -> pl.DataFrame:
        import polars as pl

        return pl.DataFrame({str(i): column for i, column in enumerate(self.rows.T)})


def whole(frame: pl.DataFrame) -> NumberTable | None:
    """What polars has read, as NumPy would have; None where a cell holds no number."""
    rows = frame.to_numpy(order="c")
    return None if np.isnan(rows).any() else NumberTable(rows)


def is_numbers(column: object) -> TypeGuard[NumberColumn]:
    """Whether a column of a table is one of numbers, held in NumPy."""
    return isinstance(column, NumberColumn)


def is_small(data: bytes) -> bool:
    """Whether a file is so small that NumPy reads it sooner than polars is loaded."""
    return 0 < len(data) <= MOST_BYTES


def parse(data: bytes, separator: str, width: int) -> NumberTable | None:
    """The rows below the one header line, where every cell of every row is a number; None elsewhere."""
    lines = data.count(b"\n") - 1
    if not is_small(data) or lines < 1 or not data.partition(b"\n")[2].strip():
        return None
    try:
        rows = np.loadtxt(io.BytesIO(data), delimiter=separator, skiprows=1, comments=None, ndmin=2)
    except ValueError:  # a cell that is no number, or none; a row of another length
        return None
    return NumberTable(rows) if rows.shape == (lines, width) else None
