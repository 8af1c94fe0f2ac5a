"""What survives a kill: an append-only file, turned into Parquet behind the loop's back.

No fsync, no buffer of our own: once ``append`` has returned, the bytes are the kernel's, and SIGKILL cannot take
them back (a power cut can). The first calls take one ``write(2)`` each; then the end of the file is mapped into
memory, where that is safe, for in a training with cold caches a system call takes 5 to 25 µs. When a file has its
fill it is closed and a worker thread compacts it; the worker touches closed files only, so the two share no state.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from runopsy.recorder.compaction import compact, hold, journals, let_go
from runopsy.recorder.mapped import AFTER, Mapped, mappable
from runopsy.store import JOURNAL, RECORD, SIGNALS, names_path, part_name

ROWS_PER_PART = 262_144  # 7 MB of journal; parts of 10k-100k rows and more read equally fast, fewer files are kinder
RETRY_AFTER = 1.0  # s between attempts on a full or vanished disk: a loop of a million steps must not make a million
HELD_BYTES = 300_000 * RECORD.size  # 8 MB kept in memory meanwhile; beyond it values are dropped, and counted
FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))  # what systems say where there is no room
CHECK_AFTER = 2.0  # s between looks at whether the file still has a name: a deleted folder raises nothing
FRESH = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_BINARY", 0)  # never a file that was there


class Journal:
    """The growing files of one session and rank. Not thread-safe: its owner holds a lock.

    After an ``OSError`` nothing is raised: values are held, the write is tried again, and what does not
    fit is counted in ``dropped``; ``trouble`` is what the system reported. Where the folder was deleted and
    another run has begun in its place, ``taken`` is set, and nothing is written any more.
    """

    def __init__(self, folder: Path, session: int | None, rank: int = 0, rows_per_part: int = ROWS_PER_PART) -> None:
        # the next free one from here on, until ``claim`` has succeeded; None: rank 0 has not chosen yet, rows are held
        self.session = session
        self.dropped = 0
        self.trouble: str | None = None
        self.disk_full = False  # whether it was, at any time
        self.taken = self._closed = False
        self._folder, self._rank = folder, rank
        self._full = rows_per_part * RECORD.size
        self._part = 0  # number of the next file; no number is used twice
        self._path = folder
        self._handle: int | None = None
        self._written = 0  # bytes of whole records in the open file, but for those in memory
        self._names: list[str] = []
        self._names_handle: int | None = None
        self._named, self._names_size = 0, 0  # how many names are on disk, and in how many bytes
        self._claimed = self._knows_files = False  # knows_files: the file system knows one file from another
        self._links = 1
        self._held = bytearray()
        self._next_try = 0.0
        self._next_check = 0.0
        # s of the clock that ``append`` hears of: until then there is nothing to look after but room in the file
        self.quiet_until = 0.0
        self.mapped: Mapped | None = None  # the end of the open file, where it is in memory
        self._mappable: bool | None = None  # None: the file system has not been looked at yet
        self._padded = False  # the open file is longer than its records
        self._worker: ThreadPoolExecutor | None = None

    @property
    def stuck(self) -> bool:
        """Whether what is written now would have to be held, or is lost."""
        return bool(self._held) or self.taken or self._closed

    @property
    def _number(self) -> int:
        assert self.session is not None  # or nothing is written at all
        return self.session

    @property
    def _size(self) -> int:
        """Bytes of whole records in the open file."""
        return self._written if self.mapped is None else self.mapped.at

    def number(self, name: str) -> int:
        """The number that stands for a signal's name in this session's records, from 1."""
        self._names.append(name.encode("utf-8", "backslashreplace").decode())  # half a surrogate pair is no text
        self.quiet_until = 0.0
        return len(self._names)

    def append(self, records: bytes, now: float) -> None:
        """Write whole records; ``now`` is ``time.perf_counter()``, which the caller has read anyway."""
        if now >= self.quiet_until or not records:
            self._append_with_care(records, now)
            return
        if self.mapped is None or not self.mapped.put(records):
            self._held += records
            try:
                self._write_held()
            except OSError as cause:
                self._fail(cause, now)
        if self._size >= self._full:
            self._roll()

    def written(self) -> bytes:
        """The records of the open file, and those that are held back.

        Raises:
            OSError: as the file system says.
        """
        return (b"" if self._handle is None else self._path.read_bytes()[: self._size]) + bytes(self._held)

    def close(self) -> None:
        """One last attempt to write what is held, then compact everything; never raises ``OSError``."""
        self._next_try = self._next_check = 0.0
        if self._held or self._handle is not None:
            self._append_with_care(b"", time.perf_counter())
        self.dropped += len(self._held) // RECORD.size
        self._held.clear()
        self._close()
        if self._worker is not None:
            self._worker.shutdown(wait=True)
        if not self.taken and self.session is not None:
            self._compact_all()
        self._drop_names_file()
        self._closed = True

    # --- when something is not as it was ---------------------------------------------------------

    def _append_with_care(self, records: bytes, now: float) -> None:
        """The slow path: a new file, new names, a look at the folder, or values held back earlier."""
        self.quiet_until = 0.0
        if self.taken or self._closed:
            self.dropped += len(records) // RECORD.size
            return
        self._held += records
        if now < self._next_try or self.session is None:
            self._bound()
            return
        try:
            self._tend(now)
            self._write_names()
            self._write_held()
        except OSError as cause:
            self._fail(cause, now)
        else:
            self.quiet_until = self._next_check
        if self._size >= self._full:
            self._roll()

    def _tend(self, now: float) -> None:
        """Have an open file that still has a name."""
        self._next_check = now + CHECK_AFTER
        if self._handle is not None:
            if os.fstat(self._handle).st_nlink >= self._links:
                return
            self.dropped += self._size // RECORD.size  # the file was deleted under us, with all that is in it
            self.trouble = self.trouble or f"{self._path} was deleted"
            self._close()
        self.claim()
        self._path = self._folder / JOURNAL / f"{part_name(self._number, self._rank, self._part)}.wal"
        self._part += 1
        self._handle = os.open(self._path, FRESH, 0o644)
        self._links = os.fstat(self._handle).st_nlink  # 1, but for file systems that do not count
        hold(self._handle)

    def claim(self) -> None:
        """Make the folder and own a session in it: whoever creates its names file does.

        Rank 0 takes the next one where it is taken; the others have to write into rank 0's.

        Raises:
            OSError: as the file system says, or another run has taken the place of a deleted one.
        """
        for room in (SIGNALS, JOURNAL):
            (self._folder / room).mkdir(parents=True, exist_ok=True)
        while not self._owns_session():
            try:
                handle = os.open(names_path(self._folder, self._number, self._rank), FRESH, 0o644)
            except FileExistsError:
                if self._claimed or self._rank:
                    self.taken = True
                    self.trouble = f"{self._folder} was deleted, and now holds another run"
                    raise OSError(self.trouble) from None
                self.session = self._number + 1
                continue
            self._drop_names_file()
            self._names_handle, self._named, self._names_size = handle, 0, 0
            self._claimed, self._knows_files = True, True
            self._knows_files = self._owns_session()
            return

    def _owns_session(self) -> bool:
        """Whether the names file in the folder is the one that we made."""
        if self._names_handle is None:
            return False
        try:
            there = os.stat(names_path(self._folder, self._number, self._rank))
        except FileNotFoundError:
            return False
        return not self._knows_files or os.path.samestat(there, os.fstat(self._names_handle))

    def _write_names(self) -> None:
        """Names first, records after: a record never has a number without a name."""
        fresh = "".join(json.dumps(name) + "\n" for name in self._names[self._named :]).encode()
        if not fresh or self._names_handle is None:
            return
        os.ftruncate(self._names_handle, self._names_size)  # what an attempt that failed has left
        if os.write(self._names_handle, fresh) != len(fresh):
            raise _disk_full()
        self._named, self._names_size = len(self._names), self._names_size + len(fresh)

    def _write_held(self) -> None:
        if not self._held or self._handle is None:
            return
        if self._put_held():
            return
        self._cut()
        written = os.write(self._handle, self._held)
        whole = written - written % RECORD.size
        self._written += whole
        del self._held[:whole]
        if self._held:
            self._padded = self._padded or whole < written
            raise _disk_full()

    def _put_held(self) -> bool:
        """Into memory, where the file system is one for that and there is room on it."""
        records = bytes(self._held)
        if self.mapped is None or not self.mapped.put(records):
            self._map()
            if self.mapped is None or not self.mapped.put(records):
                return False
        self._held.clear()
        return True

    def _map(self) -> None:
        """Map the end of the file, as far as it has records now."""
        self._unmap()
        if self._size < AFTER * RECORD.size or self._mappable is False or self._handle is None:
            return
        if self._mappable is None:
            self._mappable = mappable(self._path.parent)
        if not self._mappable:
            return
        try:
            self._padded = True
            self.mapped = Mapped(self._handle, self._written, self._full)
        except (OSError, ValueError):
            self._mappable = False  # writing shows what is the matter, if it cannot be done either

    def _unmap(self) -> None:
        mapped, self.mapped = self.mapped, None
        if mapped is not None:
            self._written = mapped.at
            mapped.close()

    def _cut(self) -> None:
        """Make the file end with its last whole record: what is written goes to its end."""
        self._unmap()
        if self._padded and self._handle is not None:
            os.ftruncate(self._handle, self._written)
            self._padded = False

    def _fail(self, cause: OSError, now: float) -> None:
        self.trouble = self.trouble or cause.strerror or str(cause)
        self.disk_full = self.disk_full or cause.errno in FULL
        self._next_try = now + RETRY_AFTER
        self.quiet_until = 0.0
        try:
            self._cut()  # a torn record in the middle would spoil all that follow
        except OSError:
            self._close()  # the next try opens another file
        self._bound()

    def _bound(self) -> None:
        """Keep the oldest of what could not be written."""
        self.dropped += max(0, len(self._held) - HELD_BYTES) // RECORD.size
        del self._held[HELD_BYTES:]

    # --- files that are full ---------------------------------------------------------------------

    def _roll(self) -> None:
        """Close the file and have it compacted; the next record opens the next one."""
        self._close()
        if self._worker is None:
            self._worker = ThreadPoolExecutor(1, thread_name_prefix="runopsy-compact")
        try:
            self._worker.submit(compact, self._path)  # where this fails, the journal stays, and close() tries again
        except RuntimeError:
            return  # the interpreter is shutting down: no new work is taken, close() does it

    def _compact_all(self) -> None:
        for wal in journals(self._folder, f"{self._number:04d}-{self._rank:05d}-"):
            try:
                compact(wal)
            except Exception as cause:  # the journal stays, and is read as it is
                self.trouble = self.trouble or f"{type(cause).__name__}: {cause}"

    def _close(self) -> None:
        """Close the open journal file; what is in it stays."""
        self._unmap()
        handle, size, padded = self._handle, self._written, self._padded
        self._handle, self._written, self._padded, self.quiet_until = None, 0, False, 0.0
        if handle is None:
            return
        if padded:
            with contextlib.suppress(OSError):  # zeros at the end are no records
                os.ftruncate(handle, size)
        let_go(handle)
        try:
            os.close(handle)
        except OSError as cause:  # a network file system may notice only now that it is full
            self.trouble = self.trouble or cause.strerror

    def _drop_names_file(self) -> None:
        if self._names_handle is not None:
            os.close(self._names_handle)
            self._names_handle = None


def _disk_full() -> OSError:
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
