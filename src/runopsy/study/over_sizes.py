"""The table in which sizes are looked for: one that is given, or the last readings of runs beside what was set."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runopsy.comparison.configs import SEED
from runopsy.study.row import Row
from runopsy.study.scaling import Scaling, scaling_of
from runopsy.study.sizes import Sizes, sizes_of
from runopsy.study.tables import read_table

if TYPE_CHECKING:
    import polars as pl

MOST_FILES = 64  # of a folder that may be a table in parts, one a seed: a folder of more holds runs
FEWEST = 4  # trainings
NO_RUN = (None, "inconclusive")  # verdicts of rows that are sizes, and no steps


@dataclass(frozen=True, slots=True)
class OverSizes:
    """Tables whose rows are sizes, as they were given."""

    table: Any  # a polars frame
    paths: frozenset[str]  # of the files


def given(sources: Sequence[str]) -> OverSizes | None:
    """The tables over sizes among the sources, under each other where they have the same columns."""
    import polars as pl

    found = [(path, table) for path in _places(sources) if (table := _read(path)) is not None]
    if not found or any(table.columns != found[0][1].columns for _, table in found):
        return None
    tables = [table for _, table in found]
    if len(found) > 1 and not any(SEED.search(name) for name in tables[0].columns):
        tables = [table.with_columns(pl.lit(number).alias("seed")) for number, table in enumerate(tables)]
    files = {str(file) for path, _ in found for file in ([path, *path.iterdir()] if path.is_dir() else [path])}
    return OverSizes(pl.concat(tables, how="vertical_relaxed"), frozenset(files))


def without_tables(rows: Sequence[Row], over: OverSizes | None) -> list[Row]:
    """The rows that are runs: a table over sizes is none, where it is not read as several trainings."""
    if over is None:
        return list(rows)
    return [row for row in rows if row.path not in over.paths or not (row.verdict in NO_RUN or row.axis == "row")]


def of_runs(rows: Sequence[Row]) -> pl.DataFrame | None:
    """One row a run: its settings and the last reading of each signal; None where there are too few."""
    import polars as pl

    from runopsy.study.table import typed

    readings = dict.fromkeys(signal for row in rows for signal in row.readings)
    settings = dict.fromkeys(key for row in rows for key in row.settings if key not in readings)
    if len(rows) < FEWEST or not settings or not readings:
        return None
    columns = [typed(key, [row.settings.get(key) for row in rows]) for key in settings]
    columns += [
        pl.Series(signal, [row.readings.get(signal, {}).get("last") for row in rows], dtype=pl.Float64)
        for signal in readings
    ]
    return pl.DataFrame(columns)


def found_in(table: pl.DataFrame | None, size: str | None) -> tuple[Sizes | None, Scaling | None]:
    """What a table shows over sizes.

    Raises:
        BadOption: there is no such size.
    """
    if table is None:
        return None, None
    return sizes_of(table, size=size), scaling_of(table)


def _places(sources: Sequence[str]) -> list[Path]:
    """The files and small folders among the sources, and what patterns name."""
    named = [match for one in sources for match in (sorted(glob.glob(one)) if glob.has_magic(one) else [one])]
    return [Path(one) for one in dict.fromkeys(named) if _is_small(Path(one))][:MOST_FILES]


def _is_small(path: Path) -> bool:
    if path.is_dir():
        entries = list(path.iterdir())
        return len(entries) <= MOST_FILES and all(entry.is_file() for entry in entries)
    return path.is_file()


def _read(path: Path) -> pl.DataFrame | None:
    try:
        return read_table(path)
    except OSError:
        return None
