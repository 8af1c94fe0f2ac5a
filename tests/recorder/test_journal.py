"""What the journal does when the file system does not do what it is told."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runopsy.recorder import journal as module
from runopsy.recorder.compaction import journals
from runopsy.recorder.journal import HELD_BYTES, RETRY_AFTER, Journal
from runopsy.store import JOURNAL, RECORD, SIGNALS, files, read_run

HOUR = 3600.0  # s, on the clock that append is told: later than any retry and any look at the folder


def row(step: int, number: int = 1) -> bytes:
    return RECORD.pack(step, 0.0, float(step), number)


def started(folder: Path, rows_per_part: int = 1_000_000) -> Journal:
    journal = Journal(folder, 0, rows_per_part=rows_per_part)
    journal.number("a")
    return journal


def steps(folder: Path, name: str = "a") -> list[int]:
    return [int(step) for step in read_run(folder).tracks[name].step]


@contextlib.contextmanager
def largest_file(size: int) -> Iterator[None]:
    """No file may grow beyond ``size``: a write past it is cut short, the next one fails."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))  # Python ignores SIGXFSZ
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB; skipped where we may not mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = shutil.which("mount") and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if not mounted or mounted.returncode:
        pytest.skip("a small disk can only be mounted by root")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


# --- a full disk ---------------------------------------------------------------------------------


@pytest.mark.parametrize("torn", [0, 1, 13, 27])
def test_what_did_not_fit_is_written_once_there_is_room_again(tmp_path: Path, torn: int) -> None:
    journal = started(tmp_path)
    journal.append(row(0), 0.0)
    with largest_file(3 * RECORD.size + torn):
        for step in range(1, 10):
            journal.append(row(step), 0.1)
        assert steps(tmp_path) == [0, 1, 2]
    journal.append(row(10), HOUR)
    assert steps(tmp_path) == list(range(11))
    journal.close()
    assert steps(tmp_path) == list(range(11))
    assert (journal.dropped, journal.trouble) == (0, "No space left on device" if torn else "File too large")


def test_a_call_of_many_values_cut_in_the_middle_leaves_whole_records(tmp_path: Path) -> None:
    journal = started(tmp_path)
    with largest_file(2 * RECORD.size + 5):
        journal.append(b"".join(map(row, range(6))), 0.0)
        assert files(tmp_path / JOURNAL, ".wal")[0].stat().st_size == 2 * RECORD.size
    journal.close()
    assert steps(tmp_path) == list(range(6))


def test_a_full_disk_is_not_asked_a_thousand_times_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, some_os: Callable[..., object]
) -> None:
    journal, attempts = started(tmp_path), 0
    journal.append(row(0), 0.0)

    def full(*_: object) -> int:
        nonlocal attempts
        attempts += 1
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(module, "os", some_os(write=full))
        for step in range(1, 5001):
            journal.append(row(step), 10.0 + step / 1000)
    assert attempts <= 5.0 / RETRY_AFTER + 1
    journal.close()
    assert steps(tmp_path) == list(range(5001))


def test_beyond_what_is_held_values_are_dropped_and_counted(tmp_path: Path) -> None:
    journal = started(tmp_path)
    fits = HELD_BYTES // RECORD.size
    with largest_file(0):
        journal.append(row(0) * (fits - 2), 0.0)
        for step in range(1, 6):
            journal.append(row(step), 0.1)
        journal.append(row(6), HOUR)
    assert journal.dropped == 4
    journal.close()
    assert journal.dropped == 4
    kept = steps(tmp_path)
    assert (len(kept), kept[-2:]) == (fits, [1, 2])  # the oldest are kept


def test_what_is_still_held_at_the_end_is_counted(tmp_path: Path) -> None:
    journal = started(tmp_path)
    with largest_file(RECORD.size):
        for step in range(5):
            journal.append(row(step), 0.0)
        journal.close()
    assert journal.dropped == 4
    assert steps(tmp_path) == [0]


def test_names_that_were_cut_short_do_not_shift_those_after_them(tmp_path: Path) -> None:
    journal = started(tmp_path)
    journal.append(row(0), 0.0)
    other = journal.number("another" * 10)
    with largest_file(40):
        journal.append(row(1, other), 0.1)
    third = journal.number("third")
    journal.append(row(2, third), HOUR)
    journal.close()
    assert {name: list(track.step) for name, track in read_run(tmp_path).tracks.items()} == {
        "a": [0],
        "another" * 10: [1],
        "third": [2],
    }


def test_on_a_disk_that_is_really_full_the_journal_waits_for_room(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(16 << 10))
    folder = small_disk / "run"
    journal = started(folder)
    for step in range(2000):  # 56 kB into the 48 kB that are left
        journal.append(row(step), step / 1000)
    assert journal.trouble == "No space left on device"
    assert steps(folder) == list(range(len(steps(folder))))
    ballast.unlink()
    journal.append(row(2000), HOUR)
    assert steps(folder) == list(range(2001))
    journal.close()  # no room for the part: the journal stays
    assert steps(folder) == list(range(2001))
    assert not list(folder.rglob("*.tmp"))
    assert journal.dropped == 0


class FlakyOs:
    """``os``, of which one call at a time fails."""

    def __init__(self) -> None:
        self.fault, self.short = "", 0

    def __getattr__(self, name: str) -> Any:
        if name == self.fault:
            return self._fail
        return self._write if name == "write" else getattr(os, name)

    def _fail(self, *_: object) -> None:
        raise OSError(5, "Input/output error")

    def _write(self, handle: int, data: bytes) -> int:
        return os.write(handle, bytes(data)[: len(data) - self.short])


FAULTS = st.tuples(
    st.sampled_from(["", "", "", "write", "open", "ftruncate", "fstat", "close", "stat"]),  # which call fails
    st.sampled_from([0, 0, 0, 1, 28, 30, 70]),  # bytes by which a write is cut short
    st.sampled_from([0.01, 0.6, 2.0]),  # s until the next call
    st.integers(1, 3),  # values in the call
    st.booleans(),  # whether it brings a new name
)


@given(st.lists(FAULTS, max_size=30))
@settings(max_examples=150, deadline=None)
def test_whatever_fails_each_value_is_read_once_or_counted_as_dropped(
    tmp_path_factory: pytest.TempPathFactory, calls: list[tuple[str, int, float, int, bool]]
) -> None:
    folder, flaky = tmp_path_factory.mktemp("run"), FlakyOs()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "os", flaky)
        journal, now, names, expected = started(folder, rows_per_part=7), 0.0, 1, []
        for fault, short, pause, values, new in calls:
            if new:
                names = journal.number(f"n{names}")
            flaky.fault, flaky.short = fault, short
            steps_now = range(len(expected), len(expected) + values)
            journal.append(b"".join(row(step, names) for step in steps_now), now)
            expected += [("a" if names == 1 else f"n{names - 1}", step) for step in steps_now]
            now += pause
        flaky.fault, flaky.short = "", 0
        journal.close()
    tracks = read_run(folder).tracks.values() if expected else []
    found = [(track.name, int(step)) for track in tracks for step in track.step]
    assert len(found) == len(set(found)), "read twice"
    assert set(found) <= set(expected), "read under another name"
    assert len(found) + journal.dropped == len(expected)
    assert journal.dropped == 0, "with so few values, all can be held until the disk is well again"


# --- a folder that goes --------------------------------------------------------------------------


def test_a_deleted_folder_is_made_again_and_what_went_is_counted(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    journal = started(folder)
    for step in range(3):
        journal.append(row(step), 0.0)
    shutil.rmtree(folder)
    for step in range(3, 6):
        journal.append(row(step), HOUR)
    journal.append(row(6, journal.number("b")), HOUR)
    journal.close()
    assert journal.dropped == 3
    assert "was deleted" in str(journal.trouble)
    assert steps(folder) == [3, 4, 5]
    assert steps(folder, "b") == [6]


def test_a_folder_deleted_just_before_the_end_is_noticed(tmp_path: Path) -> None:
    journal = started(tmp_path / "run")
    journal.append(row(0), 0.0)
    shutil.rmtree(tmp_path / "run")
    journal.close()
    assert journal.dropped == 1


def test_a_folder_that_another_run_has_taken_is_left_alone(tmp_path: Path) -> None:
    old, new = started(tmp_path / "run"), Journal(tmp_path / "run", 0)
    old.append(row(0), 0.0)
    shutil.rmtree(tmp_path / "run")
    new.append(row(100, new.number("b")), 0.0)
    old.append(row(1), HOUR)
    old.append(row(2, old.number("c")), 2 * HOUR)
    old.close()
    assert (old.taken, old.dropped) == (True, 3)
    new.close()
    assert {name: list(track.step) for name, track in read_run(tmp_path / "run").tracks.items()} == {"b": [100]}


def test_a_part_that_was_compacted_under_us_is_not_written_over(tmp_path: Path) -> None:
    """A second process resumed the run while we live, on a file system without locks."""
    journal = started(tmp_path)
    journal.append(row(0), 0.0)
    (wal,) = journals(tmp_path)
    journals_copy = wal.read_bytes()
    wal.unlink()
    (tmp_path / JOURNAL / wal.name).write_bytes(journals_copy)
    module.compact(wal)
    journal.append(row(1), HOUR)
    assert steps(tmp_path) == [0, 1]
    journal.close()
    assert steps(tmp_path) == [0, 1]


def test_a_moved_folder_splits_the_run_and_loses_nothing(tmp_path: Path) -> None:
    journal = started(tmp_path / "here", rows_per_part=4)
    for step in range(2):
        journal.append(row(step), 0.0)
    (tmp_path / "here").rename(tmp_path / "there")
    for step in range(2, 6):
        journal.append(row(step), 0.1)
    journal.close()
    assert steps(tmp_path / "there") + steps(tmp_path / "here") == list(range(6))
    assert journal.dropped == 0


# --- two at once ---------------------------------------------------------------------------------


def test_two_recorders_in_one_folder_get_sessions_of_their_own(tmp_path: Path) -> None:
    first, second = started(tmp_path), started(tmp_path)
    for step in range(3):
        first.append(row(step), 0.0)
        second.append(row(step), 0.0)
    first.close()
    second.close()
    assert list(read_run(tmp_path).tracks["a"].session) == [0, 0, 0, 1, 1, 1]


def test_a_journal_that_a_living_recorder_holds_is_not_compacted(tmp_path: Path) -> None:
    journal = started(tmp_path)
    journal.append(row(0), 0.0)
    (wal,) = journals(tmp_path)
    module.compact(wal)
    journal.append(row(1), 0.1)
    assert journals(tmp_path) == [wal]
    assert steps(tmp_path) == [0, 1]
    journal.close()
    assert journals(tmp_path) == []


# --- parts ---------------------------------------------------------------------------------------


def test_full_files_are_compacted_behind_the_loops_back(tmp_path: Path) -> None:
    journal = started(tmp_path, rows_per_part=10)
    for step in range(95):
        journal.append(row(step), 0.0)
    journal.close()
    assert len(files(tmp_path / SIGNALS, ".parquet")) == 10
    assert journals(tmp_path) == []
    assert steps(tmp_path) == list(range(95))


class Killed(BaseException):
    """SIGKILL, as near as a test in one process comes to it."""


@pytest.mark.parametrize("survives", range(5))
def test_a_kill_between_names_and_records_leaves_no_value_without_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, some_os: Callable[..., object], survives: int
) -> None:
    journal, writing = started(tmp_path), os.write

    def killed(handle: int, data: bytes) -> int:
        nonlocal survives
        if not survives:
            raise Killed
        survives -= 1
        return writing(handle, data)

    returned = []
    with monkeypatch.context() as patch, contextlib.suppress(Killed):
        patch.setattr(module, "os", some_os(write=killed))
        for step, number in enumerate([1, journal.number("b"), journal.number("c")]):
            journal.append(row(step, number), 0.0)
            returned.append("abc"[step])
    assert set(returned) <= set(read_run(tmp_path).tracks) <= {"a", "b", "c"}


@pytest.mark.parametrize("where", ["os.fsync", "os.replace", "Path.unlink"])
def test_a_kill_during_compaction_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    journal = started(tmp_path)
    for step in range(5):
        journal.append(row(step), 0.0)
    journal._close()
    (wal,) = journals(tmp_path)

    def killed(*_: object, **__: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(f"runopsy.recorder.compaction.{where}", killed)
        with pytest.raises(Killed):
            module.compact(wal)
    assert steps(tmp_path) == list(range(5))
    module.compact(wal)
    assert steps(tmp_path) == list(range(5))
    assert journals(tmp_path) == []


def test_a_compaction_that_fails_is_tried_again_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = started(tmp_path, rows_per_part=2)
    with monkeypatch.context() as patch:
        patch.setattr(module, "compact", lambda wal: 1 / 0)
        for step in range(6):
            journal.append(row(step), 0.0)
        assert journal._worker is not None
        journal._worker.shutdown()
    assert len(journals(tmp_path)) == 3
    journal.close()
    assert journals(tmp_path) == []
    assert steps(tmp_path) == list(range(6))


def test_a_compaction_that_fails_for_good_leaves_the_journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    journal = started(tmp_path)
    journal.append(row(0), 0.0)
    monkeypatch.setattr("runopsy.recorder.compaction.os.replace", lambda *_: os.stat("/nonexistent"))
    journal.close()
    assert "FileNotFoundError" in str(journal.trouble)
    assert (steps(tmp_path), journal.dropped) == ([0], 0)
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_signal_handler_that_interrupts_an_opening_does_not_stop_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, some_os: Callable[..., object]
) -> None:
    journal, opening = started(tmp_path), os.open
    journal.claim()

    def interrupted(*how: object, **options: object) -> int:
        os.close(opening(*how, **options))  # type: ignore[arg-type]  # passed on as they are
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(module, "os", some_os(open=interrupted))
        with pytest.raises(KeyboardInterrupt):
            journal.append(row(0), 0.0)
    journal.append(row(1), 0.1)
    journal.close()
    assert steps(tmp_path) == [0, 1]
