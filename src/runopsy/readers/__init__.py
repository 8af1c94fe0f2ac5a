"""Logs on disk → Run. A reader is a module with ``recognises`` and ``read``; the first that recognises reads."""

from __future__ import annotations

import os
import re
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
PACKED = (b"\x1f\x8b", b"PK\x03\x04", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")  # gzip, zip, bzip2, xz, zstd
JSON = re.compile(r"\s*(\{\s*(\"|\}|$)|\[\s*(\{|\[|\"|$))")  # how a document begins, unlike [2026-01-31] …
EXPORT = "runopsy reads its own run folders, CSV, TSV, JSON lines and Parquet; export the log to one of them"


def read(path: str | os.PathLike[str]) -> Run:
    """The run at ``path``: a run folder, a log file, a folder that holds one, or ``-`` for standard input.

    Raises:
        UnreadableLog: nothing there, several logs there, or no format that is known.
    """
    if str(path) == "-":
        return _read_source(Source.from_bytes("standard input", sys.stdin.buffer.read()))
    try:
        place = _find(str(path))
        return read_run(place) if place.is_dir() else _read_source(Source.from_file(place))
    except OSError as cause:
        raise UnreadableLog(
            f"{path} cannot be read: {cause.strerror or cause}", hint="check the path and its permissions"
        ) from cause


def _find(path: str) -> Path:
    """The run folder or the file that a path means.

    Raises:
        UnreadableLog: nothing is there, or nothing that can be read without waiting.
        OSError: as the file system says.
    """
    place = Path(path)
    if not path or not place.exists():
        loop = bool(path) and place.is_symlink()
        what = f"{path} is a link that leads nowhere" if loop else f"{path or 'an empty path'} does not exist"
        raise UnreadableLog(what, hint="give a run folder, a log file, or - for standard input")
    if place.is_dir():
        place = _the_log_in(place)
    if not place.is_dir() and not place.is_file():  # a pipe without a writer would be waited for, without end
        raise UnreadableLog(f"{place} is no regular file", hint=f"pipe it in: runopsy analyze - < {place}")
    return place


def _read_source(source: Source) -> Run:
    if source.is_empty:
        raise UnreadableLog(f"{source.name} is empty", hint="the training has written nothing yet, or elsewhere")
    for reader in READERS:
        if reader.recognises(source):
            return reader.read(source)
    raise _unknown(source)


def _unknown(source: Source) -> UnreadableLog:
    if source.head.startswith(PACKED):
        return UnreadableLog(
            f"{source.name} is compressed", hint="unpack it first, or pipe it in: zcat LOG | runopsy …"
        )
    if source.is_binary:
        return UnreadableLog(f"{source.name} is binary data of no format that runopsy knows", hint=EXPORT)
    if source.first_lines() and JSON.match(source.first_lines()[0]):
        return UnreadableLog(
            f"{source.name} is JSON, but not JSON lines",
            hint="write each row as one object on one line; jq -c '.[]' does so for a list of them",
        )
    return UnreadableLog(f"{source.name} is text without a table in it", hint=EXPORT)


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
            elif depth and os.access(entry, os.R_OK | os.X_OK):
                found.extend(_logs_below(entry, depth - 1))
        elif entry.suffix.lower() in LOG_SUFFIXES and entry.is_file():
            found.append(entry)
    return found
