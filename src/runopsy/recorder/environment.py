"""Where and with what a run was made: enough to tell two runs apart, nothing private beyond the command."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def environment() -> dict[str, str | None]:
    """Python, torch, runopsy, platform, command line and git revision; None for what is not there.

    The revision is read from ``.git`` itself: a subprocess in a training script may hang on a file
    system or be forbidden.
    """
    return {
        "python": platform.python_version(),
        "torch": _version("torch"),
        "runopsy": _version("runopsy"),
        "platform": platform.platform(),
        "command": " ".join(sys.argv),
        "git": _revision(Path.cwd()),
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _revision(start: Path) -> str | None:
    """The commit that HEAD names in the nearest enclosing repository."""
    for folder in (start, *start.parents):
        head = folder / ".git" / "HEAD"
        try:
            said = head.read_text(encoding="utf-8").strip()
            if not said.startswith("ref: "):
                return said
            reference = said.removeprefix("ref: ")
            loose = folder / ".git" / reference
            if loose.is_file():
                return loose.read_text(encoding="utf-8").strip()
            for line in (folder / ".git" / "packed-refs").read_text(encoding="utf-8").splitlines():
                if line.endswith(" " + reference):
                    return line.split(" ")[0]
            return None
        except OSError:
            continue
    return None
