"""Weights & Biases: the CSV that a chart exports, with columns "RUN - METRIC" for each of its runs.

Beside each column stand RUN - METRIC__MIN and __MAX, which are equal to it unless the chart was smoothed or
sampled; they are left out.
"""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, NamedTuple

from runopsy.errors import UnreadableLog
from runopsy.model import Run
from runopsy.readers.run_selection import Candidate, Found, named
from runopsy.readers.source import Source
from runopsy.readers.table_to_run import to_run

if TYPE_CHECKING:
    import polars as pl

BETWEEN = " - "  # run and metric; a run's name may hold it as well, a metric's hardly ever
RANGE = re.compile(r"__(MIN|MAX)$")


class Column(NamedTuple):
    """What the name of a column means."""

    run: str
    metric: str
    place: int  # in the table


def recognises(source: Source) -> bool:
    """A header whose columns but the first come in threes: RUN - METRIC and the two with __MIN and __MAX."""
    if source.is_binary or b"__MIN" not in source.head:
        return False
    names = _header(source.first_lines())
    columns = [name for name in names[1:] if BETWEEN in name and not RANGE.search(name)]
    return bool(columns) and all({f"{name}__MIN", f"{name}__MAX"} <= set(names) for name in columns)


def read(source: Source) -> Found:
    """The run, or the runs, of the chart."""
    import polars as pl

    text = source.text()
    whole = text if text.endswith(("\n", '"')) else text[: text.rfind("\n") + 1]
    names = _header(source.first_lines())
    try:
        table = pl.read_csv(
            io.BytesIO(whole.encode()), infer_schema=False, truncate_ragged_lines=True, has_header=False, skip_rows=1
        )
    except pl.exceptions.PolarsError as cause:
        raise UnreadableLog(f"{source.name} is a broken table: {cause}", hint="export the chart again") from cause
    notes = [] if whole == text else ["the last line has no end and was left out"]
    runs: dict[str, list[Column]] = {}
    for place, name in enumerate(names):
        run, between, metric = name.rpartition(BETWEEN)
        if place and between and not RANGE.search(name) and place < table.width:
            runs.setdefault(run, []).append(Column(run, metric, place))
    if len(runs) == 1:
        return _run(table, names[0], next(iter(runs.values())), source, notes)
    return tuple(_candidate(table, names[0], columns, source, notes) for columns in runs.values())


def _candidate(table: pl.DataFrame, axis: str, columns: list[Column], source: Source, notes: list[str]) -> Candidate:
    name = columns[0].run

    def load() -> Found:
        found = _run(table, axis, columns, source, list(notes))
        return named(found, name, source.name) if isinstance(found, Run) else found

    return Candidate(name, load)


def _run(table: pl.DataFrame, axis: str, columns: list[Column], source: Source, notes: list[str]) -> Found:
    """The rows in which the run has a value."""
    import polars as pl

    part = table.select(pl.nth(0, *(column.place for column in columns)))
    filled = part.filter(pl.any_horizontal(pl.exclude(part.columns[0]).is_not_null()))
    return to_run(filled, [axis, *(column.metric for column in columns)], source, notes)


def _header(lines: list[str]) -> list[str]:
    return next(csv.reader(lines[:1]), []) if lines else []
