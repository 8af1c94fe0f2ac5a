"""One writer a rank: the lock on a run folder, which ends with the process that holds it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from runopsy.errors import RunExists
from runopsy.processes import is_alive, this_process
from runopsy.recorder.compaction import hold, let_go
from runopsy.store import JOURNAL, lock_path, read_lock

TRIES = 20  # at a lock file that another process creates or removes at this very moment


class Lock:
    """Held from ``take`` to ``release``. The kernel ends it when the process dies, whatever the file still says."""

    def __init__(self, path: Path, handle: int) -> None:
        self._path, self._handle = path, handle
        self._pid = os.getpid()

    def release(self) -> None:
        """Let the next writer in; harmless when called twice, and in a forked child."""
        if self._handle < 0 or self._pid != os.getpid():
            return
        if _names(self._path, self._handle):
            self._path.unlink(missing_ok=True)
        let_go(self._handle)
        os.close(self._handle)
        self._handle = -1


def take(folder: Path, rank: int) -> Lock:
    """Make the folder, where it is not there yet, and be the one that writes a rank's share of it.

    Raises:
        RunExists: a living process holds the lock.
        OSError: as the file system says.
    """
    (folder / JOURNAL).mkdir(parents=True, exist_ok=True)
    path = lock_path(folder, rank)
    for _ in range(TRIES):
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        owner = read_lock(path)
        held, alive = hold(handle), is_alive(owner)
        # a worker that was forked, and has outlived the process, still holds what the process had
        if alive or (not held and alive is None):
            os.close(handle)
            raise RunExists(f"{folder} is being recorded by {_who(owner)}", hint=_what_to_do(owner))
        if held and _names(path, handle):
            os.ftruncate(handle, 0)
            os.pwrite(handle, json.dumps(this_process()).encode(), 0)
            return Lock(path, handle)
        if not held:
            path.unlink(missing_ok=True)
        os.close(handle)
    raise RunExists(f"{folder} is being taken by other processes", hint="give each recording a folder of its own")


def _names(path: Path, handle: int) -> bool:
    """Whether the path still leads to the open file."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(handle))
    except FileNotFoundError:
        return False


def _who(owner: dict[str, Any]) -> str:
    if owner.get("pid") == os.getpid():
        return "this very process"
    return f"process {owner['pid']}" if "pid" in owner else "another process"


def _what_to_do(owner: dict[str, Any]) -> str:
    if owner.get("pid") == os.getpid():
        return "call finish() of that recording first, or give another path"
    return "wait until it has ended, or give another path"
