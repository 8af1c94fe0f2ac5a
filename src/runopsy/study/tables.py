"""A file whose rows are sizes, or trainings of several sizes → one table of numbers.

Such tables are written by hand or by a script of one study, so no two look alike: under any header, as a list of
records or of columns, with a column per seed or per noise level, with 70M for a count and 12 % for an error.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from runopsy.readers.dialect import Layout, is_remark, layout, split
from runopsy.readers.formats.delimited import numbers_alone, plain_bytes
from runopsy.readers.numeric_text import numbers_in
from runopsy.readers.source import Source
from runopsy.study.size_columns import A_LOG, FEWEST, SEEDS, UNITS, axis_column, numbers, outcome, size_kind
from runopsy.study.size_layout import layout_of
from runopsy.study.table_records import records

if TYPE_CHECKING:
    import polars as pl

LARGEST = 64 << 20  # bytes: no table of sizes is larger, and a log of that size is not read in vain
MOST_ROWS = 200_000  # likewise, of all epochs of all trainings

COUNT = re.compile(r"~?\s*(\d+(?:[.,]\d+)?)\s*([kKmMbBgGtT])(?:\s*(?:params?|parameters|tokens|examples))?")
POWER = re.compile(r"(?:10\s*\^|10\*\*)\s*(-?\d+(?:\.\d+)?)")
# A column per repetition or per level of a setting: test_loss_seed0, "Test MSE (noise=0.1)", sigma0.2_test_error
WIDE = re.compile(
    r"(?P<a>.*?)[\s_./(\[-]*(?P<key>[A-Za-z]+)[\s_=:-]*(?P<level>\d+(?:\.\d+)?)[)\]]*"
    r"(?P<b>(?:[\s_./-].*)?)"
)
NUMBERED = re.compile(r"(?P<a>.*\D)[\s_.-](?P<level>\d+)")


def read_table(path: str | Path) -> pl.DataFrame | None:
    """The table in a file, or in the files of a folder that hold one table each, such as one per seed.

    Args:
        path: of a CSV, TSV, JSON, JSON Lines or Parquet file, or of a folder of such files.

    Returns:
        One row per size, training, or training and epoch, with numbers where the file has numbers. None where it is
        no table over sizes: no column counts sizes, none is an outcome, or the rows are the course of one training.
    """
    path = Path(path)
    if path.is_dir():
        return _folder(path)
    table = _raw(path)
    if table is None:
        return None
    table = _long(table)
    return table if is_over_sizes(table) else None


def is_over_sizes(table: pl.DataFrame) -> bool:
    """Whether the rows of a table are trainings of different sizes, rather than the steps of one training."""
    if not FEWEST <= table.height <= MOST_ROWS or not any(outcome(name) for name in table.columns):
        return False
    counted = [name for name in table.columns if table[name].dtype.is_numeric() and size_kind(name)]
    found = layout_of(table)
    if found is not None:
        return not (found.kind in ("tokens", "examples") and _is_even(numbers(table[found.by])))
    return _is_plane(table, counted)


def _is_even(value: np.ndarray[Any, np.dtype[np.float64]]) -> bool:
    steps = np.diff(value)
    return len(value) > A_LOG and bool(np.ptp(steps) <= 1e-6 * np.abs(steps).max())


def _is_plane(table: pl.DataFrame, counted: Sequence[str]) -> bool:
    """Whether trainings differ in two sizes at once, as for a scaling law; and are no log of steps."""
    from runopsy.study.scaling_columns import columns_of

    axis = axis_column(table)
    return (
        len(counted) >= 2 and (axis is None or table[axis].n_unique() < table.height // 2) and bool(columns_of(table))
    )


def _folder(path: Path) -> pl.DataFrame | None:
    """The tables of a folder with the same columns under each other; a number in a file's name is its seed."""
    import polars as pl

    files = sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))
    tables = [(file, table) for file in files if (table := read_table(file)) is not None]
    if not tables or any(table.columns != tables[0][1].columns for _, table in tables):
        return None
    if len(tables) == 1 or any(name.lower() in SEEDS for name in tables[0][1].columns):
        return pl.concat([table for _, table in tables], how="vertical_relaxed")
    named = [table.with_columns(pl.lit(file.stem).alias(_differs(file.stem))) for file, table in tables]
    return pl.concat(named, how="vertical_relaxed")


def _differs(stem: str) -> str:
    """What the names of a folder's tables distinguish: seeds, unless another word stands before a number."""
    match = re.fullmatch(r"(.*?)[\s_.-]*\d+(?:\.\d+)?", stem)
    word = re.split(r"[\s_.-]", match[1].lower())[-1] if match else "table"
    return "seed" if word in SEEDS or word in ("", "results", "result", "sweep") else word or "table"


# --- bytes → rows --------------------------------------------------------------------------------


def _raw(path: Path) -> pl.DataFrame | None:
    """The rows of a file, cells that hold numbers as numbers; None where it is no table."""
    import polars as pl

    try:
        if path.stat().st_size > LARGEST:
            return None
        source = Source.from_file(path)
        if source.head.startswith(b"PAR1"):
            return pl.read_parquet(io.BytesIO(source.data()))
        if source.is_binary or source.is_empty:
            return None
        return _from_json(source.text()) if source.head.lstrip()[:1] in (b"{", b"[") else _from_cells(source)
    except (OSError, pl.exceptions.PolarsError):
        return None


def _from_cells(source: Source) -> pl.DataFrame | None:
    found = layout(source.first_lines())
    if found is None or not found.names:
        return None
    names = [name.strip() or f"column_{i + 1}" for i, name in enumerate(found.names)]
    plain = _plain(source, found) if len(set(names)) == len(names) else None
    if plain is not None:
        return plain.rename(dict(zip(plain.columns, names, strict=True)))
    lines = [line for line in source.text().split("\n") if line.strip()][found.above :]
    rows = [cells for cells, _ in split([line for line in lines if not is_remark(line)], found.separator)]
    whole = [cells for cells in rows if len(cells) == len(names) and "".join(cells).strip("-: ")]
    if len(set(names)) < len(names) or not whole:
        return None
    return _typed({name: [cells[i] for cells in whole] for i, name in enumerate(names)})


def _plain(source: Source, found: Layout) -> pl.DataFrame | None:
    """The rows of a file of nothing but numbers, as polars reads them: a log among few is looked at for sizes too."""
    data = plain_bytes(source, found)
    table = None if data is None else numbers_alone(data, found.separator, found.width, skip=1)
    return table if table is not None and not any(table.null_count().row(0)) else None


def _from_json(text: str) -> pl.DataFrame | None:
    try:
        document = json.loads(text)
    except ValueError:
        lines = [line for line in text.splitlines() if line.strip()]
        try:
            document = [json.loads(line) for line in lines]
        except ValueError:
            return None
    rows = list(records(document))
    names = list(dict.fromkeys(name for row in rows for name in row))
    return _typed({name: [row.get(name) for row in rows] for name in names}) if len(rows) >= FEWEST else None


def _typed(columns: Mapping[str, Sequence[Any]]) -> pl.DataFrame:
    """Columns of cells as numbers where most are numbers, as text otherwise."""
    import polars as pl

    text = {
        name: pl.Series(name, [None if cell is None else _cell(cell) for cell in cells], dtype=pl.String)
        for name, cells in columns.items()
    }
    found = numbers_in(text, [])
    return pl.DataFrame([text[name] if column is None else column.alias(name) for name, column in found.items()])


def _cell(cell: object) -> str:
    """A cell as text that reads as a number: 70M as 7e7, 10^6 as 1e6."""
    if isinstance(cell, bool):
        return str(cell).lower()
    written = str(cell).strip()
    if written[-1:].isalpha():  # most cells are plain numbers: they are neither
        match = COUNT.fullmatch(written)
        return repr(float(match[1].replace(",", ".")) * UNITS[match[2].lower()]) if match else written
    match = POWER.fullmatch(written) if written.startswith("10") else None
    return repr(10.0 ** float(match[1])) if match else written


# --- wide → long ---------------------------------------------------------------------------------


def _long(table: pl.DataFrame) -> pl.DataFrame:
    """A table with a column per seed, or per level of one setting, as one row for each of them."""
    import polars as pl

    wide: dict[str, dict[float, dict[str, str]]] = {}  # key → level → the outcome's own name → column
    for name in table.columns:
        part = _level(name)
        if part is not None:
            key, level, plain = part
            wide.setdefault(key, {}).setdefault(level, {})[plain] = name
    found = [(key, levels) for key, levels in wide.items() if len(levels) > 1]
    if len(found) != 1:
        return table
    key, levels = found[0]
    spread = {column for names in levels.values() for column in names.values()}
    kept = [name for name in table.columns if name not in spread]
    parts = [
        table.select(*kept, pl.lit(level).alias(key), *(pl.col(c).alias(plain) for plain, c in names.items()))
        for level, names in levels.items()
    ]
    return pl.concat(parts, how="diagonal_relaxed")


def _level(name: str) -> tuple[str, float, str] | None:
    """(setting, its level, the outcome's plain name) of a column that holds one level of a setting."""
    match = WIDE.fullmatch(name)
    if match is not None:
        plain = f"{match['a']}{match['b']}".strip(" _./-")
        if plain and outcome(plain) is not None and outcome(match["key"]) is None and match["key"].lower() != "top":
            key = match["key"].lower()
            return ("seed" if key in SEEDS or key in ("s", "r") else key), float(match["level"]), plain
    numbered = NUMBERED.fullmatch(name)
    if numbered is not None and outcome(numbered["a"].strip(" _./-")) is not None:
        return "seed", float(numbered["level"]), numbered["a"].strip(" _./-")
    return None
