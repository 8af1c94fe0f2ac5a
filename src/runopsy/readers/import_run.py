"""A foreign run → a run folder, every value, time and name of it: what is kept outlives the tracker it came from."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from runopsy.errors import BadOption, RunExists
from runopsy.model import Run
from runopsy.store import EVENTS, FORMAT, JOURNAL, SIGNALS, part_name, write_manifest

if TYPE_CHECKING:
    import pyarrow as pa

UNSAFE = re.compile(r"[^\w.=,+@-]+")  # in the name of a folder


def keep(run: Run, folder: Path) -> None:
    """Write a run as a run folder, which appears whole or not at all.

    Columns keep their own names and their order within each attempt; what a reader noted goes with them. An axis
    that is no step is named in run.json, and its positions are kept as they are, whole or not.

    Raises:
        RunExists: the folder is taken.
        BadOption: the file system does not let us.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RunExists(f"{folder} exists", hint="name a folder that does not exist yet; nothing is overwritten")
    draft = folder.with_name(f".{folder.name}.importing-{os.getpid()}")
    try:
        (draft / SIGNALS).mkdir(parents=True)
        (draft / JOURNAL).mkdir()
        _write_part(run, draft / SIGNALS / f"{part_name(0, 0, 0)}.parquet")
        if run.marks:
            events = ({"step": mark.step, "kind": mark.kind, **mark.detail} for mark in run.marks)
            (draft / EVENTS).write_text("".join(json.dumps(mark, default=str) + "\n" for mark in events), "utf-8")
        write_manifest(draft, _manifest(run))
        if folder.exists():
            folder.rmdir()  # empty, as we have seen
        os.replace(draft, folder)
    except OSError as cause:
        shutil.rmtree(draft, ignore_errors=True)
        raise BadOption(f"{folder} cannot be written: {cause.strerror or cause}", hint="name another folder") from cause


def folder_name(name: str) -> str:
    """A run's name as that of a folder: version_0/metrics.csv → version_0-metrics.csv."""
    return UNSAFE.sub("-", name).strip("-.")[:100] or "run"


def _manifest(run: Run) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "id": run.id,
        "axis": run.axis,
        "status": run.status or "imported",
        "source": run.path,
        "config": _plain(run.config),
        "notes": list(run.notes),
        "unread": {name: track.unread for name, track in run.tracks.items() if track.unread},
    }


def _plain(value: Any) -> Any:
    """What JSON can hold: numbers that are none become text."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _write_part(run: Run, path: Path) -> None:
    import pyarrow.parquet as pq

    whole = all((track.step == np.round(track.step)).all() for track in run.tracks.values())
    pq.write_table(
        _table(run, whole=whole),
        path,
        compression="zstd",
        use_dictionary=["signal", "rank", "session"],
        column_encoding={
            "step": "DELTA_BINARY_PACKED" if whole else "BYTE_STREAM_SPLIT",
            "time": "BYTE_STREAM_SPLIT",
            "value": "BYTE_STREAM_SPLIT",
        },  # as the recorder's own parts: the smallest that still read one signal fast
        write_page_checksum=True,  # or a flipped bit would be read as another value
    )


def _table(run: Run, *, whole: bool) -> pa.Table:
    """The columns of a part; a time that was not logged is NaN."""
    import pyarrow as pa

    tracks = list(run.tracks.values())
    lengths = [len(track) for track in tracks]

    def joined(arrays: list[np.ndarray], kind: str) -> np.ndarray:
        return np.concatenate(arrays).astype(kind) if arrays else np.zeros(0, kind)

    codes = pa.array(np.repeat(np.arange(len(tracks), dtype="<i4"), lengths))
    names = pa.array([track.name.encode("utf-8", "replace").decode() for track in tracks], pa.string())
    count = sum(lengths)
    return pa.table(
        {
            "signal": pa.DictionaryArray.from_arrays(codes, names),
            "step": joined([track.step for track in tracks], "<i8" if whole else "<f8"),
            "time": joined([np.full(len(t), np.nan) if t.time is None else t.time for t in tracks], "<f8"),
            "value": joined([track.value for track in tracks], "<f8"),
            "rank": np.zeros(count, "<i4"),
            "session": joined([np.zeros(len(t)) if t.session is None else t.session for t in tracks], "<i4"),
        }
    )
