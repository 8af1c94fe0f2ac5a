"""A curve over sizes as a picture: points, what was found on them, and the law through them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from runopsy.model import Positions, Values
from runopsy.report.document import Chart, Line, Mark, Picture, Scale
from runopsy.report.pictures import WIDE
from runopsy.report.words import number, place

ROWS = 12  # of text: enough that a peak and two valleys are apart
MANY = 1e6  # sizes from which an axis counts millions, or more
LOG_FROM = 5.0  # largest size / least from which an even scale squeezes the small ones together


@dataclass(frozen=True, slots=True, eq=False)
class SizeLine:
    """One curve: its course, and the trainings behind it where they are points apart from it."""

    name: str
    size: Positions  # (m,) rising
    value: Values  # (m,)
    points: tuple[Positions, Values] | None = None


def picture(name: str, title: str, unit: str, lines: Sequence[SizeLine], marks: Sequence[Mark] = ()) -> Picture | None:
    """The picture of curves over one size; None where there is nothing to draw.

    Args:
        name: of its file, where it becomes one.
        title: what is drawn.
        unit: the size's column.
        lines: the curves.
        marks: what was found, by size.
    """
    largest = max((float(line.size[-1]) for line in lines if len(line.size)), default=0.0)
    thousands = 10.0 ** (3 * int(np.log10(largest) // 3)) if largest >= MANY else 1.0
    drawn = [_in_units(line, thousands) for line in lines if len(line.size) > 1]
    marks = [_mark_in_units(mark, thousands) for mark in marks]
    unit = unit if thousands == 1 else f"{unit}, in {number(thousands)}"
    if not drawn:
        return None
    sizes = np.concatenate([line.size if line.points is None else line.points[0] for line in drawn])
    values = np.concatenate([line.value if line.points is None else line.points[1] for line in drawn])
    first, last = float(sizes.min()), float(sizes.max())
    scale = Scale(first, last, first > 0 and last > LOG_FROM * first, max(first, 1e-12), unit)
    log = float(values.min()) > 0 and float(values.max()) > WIDE * float(values.min())
    curves = tuple(
        Line(line.name, line.size, line.value, line.points or (line.size, line.value), dots=True) for line in drawn
    )
    chart = Chart(f"{title}{', log scale' if log else ''}", scale, curves, log, (), ROWS)
    return Picture(name, _alt(chart, marks), (), (chart,), tuple(marks))


def _in_units(line: SizeLine, unit: float) -> SizeLine:
    points = None if line.points is None else (line.points[0] / unit, line.points[1])
    return SizeLine(line.name, line.size / unit, line.value, points)


def _mark_in_units(mark: Mark, unit: float) -> Mark:
    interval = None if mark.interval is None else (mark.interval[0] / unit, mark.interval[1] / unit)
    return replace(mark, at=mark.at / unit, interval=interval)


def _alt(chart: Chart, marks: Sequence[Mark]) -> str:
    """What the picture shows, in sentences."""
    unit = chart.scale.unit
    curves = "; ".join(
        f"{line.name} from {number(float(line.value[0]))} at {unit} {place(float(line.step[0]))} to "
        f"{number(float(line.value[-1]))} at {place(float(line.step[-1]))}"
        for line in chart.lines
    )
    found = "; ".join(f"{mark.label} at {place(mark.at)}" for mark in marks)
    return f"{chart.title}: {curves}.{f' Marked: {found}.' if found else ''}"
