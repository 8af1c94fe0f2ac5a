"""Jupyter notebooks: what the cells printed, and the tables that callbacks drew. Nothing in them is executed.

The text of a cell's streams is read as any console is; a table of Hugging Face, fastai or a data frame is a log where
it has an axis and a metric. Cells are trainings of their own: several are several runs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from runopsy.errors import UnreadableLog
from runopsy.model import Run
from runopsy.readers.axes import COUNTING, plain
from runopsy.readers.formats import textlog
from runopsy.readers.html_tables import tables_in
from runopsy.readers.numeric_text import is_missing, is_number
from runopsy.readers.run_selection import Candidate, Found, given, named
from runopsy.readers.source import Source
from runopsy.readers.table_to_run import to_run
from runopsy.signals import assign, with_sums
from runopsy.signals.names import guess
from runopsy.signals.scores import is_metric

BEGINS = re.compile(rb"(?:\xef\xbb\xbf)?\s*\{")
PARTS = (b'"cell_type"', b'"nbformat"', b'"worksheets"', b'"cells"')
PRINTED = ("stream", "error")
ELLIPSES = {"...", "…", "⋮"}  # a data frame leaves out the middle of a long table
CURVES = ("train/loss", "val/loss", "train/acc", "val/acc")
FEWEST = 2  # rows of a training; a table of one row shows how it ended
TEXT_FEWEST = 3  # rows of a text without an axis


class Piece(NamedTuple):
    """What one cell gave: a run, or several that its text separates."""

    cell: int  # from 1, of all cells
    runs: tuple[Run, ...]
    is_table: bool


def recognises(source: Source) -> bool:
    """JSON that begins with the cells of a notebook, or ends with the version of its format."""
    if source.is_binary or source.is_folder or not BEGINS.match(source.head):
        return False
    if any(part in source.head for part in PARTS[:2]):
        return True
    return any(part in source.head for part in PARTS[2:]) and b'"nbformat"' in source.data()[-2000:]


def read(source: Source) -> Found:
    """The training that the notebook shows, or the trainings, each named by its cell.

    Raises:
        UnreadableLog: it is cut short, or none of its cells printed a log.
    """
    pieces = _without_remarks([piece for number, cell in _cells(source) for piece in _pieces(number, cell, source)])
    if not pieces:
        raise UnreadableLog(
            f"{source.name} is a notebook whose cells printed no log of a training",
            hint="run it and save it with its outputs, or write the history of the training to a CSV",
        )
    runs = [(piece, run) for piece in pieces for run in piece.runs]
    if len(runs) == 1:
        piece, run = runs[0]
        return replace(run, notes=(f"read from the output of cell {piece.cell}", *run.notes))
    return tuple(_candidate(piece, i, run, source) for piece in pieces for i, run in enumerate(piece.runs, 1))


def _candidate(piece: Piece, number: int, run: Run, source: Source) -> Candidate:
    within = f" fit {number}" if len(piece.runs) > 1 else ""
    return given(named(run, f"cell {piece.cell}{within}", source.name))


def _cells(source: Source) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Number and content of every cell, in the order of the notebook.

    Raises:
        UnreadableLog: the notebook is no whole JSON.
    """
    try:
        document = json.loads(source.text())
    except (ValueError, RecursionError) as cause:
        raise UnreadableLog(
            f"{source.name} is a damaged notebook: {str(cause)[:80]}", hint="save it again, or copy it whole"
        ) from cause
    sheets = document.get("worksheets") if isinstance(document, dict) else None
    cells = document.get("cells") if isinstance(document, dict) else None
    if isinstance(sheets, list):  # before 2015
        cells = [cell for sheet in sheets if isinstance(sheet, dict) for cell in _listed(sheet.get("cells"))]
    yield from ((number, cell) for number, cell in enumerate(_listed(cells), 1) if isinstance(cell, dict))


def _pieces(number: int, cell: Mapping[str, Any], source: Source) -> list[Piece]:
    """The trainings that one cell shows: those of its tables, or else of its text."""
    outputs = [output for output in _listed(cell.get("outputs")) if isinstance(output, dict)]
    drawn = _last_of_each([rows for output in outputs for rows in _tables(output)])
    tables = [run for rows in drawn if (run := _from_table(rows, source)) is not None]
    from_text = _better(
        *(_from_text("\n".join(filter(None, map(_text, some))), source) for some in _by_origin(outputs))
    )
    if tables and (not from_text or _curves(tables) >= _curves(from_text)):
        return [Piece(number, tuple(tables), is_table=True)]
    return [Piece(number, from_text, is_table=False)] if from_text else []


def _by_origin(outputs: Sequence[Mapping[str, Any]]) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """What the cell printed, and what it returned: the history that a training gives back is its log once more."""
    printed = [output for output in outputs if output.get("output_type") in PRINTED]
    return printed, [output for output in outputs if output.get("output_type") not in PRINTED]


def _better(printed: tuple[Run, ...], returned: tuple[Run, ...]) -> tuple[Run, ...]:
    return returned if returned and (not printed or _curves(returned) > _curves(printed)) else printed


def _last_of_each(tables: list[list[list[str]]]) -> list[list[list[str]]]:
    """Without those that a later table repeats: a callback draws its table again as it grows, or at the end."""
    return [rows for i, rows in enumerate(tables) if not any(later[: len(rows)] == rows for later in tables[i + 1 :])]


def _text(output: Mapping[str, Any]) -> str:
    """What an output prints; the text beside an HTML table is the same table again."""
    if output.get("output_type") in PRINTED:
        return _joined(output.get("text"))
    data = output.get("data")
    if isinstance(data, dict):
        return "" if "text/html" in data else _joined(data.get("text/plain"))
    return "" if "html" in output else _joined(output.get("text"))


def _tables(output: Mapping[str, Any]) -> list[list[list[str]]]:
    data = output.get("data")
    html = _joined(data.get("text/html") if isinstance(data, dict) else output.get("html"))
    return tables_in(html)


def _joined(text: Any) -> str:
    """Text as notebooks store it: one string, or its lines."""
    if isinstance(text, list):
        return "".join(line for line in text if isinstance(line, str))
    return text if isinstance(text, str) else ""


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


# --- a table or a text that is a log ---------------------------------------------------------------


def _from_table(rows: Sequence[Sequence[str]], source: Source) -> Run | None:
    """The run in a table of two rows or more with an axis or a loss, and without cells of text before its numbers."""
    import polars as pl

    header, *body = rows
    body = [row for row in body if not any(cell in ELLIPSES for cell in row)]
    width = max(map(len, body), default=0)
    names = [*([""] * (width - len(header))), *header]
    body = [row for row in body if len(row) == len(names)]
    first = [row[0] for row in body]
    is_counted = any(plain(name) in COUNTING for name in names)
    is_log = any(is_metric(name) for name in names) and (is_counted or any(_is_loss(name) for name in names))
    if len(body) < FEWEST or not is_log or not all(is_number(cell) or is_missing(cell) for cell in first):
        return None
    kept = [j for j, name in enumerate(names) if name]
    frame = pl.DataFrame([pl.Series(str(j), [row[j] for row in body], dtype=pl.String) for j in kept])
    return _one(lambda notes: to_run(frame, [names[j] for j in kept], source, notes))


def _is_curve(name: str) -> bool:
    """Whether a name is plainly of a loss or an accuracy: errors of a regression are printed at its end as well."""
    found = guess(name)
    return found is not None and found.doubt == 0


def _is_loss(name: str) -> bool:
    """Whether a column without an axis beside it is of a history: capital_loss is of some data."""
    found = guess(name)
    return found is not None and found.quantity == "loss" and not found.extra


def _from_text(text: str, source: Source) -> tuple[Run, ...]:
    """The runs in what a cell printed."""
    inner = Source.from_bytes(source.name, text.encode("utf-8", errors="replace"))
    if inner.is_empty or not textlog.recognises(inner):
        return ()
    try:
        found = textlog.read(inner)
    except UnreadableLog:
        return ()
    runs = [found] if isinstance(found, Run) else [candidate.read() for candidate in found]
    return tuple(replace(run, id=source.id) for run in runs if _is_training(run))


def _one(load: Callable[[list[str]], Found]) -> Run | None:
    """A run, where that is what ``load`` gives."""
    try:
        found = load([])
    except UnreadableLog:
        return None
    return found if isinstance(found, Run) and _is_training(found) else None


def _is_training(run: Run) -> bool:
    """Whether a curve is long enough: of a loss or an accuracy, where nothing counts steps or epochs."""
    if run.axis == "row":
        return any(_is_curve(name) and len(track) >= TEXT_FEWEST for name, track in run.tracks.items())
    return any(is_metric(name) and len(track) >= FEWEST for name, track in run.tracks.items())


def _curves(runs: Sequence[Run]) -> int:
    """How many of the curves of a judgement the best of some runs has."""
    return max(sum(role.role in CURVES for role in assign(with_sums(run).tracks)) for run in runs)


def _without_remarks(pieces: list[Piece]) -> list[Piece]:
    """Without cells that print metrics of no training: where others count epochs or steps, those that count nothing,
    and those that hold no loss where others do.
    """
    for is_better in (lambda run: run.axis != "row", lambda run: "train/loss" in _roles(run)):
        better = [piece for piece in pieces if any(is_better(run) for run in piece.runs)]
        pieces = better or pieces
    return pieces


def _roles(run: Run) -> set[str]:
    return {role.role for role in assign(with_sums(run).tracks)}
