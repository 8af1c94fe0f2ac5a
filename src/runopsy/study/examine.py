"""A log → the rows and autopsies of its runs: what a worker does, alone with it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from runopsy import readers
from runopsy.autopsy import STANDARDS, analyze
from runopsy.errors import RunopsyError
from runopsy.model import Run
from runopsy.readers.run_selection import Candidate
from runopsy.report import data
from runopsy.segments import EXACT, Segmenter
from runopsy.standards import Standards
from runopsy.study import content, remote
from runopsy.study.row import Row, plain, row_of, unexamined

PART = 16  # runs of one log that are a task of their own: a table of a thousand is shared out
SETTING = re.compile(r"(?:^|[,;_\s-])([A-Za-z][\w.]*?)=([^,;=/\s]+?)(?=$|[,;\s]|[_-][A-Za-z][\w.]*=)")
SEEDED = re.compile(r"(?:^|[^A-Za-z])seed[_-]?(\d+)(?!\d)", re.IGNORECASE)
SUFFIX = re.compile(r"\.(csv|tsv|jsonl?|log|txt|parquet|out)$", re.IGNORECASE)
KNOWN = "running"  # status of a run that is still written: it is examined again whatever state its files are in


@dataclass(frozen=True, slots=True)
class How:
    """All that decides what is found in a log, beside the log."""

    roles: Mapping[str, str] = field(default_factory=dict)
    x: str | None = None
    metric: str | None = None
    standards: Standards = STANDARDS
    segmenter: Segmenter = EXACT

    def digest(self) -> str:
        return content.of_text(f"{content.program()} {self!r}")


@dataclass(frozen=True, slots=True)
class Task:
    """A log to examine, or some of the runs in it."""

    path: str
    how: How
    rank: int = 0
    stamp: str = ""
    content: str = ""  # as it was when it was examined so before; empty: never
    known: Mapping[str | None, str] = field(default_factory=dict)  # run → its values then
    part: tuple[int, int] | None = None  # of the runs in it, from and to; None: all


class Examined(NamedTuple):
    """A row, and its autopsy as JSON where there is one."""

    row: Row
    autopsy: str | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a task."""

    examined: tuple[Examined, ...] = ()
    same: tuple[str | None, ...] = ()  # runs whose values are those that were known
    unchanged: bool = False  # the bytes are those that were known: nothing was read
    parts: tuple[Task, ...] = ()  # instead of an answer: what to ask
    names: tuple[str | None, ...] = ()  # then: of all runs in the log
    content: str = ""
    of: int = 1


def examine(task: Task) -> Answer:
    """The runs of one log; whatever is wrong with one of them becomes its row."""
    try:
        with remote.at_hand(task.path) as place:
            bytes_ = content.content(place)
            if bytes_ == task.content:
                return Answer(unchanged=True, content=bytes_)
            return _examined(task, place, bytes_)
    except Exception as error:
        return Answer((Examined(_marked(unexamined(task.path, None, _reason(error)), task, "", "", 1), None),))


def _examined(task: Task, place: Path, bytes_: str) -> Answer:
    found = list(_runs(readers.runs(str(place))))
    several = len(found) > 1 or found[0].name is not None
    if task.part is None and len(found) > PART:
        parts = tuple((a, min(a + PART, len(found))) for a in range(0, len(found), PART))
        names = tuple(one.name for one in found)
        return Answer(parts=tuple(replace(task, part=part) for part in parts), names=names, of=len(found))
    first, last = task.part or (0, len(found))
    done: list[Examined] = []
    same: list[str | None] = []
    for number, one in enumerate(found[first:last], first):
        name = one.name if several else None
        try:
            run = _addressed(one.read(), task.path, place)
            digest = content.values(run)
            if several and task.known.get(name) == digest:
                same.append(name)
                continue
            row, autopsy = _row(run, task, name)
        except Exception as error:  # of a hundred thousand logs one finds what no test has found; the others go on
            row, autopsy, digest = unexamined(task.path, name, _reason(error)), None, ""
        row = replace(row, place=number)
        done.append(Examined(_marked(row, task, bytes_, digest, len(found)), autopsy))
    return Answer(tuple(done), tuple(same), content=bytes_, of=len(found))


def _row(run: Run, task: Task, name: str | None) -> tuple[Row, str]:
    autopsy = analyze(
        run,
        roles=task.how.roles,
        x=task.how.x,
        metric=task.how.metric,
        standards=task.how.standards,
        segmenter=task.how.segmenter,
    )
    row = row_of(autopsy, task.path, name)
    return replace(row, settings={**_named(task.path, name), **row.settings}), data.dump(autopsy)


def _marked(row: Row, task: Task, bytes_: str, digest: str, of: int) -> Row:
    live = row.status == KNOWN
    return replace(
        row,
        stamp="" if live else task.stamp,
        content="" if live else bytes_,
        values=digest,
        how=task.how.digest(),
        rank=task.rank,
        of=of,
    )


@dataclass(frozen=True, slots=True)
class _Named:
    """A run in a log, by the name under which ``--run`` finds it; None where it is the only one."""

    name: str | None
    candidate: Candidate

    def read(self) -> Run:
        return self.candidate.read()


def _runs(candidates: tuple[Candidate, ...]) -> Iterator[_Named]:
    """Every run in a log."""
    if len(candidates) == 1:
        yield _Named(None, candidates[0])
        return
    for candidate in candidates:
        yield _Named(candidate.name, candidate)


def _named(path: str, run: str | None) -> dict[str, Any]:
    """Settings that names of folders, files and runs spell out: ``lr=0.1,seed=2``."""
    stems = [SUFFIX.sub("", word) for word in path.split("/")]
    seeds = [("seed", seed) for word in stems for seed in SEEDED.findall(word)]
    pairs = [*seeds, *(pair for word in stems for pair in SETTING.findall(word))]
    found = {key: plain(value) for key, value in pairs}
    column, equals, value = (run or "").partition("=")  # as a table of several runs names them
    return found | {column: plain(value)} if column and equals else found


def _addressed(run: Run, path: str, place: Path) -> Run:
    """A run that was read from a copy names where the log is."""
    return replace(run, path=run.path.replace(str(place), path)) if remote.is_address(path) else run


def _reason(error: Exception) -> str:
    if isinstance(error, RunopsyError):
        return error.message
    if isinstance(error, MemoryError):
        return "it needs more memory than a worker may take"
    if isinstance(error, OSError):
        return f"it cannot be read: {error.strerror or error}"
    return f"a fault of runopsy: {type(error).__name__}: {error}"
