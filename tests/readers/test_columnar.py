"""Parquet: what counts as a column, and what does not."""

from __future__ import annotations

import datetime as dt
import decimal

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from runopsy.errors import UnreadableLog
from runopsy.readers import read


@pytest.fixture
def read_table(tmp_path):
    def run(table: pa.Table):
        pq.write_table(table, tmp_path / "log.parquet")
        return read(tmp_path / "log.parquet")

    return run


def test_every_kind_of_number_is_a_number(read_table):
    table = pa.table(
        {
            "step": pa.array([1, 2], pa.uint8()),
            "half": pa.array(np.array([0.5, 0.25], np.float16)),
            "single": pa.array([0.5, 0.25], pa.float32()),
            "decimal": pa.array([decimal.Decimal("0.50"), decimal.Decimal("0.25")]),
            "bool": pa.array([True, False]),
            "text": pa.array(["0.5", "0.25"]),
            "category": pa.array(["0.5", "0.25"]).dictionary_encode(),
            "coded": pa.array([0.5, 0.25]).dictionary_encode(),
        }
    )
    run = read_table(table)
    for name in set(table.column_names) - {"step", "bool"}:
        assert run.tracks[name].value.tolist() == [0.5, 0.25], name
    assert run.tracks["bool"].value.tolist() == [1, 0]


def test_what_is_no_curve_is_left_out(read_table):
    table = pa.table(
        {"step": [1, 2], "loss": [3.0, 2.0], "image": [b"a", b"b"], "hist": [[1], [2]], "s": [{"a": 1}] * 2}
    )
    assert set(read_table(table).tracks) == {"loss"}


def test_columns_of_one_name_are_kept_apart(read_table):
    table = pa.Table.from_arrays(
        [pa.array([1, 2]), pa.array([3.0, 2.0]), pa.array([5.0, 4.0])], ["step", "loss", "loss"]
    )
    run = read_table(table)
    assert (run.tracks["loss"].value.tolist(), run.tracks["loss#2"].value.tolist()) == ([3, 2], [5, 4])


def test_instants_are_an_axis_of_time(read_table):
    at = [dt.datetime(2024, 1, 1, tzinfo=dt.UTC), dt.datetime(2024, 1, 1, 0, 1, tzinfo=dt.UTC)]
    run = read_table(pa.table({"time": at, "loss": [3.0, 2.0]}))
    assert (run.axis, run.tracks["loss"].step.tolist()) == ("time", [0, 60])


def test_a_part_of_a_run_folder_is_a_long_table(read_table):
    table = pa.table(
        {
            "signal": pa.array(["a", "a", "b", "b"]).dictionary_encode(),
            "step": [1, 2, 1, 2],
            "time": [5.0, 6.0, 5.5, 6.5],
            "value": [0.1, 0.2, 0.3, 0.4],
            "rank": [0] * 4,
            "session": [0] * 4,
        }
    )
    assert read_table(table).tracks["b"].value.tolist() == [0.3, 0.4]


def test_a_frame_that_polars_wrote_is_read(tmp_path):
    path = tmp_path / "log.parquet"
    pl.DataFrame({"step": [1, 2], "loss": [3, 2]}).write_parquet(path, compression="zstd")
    assert read(path).tracks["loss"].value.tolist() == [3, 2]


def test_a_column_without_a_type_is_left_out(read_table):
    with pytest.raises(UnreadableLog):
        read_table(pa.table({"step": [1, 2], "loss": pa.nulls(2)}))
