"""Lines of numbers under known names, as trackers write a file per metric."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl


def number_lines(content: bytes, separator: str, header: bytes = b"") -> tuple[pl.DataFrame, int]:
    """(the columns as float64, null where a cell is empty or none, how many lines are torn).

    Args:
        content: of the file.
        separator: one character between the cells; there are no quotes.
        header: the first line, where the file does not have it; lines may be shorter.
    """
    import polars as pl

    whole = content[: content.rfind(b"\n") + 1]  # 1e-05 that was cut after its 1 would read as 1
    text = pl.read_csv(
        io.BytesIO(header + whole or b"\n"),
        separator=separator,
        quote_char=None,
        infer_schema=False,
        truncate_ragged_lines=True,
        raise_if_empty=False,
        encoding="utf8-lossy",
    )
    return text.select(pl.all().cast(pl.Float64, strict=False)), int(bool(content[len(whole) :].strip()))
