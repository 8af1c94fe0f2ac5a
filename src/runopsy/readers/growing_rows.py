"""Rows that are parsed once, as they come: tables of numbers and JSON lines, as their readers would give them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from runopsy.errors import UnreadableLog
from runopsy.readers.dialect import layout
from runopsy.readers.formats import delimited, jsonlines
from runopsy.readers.json_shapes import flat
from runopsy.readers.numeric_text import listed
from runopsy.readers.run_selection import Found
from runopsy.readers.source import Source
from runopsy.readers.table_to_run import to_run

if TYPE_CHECKING:
    import polars as pl


class Rows(Protocol):
    """The rows of a text, as far as they came."""

    def feed(self, data: bytes) -> bool:
        """Take whole lines; False where they are not as the lines before, and all must be read at once."""
        ...

    def run(self, source: Source) -> Found:
        """The run, or the runs, that the rows describe.

        Raises:
            UnreadableLog: they describe none.
        """
        ...


def rows_of(name: str, source: Source, before: Rows | None) -> Rows | None:
    """What parses this text line by line; None where nothing does.

    Args:
        name: of the reader that recognises it.
        source: the text so far.
        before: of the file that this one follows: rows without a header go on under its header.
    """
    if name == "jsonlines":
        return JsonRows()
    if name != "delimited" or source.encoding != "utf-8-sig":
        return None
    found = layout(tuple(source.first_lines()))
    if found is None:
        return None
    if delimited.is_plain(found):
        return TableRows(found.names, found.separator)
    if isinstance(before, TableRows) and not found.names and found.width == len(before.names):
        return TableRows(before.names, before.separator, headed=True)
    return None


class TableRows:
    """Numbers alone in even rows under one header."""

    def __init__(self, names: tuple[str, ...], separator: str, *, headed: bool = False) -> None:
        self.names, self.separator = names, separator
        self._parts: list[pl.DataFrame] = []
        self._headed = headed  # whether the header is behind us

    def feed(self, data: bytes) -> bool:
        skip, self._headed = (0 if self._headed else 1), self._headed or bool(data)
        if data.count(b"\n") <= skip:
            return True  # nothing, or the header alone
        frame = delimited.numbers_alone(data, self.separator, len(self.names), skip=skip)
        if frame is not None:
            self._parts.append(frame)
        return frame is not None

    def run(self, source: Source) -> Found:
        import polars as pl

        if not self._parts:
            raise UnreadableLog(f"{source.name} has a header and no rows", hint="the training has logged nothing yet")
        self._parts = [pl.concat(self._parts)]
        return to_run(self._parts[0], self.names, source, [])


class JsonRows:
    """An object a line, with keys that come and go."""

    def __init__(self) -> None:
        self._parts: list[pl.DataFrame] = []
        self._lists: dict[str, None] = {}
        self._skipped = 0

    def feed(self, data: bytes) -> bool:
        import polars as pl

        level: list[dict[str, Any]] = []
        for line in filter(str.strip, data.decode("utf-8-sig", errors="replace").replace("\r", "\n").split("\n")):
            row = jsonlines.row_of(line)
            if row is None:
                self._skipped += 1
                continue
            cells = dict(flat(row))
            self._lists |= dict.fromkeys(n for n, v in cells.items() if isinstance(v, (list, dict)))
            level.append({n: v for n, v in cells.items() if not isinstance(v, (list, dict))})
        names = dict.fromkeys(name for row in level for name in row)
        if names:
            columns = {jsonlines.utf8(n): jsonlines.series(0, [row.get(n) for row in level]) for n in names}
            self._parts.append(pl.DataFrame(columns))
        return True

    def run(self, source: Source) -> Found:
        import polars as pl

        if not self._parts:
            raise UnreadableLog(f"{source.name} has objects without a single value", hint="log numbers, not lists")
        mixed = {n for part in self._parts for n, t in part.schema.items() if t == pl.String}
        parts = [p.with_columns(pl.col(n).cast(pl.String) for n in p.columns if n in mixed) for p in self._parts]
        self._parts = [pl.concat(parts, how="diagonal")]
        notes = [f"lists are no curves and were left out: {listed(self._lists)}"] if self._lists else []
        if self._skipped:
            notes.insert(0, f"{self._skipped} lines that are no JSON object were left out (a torn last line is usual)")
        return to_run(self._parts[0], self._parts[0].columns, source, notes)
