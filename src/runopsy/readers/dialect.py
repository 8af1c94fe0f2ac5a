"""How a table of text is written: what stands between its cells, and which line names them."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from runopsy.readers.axes import COUNTING, plain
from runopsy.readers.numeric_text import is_missing, is_number
from runopsy.signals.scores import is_metric

UNIT = "\x1f"  # a character of no text: between the cells of a single column, and of rows that were quoted
SEPARATORS = (",", "\t", ";", "|", " ", UNIT)  # a blank, and nothing at all, only where nothing else fits
PREFACE = 50  # lines of text above a header, at most
SAMPLE = 100  # rows looked at to recognise a table
FITS = 0.5  # share of the rows that have as many cells as the first line
FITS_BLANKS = 0.8  # the same where blanks separate: lines of prose have the same number of words now and then
MOSTLY = 0.5  # share of a column's cells that must be numbers; one such column makes a table
NAME = re.compile(r"[\w\s./%()\[\]#@+~-]{0,200}")  # what the name of a column is made of, where nothing else helps
WORDS = 4  # in the name of a column; prose between two commas has more
SWALLOWED = 20  # line breaks in one cell: a quotation mark that nobody closed, rather than a remark of many lines

Cells = list[str]


class Layout(NamedTuple):
    """How a table is written."""

    separator: str
    names: tuple[str, ...]  # of the columns; empty where the file has no header
    width: int
    above: int  # lines above the first row, of those that are not blank
    preface: int  # of these, lines of text above the header
    score: float  # share of the cells that are numbers


def layout(lines: Sequence[str]) -> Layout | None:
    """The layout that makes the most numbers of the first lines; None if they are no table.

    Args:
        lines: the first lines of the text that are not blank, without their ends.
    """
    every = list(islice((i for i, line in enumerate(lines) if not is_remark(line)), PREFACE + SAMPLE))
    preface = _preface([lines[i] for i in every[:PREFACE]])
    at = every[preface:][:SAMPLE]
    if not at:
        return None
    remark = lines[at[0] - 1] if at[0] else ""
    best: Layout | None = None
    for separator in SEPARATORS:
        if best is not None and separator in (" ", UNIT):
            break
        if len(at) > 1 and separator in SEPARATORS[:4] and not any(separator in lines[i] for i in at):
            continue  # one cell in every row
        found = _try(separator, lines, at, remark, strict=preface > 0)
        if found is not None and (best is None or found.score > best.score):
            best = found
    return best if best is None else best._replace(preface=preface)


def _preface(lines: Sequence[str]) -> int:
    """How many lines of text a script wrote above its header: a title, a summary, what it runs on."""
    for i, line in enumerate(lines):
        for separator in SEPARATORS[:4]:
            cells = line.split(separator)
            if len(cells) > 1 and _is_known(cells):
                return i
        if all(is_number(cell) or is_missing(cell) for cell in line.replace(";", ",").split(",")):
            return 0  # the table has begun, without a header
    return 0


def is_remark(line: str) -> bool:
    """Lines that are none of the table: comments, and what gives Excel the separator."""
    return line.startswith("#") or (len(line) < 8 and line.strip('"').startswith("sep="))


def split(lines: Sequence[str], separator: str) -> Iterator[tuple[Cells, int]]:
    """The cells of each row, and how many lines have been used up with it; a quoted cell may span lines.

    A quotation mark that is never closed would swallow the rest of the file: then every line is a row.
    """
    if separator == " ":
        yield from ((line.split(), i) for i, line in enumerate(lines, 1))
    elif separator == UNIT:
        yield from (([line.strip()], i) for i, line in enumerate(lines, 1))
    else:
        rows = _quoted(lines, separator)
        yield from rows or ((line.split(separator), i) for i, line in enumerate(lines, 1))


def _quoted(lines: Sequence[str], separator: str) -> list[tuple[Cells, int]]:
    """As the csv module reads it; empty where a cell has swallowed what follows."""
    reader = csv.reader((f"{line}\n" for line in lines), delimiter=separator, skipinitialspace=True)
    try:
        rows = [(cells, reader.line_num) for cells in reader]
    except csv.Error:  # a cell beyond the module's limit
        return []
    quoted = any('"' in line for line in lines)  # only then does a cell span lines
    swallowed = quoted and any(cell.count("\n") > SWALLOWED for cells, _ in rows for cell in cells)
    return [] if swallowed else rows


def _try(separator: str, lines: Sequence[str], at: Sequence[int], remark: str, *, strict: bool) -> Layout | None:
    """The table that one separator makes of the lines ``at``; ``remark`` stands above the first of them.

    Below a preface, ``strict``, a line of known words is no header by itself: the rows must have its width.
    """
    rows = list(split([lines[i] for i in at], separator))
    (first, used), rest = rows[0], [cells for cells, _ in rows[1:]]
    width = len(first)
    above_names = _names_in(remark, separator, width)
    known = not strict and separator not in (" ", UNIT) and width > 1 and _is_known(first)
    if not (known or _fits(width, rest, separator) or (above_names and not rest)):
        return None
    kinds = [list(map(_is_numeric, cells)) for cells in rest]
    numeric = [_is_column(kinds, j) for j in range(width)]
    named = [not is_missing(cell) and not is_number(cell) for cell in first]
    if not any(named):  # numbers from the first row on
        names, above = above_names, at[0]
        kinds.insert(0, list(map(_is_numeric, first)))
        if not any(_is_column(kinds, j) for j in range(width)) or not (rest or names):  # one number alone is no table
            return None
    elif any(a and b for a, b in zip(named, numeric, strict=True)) or (len(rest) < 2 and known):
        names, above = tuple(first), at[used - 1] + 1
    elif any(numeric) and above_names:
        names, above = above_names, at[0]
        kinds.insert(0, list(map(_is_numeric, first)))
    else:
        return None
    filled = [kind for row in kinds for kind in row if kind is not None]
    score = sum(filled) / max(1, len(filled))
    if separator == " " and (score < FITS or not all(map(NAME.fullmatch, names))):  # prose with a number in it
        return None
    return Layout(separator, names, width, above, 0, score)


def _fits(width: int, rest: Sequence[Cells], separator: str) -> bool:
    """Whether most rows are as wide as the first line."""
    if separator == UNIT:
        return True
    whole = sum(len(cells) >= width and not any(cells[width:]) for cells in rest)
    return width > 1 and bool(rest) and whole >= (FITS_BLANKS if separator == " " else FITS) * len(rest)


def _is_numeric(cell: str) -> bool | None:
    """Whether a cell holds a number; None where it holds nothing."""
    return is_number(cell) or (None if is_missing(cell) else False)


def _is_column(kinds: Sequence[Sequence[bool | None]], j: int) -> bool:
    """Whether most of what the rows hold there are numbers, from ``_is_numeric`` of each cell."""
    filled = [kind for row in kinds if len(row) > j and (kind := row[j]) is not None]
    return bool(filled) and sum(filled) >= MOSTLY * len(filled)


def names_something(names: Sequence[str]) -> bool:
    """Whether an axis, a loss or an accuracy is among the names; or there are none."""
    return not names or any(plain(name) in COUNTING or is_metric(name) for name in names)


def _is_known(names: Sequence[str]) -> bool:
    """Whether a line can be nothing but a header: it names an axis, a loss or an accuracy, and is no prose."""
    neat = all(NAME.fullmatch(name.strip()) and len(name.split()) <= WORDS for name in names)
    return neat and names_something(names)


def _names_in(remark: str, separator: str, width: int) -> tuple[str, ...]:
    """The names in a comment right above the numbers, as numpy.savetxt writes it; empty if it is none."""
    text = remark.lstrip("# ")
    if not remark.startswith("#") or not text:
        return ()
    for by in (separator, " "):
        names = next(split([text], by))[0]
        if len(names) == width and not any(map(is_number, names)):
            return tuple(names)
    return ()
