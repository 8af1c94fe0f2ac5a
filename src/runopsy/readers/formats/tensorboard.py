"""TensorBoard: an event file, or a folder of them.

A run is a folder with event files, several where it was restarted. Below it lie folders of writers that
belong to it: train/ and validation/ as Keras has them, one per curve as ``add_scalars`` makes them, one
named by the clock as ``add_hparams`` makes them. Other folders with event files are runs of their own.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from runopsy.model import Run
from runopsy.readers.events import is_event, scalars
from runopsy.readers.folders import natural
from runopsy.readers.run_selection import Candidate, Found, named
from runopsy.readers.scalars import Scalars, joined, to_run
from runopsy.readers.source import HEAD, Source
from runopsy.readers.tracker_files import inside
from runopsy.signals.names import SIDE_OF, words

NAME = "tfevents"  # in the name of every event file that any library writes
DEPTH = 5  # folders below the one given
MOST = 20_000  # entries looked at
HPARAMS = re.compile(r"\d{9,10}\.\d+")  # the folder of one call of add_hparams: seconds since 1970


class Writer(NamedTuple):
    """A folder of event files that belongs to a run."""

    files: tuple[Path, ...]
    prefix: str = ""  # in front of its tags
    suffix: str = ""  # behind them


def recognises(source: Source) -> bool:
    if not source.is_folder:
        return is_event(source.head)
    entries = source.entries
    sides = [entry for entry in entries if entry.is_dir() and _is_side(entry.name)]
    return any(_is_events(file) for file in entries) or any(_is_events(f) for side in sides for f in inside(side))


def read(source: Source) -> Found:
    """The run of a file or folder, or the runs of a folder."""
    if not source.is_folder:
        notes: list[str] = []
        with source.open() as file:
            found = scalars(file, source.name, notes)
        return _run([found], source.name, source.id, notes)
    assert source.path is not None  # a folder has one
    root = source.path
    runs = _writers_by_run(root)
    if len(runs) == 1:
        return _load(next(iter(runs.values())), root, source.name, source.id)
    return tuple(_candidate(folder, writers, root, source.name) for folder, writers in runs.items())


def _candidate(folder: Path, writers: list[Writer], root: Path, place: str) -> Candidate:
    name = folder.name if folder == root else str(folder.relative_to(root))
    return Candidate(name, lambda: named(_load(writers, root, str(folder), name), name, place))


def _load(writers: list[Writer], root: Path, path: str, name: str) -> Run:
    notes: list[str] = []
    parts = []
    for writer in writers:
        for place in writer.files:
            with place.open("rb") as file:
                found = scalars(file, str(place.relative_to(root)), notes)
            parts.append(found._replace(names=[f"{writer.prefix}{tag}{writer.suffix}" for tag in found.names]))
    return _run(parts, path, name, notes)


def _run(parts: list[Scalars], path: str, name: str, notes: list[str]) -> Run:
    """Keras numbers its epochs where other writers give steps, and the tag shows it."""
    found = joined(parts)
    epochs = bool(found.names) and all(tag.rpartition("/")[2].startswith("epoch_") for tag in found.names)
    return to_run(found, path, name, notes, counts="epoch" if epochs else "step")


# --- folders -------------------------------------------------------------------------------------


def _writers_by_run(root: Path) -> dict[Path, list[Writer]]:
    """The folders that are runs, and who writes into each; in the order of their names."""
    files = dict(_event_files(root))
    runs: dict[Path, list[Writer]] = {}
    for folder in sorted(files, key=natural):
        above = folder.parent
        if folder != root and _is_side(folder.name):
            runs.setdefault(above, []).append(Writer(files[folder], prefix=f"{folder.name}/"))
        elif above in files and folder != root and HPARAMS.fullmatch(folder.name):
            runs.setdefault(above, []).append(Writer(files[folder]))
        elif above in files and folder != root and (suffix := _added_scalars(folder.name, files[folder])):
            runs.setdefault(above, []).append(Writer(files[folder], suffix=f"/{suffix}"))
        else:
            runs.setdefault(folder, []).append(Writer(files[folder]))
    return runs


def _event_files(root: Path) -> Iterator[tuple[Path, tuple[Path, ...]]]:
    """Every folder with event files, and these in the order of their names, which hold the time."""
    waiting, seen = [(root, 0)], 0
    while waiting and seen < MOST:
        folder, depth = waiting.pop(0)
        entries = inside(folder)
        seen += len(entries)
        if files := tuple(entry for entry in entries if _is_events(entry)):
            yield folder, files
        if depth < DEPTH:
            waiting += [(e, depth + 1) for e in entries if e.is_dir() and not e.name.startswith(".")]


def _is_events(entry: Path) -> bool:
    if NAME not in entry.name or not entry.is_file():
        return False
    try:
        with entry.open("rb") as file:
            return is_event(file.read(HEAD))
    except OSError:
        return False


def _is_side(name: str) -> bool:
    """Whether a folder is called train, validation, eval … and nothing else: "train_large" is a run."""
    parts = words(name)
    return bool(parts) and all(word in SIDE_OF for word in parts)


def _added_scalars(folder: str, files: tuple[Path, ...]) -> str:
    """The curve that a folder of ``add_scalars`` holds; empty for other folders.

    ``add_scalars("loss", {"train": 1.0})`` writes the tag "loss" into a folder "loss_train".
    """
    with files[0].open("rb") as file:
        tags = scalars(io.BytesIO(file.read(HEAD)), "", []).names
    heads = [tag.replace("/", "_") + "_" for tag in tags]
    fits = len(heads) == 1 and folder.startswith(heads[0])
    return folder.removeprefix(heads[0]) if fits else ""
