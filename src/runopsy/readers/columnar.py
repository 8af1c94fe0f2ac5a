"""Parquet tables, wide or long."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from runopsy.errors import UnreadableLog
from runopsy.model import Run
from runopsy.readers.frames import to_run
from runopsy.readers.source import Source

if TYPE_CHECKING:
    import polars as pl

MAGIC = b"PAR1"


def recognises(source: Source) -> bool:
    return source.head.startswith(MAGIC)


def read(source: Source) -> Run:
    import polars as pl  # half a second: only who reads a table pays

    try:
        frame = pl.read_parquet(source.path if source.path is not None else io.BytesIO(source.data()))
    except (pl.exceptions.PolarsError, OSError, ValueError) as cause:
        raise UnreadableLog(
            f"{source.name} is a Parquet file that cannot be read: {_first_line(cause)}",
            hint="it was cut short or is still being written; Parquet has no table until its writer is closed",
        ) from cause
    return to_run(_scalars_only(frame), source, [])


def _scalars_only(frame: pl.DataFrame) -> pl.DataFrame:
    """Without columns of lists, structs or bytes: none of them is a curve."""
    import polars as pl

    return frame.select([c for c in frame.columns if not frame.schema[c].is_nested() and frame.schema[c] != pl.Binary])


def _first_line(cause: Exception) -> str:
    return str(cause).splitlines()[0] if str(cause) else type(cause).__name__
