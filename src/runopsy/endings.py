"""How a recorded run ended, from what its processes left behind: each recorded it, or died before it could."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from runopsy.processes import is_alive

STILL = 3600.0  # s without a value after which a run of another machine is taken to be over: steps take less
LONGEST = 500  # characters of an exception's message that are kept

Rank = int


@dataclass(slots=True)
class Left:
    """What lies in a run folder beside its values."""

    manifest: Mapping[str, Any]
    locks: Mapping[Rank, Mapping[str, Any]]  # of the processes that have not closed the run
    ends: Mapping[tuple[int, Rank], Mapping[str, Any]]  # by session and rank: how other ranks than the first ended
    wrote: frozenset[tuple[int, Rank]]  # sessions and ranks of which there are values
    last_time: float  # unix s of the newest value; NaN where none is known


@dataclass(slots=True)
class Ending:
    """``marks`` are (step, kind, detail): an exception that ended a session, a rank that died."""

    status: str | None
    notes: list[str] = field(default_factory=list)
    marks: list[tuple[float, str, dict[str, Any]]] = field(default_factory=list)


def ending(left: Left, now: float) -> Ending:
    """The end state at ``now`` (unix s)."""
    value = left.manifest.get("status")
    status = str(value) if value else None
    found = Ending(status)
    if status == "unclosed":
        found.status = "finished"
        found.notes.append("the script ended without closing the recorder: it may have stopped early")
    if status == "running":
        _still_open(left, found, now)
    if isinstance(full := left.manifest.get("disk_full"), Mapping):
        found.notes.append(f"the disk was full from step {full.get('step')} on")
    for session in _sessions(left.manifest):
        _add_exception(session, found, 0)
    for (_, rank), end in sorted(left.ends.items()):
        _add_exception(end, found, rank)
    _add_silent_ranks(left, found)
    return found


def _still_open(left: Left, found: Ending, now: float) -> None:
    """A run that nobody has closed: it goes on, or its process was killed."""
    alive = is_alive(left.locks.get(0, {}))
    if alive:
        found.notes.append("the run is still going on")
        return
    if alive is None and not now - left.last_time > STILL:  # also where no time is known
        found.notes.append("the recorder was not closed: the run was killed, or is still going on")
        return
    full = left.manifest.get("disk_full")
    if isinstance(full, Mapping) and not left.last_time > _number(full.get("time")):
        found.status = "disk_full"
        found.notes.append("the recorder was not closed: the process ended while the disk was full")
        return
    found.status = "killed"
    found.notes.append("the recorder was not closed: the process was killed (out of memory, a time limit, a signal)")


def _add_exception(entry: Mapping[str, Any], found: Ending, rank: Rank) -> None:
    exception = entry.get("exception")
    if not isinstance(exception, Mapping):
        return
    kind = "interrupted" if entry.get("status") == "interrupted" else "crashed"
    detail = {"type": str(exception.get("type", "")), "message": str(exception.get("message", ""))}
    found.marks.append((_number(exception.get("step")), kind, detail | ({"rank": rank} if rank else {})))


def _add_silent_ranks(left: Left, found: Ending) -> None:
    """Ranks that wrote values in a session that the first one has closed, and never recorded how they ended."""
    # recorders that gave no last step did not write how their other ranks ended
    closed = {entry.get("session"): entry for entry in _sessions(left.manifest) if entry.get("last_step") is not None}
    for session, rank in sorted(left.wrote):
        if not rank or session not in closed or (session, rank) in left.ends or is_alive(left.locks.get(rank, {})):
            continue
        text = f"rank {rank} ended without closing the run: it was killed"
        found.notes.append(text)
        step = _number(closed[session].get("last_step"))
        found.marks.append((step, "crashed", {"type": "killed", "message": text, "rank": rank}))


def _sessions(manifest: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    listed = manifest.get("sessions")
    return [one for one in listed if isinstance(one, Mapping)] if isinstance(listed, list) else []


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0
