"""The steps of groups of examples, as blocks of the page."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from runopsy.groups.steps import FALSE
from runopsy.model import Autopsy, GroupStep, GroupSteps
from runopsy.report.document import Block, Chart, Details, Line, Mark, Picture, Prose, Table
from runopsy.report.pictures import scale
from runopsy.report.words import number, percent, place, span

MOST_LINES, MOST_MARKS, MOST_NAMED = 5, 8, 12


def section(autopsy: Autopsy) -> Iterator[Block]:
    """Of the page; nothing where no groups were recorded."""
    found = autopsy.groups
    if found is None:
        return
    blocks: list[Block] = [Prose(_summary(found, autopsy.axis))]
    if found.steps:
        blocks += [_table(found), _drawn(autopsy, found)]
    if found.without:
        named = ", ".join(found.without[:MOST_NAMED]) + ("…" if len(found.without) > MOST_NAMED else "")
        blocks.append(
            Prose(f"No step beyond noise was found in {len(found.without)} of {found.asked} groups: {named}.")
        )
    yield Details("Groups of examples: small steps", tuple(blocks), open=True)


def _summary(found: GroupSteps, axis: str) -> str:
    if not found.steps:
        return f"Of {found.asked} groups of examples none was learnt in a step that stands out from noise."
    first, last = found.steps[0], found.steps[-1]
    count = len(found.steps)
    start, end = place(round(first.step)), place(round(last.step))
    where = f"from {axis} {start} (group {first.group}) to {end} (group {last.group})"
    text = f"{count} step{'' if count == 1 else 's'} of groups, {where}"
    if found.hidden:
        text = f"A smooth curve of {count} steps, {where}: the mean of all groups shows none of them"
    return f"{text}. Of the steps that are named at most {percent(FALSE)} are false, on average."


def _table(found: GroupSteps) -> Table:
    return Table(("group", "half learnt by", "90 % interval", "accuracy", "breadth"), tuple(map(_row, found.steps)))


def _row(one: GroupStep) -> tuple[str, ...]:
    low, high = (float(round(end)) for end in one.interval)
    levels = f"{number(round(one.before, 2))} → {number(round(one.after, 2))}"
    return one.group, place(round(one.step)), span(low, high), levels, f"x {one.breadth:.2g} in steps"


def _drawn(autopsy: Autopsy, found: GroupSteps) -> Picture:
    """The first, the last and some of the groups between them, and where each step lies."""
    axis = scale(autopsy)
    chosen = _some(found.steps, MOST_LINES)
    lines = tuple(_line(autopsy, one) for one in chosen)
    chart = Chart("Accuracy of groups", axis, lines, False, (), 8)
    marks = tuple(
        Mark(f"group {one.group}", "plain", one.step, None, one.interval) for one in _some(found.steps, MOST_MARKS)
    )
    named = "; ".join(f"group {one.group} at {place(round(one.step))}" for one in found.steps[:MOST_NAMED])
    return Picture("groups", f"Accuracy of groups of examples. Steps: {named}.", (), (chart,), marks)


def _some(steps: tuple[GroupStep, ...], most: int) -> list[GroupStep]:
    rows = np.unique(np.linspace(0, len(steps) - 1, min(most, len(steps))).round().astype(int))
    return [steps[i] for i in rows.tolist()]


def _line(autopsy: Autopsy, one: GroupStep) -> Line:
    signal = autopsy.signals[f"groups/{one.group}/acc"]
    return Line(f"group {one.group}", signal.step, signal.value)
