"""Per-example tables: what one number per step cannot hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from runopsy.atomic import replacing
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
    with replacing(room / f"{session:04d}-{name}.parquet") as draft:
        pq.write_table(pa.table(dict(columns)), draft, compression="zstd")
