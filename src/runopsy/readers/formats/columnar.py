"""Parquet tables, wide or long."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, BinaryIO

from runopsy.errors import UnreadableLog
from runopsy.readers.run_selection import Found
from runopsy.readers.source import Source
from runopsy.readers.table_to_run import to_run

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

MAGIC = b"PAR1"  # at either end of the file


def recognises(source: Source) -> bool:
    return source.head.startswith(MAGIC)


def read(source: Source) -> Found:
    """The table, by pyarrow: what polars does with a damaged file may be a panic, which no one can catch as an error.

    It is read, never mapped: a mapped file that is cut meanwhile takes the process with it.
    """
    import pyarrow as pa  # two tenths of a second: only who reads a table pays
    import pyarrow.parquet as pq

    if not _has_an_end(source):
        raise UnreadableLog(
            f"{source.name} is a Parquet file without its end",
            hint="it was cut short or is still being written; Parquet has no table until its writer is closed",
        )
    try:
        with (
            _opened(source) as bytes_,
            pq.ParquetFile(bytes_, page_checksum_verification=True, pre_buffer=False) as file,
        ):
            table = file.read()
        table.validate(full=True)  # text that is none makes polars panic
        frame, names = _frame(table)
    except (pa.ArrowException, OSError, ValueError, MemoryError, OverflowError) as cause:
        raise UnreadableLog(
            f"{source.name} is a damaged Parquet file: {_first_line(cause)}",
            hint="copy or export it again",
        ) from cause
    if not frame.width:
        raise UnreadableLog(
            f"{source.name} has no column of plain numbers", hint="runopsy reads flat columns; unnest them first"
        )
    run = to_run(frame, names, source, [])
    del frame
    pa.default_memory_pool().release_unused()  # steps as integers, as large as the steps the run has now
    return run


def _opened(source: Source) -> BinaryIO:
    """The file itself: holding its bytes beside its columns would double what a long log needs."""
    return io.BytesIO(source.data()) if source.path is None else source.path.open("rb")


def _has_an_end(source: Source) -> bool:
    with _opened(source) as file:
        size = file.seek(0, io.SEEK_END)
        file.seek(max(0, size - len(MAGIC)))
        return size >= 2 * len(MAGIC) and file.read() == MAGIC


def _frame(table: pa.Table) -> tuple[pl.DataFrame, list[str]]:
    """The columns that may be a curve, an axis or a name (no lists, structs or bytes), and what they are called."""
    import polars as pl
    import pyarrow as pa

    def plain(kind: pa.DataType) -> bool:
        return bool(
            pa.types.is_integer(kind)
            or pa.types.is_floating(kind)
            or pa.types.is_boolean(kind)
            or pa.types.is_decimal(kind)
            or pa.types.is_string(kind)
            or pa.types.is_large_string(kind)
            or pa.types.is_date(kind)
            or pa.types.is_timestamp(kind)
        )

    names: list[str] = []
    series = []
    for name, column in zip(table.column_names, table.columns, strict=True):
        values = column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
        if pa.types.is_decimal(values.type) or pa.types.is_float16(values.type):
            values = values.cast(pa.float64())
        if plain(values.type):
            series.append(pl.Series(str(len(names)), pl.from_arrow(values)))
            names.append(name)
    return pl.DataFrame(series), names


def _first_line(cause: Exception) -> str:
    return str(cause).splitlines()[0] if str(cause) else type(cause).__name__
