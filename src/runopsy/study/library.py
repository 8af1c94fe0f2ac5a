"""A library of runs: one SQLite file that holds what is usual of each architecture and data set.

Every change is one transaction that is begun at once (``BEGIN IMMEDIATE``) on a write-ahead log: of several writers
each waits for the others, and one that is killed leaves the file as it was before its transaction.
"""

from __future__ import annotations

import json
import math
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

import numpy as np

from runopsy.errors import BadOption
from runopsy.study.profiles import Profile

USUAL = Path("runopsy-library.sqlite")  # the project's, where no file is named
WAIT = 60.0  # s for other writers: each takes some milliseconds
# Version n of the file comes from version n - 1 by the n-th script; what was in it stays.
SCHEMA: tuple[str, ...] = (
    """
    CREATE TABLE runs (
        digest TEXT PRIMARY KEY, name TEXT NOT NULL, path TEXT NOT NULL, kind TEXT NOT NULL, axis TEXT NOT NULL,
        steps REAL NOT NULL, verdict TEXT NOT NULL, added TEXT NOT NULL DEFAULT (datetime('now'))
    );
    CREATE INDEX runs_by_kind ON runs (kind);
    CREATE TABLE measures (
        digest TEXT NOT NULL REFERENCES runs (digest) ON DELETE CASCADE, name TEXT NOT NULL, value REAL NOT NULL,
        PRIMARY KEY (digest, name)
    );
    """,
    """
    CREATE TABLE courses (
        digest TEXT NOT NULL REFERENCES runs (digest) ON DELETE CASCADE, signal TEXT NOT NULL, level TEXT NOT NULL,
        PRIMARY KEY (digest, signal)
    );
    """,
)


class Library:
    """The runs in one file. Opening makes the file where there is none, and brings an older one up to date."""

    def __init__(self, path: str | os.PathLike[str], *, must_exist: bool = False) -> None:
        """Raises BadOption where the file is none of ours, is of a later version, or cannot be opened."""
        self.path = Path(path)
        if must_exist and not self.path.is_file():
            raise BadOption(
                f"there is no library {self.path}", hint=f"make it: runopsy library add RUNS --library {self.path}"
            )
        try:
            self._base = sqlite3.connect(self.path, timeout=WAIT, isolation_level=None)
            self._base.execute("PRAGMA foreign_keys = ON")
            self._bring_up_to_date()
        except sqlite3.Error as cause:
            raise _unusable(self.path, cause) from cause

    def close(self) -> None:
        self._base.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- what is in it ---------------------------------------------------------------------------

    def kinds(self) -> list[tuple[str, int]]:
        """(kind, runs) in the order of their names."""
        return self._base.execute("SELECT kind, count(*) FROM runs GROUP BY kind ORDER BY kind").fetchall()

    def profiles(self, kind: str | None = None) -> list[Profile]:
        """The runs of a kind, or all, in the order in which they were added."""
        where = "" if kind is None else "WHERE kind = ?"
        rows = self._base.execute(
            f"SELECT digest, name, path, kind, axis, steps, verdict FROM runs {where} ORDER BY added, rowid",  # noqa: S608  # no text of a user is in it
            () if kind is None else (kind,),
        ).fetchall()
        return [self._profile(*row) for row in rows]

    def _profile(self, digest: str, name: str, path: str, kind: str, axis: str, steps: float, verdict: str) -> Profile:
        measures = dict(self._base.execute("SELECT name, value FROM measures WHERE digest = ?", (digest,)).fetchall())
        courses = self._base.execute("SELECT signal, level FROM courses WHERE digest = ?", (digest,)).fetchall()
        levels = {n: v for n, v in measures.items() if n.startswith(("level/", "noise/"))}
        return Profile(
            digest, name, path, kind, axis, steps, verdict,
            places={n: v for n, v in measures.items() if n not in levels},
            levels=levels,
            courses={signal: np.array([math.nan if v is None else v for v in json.loads(level)])
                     for signal, level in courses},
        )  # fmt: skip

    # --- what changes it -------------------------------------------------------------------------

    def add(self, profile: Profile) -> bool:
        """Keep a run; one that is there already, by its values, is replaced. Whether it is new."""
        with self._transaction():
            new = not self._base.execute("SELECT 1 FROM runs WHERE digest = ?", (profile.digest,)).fetchone()
            self._base.execute("DELETE FROM runs WHERE digest = ?", (profile.digest,))
            self._base.execute(
                "INSERT INTO runs (digest, name, path, kind, axis, steps, verdict) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    profile.digest,
                    profile.name,
                    profile.path,
                    profile.kind,
                    profile.axis,
                    profile.steps,
                    profile.verdict,
                ),
            )
            measures = {**profile.places, **profile.levels}
            self._base.executemany(
                "INSERT INTO measures VALUES (?, ?, ?)",
                [(profile.digest, name, value) for name, value in measures.items() if math.isfinite(value)],
            )
            self._base.executemany(
                "INSERT INTO courses VALUES (?, ?, ?)",
                [(profile.digest, signal, json.dumps([v if math.isfinite(v) else None for v in level.tolist()]))
                 for signal, level in profile.courses.items()],
            )  # fmt: skip
        return new

    def forget(self, *, kind: str | None = None, run: str | None = None) -> int:
        """Take out a kind, or the runs of a name, path or digest; how many runs."""
        with self._transaction():
            if kind is not None:
                return self._base.execute("DELETE FROM runs WHERE kind = ?", (kind,)).rowcount
            return self._base.execute("DELETE FROM runs WHERE ? IN (name, path, digest)", (run,)).rowcount

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """All of it or nothing; other writers wait.

        Raises:
            BadOption: the file cannot be written.
        """
        try:
            self._base.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._base.execute("ROLLBACK")
                raise
            self._base.execute("COMMIT")
        except sqlite3.Error as cause:
            raise _unusable(self.path, cause) from cause

    def _bring_up_to_date(self) -> None:
        """Every script that the file has not seen, in one transaction."""
        if self._version() == len(SCHEMA):
            return
        with self._transaction():
            version = self._version()  # another writer may have been faster
            if version > len(SCHEMA):
                raise BadOption(
                    f"{self.path} is a library of version {version}, and this runopsy knows {len(SCHEMA)}",
                    hint="update runopsy, or name another file",
                )
            if version == 0 and self._base.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                raise BadOption(
                    f"{self.path} is a database of something else, and is left as it is",
                    hint="name another file; a file that is not there is made",
                )
            for script in SCHEMA[version:]:
                for statement in filter(str.strip, script.split(";")):
                    self._base.execute(statement)
            self._base.execute(f"PRAGMA user_version = {len(SCHEMA)}")
        with suppress(sqlite3.OperationalError):  # while another writer is at it; a rollback journal is as safe
            self._base.execute("PRAGMA journal_mode = WAL")

    def _version(self) -> int:
        return int(self._base.execute("PRAGMA user_version").fetchone()[0])


def _unusable(path: Path, cause: sqlite3.Error) -> BadOption:
    return BadOption(f"the library {path} cannot be used: {cause}", hint="check the path and its permissions")
