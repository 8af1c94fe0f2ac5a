"""A run folder that still grows: its journals are followed record by record, for their files are longer than that."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from runopsy.model import Run
from runopsy.store import (
    JOURNAL,
    RECORD,
    SIGNALS,
    Memory,
    Piece,
    files,
    names_path,
    read_manifest,
    read_names,
    read_run,
    read_wal,
    session_and_rank,
    split_journal,
    tracks_of,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

RUNNING = "running"  # the status of a run that nobody has closed
MOST_FRESH = 100_000  # records that are read apart; more are left to the next look at the whole


class GrowingFolder:
    """One run folder: how many values it holds, and those that are new."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._memory = Memory()
        self._started: object = None  # when the run began: another may take its place
        self._values: dict[str, int] = {}  # file, without its ending → values in it
        self._closed: set[str] = set()  # of these, those that are parts by now
        self._fresh: list[Piece] | None = None  # since the last read; None: too many, or nothing was read yet

    def amount(self) -> float:
        """Values so far. Each record is looked at once, and of a closed part its size alone."""
        started = read_manifest(self.path).get("started")
        if started != self._started:
            self._started, self._values, self._closed, self._fresh = started, {}, set(), None
        for path in files(self.path / JOURNAL, ".wal"):
            self._follow(path)
        for path in files(self.path / SIGNALS, ".parquet"):
            if path.stem not in self._closed:
                self._close(path)
        return self.counted

    @property
    def counted(self) -> float:
        """Values that ``amount`` has counted."""
        return float(sum(self._values.values()))

    @property
    def has_ended(self) -> bool:
        """Whether its manifest says that it is over; of one whose process is dead it says nothing."""
        return bool(read_manifest(self.path).get("status", RUNNING) != RUNNING)

    def fresh(self) -> Run | None:
        """The values since the last ``fresh`` or ``read``; None where there are none, or too many."""
        self.amount()
        pieces, self._fresh = self._fresh, []
        if not pieces:
            return None
        manifest = read_manifest(self.path)
        axis = str(manifest.get("axis") or "step")
        return Run(str(self.path), self.path.name, axis, tracks_of(pieces, manifest.get("world"), []))

    def read(self) -> Run:
        """The run so far.

        Raises:
            UnreadableLog: nothing of it can be read yet.
        """
        self.amount()
        run = read_run(self.path, self._memory)
        self._fresh = []
        return run

    def _follow(self, path: Path) -> None:
        """Count the records of a journal, and keep those that are new."""
        known = self._values.get(path.stem, 0)
        try:
            session, rank = session_and_rank(path)
            records, _ = read_wal(path, known * RECORD.size)
        except (OSError, ValueError):  # compacted since the folder was listed, or no file of ours
            return
        self._values[path.stem] = known + len(records)
        if self._fresh is not None and len(records):
            self._keep(records, session, rank)

    def _close(self, part: Path) -> None:
        """Count a part that was not there before; of its values, those may be new that its journal got last."""
        self._closed.add(part.stem)
        rows = _rows(part)
        if rows != self._values.get(part.stem):
            self._values[part.stem], self._fresh = rows, None

    def _keep(self, records: NDArray[Any], session: int, rank: int) -> None:
        assert self._fresh is not None  # as asked
        if len(records) + sum(len(piece.step) for piece in self._fresh) > MOST_FRESH:
            self._fresh = None
            return
        name = read_names(names_path(self.path, session, rank))
        self._fresh += split_journal(records, session, rank, name)


def _rows(part: Path) -> int:
    """Values of a closed part; 0 of one that is damaged."""
    import pyarrow.parquet as pq

    try:
        return int(pq.read_metadata(part).num_rows)
    except Exception:  # damage shows in any way; a look at the whole says what is wrong
        return 0
