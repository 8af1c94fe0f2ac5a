"""CSV, TSV and their cousins: commas, tabs, semicolons, bars or blanks between the cells."""

from __future__ import annotations

import io
import re
import sys
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from runopsy.errors import UnreadableLog
from runopsy.readers.dialect import UNIT, Layout, is_remark, layout, names_something, split
from runopsy.readers.number_columns import NumberTable, is_small, parse, whole
from runopsy.readers.numeric_text import is_number
from runopsy.readers.run_selection import Found
from runopsy.readers.source import Source
from runopsy.readers.table_to_run import to_run

if TYPE_CHECKING:
    import polars as pl

_layout = lru_cache(maxsize=1)(layout)  # it is asked for twice: to recognise a table, and to read it
MOST = 0.5  # share of rows with more cells than the header, beyond which the separator or a decimal comma is to blame
A_LOG = 2  # lines of text above a table that may be a log of their own
MANY = 50  # tables of one process from which loading polars, a fifth of a second, pays: it reads each 5 ms sooner
_tables = count(1)
AGAIN = 0.5  # share of a line's cells that are known names, and none a number, for it to be another header


class Block(NamedTuple):
    """Rows under one header."""

    names: tuple[str, ...]
    lines: list[str]


def recognises(source: Source) -> bool:
    """Text whose first lines fall into the same cells, at least one column of them numbers, with a header or not.

    A table below the lines of a log, as a script prints at its end, does not make that log a table; nor do lines with
    commas among them, whose first one names nothing that a training logs.
    """
    lines = [] if source.is_binary else source.first_lines()
    found = _layout(tuple(lines))
    if found is None or (found.preface < A_LOG and names_something(found.names)):
        return found is not None
    from runopsy.readers.formats import textlog  # a plain table needs none of it

    return not textlog.is_log("\n".join(lines[: found.preface] if found.preface >= A_LOG else lines))


def read(source: Source) -> Found:
    """The rows under the header, or the headers.

    Raises:
        UnreadableLog: there are none.
    """
    found = _layout(tuple(source.first_lines()))
    if found is None:  # a format that is known by its header alone asks for its rows
        raise UnreadableLog(f"{source.name} has a header and no rows", hint="the training has logged nothing yet")
    separator, names, notes = found.separator, found.names, list[str]()
    plain = _plain(source, found)
    if plain is not None:
        return to_run(plain, names, source, notes)
    text = source.text()
    lines = [line for line in text.split("\n") if line.strip()][found.above :]
    lines = _without_prose([line for line in lines if not is_remark(line)], found, notes)
    if lines and not text.endswith("\n"):
        lines = _without_torn_cell(lines, separator, notes)
    if not lines:
        raise UnreadableLog(f"{source.name} has a header and no rows", hint="the training has logged nothing yet")
    if found.preface:
        notes.append(f"{found.preface} lines of text above the header were left out")
    if not names:
        names = tuple(f"column_{i + 1}" for i in range(found.width))
        notes.append("the file has no header: columns are named column_1, column_2, …; name them with --map")
    blocks = [block for block in _blocks(names, lines, separator, notes) if block.lines]
    if not blocks:
        raise UnreadableLog(f"{source.name} has headers and no rows", hint="the training has logged nothing yet")
    import polars as pl  # a tenth of a second: only who reads text in cells pays

    even = [_even(block, separator, source.name, notes) for block in blocks]
    frame = pl.concat([_parsed(block) for block in even], how="diagonal")
    return to_run(frame, [key.partition(UNIT)[0] for key in frame.columns], source, notes)


NUMBER = re.compile(r"[-+]?(?P<whole>\d+)(?:\.(?P<decimals>\d*))?(?P<power>[eE][-+]?\d{2,})?")


def _plain(source: Source, found: Layout) -> pl.DataFrame | NumberTable | None:
    """The table, by NumPy or polars alone, where it is nothing but numbers in even rows under one header; else None.

    Most logs are that, and large ones read many times as fast so. What is odd in any way is looked at line
    by line instead: quotes, remarks, words for nothing, repeated headers, rows that are too short or too long.
    """
    data = plain_bytes(source, found)
    if data is None:
        return None
    frame = None
    if _sooner_by_polars(data):
        frame = numbers_alone(data, found.separator, found.width, skip=1)
        numbers = None if frame is None else whole(frame)
        if numbers is not None:
            return numbers
    numbers = parse(data, found.separator, found.width)
    if numbers is None and frame is None:
        return numbers_alone(data, found.separator, found.width, skip=1)
    return frame if numbers is None else numbers


def _sooner_by_polars(data: bytes) -> bool:
    """Whether polars reads a small table sooner than NumPy: it is loaded, or so many were read that loading it pays."""
    return is_small(data) and ("polars" in sys.modules or next(_tables) > MANY)


def plain_bytes(source: Source, found: Layout) -> bytes | None:
    """The bytes of a table that may be nothing but numbers in whole lines; None where it cannot be."""
    data = source.data()
    return data if is_plain(found) and source.encoding == "utf-8-sig" and data.endswith(b"\n") else None


def is_plain(found: Layout) -> bool:
    """Whether a table has one header and then its rows, with a separator between cells that no cell holds."""
    return bool(found.names) and not found.preface and found.above == 1 and found.separator not in (" ", UNIT)


def numbers_alone(data: bytes, separator: str, width: int, *, skip: int) -> pl.DataFrame | None:
    """Whole lines of numbers, the first ``skip`` left out, as a table; None if anything else is in them, or nothing."""
    import polars as pl

    try:
        frame = pl.read_csv(
            data,
            separator=separator,
            has_header=False,
            skip_rows=skip,
            quote_char=None,
            schema={str(i): pl.Float64 for i in range(width)},
        )
    except pl.exceptions.PolarsError:  # a cell that is no number, a row that is too long
        return None
    if not frame.height or not frame.to_series(-1).null_count():
        return frame if frame.height else None
    lines = data.count(b"\n") - skip  # rows that are too short lack their last cell
    cells = data.count(separator.encode()) + lines + skip
    return frame if lines == frame.height and cells == (lines + skip) * width else None


def _without_prose(lines: list[str], found: Layout, notes: list[str]) -> list[str]:
    """Without the lines between the rows that are no row: what a script printed there, the marks of a merge.

    They have no separator, and more than a number, which may be what is left of a row that was cut.
    """
    if found.separator == " " or found.width < 2 or any('"' in line for line in lines):
        return lines
    rows = [line for line in lines if found.separator in line or is_number(line)]
    if len(rows) < len(lines):
        notes.append(f"{len(lines) - len(rows)} lines of text between the rows were left out")
    return rows


def _without_torn_cell(lines: list[str], separator: str, notes: list[str]) -> list[str]:
    """Without the last cell of a last line that has no end, unless it is as long as those above it.

    1e-05 that was cut after its 1 would read as 1. Many writers put no end to the last line of a whole file.
    """
    cells = [line.split() if separator == " " else line.split(separator) for line in lines]
    whole_rows = [row for row in cells[:-1] if len(row) == len(cells[-1])]
    if len(whole_rows) == len(lines) - 1 and _is_whole(cells[-1][-1], [row[-1] for row in whole_rows]):
        return lines
    notes.append("the last line has no end (still being written, or cut by a kill): its last cell was left out")
    *whole, last = lines
    if '"' in last or separator not in last.strip():
        return whole
    rest = " ".join([*last.split()[:-1], "-"]) if separator == " " else last.rpartition(separator)[0] + separator
    return [*whole, rest]


def _is_whole(cell: str, above: Sequence[str]) -> bool:
    """Whether a number has as many digits as those above it: as many decimals, or of whole numbers as many in all."""
    written = NUMBER.fullmatch(cell.strip())
    others = [found for text in above if (found := NUMBER.fullmatch(text.strip()))]
    if written is None or not others:
        return False
    if any(other["power"] for other in others):
        return bool(written["power"])
    decimals = min(len(other["decimals"] or "") for other in others)
    if decimals == 0:
        return not written["decimals"] and len(written["whole"]) >= len(others[-1]["whole"])
    return len(written["decimals"] or "") >= decimals


def _blocks(names: tuple[str, ...], lines: Sequence[str], separator: str, notes: list[str]) -> list[Block]:
    """The rows under each header: a script that appends to its log writes a header again, or a new one."""
    blocks = [Block(names, [])]
    known = {name.strip() for name in names} - {""}
    again = 0
    for line in lines:
        first = line.partition(separator)[0].strip(' "')
        if first in known and (header := _header(line, known, separator)):
            again += 1
            if header != blocks[-1].names:
                known |= {name.strip() for name in header} - {""}
                blocks.append(Block(header, []))
        else:
            blocks[-1].lines.append(line)
    if len(blocks) > 1:
        notes.append(f"the header changes {len(blocks) - 1} times: columns are matched by their names")
    elif again:
        notes.append(f"the header occurs {again} more times, as where a script appends to its log")
    return blocks


def _header(line: str, known: set[str], separator: str) -> tuple[str, ...]:
    """The names in a line further down, if it is a header."""
    cells = next(split([line], separator))[0]
    named = sum(cell.strip() in known for cell in cells)
    return tuple(cells) if named >= AGAIN * len(cells) and not any(map(is_number, cells)) else ()


def _even(block: Block, separator: str, name: str, notes: list[str]) -> Block:
    """The rows with ``UNIT`` between their cells, none of them wider than the header.

    Raises:
        UnreadableLog: most rows are wider.
    """
    width = len(block.names)
    kept: list[str] = []
    narrow = wide = 0
    for line in _unquoted(block.lines, separator):
        cells = line.count(UNIT) + 1
        if cells > width:
            line = line.rstrip(UNIT)  # noqa: PLW2901  # empty cells at the end are no data
            wide += line.count(UNIT) >= width
        narrow += cells < width
        if line.count(UNIT) < width:
            kept.append(line + UNIT * (width - 1 - line.count(UNIT)))
    if wide > MOST * len(block.lines):
        raise UnreadableLog(
            f"{name} has {width} names in its header and more cells than that in most rows",
            hint="a decimal comma between commas reads so; export with points, or with semicolons between the cells",
        )
    if wide:
        notes.append(f"{wide} rows have more cells than the header and were left out")
    if narrow:
        notes.append(f"{narrow} rows have fewer cells than the header: what they lack counts as empty")
    return Block(block.names, kept)


def _unquoted(lines: Sequence[str], separator: str) -> list[str]:
    """The rows with ``UNIT`` between their cells."""
    if separator == UNIT:
        return list(lines)
    if separator == " ":
        return [UNIT.join(line.split()) for line in lines]
    if not any('"' in line for line in lines):  # nearly always, and many times as fast
        return [line.replace(separator, UNIT) for line in lines]
    return [
        UNIT.join(" ".join(cell.split(UNIT)).replace("\n", " ") for cell in cells)
        for cells, _ in split(lines, separator)
    ]


def _parsed(block: Block) -> pl.DataFrame:
    """Text in every cell; columns are called by their name, ``UNIT`` and how often it occurred before."""
    import polars as pl

    count: Counter[str] = Counter()
    keys = []
    for name in block.names:
        keys.append(f"{name}{UNIT}{count[name]}")
        count[name] += 1
    return pl.read_csv(
        io.BytesIO("".join(f"{line}\n" for line in block.lines).encode()),
        separator=UNIT,
        quote_char=None,
        has_header=False,
        schema=dict.fromkeys(keys, pl.String),
    )
