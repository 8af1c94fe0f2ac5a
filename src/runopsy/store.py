"""A run folder, format version 1: what lies where, and how it becomes a Run.

::

    RUN/run.json                               who, when, with what; rewritten whole, by rename
    RUN/signals/<session>-<rank>-<part>.parquet   closed parts: signal, step, time, value, rank, session
    RUN/journal/<session>-<rank>-<part>.wal       records that are in no part yet
    RUN/journal/<session>-<rank>.names            one JSON string per line: the n-th names signal n (from 1)
    RUN/journal/<rank>.lock                       which process writes a rank's share; gone when it has closed the run
    RUN/journal/<session>-<rank>.end              how a session of another rank than the first ended
    RUN/events.jsonl                              what the script noted by run.event
    RUN/examples/<session>-<table>.parquet        one row an example of a probe batch, written when the run ends;
                                                  <table>-turns: one row each time that one became right or wrong

A journal record is 28 bytes, little endian: step i64, time f64, value f64, signal u32. Records are
only ever added, so a kill leaves whole ones and at most one torn one, which is cut off; signal 0 is
never written, so that a stretch of zeros (room for records to come, or a power cut) ends the journal
too. A part appears by rename and only then is its journal removed: where both exist, the part holds
everything. Whoever creates a names file owns its session. ``recorder.journal`` and
``recorder.compaction`` write what is read here.
"""

from __future__ import annotations

import json
import os
import struct
import time
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from runopsy.atomic import replacing
from runopsy.endings import Left, ending
from runopsy.errors import UnreadableLog
from runopsy.model import Examples, Mark, Run, Track

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    from runopsy.shares import Rows

LOCK, END = ".lock", ".end"
FORMAT = 1  # 1: the first. A reader of version n reads every version up to n
MANIFEST, SIGNALS, JOURNAL, EVENTS, EXAMPLES = "run.json", "signals", "journal", "events.jsonl", "examples"
RECORD = struct.Struct("<qddI")  # step, unix time, value, signal number


def part_name(session: int, rank: int, part: int) -> str:
    return f"{session:04d}-{rank:05d}-{part:06d}"


def session_and_rank(file: Path) -> tuple[int, int]:
    """What the name of a part or of a journal encodes.

    Raises:
        ValueError: it is no name of ours.
    """
    session, rank, _ = (int(word) for word in file.stem.split("-"))
    return session, rank


def names_path(folder: Path, session: int, rank: int) -> Path:
    return folder / JOURNAL / f"{session:04d}-{rank:05d}.names"


def lock_path(folder: Path, rank: int) -> Path:
    return folder / JOURNAL / f"{rank:05d}{LOCK}"


def end_path(folder: Path, session: int, rank: int) -> Path:
    return folder / JOURNAL / f"{session:04d}-{rank:05d}{END}"


def read_lock(path: Path) -> dict[str, Any]:
    """Who holds a lock, as ``processes.this_process`` described it; empty where there is none, or it is damaged."""
    return _object(path)


def is_run_folder(path: Path) -> bool:
    """Whether a recorder made this folder; a kill or a power cut may have left any half of it."""
    there = {file.name for file in files(path)}
    begun = bool(there) and there <= {SIGNALS, JOURNAL, f"{MANIFEST}.tmp"}  # killed before it had a manifest
    return begun or {SIGNALS, JOURNAL} <= there or isinstance(read_manifest(path).get("format"), int)


def files(room: Path, suffix: str = "") -> list[Path]:
    """What lies in a room, in order; nothing where there is no such room, or not for us."""
    try:
        return sorted(room / name for name in os.listdir(room) if name.endswith(suffix))
    except OSError:
        return []


# --- the manifest --------------------------------------------------------------------------------


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Replace run.json at once: a reader sees the old one or the new one, also after a power cut.

    Raises:
        OSError: the file system refuses it.
    """
    with replacing(folder / MANIFEST, sync=True) as draft:
        draft.write_bytes((json.dumps(manifest, indent=1, default=str) + "\n").encode())


def read_manifest(folder: Path) -> dict[str, Any]:
    """What run.json holds; empty where there is none (killed before it was written) or it is damaged."""
    return _object(folder / MANIFEST)


def _object(path: Path) -> dict[str, Any]:
    """The JSON object in a small file; empty where there is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


# --- the journal ---------------------------------------------------------------------------------


def read_wal(path: Path, begin: int = 0) -> tuple[NDArray[Any], int]:
    """The whole records of one journal file, and how many bytes after them are none, but for zeros to the end.

    Args:
        path: of the file.
        begin: bytes of whole records that are left out.

    Raises:
        OSError: the file system refuses it.
    """
    import numpy as np

    kind = np.dtype([("step", "<i8"), ("time", "<f8"), ("value", "<f8"), ("signal", "<u4")])  # as RECORD
    with path.open("rb") as file:
        file.seek(begin)
        data = file.read()
    records = np.frombuffer(data[: len(data) - len(data) % kind.itemsize], dtype=kind)
    empty = np.flatnonzero(records["signal"] == 0)
    whole = records[: empty[0]] if len(empty) else records
    rest = data[whole.nbytes :]
    return whole, len(rest) if rest.strip(b"\0") else 0


def read_names(path: Path) -> Callable[[int], str]:
    """From a signal's number to its name, for one session and rank; a torn last line is no name."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]
    except OSError:
        lines = []

    def name(number: int) -> str:
        try:
            content = json.loads(lines[number - 1])
        except (IndexError, ValueError, RecursionError):
            content = None
        return content if isinstance(content, str) else f"unnamed/{number}"

    return name


# --- reading a run -------------------------------------------------------------------------------


class Piece(NamedTuple):
    """One signal's rows of one file."""

    name: str
    session: int
    rank: int
    step: NDArray[Any]
    time: NDArray[Any]
    value: NDArray[Any]


class Memory:
    """The closed parts of a run that have been read: none is ever written again, so a later look reads new ones."""

    def __init__(self) -> None:
        self._run: object = None  # when it started: a run that replaces another has parts of the same names
        self._parts: dict[str, list[Piece]] = {}

    def of(self, manifest: Mapping[str, Any]) -> dict[str, list[Piece]]:
        """What was read of the run of a manifest, by the stem of its file."""
        if manifest.get("started") != self._run:
            self._run, self._parts = manifest.get("started"), {}
        return self._parts


def read_run(folder: Path, memory: Memory | None = None) -> Run:
    """The run in a folder, finished or not, also while it is being written; with ``memory``, no part is read twice.

    Raises:
        UnreadableLog: it is no run folder, or one of a later format version.
    """
    if not is_run_folder(folder):
        raise UnreadableLog(f"{folder} is no run folder", hint="give a folder that runopsy.record has made")
    manifest = read_manifest(folder)
    version = manifest.get("format", FORMAT)
    if not isinstance(version, int) or version > FORMAT:
        known = f"this runopsy reads up to {FORMAT}"
        raise UnreadableLog(f"{folder} has format version {version}; {known}", hint="update runopsy")
    notes = _manifest_notes(manifest)
    pieces = _pieces(folder, notes, (memory or Memory()).of(manifest))
    end = ending(_left(folder, manifest, pieces), time.time())
    notes.extend(end.notes)
    examples = _examples(folder, notes)
    config, taken, sizes, model = (_mapping(manifest.get(key)) for key in ("config", "signals", "sizes", "model"))
    return Run(
        path=str(folder),
        id=str(manifest.get("id") or folder.name),
        axis=str(manifest.get("axis") or "step"),  # an imported run may count something else
        tracks=tracks_of(pieces, manifest.get("world"), notes),
        marks=(*read_marks(folder / EVENTS, notes), *(Mark(*mark) for mark in end.marks)),
        config=config,
        status=end.status,
        notes=tuple(notes),
        taken={name: how for name, how in taken.items() if isinstance(how, dict)},
        missing={name: why for name, why in _mapping(manifest.get("not_recorded")).items() if isinstance(why, str)},
        sizes={name: size for name, size in sizes.items() if isinstance(size, int)},
        examples=examples,
        parameters=_count(model, "parameters"),
        trainable=_count(model, "trainable"),
    )


def _examples(folder: Path, notes: list[str]) -> Mapping[str, Examples]:
    """The examples that were watched one by one; nothing is loaded where there are none."""
    tables = files(folder / EXAMPLES, ".parquet")
    if not tables:
        return {}
    from runopsy.examples.tables import read_examples

    return read_examples(tables, notes)


def _count(counted: Mapping[str, object], name: str) -> int | None:
    value = counted.get(name)
    return value if isinstance(value, int) else None


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _left(folder: Path, manifest: Mapping[str, Any], pieces: Iterable[Piece]) -> Left:
    """What shows how the run ended."""
    locks = {int(file.stem): _object(file) for file in files(folder / JOURNAL, LOCK) if file.stem.isdigit()}
    ends = {}
    for file in files(folder / JOURNAL, END):
        session, _, rank = file.stem.partition("-")
        if session.isdigit() and rank.isdigit():
            ends[int(session), int(rank)] = _object(file)
    wrote = frozenset((piece.session, piece.rank) for piece in pieces)
    times = [float(piece.time.max()) for piece in pieces if len(piece.time)]
    return Left(manifest, locks, ends, wrote, max(times, default=float("nan")))


def _manifest_notes(manifest: Mapping[str, Any]) -> list[str]:
    notes = [note for note in manifest.get("notes") or () if isinstance(note, str)]
    if not manifest:
        notes.append(f"{MANIFEST} is missing or damaged: status and config are not known")
    if manifest.get("dropped"):
        notes.append(f"the recorder lost {manifest['dropped']} values ({manifest.get('trouble')})")
    if manifest.get("refused"):
        notes.append(f"{manifest['refused']} values were no numbers and were not recorded")
    if manifest.get("fractional"):
        notes.append(
            f"{manifest['fractional']} values were logged at steps that are no whole numbers, and were refused"
        )
    return notes


def _pieces(folder: Path, notes: list[str], known: dict[str, list[Piece]]) -> list[Piece]:
    """Everything in the folder, each file once, in the order of sessions and parts.

    The journals are read before the parts, and a part is preferred: what a live recorder compacts
    meanwhile is then read twice at most, and never missed.
    """
    journals = _journals(folder, notes)
    parts = _parts(folder, notes, known)
    notes.extend(note for stem, (_, note) in journals.items() if note and stem not in parts)
    found = {stem: pieces for stem, (pieces, _) in journals.items()} | parts
    return [piece for stem in sorted(found) for piece in found[stem]]


def _journals(folder: Path, notes: list[str]) -> dict[str, tuple[list[Piece], str]]:
    """Per file its pieces, and what was left out of it."""
    found = {}
    for path in files(folder / JOURNAL, ".wal"):
        try:
            session, rank = session_and_rank(path)
            records, torn = read_wal(path)
        except FileNotFoundError:
            continue  # compacted since the folder was listed: its part is read next
        except (OSError, ValueError) as cause:
            notes.append(f"{JOURNAL}/{path.name} cannot be read and was skipped ({type(cause).__name__})")
            continue
        name = read_names(names_path(folder, session, rank))
        note = f"{JOURNAL}/{path.name}: a torn tail of {torn} bytes was left out" if torn else ""
        found[path.stem] = (list(split_journal(records, session, rank, name)), note)
    return found


def split_journal(records: NDArray[Any], session: int, rank: int, name: Callable[[int], str]) -> Iterable[Piece]:
    """The records of a journal by signal; ``name`` gives that of a number."""
    import numpy as np

    for number in np.unique(records["signal"]):
        mine = records[records["signal"] == number]
        yield Piece(name(int(number)), session, rank, mine["step"], mine["time"], mine["value"])


def _parts(folder: Path, notes: list[str], known: dict[str, list[Piece]]) -> dict[str, list[Piece]]:
    import pyarrow.parquet as pq

    found: dict[str, list[Piece]] = {}
    for path in files(folder / SIGNALS, ".parquet"):
        if path.stem in known:
            found[path.stem] = known[path.stem]
            continue
        try:
            with pq.ParquetFile(path, read_dictionary=["signal"], page_checksum_verification=True) as file:
                found[path.stem] = list(_split_part(file.read()))
        except Exception as cause:  # damage shows in any way; one file must not hide the others
            notes.append(f"{SIGNALS}/{path.name} cannot be read and was skipped ({type(cause).__name__})")
        else:
            known[path.stem] = found[path.stem]
    return found


def _split_part(table: pa.Table) -> Iterable[Piece]:
    import numpy as np

    table = table.combine_chunks()
    if not table.num_rows:
        return
    signal = table["signal"].chunk(0)
    codes, names = signal.indices.to_numpy(), signal.dictionary.to_pylist()
    columns = ("step", "time", "value", "session", "rank")
    step, time, value, session, rank = (table[name].to_numpy() for name in columns)
    change = (codes[1:] != codes[:-1]) | (session[1:] != session[:-1]) | (rank[1:] != rank[:-1])
    bounds = np.concatenate([[0], np.flatnonzero(change) + 1, [len(codes)]])
    for a, b in pairwise(bounds):
        yield Piece(names[codes[a]], int(session[a]), int(rank[a]), step[a:b], time[a:b], value[a:b])


def tracks_of(pieces: Iterable[Piece], world: object, notes: list[str]) -> dict[str, Track]:
    """Each signal's rows in order, the shares of several processes put together; ``notes`` are added to."""
    from runopsy.shares import joined, whole_name

    by_name: dict[str, list[Piece]] = {}
    for piece in pieces:
        by_name.setdefault(piece.name, []).append(piece)
    tracks = {}
    for name, mine in by_name.items():
        rows, note = joined(name, _rows(mine), world if isinstance(world, int) else 1)
        notes.extend([note] if note else [])
        tracks[whole_name(name)] = _track(whole_name(name), rows)
    return tracks


def _rows(pieces: list[Piece]) -> Rows:
    import numpy as np

    from runopsy.shares import Rows

    return Rows(
        session=np.concatenate([np.full(len(p.step), p.session) for p in pieces]),
        step=np.concatenate([p.step for p in pieces]),
        rank=np.concatenate([np.full(len(p.step), p.rank) for p in pieces]),
        time=np.concatenate([p.time for p in pieces]),
        value=np.concatenate([p.value for p in pieces]),
    )


def _track(name: str, rows: Rows) -> Track:
    """Rows in the order of sessions, and in each of its steps; equal steps as they were logged.

    So a run reads the same whether or not it has been compacted, and wherever one part ends.
    """
    import numpy as np

    order = np.lexsort((rows.step, rows.session))
    time = rows.time[order].astype(np.float64)
    return Track(
        name,
        step=rows.step[order].astype(np.float64),
        value=rows.value[order].astype(np.float64),
        time=None if len(time) and np.isnan(time).all() else time,  # an imported log may give no times
        session=rows.session[order],
    )


def read_marks(path: Path, notes: list[str]) -> tuple[Mark, ...]:
    """What ``run.event`` wrote; a line that a kill has torn is left out, with a note."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return ()
    marks = []
    for line in filter(None, lines):
        try:
            event = json.loads(line)
            marks.append(Mark(float(event.pop("step")), str(event.pop("kind")), event))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            notes.append(f"{EVENTS}: one line that is not an event was left out")
    return tuple(marks)
