"""How the recorder says that something went wrong: once a run, and never by an exception."""

from __future__ import annotations

import inspect
import sys
import warnings
from pathlib import Path


class Complaints:
    """The one warning of a run. It must not raise even where the user turned warnings into errors."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._warned = False

    def __call__(self, what: str) -> None:
        if self._warned:
            return
        self._warned = True
        text = f"runopsy: recording to {self._folder} has trouble: {what}"
        try:
            warnings.warn(text, RuntimeWarning, stacklevel=_depth_of_caller())
        except Exception:  # the warning itself, or a hook of the user's that shows it
            to_stderr(text)


def to_stderr(text: str) -> None:
    """A line on stderr, if there is one."""
    try:
        print(text, file=sys.stderr)
    except (OSError, ValueError):
        return  # it is closed, or on the disk that is full


def _depth_of_caller() -> int:
    """How many frames above ``Complaints`` the user's code is: the warning should name a line of theirs."""
    frame, depth = inspect.currentframe(), 0
    while frame is not None and frame.f_back is not None and _ours(frame.f_globals.get("__name__")):
        frame, depth = frame.f_back, depth + 1
    return max(depth, 1)


def _ours(module: object) -> bool:
    return isinstance(module, str) and module.startswith("runopsy.recorder.")
