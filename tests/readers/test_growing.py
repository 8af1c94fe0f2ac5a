"""A log that grows reads as it would have if it had been there all along; rotated, truncated, late, torn."""

import json
import math
import os
from contextlib import ExitStack

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import planted
from runopsy.errors import UnreadableLog
from runopsy.readers import read
from runopsy.readers.growing import Growing
from runopsy.recorder import record

STEPS = 60
LOSS = planted.noisy(planted.decay(np.arange(STEPS), scale=5.0), 0.02).tolist()


def csv_lines():
    return [
        "step,train/loss,val/loss",
        *(f"{i},{LOSS[i]!r},{LOSS[i] * 1.1 if i % 10 == 9 else ''}" for i in range(STEPS)),
    ]


def json_lines():
    rows = [{"step": i, "train": {"loss": LOSS[i]}, "tags": [1]} for i in range(STEPS)]
    rows[7]["note"] = "text"
    rows[30]["val_loss"] = math.nan
    rows[50]["val_loss"] = 0.5
    return [json.dumps(row) for row in rows]


def text_lines():
    return [f"step {i}/600 loss: {LOSS[i]:.6f} lr=0.1" for i in range(STEPS)]


@pytest.fixture
def grow():
    """Growing logs that are closed after the test."""
    with ExitStack() as stack:
        yield lambda *words: stack.enter_context(Growing(*words))


WRITERS = {"csv": csv_lines, "jsonl": json_lines, "log": text_lines}


def same(found, wanted):
    assert found.axis == wanted.axis
    assert list(found.tracks) == list(wanted.tracks)
    for name, track in wanted.tracks.items():
        np.testing.assert_array_equal(found.tracks[name].step, track.step)
        np.testing.assert_array_equal(found.tracks[name].value, track.value)
        assert found.tracks[name].unread == track.unread
        if track.session is None:
            assert found.tracks[name].session is None
        else:
            np.testing.assert_array_equal(found.tracks[name].session, track.session)


@pytest.mark.parametrize("kind", WRITERS)
@settings(max_examples=8, deadline=None)
@given(cuts=st.lists(st.integers(1, 4000), min_size=1, max_size=6))
def test_read_in_pieces_is_read_at_once(tmp_path_factory, kind, cuts):
    path = tmp_path_factory.mktemp("grows") / f"train.{kind}"
    text = "".join(f"{line}\n" for line in WRITERS[kind]()).encode()
    at = 0
    with Growing(str(path)) as log:
        for cut in [*sorted(cuts), len(text)]:
            with path.open("ab") as file:
                file.write(text[at:cut])
            at = max(at, min(cut, len(text)))
            try:
                log.read() if log.amount() else None
            except UnreadableLog:
                assert at < len(text)
        assert log.amount() == text.count(b"\n")
        same(log.read(), read(path))
        assert log.is_incremental == (kind != "log")


def test_what_was_parsed_is_not_parsed_again(tmp_path, monkeypatch, grow):
    path = tmp_path / "train.csv"
    path.write_text("\n".join(csv_lines()[:50]) + "\n")
    log = grow(str(path))
    log.amount()
    log.read()
    parsed = []
    from runopsy.readers.formats import delimited

    plain = delimited.numbers_alone
    monkeypatch.setattr(
        delimited, "numbers_alone", lambda data, *a, **k: parsed.append(len(data)) or plain(data, *a, **k)
    )
    with path.open("a") as file:
        file.write("\n".join(csv_lines()[50:]) + "\n")
    log.amount()
    log.read()
    assert sum(parsed) == len("\n".join(csv_lines()[50:]) + "\n")


def test_a_line_that_is_still_being_written_is_not_read(tmp_path, grow):
    for kind, lines in WRITERS.items():
        path = tmp_path / f"torn.{kind}"
        whole = "\n".join(lines()[:40]) + "\n"
        path.write_text(whole + lines()[40][:-3])
        (tmp_path / f"whole.{kind}").write_text(whole)
        log = grow(str(path))
        log.amount()
        same(log.read(), read(tmp_path / f"whole.{kind}"))


def test_a_log_that_is_not_there_yet_is_waited_for(tmp_path, grow):
    log = grow(str(tmp_path / "later.csv"))
    assert log.amount() == 0
    (tmp_path / "later.csv").write_text("\n".join(csv_lines()) + "\n")
    assert log.amount() == STEPS + 1
    assert len(log.read().tracks["train/loss"]) == STEPS


@pytest.mark.parametrize("headed", [True, False])
@pytest.mark.parametrize("how", ["renamed", "copied and truncated"])
def test_a_rotated_log_goes_on(tmp_path, how, headed, grow):
    path, lines = tmp_path / "train.csv", csv_lines()
    path.write_text("\n".join(lines[:40]) + "\n")
    log = grow(str(path))
    log.amount()
    log.read()
    if how == "renamed":
        with path.open("a") as file:  # after the last look, and before the rotation
            file.write(lines[40] + "\n")
        os.rename(path, tmp_path / "train.csv.1")
    else:
        with path.open("a") as file:
            file.write(lines[40] + "\n")
        log.read()
        path.write_text("")
        log.amount()
    path.write_text("\n".join([*lines[: int(headed)], *lines[41:]]) + "\n")
    assert log.amount() > 0
    found = log.read()
    (tmp_path / "all.csv").write_text("\n".join(lines) + "\n")
    same(found, read(tmp_path / "all.csv"))
    assert "rotated" in found.notes[-1]


def test_a_log_that_is_written_anew_takes_the_place_of_the_old_one(tmp_path, grow):
    path, lines = tmp_path / "train.csv", csv_lines()
    path.write_text("\n".join(lines[:40]) + "\n")
    log = grow(str(path))
    log.amount()
    log.read()
    wider = ["step,train/loss,val/loss,lr", *(f"{line},0.1" for line in lines[1:50])]  # as Lightning's CSVLogger does
    path.write_text("\n".join(wider) + "\n")
    log.amount()
    same(log.read(), read(path))


def test_a_table_that_stops_being_plain_is_read_as_a_whole(tmp_path, grow):
    path, lines = tmp_path / "train.csv", csv_lines()
    path.write_text("\n".join(lines[:30]) + "\n")
    log = grow(str(path))
    log.amount()
    log.read()
    with path.open("a") as file:
        file.write("\n".join(["# a remark", *lines[30:], lines[0]]) + "\n")
    log.amount()
    same(log.read(), read(path))
    assert not log.is_incremental


def test_a_run_folder_keeps_its_closed_parts(tmp_path, grow):
    from runopsy import store

    with record(tmp_path / "run", signals="scalars") as run:
        for step in range(50):
            run.log(step, {"train/loss": LOSS[step]})
    log = grow(str(tmp_path / "run"))
    assert log.amount() > 0
    same(log.read(), read(tmp_path / "run"))
    assert log.is_incremental
    (part,) = store.files(tmp_path / "run" / "signals", ".parquet")
    with record(tmp_path / "run", signals="scalars", resume=True) as run:
        for step in range(50, STEPS):
            run.log(step, {"train/loss": LOSS[step]})
    wanted = read(tmp_path / "run")
    part.write_bytes(b"")  # were it read again, its rows would be missing
    same(log.read(), wanted)


def test_a_run_that_replaces_another_is_read_anew(tmp_path, grow):
    log = grow(str(tmp_path / "run"))
    for factor in (1, 2):
        with record(tmp_path / "run", signals="scalars", overwrite=True) as run:
            for step in range(50):
                run.log(step, {"train/loss": factor * LOSS[step]})
        same(log.read(), read(tmp_path / "run"))


def test_a_folder_of_another_tracker_is_read_again(tmp_path, grow):
    run = tmp_path / "mlruns"
    run.mkdir()
    (run / "train.csv").write_text("\n".join(csv_lines()[:30]) + "\n")
    log = grow(str(run))
    before, stamp = log.amount(), log.stamp()
    assert len(log.read().tracks["train/loss"]) == 29
    (run / "train.csv").write_text("\n".join(csv_lines()) + "\n")
    assert log.amount() > before
    assert log.stamp() != stamp
    assert len(log.read().tracks["train/loss"]) == STEPS
    assert not log.is_incremental


def test_of_several_runs_the_last_is_read_unless_one_is_named(tmp_path, grow):
    rows = [f"{name},{i},{LOSS[i]!r}" for name in ("a", "b") for i in range(20)]
    path = tmp_path / "two.csv"
    path.write_text("\n".join(["run_id,step,train/loss", *rows]) + "\n")
    log = grow(str(path))
    log.amount()
    run = log.read()
    if log.several:
        assert run.id.endswith("b")
        named = grow(str(path), "1")
        named.amount()
        assert named.read().id.endswith("a")


# --- what is new, read apart ----------------------------------------------------------------------


def at_end(lines, begin, end):
    return ("\n".join(lines[begin:end]) + "\n").encode()


@pytest.mark.parametrize("kind", WRITERS)
def test_what_is_new_is_read_apart_and_once(tmp_path, kind, grow):
    path, lines = tmp_path / f"train.{kind}", WRITERS[kind]()
    path.write_bytes(at_end(lines, 0, 41))
    log = grow(str(path))
    log.amount()
    log.read()
    assert log.fresh() is None
    for begin, end in ((41, 43), (43, 50), (50, len(lines))):
        with path.open("ab") as file:
            file.write(at_end(lines, begin, end))
        rows = slice(begin - (kind == "csv"), end - (kind == "csv"))
        fresh, whole = log.fresh(), read(path)
        assert fresh.axis == whole.axis
        for name in ("train/loss", "loss", "train"):
            if name in whole.tracks:
                np.testing.assert_array_equal(fresh.tracks[name].step, whole.tracks[name].step[rows])
                np.testing.assert_array_equal(fresh.tracks[name].value, whole.tracks[name].value[rows])
        assert log.fresh() is None
    same(log.read(), read(path))


def test_new_rows_of_an_irregular_table_are_read_under_its_header(tmp_path, grow):
    path, lines = tmp_path / "train.csv", csv_lines()
    path.write_bytes(b"# a remark\n" + at_end(lines, 0, 30))
    log = grow(str(path))
    log.amount()
    log.read()
    assert not log.is_incremental
    with path.open("ab") as file:
        file.write(at_end(lines, 30, 33))
    assert log.fresh().tracks["train/loss"].step.tolist() == [29, 30, 31]


def test_a_line_that_is_still_being_written_is_not_new(tmp_path, grow):
    path, lines = tmp_path / "train.csv", csv_lines()
    path.write_bytes(at_end(lines, 0, 30))
    log = grow(str(path))
    log.amount()
    log.read()
    with path.open("ab") as file:
        file.write(lines[30].encode()[:-2])
    assert log.fresh() is None
    with path.open("ab") as file:
        file.write(lines[30].encode()[-2:] + b"\n")
    assert log.fresh().tracks["train/loss"].value.tolist() == [LOSS[29]]


def test_what_a_rotation_brings_is_left_to_the_next_look(tmp_path, grow):
    path, lines = tmp_path / "train.csv", csv_lines()
    path.write_bytes(at_end(lines, 0, 30))
    log = grow(str(path))
    log.amount()
    log.read()
    os.rename(path, tmp_path / "train.csv.1")
    path.write_bytes(at_end([lines[0], *lines[30:40]], 0, 11))
    assert log.fresh() is None
    assert len(log.read().tracks["train/loss"]) == 39


def test_lines_without_a_value_are_read_with_those_that_follow(tmp_path, grow):
    path = tmp_path / "train.log"
    path.write_bytes(at_end(text_lines(), 0, 30))
    log = grow(str(path))
    log.amount()
    log.read()
    with path.open("ab") as file:
        file.write(b"saving a checkpoint\n" + at_end(text_lines(), 30, 31))
    assert log.fresh() is None  # one line with a number alone may be prose
    with path.open("ab") as file:
        file.write(at_end(text_lines(), 31, 32))
    assert log.fresh().tracks["loss"].step.tolist() == [30, 31]


@pytest.mark.parametrize("rows_per_part", [1000, 12])
def test_new_values_of_a_run_folder_are_read_from_its_journal(tmp_path, grow, rows_per_part):
    with record(tmp_path / "run", signals="scalars") as run:
        run._journal._full = rows_per_part * 28  # parts of so many values, which close in the meantime
        run.log(0, {"train/loss": 3.0})
        log, seen = grow(str(tmp_path / "run")), []
        log.read()
        for step in range(1, 200):
            run.log(step, {"train/loss": 1.0 / step})
            if step % 7 == 0:
                fresh = log.fresh()
                seen += [] if fresh is None else fresh.tracks["train/loss"].step.tolist()
                assert log.amount() <= step + 1
        assert seen == sorted(set(seen))
        assert rows_per_part == 12 or seen == list(range(1, 197))
        assert not log.has_ended
    assert log.has_ended
    assert log.amount() == sum(map(len, read(tmp_path / "run").tracks.values()))


def test_a_text_that_is_read_elsewhere_is_of_its_generation_whatever_comes_meanwhile(tmp_path, grow):
    path = tmp_path / "train.log"
    lines = [f"{line} {'x' * 4000}" for line in text_lines()]
    path.write_bytes(at_end(lines, 0, 30))
    log = grow(str(path))
    log.amount()
    log.read()
    with path.open("ab") as file:
        file.write(at_end(lines, 30, 35))
    later = log.reading()
    with path.open("ab") as file:
        file.write(at_end(lines, 35, 38))
    assert log.fresh().tracks["loss"].step.tolist() == [35, 36, 37]  # as after a read
    os.rename(path, tmp_path / "train.log.1")
    path.write_bytes(at_end(lines, 38, 44))
    log.amount()
    assert later().tracks["loss"].step.tolist() == list(range(35))
    assert log.read().tracks["loss"].step.tolist() == list(range(44))
