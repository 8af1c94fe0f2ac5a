"""Every series in one table, a row per value: CSV or Parquet. The Parquet file holds the autopsy as metadata too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from runopsy.errors import BadOption
from runopsy.export.payload import Series, series_of
from runopsy.model import Autopsy

COLUMNS = ("signal", "step", "time", "value", "phase")
KEY = "runopsy"  # of the metadata: what --format json prints


def write(autopsy: Autopsy, dest: str) -> tuple[Path, ...]:
    """Columns ``signal, step, time, value, phase``; ``time`` in unix seconds, null where the log has none.

    ``phase`` is null before the first phase and where none could be named. A value that was not finite is NaN.

    Raises:
        BadOption: the name ends neither in .csv nor in .parquet.
        OSError: the file system refuses it.
    """
    import numpy as np
    import polars as pl

    path = Path(dest)
    if path.suffix not in (".csv", ".parquet"):
        raise BadOption(f"{dest} is no name of a table", hint="give a file that ends in .csv or .parquet")
    starts = [phase.start for phase in autopsy.phases]
    labels = np.array([None, *(phase.label for phase in autopsy.phases)], dtype=object)

    def frame(s: Series) -> pl.DataFrame:
        phase = labels[np.searchsorted(starts, s.step, side="right")]
        time = np.full(len(s.step), np.nan) if s.time is None else s.time
        columns: tuple[Any, ...] = ([s.name] * len(s.step), s.step, pl.Series(time).fill_nan(None), s.value, phase)
        schema = {"signal": pl.String, "step": pl.Float64, "time": pl.Float64, "value": pl.Float64, "phase": pl.String}
        return pl.DataFrame(
            [pl.Series(name, column, dtype=schema[name]) for name, column in zip(COLUMNS, columns, strict=True)]
        )

    table = pl.concat([frame(s) for s in series_of(autopsy)])
    if path.suffix == ".csv":
        table.write_csv(path)
    else:
        table.write_parquet(path, metadata={KEY: json.dumps(autopsy.to_dict())})
    return (path,)
