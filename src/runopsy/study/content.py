"""What a log is known again by: the state of its files, their bytes, and the values that were read from them."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path

from runopsy.model import Run
from runopsy.version import VERSION

SIZE = 16  # bytes of a digest: two of 1e9 logs alike by chance in 1 of 1e20 studies
SETTLED = (
    2.0  # s after its last change from which a file's times show a later change: clocks of file systems are coarse
)
PIECE = 1 << 20  # bytes that are read at once


def stamp(path: Path) -> str:
    """Names, sizes and times of all files of a log; empty where one was changed just now, and may be again unseen.

    Raises:
        OSError: the file system refuses it.
    """
    digest, latest = hashlib.blake2b(digest_size=SIZE), 0.0
    for name, place in _files(path):
        about = os.stat(place)
        digest.update(f"{name}\0{about.st_size}\0{about.st_mtime_ns}\0{about.st_ctime_ns}\0{about.st_ino}\0".encode())
        latest = max(latest, about.st_mtime, about.st_ctime)
    return digest.hexdigest() if time.time() - latest > SETTLED else ""


def content(path: Path) -> str:
    """The bytes of all files of a log, with their names.

    Raises:
        OSError: the file system refuses it.
    """
    digest = hashlib.blake2b(digest_size=SIZE)
    for name, place in _files(path):
        digest.update(f"{name}\0{os.stat(place).st_size}\0".encode(errors="surrogateescape"))
        with open(place, "rb") as file:
            while piece := file.read(PIECE):
                digest.update(piece)
    return digest.hexdigest()


def values(run: Run) -> str:
    """Everything that an examination rests on, as it was read."""
    digest = hashlib.blake2b(digest_size=SIZE)
    about = (run.id, run.axis, run.marks, run.config, run.status, run.notes, run.taken, run.missing, run.sizes)
    digest.update(repr(about).encode(errors="replace"))
    for name, track in run.tracks.items():
        digest.update(f"{name}\0{len(track)}\0{track.unread}\0{track.parts}\0".encode(errors="replace"))
        for column in (track.step, track.value, track.time, track.session):
            digest.update(b"-" if column is None else column.tobytes())
    return digest.hexdigest()


def of_text(text: str) -> str:
    return hashlib.blake2b(text.encode(errors="replace"), digest_size=SIZE).hexdigest()


def of_names(names: Mapping[str, str]) -> str:
    """One digest of names and what identifies the state of each, as a store elsewhere gives it."""
    return of_text("\0".join(f"{name}\0{state}" for name, state in sorted(names.items())))


@cache
def program() -> str:
    """This runopsy: its version, and what its modules hold, so that a changed rule is asked again."""
    digest = hashlib.blake2b(VERSION.encode(), digest_size=SIZE)
    root = Path(str(files("runopsy")))
    for place in sorted(root.rglob("*.py")):
        if place.relative_to(root).parts[0] in ("cli", "lab", "recorder", "report", "study"):
            continue  # they find nothing
        digest.update(place.read_bytes())
    return digest.hexdigest()


def _files(path: Path) -> Iterator[tuple[str, str]]:
    """The files of a log, in the order of their names from it on; links are not followed into folders."""
    if not path.is_dir():
        yield path.name, str(path)
        return
    for folder, inner, names in os.walk(path):
        inner.sort()
        for name in sorted(names):
            place = os.path.join(folder, name)
            if os.path.isfile(place):
                yield os.path.relpath(place, path), place
