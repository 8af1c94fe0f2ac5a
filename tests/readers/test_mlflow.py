"""MLflow: lines of every age in its files, how its database writes what is not finite, and what was deleted."""

from __future__ import annotations

import sqlite3

import numpy as np
import pytest

from runopsy.errors import UnreadableLog
from runopsy.readers import read, runs
from trackerfiles import mlflow_database, mlflow_files, mlflow_lines, mlflow_run


def column(run, name="loss"):
    track = run.tracks[name]
    return track.step.tolist(), track.value.tolist()


# --- files ---------------------------------------------------------------------------------------


def test_lines_of_every_age_are_read(tmp_path):
    lines = "1700000000000 1.5\n1700000001000 1.25 1\n1700000002000 1.0 2 data 1a2b\n"
    assert column(read(mlflow_run(tmp_path / "run", "x", {"loss": lines}))) == ([0, 1, 2], [1.5, 1.25, 1.0])


def test_values_that_are_not_finite_are_read(tmp_path):
    lines = "".join(f"170000000{i}000 {v} {i}\n" for i, v in enumerate(("nan", "inf", "-inf", "1e-05")))
    np.testing.assert_array_equal(
        column(read(mlflow_run(tmp_path / "run", "x", {"loss": lines})))[1], [np.nan, np.inf, -np.inf, 1e-5]
    )


def test_a_torn_line_is_left_out_and_said(tmp_path):
    run = read(mlflow_run(tmp_path / "run", "x", {"loss": "1700000000000 1.5 0\nbroken\n1700000001000 1 1\n17000000"}))
    assert column(run) == ([0, 1], [1.5, 1.0])
    assert any("2 lines of metrics are torn" in note for note in run.notes)


def test_a_run_without_steps_is_counted(tmp_path):
    lines = "".join(f"{1_700_000_000_000 + i} {i} 0\n" for i in range(5))
    run = read(mlflow_run(tmp_path / "run", "x", {"loss": lines}))
    assert (run.axis, column(run)[0]) == ("row", [0, 1, 2, 3, 4])


def test_a_metric_without_steps_stands_where_the_others_were(tmp_path):
    train = "".join(f"{1_700_000_000_000 + 1000 * i} {i} {i}\n" for i in range(100))
    val = "".join(f"{1_700_000_000_500 + 1000 * i} {i} 0\n" for i in range(9, 100, 10))
    run = read(mlflow_run(tmp_path / "run", "x", {"train_loss": train, "val_loss": val}))
    assert column(run, "val_loss")[0] == list(range(9, 100, 10))


def test_a_rewound_run_is_a_resume(tmp_path):
    steps = [*range(50), *range(30, 80)]
    lines = "".join(f"{1_700_000_000_000 + i} {i} {s}\n" for i, s in enumerate(steps))
    track = read(mlflow_run(tmp_path / "run", "x", {"loss": lines})).tracks["loss"]
    assert track.session.tolist() == [0] * 50 + [1] * 50


def test_runs_of_several_experiments_carry_their_names(tmp_path):
    store = mlflow_files(tmp_path)
    for count, (run, stage) in enumerate((("second", "active"), ("first", "active"), ("gone", "deleted"))):
        mlflow_run(store / "2" / run, run, mlflow_lines(), lifecycle_stage=stage, start_time=1_800_000_000_000 - count)
    (store / "2" / "meta.yaml").write_text("name: 'exp B'\n")
    mlflow_run(store / "2" / "empty", "empty", {})
    assert [run.name for run in runs(store)] == ["exp A/calm-sun-3", "exp B/first", "exp B/second"]
    assert [run.name for run in runs(store / "2")] == ["first", "second"]


def test_links_out_of_the_store_are_not_followed(tmp_path):
    store = mlflow_files(tmp_path)
    (tmp_path / "secret").write_text("1700000000000 1 0\n")
    (store / "1" / "0123456789abcdef" / "metrics" / "stolen").symlink_to(tmp_path / "secret")
    assert "stolen" not in read(store).tracks


def test_a_store_without_metrics_says_so(tmp_path):
    mlflow_run(tmp_path / "mlruns" / "1" / "run", "x", {})
    with pytest.raises(UnreadableLog, match="no run with metrics"):
        read(tmp_path / "mlruns")


# --- database ------------------------------------------------------------------------------------


@pytest.fixture
def database(tmp_path):
    """Writes metrics as (value, timestamp, step, is_nan) of one run, in this order."""

    def write(*rows):
        path = mlflow_database(tmp_path, ())
        connection = sqlite3.connect(path)
        connection.execute("INSERT INTO runs VALUES ('r', 'x', 1, 'active')")
        connection.executemany("INSERT INTO metrics VALUES ('loss', ?, ?, 'r', ?, ?)", rows)
        connection.commit()
        connection.close()
        return path

    return write


def test_a_database_knows_nan_and_infinity_by_signs_of_its_own(database):
    highest = np.finfo(float).max
    path = database((0, 1, 0, 1), (highest, 2, 1, 0), (-highest, 3, 2, 0), (0, 4, 3, 0))
    np.testing.assert_array_equal(column(read(path))[1], [np.nan, np.inf, -np.inf, 0])


def test_values_of_a_database_are_in_the_order_in_which_they_were_written(database):
    path = database((3, 1000, 2, 0), (1, 1000, 0, 0), (2, 1000, 1, 0), (0, 500, 5, 0))
    assert column(read(path)) == ([5, 2, 0, 1], [0, 3, 1, 2])


def test_a_deleted_run_is_not_listed(tmp_path):
    path = mlflow_database(tmp_path, ("one", "two", "three"))
    connection = sqlite3.connect(path)
    connection.execute("UPDATE runs SET lifecycle_stage = 'deleted' WHERE name = 'two'")
    connection.commit()
    connection.close()
    assert [run.name for run in runs(path)] == ["one", "three"]


def test_runs_of_one_name_are_told_apart(tmp_path):
    path = mlflow_database(tmp_path, ("one", "two"))
    connection = sqlite3.connect(path)
    connection.execute("UPDATE runs SET name = 'same'")
    connection.commit()
    connection.close()
    assert [run.name for run in runs(path)] == ["same oneone", "same twotwo"]
