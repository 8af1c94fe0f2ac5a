"""Folders of trackers, and the small files beside their metrics."""

from __future__ import annotations

import re
from pathlib import Path

from runopsy.readers.folders import natural

SMALL = 1 << 20  # bytes of a file that holds a run's name, or what it was started with
SETTING = re.compile(r"^([\w./-]+): *(?:'([^']*)'|\"([^\"]*)\"|([^\n]*?)) *$", re.MULTILINE)


def inside(folder: Path) -> list[Path]:
    """What lies in a folder, without links, which lead out of it; nothing where it is not for us to look into."""
    try:
        return sorted((entry for entry in folder.iterdir() if not entry.is_symlink()), key=natural)
    except OSError:
        return []


def text_of(file: Path) -> str:
    """A small file; empty where it cannot be read, is no file, or is a link."""
    try:
        if file.is_symlink() or not file.is_file():
            return ""
        with file.open("rb") as opened:
            return opened.read(SMALL).decode("utf-8", errors="replace")
    except OSError:
        return ""


def settings(file: Path) -> dict[str, str]:
    """The lines ``key: value`` of a YAML file that are not indented, as text."""
    return {key: a or b or c for key, a, b, c in SETTING.findall(text_of(file))}
