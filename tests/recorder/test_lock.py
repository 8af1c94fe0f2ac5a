"""One writer a folder: a second one is an error of ``record`` itself, and the dead are in nobody's way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from runopsy.errors import RunExists
from runopsy.recorder import record
from runopsy.recorder.lock import take
from runopsy.store import JOURNAL, lock_path, read_run

WRITER = """
import sys
from runopsy.recorder import record
run = record(sys.argv[1], resume=True)
run.log(0, {"a": 1.0})
print("ready", flush=True)
sys.stdin.read()
"""


def writer(folder: Path) -> subprocess.Popen[str]:
    """A process that records there until its input ends."""
    options: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    process = subprocess.Popen([sys.executable, "-c", WRITER, str(folder)], **options)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_a_second_process_is_refused_by_record_itself_and_loses_the_first_nothing(tmp_path: Path) -> None:
    with writer(tmp_path / "run") as first:
        with pytest.raises(RunExists, match=f"recorded by process {first.pid}") as caught:
            record(tmp_path / "run", resume=True)
        assert "wait until it has ended" in caught.value.hint
        with pytest.raises(RunExists, match=f"process {first.pid}"):
            record(tmp_path / "run", overwrite=True)
        first.communicate("")
    run = read_run(tmp_path / "run")
    assert (len(run.tracks["a"]), run.notes) == (
        1,
        ("the script ended without closing the recorder: it may have stopped early",),
    )


def test_a_lock_of_a_process_that_was_killed_hinders_nobody(tmp_path: Path) -> None:
    with writer(tmp_path / "run") as first:
        first.kill()
    assert lock_path(tmp_path / "run", 0).exists()
    with record(tmp_path / "run", resume=True) as run:
        run.log(1, {"a": 2.0})
    assert read_run(tmp_path / "run").tracks["a"].session.tolist() == [0, 1]  # type: ignore[union-attr]
    assert not lock_path(tmp_path / "run", 0).exists()


def test_a_worker_that_outlives_its_process_hinders_nobody(tmp_path: Path) -> None:
    """It was forked, and holds what the process held."""
    fork = """
import os, sys
from runopsy.recorder import record
run = record(sys.argv[1])
run.log(0, {"a": 1.0})
if os.fork() == 0:
    print("ready", flush=True)
    sys.stdin.read()
    os._exit(0)
os.kill(os.getpid(), 9)
"""
    options: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-W", "ignore", "-c", fork, str(tmp_path / "run")], **options) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.wait()
        with record(tmp_path / "run", resume=True) as run:
            run.log(1, {"a": 2.0})
        assert process.stdin is not None
        process.stdin.close()
    assert len(read_run(tmp_path / "run").tracks["a"]) == 2


def test_the_same_process_is_told_to_finish_first(tmp_path: Path) -> None:
    run = record(tmp_path / "run")
    with pytest.raises(RunExists, match="this very process") as caught:
        record(tmp_path / "run", resume=True)
    assert "finish()" in caught.value.hint
    run.finish()
    record(tmp_path / "run", resume=True).finish()


def test_a_number_that_was_given_to_another_process_is_no_owner(tmp_path: Path) -> None:
    """The file says a process of this machine that lives, and began at another time."""
    record(tmp_path / "run").finish()
    with take(tmp_path / "run", 0)._path.open() as file:
        said = json.load(file)
    lock_path(tmp_path / "run", 0).unlink()
    lock_path(tmp_path / "run", 0).write_text(json.dumps(said | {"begun": "1"}))
    record(tmp_path / "run", resume=True).finish()


def test_ranks_have_a_lock_each(tmp_path: Path) -> None:
    zero, one = take(tmp_path / "run", 0), take(tmp_path / "run", 1)
    with pytest.raises(RunExists):
        take(tmp_path / "run", 1)
    one.release()
    take(tmp_path / "run", 1).release()
    zero.release()
    assert os.listdir(tmp_path / "run" / JOURNAL) == []


def test_of_many_that_begin_at_once_one_gets_the_folder(tmp_path: Path) -> None:
    script = """
import sys, time
from runopsy.errors import RunExists
from runopsy.recorder import record
while time.time() < float(sys.argv[2]):
    pass
try:
    run = record(sys.argv[1], resume=True)
    print("mine", flush=True)
    sys.stdin.read()
except RunExists as why:
    print(why, flush=True)
"""
    begin = str(time.time() + 1.0)
    options: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    command = [sys.executable, "-c", script, str(tmp_path / "run"), begin]
    processes = [subprocess.Popen(command, **options) for _ in range(4)]
    said = [process.stdout.readline() for process in processes if process.stdout is not None]
    for process in processes:
        process.communicate("")
    assert sum(line == "mine\n" for line in said) == 1
    assert sum("is being" in line for line in said) == 3
