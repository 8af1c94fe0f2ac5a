"""A run folder, format version 1: what lies where, and how it becomes a Run.

::

    RUN/run.json                               who, when, with what; rewritten whole, by rename
    RUN/signals/<session>-<rank>-<part>.parquet   closed parts: signal, step, time, value, rank, session
    RUN/journal/<session>-<rank>-<part>.wal       records that are in no part yet
    RUN/journal/<session>-<rank>.names            one JSON string per line: the n-th names signal n (from 1)
    RUN/events.jsonl                              what the script said about itself

A journal record is 28 bytes, little endian: step i64, time f64, value f64, signal u32. The file only
ever grows, so a kill leaves whole records and at most one torn one, which is cut off; signal 0 is
never written, so that a stretch of zeros (a power cut) ends the journal too. A part appears by rename
and only then is its journal removed: where both exist, the part holds everything.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from runopsy.errors import UnreadableLog
from runopsy.model import Mark, Run, Track

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

FORMAT = 1  # 1: the first. A reader of version n reads every version up to n
MANIFEST, SIGNALS, JOURNAL, EVENTS = "run.json", "signals", "journal", "events.jsonl"
RECORD = struct.Struct("<qddI")  # step, unix time, value, signal number
TICK = 1 / 1024  # s; times are rounded to it: a dyadic tick leaves zero bits that compress away


def record_type() -> np.dtype[Any]:
    """``RECORD`` as numpy sees it."""
    import numpy as np  # a training loop that only records does not need it before the first part

    return np.dtype([("step", "<i8"), ("time", "<f8"), ("value", "<f8"), ("signal", "<u4")])


def part_name(session: int, rank: int, part: int) -> str:
    return f"{session:04d}-{rank:05d}-{part:06d}"


def names_path(folder: Path, session: int, rank: int) -> Path:
    return folder / JOURNAL / f"{session:04d}-{rank:05d}.names"


def is_run_folder(path: Path) -> bool:
    return path.is_dir() and ((path / MANIFEST).is_file() or (path / SIGNALS).is_dir() and (path / JOURNAL).is_dir())


# --- writing -------------------------------------------------------------------------------------


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Replace run.json at once: a reader sees the old one or the new one.

    Raises:
        OSError: as the file system says.
    """
    temporary = folder / f"{MANIFEST}.tmp"
    try:
        temporary.write_text(json.dumps(manifest, indent=1, default=str) + "\n", encoding="utf-8")
        os.replace(temporary, folder / MANIFEST)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def read_manifest(folder: Path) -> dict[str, Any]:
    """What run.json says; empty where there is none (killed before it was written) or it is damaged."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return manifest if isinstance(manifest, dict) else {}


def compact(wal: Path) -> Path:
    """Turn one journal file into a part, sorted by signal and step; the journal is removed last.

    Every step of it may be interrupted: before the rename the journal is still whole, after it the
    part counts. Both files are synced, so that the rename never names data that is not there yet.

    Raises:
        OSError: as the file system says; the journal then stays.
    """
    session, rank, _ = (int(word) for word in wal.stem.split("-"))
    folder = wal.parent.parent
    part = folder / SIGNALS / f"{wal.stem}.parquet"
    if not part.exists():
        records = read_wal(wal)
        temporary = part.with_suffix(".tmp")
        try:
            _write_part(temporary, records, read_names(names_path(folder, session, rank)), session, rank)
            _sync(temporary)
            os.replace(temporary, part)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
    wal.unlink(missing_ok=True)
    return part


def _write_part(path: Path, records: NDArray[Any], names: list[str], session: int, rank: int) -> None:
    import numpy as np
    import pyarrow.parquet as pq

    order = np.lexsort((records["step"], records["signal"]))  # stable: equal steps keep their order
    rows = records[order]
    table = _table(rows["signal"] - 1, rows["step"], rows["time"], rows["value"], names, session, rank)
    pq.write_table(
        table,
        path,
        compression="zstd",
        # of the layouts measured, the smallest that still reads one signal fast
        use_dictionary=["signal", "rank", "session"],
        column_encoding={"step": "DELTA_BINARY_PACKED", "time": "BYTE_STREAM_SPLIT", "value": "BYTE_STREAM_SPLIT"},
    )


def _table(
    codes: NDArray[Any],
    step: NDArray[Any],
    time: NDArray[Any],
    value: NDArray[Any],
    names: list[str],
    session: int,
    rank: int,
) -> pa.Table:
    import numpy as np
    import pyarrow as pa

    n = len(step)

    def column(array: NDArray[Any], kind: pa.DataType) -> pa.Array:
        # from_buffers, because pa.array() imports pandas where it is installed: a second of the training
        return pa.Array.from_buffers(kind, n, [None, pa.py_buffer(np.ascontiguousarray(array))])

    dictionary = pa.DictionaryArray.from_arrays(
        column(codes.astype("<i4"), pa.int32()), pa.array(names or [""], pa.string())
    )
    return pa.table(
        {
            "signal": dictionary,
            "step": column(step.astype("<i8"), pa.int64()),
            "time": column(np.round(time / TICK) * TICK, pa.float64()),
            "value": column(value.astype("<f8"), pa.float64()),
            "rank": column(np.full(n, rank, "<i4"), pa.int32()),
            "session": column(np.full(n, session, "<i4"), pa.int32()),
        }
    )


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# --- reading -------------------------------------------------------------------------------------


def read_wal(path: Path) -> NDArray[Any]:
    """The whole records of one journal file; a torn tail and anything after a zero signal is left out."""
    import numpy as np

    kind = record_type()
    data = path.read_bytes()
    records = np.frombuffer(data[: len(data) - len(data) % kind.itemsize], dtype=kind)
    empty = np.flatnonzero(records["signal"] == 0)
    return records[: empty[0]] if len(empty) else records


def read_names(path: Path) -> list[str]:
    """The signal names of one session and rank, in the order of their numbers; a torn last line is no name."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]
    except FileNotFoundError:
        return []
    names = []
    for line in lines:
        try:
            names.append(str(json.loads(line)))
        except ValueError:
            names.append(f"unnamed/{len(names) + 1}")
    return names


def read_run(folder: Path) -> Run:
    """The run in a folder, finished or not.

    Raises:
        UnreadableLog: a later format version, or nothing in it can be read.
    """
    manifest = read_manifest(folder)
    version = manifest.get("format", FORMAT)
    if not isinstance(version, int) or version > FORMAT:
        raise UnreadableLog(
            f"{folder} has format version {version}; this runopsy reads up to {FORMAT}",
            hint="update runopsy",
        )
    notes: list[str] = []
    pieces = [*_parts(folder, notes), *_journals(folder, notes)]
    status = manifest.get("status")
    if status == "running":
        notes.append("the recorder was not closed: the run was killed, or is still going on")
    if manifest.get("dropped"):
        notes.append(f"the recorder lost {manifest['dropped']} values ({manifest.get('trouble')})")
    return Run(
        path=str(folder),
        id=str(manifest.get("id", folder.name)),
        axis="step",
        tracks=_tracks(pieces),
        marks=read_marks(folder / EVENTS, notes),
        config=manifest.get("config") or {},
        status=status,
        notes=tuple(notes),
    )


class Piece(NamedTuple):
    """One signal's rows of one file."""

    name: str
    session: int
    step: NDArray[Any]
    time: NDArray[Any]
    value: NDArray[Any]


def _parts(folder: Path, notes: list[str]) -> list[Piece]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pieces: list[Piece] = []
    for path in sorted((folder / SIGNALS).glob("*.parquet")):
        try:
            table = pq.read_table(path, memory_map=True, read_dictionary=["signal"])
        except (pa.ArrowException, OSError) as cause:
            notes.append(f"{SIGNALS}/{path.name} cannot be read and was skipped ({type(cause).__name__})")
            continue
        if {"signal", "step", "value"} - set(table.column_names):
            notes.append(f"{SIGNALS}/{path.name} lacks a column of signal, step, value and was skipped")
            continue
        pieces.extend(_split_part(table))
    return pieces


def _split_part(table: pa.Table) -> Iterable[Piece]:
    import numpy as np

    table = table.combine_chunks()
    signal = table["signal"].chunk(0) if table.num_rows else None
    if signal is None:
        return
    codes = signal.indices.to_numpy(zero_copy_only=False)
    names = signal.dictionary.to_pylist()
    step, value = table["step"].to_numpy(), table["value"].to_numpy()
    has = set(table.column_names)
    time = table["time"].to_numpy() if "time" in has else np.full(len(step), np.nan)
    session = table["session"].to_numpy() if "session" in has else np.zeros(len(step), int)
    change = (codes[1:] != codes[:-1]) | (session[1:] != session[:-1])
    bounds = np.concatenate([[0], np.flatnonzero(change) + 1, [len(codes)]])
    for a, b in zip(bounds[:-1], bounds[1:], strict=True):
        yield Piece(names[codes[a]], int(session[a]), step[a:b], time[a:b], value[a:b])


def _journals(folder: Path, notes: list[str]) -> list[Piece]:
    import numpy as np

    pieces: list[Piece] = []
    for path in sorted((folder / JOURNAL).glob("*.wal")):
        if (folder / SIGNALS / f"{path.stem}.parquet").exists():
            continue  # killed between the rename and the removal: the part holds all of it
        session, rank, _ = (int(word) for word in path.stem.split("-"))
        records, names = read_wal(path), read_names(names_path(folder, session, rank))
        torn = path.stat().st_size - records.nbytes
        if torn:
            notes.append(f"{JOURNAL}/{path.name}: a torn tail of {torn} bytes was left out")
        for number in np.unique(records["signal"]):
            mine = records[records["signal"] == number]
            name = names[number - 1] if number <= len(names) else f"unnamed/{number}"
            pieces.append(Piece(name, session, mine["step"], mine["time"], mine["value"]))
    return pieces


def _tracks(pieces: list[Piece]) -> dict[str, Track]:
    """Pieces of one name joined, session by session, each session in the order of its steps."""
    import numpy as np

    by_name: dict[str, list[Piece]] = {}
    for piece in sorted(pieces, key=lambda p: p.session):  # stable: parts of a session keep their order
        by_name.setdefault(piece.name, []).append(piece)
    return {
        name: Track(
            name,
            step=np.concatenate([p.step for p in mine]).astype(np.float64),
            value=np.concatenate([p.value for p in mine]).astype(np.float64),
            time=np.concatenate([p.time for p in mine]).astype(np.float64),
            session=np.concatenate([np.full(len(p.step), p.session) for p in mine]),
        )
        for name, mine in by_name.items()
    }


def read_marks(path: Path, notes: list[str]) -> tuple[Mark, ...]:
    """What ``run.event`` wrote; a torn line is skipped with a note."""
    if not path.is_file():
        return ()
    marks = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            said = json.loads(line)
            marks.append(Mark(float(said.pop("step")), str(said.pop("kind")), said))
        except (ValueError, KeyError, TypeError, AttributeError):
            notes.append(f"{EVENTS}: one line that is not an event was left out")
    return tuple(marks)
