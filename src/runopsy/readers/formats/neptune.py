"""Neptune: the Parquet files that neptune-exporter writes, some parts per run, a row per value of any attribute."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from runopsy.errors import UnreadableLog
from runopsy.model import Run
from runopsy.readers.formats.columnar import MAGIC
from runopsy.readers.run_selection import Candidate, Found, named
from runopsy.readers.scalars import NONE, Scalars, to_run
from runopsy.readers.source import Source
from runopsy.readers.tracker_files import inside

if TYPE_CHECKING:
    import polars as pl
    import pyarrow as pa

SERIES, SUFFIX = "float_series", ".parquet"
COLUMNS = ("run_id", "attribute_path", "attribute_type", "step", "timestamp", "float_value")
SINGLE = {"float": "float_value", "int": "int_value", "string": "string_value", "bool": "bool_value"}  # configuration
TEXT = ("run_id", "attribute_path", "attribute_type", "string_value")
OWN = ("sys/", "monitoring/")  # attributes that Neptune sets itself


def recognises(source: Source) -> bool:
    """Such a file, or a folder of them."""
    if source.is_folder:
        return any(_is_part(entry) for entry in source.entries if entry.suffix == SUFFIX)
    return source.head.startswith(MAGIC) and _has_columns(source.data() if source.path is None else source.path)


def read(source: Source) -> Found:
    """The run, or the runs, each of all the parts that it was exported in."""
    parts: list[Path | bytes] = [source.data() if source.path is None else source.path]
    if source.is_folder:
        assert source.path is not None  # a folder has one
        parts = [entry for entry in inside(source.path) if _is_part(entry)]
    runs: dict[str, list[Path | bytes]] = {}
    for part in parts:
        for run in _table(part, source.name, ["run_id"])["run_id"].drop_nulls().unique(maintain_order=True).to_list():
            runs.setdefault(str(run), []).append(part)
    if not runs:
        raise UnreadableLog(f"{source.name} holds no run", hint="the export is empty")
    if len(runs) == 1:
        return _load(*next(iter(runs.items())), source.name)
    return tuple(_candidates(runs, source.name))


def _candidates(runs: dict[str, list[Path | bytes]], place: str) -> Iterator[Candidate]:
    for run, parts in runs.items():
        yield Candidate(run, partial(_load_one, run, parts, place))


def _load_one(run: str, parts: list[Path | bytes], place: str) -> Run:
    return named(_load(run, parts, place), run, place)


def _is_part(entry: Path) -> bool:
    return entry.suffix == SUFFIX and entry.is_file() and _has_columns(entry)


def _has_columns(part: Path | bytes) -> bool:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(io.BytesIO(part) if isinstance(part, bytes) else part) as file:
            return set(COLUMNS) <= set(file.schema_arrow.names)
    except (pa.ArrowException, OSError, ValueError, MemoryError, OverflowError):
        return False


def _table(part: Path | bytes, name: str, columns: Iterable[str]) -> pl.DataFrame:
    """Some columns of a part: numbers as float64, times as unix seconds, text as text.

    By pyarrow: what polars does with a damaged file, or with text that is none, is a panic, which no one can
    catch as an error.

    Raises:
        UnreadableLog: it is damaged.
    """
    import polars as pl
    import pyarrow as pa
    import pyarrow.parquet as pq

    data = part if isinstance(part, bytes) else part.read_bytes()
    try:
        with pq.ParquetFile(io.BytesIO(data), page_checksum_verification=True) as file:
            there = [column for column in columns if column in file.schema_arrow.names]
            table = file.read(columns=there)
        table.validate(full=True)
        return pl.DataFrame({column: _plain(table[column], column in TEXT) for column in there})
    except (pa.ArrowException, OSError, ValueError, MemoryError, OverflowError) as cause:
        raise UnreadableLog(f"{name} is a damaged Parquet file", hint="export it again") from cause


def _plain(column: pa.ChunkedArray, is_text: bool) -> pl.Series:
    """A column as what it is to be, null where it is something else."""
    import polars as pl
    import pyarrow as pa

    kind = column.type
    if pa.types.is_timestamp(kind):
        micro = pl.Series(pl.from_arrow(column.cast(pa.timestamp("us"), safe=False).cast(pa.int64())))
        return micro.cast(pl.Float64) / 1e6
    if pa.types.is_decimal(kind):
        column = column.cast(pa.float64())
    return pl.Series(pl.from_arrow(column)).cast(pl.String if is_text else pl.Float64, strict=False)


def _load(run: str, parts: list[Path | bytes], place: str) -> Run:
    """The float series of a run, in the order of their times; its single values are its configuration."""
    import polars as pl

    wanted = dict.fromkeys((*COLUMNS, *SINGLE.values()))
    table = pl.concat([_table(part, place, wanted) for part in parts], how="diagonal").filter(pl.col("run_id") == run)
    series = table.filter((pl.col("attribute_type") == SERIES) & pl.col("float_value").is_not_null())
    timed = series.height > 0 and not series["timestamp"].null_count()
    seconds = series["timestamp"].to_numpy() if timed else None
    step = series["step"].fill_null(np.nan).to_numpy()
    path = series["attribute_path"].fill_null("")
    names = path.unique(maintain_order=True).to_list()
    codes = {name: i for i, name in enumerate(names)}
    which = path.replace_strict(codes, return_dtype=pl.Int64).to_numpy() if names else NONE
    value = series["float_value"].to_numpy()
    order = np.arange(len(value)) if seconds is None else np.argsort(seconds, kind="stable")
    time = None if seconds is None else seconds[order]
    found = Scalars(names, which[order], step[order], time, value[order])
    return to_run(found, place, run, config=dict(_config(table)))


def _config(table: pl.DataFrame) -> Iterator[tuple[str, Any]]:
    """The attributes with a single value, without those that Neptune sets itself."""
    for kind, column in SINGLE.items():
        rows = table.filter(table["attribute_type"] == kind)
        if column in rows.columns:
            pairs = zip(rows["attribute_path"].to_list(), rows[column].to_list(), strict=True)
            yield from ((name, value) for name, value in pairs if name is not None and not name.startswith(OWN))
