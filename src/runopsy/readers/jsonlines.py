"""JSON lines: one object per row, keys that come and go, nested objects joined with slashes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from runopsy.errors import UnreadableLog
from runopsy.model import Run
from runopsy.readers.frames import to_run
from runopsy.readers.source import Source

if TYPE_CHECKING:
    import polars as pl


def recognises(source: Source) -> bool:
    """The first line that looks like an object is one by itself."""
    if source.is_binary:
        return False
    for line in source.first_lines(5):
        if line.lstrip().startswith("{"):
            return _object(line) is not None
    return False


def read(source: Source) -> Run:
    import polars as pl  # half a second: only who reads a table pays

    rows: list[dict[str, Any]] = []
    skipped = 0
    for line in source.text().splitlines():
        row = _object(line)
        if row is None:
            skipped += bool(line.strip())
        else:
            rows.append(dict(_flat(row)))
    if not rows:
        raise UnreadableLog(f"{source.name} holds no JSON object", hint="each line should be one object")
    notes = [f"{skipped} lines that are no JSON object were left out (a torn last line is usual)"] if skipped else []
    names = dict.fromkeys(name for row in rows for name in row)  # in the order of their first appearance
    frame = pl.DataFrame([_series(name, [row.get(name) for row in rows]) for name in names])
    return to_run(frame, source, notes)


def _object(line: str) -> dict[str, Any] | None:
    """The object on a line; None where there is none. Bare NaN and Infinity are read as loggers write them."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _flat(row: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Nested objects as ``outer/inner``; lists are no scalars and are left out."""
    for name, value in row.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}/")
        elif not isinstance(value, list):
            yield f"{prefix}{name}", value


def _series(name: str, values: list[Any]) -> pl.Series:
    """Numbers where every value is one; text otherwise, for ``to_run`` to read what it can."""
    import polars as pl

    if all(v is None or isinstance(v, (int, float)) for v in values):
        return pl.Series(name, [None if v is None else float(v) for v in values], dtype=pl.Float64)
    return pl.Series(name, [None if v is None else str(v) for v in values], dtype=pl.String)
