"""CatBoost: catboost_training.json, or the tables of errors beside it: learn_error.tsv and test_error.tsv."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runopsy.errors import UnreadableLog
from runopsy.readers.formats.documents import parse
from runopsy.readers.formats.jsonlines import rows_to_run
from runopsy.readers.metric_tsv import number_lines
from runopsy.readers.run_selection import Found
from runopsy.readers.source import Source
from runopsy.readers.table_to_run import to_run

if TYPE_CHECKING:
    import polars as pl

META = re.compile(rb"\"(?:learn|test)_metrics\"\s*:")
TRAINING = "catboost_training.json"
ERRORS = {"learn_error.tsv": "learn", "test_error.tsv": "test"}
AXIS = b"iter\t"


def recognises(source: Source) -> bool:
    """The JSON by its list of metrics; the tables by their name and their first column; a folder with one of them."""
    if source.is_folder:
        return bool(_parts(source))
    if source.head.lstrip().startswith(b"{"):
        return META.search(source.head) is not None and b'"iterations"' in source.head
    return source.path is not None and source.path.name in ERRORS and source.head.startswith(AXIS)


def read(source: Source) -> Found:
    """Every metric of every set, by iteration.

    Raises:
        UnreadableLog: no iteration has been written yet.
    """
    if source.is_folder:
        parts = _parts(source)
        whole = [path for path in parts if path.name == TRAINING]
        return _read_training(Source.from_file(whole[0])) if whole else _read_errors(parts, source)
    if source.head.lstrip().startswith(b"{"):
        return _read_training(source)
    assert source.path is not None  # as it was recognised
    return _read_errors([source.path], source)


def _parts(source: Source) -> list[Path]:
    entries = [entry for entry in source.entries if entry.is_file()]
    tables = [entry for entry in entries if entry.name in ERRORS]
    return tables + [entry for entry in entries if entry.name == TRAINING] if tables else []


def _read_training(source: Source) -> Found:
    document = parse(source)
    meta = document.get("meta") if isinstance(document, dict) else None
    iterations = document.get("iterations") if isinstance(document, dict) else None
    rows = [row for row in iterations if isinstance(row, dict)] if isinstance(iterations, list) else []
    if not rows:
        raise UnreadableLog(f"{source.name} holds no iteration", hint="the training has logged nothing yet")
    names = {side: _names(meta, side) for side in ("learn", "test")}
    return rows_to_run([dict(_flat(row, names)) for row in rows], source, [])


def _names(meta: Any, side: str) -> list[str]:
    metrics = meta.get(f"{side}_metrics") if isinstance(meta, dict) else None
    return [str(m.get("name")) for m in metrics if isinstance(m, dict)] if isinstance(metrics, list) else []


def _flat(row: dict[str, Any], names: dict[str, list[str]]) -> list[tuple[str, Any]]:
    """Iteration, times, and the values of each set under the names of their metrics; of further sets with a number."""
    cells: list[tuple[str, Any]] = []
    for key, value in row.items():
        if not isinstance(value, list):
            cells.append((key, value))
            continue
        known = names.get(key) or [str(i) for i in range(len(value))]
        for i, one in enumerate(value):
            again = i // len(known)
            cells.append((f"{key}{f'_{again}' if again else ''}/{known[i % len(known)]}", one))
    return cells


def _read_errors(paths: list[Path], source: Source) -> Found:
    """The tables of both sets as one, by iteration."""
    frames: list[pl.DataFrame] = []
    notes: list[str] = []
    for path in paths:
        frame, torn = number_lines(path.read_bytes(), "\t")
        if torn:
            notes.append(f"the last line of {path.name} is torn and was left out")
        axis = frame.columns[0]
        side = ERRORS[path.name]
        frames.append(frame.rename({name: f"{side}/{name}" for name in frame.columns if name != axis}))
    table = frames[0]
    for other in frames[1:]:
        table = table.join(other, on=table.columns[0], how="full", coalesce=True).sort(table.columns[0])
    return to_run(table, table.columns, source, notes)
