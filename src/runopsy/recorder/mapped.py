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

    Attributes:
        memory: the file from byte ``start`` on; ``numbers``: the same, as 32-bit numbers.
        at: where in the file the next record goes.
    """

    __slots__ = ("at", "memory", "numbers", "start")

    def __init__(self, handle: int, size: int, most: int) -> None:
        """Make room after the first ``size`` bytes, for the file to grow to ``most``.

        Raises:
            OSError: as the file system says; what was added to the file then has to be cut off again.
        """
        self.start = size - size % mmap.ALLOCATIONGRANULARITY
        length = min(LENGTH, most + RECORD.size - self.start)
        missing = self.start + length - os.fstat(handle).st_size
        if missing > 0 and os.write(handle, bytes(missing)) != missing:  # a hole would be filled when it is written
            raise OSError("the disk is full")
        self.memory = mmap.mmap(handle, length, offset=self.start)
        self.numbers = memoryview(self.memory).cast("I")
        self.at = size

    def put(self, records: bytes) -> bool:
        """Write whole records, one at least; false where there is no room for them, and nothing was written."""
        first, size, room = int.from_bytes(records[NUMBER : RECORD.size], sys.byteorder), len(records), len(self.memory)
        # No function is called from here on: a signal handler, which may log too, or end all with an exception,
        # comes before it or after it.
        begin = self.at - self.start
        end = begin + size
        if end + RECORD.size > room:
            return False
        self.numbers[(end + NUMBER) >> 2] = 0
        self.memory[begin + RECORD.size : end] = records[RECORD.size :]
        self.memory[begin : begin + NUMBER] = records[:NUMBER]
        self.numbers[(begin + NUMBER) >> 2] = first
        self.at = self.start + end
        return True

    def close(self) -> None:
        """Let go of the memory; the file is still as long as it was made."""
        self.numbers.release()
        self.memory.close()


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
