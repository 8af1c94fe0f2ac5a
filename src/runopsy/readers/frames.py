"""A table of cells → Run: which column is the axis, wide or long, and which cells are numbers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from runopsy.errors import UnreadableLog
from runopsy.model import Run, Track
from runopsy.readers.source import Source

if TYPE_CHECKING:
    import polars as pl

    from runopsy.model import Counts, Values

    Numbers = dict[str, pl.Series | None]  # column → its numbers, None where it holds none

# Names of axis columns after ``plain``, best first; an axis named earlier is preferred.
AXES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "step",
        ("step", "global_step", "trainer_global_step", "steps", "iteration", "iter", "iterations", "it", "update",
         "num_updates", "total_steps", "train_step", "n_iter", "batch", "_step"),
    ),
    ("epoch", ("epoch", "epochs", "ep", "epoch_num")),
    ("tokens", ("tokens", "total_tokens", "tokens_seen", "num_tokens", "throughput_total_tokens")),
    ("time", ("time", "timestamp", "wall_time", "walltime", "_timestamp", "datetime", "date", "elapsed", "_runtime")),
)  # fmt: skip
CLOCKS = ("time", "timestamp", "wall_time", "walltime", "_timestamp", "unix_time")
LONG_NAMES = ("signal", "metric", "name", "key", "tag", "variable", "metric_name")
LONG_VALUES = ("value", "metric_value", "val", "scalar")
MISSING = ("", "-", "--", "none", "null", "na", "n/a", "<na>")  # text that says: no value was logged here
STAYS = 3  # rows below the highest step that make a fall a resume; one or two are rows written late
DISORDER = 0.05  # share of falling rows above which the rows are in no order (a sorted or shuffled export)
MOSTLY = 0.5  # share of a column's cells that must be numbers for it to count as one


def plain(name: str) -> str:
    """A column's name for comparison: lower case, any run of separators as one underscore."""
    return re.sub(r"[\s./\\:-]+", "_", name.strip().lower())


def to_run(frame: pl.DataFrame, source: Source, notes: list[str]) -> Run:
    """The run a table describes.

    Raises:
        UnreadableLog: there are no rows, or not one column of numbers beside the axis.
    """
    if not frame.height or not frame.width:
        raise UnreadableLog(f"{source.name} has a header and no rows", hint="the training has logged nothing yet")
    frame = _tidy_names(frame, notes)
    numbers = {name: _numbers(frame[name]) for name in frame.columns}
    axis, axis_name = _axis(frame, numbers, notes)
    if axis_name is None:
        axis_values = np.arange(frame.height, dtype=np.float64)
    else:
        axis_values = _axis_values(frame, numbers, axis_name)
    clock = _clock(frame, numbers)
    long = _long_columns(frame, numbers, axis_name)
    if long:
        tracks = _long_tracks(frame, numbers, axis_values, clock, *long)
    else:
        tracks = _wide_tracks(frame, numbers, axis_values, clock, axis_name)
    if not tracks:
        text = ", ".join(frame.columns[:6])
        raise UnreadableLog(
            f"{source.name} has no column of numbers beside its axis (columns: {text})",
            hint="a log needs at least one metric; check the separator and the decimal sign",
        )
    lost = int(np.isnan(axis_values).sum())
    if lost:
        notes.append(f"{lost} rows have no {axis} and were left out")
    return Run(path=source.name, id=source.id, axis=axis, tracks=tracks, notes=tuple(notes))


def _tidy_names(frame: pl.DataFrame, notes: list[str]) -> pl.DataFrame:
    """Blanks around names off; a name that occurs again is kept under ``name#2``, and said."""
    names: list[str] = []
    again: list[str] = []
    for raw in frame.columns:
        name = re.sub(r"_duplicated_\d+$", "", raw).strip() or "unnamed"  # the suffix is how polars marks them
        tidy, count = name, 1
        while tidy in names:
            count += 1
            tidy = f"{name}#{count}"
        if count > 1:
            again.append(name)
        names.append(tidy)
    if again:
        notes.append(f"columns that share a name are kept apart as name#2, …: {', '.join(dict.fromkeys(again))}")
    frame = frame.clone()
    frame.columns = names
    return frame


def _numbers(column: pl.Series) -> pl.Series | None:
    """The column as float64 with nulls where nothing was logged; None where it is no column of numbers."""
    import polars as pl

    if column.dtype.is_numeric() or column.dtype == pl.Boolean:
        return column.cast(pl.Float64)
    if column.dtype != pl.String:
        return None
    text = column.str.strip_chars().str.to_lowercase()
    text = text.set(text.is_in(list(MISSING)), None)
    bare = text.str.extract(r"^(?:tensor\()?\s*([^,)%]*)", 1).str.strip_chars()  # tensor(0.31, …) and 93.1 %
    numbers = bare.cast(pl.Float64, strict=False)
    said = column.len() - text.null_count()
    return numbers if said and numbers.count() >= MOSTLY * said else None


def _unread(column: pl.Series, numbers: pl.Series) -> int:
    """How many cells hold text that is no number and no word for nothing."""
    import polars as pl

    if column.dtype != pl.String:
        return 0
    text = column.str.strip_chars().str.to_lowercase()
    said = text.is_not_null() & ~text.is_in(list(MISSING))
    return int((said & numbers.is_null()).sum())


def _axis(frame: pl.DataFrame, numbers: Numbers, notes: list[str]) -> tuple[str, str | None]:
    """What the rows are counted by: (axis, column); ("row", None) where no column says so."""
    by_plain = {plain(name): name for name in reversed(frame.columns)}
    for axis, known in AXES:
        for word in known:
            name = by_plain.get(word)
            if name is None or not _can_be_axis(frame[name], numbers[name]):
                continue
            column = numbers[name]
            if frame.height > 1 and column is not None and column.n_unique() == 1:
                notes.append(f"column {name!r} never changes, so it is not the axis")
                continue
            return axis, name
    notes.append("no column counts steps, epochs, tokens or time: rows are counted instead")
    return "row", None


def _can_be_axis(column: pl.Series, numbers: pl.Series | None) -> bool:
    """Filled in nearly every row, with numbers or dates."""
    if numbers is not None:
        return bool(numbers.is_finite().sum() >= 0.9 * len(numbers))
    dates = _dates(column)
    return dates is not None and dates.count() >= 0.9 * len(dates)


def _dates(column: pl.Series) -> pl.Series | None:
    """Unix seconds of a column of dates; None where it is none."""
    import polars as pl

    if column.dtype == pl.String:
        try:
            column = column.str.strip_chars().str.to_datetime(strict=False)
        except pl.exceptions.PolarsError:  # no format fits
            return None
    if column.dtype == pl.Date:
        column = column.cast(pl.Datetime)
    if not isinstance(column.dtype, pl.Datetime):
        return None
    return column.dt.epoch("ms").cast(pl.Float64) / 1000


def _axis_values(frame: pl.DataFrame, numbers: Numbers, name: str) -> Values:
    column = numbers[name]
    if column is None:
        dates = _dates(frame[name])
        assert dates is not None  # as _can_be_axis saw
        values = dates.to_numpy()
        return np.asarray(values - np.nanmin(values), dtype=np.float64)
    values = column.to_numpy()
    return np.where(np.isfinite(values), values, np.nan)


def _clock(frame: pl.DataFrame, numbers: Numbers) -> Values | None:
    """Wall time of each row in seconds, if a column says it: unix or relative seconds, milliseconds, dates."""
    for name in frame.columns:
        if plain(name) not in CLOCKS:
            continue
        column = numbers[name] if numbers[name] is not None else _dates(frame[name])
        if column is not None and column.count() >= 0.9 * len(column):
            values = np.asarray(column.to_numpy(), dtype=np.float64)
            return values / 1000 if np.nanmedian(values) > 1e11 else values  # 1e11 s is the year 5138
    return None


def _wide_tracks(
    frame: pl.DataFrame, numbers: Numbers, axis: Values, clock: Values | None, axis_name: str | None
) -> dict[str, Track]:
    session = sessions(axis)
    return {
        name: track
        for name, column in numbers.items()
        if column is not None and name != axis_name
        if (track := _track(name, column, axis, clock, session, _unread(frame[name], column))) is not None
    }


def _track(
    name: str, column: pl.Series, axis: Values, clock: Values | None, session: Counts | None, unread: int
) -> Track | None:
    """The rows in which the column says something; None where it never does."""
    kept = column.is_not_null().to_numpy() & ~np.isnan(axis)
    if not kept.any():
        return None
    return Track(
        name,
        axis[kept],
        column.to_numpy()[kept],
        None if clock is None else clock[kept],
        None if session is None else session[kept],
        unread,
    )


def sessions(axis: Values) -> Counts | None:
    """Which attempt each row belongs to: it rises where the axis falls back and stays back.

    A resumed run goes through steps again, so at least ``STAYS`` rows follow below the highest step
    seen; fewer are rows that were merely written late. Rows in no order at all are one attempt.
    """
    if len(axis) < 2 or not (axis[1:] < axis[:-1]).any():
        return None
    falls = np.flatnonzero(axis[1:] < axis[:-1]) + 1
    if len(falls) > max(1, DISORDER * len(axis)):
        return None
    session = np.zeros(len(axis), dtype=np.int64)
    for fall in falls:
        top = np.nanmax(axis[:fall])
        if np.all(axis[fall : fall + STAYS] < top) or axis[fall] <= np.nanmin(axis[:fall]):
            session[fall:] += 1
    return session


def _long_columns(frame: pl.DataFrame, numbers: Numbers, axis_name: str | None) -> tuple[str, str] | None:
    """The columns (name, value) of a long table: a row per value, whose metric is named in a column of text."""
    names = [c for c in frame.columns if plain(c) in LONG_NAMES and numbers[c] is None]
    values = [c for c in frame.columns if plain(c) in LONG_VALUES and numbers[c] is not None and c != axis_name]
    return (names[0], values[0]) if names and values else None


def _long_tracks(
    frame: pl.DataFrame,
    numbers: Numbers,
    axis: Values,
    clock: Values | None,
    names: str,
    values: str,
) -> dict[str, Track]:
    import polars as pl

    column = numbers[values]
    assert column is not None  # as _long_columns saw
    said = frame[names].cast(pl.String)
    tracks = {}
    for name in said.drop_nulls().unique(maintain_order=True).to_list():
        mine = (said == name).fill_null(False)
        here = mine.to_numpy()
        when = None if clock is None else clock[here]
        unread = _unread(frame[values].filter(mine), column.filter(mine))
        track = _track(name, column.filter(mine), axis[here], when, sessions(axis[here]), unread)
        if track is not None:
            tracks[name] = track
    return tracks
