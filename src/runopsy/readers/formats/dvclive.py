"""DVCLive: a folder with a table per metric, plots/metrics/NAME.tsv: step and value, sometimes the time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from runopsy.readers.metric_tsv import number_lines
from runopsy.readers.run_selection import Found
from runopsy.readers.scalars import MILLI, NONE, Scalars, joined, to_run
from runopsy.readers.source import Source
from runopsy.readers.tracker_files import inside, settings

METRICS = ("plots/metrics", "plots/scalars")  # as of 2023, and before
SUFFIX = ".tsv"
CONFIG = "params.yaml"
DEPTH = 8  # slashes in the name of a metric


def recognises(source: Source) -> bool:
    return source.is_folder and _room(source) is not None


def read(source: Source) -> Found:
    """The run in the folder.

    Raises:
        UnreadableLog: no metric has a value.
    """
    room = _room(source)
    assert room is not None  # as it was recognised
    assert source.path is not None  # as for every folder
    notes: list[str] = []
    parts, torn = [], 0
    for file in _tables(room):
        found, broken = _metric(str(file.relative_to(room))[: -len(SUFFIX)], file)
        parts.append(found)
        torn += broken
    if torn:
        notes.append(f"{torn} lines of metrics are torn or no numbers and were left out")
    return to_run(joined(parts), source.name, source.id, notes, config=settings(source.path / CONFIG))


def _room(source: Source) -> Path | None:
    """Where the tables are."""
    assert source.path is not None  # a folder has one
    rooms = (source.path / place for place in METRICS)
    return next((room for room in rooms if not room.is_symlink() and next(_tables(room), None)), None)


def _tables(folder: Path, depth: int = DEPTH) -> Iterator[Path]:
    for entry in inside(folder):
        if entry.is_dir() and depth:
            yield from _tables(entry, depth - 1)
        elif entry.suffix == SUFFIX and entry.is_file():
            yield entry


def _metric(name: str, file: Path) -> tuple[Scalars, int]:
    """(the values of a metric, how many lines are none)."""
    table, torn = number_lines(file.read_bytes(), "\t")
    if not {"step"} < set(table.columns):
        return Scalars([name], NONE, np.zeros(0), None, np.zeros(0)), table.height + torn
    kept = table.filter(table["step"].is_finite() & table[table.columns[-1]].is_not_null())
    time = kept["timestamp"].to_numpy() * MILLI if "timestamp" in kept.columns else None
    which = np.zeros(kept.height, np.int64)
    found = Scalars([name], which, kept["step"].to_numpy(), time, kept[kept.columns[-1]].to_numpy())
    return found, table.height - kept.height + torn
