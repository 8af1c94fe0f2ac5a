"""How a run ended: as the loop said it, as the exception that ended it, or as what the dead have left."""
# ruff: noqa: PT012, PT031  # a whole loop that warns once, or fails in the middle, is what is tested

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from runopsy.endings import STILL, Left, ending
from runopsy.processes import is_alive, this_process
from runopsy.recorder import record
from runopsy.recorder import session as module
from runopsy.store import end_path, lock_path, read_run

LOOP = """
import os, sys, time
from runopsy.recorder import record
run = record(sys.argv[1])
for step in range(5):
    run.log(step, {"a": 1.0})
"""


def script(tail: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", LOOP + tail, str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def told(folder: Path) -> tuple[str | None, list[tuple[float, str, str]]]:
    run = read_run(folder)
    return run.status, [(mark.step, mark.kind, str(mark.detail.get("type"))) for mark in run.marks]


def test_an_exception_is_kept_with_its_step(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="nan"), record(tmp_path / "run") as run:
        run.log(7, {"a": 1.0})
        raise ValueError("loss is nan")
    (mark,) = read_run(tmp_path / "run").marks
    assert told(tmp_path / "run") == ("failed", [(7, "crashed", "ValueError")])
    assert mark.detail["message"] == "loss is nan"


def test_ctrl_c_is_an_interrupt_and_no_crash(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), record(tmp_path / "run") as run:
        run.log(7, {"a": 1.0})
        raise KeyboardInterrupt
    assert told(tmp_path / "run") == ("interrupted", [(7, "interrupted", "KeyboardInterrupt")])


@pytest.mark.parametrize(
    ("tail", "status", "marks"),
    [
        ("", "finished", []),
        ("raise ValueError('no')", "failed", [(4, "crashed", "ValueError")]),
        ("raise KeyboardInterrupt", "interrupted", [(4, "interrupted", "KeyboardInterrupt")]),
        ("run.finish()\n1 / 0", "finished", []),
        ("os.kill(os.getpid(), 9)", "killed", []),
        ("os.kill(os.getpid(), 15)", "killed", []),
    ],
)
def test_a_script_without_a_with_block_says_how_it_ended_too(
    tmp_path: Path, tail: str, status: str, marks: list[tuple[float, str, str]]
) -> None:
    script(tail, tmp_path / "run")
    assert told(tmp_path / "run") == (status, marks)


def test_a_run_that_goes_on_is_running(tmp_path: Path) -> None:
    run = record(tmp_path / "run")
    run.log(0, {"a": 1.0})
    assert read_run(tmp_path / "run").status == "running"
    run.finish()
    assert read_run(tmp_path / "run").status == "finished"


def test_a_run_that_was_resumed_after_a_crash_keeps_the_crash_and_ends_well(tmp_path: Path) -> None:
    script("raise ValueError('no')", tmp_path / "run")
    with record(tmp_path / "run", resume=True) as run:
        run.log(5, {"a": 1.0})
    assert told(tmp_path / "run") == ("finished", [(4, "crashed", "ValueError")])


def test_a_folder_from_another_machine_is_over_when_nothing_came_for_an_hour(tmp_path: Path) -> None:
    elsewhere = this_process() | {"host": "elsewhere"}
    for age, status in ((STILL + 1, "killed"), (10.0, "running")):
        left = Left({"status": "running"}, {0: elsewhere}, {}, frozenset({(0, 0)}), last_time=1e9)
        assert ending(left, now=1e9 + age).status == status


def test_a_process_is_alive_until_it_has_ended() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        said = this_process() | {"pid": process.pid}
        assert is_alive(this_process()) is True
        assert is_alive(said) is False, "the number alone is not enough: it began at another time"
        process.communicate(b"\n")
    assert is_alive(said) is False
    assert is_alive(said | {"host": "elsewhere"}) is None
    assert is_alive({}) is None


# --- a full disk -------------------------------------------------------------------------------


def full(*_: object) -> int:
    raise OSError(28, "No space left on device")


def test_a_disk_that_stayed_full_is_told_from_a_kill(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, some_os: Callable[..., object]
) -> None:
    run = record(tmp_path / "run")
    run.log(0, {"a": 1.0})
    with pytest.warns(RuntimeWarning, match="No space left"):
        monkeypatch.setattr("runopsy.recorder.journal.os", some_os(write=full))
        run.log(1, {"a": 2.0})
        said = json.loads((tmp_path / "run/run.json").read_text())
        assert said["disk_full"]["step"] == 1, "it is said at once: a kill may follow"
        run.finish()
    found = read_run(tmp_path / "run")
    assert (found.status, len(found.tracks["a"])) == ("disk_full", 1)
    assert any("full from step 1 on" in note for note in found.notes)


def test_a_process_that_was_killed_while_the_disk_was_full(tmp_path: Path) -> None:
    tail = """
import runopsy.recorder.journal as journal, types
def full(*_): raise OSError(28, "No space left on device")
journal.os = types.SimpleNamespace(**{**vars(os), "write": full})
run.log(5, {"a": 1.0})
os.kill(os.getpid(), 9)
"""
    assert script(tail, tmp_path / "run").returncode == -signal.SIGKILL
    assert read_run(tmp_path / "run").status == "disk_full"


def test_a_disk_that_was_full_for_a_while_is_noted_and_the_run_ends_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, some_os: Callable[..., object]
) -> None:
    run = record(tmp_path / "run")
    with pytest.warns(RuntimeWarning), monkeypatch.context() as patch:
        patch.setattr("runopsy.recorder.journal.os", some_os(write=full))
        run.log(1, {"a": 2.0})
    run.finish()
    found = read_run(tmp_path / "run")
    assert (found.status, len(found.tracks["a"])) == ("finished", 1)


# --- other ranks -------------------------------------------------------------------------------


def left(**changes: Any) -> Left:
    manifest = {"status": "finished", "sessions": [{"session": 0, "last_step": 9, "ended": 1.0}]}
    return Left(manifest, {}, {(0, 1): {"status": "finished"}}, frozenset({(0, 0), (0, 1), (0, 2)}), 1e9, **changes)


def test_a_rank_that_never_said_how_it_ended_is_told() -> None:
    found = ending(left(), 1e9)
    assert [(step, kind, detail["rank"]) for step, kind, detail in found.marks] == [(9, "crashed", 2)]
    assert found.notes == ["rank 2 ended without closing the run: it was killed"]


def test_a_rank_whose_loop_failed_is_told_by_its_exception() -> None:
    state = left()
    exception = {"type": "ValueError", "message": "no", "step": 4}
    state.ends = {**state.ends, (0, 2): {"status": "failed", "exception": exception}}
    assert ending(state, 1e9).marks == [(4, "crashed", {"type": "ValueError", "message": "no", "rank": 2})]


def test_a_rank_that_is_still_closing_is_not_taken_for_dead() -> None:
    state = left()
    state.locks = {2: this_process()}
    assert ending(state, 1e9).marks == []


def test_another_rank_leaves_its_end_in_the_folder(tmp_path: Path) -> None:
    run = record(tmp_path / "run")
    run.log(0, {"a": 1.0})
    other = module.Recording(tmp_path / "run", None, {}, where=module.Place(1, 2))
    other._journal.session = 0
    other.finish("failed")
    run.finish()
    assert json.loads(end_path(tmp_path / "run", 0, 1).read_text())["status"] == "failed"


# --- steps that are none -------------------------------------------------------------------------


def test_a_fraction_is_never_cut_to_a_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = record(tmp_path / "run")
    with pytest.warns(RuntimeWarning, match="step 0.25 is no whole number") as caught:
        for step in (0.25, 0.5, 0.75, 1.0, 2, 2.5):
            run.log(step, {"a": step, "b": 1.0})  # type: ignore[arg-type]  # the mistake this is about
        run.event(0.5, "odd")  # type: ignore[arg-type]
    run.finish()
    assert len(caught) == 1
    found = read_run(tmp_path / "run")
    assert (found.tracks["a"].step.tolist(), found.tracks["a"].value.tolist()) == ([1, 2], [1, 2])
    said = json.loads((tmp_path / "run/run.json").read_text())
    assert (said["fractional"], said["dropped"], said["refused"]) == (8, 0, 0)
    assert "8 values were at steps that are no whole numbers" in capsys.readouterr().err
    assert any("8 values" in note for note in found.notes)
    assert found.marks == ()


# --- copies --------------------------------------------------------------------------------------


def test_a_pickled_recording_records_nothing_and_breaks_nothing(tmp_path: Path) -> None:
    run = record(tmp_path / "run")
    run.log(0, {"a": 1.0})
    with pickle.loads(pickle.dumps(run)) as copy:  # as a data loader that spawns its workers does
        copy.log(1, {"a": 2.0})
        copy.step(2, {"a": 2.0})
        copy.event(2, "copied")
    assert copy.path == run.path
    assert deepcopy({"run": run})["run"] is run
    run.log(3, {"a": 3.0})
    run.finish()
    assert read_run(tmp_path / "run").tracks["a"].step.tolist() == [0, 3]


def test_no_lock_and_no_reserve_are_left_when_a_run_is_closed(tmp_path: Path) -> None:
    with record(tmp_path / "run") as run:
        run.log(0, {"a": 1.0})
        assert lock_path(tmp_path / "run", 0).exists()
    assert sorted(os.listdir(tmp_path / "run/journal")) == ["0000-00000.names"]
