"""What survives a kill: an append-only file, turned into Parquet behind the loop's back.

One ``write(2)`` per call, no fsync, no buffer of our own: once ``append`` has returned, the bytes are the
kernel's, and SIGKILL cannot take them back (a power cut can). When a file has its fill it is closed and
a worker thread compacts it; the worker touches closed files only, so the two share no state.
"""

from __future__ import annotations

import json
import os
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from runopsy.store import JOURNAL, RECORD, SIGNALS, compact, names_path, part_name

ROWS_PER_PART = 262_144  # 7 MB of journal; parts of 10k-100k rows and more read equally fast, fewer files are kinder
RETRY_AFTER = 1.0  # s between attempts on a full or vanished disk: a loop of a million steps must not make a million
HELD_BYTES = 8 << 20  # what is kept in memory meanwhile, about 300 000 values; beyond it values are dropped, and counted
CHECK_AFTER = 0.5  # s between looks at whether the file still has a name: a deleted folder raises nothing


class Journal:
    """The growing files of one session and rank. Not thread-safe: its owner holds a lock.

    After an ``OSError`` nothing is raised: values are held, the write is tried again, and what does not
    fit is counted in ``dropped``; ``trouble`` says what the system said.
    """

    def __init__(self, folder: Path, session: int, rank: int, rows_per_part: int = ROWS_PER_PART) -> None:
        self.dropped = 0
        self.trouble: str | None = None
        self._folder, self._session, self._rank = folder, session, rank
        self._full = rows_per_part * RECORD.size
        self._part = 0
        self._names: list[str] = []
        self._named = 0  # how many of them are on disk
        self._handle: int | None = None
        self._path = folder
        self._size = 0  # bytes of whole records in the open file
        self._held = bytearray()
        self._next_try = 0.0
        self._next_check = 0.0
        self._worker: ThreadPoolExecutor | None = None
        self._jobs: list[Future[Path]] = []
        self._worker_lock = threading.Lock()

    def number(self, name: str) -> int:
        """The number that stands for a signal's name in this session's records, from 1."""
        self._names.append(name)
        return len(self._names)

    def append(self, records: bytes, now: float) -> None:
        """Write whole records; ``now`` is a clock in seconds that the caller has read anyway."""
        if self._held or self._named < len(self._names) or self._handle is None or now >= self._next_check:
            self._append_with_care(records, now)
            return
        try:
            written = os.write(self._handle, records)
        except OSError as cause:
            self._hold(records, cause, now)
            return
        if written == len(records):
            self._size += written
            if self._size >= self._full:
                self._roll()
        else:  # the disk filled up in the middle of the call
            self._hold(records[written - written % RECORD.size :], OSError("the disk is full"), now)

    def _append_with_care(self, records: bytes, now: float) -> None:
        """The slow path: a new file, new names, a look at the folder, or values held back earlier."""
        if self._held and now < self._next_try:
            self._hold(records, None, now)
            return
        self._held += records
        try:
            self._reopen_if_gone(now)
            self._write_names()
            self._write_held()
        except OSError as cause:
            self._hold(b"", cause, now)
        if self._size >= self._full:
            self._roll()

    def _reopen_if_gone(self, now: float) -> None:
        self._next_check = now + CHECK_AFTER
        if self._handle is not None:
            seen = os.fstat(self._handle)
            if seen.st_nlink:
                return
            self.dropped += self._size // RECORD.size  # the file was deleted under us, with all that is in it
            self.trouble = self.trouble or f"{self._path} was deleted"
            self._close()
        (self._folder / SIGNALS).mkdir(parents=True, exist_ok=True)
        (self._folder / JOURNAL).mkdir(exist_ok=True)
        if not names_path(self._folder, self._session, self._rank).exists():
            self._named = 0
        self._path = self._folder / JOURNAL / f"{part_name(self._session, self._rank, self._part)}.wal"
        self._handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self._size = 0

    def _write_names(self) -> None:
        """Names first, records after: a record never has a number without a name."""
        fresh = "".join(json.dumps(name) + "\n" for name in self._names[self._named :])
        if not fresh:
            return
        path = names_path(self._folder, self._session, self._rank)
        with path.open("ab", buffering=0) as file:
            start = file.seek(0, os.SEEK_END)
            data = fresh.encode()
            if file.write(data) != len(data):
                os.ftruncate(file.fileno(), start)
                raise OSError("the disk is full")
        self._named = len(self._names)

    def _write_held(self) -> None:
        if self._handle is None:
            raise OSError("the journal is closed")
        written = os.write(self._handle, self._held)
        whole = written - written % RECORD.size
        if whole < written:  # leave no torn record in the middle of the file
            os.ftruncate(self._handle, self._size + whole)
        self._size += whole
        del self._held[:whole]
        if self._held:
            raise OSError("the disk is full")

    def _hold(self, records: bytes, cause: OSError | None, now: float) -> None:
        """Keep what could not be written, oldest first, up to a bound."""
        if cause is not None:
            self.trouble = self.trouble or f"{cause.strerror or cause}"
            self._next_try = now + RETRY_AFTER
            self._mend()
        room = max(0, HELD_BYTES - len(self._held))
        room -= room % RECORD.size
        self._held += records[:room]
        self.dropped += max(0, len(records) - room) // RECORD.size

    def _mend(self) -> None:
        """Cut the file back to whole records after a short write."""
        if self._handle is None:
            return
        try:
            size = os.fstat(self._handle).st_size
            self._size = size - size % RECORD.size
            if self._size < size:
                os.ftruncate(self._handle, self._size)
        except OSError:
            self._close()  # reopened, under the next part's name, at the next try
            self._part += 1

    def _roll(self) -> None:
        """Close the file and have it compacted; the next record opens the next one."""
        full = self._path
        self._close()
        self._part += 1
        with self._worker_lock:
            if self._worker is None:
                self._worker = ThreadPoolExecutor(1, thread_name_prefix="runopsy-compact")
            self._jobs = [job for job in self._jobs if not job.done()]
            self._jobs.append(self._worker.submit(compact, full))

    def _close(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None
        self._size = 0

    def close(self) -> None:
        """One last attempt to write what is held, then compact everything; never raises ``OSError``."""
        if self._held:
            self._next_try = 0.0
            self._append_with_care(b"", time.monotonic())
        self.dropped += len(self._held) // RECORD.size
        self._held.clear()
        if self._size:
            self._roll()
        self._close()
        if self._worker is not None:
            self._worker.shutdown(wait=True)
        for job in self._jobs:
            cause = job.exception()
            if cause is not None:  # the journal file stays, and is read as it is
                self.trouble = self.trouble or f"{cause}"
