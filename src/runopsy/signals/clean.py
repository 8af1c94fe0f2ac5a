"""Columns as logged → signals an examination can stand on: ordered, without repeats, finite."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runopsy.model import Counts, Positions, Role, Run, Signal, Track, Values

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
    notes: list[str] = []
    starts = _session_starts(run.tracks.values())
    superseded = repeated = unread = 0
    signals: dict[str, Signal] = {}
    for role in roles:
        track = run.tracks[role.track]
        name = role.role or role.track
        unread += track.unread
        kept = _not_superseded(track, starts)
        superseded += int((~kept).sum())
        step, order = _last_of_each(track.step[kept])
        repeated += int(kept.sum()) - len(step)
        value = track.value[kept][order] * role.scale
        time = None if track.time is None else track.time[kept][order]
        signals[name] = _signal(name, role, step, 1 - value if role.complement else value, time)
    if superseded:
        where = ", ".join(f"{start:g}" for start in starts.values())
        notes.append(f"resumed at {run.axis} {where}: {superseded} values that were trained again were left out")
    if repeated:
        notes.append(f"{repeated} values shared a {run.axis} with a later one of the same column, which counts")
    if unread:
        notes.append(f"{unread} cells held text where a number belongs and were left out")
    return Measured(signals, tuple(starts.values()), tuple(notes))


def _session_starts(tracks: Iterable[Track]) -> dict[int, float]:
    """Session → its first step over all columns, for every session after the first."""
    firsts: dict[int, float] = {}
    for track in tracks:
        if track.session is None:
            continue
        for session in np.unique(track.session).tolist():
            low = float(track.step[track.session == session].min())
            firsts[session] = min(low, firsts.get(session, low))
    return {session: firsts[session] for session in sorted(firsts)[1:]}


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


def _last_of_each(step: Positions) -> tuple[Positions, Counts]:
    """Steps in order, each once, and where the last row that has it stands."""
    order = np.argsort(step, kind="stable")
    ordered = step[order]
    last = np.append(ordered[1:] != ordered[:-1], True) if len(ordered) else np.zeros(0, dtype=bool)
    return ordered[last], order[last]


def _signal(name: str, role: Role, step: Positions, value: Values, time: Values | None) -> Signal:
    finite = np.isfinite(value)
    broken = None if finite.all() or _is_padding(value) else step[~finite]
    return Signal(name, role.track, step[finite], value[finite], None if time is None else time[finite], broken)


def _is_padding(value: Values) -> bool:
    """Whether NaN only stands for "not logged here", as in tables that some tools pad."""
    missing = np.isnan(value)
    finite = np.flatnonzero(np.isfinite(value))
    if not len(finite) or missing.mean() < FILLED:
        return False
    return bool(missing[: finite[-1]].sum() >= BEFORE_LAST * missing.sum())
