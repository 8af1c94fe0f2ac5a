"""The end of a journal file as memory: what is put there is the operating system's at once, without a system call."""

from __future__ import annotations

import mmap
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from runopsy.store import RECORD

LENGTH = 1 << 16  # bytes that are made ready at a time, 2 340 records: it takes a twentieth of a millisecond
AFTER = 64  # records in a file from which on this is worth it; a file with a record an hour stays as short as it is
NUMBER = RECORD.size - 4  # where the number of a record's signal lies in it
# File systems on which memory that was written once can be written again whatever else happens. On those that
# write each time to another place (btrfs, zfs, apfs), or over a network, a full disk would end the process.
SAFE = frozenset({"ext2", "ext3", "ext4", "xfs", "tmpfs"})


class Mapped:
    """Room after the last record of an open journal file, in memory that outlives the process.

    A record begins to count when its number is no longer 0, which is the last thing that is written of a call's
    first record: so a call is in the file as a whole, or not at all.
    """

    __slots__ = ("_end", "_memory", "_numbers", "_start", "at")

    def __init__(self, handle: int, size: int) -> None:
        """Make room after the first ``size`` bytes.

        Raises:
            OSError: as the file system says; what was added to the file then has to be cut off again.
        """
        self._start = size - size % mmap.ALLOCATIONGRANULARITY
        self._end = self._start + LENGTH
        missing = self._end - os.fstat(handle).st_size
        if missing > 0 and os.write(handle, bytes(missing)) != missing:  # a hole would be filled when it is written
            raise OSError("the disk is full")
        self._memory = mmap.mmap(handle, LENGTH, offset=self._start)
        self._numbers = memoryview(self._memory).cast("I")
        self.at = size  # where the next record goes

    def put(self, records: bytes) -> bool:
        """Write whole records; false where there is no room for them, and nothing was written."""
        end = self.at + len(records)
        if end + RECORD.size > self._end:
            return False
        memory, numbers, at = self._memory, self._numbers, self.at - self._start
        last = end - self._start
        numbers[(last + NUMBER) >> 2] = 0  # an exception may have ended a call in the middle of this
        memory[at + RECORD.size : last] = records[RECORD.size :]
        memory[at : at + NUMBER] = records[:NUMBER]
        numbers[(at + NUMBER) >> 2] = int.from_bytes(records[NUMBER : RECORD.size], sys.byteorder)
        self.at = end
        return True

    def close(self) -> None:
        """Let go of the memory; the file is still as long as it was made."""
        self._numbers.release()
        self._memory.close()


def mappable(folder: Path) -> bool:
    """Whether journal files in the folder may be mapped."""
    if sys.platform != "linux" or sys.byteorder != "little":
        return False
    try:
        device = os.stat(folder).st_dev
        wanted = f"{os.major(device)}:{os.minor(device)}"
        return any(kind in SAFE for where, kind in _mounts() if where == wanted)
    except (OSError, ValueError, IndexError):
        return False


def _mounts() -> Iterator[tuple[str, str]]:
    """(major:minor, kind of file system) of each mount; see ``man proc_pid_mountinfo``."""
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="replace").splitlines():
        before, _, after = line.partition(" - ")
        yield before.split()[2], after.split()[0]
