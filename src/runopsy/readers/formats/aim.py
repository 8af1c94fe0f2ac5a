"""Aim: named, not read; its RocksDB files need Aim itself."""

from __future__ import annotations

from runopsy.errors import UnreadableLog
from runopsy.readers.folders import LOGS
from runopsy.readers.run_selection import Found
from runopsy.readers.source import Source

REPOSITORY, INSIDE = ".aim", {"run_metadata.sqlite", "meta"}


def recognises(source: Source) -> bool:
    """A repository, or a folder that holds one and nothing else that could be a log or hold one."""
    if not source.is_folder:
        return False
    entries = source.entries
    if {entry.name for entry in entries} >= INSIDE:
        return True
    here = [entry for entry in entries if entry.name == REPOSITORY and entry.is_dir()]
    others = [entry for entry in entries if not entry.name.startswith(".")]
    return bool(here) and not any(entry.is_dir() or LOGS.search(entry.name) for entry in others)


def read(source: Source) -> Found:
    """Reports how to export.

    Raises:
        UnreadableLog: always.
    """
    raise UnreadableLog(
        f"{source.name} is an Aim repository, which only Aim can read",
        hint="where Aim is installed: python -c \"import aim; aim.Repo('.').query_metrics()"
        ".dataframe().to_csv('metrics.csv')\", then analyze metrics.csv",
    )
