"""SQLite as trackers use it: opened so that nothing is written and nothing in it runs but our own queries.

As a reader it takes the databases that no other one knows, to list what is in them.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from runopsy.errors import UnreadableLog
from runopsy.readers.numeric_text import listed
from runopsy.readers.source import Source

if TYPE_CHECKING:
    from runopsy.model import Values
    from runopsy.readers.run_selection import Found

MAGIC = b"SQLite format 3\0"
IN_WAL_MODE = b"\2"  # byte 18 of the header; such a file cannot be opened without writing, unless nobody else does
BESIDE = ("-wal", "-journal")  # what a database of a live or killed training keeps in files of their own
# Instructions of SQLite's machine that a query may take: a row takes about 15, and at least 10 bytes of the file. In
# a damaged file pages may point in circles, without end.
INSTRUCTIONS_PER_BYTE, INSTRUCTIONS_AT_LEAST, BETWEEN_CHECKS = 10, 2_000_000, 10_000
LONGEST_CELL = 1 << 24  # bytes: no metric, name or configuration is longer


class Database:
    """A connection that can only read, and gives up on a query that goes in circles."""

    def __init__(self, connection: sqlite3.Connection, size: int) -> None:
        self._connection = connection
        self._allowed = INSTRUCTIONS_AT_LEAST + INSTRUCTIONS_PER_BYTE * size
        self._spent = 0
        connection.execute("PRAGMA query_only = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST_CELL)
        connection.set_progress_handler(self._is_too_much, BETWEEN_CHECKS)
        connection.text_factory = lambda text: text.decode("utf-8", errors="replace")

    def _is_too_much(self) -> bool:
        self._spent += BETWEEN_CHECKS
        return self._spent > self._allowed

    def rows(self, query: str, *values: object) -> Iterator[tuple[Any, ...]]:
        """What a query finds; the names in it are ours, what comes from the file goes through ``values``."""
        self._spent = 0
        return self._connection.execute(query, values)

    def numbers(self, query: str, width: int, *values: object) -> Values:
        """(rows, width) what a query for columns of numbers finds.

        Raises:
            ValueError, TypeError: some are none.
        """
        found = np.fromiter(chain.from_iterable(self.rows(query, *values)), np.float64)
        return found.reshape(-1, width)

    def tables(self) -> dict[str, set[str]]:
        """The columns of each ordinary table; a view or a virtual or computed one would run code of the file."""
        found = {}
        for name, kind, definition in self.rows("SELECT name, type, sql FROM sqlite_master"):
            if kind == "table" and isinstance(definition, str) and definition.upper().startswith("CREATE TABLE"):
                found[str(name)] = definition
        columns = {}
        for name in found:
            about = list(self.rows("SELECT name, hidden FROM pragma_table_xinfo(?)", name))
            if not any(hidden for _, hidden in about):
                columns[name] = {str(column) for column, _ in about}
        return columns


@contextmanager
def opened(source: Source) -> Iterator[Database]:
    """The database in a file, with what was committed to it last.

    Where a training is still writing, or was killed while it did, the last rows lie in a file beside it,
    and SQLite would have to write in order to read them: it does so in a copy.

    Raises:
        UnreadableLog: it is damaged, or holds something else than it should.
        OSError: the file system refuses it.
    """
    with tempfile.TemporaryDirectory(prefix="runopsy-") as room:
        address, size = _address(source, Path(room))
        try:
            connection = sqlite3.connect(address, uri=True)
            try:
                yield Database(connection, size)
            finally:
                connection.close()
        except (sqlite3.Error, ValueError, TypeError, OverflowError, MemoryError) as cause:
            raise UnreadableLog(
                f"{source.name} is a damaged database: {cause}",
                hint='copy it again, or repair it: sqlite3 DATABASE ".recover" | sqlite3 NEW',
            ) from cause


def _address(source: Source, room: Path) -> tuple[str, int]:
    """Where SQLite is to look, and how many bytes are there."""
    beside = [] if source.path is None else [source.path.with_name(source.path.name + end) for end in BESIDE]
    beside = [file for file in beside if file.is_file() and not file.is_symlink() and file.stat().st_size]
    if source.path is not None and not beside:
        nobody_writes = source.head[18:19] == IN_WAL_MODE
        address = f"{source.path.absolute().as_uri()}?mode=ro{'&immutable=1' if nobody_writes else ''}"
        return address, source.path.stat().st_size
    copy = room / "copy.db"
    if source.path is None:
        copy.write_bytes(source.data())
    else:
        shutil.copyfile(source.path, copy)
        for file in beside:
            shutil.copyfile(file, room / f"copy.db-{file.name.rpartition('-')[2]}")
    return f"{copy.as_uri()}?mode=rw", sum(file.stat().st_size for file in room.iterdir())


def has_tables(source: Source, wanted: dict[str, set[str]]) -> bool:
    """Whether a source is a database with certain tables, and in each certain columns at least."""
    if not source.head.startswith(MAGIC):
        return False
    try:
        with opened(source) as database:
            tables = database.tables()
    except UnreadableLog:
        return False
    return all(columns <= tables.get(name, set()) for name, columns in wanted.items())


def recognises(source: Source) -> bool:
    return source.head.startswith(MAGIC)


def read(source: Source) -> Found:
    """Reports that this database is no log.

    Raises:
        UnreadableLog: always.
    """
    with opened(source) as database:
        tables = listed(database.tables())
    raise UnreadableLog(
        f"{source.name} is an SQLite database of no tracker that runopsy knows (tables: {tables or 'none'})",
        hint="it knows those of MLflow and trackio; export the metrics to CSV",
    )
