"""What the words on the command line mean: every log that is to be examined, each once."""

from __future__ import annotations

import glob
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from runopsy import readers
from runopsy.errors import UnreadableLog
from runopsy.study import content, remote

MOST = 5_000_000  # files and folders below one that is given: a sweep of a million runs has a few each
LIST = "-"  # paths on standard input, one a line


@dataclass(frozen=True, slots=True)
class Log:
    """Where a log is, and what shows whether it has changed since."""

    path: str
    rank: int  # the place of its reader among all
    stamp: str  # empty: only its content shows it
    trouble: str = ""  # why it cannot be read


@dataclass(frozen=True, slots=True)
class Before:
    """What is known of a log from an earlier sweep."""

    rank: int
    stamp: str


def collect(sources: Iterable[str], before: Mapping[str, Before] | None = None) -> tuple[Log, ...]:
    """Every log that the sources name, in the order of the sources and in each of its path.

    Args:
        sources: folders, files, patterns, addresses (``s3://…``), or ``-`` for a list of these on standard input.
        before: path → what is known of the logs of an earlier sweep: they are not opened to be recognised again.

    Raises:
        UnreadableLog: nothing of what was named holds a log; what is missing among others becomes a log in trouble.
    """
    found: dict[str, Log] = {}
    for source in _spelled_out(sources):
        try:
            logs = list(_logs(source, before or {}))
        except UnreadableLog as error:
            logs = [Log(source, 0, "", error.message)]
        for log in logs:
            found.setdefault(log.path, log)
    if not found:
        raise UnreadableLog("no run was named", hint="give folders, files or patterns, or - for a list on stdin")
    if all(log.trouble for log in found.values()):
        first = next(iter(found.values()))
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise UnreadableLog(
            f"{first.trouble}{more}", hint="give folders that hold runs, log files, or patterns of them"
        )
    return tuple(found.values())


def _spelled_out(sources: Iterable[str]) -> Iterator[str]:
    """The sources, with lists and patterns replaced by what they name."""
    for source in sources:
        if source == LIST:
            yield from _spelled_out(line.strip() for line in sys.stdin if line.strip() and line.strip() != LIST)
        elif not remote.is_address(source) and glob.has_magic(source) and not os.path.exists(source):
            yield from sorted(glob.glob(source, recursive=True)) or [source]
        else:
            yield source


def _logs(source: str, before: Mapping[str, Before]) -> Iterator[Log]:
    if remote.is_address(source):
        for address, state in remote.listing(source).items():
            yield Log(address, 0, state)
        return
    stamps: dict[Path, str] = {}
    for path, rank in readers.logs(source, _known(before, stamps), MOST).items():
        yield Log(str(path), rank, stamps[path] if path in stamps else _stamp(path))


def _known(before: Mapping[str, Before], stamps: dict[Path, str]) -> Callable[[Path], int | None]:
    """For a file or folder the place of its reader, where it is what it was when it was examined."""

    def known(path: Path) -> int | None:
        then = before.get(str(path))
        if then is None or not then.stamp:
            return None
        stamps[path] = _stamp(path)
        return then.rank if stamps[path] == then.stamp else None

    return known


def _stamp(path: Path) -> str:
    try:
        return content.stamp(path)
    except OSError:
        return ""  # gone, or not for us: whoever reads it reports that
