"""The common changes of a run as a small matrix: signals are rows, time is columns, moves are marks."""

from __future__ import annotations

from collections.abc import Iterator

from runopsy.model import Autopsy, Event
from runopsy.report.canvas import column
from runopsy.report.document import Block, Details, Moves, Prose, Table
from runopsy.report.pictures import scale
from runopsy.report.words import place, visible

UP, DOWN, NONE = "▲", "▼", "·"
NAME = 28  # characters of a signal's name
SLOTS = ("signal", "validation")  # of the evidence of a common change: one number for each signal that moves


def moves(autopsy: Autopsy) -> Iterator[Block]:
    """The matrix, where signals were found to change together."""
    changes = [e for e in autopsy.events if e.kind == "common_change"]
    if not changes:
        return
    names = dict.fromkeys(e.signal for change in changes for e in change.evidence if e.name in SLOTS)
    rows = tuple((name, tuple(_direction(change, name) for change in changes)) for name in names)
    note = Prose("Signals that move at one place; which of them moves the others, a log cannot show.")
    block = Moves(scale(autopsy), tuple(change.step for change in changes), rows)
    yield Details("Signals that change together", (block, note), open=True)


def _direction(change: Event, name: str) -> int:
    """1 where a signal rises in a change, -1 where it falls, 0 where it takes no part."""
    proof = next((e for e in change.evidence if e.signal == name and e.name in SLOTS), None)
    if proof is None or proof.limit is None:
        return 0
    return 1 if proof.observed > proof.limit else -1


def lines(block: Moves, width: int) -> list[str]:
    """The matrix to scale, for a terminal of so many columns."""
    across = max(width - NAME - 2, 10)
    at = [min(column(block.scale, step, across), across - 1) for step in block.steps]
    drawn = [f"{visible(name, NAME):{NAME}}  {_row(at, signs, across)}" for name, signs in block.rows]
    ticks = [" "] * across
    for where, step in zip(at, block.steps, strict=True):
        text = place(step)
        where = max(min(where, across - len(text)), 0)  # noqa: PLW2901  # the last one ends with the axis
        if all(cell == " " for cell in ticks[max(where - 1, 0) : where + len(text) + 1]):
            ticks[where : where + len(text)] = list(text)
    return [*drawn, " " * (NAME + 2) + "".join(ticks).rstrip()]


def _row(at: list[int], signs: tuple[int, ...], across: int) -> str:
    cells = [NONE] * across
    for where, sign in zip(at, signs, strict=True):
        if sign:
            cells[where] = UP if sign > 0 else DOWN
    return "".join(cells)


def table(block: Moves) -> Table:
    """The matrix in cells, for a page: one column for each change."""
    marks = {1: UP, -1: DOWN, 0: ""}
    rows = tuple((name, *(marks[sign] for sign in signs)) for name, signs in block.rows)
    return Table(("signal", *(f"{block.scale.unit} {place(step)}" for step in block.steps)), rows)
