"""CSV, TSV and their cousins: commas, tabs, semicolons, bars or blanks between the cells."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING

from runopsy.errors import UnreadableLog
from runopsy.model import Run
from runopsy.readers.frames import to_run
from runopsy.readers.source import Source

if TYPE_CHECKING:
    import polars as pl

SEPARATORS = (",", "\t", ";", "|")


def recognises(source: Source) -> bool:
    """Text whose first lines fall into the same number of cells, some of them numbers, under a header or not."""
    if source.is_binary:
        return False
    lines = _table_lines(source)
    separator = _separator(lines)
    if not lines:
        return False
    if separator is None:  # a single column: a list of numbers, with or without a name above it
        return len(lines) > 1 and all(_is_number(line) for line in lines[1:])
    widths = [len(_cells(line, separator)) for line in lines]
    same = sum(width == widths[0] for width in widths)
    return widths[0] > 1 and (same >= 0.8 * len(widths) or separator == ",") and _looks_tabular(lines, separator)


def read(source: Source) -> Run:
    import polars as pl  # half a second: only who reads a table pays

    lines = _table_lines(source)
    separator = _separator(lines)
    text, notes = _tidy(source.text(), separator, lines[0])
    if separator == " ":
        text, separator = re.sub(r"[ \t]+", "\t", text), "\t"
    named = not all(_is_number(cell) for cell in _cells(lines[0], separator or ","))
    if named and len(lines) == 1 and "\n" not in text.strip():
        raise UnreadableLog(f"{source.name} has a header and no rows", hint="the training has logged nothing yet")
    try:
        frame = _parse(text.encode(), separator or ",", named)
    except (pl.exceptions.PolarsError, ValueError) as cause:
        raise UnreadableLog(
            f"{source.name} is no table that can be read: {str(cause).splitlines()[0]}",
            hint="check that every row has as many cells as the header",
        ) from cause
    if not named:
        notes.append("the file has no header: columns are named column_1, column_2, …; say what they are with --map")
    return to_run(frame, source, notes)


def _parse(data: bytes, separator: str, named: bool) -> pl.DataFrame:
    """The table; columns that polars cannot take for numbers come as text, for ``to_run`` to read what it can."""
    import polars as pl

    def attempt(infer: bool) -> pl.DataFrame:
        return pl.read_csv(
            io.BytesIO(data),
            separator=separator,
            has_header=named,
            infer_schema=infer,
            infer_schema_length=1000,
            truncate_ragged_lines=True,
            null_values=[""],
        )

    try:
        return attempt(infer=True)
    except pl.exceptions.ComputeError:  # a cell far below contradicts the first thousand rows
        return attempt(infer=False)


def _tidy(text: str, separator: str | None, header: str) -> tuple[str, list[str]]:
    """Without comments and without a torn last line; the header's own comment sign is taken off."""
    notes: list[str] = []
    lines = text.splitlines()
    start = next((i for i, line in enumerate(lines) if line.lstrip("# ").strip() == header.strip()), 0)
    kept = [line for line in lines[start + 1 :] if line.strip() and not line.startswith("#")]
    if separator and kept and not text.endswith(("\n", "\r")):
        last = _cells(kept[-1], separator)
        if len(last) < len(_cells(header, separator)):
            kept.pop()
            notes.append("the last line is incomplete (still being written, or cut by a kill) and was left out")
    return "\n".join([header, *kept]) + "\n", notes


def _table_lines(source: Source) -> list[str]:
    """The first lines of the table itself. A ``# a b c`` right above the numbers is its header (as numpy writes it)."""
    lines = source.first_lines()
    comments = [line for line in lines if line.startswith("#")]
    rows = [line for line in lines if not line.startswith("#")]
    if len(source.head) and not source.head.endswith(b"\n") and len(rows) > 2:
        rows = rows[:-1]  # may be cut by the look-ahead
    if comments and rows and all(_is_number(cell) for cell in _cells(rows[0], _separator(rows) or ",")):
        header = comments[-1].lstrip("# ")
        if len(_cells(header, _separator(rows) or ",")) == len(_cells(rows[0], _separator(rows) or ",")):
            return [header, *rows]
    return rows


def _separator(lines: list[str]) -> str | None:
    """What stands between the cells of the header; a blank only where nothing else does; None for one column."""
    if not lines:
        return None
    counts = {sep: len(_cells(lines[0], sep)) for sep in SEPARATORS}
    best = max(counts, key=lambda sep: counts[sep])
    if counts[best] > 1:
        return best
    return " " if len(lines[0].split()) > 1 else None


def _cells(line: str, separator: str) -> list[str]:
    if separator == " ":
        return line.split()
    return next(csv.reader([line], delimiter=separator), [])


def _looks_tabular(lines: list[str], separator: str) -> bool:
    """Some cell below the header is a number; a header alone must be made of names."""
    if len(lines) == 1:
        return all(re.fullmatch(r"[\w\s./%()\[\]#@:+~-]{1,200}", cell) for cell in _cells(lines[0], separator))
    return any(_is_number(cell) for line in lines[1:] for cell in _cells(line, separator))


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
