"""Logs on disk → Run. A reader is a module with ``recognises`` and ``read``; the first that recognises reads."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Protocol

from runopsy.errors import UnreadableLog
from runopsy.model import Run
from runopsy.readers import columnar, delimited, jsonlines
from runopsy.readers.source import Source
from runopsy.store import is_run_folder, read_run

__all__ = ["READERS", "Reader", "read"]


class Reader(Protocol):
    """What a reader module offers."""

    def recognises(self, source: Source) -> bool:
        """Whether the content (not the name) looks like this format."""
        ...

    def read(self, source: Source) -> Run:
        """The whole log.

        Raises:
            UnreadableLog: it is this format, and broken beyond use.
        """
        ...


READERS: tuple[Reader, ...] = (columnar, jsonlines, delimited)  # most specific first

LOG_SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")  # what a folder is searched for
DEPTH = 2  # folders below the one given; deeper trees are collections of runs, not one run


def read(path: str | os.PathLike[str]) -> Run:
    """The run at ``path``: a run folder, a log file, a folder that holds one, or ``-`` for standard input.

    Raises:
        UnreadableLog: nothing there, several logs there, or no format that is known.
    """
    if str(path) == "-":
        return _read_source(Source.from_bytes("standard input", sys.stdin.buffer.read()))
    place = Path(path)
    if not place.exists():
        raise UnreadableLog(f"{place} does not exist", hint="give a run folder, a log file, or - for standard input")
    if place.is_dir():
        place = _the_log_in(place)
    if place.is_dir():
        return read_run(place)
    try:
        return _read_source(Source.from_file(place))
    except OSError as cause:
        raise UnreadableLog(
            f"{place} cannot be read: {cause.strerror or cause}", hint="check its permissions"
        ) from cause


def _read_source(source: Source) -> Run:
    if not source.head.strip():
        raise UnreadableLog(f"{source.name} is empty", hint="the training has written nothing yet, or elsewhere")
    for reader in READERS:
        if reader.recognises(source):
            return reader.read(source)
    kind = "binary data of no format that runopsy knows" if source.is_binary else "text without a table in it"
    raise UnreadableLog(
        f"{source.name} is {kind}",
        hint="runopsy reads its own run folders, CSV, TSV, JSON lines and Parquet; export the log to one of them",
    )


def _the_log_in(folder: Path) -> Path:
    """The one run in a folder: itself, or the only log in it or a little below.

    Raises:
        UnreadableLog: none, or several (which are named).
    """
    if is_run_folder(folder):
        return folder
    found = _logs_below(folder, DEPTH)
    if len(found) == 1:
        return found[0]
    if not found:
        raise UnreadableLog(
            f"{folder} holds no log that runopsy knows",
            hint=f"it looks for run folders and {', '.join(LOG_SUFFIXES)}; name the file if it is called otherwise",
        )
    some = ", ".join(str(f.relative_to(folder)) for f in found[:5])
    more = f" and {len(found) - 5} more" if len(found) > 5 else ""
    raise UnreadableLog(f"{folder} holds {len(found)} logs: {some}{more}", hint="name one of them")


def _logs_below(folder: Path, depth: int) -> list[Path]:
    found: list[Path] = []
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            if is_run_folder(entry):
                found.append(entry)
            elif depth:
                found.extend(_logs_below(entry, depth - 1))
        elif entry.suffix.lower() in LOG_SUFFIXES:
            found.append(entry)
    return found
