"""Records that are put into memory instead of being written, and what becomes of them when things go wrong."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runopsy.recorder import journal as module
from runopsy.recorder import mapped
from runopsy.recorder.journal import Journal
from runopsy.recorder.mapped import AFTER, LENGTH, Mapped, mappable
from runopsy.store import JOURNAL, RECORD, files, read_run, read_wal

pytestmark = pytest.mark.skipif(os.name != "posix", reason="elsewhere nothing is mapped")
HOUR = 3600.0  # s, on the clock that append is told: later than any retry and any look at the folder


@pytest.fixture(autouse=True)
def anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the tests lie on: as if it were a file system that is known to be safe."""
    monkeypatch.setattr(module, "mappable", lambda folder: True)


def row(step: int, number: int = 1) -> bytes:
    return RECORD.pack(step, 0.0, float(step), number)


def started(folder: Path, rows: int, rows_per_part: int = 1_000_000) -> Journal:
    """A journal that has so many records."""
    journal = Journal(folder, 0, rows_per_part=rows_per_part)
    journal.number("a")
    for step in range(rows):
        journal.append(row(step), 0.0)
    return journal


def steps(folder: Path) -> list[int]:
    return [int(step) for step in read_run(folder).tracks["a"].step]


@pytest.fixture
def open_file(tmp_path: Path) -> Iterator[int]:
    handle = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT | os.O_APPEND)
    yield handle
    os.close(handle)


def test_few_records_leave_a_short_file(tmp_path: Path) -> None:
    journal = started(tmp_path, AFTER)
    assert files(tmp_path / JOURNAL, ".wal")[0].stat().st_size == AFTER * RECORD.size
    journal.close()


def test_what_was_put_can_be_read_at_once_and_the_file_ends_with_it(tmp_path: Path) -> None:
    count = 3 * LENGTH // RECORD.size
    journal = started(tmp_path, count)
    assert steps(tmp_path) == list(range(count))
    assert not any("torn" in note for note in read_run(tmp_path).notes)
    (wal,) = files(tmp_path / JOURNAL, ".wal")
    assert count * RECORD.size < wal.stat().st_size <= count * RECORD.size + LENGTH
    journal._close()
    assert wal.stat().st_size == count * RECORD.size
    journal.close()
    assert steps(tmp_path) == list(range(count))


@given(st.lists(st.integers(1, 30), min_size=1, max_size=40), st.integers(0, 200))
@settings(max_examples=30, deadline=None)
def test_calls_of_any_length_come_in_order(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], first: int
) -> None:
    folder = tmp_path_factory.mktemp("run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "mappable", lambda _: True)
        patch.setattr(mapped, "LENGTH", 4096)
        journal, step = started(folder, first, rows_per_part=170), first
        for length in lengths:
            journal.append(b"".join(map(row, range(step, step + length))), 0.0)
            step += length
    assert steps(folder) == list(range(step))
    journal.close()
    assert steps(folder) == list(range(step))
    assert journal.dropped == 0


def test_a_call_that_was_cut_in_the_middle_leaves_nothing_and_spoils_nothing(open_file: int) -> None:
    """A signal handler may raise between any two lines."""

    room = Mapped(open_file, 0, 1 << 20)
    real = room.numbers
    for cut in (0, 1):

        class Numbers:
            left = cut

            def __setitem__(self, at: int, number: int) -> None:
                if not self.left:
                    raise KeyboardInterrupt
                self.left -= 1
                real[at] = number

        room.numbers = Numbers()  # type: ignore[assignment]
        with pytest.raises(KeyboardInterrupt):
            room.put(b"".join(map(row, range(5))))
        room.numbers = real
        path = Path(f"/proc/self/fd/{open_file}")
        assert len(read_wal(path)[0]) == 2 * cut
        room.put(row(100 + 2 * cut))
        room.put(row(101 + 2 * cut))
        assert [int(s) for s in read_wal(path)[0]["step"]] == list(range(100, 102 + 2 * cut))
    room.close()


def test_a_call_that_does_not_fit_into_the_room_is_written(tmp_path: Path) -> None:
    journal = started(tmp_path, AFTER + 5)
    many = range(AFTER + 5, AFTER + 5 + 2 * LENGTH // RECORD.size)
    journal.append(b"".join(map(row, many)), 0.0)
    journal.append(row(many[-1] + 1), 0.0)
    assert steps(tmp_path) == list(range(many[-1] + 2))
    journal.close()


def test_without_room_on_the_disk_records_are_written_as_long_as_that_can_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int, data: bytes) -> int:
        return os.write(handle, data[:1000])

    class SmallDisk:
        write = staticmethod(full)
        fstat = staticmethod(os.fstat)

    monkeypatch.setattr(mapped, "os", SmallDisk)
    journal = started(tmp_path, AFTER + 20)
    assert journal.mapped is None
    assert steps(tmp_path) == list(range(AFTER + 20))
    assert files(tmp_path / JOURNAL, ".wal")[0].stat().st_size == (AFTER + 20) * RECORD.size
    journal.close()
    assert (journal.dropped, journal.trouble) == (0, None)


def test_a_deleted_folder_is_made_again_and_what_went_is_counted(tmp_path: Path) -> None:
    journal = started(tmp_path / "run", 2 * AFTER)
    shutil.rmtree(tmp_path / "run")
    journal.append(row(1000), HOUR)
    journal.close()
    assert journal.dropped == 2 * AFTER
    assert steps(tmp_path / "run") == [1000]


def test_only_file_systems_that_write_in_place_are_mapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    device = os.stat(tmp_path).st_dev
    here = f"{os.major(device)}:{os.minor(device)}"
    for kind, answer in (("ext4", True), ("xfs", True), ("btrfs", False), ("nfs4", False), ("overlay", False)):
        monkeypatch.setattr(mapped, "_mounts", lambda kind=kind: [("0:99", "ext4"), (here, kind)])
        assert mappable(tmp_path) == answer
    monkeypatch.setattr(mapped, "_mounts", list)
    assert not mappable(tmp_path)
    monkeypatch.undo()
    assert not mappable(tmp_path / "nowhere")
