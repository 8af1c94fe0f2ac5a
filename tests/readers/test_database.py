"""SQLite: nothing in it runs, nothing is written, and what a live or killed training left beside it counts."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys

import pytest

from patience import HANGS, quick
from runopsy.errors import UnreadableLog
from runopsy.readers import read
from runopsy.readers.formats import database
from runopsy.readers.source import Source
from trackerfiles import MLFLOW_SCHEMA, mlflow_database, trackio


@pytest.fixture
def scripted(tmp_path):
    """A database made by a script."""

    def write(script):
        path = tmp_path / "made.db"
        connection = sqlite3.connect(path)
        connection.executescript(script)
        connection.close()
        return path

    return write


def test_other_databases_are_named_with_their_tables(scripted):
    with pytest.raises(UnreadableLog, match="no tracker that runopsy knows \\(tables: invoices\\)"):
        read(scripted("CREATE TABLE invoices (id)"))


@pytest.mark.parametrize(
    "bomb",
    [
        """CREATE VIEW metrics AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
           SELECT i AS id, i AS timestamp, 'x' AS run_name, i AS step, '{}' AS metrics FROM n""",
        """CREATE TABLE metrics (id INTEGER PRIMARY KEY, timestamp, run_name, step,
                                 metrics AS (hex(zeroblob(100000000))))""",
    ],
)
def test_what_would_run_code_of_the_file_is_no_table(scripted, bomb):
    with quick(5), pytest.raises(UnreadableLog, match="no tracker"):
        read(scripted(bomb))


def test_virtual_tables_are_none(scripted):
    path = scripted("CREATE VIRTUAL TABLE found USING fts5(words); CREATE TABLE plain (id)")
    with database.opened(Source.from_file(path)) as opened:
        tables = opened.tables()
    assert "plain" in tables
    assert "found" not in tables


def test_triggers_do_not_run(tmp_path):
    path = mlflow_database(tmp_path)
    connection = sqlite3.connect(path)
    connection.executescript("CREATE TRIGGER t AFTER INSERT ON metrics BEGIN DELETE FROM metrics; END")
    connection.close()
    before = path.read_bytes()
    assert len(read(path).tracks["train/loss"]) == 10
    assert path.read_bytes() == before


def test_a_connection_cannot_write(tmp_path):
    path = mlflow_database(tmp_path)
    with pytest.raises(UnreadableLog), database.opened(Source.from_file(path)) as opened:
        list(opened.rows("DELETE FROM metrics"))
    assert len(read(path).tracks["train/loss"]) == 10


def test_a_query_that_goes_in_circles_is_given_up(tmp_path):
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    with (
        quick(10),
        pytest.raises(UnreadableLog, match="interrupted"),
        database.opened(Source.from_file(mlflow_database(tmp_path))) as opened,
    ):
        list(opened.rows(endless))


def test_numbers_that_are_text_are_an_error_of_ours(scripted):
    path = scripted(
        MLFLOW_SCHEMA + "INSERT INTO runs VALUES ('r', 'x', 1, 'active');"
        "INSERT INTO metrics VALUES ('loss', 'a lot', 1, 'r', 0, 0)"
    )
    with pytest.raises(UnreadableLog, match="damaged database"):
        read(path)


def test_rows_that_lie_in_the_log_of_a_killed_training_count(tmp_path):
    path = trackio(tmp_path)
    script = f"""
import os, sqlite3
connection = sqlite3.connect({str(path)!r})
connection.execute("PRAGMA journal_mode = WAL")
connection.execute("PRAGMA wal_autocheckpoint = 0")
connection.execute("INSERT INTO metrics (run_id, run_name, timestamp, step, metrics) VALUES "
                   "('calm-sun-3calm-sun-3', 'calm-sun-3', '2023-11-14T22:14:00', 99, '{{\\"train/loss\\": 1}}')")
connection.commit()
os._exit(9)
"""
    subprocess.run([sys.executable, "-c", script], check=False, timeout=HANGS)
    beside = path.with_name(path.name + "-wal")
    assert beside.stat().st_size
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    assert read(path).tracks["train/loss"].step[-1] == 99
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_a_database_in_a_folder_that_cannot_be_written_is_read(tmp_path):
    path = trackio(tmp_path)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.close()
    tmp_path.chmod(0o500)
    try:
        assert len(read(path).tracks["train/loss"]) == 10
    finally:
        tmp_path.chmod(0o700)


def test_a_cut_database_gives_what_is_whole_or_an_error_of_ours(tmp_path):
    path = mlflow_database(tmp_path, tuple(f"run-{i}" for i in range(40)))
    whole = path.read_bytes()
    for size in range(600, len(whole), 4096):
        path.write_bytes(whole[:size])
        with pytest.raises(UnreadableLog):
            read(path, "run-39")


def test_names_with_the_signs_of_addresses_are_files(tmp_path):
    folder = tmp_path / "a?mode=rw#50%"
    folder.mkdir()
    shutil.move(mlflow_database(tmp_path), folder / "ml flow?.db")
    assert len(read(folder / "ml flow?.db").tracks["train/loss"]) == 10
