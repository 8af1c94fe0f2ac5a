"""Per-example tables: what one number per step cannot say."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from runopsy.store import EXAMPLES


def write_table(
    folder: Path, name: str, columns: Mapping[str, Sequence[float | int | str | None]], session: int
) -> None:
    """Write ``RUN/examples/<session>-<name>.parquet``, one row an example; nothing where there are no columns.

    Raises:
        OSError: as the file system says.
    """
    if not columns:
        return
    import pyarrow as pa
    import pyarrow.parquet as pq

    room = folder / EXAMPLES
    room.mkdir(parents=True, exist_ok=True)
    file = room / f"{session:04d}-{name}.parquet"
    temporary = file.with_suffix(".tmp")
    try:
        pq.write_table(pa.table(dict(columns)), temporary, compression="zstd")
        os.replace(temporary, file)
    except Exception:
        temporary.unlink(missing_ok=True)
        raise
