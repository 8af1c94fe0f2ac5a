"""MLflow's file store: mlruns/EXPERIMENT/RUN/metrics/NAME, a file per metric with a line per value.

A line is the time (ms), the value and the step; very old ones lack the step, newer ones may add a data set.
"""

from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from runopsy.errors import UnreadableLog
from runopsy.model import Run
from runopsy.readers.candidates import Candidate, Found, named
from runopsy.readers.cells import listed
from runopsy.readers.scalars import Scalars, joined, to_run
from runopsy.readers.source import Source

if TYPE_CHECKING:
    import polars as pl

META, METRICS, PARAMS = "meta.yaml", "metrics", "params"
HEADER = b"time value step dataset digest\n"  # what its lines hold, as far as they go
SETTING = re.compile(r"^([a-z_]+): *(?:'([^']*)'|\"([^\"]*)\"|(.*?)) *$", re.MULTILINE)  # all that meta.yaml holds
MOST = 100_000  # files and folders looked at below a run
MILLI = 1e-3  # timestamps count thousandths of a second
LONGEST = 1 << 16  # bytes of a parameter or of meta.yaml


class Place(NamedTuple):
    """A run's folder and what its run and experiment are called."""

    folder: Path
    name: str
    experiment: str


def recognises(source: Source) -> bool:
    """A run, an experiment with runs, or a store of experiments: each has its meta.yaml."""
    if not source.is_folder:
        return False
    inside = source.entries()
    return _is_run(inside) or any(_is_run(_list(e)) or _has_runs(e) for e in inside if e.is_dir())


def read(source: Source) -> Found:
    """The run of a folder, or the runs, without those that were deleted or have no metric."""
    assert source.path is not None  # a folder has one
    places = list(_places(source.path))
    if not places:
        raise UnreadableLog(f"{source.name} holds no run with metrics", hint="the training has logged none yet")
    if len(places) == 1:
        return _load(places[0], places[0].name or source.id)
    return tuple(_candidate(place, name, source.name) for place, name in zip(places, _names(places), strict=True))


def _candidate(place: Place, name: str, store: str) -> Candidate:
    return Candidate(name, lambda: named(_load(place, name), name, store))


def _names(places: list[Place]) -> list[str]:
    several = len({place.experiment for place in places}) > 1
    names = [f"{place.experiment}/{place.name}" if several else place.name for place in places]
    count = Counter(names)
    return [
        name if count[name] == 1 else f"{name} {place.folder.name[:8]}"
        for name, place in zip(names, places, strict=True)
    ]


# --- folders -------------------------------------------------------------------------------------


def _places(root: Path) -> Iterator[Place]:
    """The runs in a run's, an experiment's or a store's folder, in the order in which they were started."""
    found = []
    for experiment, run in _run_folders(root):
        said = _settings(run / META)
        if said.get("lifecycle_stage") != "deleted" and any(_metric_files(run)):
            name = said.get("run_name") or _line(run / "tags" / "mlflow.runName") or run.name
            called = _settings(experiment / META).get("name") or experiment.name
            found.append((said.get("start_time", ""), Place(run, name, called)))
    yield from (place for _, place in sorted(found, key=lambda pair: (pair[0], pair[1].folder)))


def _run_folders(root: Path) -> Iterator[tuple[Path, Path]]:
    if _is_run(_list(root)):
        yield root.parent, root
        return
    for inner in _list(root):
        if inner.is_dir() and _is_run(_list(inner)):
            yield root, inner
        elif inner.is_dir() and not inner.name.startswith("."):
            yield from ((inner, run) for run in _list(inner) if run.is_dir() and _is_run(_list(run)))


def _is_run(inside: list[Path]) -> bool:
    return {META, METRICS} <= {entry.name for entry in inside}


def _has_runs(folder: Path) -> bool:
    inside = _list(folder)
    return any(e.name == META for e in inside) and any(_is_run(_list(e)) for e in inside if e.is_dir())


def _list(folder: Path) -> list[Path]:
    """What lies in a folder, without links, which lead out of it; nothing where it is not for us."""
    try:
        return sorted(entry for entry in folder.iterdir() if not entry.is_symlink())
    except OSError:
        return []


def _metric_files(run: Path) -> Iterator[tuple[str, Path]]:
    """Each metric's name, whose slashes are folders, and its file."""
    waiting = [run / METRICS]
    for _ in range(MOST):
        if not waiting:
            return
        entry = waiting.pop(0)
        if entry.is_dir():
            waiting = _list(entry) + waiting
        elif entry.is_file():
            yield str(entry.relative_to(run / METRICS)), entry


def _settings(file: Path) -> dict[str, str]:
    """What meta.yaml says, which is one plain ``key: value`` per line."""
    return {key: a or b or c for key, a, b, c in SETTING.findall(_line(file))}


def _line(file: Path) -> str:
    """A small file's text; empty where it cannot be read."""
    try:
        with file.open("rb") as opened:
            return opened.read(LONGEST).decode("utf-8", errors="replace")
    except OSError:
        return ""


# --- metrics -------------------------------------------------------------------------------------


def _load(place: Place, name: str) -> Run:
    notes: list[str] = []
    parts, torn, lost = [], 0, []
    for metric, file in _metric_files(place.folder):
        try:
            table, broken = _table(file.read_bytes())
        except OSError as cause:
            lost.append(f"{metric} ({cause.strerror})")
            continue
        torn += broken
        time, value, step = (table[column].to_numpy() for column in ("time", "value", "step"))
        parts.append(Scalars([metric], np.zeros(len(value), np.int64), step, time * MILLI, value))
    if torn:
        notes.append(f"{torn} lines of metrics are torn or no numbers and were left out")
    if lost:
        notes.append(f"metrics that cannot be read: {listed(lost)}")
    config = {file.name: _line(file) for file in _list(place.folder / PARAMS) if file.is_file()}
    return to_run(joined(parts), str(place.folder), name, notes, config=config)


def _table(content: bytes) -> tuple[pl.DataFrame, int]:
    """The lines of a metric as time, value and step, and how many lines are none."""
    import polars as pl

    whole = content[: content.rfind(b"\n") + 1]  # 1e-05 that was cut after its 1 would read as 1
    torn = int(bool(content[len(whole) :].strip()))
    text = pl.read_csv(
        io.BytesIO(HEADER + whole),
        separator=" ",
        quote_char=None,
        infer_schema=False,
        truncate_ragged_lines=True,
        encoding="utf8-lossy",
    )
    numbers = text.select(pl.col("time", "value", "step").cast(pl.Float64, strict=False))
    told = text["step"].is_null() | numbers["step"].is_finite()  # very old files name no step: it is 0
    sound = numbers["time"].is_finite().fill_null(value=False) & numbers["value"].is_not_null() & told
    kept = numbers.filter(sound).with_columns(pl.col("step").fill_null(0.0))
    return kept, torn + text.height - kept.height
