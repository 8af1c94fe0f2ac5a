"""Picture → one SVG that stands alone: for a Markdown page, or any that shows images."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape

import numpy as np

from runopsy.model import Position
from runopsy.report import looks
from runopsy.report.document import Band, Chart, Line, Mark, Picture, Scale, Timeline
from runopsy.report.geometry import across, decades, drawn, extent, places, stacked, thinned, ticks, up
from runopsy.report.words import number, place, visible

WIDTH = 920  # GitHub shows a page's images at most about 900 wide
LEFT, RIGHT = 76, 24  # room for numbers beside the curves, and for half a number at the end
PLOT = WIDTH - LEFT - RIGHT
STRIP, ROW, HEADER, FOOT = 26, 15, 24, 40  # heights: of a timeline, a row of labels, a chart's title, the axis below
TALL, SMALL = 190, 130  # heights of charts: the first carries the most
LETTER = 6.3  # width of a letter of 12 px, on average: what decides whether a word fits
MOST_ROWS = 4  # of labels: more would be taller than the curves; the list of events names them all
BUCKETS = PLOT  # a point per pixel: no eye sees more

STYLE = """
text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,sans-serif;fill:var(--ink)}
.faint{fill:var(--faint)} .title{font-weight:600} .end{text-anchor:end} .mid{text-anchor:middle}
.grid{stroke:var(--rule);stroke-width:1} .frame{fill:none;stroke:var(--rule)}
.line{fill:none;stroke-linejoin:round;stroke-width:2} .rows{stroke-width:1;opacity:.5}
.mark{stroke-width:1.5;stroke-dasharray:4 3} .ghost{opacity:.3}
.edge{stroke:var(--ink);stroke-width:2.5;fill:none;stroke-linecap:square}
"""


def render(picture: Picture) -> str:
    """The picture, 920 wide, with its own ground, in light and dark."""
    scale = (picture.timelines[0] if picture.timelines else picture.charts[0]).scale
    body: list[str] = []
    y = 8.0
    for timeline in picture.timelines:
        body += _timeline(timeline, y)
        y += STRIP + 4
    rows = _rows(picture.marks, scale)
    labels, top = y + 2, y
    y += ROW * (1 + max(rows, default=-1)) + 4
    for i, chart in enumerate(picture.charts):
        tall = SMALL if i else TALL
        body += _chart(chart, picture.timelines, y, tall)
        y += HEADER + tall + 8
    body += _marks(picture.marks, rows, scale, labels, top, y - 8)
    body += _axis(scale, y - 8)
    return standalone(WIDTH, y + FOOT - 8, picture.alt, body)


def standalone(width: float, height: float, alt: str, body: Iterable[str]) -> str:
    """An SVG that stands alone: with its own ground, the classes of ``STYLE`` and the colours, in light and dark."""
    size = f'width="{width:.0f}" height="{height:.0f}"'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} '
        f'viewBox="0 0 {width:.0f} {height:.0f}" role="img" aria-labelledby="t">\n'
        f'<title id="t">{text(alt)}</title>\n<style>{_style()}</style>\n'
        f'<rect {size} fill="var(--paper)"/>\n' + "\n".join(body) + "\n</svg>\n"
    )


def text(content: str, most: int = 1000) -> str:
    return escape(visible(content, most))


def path(
    scale: Scale, line: Line, chart: Chart, width: float, height: float, buckets: int, digits: int = 1
) -> Iterator[tuple[str, str]]:
    """(class, path data) of a curve: the rows behind it, where it has them, then its course."""
    low, high = extent(chart, rows=True)
    behind = [] if line.rows is None else [("line dots" if line.dots else "line rows", *line.rows)]
    for kind, step, value in (*behind, ("line", line.step, line.value)):
        kept = np.arange(len(step)) if kind == "line dots" else thinned(scale, step, value, buckets)
        x = across(scale, step[kept]) * width
        y = drawn(up(value[kept], low, high, log=chart.log)) * height
        at = [f"{a:.{digits}f} {b:.{digits}f}" for a, b in zip(x, y, strict=True)]
        yield kind, "".join(f"M{point}h0" for point in at) if kind == "line dots" else "M" + "L".join(at)


def dotted(kind: str) -> str:
    """How points are drawn: lines of no length with round ends, in line because few pictures have any."""
    return (
        ' style="stroke-width:5;stroke-linecap:round;stroke-dasharray:none;opacity:.7"' if kind == "line dots" else ""
    )


def heights(chart: Chart, most: int) -> list[tuple[float, str]]:
    """(share of the height from the top, number) of the ticks of a chart's own axis."""
    low, high = extent(chart, rows=True)
    at = decades(low, high, most) if chart.log else ticks(low, high, most)
    return [(float(drawn(up(v, low, high, log=chart.log))), number(float(f"{v:.6g}"))) for v in at]


def _style() -> str:
    rules = STYLE
    rules += "".join(f".p-{name}{{fill:var(--{name})}}" for name in looks.PHASES)
    rules += "".join(f".t-{name}{{stroke:var(--{name});fill:var(--{name})}}" for name in looks.TONES)
    dashes = looks.DASHES
    rules += "".join(f".c{k}{{stroke:var(--curve{k});stroke-dasharray:{d or 'none'}}}" for k, d in enumerate(dashes))
    return looks.both(":root") + rules


def _x(scale: Scale, at: Position) -> float:
    return LEFT + PLOT * float(across(scale, at))


def _timeline(timeline: Timeline, y: float) -> Iterator[str]:
    if timeline.name:
        yield f'<text class="end" x="{LEFT - 8}" y="{y + 17:.0f}">{text(_cut(timeline.name, LEFT - 8))}</text>'
    for band in timeline.bands:
        a, b = _x(timeline.scale, band.start), _x(timeline.scale, band.end)
        hover = f"{band.label}: {timeline.scale.unit} {place(band.start)} to {place(band.end)}"
        name = _cut(band.label, b - a - 6)
        yield (
            f'<g><title>{text(hover)}</title><rect class="p-{looks.phase(band.kind)}" x="{a:.1f}" y="{y:.0f}" '
            f'width="{max(b - a, 0.5):.1f}" height="{STRIP}" stroke="var(--paper)"/>'
            f'<text class="mid" x="{(a + b) / 2:.1f}" y="{y + 17:.0f}">{text(name)}</text></g>'
        )


def _cut(word: str, width: float) -> str:
    """As much of a word as fits; nothing where hardly a letter would."""
    fits = int(width / LETTER)
    return word if len(word) <= fits else f"{word[: fits - 1]}…" if fits > 3 else ""


def _chart(chart: Chart, timelines: tuple[Timeline, ...], y: float, height: float) -> Iterator[str]:
    yield f'<text class="title" x="{LEFT}" y="{y + 16:.0f}">{text(chart.title)}</text>'
    yield from _legend(chart, y + 16)
    top = y + HEADER
    for band in timelines[0].bands if len(timelines) == 1 else ():
        yield _ground(band, chart.scale, top, height)
    for share, label in heights(chart, 5 if height >= TALL else 4):
        at = top + share * height
        yield f'<path class="grid" d="M{LEFT} {at:.1f}H{LEFT + PLOT}"/>'
        yield f'<text class="faint end" x="{LEFT - 8}" y="{at + 4:.1f}">{label}</text>'
    for at in places(chart.scale, 10):
        yield f'<path class="grid" d="M{_x(chart.scale, at):.1f} {top:.0f}v{height}"/>'
    yield f'<rect class="frame" x="{LEFT}" y="{top:.0f}" width="{PLOT}" height="{height}"/>'
    yield f'<g transform="translate({LEFT} {top:.0f})">'
    for k, line in enumerate(chart.lines):
        for kind, course in path(chart.scale, line, chart, PLOT, height, BUCKETS):
            yield f'<path class="{kind} c{looks.curve(line.name, k)}"{dotted(kind)} d="{course}"/>'
    yield "</g>"


def _ground(band: Band, scale: Scale, top: float, height: float) -> str:
    a, b = _x(scale, band.start), _x(scale, band.end)
    kind = looks.phase(band.kind)
    return f'<rect class="p-{kind} ghost" x="{a:.1f}" y="{top:.0f}" width="{b - a:.1f}" height="{height}"/>'


def _legend(chart: Chart, y: float) -> Iterator[str]:
    """Names of the curves, from the right."""
    x = float(LEFT + PLOT)
    for k, line in reversed(list(enumerate(chart.lines))):
        name = visible(line.name, 40)
        x -= LETTER * len(name) + 30
        yield (
            f'<path class="line c{looks.curve(line.name, k)}" d="M{x:.0f} {y - 4:.0f}h18"/>'
            f'<text x="{x + 22:.0f}" y="{y:.0f}">{escape(name)}</text>'
        )


def _rows(marks: tuple[Mark, ...], scale: Scale) -> list[int]:
    spans = [_label(mark, scale) for mark in sorted(marks, key=lambda m: m.at)]
    return stacked(((start, start + width) for start, width in spans), 8, MOST_ROWS)


def _label(mark: Mark, scale: Scale) -> tuple[float, float]:
    """Where a mark's label begins, and its width: right of its line, left of it at the right edge."""
    width = LETTER * len(visible(mark.label, 40))
    at = _x(scale, mark.at)
    return (at + 4 if at + 4 + width <= WIDTH - 4 else at - 4 - width), width


def _marks(
    marks: tuple[Mark, ...], rows: list[int], scale: Scale, labels: float, top: float, bottom: float
) -> Iterator[str]:
    for mark, row in zip(sorted(marks, key=lambda m: m.at), rows, strict=True):
        at = _x(scale, mark.at)
        low, high = mark.interval or (mark.at, mark.until or mark.at)
        a, b = _x(scale, low), _x(scale, max(high, mark.until or high))
        yield f"<g><title>{text(f'{mark.label}: {scale.unit} {place(mark.at)}')}</title>"
        if b > a:
            yield (
                f'<rect class="t-{mark.tone}" stroke="none" opacity=".15" x="{a:.1f}" y="{top:.0f}" '
                f'width="{b - a:.1f}" height="{bottom - top:.0f}"/>'
            )
        yield f'<path class="mark t-{mark.tone}" d="M{at:.1f} {top:.0f}V{bottom:.0f}"/>'
        if row >= 0:
            x, y = _label(mark, scale)[0], labels + ROW * row + 11
            side = f'class="end" x="{at - 4:.1f}"' if x < at else f'x="{x:.1f}"'
            yield f'<text {side} y="{y:.0f}">{escape(visible(mark.label, 40))}</text>'
        yield "</g>"


def _axis(scale: Scale, y: float) -> Iterator[str]:
    for at in places(scale, 10):
        yield f'<text class="faint mid" x="{_x(scale, at):.1f}" y="{y + 16:.0f}">{place(at)}</text>'
    yield f'<text class="faint mid" x="{LEFT + PLOT / 2:.0f}" y="{y + 33:.0f}">{text(scale.title)}</text>'
