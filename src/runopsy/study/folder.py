"""The study folder: what was found in every run, kept so that a kill at any instant loses nothing.

::

    STUDY/study.json             what this folder is, and the version of its format
    STUDY/runs.parquet           one row a run: verdict, phases, events, readings, settings (one column each)
    STUDY/autopsies/ab/….json    the whole autopsy of each, as ``analyze --format json`` prints it
    STUDY/journal.jsonl          rows that are in no table yet, one a line
    STUDY/lock                   held by the process that writes

An autopsy appears by rename before its row is written; a row is one line, appended at once, so that a kill leaves
whole lines and at most one torn one, which is left out; the table appears by rename, and only then does the journal
go. Where both exist, the journal is newer.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from runopsy.atomic import replacing
from runopsy.errors import BadOption
from runopsy.readers.folders import STUDY
from runopsy.study import content
from runopsy.study.row import Row, row_of_json
from runopsy.study.table import frame

FORMAT = 1
TABLE, JOURNAL, AUTOPSIES, LOCK = "runs.parquet", "journal.jsonl", "autopsies", "lock"
LINE = "row"  # the column of the table that holds the whole row as it was written
DEFAULT = "runopsy-study"

Key = tuple[str, str | None]


@dataclass(slots=True)
class Folder:
    """A study folder that is open for writing: see ``opened``."""

    path: Path
    rows: dict[Key, Row]
    _journal: IO[bytes]
    _dirty: bool = field(default=False)

    def keep(self, row: Row, autopsy: str | None) -> None:
        """A row and its autopsy; once this returns, a kill does not lose them.

        Raises:
            OSError: the file system refuses it.
        """
        if autopsy is not None:
            _replace(autopsy_path(self.path, row), autopsy.encode())
        self._journal.write(row.as_json().encode(errors="replace") + b"\n")
        self.rows[row.key] = row
        self._dirty = True

    def drop(self, keys: Iterable[Key]) -> None:
        """Rows of runs that a log no longer holds."""
        for key in list(keys):
            row = self.rows.pop(key)
            self._journal.write(json.dumps({"dropped": list(key)}).encode() + b"\n")
            autopsy_path(self.path, row).unlink(missing_ok=True)
            self._dirty = True

    def compact(self) -> None:
        """Move what the journal holds into the table.

        Raises:
            OSError: the file system refuses it.
        """
        if not self._dirty and (self.path / TABLE).exists():
            return
        import polars as pl

        rows = sorted(self.rows.values(), key=lambda row: (row.path, row.place))
        lines = pl.Series(LINE, [row.as_json() for row in rows], dtype=pl.String)
        with replacing(self.path / TABLE, sync=True) as draft:
            frame(rows).with_columns(lines).write_parquet(draft)
        self._journal.truncate(0)
        self._dirty = False


@contextmanager
def opened(path: Path) -> Iterator[Folder]:
    """A study folder, made where there is none, for this process alone to write.

    Raises:
        BadOption: it is another kind of folder, one of a later version, held by another process, or not to be written.
    """
    try:
        _make(path)
        with (path / LOCK).open("ab") as lock:
            _hold(lock, path)
            rows = _read(path)
            with (path / JOURNAL).open("ab", buffering=0) as journal:
                _whole_lines(path / JOURNAL, journal)
                folder = Folder(path, rows, journal, journal.tell() > 0)
                try:
                    yield folder
                finally:
                    folder.compact()
    except OSError as cause:
        raise BadOption(
            f"the study folder {path} cannot be written: {cause.strerror or cause}", hint="give another with --study"
        ) from cause


def autopsy_path(folder: Path, row: Row) -> Path:
    """Where the autopsy of a run lies in a study folder."""
    name = content.of_text(f"{row.path}\0{row.run or ''}")
    return folder / AUTOPSIES / name[:2] / f"{name}.json"


def rows_of(path: Path) -> dict[Key, Row]:
    """What a study folder holds, also while it is being written.

    Raises:
        BadOption: it is none.
    """
    _require_study(path)
    return _read(path)


def _make(path: Path) -> None:
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        _require_study(path)
        return
    path.mkdir(parents=True, exist_ok=True)
    _replace(path / STUDY, (json.dumps({"format": FORMAT, "kind": "runopsy study"}) + "\n").encode())


def _require_study(path: Path) -> None:
    try:
        about = json.loads((path / STUDY).read_text(encoding="utf-8"))
        version = about["format"]
    except (OSError, ValueError, KeyError, TypeError):
        raise BadOption(f"{path} is no study folder", hint="give a new or an empty one with --study") from None
    if version != FORMAT:
        raise BadOption(
            f"{path} has format version {version}; this runopsy reads {FORMAT}", hint="update runopsy, or give another"
        )


def _hold(lock: IO[bytes], path: Path) -> None:
    """Be the one that writes; the kernel lets go when the process ends, however it ends."""
    try:
        import fcntl
    except ImportError:  # no POSIX: nobody is kept out
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise BadOption(
            f"another sweep is writing {path}", hint="wait until it has ended, or give another folder with --study"
        ) from None


def _read(path: Path) -> dict[Key, Row]:
    rows = {row.key: row for row in _of_table(path / TABLE)}
    try:
        lines = (path / JOURNAL).read_bytes().split(b"\n")
    except OSError:
        lines = []
    for line in filter(None, lines[:-1]):
        _apply(line, rows)
    return rows


def _apply(line: bytes, rows: dict[Key, Row]) -> None:
    """One line of the journal; what is none of ours is passed over, and its run examined again."""
    try:
        gone: Any = json.loads(line).get("dropped") if line.startswith(b'{"dropped"') else None
        if gone is not None:
            rows.pop((gone[0], gone[1]), None)
            return
        row = row_of_json(line.decode())
    except (ValueError, TypeError, KeyError, AttributeError):
        return
    rows[row.key] = row


def _of_table(path: Path) -> Iterator[Row]:
    if not path.exists():
        return
    import polars as pl

    try:
        lines = pl.read_parquet(path, columns=[LINE], memory_map=False)[LINE].to_list()
    except (pl.exceptions.PolarsError, OSError):
        return  # damaged from outside: everything is examined again
    for line in lines:
        try:
            yield row_of_json(line)
        except (ValueError, TypeError, KeyError):
            continue


def _whole_lines(path: Path, journal: IO[bytes]) -> None:
    """Cut off what a kill has left of a line, so that the next one begins on its own."""
    data = path.read_bytes()
    whole = data.rfind(b"\n") + 1
    if whole < len(data):
        journal.truncate(whole)
    journal.seek(0, os.SEEK_END)


def _replace(path: Path, data: bytes) -> None:
    """A file that is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as draft:
        draft.write_bytes(data)
