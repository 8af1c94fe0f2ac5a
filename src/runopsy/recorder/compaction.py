"""From a closed journal file to a Parquet part: a sixth of the size, and one signal can be read alone."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runopsy.atomic import replacing
from runopsy.store import JOURNAL, SIGNALS, files, names_path, read_names, read_wal, session_and_rank

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

TICK = 1 / 1024  # s; times are rounded to it: a dyadic tick leaves zero bits that compress away


def journals(folder: Path, start: str = "") -> list[Path]:
    """The journal files of a run folder, in order; of one session and rank, where ``start`` names it."""
    return [file for file in files(folder / JOURNAL, ".wal") if file.name.startswith(start)]


def hold(handle: int) -> bool:
    """Claim an open journal file; false if a living process has it. The kernel lets go when we die."""
    try:
        import fcntl
    except ImportError:  # Windows: a file that is open cannot be removed there
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return True
    return True


def let_go(handle: int) -> None:
    """Give up the claim at once: closing is not enough where a forked worker still has the file open."""
    try:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_UN)
    except (ImportError, OSError):
        return


def compact(wal: Path) -> None:
    """Turn one journal file into a part, sorted by signal and step; the journal is removed last.

    Every step of it may be interrupted: before the rename the journal is still whole, after it the
    part counts. The part is synced, so that the rename never names data that is not there yet. A file
    that a living process holds is left alone.

    Raises:
        OSError: as the file system says; the journal then stays.
    """
    try:
        handle = os.open(wal, os.O_RDWR)
    except FileNotFoundError:
        return  # another process was faster
    try:
        if hold(handle):
            _write_part(wal)
            wal.unlink(missing_ok=True)
    finally:
        os.close(handle)


def _write_part(wal: Path) -> None:
    import pyarrow.parquet as pq

    session, rank = session_and_rank(wal)
    folder = wal.parent.parent
    part = folder / SIGNALS / f"{wal.stem}.parquet"
    if part.exists():
        return
    records, _ = read_wal(wal)
    if not len(records):
        return
    with replacing(part, sync=True) as draft:
        pq.write_table(
            table(records, read_names(names_path(folder, session, rank)), session, rank),
            draft,
            compression="zstd",
            # of the layouts measured, the smallest that still reads one signal fast
            use_dictionary=["signal", "rank", "session"],
            column_encoding={"step": "DELTA_BINARY_PACKED", "time": "BYTE_STREAM_SPLIT", "value": "BYTE_STREAM_SPLIT"},
            write_page_checksum=True,  # or a flipped bit would be read as another value
        )


def table(records: NDArray[Any], name: Callable[[int], str], session: int, rank: int) -> pa.Table:
    """Journal records as the columns of a part."""
    import numpy as np
    import pyarrow as pa

    rows = records[np.lexsort((records["step"], records["signal"]))]  # stable: equal steps keep their order
    numbers, codes = np.unique(rows["signal"], return_inverse=True)

    def column(array: NDArray[Any], kind: pa.DataType) -> pa.Array:
        # from_buffers, because pa.array() imports pandas where it is installed: a second of the training
        return pa.Array.from_buffers(kind, len(rows), [None, pa.py_buffer(np.ascontiguousarray(array))])

    names = _strings([name(int(number)) for number in numbers])
    return pa.table(
        {
            "signal": pa.DictionaryArray.from_arrays(column(codes.astype("<i4"), pa.int32()), names),
            "step": column(rows["step"], pa.int64()),
            "time": column(np.round(rows["time"] / TICK) * TICK, pa.float64()),
            "value": column(rows["value"], pa.float64()),
            "rank": column(np.full(len(rows), rank, "<i4"), pa.int32()),
            "session": column(np.full(len(rows), session, "<i4"), pa.int32()),
        }
    )


def _strings(names: list[str]) -> pa.Array:
    import numpy as np
    import pyarrow as pa

    encoded = [name.encode("utf-8", "backslashreplace") for name in names]  # half a surrogate pair is no text
    ends = np.cumsum([0, *map(len, encoded)]).astype("<i4")
    return pa.Array.from_buffers(pa.string(), len(names), [None, pa.py_buffer(ends), pa.py_buffer(b"".join(encoded))])
