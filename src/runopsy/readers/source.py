"""Bytes with a name: a file, or what came through standard input."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

HEAD = 65_536  # bytes that a reader may look at to recognise a format: a header of 10 000 columns fits


@dataclass(frozen=True, slots=True)
class Source:
    """Where a log comes from; ``head`` is its beginning, ``data`` reads all of it."""

    name: str
    id: str
    head: bytes
    path: Path | None = None
    content: bytes | None = None

    @classmethod
    def from_file(cls, path: Path) -> Source:
        with path.open("rb") as file:
            return cls(str(path), path.stem, file.read(HEAD), path=path)

    @classmethod
    def from_bytes(cls, name: str, content: bytes) -> Source:
        return cls(name, name, content[:HEAD], content=content)

    def data(self) -> bytes:
        if self.content is not None:
            return self.content
        assert self.path is not None  # one of the two is always given
        return self.path.read_bytes()

    @property
    def is_binary(self) -> bool:
        """Text has no NUL bytes and hardly any other control characters."""
        control = sum(byte < 9 or (13 < byte < 32 and byte != 27) for byte in self.head[:4096])
        return b"\0" in self.head or control > len(self.head[:4096]) // 20

    def text(self) -> str:
        """All of it as text; a byte order mark is dropped, a byte that is no UTF-8 is replaced."""
        return self.data().decode("utf-8-sig", errors="replace")

    def first_lines(self, count: int = 20) -> list[str]:
        """The first whole lines that are not blank."""
        text = self.head.decode("utf-8-sig", errors="replace")
        lines = [line for line in text.splitlines() if line.strip()]
        return lines[:count]
