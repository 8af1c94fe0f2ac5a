"""Rows → a table: one column for everything that was found, and one for every setting."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from runopsy.study.row import Row

if TYPE_CHECKING:
    import polars as pl

SETTING = "settings."  # before the name of a setting that is called as a column is
FOUND = ("path", "run", "id", "verdict", "confidence", "why", "axis", "first", "last", "status", "phases", "events",
         "best_step", "best_signal", "best", "at_end", "seconds")  # fmt: skip


def frame(rows: Sequence[Row]) -> pl.DataFrame:
    """One row a run, in their order; lists of phases and events as JSON; each setting under its own dotted name."""
    import polars as pl

    text, number = pl.String, pl.Float64
    kinds = dict.fromkeys(FOUND, text) | dict.fromkeys(
        ("confidence", "first", "last", "best_step", "best", "at_end", "seconds"), number
    )
    found = [_found(row) for row in rows]
    columns = [pl.Series(name, [line[name] for line in found], dtype=kinds[name], strict=False) for name in FOUND]
    readings = dict.fromkeys((signal, part) for row in rows for signal, about in row.readings.items() for part in about)
    columns += [
        pl.Series(f"{signal} {part}", [row.readings.get(signal, {}).get(part) for row in rows], dtype=number)
        for signal, part in readings
        if part in ("best", "step", "last")
    ]
    names = column_names(rows)
    columns += [typed(column, [row.settings.get(key) for row in rows]) for key, column in names.items()]
    return pl.DataFrame(columns)


def column_names(rows: Sequence[Row]) -> dict[str, str]:
    """Setting → the column it has in the table."""
    keys = dict.fromkeys(key for row in rows for key in row.settings)
    readings = {f"{signal} {part}" for row in rows for signal, about in row.readings.items() for part in about}
    return {key: f"{SETTING}{key}" if key in FOUND or key in readings or key == "row" else key for key in keys}


def _found(row: Row) -> Mapping[str, Any]:
    return row.scalars | {
        "axis": row.axis,
        "status": row.status,
        "phases": json.dumps(row.phases, ensure_ascii=False),
        "events": json.dumps(row.events, ensure_ascii=False),
        "at_end": (row.best or {}).get("last"),
    }


def typed(name: str, values: Sequence[Any]) -> pl.Series:
    """One column of one kind: truth values, numbers, or else text."""
    import polars as pl

    there = [value for value in values if value is not None]
    if there and all(isinstance(value, bool) for value in there):
        return pl.Series(name, values, dtype=pl.Boolean)
    if there and all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in there):
        whole = all(isinstance(value, int) and abs(value) < 2**63 for value in there)
        return pl.Series(name, values, dtype=pl.Int64 if whole else pl.Float64, strict=False)
    return pl.Series(name, [None if value is None else str(value) for value in values], dtype=pl.String)
