"""MLflow's database: every run's metrics in one table."""

from __future__ import annotations

import sqlite3
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from runopsy.errors import UnreadableLog
from runopsy.model import Run
from runopsy.readers.formats.database import Database, has_tables, opened
from runopsy.readers.run_selection import Candidate, Found, named
from runopsy.readers.scalars import MILLI, Scalars, concatenated, to_run
from runopsy.readers.source import Source

if TYPE_CHECKING:
    from numpy.typing import NDArray

TABLES = {
    "metrics": {"key", "value", "timestamp", "run_uuid", "step", "is_nan"},
    "runs": {"run_uuid", "name", "experiment_id", "lifecycle_stage"},
    "experiments": {"experiment_id", "name"},
    "params": {"key", "value", "run_uuid"},
}
HIGHEST = np.finfo(np.float64).max  # a database knows no infinity: MLflow writes this instead, with either sign


class Listed(NamedTuple):
    """A run that has metrics."""

    id: str
    name: str


def recognises(source: Source) -> bool:
    return has_tables(source, TABLES)


def read(source: Source) -> Found:
    """The run of a database, or the runs, without those that were deleted or have no metric."""
    with opened(source) as database:
        listed = _listed(database)
    if not listed:
        raise UnreadableLog(f"{source.name} holds no run with metrics", hint="the training has logged none yet")
    if len(listed) == 1:
        return _load(source, listed[0])
    return tuple(_candidate(source, run) for run in listed)


def _candidate(source: Source, run: Listed) -> Candidate:
    return Candidate(run.name, lambda: named(_load(source, run), run.name, source.name))


def _listed(database: Database) -> list[Listed]:
    """The runs in the order in which they were started; named with their experiment where there are several."""
    query = """
        SELECT runs.run_uuid, runs.name, experiments.name FROM runs LEFT JOIN experiments USING (experiment_id)
        WHERE runs.lifecycle_stage <> 'deleted' AND EXISTS (SELECT 1 FROM metrics WHERE run_uuid = runs.run_uuid)
        ORDER BY runs.rowid
    """
    found = [(str(id), str(name or ""), str(experiment)) for id, name, experiment in database.rows(query)]
    several = len({experiment for _, _, experiment in found}) > 1
    names = [f"{experiment}/{name or id}" if several else name or id for id, name, experiment in found]
    count = Counter(names)
    return [
        Listed(id, name if count[name] == 1 else f"{name} {id[:8]}")
        for name, (id, _, _) in zip(names, found, strict=True)
    ]


def _load(source: Source, run: Listed) -> Run:
    notes: list[str] = []
    with opened(source) as database:
        found = _scalars(database, run.id, notes)
        config = dict(database.rows("SELECT key, value FROM params WHERE run_uuid = ?", run.id))
    return to_run(found, source.name, run.name, notes, config=config)


def _scalars(database: Database, run: str, notes: list[str]) -> Scalars:
    """The metrics of a run by their time, and among equal times as they were written."""
    keys = [key for (key,) in database.rows("SELECT DISTINCT key FROM metrics WHERE run_uuid = ?", run)]
    query = "SELECT rowid, timestamp, step, value, is_nan FROM metrics WHERE run_uuid = ? AND key = ?"
    pieces: tuple[list[NDArray[Any]], ...] = ([], [], [], [], [])
    lost = []
    for code, key in enumerate(keys):
        try:
            row, time, step, value, is_nan = database.numbers(query, 5, run, key).T
        except sqlite3.DatabaseError as cause:  # one page of the file is damaged: the others may be whole
            lost.append(f"{key} ({cause})")
            continue
        value = np.where(np.abs(value) >= HIGHEST, np.copysign(np.inf, value), value)
        value = np.where(is_nan != 0, np.nan, value)
        for kept, piece in zip(pieces, (np.full(len(row), code), row, time * MILLI, step, value), strict=True):
            kept.append(np.ascontiguousarray(piece))
    if lost:
        notes.append(f"the database is damaged: metrics that cannot be read: {', '.join(lost)}")
    which, row, time, step, value = concatenated(pieces)
    order = np.lexsort((row, time))
    del row
    names = [str(key) for key in keys]
    return Scalars(names, which.astype(np.int64, copy=False)[order], step[order], time[order], value[order])
