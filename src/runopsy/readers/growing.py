"""A log that still grows, read as far as it has grown: what was read stays read.

Tables of numbers and JSON lines are parsed once: a look costs what is new, and putting the columns together. Run
folders keep the parts that are closed and read the open journal. Of these, and of any other text of lines, ``fresh``
gives the rows that came since, read alone at the cost of what is new. Of everything else (text, TensorBoard, W&B,
MLflow, trackio and other databases, documents) ``is_incremental`` is False: it is read again whenever it is looked at,
and between two looks only its size is asked for.

A file may be rotated (renamed, and another begun in its place), truncated, replaced, or not be there yet. What a
rotated file held is kept, and the new one goes on from it; a file whose first step is that of the old one is the
whole log again, and takes its place.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np

from runopsy.errors import RunopsyError, UnreadableLog
from runopsy.model import Run, Track
from runopsy.readers import SQLITE, Reader, reader_of, runs
from runopsy.readers.dialect import layout
from runopsy.readers.growing_folder import GrowingFolder
from runopsy.readers.growing_rows import Rows, TableRows, rows_of
from runopsy.readers.run_selection import Found, as_candidates, choose
from runopsy.readers.source import HEAD, Source
from runopsy.store import is_run_folder

# Formats of lines: a last line without an end is still being written, and is read when it is whole.
LINES = ("delimited", "jsonlines", "textlog", "monitor", "mlperf", "tensorboard_export", "wandb_export", "catboost",
         "yolo_results")  # fmt: skip
HEADLESS = ("jsonlines", "textlog", "mlperf")  # of these, those whose lines need none above them to be understood
MOST_FRESH = 1 << 20  # bytes of new lines that are read apart; more are left to the next look at the whole
ODD = re.compile(rb"(?i)\b(?:nan|inf|infinity|traceback|out of memory|keyboardinterrupt)\b")  # a run may have broken
BLOCK = 1 << 20  # bytes read at once, to count lines
SAME = 4096  # bytes of a file's beginning by which it is recognised again
MOST_FILES = 10_000  # of a folder, whose sizes are asked for


class Growing:
    """The log at a path; it need not be there yet. A context manager: it holds the file open."""

    def __init__(self, path: str, which: str | None = None) -> None:
        self.path, self.which = Path(path), which
        self._file: GrowingFile | None = None
        self._folder: GrowingFolder | None = None
        self.several = 0  # runs that the log holds, where it holds several and none was named: the last is read

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    @property
    def is_incremental(self) -> bool:
        """Whether what was parsed is kept."""
        return (self._file is not None and self._file.rows is not None) or self._run_folder() is not None

    def amount(self) -> float:
        """How much there is, in a unit of its own, which may be lines, values or bytes; 0 while nothing is there.

        It is cheap: new bytes of a file of lines, new records of a run folder, the sizes of everything else.

        Raises:
            OSError: the file system refuses it, but for a path that does not exist.
        """
        if self._file is None and self.path.is_file() and _is_one_file(self.path):
            self._file = GrowingFile(self.path)
        if self._file is not None:
            return self._file.amount()
        folder = self._run_folder()
        return float(sum(size for size, _ in _sizes(self.path))) if folder is None else folder.amount()

    @property
    def odd(self) -> int:
        """Words for NaN or an error, in what ``amount`` has seen of a text; 0 of anything else."""
        return 0 if self._file is None else self._file.odd

    def stamp(self) -> object:
        """Changes whenever anything of the log does, as far as ``amount`` has seen it."""
        if self._file is not None:
            return self._file.amount(), self._file.changed()
        return (None if self._folder is None else self._folder.counted, *_sizes(self.path))

    @property
    def has_ended(self) -> bool:
        """Whether a run folder says that its run is over, as ``fresh`` cannot show."""
        return self._folder is not None and self._folder.has_ended

    def fresh(self) -> Run | None:
        """What came since the last ``fresh`` or ``read``, as a run of its own; None where it cannot be read apart."""
        one = self._file or self._folder
        return None if one is None else one.fresh()

    def read(self) -> Run:
        """The run so far.

        Raises:
            UnreadableLog: there is none yet, or nothing that can be read.
            BadOption: it has no run of the name that was asked for.
        """
        return self._chosen(self._found())

    def reading(self) -> Callable[[], Run]:
        """``read`` in two parts: what is slow of it may be done in another thread, while new lines are read apart.

        Raises:
            UnreadableLog: as ``read``; so may the second part.
            BadOption: as ``read``; so may the second part.
        """
        later = None if self._file is None else self._file.reading()
        if later is not None:
            return lambda: self._chosen(later())
        run = self.read()
        return lambda: run

    def _chosen(self, found: Found) -> Run:
        """The run that was asked for, of those that the log holds."""
        candidates = as_candidates(found)
        self.several = len(candidates) if self.which is None and len(candidates) > 1 else 0
        return candidates[-1].read() if self.several else choose(candidates, self.which, str(self.path)).read()

    def _found(self) -> Found:
        if self._file is not None:
            return self._file.read()
        folder = self._run_folder()
        return runs(self.path) if folder is None else folder.read()

    def _run_folder(self) -> GrowingFolder | None:
        if self._folder is None and is_run_folder(self.path):
            self._folder = GrowingFolder(self.path)
        return self._folder


def _is_one_file(path: Path) -> bool:
    """Whether a file has begun, and holds all of the log: SQLite keeps what is new in another."""
    with path.open("rb") as file:
        begin = file.read(len(SQLITE))
    return bool(begin) and begin != SQLITE


def _sizes(path: Path) -> Iterable[tuple[int, float]]:
    """(size, time of change) of a file, or of the files in a folder and its folders."""
    files = [path, *(path.with_name(path.name + end) for end in ("-wal", "-journal"))]  # of SQLite
    if path.is_dir():
        files = [Path(at, name) for at, _, names in os.walk(path) for name in sorted(names)][:MOST_FILES]
    for file in files:
        try:
            found = file.stat()
        except OSError:  # gone since, or never there
            continue
        yield found.st_size, found.st_mtime


@dataclass(slots=True)
class Last:
    """What was last read of a generation of a file."""

    run: Run | None = None


class GrowingFile:
    """One file. The handle outlives its name: what a rotated file still got is read from it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: Rows | None = None  # what was parsed of this generation, where its format allows
        self._handle: BinaryIO = path.open("rb")
        self._head = b""
        self._counted = 0  # bytes whose lines are counted
        self._lines = 0.0
        self.odd = 0  # words for NaN or an error
        self._parsed = 0  # bytes that are in ``rows``
        self._reader: Reader | None = None  # what reads the lines of this generation; None: not known, or no lines
        self._above: bytes | None = None  # the lines that say what the cells below mean; None: not looked for yet
        self._known = 0  # bytes of whole lines that ``read`` or ``fresh`` has given
        self._before: Rows | None = None  # of the file before this one: a logger may write its header but once
        self._begin = b""  # of the file, by which it is recognised again
        self._is_irregular = False  # it must be read as a whole, whatever its format allows
        self._earlier: Run | None = None  # what the files before this one held
        self._last = Last()

    def amount(self) -> float:
        """Lines so far, those of earlier generations included."""
        self._follow()
        size = os.fstat(self._handle.fileno()).st_size
        while self._counted < size:
            block = os.pread(self._handle.fileno(), min(BLOCK, size - self._counted), self._counted)
            if not block:
                break
            self._counted += len(block)
            self._lines += block.count(b"\n")
            self.odd += sum(1 for _ in ODD.finditer(block))
        return self._lines if self._lines > 1 or self._counted < SAME else float(self._counted)

    def fresh(self) -> Run | None:
        """The whole lines since the last ``fresh`` or ``read``; None where there are none, or they cannot be read."""
        self._follow()
        data = b"" if self._reader is None else self._whole_lines(self._known)
        if self._reader is None or not 0 < len(data) <= MOST_FRESH:
            return None
        if self._above is None:
            self._above = self._header()
        try:
            found = self._reader.read(self._source(self._above + data))
        except RunopsyError:  # lines without a value, or too few of a text to be told from prose: with the next ones
            return None
        self._known += len(data)
        return found if isinstance(found, Run) else None

    def _header(self) -> bytes:
        """The lines that say what the cells of those below mean."""
        if isinstance(self.rows, TableRows):
            return (self.rows.separator.join(self.rows.names) + "\n").encode()
        source = self._source(self._head)
        found = None if getattr(self._reader, "name", "") in HEADLESS else layout(tuple(source.first_lines()))
        return b"" if found is None else b"".join(_lines(self._head)[: found.above])

    def close(self) -> None:
        self._handle.close()

    def changed(self) -> float:
        return os.fstat(self._handle.fileno()).st_mtime

    def read(self) -> Found:
        """The run so far: that of earlier generations, and what is new.

        Raises:
            UnreadableLog: nothing of it can be read yet.
        """
        self.amount()
        try:
            found = self._current()
        except UnreadableLog:
            if self._earlier is None:
                raise
            return self._earlier  # rotated just now
        return _with_earlier(self._earlier, found, self._last)

    def reading(self) -> Callable[[], Found] | None:
        """What reads the lines so far from the beginning; None where they were parsed as they came, or never read.

        A rotation meanwhile changes nothing of it: it is of this generation.
        """
        self.amount()
        data = b"" if self._reader is None or self.rows is not None else self._whole_lines(0)
        if self._reader is None or len(data) < HEAD or data[:HEAD] != self._head:
            return None  # by more of its beginning it may be another format
        self._known = len(data)
        reader, source, earlier, last = self._reader, self._source(data), self._earlier, self._last
        return lambda: _with_earlier(earlier, reader.read(source), last)

    def _current(self) -> Found:
        if self.rows is not None:
            data = self._whole_lines(self._parsed)
            if self.rows.feed(data):
                self._parsed += len(data)
                self._known = self._parsed
                return self.rows.run(self._source(self._head))
            self.rows, self._is_irregular = None, True
        return self._read_all()

    def _read_all(self) -> Found:
        """Read it from the beginning, and keep the rows where the format allows."""
        size = os.fstat(self._handle.fileno()).st_size
        source = self._source(os.pread(self._handle.fileno(), size, 0))
        reader = None if source.is_empty else reader_of(source)
        if reader is None:
            raise UnreadableLog(f"{self.path} holds no log yet", hint="wait, or see what runopsy signals shows of it")
        name = getattr(reader, "name", "")
        if name not in LINES:
            return reader.read(source)
        data = self._whole_lines(0)
        if not data:
            raise UnreadableLog(f"{self.path} has no whole line yet", hint="wait until something is logged")
        source = self._source(data)
        self._reader, self._known, self._head, self._above = reader, len(data), data[:HEAD], None
        rows = None if self._is_irregular else rows_of(name, source, self._before)
        if rows is None:
            return reader.read(source)
        if not rows.feed(data):
            self._is_irregular = True
            return reader.read(source)
        self.rows, self._parsed = rows, len(data)
        return rows.run(source)

    def _whole_lines(self, begin: int) -> bytes:
        """All from there to the last end of a line."""
        size = os.fstat(self._handle.fileno()).st_size
        data = os.pread(self._handle.fileno(), max(size - begin, 0), begin)
        return data[: data.rfind(b"\n") + 1]

    def _source(self, data: bytes) -> Source:
        return replace(Source.from_bytes(str(self.path), data), id=self.path.stem, path=self.path)

    # --- rotation --------------------------------------------------------------------------------

    def _follow(self) -> None:
        """Go over to the file that has taken the place of this one."""
        mine = os.fstat(self._handle.fileno())
        try:
            there = self.path.stat()
        except FileNotFoundError:
            return  # renamed, and the next one not begun: this one may still grow
        if (there.st_dev, there.st_ino) != (mine.st_dev, mine.st_ino):
            self._close_generation()
            self._handle.close()
            self._handle = self.path.open("rb")
        elif mine.st_size < self._counted or not self._begins_alike():
            self._close_generation(is_gone=True)

    def _begins_alike(self) -> bool:
        """Whether the file begins as it did: one written anew under the same name may be longer than before."""
        begin = os.pread(self._handle.fileno(), SAME, 0)
        alike = begin.startswith(self._begin)
        self._begin = begin
        return alike

    def _close_generation(self, *, is_gone: bool = False) -> None:
        """Keep what this generation held, and begin the next."""
        found: Found | None = self._last.run
        if not is_gone:
            try:
                found = self._current()  # what came since the last look
            except UnreadableLog:
                found = self._last.run
        run = found if isinstance(found, Run) else self._last.run
        if run is not None:
            self._earlier = run if self._earlier is None else continued(self._earlier, run)
        self._before = self.rows or self._before
        self.rows, self._last, self._is_irregular, self._head, self._begin = None, Last(), False, b"", b""
        self._counted = self._parsed = self._known = 0
        self._reader = self._above = None


def _with_earlier(earlier: Run | None, found: Found, last: Last) -> Found:
    """What a generation holds, as the end of what those before it held; it is kept as the last that was read."""
    if not isinstance(found, Run):
        return found
    last.run = found
    return found if earlier is None else continued(earlier, found)


def _lines(data: bytes) -> list[bytes]:
    """Those that are not blank, with their ends."""
    return [line for line in data.splitlines(keepends=True) if line.strip()]


def continued(earlier: Run, later: Run) -> Run:
    """Two files of one log as one run; ``later`` alone, where it begins where the earlier one began."""
    if earlier.axis != later.axis or earlier.axis == "row" or _first(later) <= _first(earlier):
        return later
    overlaps = _first(later) <= max(float(np.nanmax(t.step)) for t in earlier.tracks.values())
    tracks = dict(earlier.tracks)
    for name, track in later.tracks.items():
        tracks[name] = track if name not in tracks else _end_to_end(tracks[name], track, overlaps)
    notes = (*earlier.notes, *later.notes, "the log was rotated or truncated: what it held before is kept")
    marks = (*earlier.marks, *later.marks)
    return replace(later, tracks=tracks, marks=marks, notes=tuple(dict.fromkeys(notes)))


def _first(run: Run) -> float:
    return min((float(np.nanmin(t.step)) for t in run.tracks.values() if len(t)), default=np.inf)


def _end_to_end(a: Track, b: Track, overlaps: bool) -> Track:
    """One column of both; where the second goes over steps of the first, it is another session."""
    begins = 0 if a.session is None else int(a.session[-1])
    sessions = [np.zeros(len(t), np.int64) if t.session is None else t.session for t in (a, b)]
    several = overlaps or any(t.session is not None for t in (a, b))
    return Track(
        a.name,
        np.concatenate([a.step, b.step]),
        np.concatenate([a.value, b.value]),
        None if a.time is None or b.time is None else np.concatenate([a.time, b.time]),
        np.concatenate([sessions[0], sessions[1] + begins + overlaps]) if several else None,
        a.unread + b.unread,
    )
