"""A table of cells → Run: wide or long, with the sides apart or in one column."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from runopsy.errors import UnreadableLog
from runopsy.model import Mark, Run, Track
from runopsy.readers.axes import COUNTING, Apart, Axis, choose, clock, plain, rises
from runopsy.readers.multi_run_tables import no_training
from runopsy.readers.number_columns import NumberTable, is_numbers
from runopsy.readers.numeric_text import is_missing, listed, numbers_in, present, seconds_in, unread
from runopsy.readers.resume_detection import common_sessions, sessions
from runopsy.readers.run_selection import Candidate, Found, given, named
from runopsy.readers.source import Source
from runopsy.signals.names import SIDE_OF, words
from runopsy.signals.scores import COUNTERS

if TYPE_CHECKING:
    import polars as pl
    from numpy.typing import NDArray

    from runopsy.model import Counts, Values
    from runopsy.readers.numeric_text import Numbers, Table

LONG_NAMES = ("signal", "metric", "name", "key", "tag", "variable", "metric_name")
LONG_VALUES = ("value", "metric_value", "scalar")
SIDE_NAMES = ("split", "phase", "mode", "stage", "subset", "set", "type", "partition", "part", "dataset", "data",
              "loader")  # fmt: skip


MOST_RUNS = 1000  # one after the other in a table; more, and the axis is a counter of something else


class Remarked(NamedTuple):
    """What a text reports beside its numbers: an error, after so many rows."""

    rows: int
    kind: str
    detail: Mapping[str, Any]


class Column(NamedTuple):
    """One metric: its numbers, and how many of its cells could not be read."""

    numbers: pl.Series
    unread: int


def to_run(
    frame: pl.DataFrame | NumberTable,
    names: Sequence[str],
    source: Source,
    notes: list[str],
    remarks: Sequence[Remarked] = (),
) -> Found:
    """The run a table describes, or the runs, where a column separates several.

    Args:
        frame: numbers, text and dates; whatever its columns are called.
        names: what the columns are called in the log.
        source: where it comes from.
        notes: what was noticed so far; what is noticed here is added.
        remarks: errors that stand between the rows.

    Raises:
        UnreadableLog: there are no rows, or not one column of numbers beside the axis.
    """
    if not frame.height or not frame.width:
        raise UnreadableLog(f"{source.name} has a header and no rows", hint="the training has logged nothing yet")
    table = dict(zip(tidy_names(names, notes), frame.get_columns(), strict=True))
    numbers = numbers_in(table, notes)
    side = _side_column(table, numbers)
    long = _long_columns(table, numbers)
    kinds = _kinds(table, side, long)
    axis = choose(table, numbers, kinds, notes)
    if isinstance(axis, Apart):
        return _each(_by_polars(frame), names, source, notes, list(table).index(axis.column))
    other = no_training(table, numbers, counted=axis.column is not None) if long is None else ""
    if other:
        axis = Axis("row", None, np.arange(frame.height, dtype=np.float64))
        remarks = [*remarks, Remarked(0, "not_a_run", {"text": other})]
        notes.append(other)
    if axis.runs and long is None and not _is_backwards(axis.at):
        return _one_by_one(_by_polars(frame), names, source, notes, remarks, axis)
    if _is_backwards(axis.at):  # newest first: what counts as later, and as the row before, is read from the end
        table = {name: column.reverse() for name, column in table.items()}
        numbers = {name: None if column is None else column.reverse() for name, column in numbers.items()}
        kinds, axis = None if kinds is None else kinds.reverse(), axis._replace(at=axis.at[::-1])
    seconds = clock(table, numbers, axis.at)
    if long and kinds is not None:
        tracks = _long_tracks(table, numbers, axis, seconds, long[1], kinds, notes)
    else:
        axis = _carried_on(table, numbers, axis, notes)
        tracks = _wide_tracks(_columns(table, numbers, axis, side, notes), axis, seconds)
    if not tracks:
        raise UnreadableLog(
            f"{source.name} has no column of numbers beside its axis (columns: {listed(table)})",
            hint="a log needs at least one metric; check the separator and the decimal sign",
        )
    used = (side, axis.column, *(long or ()))
    text = [c for c in table if numbers[c] is None and c not in used and _is_text(table[c])]
    settings = {c: value for c in text if (value := _same(table[c])) is not None}
    _remark(axis, [c for c in text if c not in settings], notes)
    marks = _marks(remarks, axis.at)
    notes = list(dict.fromkeys(notes))
    return Run(source.name, source.id, axis.counts, tracks, marks=marks, config=settings, notes=tuple(notes))


def _by_polars(frame: pl.DataFrame | NumberTable) -> pl.DataFrame:
    return frame.to_polars() if isinstance(frame, NumberTable) else frame


def _marks(remarks: Sequence[Remarked], at: Values) -> tuple[Mark, ...]:
    """The errors, each at the position of the last row above it."""
    if not remarks or np.isnan(at).all():
        return ()
    first = float(at[~np.isnan(at)][0])
    reached = np.append(first, _carried(at, first))
    return tuple(Mark(float(reached[min(error.rows, len(at))]), error.kind, error.detail) for error in remarks)


def _carried(at: Values, first: float) -> Values:
    """Positions without gaps: a row that gives none stands at the one above it."""
    known = np.maximum.accumulate(np.where(np.isnan(at), -1, np.arange(len(at))))
    return np.where(known < 0, first, at[np.maximum(known, 0)])


def _each(frame: pl.DataFrame, names: Sequence[str], source: Source, notes: list[str], at: int) -> Found:
    """The runs of a table, one for each value of the column ``at``, in the order of their appearance."""
    import polars as pl

    key = frame.columns[at]
    rest = [i for i in range(frame.width) if i != at]
    runs: list[Candidate] = []
    for value in frame[key].drop_nulls().unique(maintain_order=True).to_list():
        part = frame.filter(pl.col(key) == value).select(frame.columns[i] for i in rest)
        name, value_text = names[at].strip(), f"{value:.15g}" if isinstance(value, float) else value  # a seed is no 7.0
        others = [names[i] for i in rest]
        runs += _one_of_several(f"{name}={value_text}", part, others, source, notes, config={name: value})
    return tuple(runs)


def _one_by_one(
    frame: pl.DataFrame, names: Sequence[str], source: Source, notes: list[str], remarks: Sequence[Remarked], axis: Axis
) -> Found:
    """The runs that follow one another in a table; the run, where the others broke off at once."""
    parts = []
    for begin, end in axis.runs:
        mine = [error._replace(rows=error.rows - begin) for error in remarks if begin < error.rows <= end]
        parts.append((frame[begin:end], mine))
    left = frame.height - sum(end - begin for begin, end in axis.runs)
    if left:
        notes = [*notes, f"{left} rows are of starts that broke off at once, and were left out"]
    if len(parts) == 1:
        return to_run(parts[0][0], names, source, notes, parts[0][1])
    if len(parts) > MOST_RUNS:
        raise UnreadableLog(
            f"{source.name}: its {axis.counts} is back at the start {len(parts) - 1} times", hint="give one run"
        )
    often = "once" if len(parts) == 2 else f"{len(parts) - 1} times"
    restarts = f"{axis.counts} is back at its start {often}: {len(parts)} runs, one after the other"
    runs: list[Candidate] = []
    for number, (part, mine) in enumerate(parts, 1):
        runs += _one_of_several(f"run-{number}", part, names, source, [*notes, restarts], mine)
    return tuple(runs)


def _one_of_several(
    name: str,
    part: pl.DataFrame,
    names: Sequence[str],
    source: Source,
    notes: list[str],
    remarks: Sequence[Remarked] = (),
    config: Mapping[str, Any] | None = None,
) -> list[Candidate]:
    """A run, or several, of a table that has more; ``config`` is what the rest of the table does not show of them."""
    found = to_run(part, names, source, list(notes), remarks)
    runs = {name: found} if isinstance(found, Run) else {f"{name} {inner.name}": inner.read() for inner in found}
    return [
        given(named(replace(run, config={**(config or {}), **run.config}), own, source.name))
        for own, run in runs.items()
    ]


def tidy_names(names: Sequence[str], notes: list[str]) -> list[str]:
    """One line each, without blanks around; a name that occurs again is kept under ``name#2``, and reported."""
    tidy: list[str] = []
    taken: set[str] = set()
    count: Counter[str] = Counter()
    for raw in names:
        name = re.sub(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", raw).strip() or "unnamed"
        count[name] += 1
        unique = name if count[name] == 1 else f"{name}#{count[name]}"
        while unique in taken:
            count[name] += 1
            unique = f"{name}#{count[name]}"
        taken.add(unique)
        tidy.append(unique)
    again = [name for name, times in count.items() if times > 1 and name != "unnamed"]
    if again:
        notes.append(f"columns that share a name are kept apart as name#2, …: {listed(again)}")
    return tidy


def _is_backwards(at: Values) -> bool:
    steps = at[~np.isnan(at)]
    return bool(len(steps) > 1 and (steps[1:] <= steps[:-1]).all() and steps[-1] < steps[0])


def _is_text(column: pl.Series) -> bool:
    """Whether a column that holds no numbers holds something else than dates."""
    if is_numbers(column):
        return False
    import polars as pl

    return column.dtype == pl.String and present(column).count() > 0 and seconds_in(column) is None


def _same(column: pl.Series) -> str | None:
    """The one text that every row holds, as a column of settings does; None where they differ or there is one row."""
    cells = present(column)
    same = len(cells) > 1 and not cells.null_count() and cells.n_unique() == 1
    return str(cells[0]) if same else None


def _remark(axis: Axis, text: list[str], notes: list[str]) -> None:
    """What of the table is not in the run."""
    lost = int(np.isnan(axis.at).sum())
    if lost:
        notes.append(f"{_rows_that(lost, 'has', 'have')} no {axis.counts}; left out")
    if text:
        notes.append(f"columns of text were left out: {listed(text)}")


def _rows_that(count: int, one: str, several: str) -> str:
    """``1 row has``, ``2 rows have``."""
    return f"1 row {one}" if count == 1 else f"{count} rows {several}"


# --- wide: a column per metric -------------------------------------------------------------------


def _carried_on(table: Table, numbers: Numbers, axis: Axis, notes: list[str]) -> Axis:
    """Rows with an empty axis cell belong to the step before them: a validation row often names none.

    That holds for rows of a series, in a log that is in order. One with columns of its own, once in the
    log, is a heading or a summary, and belongs to no step.
    """
    if axis.column is None or not np.isnan(axis.at).any() or not rises(axis.at[~np.isnan(axis.at)]):
        return axis
    import polars as pl

    column = table[axis.column]
    silent = (present(column) if column.dtype == pl.String else column).is_null().to_numpy()
    series = np.zeros(len(axis.at), dtype=bool)
    for other in numbers.values():
        if other is not None and other.count() > 1:
            series |= other.is_not_null().to_numpy()
    carried = pl.Series(axis.at).fill_nan(None).forward_fill().to_numpy()
    at = np.where(silent & series, carried, axis.at)
    count = int((np.isnan(axis.at) & ~np.isnan(at)).sum())
    if count:
        notes.append(f"{_rows_that(count, 'names', 'name')} no {axis.counts}: counted with the row before")
    return axis._replace(at=at)


def _columns(table: Table, numbers: Numbers, axis: Axis, side: str | None, notes: list[str]) -> dict[str, Column]:
    """The metrics of a wide table; where a column names train or val, each metric once for either."""
    found: dict[str, Column] = {}
    sides = {} if side is None else _rows_by(table[side])
    if side is not None and table[side].null_count():
        notes.append(f"{_rows_that(table[side].null_count(), 'has', 'have')} no {listed([side])}: metrics left out")
    for name, column in numbers.items():
        if column is None or (name == axis.column and plain(name) not in COUNTERS):  # episodes tell what a score is
            continue
        if side is None or plain(name) in COUNTING or _side_of(words(name)):
            found[name] = Column(column, unread(table[name], column))
            continue
        for which, rows in sides.items():
            others = np.ones(len(column), dtype=bool)
            others[rows] = False
            part = column.set(_mask(others), None)
            if part.count():
                found[f"{which}/{name}"] = Column(part, unread(table[name][rows], column[rows]))
    return found


def _wide_tracks(columns: dict[str, Column], axis: Axis, seconds: Values | None) -> dict[str, Track]:
    placed = ~np.isnan(axis.at)
    filled = {name: column.numbers.is_not_null().to_numpy() & placed for name, column in columns.items()}
    number = np.zeros(len(axis.at), dtype=np.int64)
    at = axis.at if placed.all() else axis.at[placed]
    found = common_sessions(at, (np.flatnonzero(rows[placed]) for rows in filled.values()))
    if found is not None:
        number[placed] = found
    return {
        name: _track(name, columns[name], _rows(rows), axis, seconds, None if found is None else number)
        for name, rows in filled.items()
        if rows.any()
    }


def _rows(filled: NDArray[np.bool_]) -> Counts | slice:
    """Which rows are filled; a slice where all are, so that columns share what they have in common."""
    return slice(None) if filled.all() else np.flatnonzero(filled)


def _track(
    name: str, column: Column, rows: Counts | slice, axis: Axis, seconds: Values | None, session: Counts | None
) -> Track:
    return Track(
        name,
        axis.at[rows],
        column.numbers.to_numpy()[rows],
        None if seconds is None else seconds[rows],
        None if session is None else session[rows],
        column.unread,
    )


# --- sides in a column: train, val, train, val, … ------------------------------------------------


def _side_column(table: Table, numbers: Numbers) -> str | None:
    """The column of text that gives for every row whether it is of training, validation or test."""
    for name, column in table.items():
        if numbers[name] is not None or plain(name) not in SIDE_NAMES:
            continue
        kinds = [str(kind) for kind in column.drop_nulls().unique().to_list()]
        if kinds and all(_side_of(words(kind)) for kind in kinds if not is_missing(kind)):
            return name
    return None


def _side_of(parts: list[str]) -> str:
    return next((SIDE_OF[part] for part in parts if part in SIDE_OF), "")


def _rows_by(column: pl.Series) -> dict[str, Counts]:
    """The rows of each of a column's values, in the order in which these appear; null has none."""
    import polars as pl

    kinds = pl.DataFrame({"kind": column.cast(pl.String), "row": np.arange(len(column))}).drop_nulls()
    groups = kinds.group_by("kind", maintain_order=True).agg("row")
    return dict(zip(groups["kind"].to_list(), (rows.to_numpy() for rows in groups["row"]), strict=True))


def _mask(rows: NDArray[np.bool_]) -> pl.Series:
    import polars as pl

    return pl.Series(rows)


# --- long: a row per value -----------------------------------------------------------------------


def _long_columns(table: Table, numbers: Numbers) -> tuple[str, str] | None:
    """The columns (name, value) of a long table: a row per value, whose metric is named in a column of text."""
    names = [c for c in table if plain(c) in LONG_NAMES and numbers[c] is None]
    values = [c for c in table if plain(c) in LONG_VALUES and numbers[c] is not None]
    return (names[0], values[0]) if names and values else None


def _kinds(table: Table, side: str | None, long: tuple[str, str] | None) -> pl.Series | None:
    """What each row is of: the metric of a long table, with its side in front; the side alone of a wide one."""
    if long is None or side is None:
        name = side if long is None else long[0]
        return None if name is None else table[name]
    import polars as pl

    both = pl.DataFrame([table[side].cast(pl.String).alias("side"), table[long[0]].cast(pl.String).alias("metric")])
    return both.select(pl.concat_str("side", "metric", separator="/"))["side"]


def _long_tracks(
    table: Table, numbers: Numbers, axis: Axis, seconds: Values | None, values: str, names: pl.Series, notes: list[str]
) -> dict[str, Track]:
    column = numbers[values]
    assert column is not None  # as _long_columns saw
    if names.null_count():
        notes.append(f"{_rows_that(names.null_count(), 'names', 'name')} no metric; left out")
    logged = column.is_not_null().to_numpy() & ~np.isnan(axis.at)
    everything = _rows_by(names)
    session = _long_sessions(axis.at, everything.values())
    tracks = {}
    for name, rows in zip(tidy_names(list(everything), notes), everything.values(), strict=True):
        mine = rows[logged[rows]]
        if len(mine):
            metric = Column(column, unread(table[values][rows], column[rows]))
            tracks[name] = _track(name, metric, mine, axis, seconds, session)
    return tracks


def _long_sessions(at: Values, metrics: Collection[Counts]) -> Counts | None:
    """Attempts over all metrics where their rows alternate; per metric where one follows the other."""
    number = np.zeros(len(at), dtype=np.int64)
    if all(rows[-1] - rows[0] < len(rows) for rows in metrics):
        for rows in metrics:
            mine = rows[~np.isnan(at[rows])]
            found = sessions(at[mine])
            number[mine] = 0 if found is None else found
        return number if number.any() else None
    placed = np.flatnonzero(~np.isnan(at))
    where = np.cumsum(~np.isnan(at)) - 1  # of a placed row among the placed ones
    found = common_sessions(at[placed], (where[rows[~np.isnan(at[rows])]] for rows in metrics))
    if found is None:
        return None
    number[placed] = found
    return number
