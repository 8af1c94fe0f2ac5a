"""A zip archive or the folder that it was packed from: some of its files by name, never unpacked to disk."""

from __future__ import annotations

import lzma
import zipfile
import zlib
from collections.abc import Iterator
from typing import IO

from runopsy.errors import UnreadableLog
from runopsy.readers.source import Source

MAGIC = b"PK\x03\x04"
# A log of JSON lines shrinks to a twentieth or so; what shrinks to less than this share of itself is a bomb.
SMALLEST = 1 / 250
SLACK = 1 << 20  # bytes that are no bomb, however small they pack
LONGEST_LINE = 1 << 22  # bytes; a longer line is cut, and then no JSON
BROKEN = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError, NotImplementedError, ValueError)


def names(source: Source) -> set[str]:
    """The files of an archive or folder; none where it is neither, or broken."""
    if source.is_folder:
        return {entry.name for entry in source.entries if entry.is_file()}
    if not source.head.startswith(MAGIC):
        return set()
    try:
        with source.open() as file, zipfile.ZipFile(file) as archive:
            return set(archive.namelist())
    except BROKEN:
        return set()


def lines(source: Source, name: str, notes: list[str]) -> Iterator[bytes]:
    """The lines of one file of an archive or folder; what is damaged is left out, and reported.

    Raises:
        UnreadableLog: it is a bomb.
    """
    if source.is_folder:
        assert source.path is not None  # a folder has one
        with (source.path / name).open("rb") as plain:
            yield from _lines(plain)
        return
    try:
        with source.open() as file, zipfile.ZipFile(file) as archive:
            about = archive.getinfo(name)
            if about.file_size * SMALLEST > about.compress_size and about.file_size > SLACK:
                times = about.file_size / max(1, about.compress_size)
                raise UnreadableLog(
                    f"{name} in {source.name} unpacks to {times:,.0f} times its size: no log does",
                    hint="it looks like a zip bomb; if it is not, unpack it and give the folder",
                )
            with archive.open(about) as member:
                yield from _lines(member)
    except BROKEN as cause:
        notes.append(f"{name} is damaged ({cause}): what was whole of it is here")


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    while line := file.readline(LONGEST_LINE):
        yield line
