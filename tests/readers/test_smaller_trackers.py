"""DVCLive, Sacred, trackio, Comet, ClearML, Neptune and Aim: what is particular to each."""

from __future__ import annotations

import json
import sqlite3
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from runopsy.errors import UnreadableLog
from runopsy.readers import read, runs
from trackerfiles import START, archive, clearml, comet, comet_metric, dvclive, neptune, sacred, trackio


def column(run, name="loss"):
    track = run.tracks[name]
    return track.step.tolist(), track.value.tolist()


# --- DVCLive -------------------------------------------------------------------------------------


def test_a_metric_of_dvclive_may_have_dots_in_its_name_and_a_clock(tmp_path):
    folder = dvclive(tmp_path)
    path = folder / "plots" / "metrics" / "val.top5.tsv"
    path.write_text("timestamp\tstep\tval.top5\n1700000000000\t0\t0.5\n1700000001000\t1\tnan\n170000")
    run = read(tmp_path)
    np.testing.assert_array_equal(column(run, "val.top5")[1], [0.5, np.nan])
    assert any("1 lines of metrics are torn" in note for note in run.notes)


def test_each_metric_of_dvclive_tells_its_own_resume(tmp_path):
    folder = dvclive(tmp_path)
    steps = [*range(20), *range(10, 30)]
    (folder / "plots" / "metrics" / "acc.tsv").write_text("step\tacc\n" + "".join(f"{s}\t1\n" for s in steps))
    run = read(folder)
    assert run.tracks["acc"].session.tolist() == [0] * 20 + [1] * 20
    assert run.tracks["train/loss"].session.tolist() == [0] * 10


# --- Sacred --------------------------------------------------------------------------------------


def test_what_a_crash_left_of_sacreds_metrics_is_read(tmp_path):
    folder = sacred(tmp_path)
    path = folder / "metrics.json"
    path.write_text(path.read_text()[:-100])
    run = read(folder)
    assert list(run.tracks) == ["train/loss"]
    assert any("is cut short: 1 metrics are whole" in note for note in run.notes)
    path.write_text(path.read_text()[:100])
    with pytest.raises(UnreadableLog, match="is cut short"):
        read(folder)


def test_numbers_of_numpy_in_sacred_are_numbers(tmp_path):
    wrapped = {"py/object": "numpy.float64", "dtype": "float64", "value": 0.5}
    (tmp_path / "metrics.json").write_text(
        json.dumps({"loss": {"steps": [0, 1, 2], "values": [1.0, wrapped, float("nan")]}})
    )
    (tmp_path / "run.json").write_text("{}")
    steps, values = column(read(tmp_path))
    assert steps == [0, 1, 2]
    np.testing.assert_array_equal(values, [1.0, 0.5, np.nan])


def test_a_folder_of_sacred_runs_lists_them(tmp_path):
    for name in ("1", "2", "10", "_sources"):
        (tmp_path / name).mkdir()
    for name in ("1", "2", "10"):
        sacred(tmp_path / name)
    assert [run.name for run in runs(tmp_path)] == ["1", "2", "10"]


# --- trackio -------------------------------------------------------------------------------------


def test_trackio_spells_out_what_is_not_finite_and_rows_may_be_broken(tmp_path):
    path = trackio(tmp_path)
    connection = sqlite3.connect(path)
    connection.execute('UPDATE metrics SET metrics = \'{"train/loss": "NaN"}\' WHERE step = 3')
    connection.execute("UPDATE metrics SET metrics = '{\"train/loss' WHERE step = 4")
    connection.commit()
    connection.close()
    run = read(path)
    steps, values = column(run, "train/loss")
    assert steps == [0, 1, 2, 3, 5, 6, 7, 8, 9]
    assert np.isnan(values[3])
    assert any("1 rows are no JSON" in note for note in run.notes)


def test_versions_of_trackio_without_run_ids_are_read(tmp_path):
    path = tmp_path / "old.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE metrics (id INTEGER PRIMARY KEY, timestamp, run_name, step, metrics)")
    connection.executemany(
        "INSERT INTO metrics (timestamp, run_name, step, metrics) VALUES ('2025-01-01T00:00:00', ?, ?, ?)",
        [(run, step, json.dumps({"loss": step})) for step in range(5) for run in ("one", "two")],
    )
    connection.commit()
    connection.close()
    assert [run.name for run in runs(path)] == ["one", "two"]
    assert column(read(path, "two")) == ([0, 1, 2, 3, 4], [0, 1, 2, 3, 4])


# --- archives ------------------------------------------------------------------------------------


def test_comet_counts_epochs_where_it_has_no_steps(tmp_path):
    lines = [comet_metric("loss", value, None, START + i, epoch=i) for i, value in enumerate((1.0, "NaN", "Infinity"))]
    path = archive(tmp_path / "c.zip", experiment__json="{}", messages__json="\n".join([*lines, '{"torn', ""]))
    run = read(path)
    assert run.axis == "epoch"
    np.testing.assert_array_equal(column(run)[1], [1.0, np.nan, np.inf])
    assert any("1 messages are torn" in note for note in run.notes)


def test_a_value_without_a_step_stands_where_the_others_were(tmp_path):
    lines = [comet_metric("loss", 1.0, step) for step in range(5)]
    lines.insert(3, comet_metric("note", 7.0, None))
    run = read(archive(tmp_path / "c.zip", experiment__json="{}", messages__json="\n".join(lines)))
    assert column(run, "note") == ([2], [7.0])


def test_the_folder_that_comet_packs_is_read_like_the_archive(tmp_path):
    packed = read(comet(tmp_path))
    with zipfile.ZipFile(tmp_path / "comet.zip") as file:
        file.extractall(tmp_path / "open")
    assert column(read(tmp_path / "open"), "train/loss") == column(packed, "train/loss")


def test_single_values_of_clearml_are_of_the_whole_run_and_zeros_are_doubted(tmp_path):
    event = {"timestamp": 1, "type": "training_stats_scalar", "metric": "loss", "variant": "loss"}
    events = [event | {"iter": i, "value": value} for i, value in enumerate((1.0, 0.0, 0.5))]
    single = event | {"metric": "Summary", "variant": "best", "iter": -(2**31), "value": 0.5}
    other = {"type": "log", "value": 1, "metric": "x", "variant": "y", "iter": 1}
    run = read(archive(tmp_path / "t.zip", metrics__jsonl=json.dumps([*events, single, other]), task__json="{}"))
    assert set(run.tracks) == {"loss", "Summary/best"}
    assert column(run, "Summary/best") == ([2], [0.5])
    assert any("ClearML stores NaN and infinity as 0" in note for note in run.notes)


def test_files_of_an_archive_that_lead_out_of_it_are_not_touched(tmp_path):
    path = comet(tmp_path)
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("../../escaped.txt", "x")
        file.writestr("/tmp/escaped.txt", "x")
    before = set(tmp_path.rglob("*")) | set(tmp_path.parent.iterdir())
    assert len(read(path).tracks["train/loss"]) == 10
    assert set(tmp_path.rglob("*")) | set(tmp_path.parent.iterdir()) == before


def test_a_bomb_is_not_unpacked(tmp_path):
    path = archive(tmp_path / "b.zip", experiment__json="{}", messages__json="0" * 200_000_000)
    assert path.stat().st_size < 1_000_000
    with pytest.raises(UnreadableLog, match="times its size"):
        read(path)


def test_a_damaged_member_of_an_archive_is_said(tmp_path):
    path = clearml(tmp_path)
    data = bytearray(path.read_bytes())
    at = data.index(b"metrics.jsonl") + 60
    data[at] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(UnreadableLog) as error:
        read(path)
    assert "is damaged" in error.value.hint


# --- Neptune -------------------------------------------------------------------------------------


def test_neptunes_steps_may_be_fractions_and_other_attributes_are_no_curves(tmp_path):
    neptune(tmp_path)
    table = pq.read_table(tmp_path / "RUN-1_part_0.parquet")
    at = table.schema.get_field_index("step")
    halves = pa.array([None if s is None else s / 2 for s in table["step"].to_pylist()], pa.decimal128(18, 6))
    pq.write_table(table.set_column(at, "step", halves), tmp_path / "RUN-1_part_0.parquet")
    run = read(tmp_path / "RUN-1_part_0.parquet")
    assert set(run.tracks) == {"train/loss", "val/loss"}
    assert run.tracks["train/loss"].step.tolist() == [0, 0.5, 1, 1.5, 2, 2.5]


def test_other_parquet_files_are_tables_as_before(tmp_path):
    pq.write_table(pa.table({"step": [0, 1], "loss": [1.0, 0.5]}), tmp_path / "log.parquet")
    assert column(read(tmp_path)) == ([0, 1], [1.0, 0.5])


# --- Aim -----------------------------------------------------------------------------------------


def test_a_repository_of_aim_is_named_and_its_export_explained(tmp_path):
    (tmp_path / ".aim" / "meta").mkdir(parents=True)
    (tmp_path / ".aim" / "run_metadata.sqlite").touch()
    for path in (tmp_path, tmp_path / ".aim"):
        with pytest.raises(UnreadableLog, match="Aim repository") as error:
            read(path)
        assert "to_csv" in error.value.hint


def test_other_logs_beside_a_repository_of_aim_are_read(tmp_path):
    (tmp_path / ".aim").mkdir()
    (tmp_path / "log.csv").write_text("step,loss\n0,1\n1,0.5\n")
    assert column(read(tmp_path)) == ([0, 1], [1.0, 0.5])
