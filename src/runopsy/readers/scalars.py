"""What a tracker has stored, value by value → Run: sessions, and metrics that count something else than the others.

Trackers keep each value with its metric, step and time. Put in the order in which they were written, they
show what steps alone do not: where a run was resumed, and where a metric stands among the others whose step
is a counter of its own, such as the epoch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from runopsy.errors import UnreadableLog
from runopsy.model import Run, Track
from runopsy.readers.axes import rises, since_start
from runopsy.readers.multi_run_tables import is_counter, laps
from runopsy.readers.numeric_text import listed
from runopsy.readers.resume_detection import common_sessions, restarts, sessions
from runopsy.readers.table_to_run import tidy_names
from runopsy.signals.names import guess

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from runopsy.model import Counts, Values


Row: TypeAlias = tuple[str, float | None, float | None, float]  # metric, step, time and value

NONE = np.zeros(0, np.int64)
MILLI = 1e-3  # most trackers count thousandths of a second
A_CURVE = 3  # values that show what the steps of a metric count; fewer may be a summary, noted at any step
# A metric counts something of its own if it covers less than half of the steps that the others went through
# meanwhile, and ends below half of where they were: what is only logged rarely ends near where they are.
OWN = 0.5


class Scalars(NamedTuple):
    """Values in the order in which they were written."""

    names: Sequence[str]  # of the metrics
    which: Counts  # (n,) index into ``names``
    step: Values  # (n,) NaN where none was given
    time: Values | None  # (n,) unix seconds
    value: Values  # (n,)
    starts: Counts = NONE  # rows with which a session begins, where the tracker reports it


class Axis(NamedTuple):
    """What positions count, and where each value stands."""

    counts: str
    at: Values


def in_order(rows: Sequence[Row], unit: float) -> Scalars:
    """Values given as (metric, step, time, value), in the order in which they were written.

    Args:
        rows: without a step or a time where there is none.
        unit: of the time, in seconds.
    """
    names = list(dict.fromkeys(name for name, _, _, _ in rows))
    code = {name: i for i, name in enumerate(names)}
    step = np.array([np.nan if step is None else step for _, step, _, _ in rows], np.float64)
    timed = [time for _, _, time, _ in rows if time is not None]
    time = np.array(timed, np.float64) * unit if len(timed) == len(rows) else None
    which = np.array([code[name] for name, _, _, _ in rows], np.int64)
    return Scalars(names, which, step, time, np.array([value for _, _, _, value in rows], np.float64))


def concatenated(columns: Sequence[list[NDArray[Any]]]) -> list[NDArray[Any]]:
    """Each column in one piece; its pieces are let go, as there may be a hundred million values."""
    whole = []
    for pieces in columns:
        whole.append(np.concatenate(pieces) if pieces else np.zeros(0))
        pieces.clear()
    return whole


def joined(parts: Sequence[Scalars]) -> Scalars:
    """Values that several writers wrote, in the order of their clocks; one after the other where one has none."""
    if len(parts) == 1 and len(set(parts[0].names)) == len(parts[0].names):
        return parts[0]  # what one writer wrote is in its order already
    names = list(dict.fromkeys(name for part in parts for name in part.names))
    code = {name: i for i, name in enumerate(names)}
    which = np.concatenate([NONE, *(np.array([code[n] for n in p.names], np.int64)[p.which] for p in parts)])
    step, value = (
        np.concatenate([np.zeros(0), *column]) for column in ([p.step for p in parts], [p.value for p in parts])
    )
    ends = np.cumsum([0, *(len(p.value) for p in parts)])
    starts = np.concatenate([NONE, *(p.starts + end for p, end in zip(parts, ends.tolist(), strict=False))])
    times = [p.time for p in parts if p.time is not None]
    if len(times) < len(parts):
        return Scalars(names, which, step, None, value, starts)
    # A clock may be set back; what one writer wrote keeps its order all the same.
    clock = np.concatenate([np.zeros(0), *(np.maximum.accumulate(time) if len(time) else time for time in times)])
    order = np.argsort(clock, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    moved = np.array([place[row] if row < len(place) else len(place) for row in starts.tolist()], np.int64)
    time = np.concatenate([np.zeros(0), *times])
    return Scalars(names, which[order], step[order], time[order], value[order], np.sort(moved))


def to_run(
    found: Scalars,
    path: str,
    name: str,
    notes: Sequence[str] = (),
    *,
    counts: str = "step",
    config: Mapping[str, Any] | None = None,
) -> Run:
    """The run that a tracker has stored.

    Args:
        found: its values.
        path: where they come from.
        name: what the run is called.
        notes: what was noticed so far.
        counts: what its steps count.
        config: what it was started with.

    Raises:
        UnreadableLog: it has no values.
    """
    if not len(found.value):
        why = "; ".join(notes) or "the training has logged none yet, or elsewhere"
        raise UnreadableLog(f"{path} holds no scalars", hint=why)
    all_notes = list(notes)
    rows = [mine for mine in _rows_of_each(found) if len(mine)]
    names = tidy_names([found.names[found.which[mine[0]]] for mine in rows], all_notes)
    axis = _axis(found, dict(zip(names, rows, strict=True)), counts, all_notes)
    session = _sessions(axis.at, rows, found.starts)
    tracks = {
        metric: Track(
            metric,
            axis.at[mine],
            found.value[mine],
            None if found.time is None else found.time[mine],
            None if session is None else session[mine],
        )
        for metric, mine in zip(names, rows, strict=True)
    }
    return Run(path=path, id=name, axis=axis.counts, tracks=tracks, config=config or {}, notes=tuple(all_notes))


def _rows_of_each(found: Scalars) -> list[Counts]:
    """The rows of each metric, in the order of the metrics' first values."""
    order = np.argsort(found.which, kind="stable")
    bounds = np.concatenate([[0], np.cumsum(np.bincount(found.which, minlength=len(found.names)))])
    rows = [order[a:b] for a, b in pairwise(bounds.tolist())]
    return sorted(rows, key=lambda mine: int(mine[0]) if len(mine) else -1)


# --- one axis for all metrics --------------------------------------------------------------------


def _axis(found: Scalars, metrics: Mapping[str, Counts], counts: str, notes: list[str]) -> Axis:
    """The steps, where they count something; else the time, else the number of the value."""
    leader = _leader(found, metrics)
    if not _counts(found.step[metrics[leader]]) and max(map(len, metrics.values())) > 1:
        return _without_steps(found, metrics, notes)
    at = found.step.copy()
    if is_counter(at[metrics[leader]]):
        for rows in (rows for rows in metrics.values() if is_counter(at[rows])):
            at[rows] = _end_to_end(at[rows])
        notes.append(
            f"the {counts}s of {leader} count to the same end again and again: they are placed one after the other"
        )
    steps = at.copy()
    mine = metrics[leader]
    mine = mine[np.isfinite(at[mine])]
    own = []
    for name, rows in metrics.items():
        if name != leader and _has_own_counter(steps, rows, mine):
            at[rows] = _where_then(steps, rows, mine)
            own.append(name)
    silent = np.flatnonzero(~np.isfinite(at))
    at[silent] = _where_then(steps, silent, mine)
    if own:
        notes.append(
            f"{listed(own)} {'counts' if len(own) == 1 else 'count'} {counts}s apart from {leader}: "
            f"each value stands where {leader} was when it was written"
        )
    if len(silent):
        notes.append(f"{len(silent)} values have no {counts}: they stand where {leader} was when they were written")
    return Axis(counts, at)


def _leader(found: Scalars, metrics: Mapping[str, Counts]) -> str:
    """The loss or accuracy with the most values, and among equals the widest steps: what the others are put beside."""
    judged = [name for name in metrics if guess(name) is not None] or list(metrics)
    moving = [name for name in judged if _counts(found.step[metrics[name]])] or judged
    return max(moving, key=lambda name: (len(metrics[name]), _span(found.step[metrics[name]])))


def _counts(step: Values) -> bool:
    """Whether steps were given, and are not all the same."""
    return len(step) == 1 or _span(step) > 0


def _span(step: Values) -> float:
    step = step[np.isfinite(step)]
    return float(np.ptp(step)) if len(step) else 0.0


def _has_own_counter(step: Values, rows: Counts, leader: Counts) -> bool:
    if len(rows) < A_CURVE or not len(leader):
        return False
    mine = step[rows][np.isfinite(step[rows])]
    meanwhile = step[leader[(leader > rows[0]) & (leader < rows[-1])]]
    if not len(mine) or len(meanwhile) < A_CURVE:
        return False
    return bool(_span(mine) < OWN * _span(meanwhile) and mine.max() < OWN * meanwhile.max())


def _where_then(step: Values, rows: Counts, leader: Counts) -> Values:
    """The last step of the leader before each row; its first one before that."""
    return np.asarray(step[leader[np.maximum(np.searchsorted(leader, rows) - 1, 0)]])


def _end_to_end(step: Values) -> Values:
    """The steps of a counter that starts again in every epoch, one epoch after the other."""
    epoch = np.searchsorted(laps(step)[1:], np.arange(len(step)), side="right")
    return np.asarray(step + epoch * (_span(step) + float(np.diff(np.unique(step[np.isfinite(step)])).min())))


def _without_steps(found: Scalars, metrics: Mapping[str, Counts], notes: list[str]) -> Axis:
    same = len({len(rows) for rows in metrics.values()}) == 1
    if not same and found.time is not None and rises(found.time):
        notes.append("no steps were logged: values are placed by the time at which they were written")
        return Axis("time", since_start(found.time))
    notes.append("no steps were logged: the values of each metric are counted instead")
    at = np.empty(len(found.value))
    for rows in metrics.values():
        at[rows] = np.arange(len(rows))
    return Axis("row", at)


# --- sessions ------------------------------------------------------------------------------------


def _sessions(at: Values, metrics: Sequence[Counts], starts: Counts) -> Counts | None:
    """The session of each value: a new one where the tracker reports it, or where metrics go through steps again."""
    if all(rows[-1] - rows[0] < len(rows) for rows in metrics):  # one metric after the other: each has its own
        each = [sessions(at[rows]) for rows in metrics]
        number = np.zeros(len(at), dtype=np.int64)
        for rows, own in zip(metrics, each, strict=True):
            number[rows] = 0 if own is None else own
        return number if number.any() else None
    bounds = [0, *sorted({row for row in starts.tolist() if 0 < row < len(at)}), len(at)]
    if len(bounds) == 2 and not any(len(restarts(at[rows])) for rows in metrics):
        return None
    number = np.zeros(len(at), dtype=np.int64)
    last = -1
    for a, b in pairwise(bounds):
        found = common_sessions(at[a:b], (rows[(rows >= a) & (rows < b)] - a for rows in metrics))
        number[a:b] = last + 1 + (0 if found is None else found)
        last = int(number[b - 1])
    return number if last else None
