"""A JSON document over sizes → its rows: a list of records, columns, or records under keys that are sizes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from runopsy.readers.json_shapes import flat
from runopsy.study.size_columns import FEWEST, UNITS

Record: TypeAlias = dict[str, Any]

KEYED = re.compile(
    r"(?:(?P<key>[A-Za-z][\w\s]*?)[\s_=:-]*)?(?P<level>-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)"
    r"\s*(?P<unit>[kKmMbB]?)"
)


def records(document: Any) -> Iterator[Record]:
    """The rows of a document, however it nests them."""
    if isinstance(document, list):
        yield from (_flat(row) for row in document if isinstance(row, dict))
    elif isinstance(document, dict):
        columns = _columns(document)
        if columns is not None:
            yield from columns
        else:
            yield from _parted(document)


def _flat(row: Mapping[str, Any]) -> Record:
    """A record with nested names joined; of a list of numbers, the course of a training, the last counts."""
    found: Record = {}
    for name, value in flat(row):
        if not isinstance(value, list):
            found[name] = value
        elif value and all(isinstance(v, int | float) for v in value):
            found[name] = value[-1]
    return found


def _columns(document: Mapping[str, Any]) -> list[Record] | None:
    """Rows of a document of columns; a column of lists holds the repetitions of each row, or one list each."""
    lists = {name: value for name, value in document.items() if isinstance(value, list) and value}
    flat = {name: value for name, value in lists.items() if not isinstance(value[0], list | dict)}
    if not flat:
        return None
    m = max(map(len, flat.values()))
    known = {name: value for name, value in flat.items() if len(value) == m}
    nested = {name: value for name, value in lists.items() if isinstance(value[0], list)}
    if m < FEWEST or (len(known) < 2 and not nested):
        return None
    rows = [{name: value[i] for name, value in known.items()} for i in range(m)]
    repeated = {name: grid for name, value in nested.items() if (grid := _grid(value, m)) is not None}
    if not repeated:
        return rows
    seeds = max(map(len, repeated.values()))
    return [
        row | {"seed": s} | {name: grid[s][i] for name, grid in repeated.items() if s < len(grid)}
        for i, row in enumerate(rows)
        for s in range(seeds)
    ]


def _grid(value: Sequence[Sequence[Any]], m: int) -> list[list[Any]] | None:
    """Lists per seed of m values each, whichever way round they were written."""
    if all(isinstance(row, list) and len(row) == m for row in value):
        return [list(row) for row in value]
    if len(value) == m and len({len(row) for row in value}) == 1:
        return [list(column) for column in zip(*value, strict=True)]
    return None


def _parted(document: Mapping[str, Any]) -> Iterator[Record]:
    """Rows under keys: each key a size with its values, or a setting with its rows; else the first that holds rows."""
    nested = {key: value for key, value in document.items() if isinstance(value, dict | list)}
    if len(nested) >= FEWEST and all(_is_flat(value) for value in nested.values()):
        for key, value in nested.items():
            name, level = _key(key)
            yield {name: level, **_flat(value)}  # type: ignore[arg-type]  # ``_is_flat`` is true of mappings alone
        return
    parts = [(key, rows) for key, value in nested.items() if len(rows := list(records(value))) >= FEWEST]
    if len(parts) == 1:
        yield from parts[0][1]
        return
    for key, rows in parts:
        name, level = _key(key)
        taken = name == "size" or name in rows[0]
        yield from ({("group" if taken else name): level} | row for row in rows)


def _is_flat(value: Any) -> bool:
    """Whether a value is one record, its names perhaps in groups, rather than records under keys that are sizes."""
    if not isinstance(value, dict) or _columns(value) is not None:
        return False
    within = [key for key, v in value.items() if isinstance(v, dict)]
    return not within or not all(isinstance(_key(key)[1], float) for key in within)


def _key(key: str) -> tuple[str, float | str]:
    """(name, value) of a key such as 64, width=64, width_64 or 70M; its own text where it holds no number."""
    match = KEYED.fullmatch(key.strip())
    if match is None:
        return "size", key
    return match["key"] or "size", float(match["level"]) * UNITS.get(match["unit"].lower(), 1.0)
