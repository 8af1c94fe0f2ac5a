"""MLflow's file store: mlruns/EXPERIMENT/RUN/metrics/NAME, a file per metric with a line per value.

A line is the time (ms), the value and the step; very old ones lack the step, newer ones may add a data set.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from runopsy.errors import UnreadableLog
from runopsy.model import Run
from runopsy.readers.metric_tsv import number_lines
from runopsy.readers.numeric_text import listed
from runopsy.readers.run_selection import Candidate, Found, named
from runopsy.readers.scalars import MILLI, Scalars, joined, to_run
from runopsy.readers.source import Source
from runopsy.readers.tracker_files import inside, settings, text_of

if TYPE_CHECKING:
    import polars as pl

META, METRICS, PARAMS = "meta.yaml", "metrics", "params"
HEADER = b"time value step dataset digest\n"  # what its lines hold, as far as they go
MOST = 100_000  # files and folders looked at below a run


class Place(NamedTuple):
    """A run's folder and what its run and experiment are called."""

    folder: Path
    name: str
    experiment: str


def recognises(source: Source) -> bool:
    """A run, an experiment with runs, or a store of experiments: each has its meta.yaml."""
    if not source.is_folder:
        return False
    entries = source.entries
    return _is_run(entries) or any(_is_run(inside(e)) or _has_runs(e) for e in entries if e.is_dir())


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
        about = settings(run / META)
        if about.get("lifecycle_stage") != "deleted" and any(_metric_files(run)):
            name = about.get("run_name") or text_of(run / "tags" / "mlflow.runName") or run.name
            called = settings(experiment / META).get("name") or experiment.name
            found.append((about.get("start_time", ""), Place(run, name, called)))
    yield from (place for _, place in sorted(found, key=lambda pair: (pair[0], pair[1].folder)))


def _run_folders(root: Path) -> Iterator[tuple[Path, Path]]:
    if _is_run(inside(root)):
        yield root.parent, root
        return
    for inner in inside(root):
        if inner.is_dir() and _is_run(inside(inner)):
            yield root, inner
        elif inner.is_dir() and not inner.name.startswith("."):
            yield from ((inner, run) for run in inside(inner) if run.is_dir() and _is_run(inside(run)))


def _is_run(entries: Sequence[Path]) -> bool:
    return {META, METRICS} <= {entry.name for entry in entries}


def _has_runs(folder: Path) -> bool:
    entries = inside(folder)
    return any(e.name == META for e in entries) and any(_is_run(inside(e)) for e in entries if e.is_dir())


def _metric_files(run: Path) -> Iterator[tuple[str, Path]]:
    """Each metric's name, whose slashes are folders, and its file."""
    waiting = [run / METRICS]
    for _ in range(MOST):
        if not waiting:
            return
        entry = waiting.pop(0)
        if entry.is_dir():
            waiting = inside(entry) + waiting
        elif entry.is_file():
            yield str(entry.relative_to(run / METRICS)), entry


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
    config = {file.name: text_of(file) for file in inside(place.folder / PARAMS) if file.is_file()}
    return to_run(joined(parts), str(place.folder), name, notes, config=config)


def _table(content: bytes) -> tuple[pl.DataFrame, int]:
    """The lines of a metric as time, value and step, and how many lines are none."""
    table, torn = number_lines(content, " ", HEADER)
    sound = table["time"].is_finite() & table["value"].is_not_null()
    kept = table.filter(sound.fill_null(value=False)).fill_null(0.0)  # very old files name no step
    return kept, torn + table.height - kept.height
