"""Examine many runs: each once, in parallel, and only what is new or has changed."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

from runopsy.autopsy import STANDARDS
from runopsy.segments import EXACT, Segmenter
from runopsy.standards import Standards, tuned
from runopsy.study import folder as folders
from runopsy.study.collect import Before, Log, collect
from runopsy.study.engine import Engine, Lost, Processes, each
from runopsy.study.examine import Answer, How, Task, examine
from runopsy.study.folder import Folder, Key
from runopsy.study.over_sizes import given, without_tables
from runopsy.study.row import Row, unexamined
from runopsy.study.study import Asked, Study, study_of

Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Tally:
    """What a sweep had to do."""

    examined: int  # runs
    kept: int  # runs that had not changed since they were examined


def sweep(
    runs: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    *,
    study: str | os.PathLike[str] = folders.DEFAULT,
    by: tuple[str, str] | None = None,
    where: str | None = None,
    sort: str | None = None,
    outcome: str | None = None,
    size: str | None = None,
    roles: Mapping[str, str] | None = None,
    x: str | None = None,
    metric: str | None = None,
    standards: Standards = STANDARDS,
    thresholds: Mapping[str, Any] | None = None,
    segmenter: Segmenter = EXACT,
    engine: Engine | None = None,
    again: bool = False,
    progress: Progress | None = None,
) -> Study:
    """Examine every run that is named, and hold the settings against what became of them.

    A run that was examined before with the same thresholds, and has not changed since, is not examined again. One
    that cannot be read is a row with the reason. What is not named below is taken as by ``runopsy.analyze``.

    Args:
        runs: folders, log files, patterns (``runs/*/metrics.csv``), addresses such as ``s3://bucket/runs``, ``-``.
        study: the folder that keeps what was found; it is made where there is none.
        by: two settings, for a phase diagram over them.
        where: which runs to show, as in ``"lr > 1e-3 and verdict = 'grokked'"``.
        sort: the column to sort by; ``-NAME`` for the largest first. The best outcome comes first without it.
        outcome: what settings are compared with: ``"best"`` (the default), ``"last"``, a signal, or a kind of event.
        size: the setting that gives the size of the model or of its data set; found by its name otherwise.
        engine: where runs are examined; by default one process per processor.
        again: examine all of them again.
        progress: given the share that is done, 0 to 1.

    Raises:
        UnreadableLog: nothing that is named holds a run.
        BadOption: a setting, column or option that does not exist, or a study folder that cannot be used.
    """
    how = How(dict(roles or {}), x, metric, tuned(standards, thresholds or {}), segmenter)
    sources = [str(one) for one in ([runs] if isinstance(runs, (str, os.PathLike)) else runs)]
    rows, tally = examined(sources, Path(study), how, engine or Processes(), again=again, progress=progress or _silent)
    asked = Asked(by=by, where=where, sort=sort, outcome=outcome, size=size)
    over = given(sources)
    return study_of(
        without_tables(rows, over), asked, folder=str(study), examined=tally.examined, kept=tally.kept, over=over
    )


def examined(
    sources: Sequence[str], study: Path, how: How, engine: Engine, *, again: bool, progress: Progress
) -> tuple[tuple[Row, ...], Tally]:
    """The rows of all runs that the sources name, and how many were examined for it."""
    with folders.opened(study) as folder:
        wanted = how.digest()
        before = {} if again else _by_log(folder.rows, wanted)
        logs = collect(sources, {path: Before(rows[0].rank, rows[0].stamp) for path, rows in before.items()})
        tasks = deque(_tasks(logs, before, how))
        done = _work(folder, tasks, engine, before, progress) if tasks else 0
        for log in logs:
            if log.trouble:
                folder.keep(unexamined(log.path, None, log.trouble), None)
        chosen = {log.path: place for place, log in enumerate(logs)}
        rows = [row for row in folder.rows.values() if row.path in chosen]
    rows.sort(key=lambda row: (chosen[row.path], row.place))
    return tuple(rows), Tally(done, len(rows) - done)


def _by_log(rows: Mapping[Key, Row], how: str) -> dict[str, list[Row]]:
    """Log → its rows, where all of its runs have been examined in the way that is wanted."""
    ordered = sorted((row for row in rows.values() if row.how == how), key=lambda row: row.path)
    grouped = {path: list(group) for path, group in groupby(ordered, key=lambda row: row.path)}
    return {path: group for path, group in grouped.items() if len(group) >= group[0].of}


def _tasks(logs: Sequence[Log], before: Mapping[str, Sequence[Row]], how: How) -> Iterator[Task]:
    """What is to be looked at: logs that are new, and those whose files may have changed."""
    for log in logs:
        if log.trouble:
            continue
        then = before.get(log.path, ())
        if then and log.stamp and all(row.stamp == log.stamp for row in then):
            continue
        known = {row.run: row.values for row in then}
        yield Task(log.path, how, log.rank, log.stamp, then[0].content if then else "", known)


def _work(
    folder: Folder, tasks: deque[Task], engine: Engine, before: Mapping[str, Sequence[Row]], progress: Progress
) -> int:
    """Have all tasks done, and keep what was found as it comes; how many runs were examined."""
    held: dict[str, set[str | None]] = {}
    for path, run in folder.rows:
        held.setdefault(path, set()).add(run)
    total, count = len(tasks), 0
    for ready, (task, answer) in enumerate(each(engine, examine, tasks), 1):
        if isinstance(answer, Lost):
            part = None if task.part is None else f"runs {task.part[0] + 1} to {task.part[1]}"
            folder.keep(replace(unexamined(task.path, part, answer.why), how=task.how.digest()), None)
        elif answer.parts:
            tasks.extend(answer.parts)
            total += len(answer.parts)
            folder.drop((task.path, run) for run in held.get(task.path, set()) - set(answer.names))
        else:
            count += len(answer.examined)
            _keep(folder, task, answer, before.get(task.path, ()))
            if task.part is None and not answer.unchanged:
                there = {one.row.run for one in answer.examined} | set(answer.same)
                folder.drop((task.path, run) for run in held.get(task.path, set()) - there)
        progress(ready / total)
    return count


def _keep(folder: Folder, task: Task, answer: Answer, before: Sequence[Row]) -> None:
    """What was found, and what was found before and has not changed since."""
    for one in answer.examined:
        folder.keep(one.row, one.autopsy)
    for row in before:
        if answer.unchanged:
            folder.keep(replace(row, stamp=task.stamp), None)
        elif row.run in answer.same:
            folder.keep(replace(row, stamp=task.stamp, content=answer.content, of=answer.of), None)


def _silent(share: float) -> None:
    """Progress nobody asked for."""
