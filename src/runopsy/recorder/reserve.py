"""A little room on the disk, kept for a note that it is full."""

from __future__ import annotations

import os
from pathlib import Path

from runopsy.store import JOURNAL

SIZE = 65_536  # bytes: run.json with a hundred signals takes half of that
NAME = "reserve"


class Reserve:
    """A file that is removed when the disk is full, so that run.json can be written once more."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / JOURNAL / NAME

    def make(self) -> None:
        """Take the room.

        Raises:
            OSError: as the file system says.
        """
        self._path.write_bytes(os.urandom(SIZE))  # zeros would take no room on some file systems

    def give_up(self) -> None:
        """Return the room; harmless where there is none."""
        self._path.unlink(missing_ok=True)
