"""Bytes with a name: a file, or what came through standard input; or a folder, which has files instead of bytes."""

from __future__ import annotations

import codecs
import io
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

HEAD = 65_536  # bytes that a reader may look at to recognise a format
LONGEST_LINE = 1 << 24  # bytes by which the head grows to end with its line: 10 000 columns have a header of 100 kB
ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")  # colours, titles, cursor
HOLE = re.compile(b"\0{16,}")  # what a writer leaves whose file was emptied or cut behind its back; no number looks so
CONTROL = bytes(byte for byte in range(32) if byte < 8 or (byte > 13 and byte != 27))
BOMS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # PowerShell's ``>`` and Excel's "Unicode text" write them


@dataclass(frozen=True, slots=True)
class Source:
    """Where a log comes from; ``head`` is its beginning, ``data`` reads all of it."""

    name: str
    id: str
    head: bytes
    path: Path | None = None
    content: bytes | None = None
    is_folder: bool = False  # then ``head`` is empty and there is no ``data``
    entries: tuple[Path, ...] = ()  # in a folder, files and folders by name; links are none, wherever they lead

    @classmethod
    def from_file(cls, path: Path) -> Source:
        with path.open("rb") as file:
            return cls(str(path), path.stem, _beginning(file), path=path)

    @classmethod
    def from_folder(cls, path: Path) -> Source:
        """A folder, whose entries are listed once, for all readers that look at them.

        Raises:
            OSError: the file system refuses it.
        """
        entries = tuple(sorted(entry for entry in path.iterdir() if not entry.is_symlink()))
        return cls(str(path), path.resolve().name, b"", path=path, is_folder=True, entries=entries)

    @classmethod
    def from_bytes(cls, name: str, content: bytes) -> Source:
        return cls(name, name, _beginning(io.BytesIO(content)), content=content)

    def data(self) -> bytes:
        if self.content is not None:
            return self.content
        assert self.path is not None  # one of the two is always given
        return self.path.read_bytes()

    def open(self) -> BinaryIO:
        """The bytes as a file, for readers that need not have all of them at once.

        Raises:
            OSError: the file system refuses it.
        """
        if self.content is not None:
            return io.BytesIO(self.content)
        assert self.path is not None  # one of the two is always given
        return self.path.open("rb")

    @property
    def is_empty(self) -> bool:
        return not self.head.strip(b"\0 \t\r\n\f\v") or self.head in (*BOMS, codecs.BOM_UTF8)

    @property
    def is_binary(self) -> bool:
        """Text has no NUL bytes, but where a power cut left them at its end, or a file that was emptied under its
        writer has a hole of them; and hardly any other control characters.

        Backspaces are text: progress bars go back by them.
        """
        if self.head.startswith(BOMS):
            return False
        start = HOLE.sub(b"", self.head.strip(b"\0")) if b"\0" in self.head else self.head  # nearly all have none
        beginning = start[:4096]
        control = len(beginning) - len(beginning.translate(None, CONTROL))
        return b"\0" in start or control > len(beginning) // 20

    @property
    def encoding(self) -> str:
        """UTF-8 unless the head shows another encoding: UTF-16 by its mark, else what Windows and Latin-1 share."""
        if self.head.startswith(BOMS):
            return "utf-16"
        try:
            codecs.getincrementaldecoder("utf-8")().decode(self.head)  # not offended by a character cut at the end
        except UnicodeDecodeError:
            return "cp1252"
        return "utf-8-sig"

    def text(self) -> str:
        r"""All of it, lines ending in \n whoever wrote them; a byte that means nothing is replaced."""
        return _decoded(self.data(), self.encoding)

    def head_text(self) -> str:
        """The head as text, a line that is cut at its end included."""
        return _text(self.head, self.encoding)

    def first_lines(self) -> list[str]:
        """The whole lines of the head that are not blank."""
        text = self.head_text()
        last_is_whole = text.endswith("\n") or len(self.head) < HEAD  # a shorter head is the whole file
        lines = text.split("\n")
        return [line for line in (lines if last_is_whole else lines[:-1]) if line.strip()]


@lru_cache(maxsize=1)  # one reader after the other looks at the same head
def _text(head: bytes, encoding: str) -> str:
    return _decoded(head, encoding)


def _decoded(data: bytes, encoding: str) -> str:
    data = HOLE.sub(b"\n", data) if b"\0" in data and not data.startswith(BOMS) else data
    text = data.decode(encoding, errors="replace").strip("\0")
    if "\x1b" in text:
        text = ESCAPES.sub("", text)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _beginning(file: BinaryIO) -> bytes:
    head = file.read(HEAD)
    return head if head.endswith(b"\n") or len(head) < HEAD else head + file.readline(LONGEST_LINE)
