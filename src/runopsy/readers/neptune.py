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
from runopsy.readers.candidates import Candidate, Found, named
from runopsy.readers.cells import seconds_in
from runopsy.readers.columnar import MAGIC
from runopsy.readers.places import inside
from runopsy.readers.scalars import Scalars, to_run
from runopsy.readers.source import Source

if TYPE_CHECKING:
    import polars as pl

    from runopsy.model import Values

SERIES, SUFFIX = "float_series", ".parquet"
COLUMNS = ("run_id", "attribute_path", "attribute_type", "step", "timestamp", "float_value")
SINGLE = {"float": "float_value", "int": "int_value", "string": "string_value", "bool": "bool_value"}  # configuration
OWN = ("sys/", "monitoring/")  # attributes that Neptune sets itself


def recognises(source: Source) -> bool:
    """Such a file, or a folder of them."""
    if source.is_folder:
        return any(_is_part(entry) for entry in source.entries() if entry.suffix == SUFFIX)
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
    """Some columns of a part, by pyarrow: what polars does with a damaged file may be a panic.

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
            return pl.DataFrame(pl.from_arrow(file.read(columns=there)))
    except (pa.ArrowException, OSError, ValueError, MemoryError, OverflowError, pl.exceptions.PolarsError) as cause:
        raise UnreadableLog(f"{name} is a damaged Parquet file", hint="export it again") from cause


def _load(run: str, parts: list[Path | bytes], place: str) -> Run:
    """The float series of a run, in the order of their times; its single values are its configuration."""
    import polars as pl

    wanted = (*COLUMNS, *SINGLE.values())
    tables = [
        _table(part, place, dict.fromkeys(wanted)).filter(pl.col("run_id").cast(pl.String) == run) for part in parts
    ]
    table = pl.concat(tables, how="diagonal_relaxed")
    series = table.filter((pl.col("attribute_type") == SERIES) & pl.col("float_value").is_not_null())
    seconds = _seconds(series["timestamp"])
    step = series["step"].cast(pl.Float64).fill_null(np.nan).to_numpy()
    names = series["attribute_path"].cast(pl.String).fill_null("").unique(maintain_order=True)
    which = series["attribute_path"].cast(pl.String).fill_null("").replace_strict(
        names, pl.Series(range(len(names))), return_dtype=pl.Int64
    ).to_numpy()  # fmt: skip
    value = series["float_value"].cast(pl.Float64).to_numpy()
    order = np.arange(len(value)) if seconds is None else np.argsort(seconds, kind="stable")
    time = None if seconds is None else seconds[order]
    found = Scalars(names.to_list(), which[order], step[order], time, value[order])
    return to_run(found, place, run, config=dict(_config(table)))


def _seconds(timestamps: pl.Series) -> Values | None:
    """Unix seconds; None where a value has none."""
    found = seconds_in(timestamps)
    return None if found is None or found.null_count() else found.to_numpy()


def _config(table: pl.DataFrame) -> Iterator[tuple[str, Any]]:
    """The attributes with a single value, without those that Neptune sets itself."""
    for kind, column in SINGLE.items():
        rows = table.filter(table["attribute_type"] == kind) if column in table.columns else table.clear()
        for name, value in zip(
            rows["attribute_path"].to_list(), rows[column].to_list() if rows.height else (), strict=True
        ):
            if name is not None and not name.startswith(OWN):
                yield name, value
