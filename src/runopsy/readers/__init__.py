"""Logs on disk → Run. A reader is a module with ``recognises`` and ``read``; the first that recognises reads.

A reader is asked about files and about folders alike (``Source.is_folder``); it goes by content, and never
executes or unpickles what it finds. It gives the run, or, where there are several, a name for each and what reads it.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path

from runopsy.errors import UnreadableLog
from runopsy.model import Run
from runopsy.readers.reader import (
    DOCUMENT,
    OBJECT,
    Format,
    Reader,
    begins,
    contains,
    either,
    folder,
    matches,
    text,
)
from runopsy.readers.run_selection import Candidate, Found, as_candidates, choose
from runopsy.readers.source import Source
from runopsy.store import is_run_folder, read_run

__all__ = ["READERS", "Candidate", "Found", "Reader", "logs", "read", "runs"]

SQLITE = b"SQLite format 3\0"
ZIP = b"PK\x03\x04"
# The most specific first; what any text may look like comes last.
READERS: tuple[Reader, ...] = (
    Format("tensorboard", lambda source: source.is_folder or b"\0" in source.head),
    Format("wandb_offline", either(folder, begins(b":W&B"))),
    Format("mlflow_files", folder),
    Format("mlflow_database", begins(SQLITE)),
    Format("trackio", begins(SQLITE)),
    Format("dvclive", folder),
    Format("sacred", either(folder, matches(OBJECT))),
    Format("comet", either(folder, begins(ZIP))),
    Format("clearml", either(folder, begins(ZIP))),
    Format("aim", folder),
    Format("database", begins(SQLITE)),
    Format("neptune", either(folder, begins(b"PAR1"))),
    Format("columnar", begins(b"PAR1")),
    Format("notebook", matches(OBJECT)),
    Format("huggingface", either(folder, matches(OBJECT))),
    Format("catboost", either(folder, matches(OBJECT), begins(b"iter\t"))),
    Format("monitor", contains(r'\n\s*"?r"?,"?l"?,"?t')),
    Format("tensorboard_export", contains(r"(?i)\n\s*\"?wall time")),
    Format("yolo_results", contains(r"\n\s*\d+/\d+\s")),
    Format("mlperf", contains(":::MLL")),
    Format("jsonlines", contains(r"\n\s*\{")),
    Format("documents", matches(DOCUMENT)),
    Format("wandb_export", contains("__MIN")),
    Format("delimited", text),
    Format("textlog", text),
)

PACKED = (b"\x1f\x8b", b"PK\x03\x04", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")  # gzip, zip, bzip2, xz, zstd
JSON = re.compile(r"\s*(\{\s*(\"|\}|$)|\[\s*(\{|\[|\"|$))")  # how a document begins, unlike [2026-01-31] …
PICKLE = re.compile(rb"\x80[\x02-\x05][^\n]|\((?:dp|lp)\d*\n|[\]}]q\x00")  # of protocols 2 to 5, of 0, of 1
CHECKPOINT = 4096  # bytes in which the name of a checkpoint's first member stands
PICKLED = (
    "'import json, pickle, sys; "
    'json.dump(pickle.load(open(sys.argv[1], "rb")), sys.stdout, default=lambda x: x.tolist())'
    "'"
)
EXPORT = "runopsy reads tables, JSON, text logs and the files of the usual trackers; export the log as CSV"


OTHERS = "runopsy.readers"  # the group of entry points: a module with ``recognises`` and ``read`` each


@cache
def others() -> tuple[Reader, ...]:
    """The readers that installed packages offer; they are asked before our own.

    Raises:
        UnreadableLog: one of them cannot be loaded, or is no reader.
    """
    found = []
    for point in entry_points(group=OTHERS):
        try:
            reader = point.load()
        except Exception as cause:  # whatever a stranger's module raises when it is imported
            raise UnreadableLog(
                f"the reader {point.name} ({point.value}) cannot be loaded: {cause}",
                hint="mend or uninstall the package that offers it",
            ) from cause
        if not all(callable(getattr(reader, name, None)) for name in ("recognises", "read")):
            raise UnreadableLog(
                f"the reader {point.name} ({point.value}) has no recognises and read",
                hint="mend or uninstall the package that offers it",
            )
        found.append(reader)
    return tuple(found)


def read(path: str | os.PathLike[str], run: str | int | None = None) -> Run:
    """The run at ``path``: a run folder, a log file, a folder that holds one, or ``-`` for standard input.

    Args:
        path: where it is.
        run: where there are several, the number (from 1) or the name of one.

    Raises:
        UnreadableLog: nothing there, several runs there, or no format that is known.
        BadOption: there is no such run.

    Examples:
        >>> run = runopsy.read("sample_logs/spike")
        >>> run.axis, len(run.tracks["train/loss"])
        ('step', 2500)
    """
    return choose(runs(path), None if run is None else str(run), str(path)).read()


def runs(path: str | os.PathLike[str]) -> tuple[Candidate, ...]:
    """Every run at ``path``, by name, to be read when asked; at least one.

    Raises:
        UnreadableLog: as ``read``, but for several runs.
    """
    if str(path) == "-":
        return as_candidates(_read_source(Source.from_bytes("standard input", sys.stdin.buffer.read())))
    try:
        return as_candidates(_open(_find(str(path))))
    except OSError as cause:
        raise _unreadable(str(path), cause) from cause


def logs(path: str, known: Callable[[Path], int | None] = lambda _: None, most: int = 20_000) -> dict[Path, int]:
    """The path of every log at ``path``, itself or below it, with the place of its reader among all; at least one.

    Each of them is what ``runs`` reads: one run mostly, several where it is a table of several.

    Args:
        path: a run folder, a log file, or a folder that holds some.
        known: the place of the reader of a file or folder whose log has been recognised before, or None.
        most: files and folders that are looked at.

    Raises:
        UnreadableLog: nothing there, or no log.
    """

    def recognised(place: Path) -> tuple[int, Callable[[], Found]] | None:
        rank = known(place)
        return _recognised(place) if rank is None else (rank, lambda: runs(str(place)))

    try:
        place = _find(path)
        found = recognised(place) if place.is_dir() else None
        if found is not None or not place.is_dir():
            return {place: found[0] if found else 0}
        from runopsy.readers.folders import logs_in

        next(place.iterdir(), None)  # as in ``_open``
        return {log.path: log.rank for log in logs_in(place, recognised, most)}
    except OSError as cause:
        raise _unreadable(path, cause) from cause


def _unreadable(path: str, cause: OSError) -> UnreadableLog:
    return UnreadableLog(f"{path} cannot be read: {cause.strerror or cause}", hint="check the path and its permissions")


def _find(path: str) -> Path:
    """The file or folder that a path means.

    Raises:
        UnreadableLog: nothing is there, or nothing that can be read without waiting.
        OSError: the file system refuses it.
    """
    place = Path(path)
    if not path or not place.exists():
        loop = bool(path) and place.is_symlink()
        what = f"{path} is a link that leads nowhere" if loop else f"{path or 'an empty path'} does not exist"
        raise UnreadableLog(what, hint="give a run folder, a log file, or - for standard input")
    if not place.is_dir() and not place.is_file():  # a pipe without a writer would be waited for, without end
        raise UnreadableLog(f"{place} is no regular file", hint=f"pipe it in: runopsy analyze - < {place}")
    return place


def _open(place: Path) -> Found:
    """What is in a file or folder."""
    if not place.is_dir():
        return _read_source(Source.from_file(place))
    found = _recognised(place)
    if found is not None:
        return found[1]()
    from runopsy.readers.folders import search  # a file needs none

    next(place.iterdir(), None)  # raises the reason where it may not be read
    return search(place, _recognised)


def _recognised(place: Path) -> tuple[int, Callable[[], Found]] | None:
    """The place among the readers of the one of a file or folder, and what reads it; None where none recognises it."""
    if place.is_dir() and is_run_folder(place):
        return -1, lambda: _guarded(place, lambda: read_run(place))
    try:
        source = Source.from_folder(place) if place.is_dir() else Source.from_file(place)
        reader = reader_of(source)
    except OSError:
        return None  # in a search, what cannot be opened is none of the logs
    if reader is None:
        return None
    return (*others(), *READERS).index(reader), lambda: _guarded(place, lambda: reader.read(source))


def _guarded(place: Path, load: Callable[[], Found]) -> Found:
    """What ``load`` gives, where the file system lets it."""
    try:
        return load()
    except OSError as cause:
        raise _unreadable(str(place), cause) from cause


def _read_source(source: Source) -> Found:
    if source.is_empty:
        raise UnreadableLog(f"{source.name} is empty", hint="the training has written nothing yet, or elsewhere")
    reader = reader_of(source)
    if reader is None:
        raise _unknown(source)
    return reader.read(source)


def reader_of(source: Source) -> Reader | None:
    """The first reader that recognises a source; None where none does."""
    return next((reader for reader in (*others(), *READERS) if reader.recognises(source)), None)


def _unknown(source: Source) -> UnreadableLog:
    if PICKLE.match(source.head):
        return UnreadableLog(
            f"{source.name} is a pickle, and reading it would run whatever code it holds",
            hint=f"if you trust it, turn it into JSON: python -c {PICKLED} {source.name} > history.json",
        )
    if source.head.startswith(PACKED[1]) and b"data.pkl" in source.head[:CHECKPOINT]:
        return UnreadableLog(
            f"{source.name} is a PyTorch checkpoint, a pickle in a zip, which runopsy does not open",
            hint="save the history apart from the weights, as JSON or CSV",
        )
    if source.head.startswith(PACKED):
        return UnreadableLog(
            f"{source.name} is compressed", hint="unpack it first, or pipe it in: zcat LOG | runopsy …"
        )
    if source.is_binary:
        return UnreadableLog(f"{source.name} is binary data of no format that runopsy knows", hint=EXPORT)
    if source.first_lines() and JSON.match(source.first_lines()[0]):
        return UnreadableLog(
            f"{source.name} is JSON that names no loss, accuracy, score or reward",
            hint="runopsy reads JSON lines, lists of objects and objects of lists; export the log as CSV",
        )
    return UnreadableLog(f"{source.name} is text without a table in it", hint=EXPORT)
