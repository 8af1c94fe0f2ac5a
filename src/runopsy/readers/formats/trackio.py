"""trackio: a project's database, with a row of JSON per call of ``log``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from runopsy.errors import UnreadableLog
from runopsy.model import Run
from runopsy.readers.formats.database import Database, has_tables, opened
from runopsy.readers.formats.jsonlines import rows_to_run
from runopsy.readers.nested import numbers, parsed
from runopsy.readers.run_selection import Candidate, Found, named
from runopsy.readers.source import Source

TABLES = {"metrics": {"id", "timestamp", "run_name", "step", "metrics"}}
NEW = "run_id"  # the column by which later versions separate what has one name


def recognises(source: Source) -> bool:
    return has_tables(source, TABLES)


def read(source: Source) -> Found:
    """The run of a project, or its runs, in the order in which they were started."""
    with opened(source) as database:
        key = _key(database)
        found = list(database.rows(f"SELECT {key}, run_name FROM metrics GROUP BY {key} ORDER BY min(id)"))  # noqa: S608  # one of two names of ours
    if not found:
        raise UnreadableLog(f"{source.name} holds no metrics", hint="the training has logged none yet")
    count = Counter(str(name) for _, name in found)
    runs = [(run, str(name) if count[str(name)] == 1 else f"{name} {str(run)[:8]}") for run, name in found]
    if len(runs) == 1:
        return _load(source, *runs[0])
    return tuple(_candidate(source, run, name) for run, name in runs)


def _key(database: Database) -> str:
    return NEW if NEW in database.tables()["metrics"] else "run_name"


def _candidate(source: Source, run: Any, name: str) -> Candidate:
    def load() -> Found:
        found = _load(source, run, name)
        return named(found, name, source.name) if isinstance(found, Run) else found

    return Candidate(name, load)


def _load(source: Source, run: Any, name: str) -> Found:
    notes: list[str] = []
    with opened(source) as database:
        key = _key(database)
        rows = list(_rows(database, key, run, notes))
        config = _config(database, key, run)
    found = rows_to_run(rows, source, notes)
    return replace(found, id=name, config=config) if isinstance(found, Run) else found


def _rows(database: Database, key: str, run: Any, notes: list[str]) -> Iterator[dict[str, Any]]:
    """The calls of ``log``, in the order in which they were made."""
    query = f"SELECT step, timestamp, metrics FROM metrics WHERE {key} = ? ORDER BY id"  # noqa: S608  # as above
    broken = 0
    for step, timestamp, metrics in database.rows(query, run):
        row = parsed(metrics) if isinstance(metrics, (str, bytes)) else None
        if isinstance(row, dict):
            yield {**dict(numbers("", row)), "step": step, "timestamp": timestamp}
        else:
            broken += 1
    if broken:
        notes.append(f"{broken} rows are no JSON objects and were left out")


def _config(database: Database, key: str, run: Any) -> dict[str, Any]:
    """What the run was started with, without what trackio adds."""
    if not {key, "config"} <= database.tables().get("configs", set()):
        return {}
    query = f"SELECT config FROM configs WHERE {key} = ?"  # noqa: S608  # as above
    content = next((parsed(text) for (text,) in database.rows(query, run) if isinstance(text, (str, bytes))), None)
    return {name: value for name, value in content.items() if name[:1] != "_"} if isinstance(content, dict) else {}
