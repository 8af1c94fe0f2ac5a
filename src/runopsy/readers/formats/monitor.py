"""Monitor files of reinforcement learning: a line per episode with its reward ``r``, length ``l`` and time ``t``."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np

from runopsy.errors import UnreadableLog
from runopsy.model import Run
from runopsy.readers.formats import delimited
from runopsy.readers.run_selection import Found
from runopsy.readers.source import Source

COLUMNS = ("r", "l", "t")  # in this order, whatever further columns follow


def recognises(source: Source) -> bool:
    """A table whose header begins with r, l, t, below a line that names where it was recorded or without one."""
    if source.is_binary or source.is_folder:
        return False
    lines = [line for line in source.first_lines()[:3] if not line.startswith("#")]
    return bool(lines) and tuple(lines[0].strip().replace('"', "").split(",")[:3]) == COLUMNS


def read(source: Source) -> Found:
    """The episodes, counted by the steps of the environment that they took together.

    Raises:
        UnreadableLog: no episode has been written yet.
    """
    if not delimited.recognises(source):
        raise UnreadableLog(f"{source.name} has a header and no episodes", hint="no episode has ended yet")
    found = delimited.read(source)
    if not isinstance(found, Run) or "l" not in found.tracks or found.axis == "step":
        return found
    length = found.tracks["l"]
    if not (np.isfinite(length.value) & (length.value >= 0)).all():
        return found
    steps = np.cumsum(length.value)
    tracks = {
        name: replace(track, step=steps, session=None)
        for name, track in found.tracks.items()
        if len(track) == len(steps)
    }
    notes = [note for note in found.notes if "rows are counted" not in note]
    note = "positions are the steps of all episodes so far, summed from column l"
    return replace(found, axis="step", tracks=tracks, notes=(note, *notes), config=_config(source))


def _config(source: Source) -> dict[str, Any]:
    """What the line above the header holds."""
    first = source.first_lines()[0].lstrip("# ")
    try:
        content = json.loads(first) if first.startswith("{") else {}
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}
