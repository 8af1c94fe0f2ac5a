"""A curve over sizes as a picture: points, what was found on them, and the law through them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from runopsy.model import Positions, Values
from runopsy.report import canvas, svg
from runopsy.report.document import Chart, Line, Mark, Picture, Scale
from runopsy.report.geometry import extent
from runopsy.report.pictures import WIDE
from runopsy.report.words import number, place, visible

ROWS = 12  # of text: enough that a peak and two valleys are apart
MARGIN = 10  # columns for the numbers beside the curve
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


def as_svg(drawn: Picture) -> str:
    """The picture as one SVG that stands alone, in light and dark."""
    return svg.render(drawn)


def as_lines(drawn: Picture, width: int = 80) -> list[str]:
    """The picture in characters: the curve, its axis, and a line for what was found; ``width`` columns."""
    chart = drawn.charts[0]
    inner = max(width - MARGIN, 20)
    low, high = extent(chart)
    rows = canvas.draw(chart, inner)
    labels = {0: number(float(f"{high:.3g}")), len(rows) - 1: number(float(f"{low:.3g}"))}
    names = "  ".join(f"{canvas.GLYPHS[k % len(canvas.GLYPHS)]} {visible(line.name, 40)}"
                      for k, line in enumerate(chart.lines))  # fmt: skip
    lines = [f"{visible(chart.title, width)}  {names}"]
    lines += [f"{labels.get(i, ''):>{MARGIN - 2}} │{''.join(glyph for glyph, _ in row)}".rstrip()
              for i, row in enumerate(rows)]  # fmt: skip
    lines.append(" " * MARGIN + _axis(chart.scale, inner))
    if drawn.marks:
        pointers = [" "] * inner
        for mark in drawn.marks:
            pointers[canvas.column(chart.scale, mark.at, inner)] = "▲"
        lines.append(" " * MARGIN + "".join(pointers).rstrip())
        lines.append(" " * MARGIN + ", ".join(f"▲ {mark.label} {place(mark.at)}" for mark in drawn.marks))
    return lines


def _axis(scale: Scale, width: int) -> str:
    """The ends of the axis, and what it counts in the middle."""
    first, last = place(scale.first), place(scale.last)
    middle = visible(f"{scale.unit}{', log scale' if scale.log else ''}", max(width - len(first) - len(last) - 2, 1))
    room = width - len(first) - len(last)
    return f"{first}{middle:^{room}}{last}"
