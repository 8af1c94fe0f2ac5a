"""Tables inside a text: names with rows of numbers under them, and boxes with a key and a value in each line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from runopsy.readers.axes import COUNTING, plain
from runopsy.readers.numeric_text import NUMBER
from runopsy.signals.names import PARTS, SIDE_OF, better, guess

if TYPE_CHECKING:
    import polars as pl

BOX = re.compile(
    rf"^\s*\|(?P<key>[^|]*[A-Za-z][^|]*)\|\s*(?P<value>{NUMBER}|[-+]?(?:nan|inf))?\s*\|\s*$", re.IGNORECASE
)
CELL = re.compile(rf"(?P<value>{NUMBER}|[-+]?(?:nan|inf(?:inity)?))(?:/(?P<of>\d+))?(?P<unit>[%GMKk]?)", re.IGNORECASE)
TOOK = re.compile(r"\(\d+:\d\d(?::\d\d)?\)")  # (00:20), which stands behind the row without a name above it
RULER = re.compile(r"[\s|+:=-]*[-=]{2}[\s|+:=-]*")
BARRED = re.compile(r":?\s*\d+%(?:\|| +\d+/\d+ \[).*$")  # the bar behind a header or a row, or what is left of it
# A line of names: no number stands alone in it, and two words are apart by more than a blank.
HEADER = r"^\s*\|?\s*[A-Za-z#_\\][^=]*?(?:\s{2,}|\s*\|\s*|\t)[A-Za-z#_]"
LONE = r"(?:^|[\s|])[-+]?[0-9]+(?:\.[0-9]+)?(?:[\s|,]|$)"
SHORT = {"E": "epoch", "#": "step"}  # spaCy
ALL = "all"  # YOLO: the row of all classes
LOSS_PARTS = ("box", "obj", "cls", "dfl", "seg", "kpt", "pose", "total")
DETECTION = {"P": "precision", "R": "recall", "Box(P": "precision"}
GPU = ("gpu_mem", "gpumem")  # stands in the header of YOLO alone
SKIPPED = 60  # lines of other text between two rows of a table, at most
FEWEST = 2  # cells of a row
MOSTLY = 0.5  # share of the cells of a row that must be numbers
NAME = re.compile(r"[\w\s./%()#@:*+~-]{1,60}")


class Cell(NamedTuple):
    """One number of a table."""

    row: int  # number of the line
    name: str
    value: float
    of: float | None


class Header(NamedTuple):
    """A line of names."""

    names: tuple[str, ...]
    bars: bool  # whether bars stand between the cells
    side: str


def tables_in(lines: Sequence[str], candidates: Sequence[int]) -> tuple[list[Cell], set[int]]:
    """The numbers in all tables, and the lines that they take.

    Args:
        lines: of the text.
        candidates: the numbers of the lines that may be a line of names, in order.
    """
    cells: list[Cell] = []
    used: set[int] = set()
    ends = [*candidates, len(lines)][1:]
    for i, end in zip(candidates, ends, strict=True):
        for header in _headers(lines[i]):
            rows = list(_rows(lines, i, end, header))
            if rows and _compares(header, rows):
                rows = []
                used.add(i)
            if rows or header.side:  # a detector's bar draws its line of names again and again
                used |= {i, *(number for number, _ in rows)}
                cells += _cells(header, _drawn(lines, rows))
                break
    return cells, used


def _compares(header: Header, rows: Sequence[tuple[int, list[str]]]) -> bool:
    """Whether each row is another model or another class, and none a reading of a training."""
    first = [cells[0] for _, cells in rows]
    return not header.side and not any(CELL.fullmatch(cell) or cell.lower() in SIDE_OF for cell in first)


def _drawn(lines: Sequence[str], rows: Sequence[tuple[int, list[str]]]) -> list[tuple[int, list[str]]]:
    """Of rows that a bar drew again and again, as their first cell stays the same: the last."""
    return [
        row
        for row, after in zip(rows, [*rows, None][1:], strict=True)
        if after is None or after[1][0] != row[1][0] or not BARRED.search(lines[row[0]])
    ]


def candidates(lines: pl.DataFrame) -> list[int]:
    """The numbers of the lines that may be names above numbers."""
    import polars as pl

    bare = pl.col("line").str.replace(BARRED.pattern, "")
    found = lines.filter(bare.str.contains(HEADER) & ~bare.str.contains(LONE) & (bare.str.len_chars() < 400))
    return found["row"].to_list()


def _headers(line: str) -> Iterator[Header]:
    """The ways in which a line can be names."""
    bare = BARRED.sub("", line).strip()
    if "|" in bare:
        yield from _header([cell.strip() for cell in bare.strip("|").split("|")], bars=True)
        return
    wide = [cell.strip() for cell in re.split(r"\s{2,}|\t", bare)]
    yield from _header(wide, bars=False)
    if len(bare.split()) != len(wide):
        yield from _header(bare.split(), bars=False)


def _header(cells: list[str], *, bars: bool) -> Iterator[Header]:
    named = [
        SHORT.get(cell, cell.strip(" :").removesuffix(")") if cell.count("(") < cell.count(")") else cell)
        for cell in cells
    ]
    known = [name for name in named if plain(name) in COUNTING or guess(name) is not None or better(name)]
    detector = named[0].lower() in ("class", "classes") and all(" " not in name for name in named)
    if len(named) < FEWEST or not (known or detector) or not all(NAME.fullmatch(name) for name in named):
        return
    if any(plain(name) in GPU for name in named):
        named = [_part(name) for name in named]
    if all(short in cells for short in SHORT):  # scores stand beside the losses of training
        named = [name if plain(name) in COUNTING or name.startswith("LOSS") else f"val/{name}" for name in named]
    if detector:
        named = [DETECTION.get(name, name) for name in named]
    yield Header(tuple(named), bars, "val" if detector else "")


def _part(name: str) -> str:
    """The parts of a detector's loss, as its table of results calls them."""
    stem = name.lower().removesuffix("_loss")
    part, _, head = stem.partition("_")  # YOLOv10 has two heads: box_om and box_oo
    return f"train/{stem}_loss" if (part in (*LOSS_PARTS, *PARTS) and len(head) < 3) or stem in PARTS else name


def _rows(lines: Sequence[str], header_at: int, end: int, header: Header) -> Iterator[tuple[int, list[str]]]:
    """The rows under a line of names; other text may stand between them."""
    width, missed = len(header.names), 0
    spans: list[tuple[int, int]] = []
    for j in range(header_at + 1, end):
        line = lines[j]
        if not line.strip() or RULER.fullmatch(line):
            spans = spans or _spans(line, width)
            continue
        cells = _split(line, header)
        if spans and len(cells) < width:  # a cell is empty: what stands under which dashes
            cells = [line[a:b].strip() for a, b in spans]
        if len(cells) == width + 1 and TOOK.fullmatch(cells[-1]):
            cells = cells[:-1]
        if len(cells) == width + 1 and cells[0].isdigit() and not header.bars:
            cells = cells[1:]  # the index of a printed data frame
        if len(cells) == width and _is_row(cells):
            missed = 0
            yield j, cells
            if header.side:  # the row of all classes; those of single classes follow
                return
        else:
            missed += 1
            if missed > SKIPPED:
                return


def _spans(ruler: str, width: int) -> list[tuple[int, int]]:
    """From where to where each group of dashes goes, with the blanks in front; none where they are not as many."""
    ends = [match.end() for match in re.finditer(r"[-=]+", ruler)]
    return list(pairwise([0, *ends])) if len(ends) == width and " " in ruler.strip() else []


def _split(line: str, header: Header) -> list[str]:
    bare = BARRED.sub("", line).strip()
    return [cell.strip() for cell in bare.strip("|").split("|")] if header.bars else bare.split()


def _is_row(cells: Sequence[str]) -> bool:
    numbers = sum(CELL.fullmatch(cell.strip("*")) is not None for cell in cells)
    return numbers >= max(1, MOSTLY * len(cells))


def _cells(header: Header, rows: Sequence[tuple[int, list[str]]]) -> Iterator[Cell]:
    for number, cells in rows:
        for name, cell in zip(header.names, cells, strict=True):
            match = CELL.fullmatch(cell.strip("*"))
            if match and name and match["unit"] in ("", "%") and not (header.side and name.lower() in COUNTED):
                side = f"{header.side}/" if header.side and plain(name) not in COUNTING else ""
                yield Cell(number, f"{side}{name}", float(match["value"]), float(match["of"]) if match["of"] else None)


COUNTED = ("images", "instances", "labels", "targets")  # of the validation set


def boxes_in(lines: Sequence[str]) -> tuple[list[Cell], set[int]]:
    """The numbers in boxes of ``| key | value |``, each box as one row at its first line; and the lines they take."""
    cells: list[Cell] = []
    used: set[int] = set()
    box, section, indent, last = -1, "", 0, -2
    for i, line in enumerate(lines):
        if "|" not in line or not (match := BOX.match(line)):
            continue
        if last != i - 1:
            box, section = i, ""
        last = i
        raw = match["key"]
        key, depth = raw.strip(), len(raw) - len(raw.lstrip())
        if match["value"] is None:
            section, indent = (key, depth) if key.endswith("/") else ("", 0)
        else:
            inside = section and depth > indent
            cells.append(Cell(box, f"{section if inside else ''}{key}", float(match["value"]), None))
        used.add(i)
    return (cells, used) if _again(cells) else ([], set())


def _again(cells: Sequence[Cell]) -> bool:
    """Whether at least two boxes hold the same key: one alone lists settings."""
    return len({cell.row for cell in cells if cells and cell.name == cells[0].name}) > 1
