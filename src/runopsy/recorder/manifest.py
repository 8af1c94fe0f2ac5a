"""run.json and events.jsonl: what a run says about itself."""

from __future__ import annotations

import json
import math
import numbers
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from runopsy.recorder.environment import environment
from runopsy.store import (
    EVENTS,
    FORMAT,
    JOURNAL,
    SIGNALS,
    end_path,
    files,
    read_manifest,
    write_manifest,
)

LOST = ("dropped", "refused", "fractional")  # values: lost, that were no numbers, at steps that were no steps
DEPTH = 20  # levels of a config that are kept as they are; deeper ones, and circles, become text


def begin(folder: Path, earlier: Mapping[str, Any], session: int, about: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest of a run that starts, or goes on where ``earlier`` ended."""
    now = time.time()
    config = about["config"] or earlier.get("config") or {}  # who resumes without one means the same
    return {
        "format": FORMAT,
        "id": earlier.get("id") or folder.name,
        "started": earlier.get("started") or now,
        "ended": None,
        "status": "running",
        **about,
        "config": plain(config),
        "sizes": {**_counts(earlier, "sizes"), **about.get("sizes", {})},
        "model": about.get("model") or _counts(earlier, "model"),
        "environment": environment(),
        "trouble": earlier.get("trouble"),
        **_together([*_sessions(earlier), {"session": session, "started": now}]),
    }


def end(folder: Path, manifest: dict[str, Any], about: dict[str, Any], lost: dict[str, int]) -> None:
    """Write down how this session ended; where a later one has begun meanwhile, run.json is that one's.

    Raises:
        OSError: as the file system says.
    """
    now = time.time()
    own = {name: about[name] for name in ("status", "last_step", "exception") if about[name] is not None}
    mine = manifest["sessions"][-1] | lost | {"ended": now} | own
    there = read_manifest(folder)
    known = {session["session"]: session for session in [*_sessions(manifest), *_sessions(there), mine]}
    if max(known) == mine["session"]:
        there = manifest | about | {"ended": now, "trouble": about["trouble"] or manifest["trouble"]}
    folder.mkdir(parents=True, exist_ok=True)
    write_manifest(folder, there | _together([known[session] for session in sorted(known)]))


def end_of_rank(folder: Path, session: int, rank: int, about: Mapping[str, Any]) -> None:
    """Write down how another rank than the first has ended.

    Raises:
        OSError: as the file system says.
    """
    end_path(folder, session, rank).write_text(json.dumps({**plain(about), "ended": time.time()}), encoding="utf-8")


def _together(sessions: list[dict[str, Any]]) -> dict[str, Any]:
    """The sessions, and what all of them lost."""
    lost = {name: sum(_count(session, name) for session in sessions) for name in LOST}
    return lost | {"sessions": sessions}


def append_event(folder: Path, event: Mapping[str, Any]) -> None:
    """Add one line to events.jsonl; half a line, of a kill or of a full disk, spoils no other.

    Raises:
        OSError: as the file system says.
    """
    line = (json.dumps(plain(event)) + "\n").encode()
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / EVENTS).open("a+b", buffering=0) as file:
        end = file.seek(0, os.SEEK_END)
        if end:
            file.seek(end - 1)
            line = line if file.read(1) == b"\n" else b"\n" + line
        if file.write(line) != len(line):
            file.truncate(end)
            raise OSError("the disk is full")


def next_session(folder: Path, manifest: Mapping[str, Any]) -> int:
    """One more than any session that left a trace, in the manifest or in a file name."""
    return max([-1, *(int(session["session"]) for session in _sessions(manifest)), *_sessions_on_disk(folder)]) + 1


def plain(value: object, depth: int = DEPTH) -> Any:
    """What strict JSON can hold: numbers, text, lists and objects; anything else as text."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value) if math.isfinite(value) else str(float(value))
    if depth and isinstance(value, Mapping):
        return {str(key): plain(inner, depth - 1) for key, inner in value.items()}
    if depth and isinstance(value, (list, tuple, set, frozenset)):
        return [plain(inner, depth - 1) for inner in value]
    try:
        return str(value)
    except Exception:  # a config object's own code
        return f"<{type(value).__name__}>"


def _counts(manifest: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = manifest.get(name)
    return value if isinstance(value, dict) else {}


def _count(manifest: Mapping[str, Any], name: str) -> int:
    value = manifest.get(name)
    return value if isinstance(value, int) else 0


def _sessions(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    listed = manifest.get("sessions")
    entries = listed if isinstance(listed, list) else []
    return [entry for entry in entries if isinstance(entry, dict) and isinstance(entry.get("session"), int)]


def _sessions_on_disk(folder: Path) -> Iterator[int]:
    for room in (SIGNALS, JOURNAL):
        for file in files(folder / room):
            head = file.name.split("-")[0]
            if head.isdigit():
                yield int(head)
