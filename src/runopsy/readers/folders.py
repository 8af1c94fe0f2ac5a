"""What lies in a folder: one run, several, or the same run in several formats."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from runopsy.errors import UnreadableLog
from runopsy.model import Run
from runopsy.readers.numeric_text import listed
from runopsy.readers.run_selection import Candidate, Found, named

DEPTH = 5  # folders below the one given: project/runs/detect/train/exp/results.csv
MOST = 20_000  # entries looked at: a home directory given by mistake has an end
STUDY = "study.json"  # marks a folder of what was found in logs (``study.folder``), which is no log itself
LOGS = re.compile(
    r"\.(csv|tsv|jsonl|ndjson|parquet|json|log|txt|out|err|wandb|db|sqlite3?|zip)$|tfevents", re.IGNORECASE
)


class Log(NamedTuple):
    """A log below a folder: a file, or a folder that is one log."""

    path: Path
    rank: int  # the place of its reader in READERS: the lower, the more specific the format
    open: Callable[[], Found]


Recogniser = Callable[[Path], tuple[int, Callable[[], Found]] | None]


def search(folder: Path, recogniser: Recogniser) -> Found:
    """The run, or the runs, below a folder that is none itself.

    In one directory, logs of different formats are taken for the same run, written by several loggers: the
    one of the most specific format is read, and a note names the others. Everything else is a run of its own.

    Args:
        folder: where to look; links are not followed, as they lead out of it or to what is found anyway.
        recogniser: for a file or folder, the place of its reader and what reads it; None where none does.

    Raises:
        UnreadableLog: there is no log.
    """
    logs = logs_in(folder, recogniser)
    if len(logs) == 1:
        return logs[0].open()
    names = _names(folder, [log.path for log in logs])
    return tuple(Candidate(name, _opener(log, name, folder)) for name, log in zip(names, logs, strict=True))


def logs_in(folder: Path, recogniser: Recogniser, most: int = MOST) -> list[Log]:
    """The logs below a folder, at least one, as ``search`` finds them; of at most so many entries.

    Raises:
        UnreadableLog: there is no log.
    """
    links: list[Path] = []
    logs = _one_format_each(list(_logs(folder, recogniser, links, most)))
    if not logs:
        followed = f"; {len(links)} links were not followed" if links else ""
        raise UnreadableLog(
            f"{folder} holds no log that runopsy knows{followed}",
            hint="it looks for run folders, event files, tables, JSON and text logs; name the file if its name is odd",
        )
    return logs


def natural(path: Path | str) -> tuple[tuple[int, str], ...]:
    """A key that sorts version_2 before version_10."""
    parts = re.findall(r"\d+|\D+", str(path))
    return tuple((int(part), part) if part.isascii() and part.isdigit() else (-1, part) for part in parts)


def _logs(folder: Path, recogniser: Recogniser, links: list[Path], most: int) -> Iterator[Log]:
    seen = 0
    waiting = [(folder, 0)]
    while waiting:
        place, depth = waiting.pop(0)
        try:
            entries = sorted(place.iterdir(), key=natural)
        except OSError:
            continue  # not for us to look into
        if any(entry.name == STUDY for entry in entries):
            continue
        for entry in entries:
            seen += 1
            if seen > most:
                return
            if entry.is_symlink():
                links.append(entry)
            elif entry.name.startswith("."):
                continue
            elif entry.is_dir():
                found = recogniser(entry)
                if found is not None:
                    yield Log(entry, *found)
                elif depth < DEPTH:
                    waiting.append((entry, depth + 1))
            elif entry.is_file() and LOGS.search(entry.name) and (found := recogniser(entry)) is not None:
                yield Log(entry, *found)


def _one_format_each(logs: list[Log]) -> list[Log]:
    """Of the files in one directory, those of the most specific format."""
    best: dict[Path, int] = {}
    for log in logs:
        if log.path.is_file():
            best[log.path.parent] = min(best.get(log.path.parent, log.rank), log.rank)
    passed: dict[Path, list[str]] = {}
    kept = []
    for log in logs:
        if log.path.is_file() and log.rank > best[log.path.parent]:
            passed.setdefault(log.path.parent, []).append(log.path.name)
        else:
            kept.append(log)
    return [_noted(log, passed.get(log.path.parent, []) if log.path.is_file() else []) for log in kept]


def _noted(log: Log, others: list[str]) -> Log:
    if not others:
        return log

    def load() -> Found:
        found = log.open()
        if not isinstance(found, Run):
            return found
        note = f"read {log.path.name}; beside it, and not read, in other formats: {listed(others)}"
        return replace(found, notes=(note, *found.notes))

    return log._replace(open=load)


def _names(folder: Path, paths: list[Path]) -> list[str]:
    """Paths from the folder; a directory stands for the only log in it."""
    parents = [path.parent for path in paths]
    return [
        str((path.parent if parents.count(path.parent) == 1 and path.parent != folder else path).relative_to(folder))
        for path in paths
    ]


def _opener(log: Log, name: str, folder: Path) -> Callable[[], Found]:
    def load() -> Found:
        found = log.open()
        return named(found, name, str(folder)) if isinstance(found, Run) else found

    return load
