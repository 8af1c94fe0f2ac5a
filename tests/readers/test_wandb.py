"""Weights & Biases: offline files in pieces and blocks, what a history row may hold, and exported charts."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runopsy.errors import UnreadableLog
from runopsy.readers import read, runs
from runopsy.readers.formats import wandb_offline
from runopsy.readers.source import Source
from trackerfiles import (
    WANDB_BLOCK,
    WANDB_EXIT,
    double,
    message,
    number,
    wandb,
    wandb_export,
    wandb_file,
    wandb_row,
)


@pytest.fixture
def log(tmp_path):
    def write(*records: bytes):
        path = tmp_path / "run-abc.wandb"
        path.write_bytes(wandb_file(*records))
        return path

    return write


def values(run, name):
    return run.tracks[name].value.tolist()


@given(st.lists(st.integers(0, 3 * WANDB_BLOCK), max_size=6))
def test_records_come_out_as_they_went_in(sizes):
    records = [bytes([i + 1]) * size for i, size in enumerate(sizes)]
    notes: list[str] = []
    assert list(wandb_offline._records(wandb_file(*records), "log", notes)) == records
    assert notes == []


def test_a_history_may_be_typed_nested_or_plain(log):
    def typed(name: str, content: bytes) -> bytes:
        return message(1, message(1, name) + content)

    rows = [
        wandb_row(_step=s, a__b=s, c={"d": s + 0.5, "e": {"f": -s}}) + message(2, typed("g", double(6, s / 8)))
        for s in range(3)
    ]
    zigzag = [message(2, typed("_step", number(5, 2 * s)) + typed("h", number(5, 2 * s - 1))) for s in range(3, 5)]
    as_json = [message(2, typed("_step", message(8, str(s))) + typed("h", number(4, 1))) for s in range(5, 7)]
    run = read(log(*rows, *zigzag, *as_json, WANDB_EXIT))
    assert values(run, "a/b") == [0, 1, 2]
    assert values(run, "c/d") == [0.5, 1.5, 2.5]
    assert values(run, "c/e/f") == [0, -1, -2]
    assert values(run, "h") == [-3, -4, 1, 1]


def test_the_step_may_stand_apart_from_the_items(log):
    rows = [
        message(2, message(1, message(1, "loss") + message(16, "0.5")) + message(2, number(1, s))) for s in (3, 5, 9)
    ]
    assert read(log(*rows, WANDB_EXIT)).tracks["loss"].step.tolist() == [3, 5, 9]


def test_numbers_that_are_none_are_read_in_every_spelling(log):
    said = ["NaN", float("nan"), "Infinity", float("-inf"), 1]
    run = read(log(*(wandb_row(_step=s, loss=value) for s, value in enumerate(said)), WANDB_EXIT))
    np.testing.assert_array_equal(values(run, "loss"), [np.nan, np.nan, np.inf, -np.inf, 1])


def test_media_and_text_are_no_curves(log):
    row = {"_type": "histogram", "values": [1, 2], "bins": [0, 1, 2]}
    run = read(log(*(wandb_row(_step=s, loss=s, note="hello", h=row) for s in range(3)), WANDB_EXIT))
    assert list(run.tracks) == ["loss"]


def test_the_axis_that_a_training_defines_is_preferred(log):
    rows = [wandb_row(_step=s, loss=s, **{"trainer/global_step": s * 50}) for s in range(5)]
    assert read(log(*rows, WANDB_EXIT)).tracks["loss"].step.tolist() == [0, 50, 100, 150, 200]


def test_a_run_that_was_killed_says_so(log):
    assert any("was not closed" in note for note in read(log(*(wandb_row(_step=s, loss=s) for s in range(3)))).notes)


@pytest.mark.parametrize("cut", [1, 4, 8, 20])
def test_a_torn_end_is_left_out_and_said(log, cut):
    path = log(*(wandb_row(_step=s, loss=s) for s in range(5)))
    path.write_bytes(path.read_bytes()[:-cut])
    run = read(path)
    assert values(run, "loss") == [0, 1, 2, 3]
    assert any("ends within a record" in note for note in run.notes)


def test_behind_a_damaged_record_it_goes_on_with_the_next_block(log):
    path = log(*(wandb_row(_step=s, loss=s) for s in range(3000)), WANDB_EXIT)
    data = bytearray(path.read_bytes())
    data[WANDB_BLOCK + 2000] ^= 1
    path.write_bytes(data)
    run = read(path)
    kept = values(run, "loss")
    assert kept[0] == 0
    assert kept[-1] == 2999
    assert 2 * WANDB_BLOCK // 40 > 3000 - len(kept) > 100
    assert any("1 of its blocks" in note for note in run.notes)


def test_a_file_without_history_says_so(log):
    with pytest.raises(UnreadableLog, match="holds no history"):
        read(log(WANDB_EXIT))


def test_two_runs_in_one_folder_are_two_runs(tmp_path):
    for name in ("offline-run-1-abc", "offline-run-2-abc"):
        (tmp_path / name).mkdir()
        wandb(tmp_path / name)
    (tmp_path / "latest-run").symlink_to(tmp_path / "offline-run-2-abc")
    assert [run.name for run in runs(tmp_path)] == ["offline-run-1-abc", "offline-run-2-abc"]


def test_an_exported_chart_holds_its_runs(tmp_path):
    path = wandb_export(tmp_path)
    assert [run.name for run in runs(path)] == ["calm-sun-3", "a - b"]
    run = read(path, "a - b")
    assert list(run.tracks) == ["loss"]
    assert values(run, "loss")[:3] == [3, 1.5, 1]


def test_a_run_of_an_exported_chart_has_only_its_own_rows(tmp_path):
    path = tmp_path / "chart.csv"
    header = ",".join(f'"{run} - loss{end}"' for run in "ab" for end in ("", "__MIN", "__MAX"))
    rows = ('"0","2","2","2","","",""', '"1","","","","3","3","3"', '"2","1","1","1","NaN","NaN","NaN"')
    path.write_text("\n".join([f'"Step",{header}', *rows, ""]))
    assert read(path, "a").tracks["loss"].step.tolist() == [0, 2]
    assert read(path, "b").tracks["loss"].step.tolist() == [1, 2]


def test_the_history_of_old_versions_is_json_lines(tmp_path):
    rows = ({"_step": s, "_runtime": s * 2.0, "_timestamp": 1.7e9 + s} for s in range(20))
    lines = [row | {("reward", "loss")[row["_step"] % 2]: row["_step"]} for row in rows]
    path = tmp_path / "wandb-history.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    run = read(path)
    assert run.tracks["loss"].step.tolist() == list(range(1, 20, 2))
    assert run.tracks["reward"].time.tolist() == [1.7e9 + s for s in range(0, 20, 2)]


def test_a_header_alone_is_recognised_and_empty():
    source = Source.from_bytes("log", b":W&B" + struct.pack("<HB", 0xBEE1, 0))
    assert wandb_offline.recognises(source)
    with pytest.raises(UnreadableLog):
        wandb_offline.read(source)
