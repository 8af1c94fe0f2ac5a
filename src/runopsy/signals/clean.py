"""Columns as logged → signals an examination can stand on: ordered, without repeats, finite."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runopsy.model import Counts, Positions, Role, Run, Signal, Track, Values
from runopsy.signals.missing import notes_on
from runopsy.signals.placeholders import before_the_first, placeholders
from runopsy.signals.roles import ROLES

HUGE = 1e150  # a value whose square overflows is broken, whatever it was
FILLED = 0.5  # share of NaN above which they may be padding of a sparse column rather than broken values
BEFORE_LAST = 0.9  # of those NaN must lie before the last finite value: a NaN tail is a run that broke


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """The signals of a run, and what had to be done to get them."""

    signals: Mapping[str, Signal]
    resumes: tuple[float, ...]  # first step of each session after the first
    notes: tuple[str, ...]


def measure(run: Run, roles: Sequence[Role]) -> Measured:
    """Every column as a signal under its canonical name, or its own where it plays no role."""
    notes = [*notes_on(roles, run.tracks)]
    starts = _session_starts(run.tracks.values())
    superseded = repeated = unread = empty = 0
    signals: dict[str, Signal] = {}
    played = {role.role for role in roles} | {*ROLES}
    unvalidated = _unvalidated(run, roles)
    for role in roles:
        track = run.tracks[role.track]
        name = role.role or _own_name(role.track, played, signals)
        unread += track.unread
        usable = ~_unmeasured(role, track, unvalidated)
        empty += int((~usable).sum())
        kept = usable & _not_superseded(track, starts)
        superseded += int(usable.sum() - kept.sum())
        rows = slice(None) if kept.all() else np.flatnonzero(kept)
        step, order = _last_of_each(track.step[rows])
        if role.role and len(step) < int(kept.sum()):
            repeated += _changed(track.step[rows], track.value[rows])
        value = in_unit(track.value[rows][order], role)
        time = None if track.time is None else track.time[rows][order]
        signals[name] = _signal(name, role, step, value, time)
    if superseded:
        where = ", ".join(f"{start:g}" for start in starts.values())
        notes.append(f"resumed at {run.axis} {where}: {superseded} values that were trained again were left out")
    if repeated:
        several = f"{repeated} values shared their" if repeated > 1 else "1 value shared its"
        notes.append(f"{several} {run.axis} with a later, different one, which counts")
    if empty:
        notes.append(f"{empty} values of -1 or 0 stand where nothing was measured and were left out")
    if unread:
        notes.append(f"{unread} cells held text where a number belongs and were left out")
    return Measured(signals, tuple(starts.values()), tuple(notes))


def _unvalidated(run: Run, roles: Sequence[Role]) -> Positions:
    """The steps at whose rows a validation loss of 0 stands for none."""
    loss = next((run.tracks[role.track] for role in roles if role.role == "val/loss"), None)
    return np.zeros(0) if loss is None else loss.step[before_the_first(loss.value)]


def _unmeasured(role: Role, track: Track, unvalidated: Positions) -> NDArray[np.bool_]:
    """Which values of a column stand for none; where validation had no loss, its scores of 0 do too."""
    side, _, quantity = role.role.partition("/")
    if quantity not in ("loss", "acc", "metric"):
        return np.zeros(len(track), dtype=bool)
    none = np.zeros(len(track), dtype=bool) if quantity == "metric" else placeholders(track.value)
    if quantity == "loss":
        none |= before_the_first(track.value)
    if side == "val" and len(unvalidated):
        none |= (track.value == 0) & np.isin(track.step, unvalidated)
    return none


def in_unit(value: Values, role: Role) -> Values:
    """Logged values in the unit of their role: a share for percent, accuracy for errors, loss for perplexity."""
    value = value if role.scale == 1 else value * role.scale  # a copy of a million values is not made for nothing
    if role.logarithm:
        return np.log(np.where(value > 0, value, np.nan))
    return 1 - value if role.complement else value


def _own_name(name: str, played: set[str], signals: Mapping[str, Signal]) -> str:
    """A column without a role must not pass for one that has it: a refused "val/acc" is kept as "val/acc#2"."""
    own, count = name, 1
    while own in played or own in signals:
        count += 1
        own = f"{name}#{count}"
    return own


def _session_starts(tracks: Iterable[Track]) -> dict[int, float]:
    """Session → the step it went on from, for every session after the first.

    That is the step of its earliest row by the clock, where there is one: a resumed script may log a
    reference value for step 0 later on. Without a clock it is the lowest first row of any column.
    """
    firsts: dict[int, tuple[float, float]] = {}
    for track in tracks:
        if track.session is None:
            continue
        for session in np.unique(track.session).tolist():
            mine = np.flatnonzero(track.session == session)
            when = np.zeros(len(mine)) if track.time is None else np.nan_to_num(track.time[mine], nan=np.inf)
            row = mine[np.lexsort((track.step[mine] if track.time is not None else mine, when))[0]]
            first = (float(when.min()), float(track.step[row]))
            firsts[session] = min(first, firsts.get(session, first))
    return {session: firsts[session][1] for session in sorted(firsts)[1:]}


def _not_superseded(track: Track, starts: Mapping[int, float]) -> NDArray[np.bool_]:
    """Rows that no later session trained again.

    A resumed run goes on from a checkpoint: whatever an earlier session logged at or after that step
    belongs to a path that was abandoned, also where the new session logs at other steps.
    """
    kept = np.ones(len(track), dtype=bool)
    if track.session is not None:
        for session, start in starts.items():
            kept &= (track.session >= session) | (track.step < start)
    return kept


def _last_of_each(step: Positions) -> tuple[Positions, Counts | slice]:
    """Steps in order, each once, and where the last row that has it stands: all as they are, nearly always."""
    if (step[1:] > step[:-1]).all():
        return step, slice(None)
    order = np.argsort(step, kind="stable")
    ordered = step[order]
    last = np.append(ordered[1:] != ordered[:-1], True) if len(ordered) else np.zeros(0, dtype=bool)
    return ordered[last], order[last]


def _changed(step: Positions, value: Values) -> int:
    """How many values give way to a later and different one at their step; the same one again is no loss."""
    order = np.argsort(step, kind="stable")
    ordered, ordered_values = step[order], value[order]
    again = ordered[1:] == ordered[:-1]
    same = (ordered_values[1:] == ordered_values[:-1]) | (np.isnan(ordered_values[1:]) & np.isnan(ordered_values[:-1]))
    return int((again & ~same).sum())


def _signal(name: str, role: Role, step: Positions, value: Values, time: Values | None) -> Signal:
    finite = is_finite(value)
    better = "higher" if role.complement else role.better
    if finite.all():
        return Signal(name, role.track, step, value, time, better=better)
    evaluated = name.startswith("val")
    broken = None if _is_padding(value, rare_at_first=evaluated) else step[~finite]
    return Signal(name, role.track, step[finite], value[finite], None if time is None else time[finite], broken, better)


def is_finite(value: Values) -> NDArray[np.bool_]:
    """Which values can be reckoned with: neither NaN nor infinite, nor so large that their square is."""
    return np.abs(value) < HUGE  # NaN is not below anything


def _is_padding(value: Values, *, rare_at_first: bool) -> bool:
    """Whether NaN only stands for "not logged here", as in tables that some tools pad.

    A column that is logged each so many rows ends in NaN between two values: no more of it than between earlier ones,
    nor, where the first evaluation comes after a while (``rare_at_first``), than before the first.
    """
    missing = np.isnan(value)
    finite = np.flatnonzero(np.isfinite(value))
    if not len(finite) or missing.mean() < FILLED:
        return False
    tail = len(value) - 1 - int(finite[-1])
    gaps = [*(np.diff(finite) - 1).tolist(), int(finite[0]) if rare_at_first else 0]
    return bool(tail <= max(gaps) or missing[: finite[-1]].sum() >= BEFORE_LAST * missing.sum())
