"""JSON lines: one object per row, keys that come and go, nested objects joined with slashes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from runopsy.errors import UnreadableLog
from runopsy.readers.json_shapes import flat, is_row_key
from runopsy.readers.numeric_text import listed
from runopsy.readers.run_selection import Found
from runopsy.readers.source import Source
from runopsy.readers.table_to_run import to_run

if TYPE_CHECKING:
    import polars as pl

MOSTLY = 0.5  # share of the lines that must be objects: a config printed at the top of a text log is no table
SAMPLE = 100  # lines looked at to recognise the format


def recognises(source: Source) -> bool:
    """Most lines are an object each. A single object with lists in it is a document, not a table."""
    if source.is_binary:
        return False
    lines = source.first_lines()[:SAMPLE]
    if not any(line.lstrip().startswith("{") for line in lines[:5]):
        return False
    rows = [row for line in lines if (row := row_of(line)) is not None]
    document = len(lines) == 1 and any(_is_of_a_document(name, value) for row in rows for name, value in flat(row))
    return bool(rows) and len(rows) >= MOSTLY * len(lines) and not document


def read(source: Source) -> Found:
    rows: list[dict[str, Any]] = []
    skipped = 0
    for line in filter(str.strip, source.text().split("\n")):
        row = row_of(line)
        if row is None:
            skipped += 1
        else:
            rows.append(row)
    notes = [f"{skipped} lines that are no JSON object were left out (a torn last line is usual)"] if skipped else []
    return rows_to_run(rows, source, notes)


def rows_to_run(rows: Iterable[Mapping[str, Any]], source: Source, notes: list[str]) -> Found:
    """The run, or the runs, that objects describe whose keys come and go.

    Raises:
        UnreadableLog: as ``to_run``, or they hold no value.
    """
    import polars as pl  # half a second: only who reads a table pays

    level = [dict(flat(row)) for row in rows]
    lists = dict.fromkeys(name for row in level for name, value in row.items() if isinstance(value, (list, dict)))
    level = [{name: value for name, value in row.items() if not isinstance(value, (list, dict))} for row in level]
    names = dict.fromkeys(name for row in level for name in row)  # in the order of their first appearance
    if not names:
        raise UnreadableLog(f"{source.name} has objects without a single value", hint="log numbers, not lists")
    if lists:
        notes.append(f"lists are no curves and were left out: {listed(lists)}")
    frame = pl.DataFrame([series(i, [row.get(name) for row in level]) for i, name in enumerate(names)])
    return to_run(frame, [utf8(name) for name in names], source, notes)


def _is_of_a_document(name: str, value: Any) -> bool:
    """Whether a value of a single object is of a table in it: a list, or keyed by the number of its row."""
    return isinstance(value, list) or any(map(is_row_key, name.split("/")))


def row_of(line: str) -> dict[str, Any] | None:
    """The object on a line; None where there is none. Bare NaN and Infinity are read as loggers write them."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def series(number: int, values: list[Any]) -> pl.Series:
    """Numbers where every value is one; text otherwise, for ``to_run`` to read what it can."""
    import polars as pl

    if all(v is None or isinstance(v, (int, float)) for v in values):
        return pl.Series(str(number), [None if v is None else _float(v) for v in values], dtype=pl.Float64)
    return pl.Series(str(number), [None if v is None else utf8(str(v)) for v in values], dtype=pl.String)


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:  # an integer beyond every float
        return float("inf") if value > 0 else float("-inf")


def utf8(text: str) -> str:
    r"""Text that can be written: half of a surrogate pair ("\ud800" is legal JSON) becomes a question mark."""
    return text.encode("utf-8", errors="replace").decode("utf-8")
