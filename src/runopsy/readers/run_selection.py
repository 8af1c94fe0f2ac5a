"""Several runs in one file or folder: named, looked at, chosen; never joined."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeAlias

import numpy as np

from runopsy.errors import BadOption, RunopsyError, UnreadableLog
from runopsy.model import VALIDATED, Role, Run, Track
from runopsy.signals import assign, in_unit, with_sums

BUDGET = 5.0  # s that a listing may spend on reading runs; what lies beyond is named only
JOIN = "+"  # between runs that went on from each other
INNER = 1000  # attempts within one run, at most, where several are joined
ALL = "all"  # the word of --run for every one of them
LOOKED_AT = (
    "train/loss",
    "val/loss",
    "train/acc",
    "val/acc",
    "reward",
    "val/metric",
)  # the first that is there stands in a listing

SELECTED_BY = (*VALIDATED, "reward", "train/loss", "train/acc")  # whose best reading is listed


@dataclass(frozen=True, slots=True)
class Candidate:
    """One of several runs: named at once, read when asked."""

    name: str  # unique among its neighbours: what --run takes
    load: Callable[[], Found]

    def read(self) -> Run:
        """The run.

        Raises:
            UnreadableLog: it cannot be read, or holds several runs itself.
        """
        found = self.load()
        if isinstance(found, Run):
            return found
        raise UnreadableLog(
            f"{self.name} holds {len(found)} runs itself: {_some(found)}", hint="give its own path, and --run again"
        )


Found: TypeAlias = Run | tuple[Candidate, ...]  # what a reader gives: the one run, or several to choose from


class Glance(NamedTuple):
    """What a listing shows of a run."""

    number: int  # from 1, as --run takes it
    name: str
    rows: int | None  # of its longest column; None: not read
    last: float | None  # position of its last value
    axis: str
    curve: str  # the role of the curve that is shown
    value: float | None  # its last value
    trouble: str = ""  # why it cannot be read
    best: Best | None = None


class Best(NamedTuple):
    """The best reading of the curve that a run would be selected by."""

    curve: str
    value: float
    at: float


def given(run: Run) -> Candidate:
    """A run that has been read already."""
    return Candidate(run.id, lambda: run)


def as_candidates(found: Found) -> tuple[Candidate, ...]:
    return (given(found),) if isinstance(found, Run) else found


def named(run: Run, name: str, place: str) -> Run:
    """One run of several under a path that shows how it was chosen, as it would be typed."""
    return replace(run, id=name, path=f"{place} --run {name}")


def choose(candidates: Sequence[Candidate], wanted: str | None, place: str) -> Candidate:
    """The candidate of that number (from 1) or name, or the only one; ``1+2`` is run 2 as the resume of run 1.

    Raises:
        UnreadableLog: there are several and none was wanted.
        BadOption: no such run, or the word fits several.
    """
    if wanted is None:
        if len(candidates) == 1:
            return candidates[0]
        raise UnreadableLog(
            f"{place} holds {len(candidates)} runs: {_some(candidates)}",
            hint="choose with --run NUMBER or NAME; --run 1+2 joins a run and its resume; --run all takes each in turn",
        )
    names = [candidate.name for candidate in candidates]
    by_number = int(wanted) if wanted.isascii() and wanted.isdigit() else 0
    if wanted in names and by_number and names.index(wanted) != by_number - 1 and by_number <= len(names):
        raise BadOption(
            f"--run {wanted} is the number of one run and the name of another",
            hint=f"its number is {names.index(wanted) + 1}; run {wanted} by number is called {names[by_number - 1]}",
        )
    if wanted in names:
        return candidates[names.index(wanted)]
    if 1 <= by_number <= len(names):
        return candidates[by_number - 1]
    if JOIN in wanted:
        parts = [choose(candidates, part, place) for part in wanted.split(JOIN)]
        return Candidate(wanted, lambda: _joined([part.read() for part in parts], wanted, place))
    fitting = [candidate for candidate in candidates if wanted in candidate.name]
    if len(fitting) == 1 and not by_number:
        return fitting[0]
    some = _some(fitting or candidates)
    what = f"fits {len(fitting)} runs" if len(fitting) > 1 else f"is none of the {len(candidates)} runs of {place}"
    raise BadOption(f"--run {wanted} {what}", hint=f"there are {some}")


def chosen(candidates: Sequence[Candidate], wanted: str | None, place: str) -> tuple[Candidate, ...]:
    """All of them, where that is wanted; those of a run that holds several itself each by its own name.

    Raises:
        UnreadableLog, BadOption: as ``choose``.
    """
    if wanted != ALL:
        return (choose(candidates, wanted, place),)
    return tuple(inner for candidate in candidates for inner in _flat(candidate))


def _flat(candidate: Candidate) -> Iterator[Candidate]:
    """A run, or the runs in it."""
    try:
        found = candidate.load()
    except RunopsyError as error:
        yield Candidate(candidate.name, _raiser(error))
        return
    if isinstance(found, Run):
        yield Candidate(candidate.name, candidate.load)  # read again when its turn comes: not all at once in memory
        return
    for inner in found:
        yield from _flat(Candidate(f"{candidate.name} {inner.name}", inner.load))


def _raiser(error: RunopsyError) -> Callable[[], Found]:
    def fail() -> Found:
        raise error

    return fail


def glances(candidates: Sequence[Candidate], budget: float = BUDGET) -> Iterator[Glance]:
    """What a listing shows of each; once ``budget`` seconds are spent, no more are read."""
    until = time.monotonic() + budget
    for number, candidate in enumerate(candidates, 1):
        if time.monotonic() > until:
            yield Glance(number, candidate.name, None, None, "", "", None)
            continue
        try:
            run = candidate.read()
        except RunopsyError as error:
            yield Glance(number, candidate.name, None, None, "", "", None, error.message)
        else:
            yield _glance(number, candidate.name, run)


def _joined(parts: Sequence[Run], name: str, place: str) -> Run:
    """Runs that went on from each other as one, each an attempt; where they overlap, the later one counts.

    Raises:
        BadOption: they do not count alike.
    """
    axes = {part.axis for part in parts}
    if len(axes) > 1:
        raise BadOption(f"--run {name}: the runs count {' and '.join(sorted(axes))}", hint="join runs with one axis")
    tracks = {}
    for column in dict.fromkeys(column for part in parts for column in part.tracks):
        tracks[column] = _end_to_end(
            [(i, part.tracks[column]) for i, part in enumerate(parts) if column in part.tracks]
        )
    notes = (
        f"joined as asked: {', '.join(part.id for part in parts)}",
        *(note for part in parts for note in part.notes),
    )
    return named(replace(parts[0], tracks=tracks, notes=notes), name, place)


def _end_to_end(parts: Sequence[tuple[int, Track]]) -> Track:
    """One column of several attempts; attempts within one of them are counted as the one they became."""
    timed = all(track.time is not None for _, track in parts)
    return Track(
        parts[0][1].name,
        np.concatenate([track.step for _, track in parts]),
        np.concatenate([track.value for _, track in parts]),
        np.concatenate([track.time for _, track in parts if track.time is not None]) if timed else None,
        np.concatenate([INNER * i + (0 if t.session is None else t.session) + np.zeros(len(t), int) for i, t in parts]),
        sum(track.unread for _, track in parts),
    )


def _glance(number: int, name: str, run: Run) -> Glance:
    run = with_sums(run)
    rows = max((len(track) for track in run.tracks.values()), default=0)
    last = max((float(np.nanmax(t.step)) for t in run.tracks.values() if len(t)), default=None)
    roles = {role.role: role for role in assign(run.tracks) if role.role}
    role = next((roles[curve] for curve in LOOKED_AT if curve in roles), None)
    if role is None or not len(run.tracks[role.track]):
        return Glance(number, name, rows, last, run.axis, "", None)
    track = run.tracks[role.track]
    value = float(in_unit(track.value, role)[np.argmax(track.step)])
    return Glance(number, name, rows, last, run.axis, role.role, value, best=_best(run, roles))


def _best(run: Run, roles: Mapping[str, Role]) -> Best | None:
    """Validation before training: the lowest loss, or the highest accuracy or score."""
    role = next((roles[curve] for curve in SELECTED_BY if curve in roles), None)
    if role is None:
        return None
    track = run.tracks[role.track]
    values = in_unit(track.value, role)
    finite = np.flatnonzero(np.isfinite(values))
    if not len(finite):
        return None
    higher = role.role.endswith("/acc") or (role.better == "higher" and not role.role.endswith("/loss"))
    where = finite[(np.argmax if higher else np.argmin)(values[finite])]
    return Best(role.role, float(values[where]), float(track.step[where]))


def _some(candidates: Sequence[Candidate]) -> str:
    more = f" and {len(candidates) - 5} more" if len(candidates) > 5 else ""
    return ", ".join(candidate.name for candidate in candidates[:5]) + more
