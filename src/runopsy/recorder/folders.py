"""Which folder a run gets: a free one, a numbered one, one that is continued, or one that is emptied first."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from runopsy.errors import RunExists
from runopsy.recorder.lock import Lock, take
from runopsy.store import (
    EVENTS,
    EXAMPLES,
    FORMAT,
    JOURNAL,
    LOCK,
    MANIFEST,
    SIGNALS,
    files,
    is_run_folder,
    read_manifest,
)

NUMBER = "{n}"  # in the name of a folder: the first free number


def check_free(folder: Path, resume: bool, overwrite: bool = False) -> None:
    """Whether a run may be written there; nothing is touched.

    Raises:
        RunExists: the path is taken.
    """
    if not os.path.lexists(folder) or _is_unused(folder):
        return
    if not resume and not overwrite:
        hint = 'give another path ("runs/name-{n}" numbers them), resume=True to continue that run, or overwrite=True'
        raise RunExists(f"{folder} exists already", hint=hint)
    if not is_run_folder(folder):
        raise RunExists(f"{folder} exists and is no run folder", hint="give another path")
    version = read_manifest(folder).get("format", FORMAT)
    if resume and (not isinstance(version, int) or version > FORMAT):
        raise RunExists(f"{folder} is a run of format version {version}, a later one", hint="update runopsy")


def _is_unused(folder: Path) -> bool:
    """Whether nothing is there but locks of other ranks of the job that begins, whose folder may just be being made."""
    there = [file.name for file in files(folder)]
    locks = all(file.name.endswith(LOCK) for file in files(folder / JOURNAL))
    return os.path.isdir(folder) and there in ([], [JOURNAL]) and locks


def clear(folder: Path) -> None:
    """Remove a run, but for the locks that are held on it; nothing that is not the recorder's own is touched."""
    for room in (SIGNALS, EXAMPLES):
        shutil.rmtree(folder / room, ignore_errors=True)
    for file in files(folder / JOURNAL):
        if not file.name.endswith(LOCK):
            file.unlink(missing_ok=True)
    for name in (MANIFEST, f"{MANIFEST}.tmp", EVENTS):
        (folder / name).unlink(missing_ok=True)


def next_numbered(pattern: Path) -> tuple[Path, Lock | None]:
    """The folder with the next number, made and taken; one that cannot be made is named all the same."""
    number = max(_numbers(pattern), default=0) + 1
    while True:
        folder = numbered(pattern, number)
        try:
            folder.mkdir(parents=True)
            return folder, take(folder, 0)
        except FileExistsError:  # another process was faster
            number += 1
        except OSError:
            return folder, None


def newest_numbered(pattern: Path) -> Path:
    """The folder with the highest number that is there; the first one where there is none."""
    return numbered(pattern, max(_numbers(pattern), default=1))


def numbered(pattern: Path, number: int) -> Path:
    return pattern.with_name(pattern.name.replace(NUMBER, str(number)))


def _numbers(pattern: Path) -> list[int]:
    """Those that are taken."""
    before, _, after = pattern.name.partition(NUMBER)
    name = re.compile(re.escape(before) + r"([0-9]{1,9})" + re.escape(after))
    found = (name.fullmatch(file.name) for file in files(pattern.parent))
    return [int(match[1]) for match in found if match]
