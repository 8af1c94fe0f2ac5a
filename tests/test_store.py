"""The run folder: what is written is what is read."""

from __future__ import annotations

import json
import re
import struct
from collections import defaultdict
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runopsy.errors import UnreadableLog
from runopsy.model import Run
from runopsy.recorder.compaction import compact, journals
from runopsy.recorder.journal import Journal
from runopsy.store import JOURNAL, MANIFEST, RECORD, SIGNALS, files, is_run_folder, read_run, write_manifest

INT64 = st.integers(-(2**63), 2**63 - 1)
BITS = st.integers(0, 2**64 - 1).map(lambda bits: struct.unpack("<d", struct.pack("<Q", bits))[0])  # every float64
NAMES = st.one_of(
    st.sampled_from(["a/b", "a\nb", '"', "'", "\\", "", "ä/🙂", "\u2028", "\x00", "a\tb", "unnamed/1", "run.json"]),
    st.text(st.characters(codec="utf-8"), max_size=8),
)
ROWS = st.lists(st.tuples(INT64, BITS, NAMES, st.floats(0, 2**31)), max_size=40)
Row = tuple[int, float, str, float]


def write(folder: Path, rows: list[Row], session: int = 0, rows_per_part: int = 1_000_000) -> Journal:
    """Append rows without the journal ever being closed, as after a kill."""
    journal = Journal(folder, session, rows_per_part=rows_per_part)
    journal.claim()
    numbers: dict[str, int] = {}
    for step, value, name, time in rows:
        number = numbers.get(name) or numbers.setdefault(name, journal.number(name))
        journal.append(RECORD.pack(step, time, value, number), 0.0)
    journal._close()
    journal._drop_names_file()
    return journal


def compact_all(folder: Path) -> None:
    for wal in journals(folder):
        compact(wal)


def bits(values: object) -> list[bytes]:
    return [struct.pack("<d", value) for value in np.asarray(values)]


def assert_holds(run: Run, rows: list[Row], tolerance: float) -> None:
    """Each signal in the order of its steps, equal steps as they were written; values bit for bit."""
    expected: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        expected[row[2]].append(row)
    assert set(run.tracks) == set(expected)
    for name, mine in expected.items():
        mine.sort(key=lambda row: row[0])
        track = run.tracks[name]
        assert list(track.step) == [float(row[0]) for row in mine]
        assert bits(track.value) == bits([row[1] for row in mine])
        assert track.time is not None
        np.testing.assert_allclose(track.time, [row[3] for row in mine], rtol=0, atol=tolerance)


@given(ROWS)
@settings(max_examples=60, deadline=None)
def test_what_was_appended_is_read_back_before_and_after_compaction(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Row]
) -> None:
    folder = tmp_path_factory.mktemp("run")
    write(folder, rows)
    assert_holds(read_run(folder), rows, tolerance=0)
    compact_all(folder)
    assert journals(folder) == []
    assert_holds(read_run(folder), rows, tolerance=1 / 1024)


def test_where_one_part_ends_and_the_next_begins_cannot_be_seen(tmp_path: Path) -> None:
    rows = [(step, step / 7, name, 0.0) for step in (0, 1, 2, 9, 4, 4, 5, 3) for name in "ab"]
    for rows_per_part in (1, 3, 100):
        folder = tmp_path / str(rows_per_part)
        write(folder, rows, rows_per_part=rows_per_part).close()
        assert_holds(read_run(folder), rows, tolerance=0)
    assert len(files(tmp_path / "3" / SIGNALS, ".parquet")) == 6


def test_a_step_beyond_2_to_the_53_is_sorted_before_it_is_rounded(tmp_path: Path) -> None:
    write(tmp_path, [(2**53 + 1, 1.0, "a", 0.0), (2**53, 0.0, "a", 0.0)])
    assert list(read_run(tmp_path).tracks["a"].value) == [0.0, 1.0]


@pytest.mark.parametrize("name", ["journal", "parquet"])
def test_a_name_that_is_no_valid_text_reads_the_same_from_either_file(tmp_path: Path, name: str) -> None:
    write(tmp_path, [(0, 1.0, "loss/\udcff", 0.0)])
    if name == "parquet":
        compact_all(tmp_path)
    assert set(read_run(tmp_path).tracks) == {"loss/\\udcff"}


# --- damage --------------------------------------------------------------------------------------


def test_a_journal_torn_at_any_byte_of_its_last_two_records_loses_only_those(tmp_path: Path) -> None:
    write(tmp_path, [(step, step + 0.5, "a", 0.0) for step in range(5)])
    (wal,) = journals(tmp_path)
    whole = wal.read_bytes()
    for cut in range(len(whole) - 2 * RECORD.size, len(whole) + 1):
        wal.write_bytes(whole[:cut])
        run = read_run(tmp_path)
        assert list(run.tracks["a"].value) == [step + 0.5 for step in range(cut // RECORD.size)]
        torn = cut % RECORD.size
        assert any(f"torn tail of {torn} bytes" in note for note in run.notes) == bool(torn)


def test_names_torn_at_any_byte_leave_every_value_readable(tmp_path: Path) -> None:
    write(tmp_path, [(0, 1.0, "first", 0.0), (0, 2.0, 'se"co\nnd', 0.0), (0, 3.0, "dritte/ü", 0.0)])
    (names,) = (file for file in files(tmp_path / JOURNAL) if file.suffix == ".names")
    whole = names.read_bytes()
    ends = [at + 1 for at, byte in enumerate(whole) if byte == ord("\n")]
    for cut in range(len(whole) + 1):
        names.write_bytes(whole[:cut])
        known = sum(end <= cut for end in ends)
        expected = ["first", 'se"co\nnd', "dritte/ü"][:known] + [f"unnamed/{n}" for n in range(known + 1, 4)]
        tracks = read_run(tmp_path).tracks
        assert {name: list(track.value) for name, track in tracks.items()} == dict(
            zip(expected, [[1], [2], [3]], strict=True)
        )


def test_a_journal_with_torn_names_is_compacted_all_the_same(tmp_path: Path) -> None:
    write(tmp_path, [(0, 1.0, "first", 0.0), (0, 2.0, "second", 0.0)])
    (tmp_path / JOURNAL / "0000-00000.names").write_text('"first"\n"sec')
    compact_all(tmp_path)
    assert set(read_run(tmp_path).tracks) == {"first", "unnamed/2"}


@pytest.mark.parametrize(("after", "left_out"), [(b"", False), (b"\1", True)])
def test_a_stretch_of_zeros_ends_the_journal(tmp_path: Path, after: bytes, left_out: bool) -> None:
    """Zeros to the end are room for records that never came; anything after them was one."""
    write(tmp_path, [(step, 1.0, "a", 0.0) for step in range(3)])
    (wal,) = journals(tmp_path)
    wal.write_bytes(wal.read_bytes() + bytes(4096) + after)
    run = read_run(tmp_path)
    assert len(run.tracks["a"]) == 3
    assert any("4097 bytes" in note for note in run.notes) == left_out


def test_a_record_with_a_number_from_nowhere_costs_no_memory(tmp_path: Path) -> None:
    write(tmp_path, [(0, 1.0, "a", 0.0)])
    (wal,) = journals(tmp_path)
    wal.write_bytes(wal.read_bytes() + RECORD.pack(1, 0.0, 2.0, 2**32 - 1))
    compact_all(tmp_path)
    assert set(read_run(tmp_path).tracks) == {"a", f"unnamed/{2**32 - 1}"}


def damaged_copies(whole: bytes) -> dict[str, bytes]:
    middle = len(whole) // 2
    flipped = bytearray(whole)
    flipped[middle] ^= 0x10
    return {"empty": b"", "cut": whole[:middle], "flipped": bytes(flipped), "text": b"no parquet", "zeros": bytes(900)}


@pytest.mark.parametrize("damage", ["empty", "cut", "flipped", "text", "zeros"])
def test_a_damaged_part_is_skipped_with_a_note(tmp_path: Path, damage: str) -> None:
    rng = np.random.default_rng(0)
    rows = [(step, float(rng.normal()), "a", 0.0) for step in range(400)]
    write(tmp_path, rows, rows_per_part=200).close()
    broken, intact = files(tmp_path / SIGNALS)
    broken.write_bytes(damaged_copies(broken.read_bytes())[damage])
    run = read_run(tmp_path)
    assert [bits(run.tracks["a"].value), len(files(tmp_path / SIGNALS))] == [bits([r[1] for r in rows[200:]]), 2]
    assert [note for note in run.notes if broken.name in note and "skipped" in note]
    assert not any(intact.name in note for note in run.notes)


def test_a_bit_flipped_anywhere_in_a_part_is_never_read_as_another_value(tmp_path: Path) -> None:
    rows = [(step, 1 / (step + 1), "a", 0.0) for step in range(60)]
    write(tmp_path, rows)
    compact_all(tmp_path)
    (part,) = files(tmp_path / SIGNALS)
    whole = part.read_bytes()
    (footer,) = struct.unpack("<I", whole[-8:-4])
    for at in range(4, len(whole) - 8 - footer):  # the pages; the footer holds no values
        flipped = bytearray(whole)
        flipped[at] ^= 1 << at % 8
        part.write_bytes(flipped)
        for track in read_run(tmp_path).tracks.values():
            assert bits(track.value) == bits([row[1] for row in rows])


def test_a_parquet_file_of_another_kind_is_skipped_with_a_note(tmp_path: Path) -> None:
    import pyarrow as pa

    write(tmp_path, [(0, 1.0, "a", 0.0)])
    pq.write_table(pa.table({"loss": [1.0]}), tmp_path / SIGNALS / "other.parquet")
    run = read_run(tmp_path)
    assert set(run.tracks) == {"a"}
    assert any("other.parquet" in note for note in run.notes)


def test_files_with_foreign_names_are_skipped_with_a_note(tmp_path: Path) -> None:
    write(tmp_path, [(0, 1.0, "a", 0.0)])
    (tmp_path / JOURNAL / "backup.wal").write_bytes(b"x")
    run = read_run(tmp_path)
    assert set(run.tracks) == {"a"}
    assert any("backup.wal" in note for note in run.notes)


# --- while it is being written -------------------------------------------------------------------


def test_a_part_that_cannot_be_read_does_not_hide_the_journal_it_was_made_from(tmp_path: Path) -> None:
    write(tmp_path, [(0, 1.0, "a", 0.0)])
    (wal,) = journals(tmp_path)
    (tmp_path / SIGNALS / f"{wal.stem}.parquet").write_bytes(b"PAR1")
    assert list(read_run(tmp_path).tracks["a"].value) == [1.0]


def test_a_part_beside_its_journal_is_read_once(tmp_path: Path) -> None:
    write(tmp_path, [(0, 1.0, "a", 0.0)])
    (wal,) = journals(tmp_path)
    kept = wal.read_bytes()
    compact(wal)
    wal.write_bytes(kept)  # killed between the rename and the removal
    assert list(read_run(tmp_path).tracks["a"].value) == [1.0]


def test_a_file_compacted_in_the_middle_of_a_reading_is_not_missed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, [(step, float(step), "a", 0.0) for step in range(6)], rows_per_part=2)
    from runopsy import store

    reading = store._parts

    def compacted_meanwhile(folder: Path, notes: list[str], memory: store.Memory) -> object:
        compact_all(folder)
        return reading(folder, notes, memory)

    monkeypatch.setattr(store, "_parts", compacted_meanwhile)
    run = read_run(tmp_path)
    assert list(run.tracks["a"].value) == [0, 1, 2, 3, 4, 5]
    assert not any("cannot be read" in note for note in run.notes)


def test_a_journal_that_goes_while_it_is_read_is_found_as_a_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, [(0, 1.0, "a", 0.0)])
    from runopsy import store

    reading = store.read_wal

    def gone(path: Path) -> object:
        compact(path)
        return reading(path)

    monkeypatch.setattr(store, "read_wal", gone)
    assert list(read_run(tmp_path).tracks["a"].value) == [1.0]


# --- the manifest --------------------------------------------------------------------------------


def test_a_folder_without_a_manifest_is_readable(tmp_path: Path) -> None:
    write(tmp_path, [(0, 1.0, "a", 0.0)])
    run = read_run(tmp_path)
    assert (run.id, run.status, run.config, list(run.tracks)) == (tmp_path.name, None, {}, ["a"])
    assert any(MANIFEST in note for note in run.notes)


@pytest.mark.parametrize(
    "text", ["", "{", "[1]", "null", '{"format": 1, "config": 7, "id": null, "sessions": 3}', "[" * 9999]
)
def test_a_damaged_manifest_is_no_obstacle(tmp_path: Path, text: str) -> None:
    write(tmp_path, [(0, 1.0, "a", 0.0)])
    (tmp_path / MANIFEST).write_text(text)
    run = read_run(tmp_path)
    assert (run.id, run.config, list(run.tracks)) == (tmp_path.name, {}, ["a"])


@pytest.mark.parametrize("version", [2, 99, "1", None, 1.0])
def test_a_later_format_is_refused_by_name(tmp_path: Path, version: object) -> None:
    write(tmp_path, [(0, 1.0, "a", 0.0)])
    write_manifest(tmp_path, {"format": version})
    with pytest.raises(UnreadableLog, match=f"version {version}"):
        read_run(tmp_path)


def test_a_folder_that_is_no_run_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text(json.dumps({"name": "somebody else's"}))
    assert not is_run_folder(tmp_path)
    with pytest.raises(UnreadableLog, match=re.escape(str(tmp_path))):
        read_run(tmp_path)


def test_a_manifest_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_manifest(tmp_path, {"format": 1, "id": "old"})
    before = (tmp_path / MANIFEST).read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("runopsy.store.os.replace", full)
    with pytest.raises(OSError, match="No space"):
        write_manifest(tmp_path, {"format": 1, "id": "new"})
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [before]


def test_what_was_lost_and_refused_is_among_the_notes(tmp_path: Path) -> None:
    write_manifest(tmp_path, {"format": 1, "status": "running", "dropped": 3, "refused": 2, "trouble": "disk full"})
    notes = " ".join(read_run(tmp_path).notes)
    assert "lost 3 values (disk full)" in notes
    assert "2 values were no numbers" in notes
    assert "not closed" in notes


# --- events --------------------------------------------------------------------------------------


def test_a_torn_event_is_left_out_with_a_note(tmp_path: Path) -> None:
    write_manifest(tmp_path, {"format": 1})
    good = json.dumps({"step": 3, "kind": "resize", "to": 64})
    (tmp_path / "events.jsonl").write_text(f'{good}\n[]\n{{"step": "x", "kind": 1}}\n{good}\n{{"step": 4, "ki')
    run = read_run(tmp_path)
    assert [(mark.step, mark.kind, mark.detail) for mark in run.marks] == [(3.0, "resize", {"to": 64})] * 2
    assert len([note for note in run.notes if "events.jsonl" in note]) == 3


def test_one_line_of_polars_reads_the_parts(tmp_path: Path) -> None:
    import polars as pl

    write(tmp_path, [(5, 0.25, "val/loss", 8.0)])
    compact_all(tmp_path)
    frame = pl.read_parquet(tmp_path / SIGNALS / "*.parquet")
    assert frame.with_columns(pl.col("signal").cast(pl.String)).to_dicts() == [
        {"signal": "val/loss", "step": 5, "time": 8.0, "value": 0.25, "rank": 0, "session": 0}
    ]
