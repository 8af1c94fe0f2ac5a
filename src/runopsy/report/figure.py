"""Picture → the part of a page that shows it: complete as it stands; ``page.js`` adds zoom, hover and switches.

Curves are drawn on a sheet that the browser stretches to whatever width there is; all text beside them is text of
the page, placed by percentages. So one drawing serves a wide screen, a phone and paper.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import escape
from typing import Any

import numpy as np

from runopsy.model import Position, Positions, Values
from runopsy.report import looks, svg
from runopsy.report.document import Chart, Line, Mark, Picture, Scale, Timeline
from runopsy.report.geometry import across, extent, places, stacked, thinned
from runopsy.report.svg import text
from runopsy.report.words import place, visible

WIDE, TALL = 100_000, 10_000  # units of a plot's sheet: whole numbers are fine enough to zoom into
BUCKETS = 1500  # of the width, and as many of the steps: twice a large screen, so that a zoom finds more
FEW = 300  # for the signals that are shown only when asked
BADGE = 0.055  # of the width: room for a number on a phone
ROW = 1.35  # rem, of badges


def render(picture: Picture) -> Iterator[str]:
    """The figure, part by part."""
    scale = (picture.timelines[0] if picture.timelines else picture.charts[0]).scale
    marks = sorted(picture.marks, key=lambda m: m.at)
    axis = {"first": scale.first, "last": scale.last, "log": scale.log, "origin": scale.origin, "unit": scale.unit}
    yield f'<figure data-scale="{escape(json.dumps(axis))}" aria-label="{text(picture.alt)}">'
    yield _TOOLS
    for timeline in picture.timelines:
        yield from _timeline(timeline)
    yield from _badges(marks, scale)
    for i, chart in enumerate(picture.charts):
        yield from _chart(chart, picture, marks, small=i > 0)
    yield _axis(scale)
    yield from _legend(marks, scale)
    yield from _further(picture, marks)
    yield f'<figcaption class="unseen">{text(picture.alt)}</figcaption></figure>'


_TOOLS = (
    '<div class="tools" hidden><button type="button" data-do="in">Zoom in</button>'
    '<button type="button" data-do="out">Zoom out</button><button type="button" data-do="whole">Whole run</button>'
    '<span class="hint">Drag to zoom; arrows, + and − on a chart do the same.</span></div>'
    '<output class="readout" aria-live="polite"></output>'
)


def _percent(scale: Scale, at: Position) -> float:
    return 100 * float(across(scale, at))


def _spanned(scale: Scale, start: Position, end: Position) -> str:
    a, b = _percent(scale, start), _percent(scale, end)
    return f'style="left:{a:.3f}%;width:{b - a:.3f}%" data-from="{a / 100:.6f}" data-to="{b / 100:.6f}"'


def _timeline(timeline: Timeline) -> Iterator[str]:
    if timeline.name:
        yield f'<p class="name">{text(timeline.name, 120)}</p>'
    yield '<div class="axis strip">'
    for band in timeline.bands:
        hover = f"{band.label}: {timeline.scale.unit} {place(band.start)} to {place(band.end)}"
        lies = _spanned(timeline.scale, band.start, band.end)
        yield f'<b class="p-{looks.phase(band.kind)}" title="{text(hover)}" {lies}>{text(band.label, 60)}</b>'
    yield "</div>"


def _badges(marks: list[Mark], scale: Scale) -> Iterator[str]:
    """A number for each mark above its line; numbers that would meet go one row down."""
    if not marks:
        return
    shares = [float(across(scale, mark.at)) for mark in marks]
    rows = stacked(((share, share + BADGE) for share in shares), 0.0, len(marks))
    badges = [
        f'<span class="badge tone-{mark.tone}" aria-hidden="true" title="{text(mark.label)}" '
        f'style="left:{100 * share:.3f}%;top:{row * ROW:.2f}rem" data-from="{share:.6f}">{i}</span>'
        for i, (mark, share, row) in enumerate(zip(marks, shares, rows, strict=True), 1)
    ]
    yield f'<div class="axis badges" style="height:{ROW * (1 + max(rows)):.2f}rem">{"".join(badges)}</div>'


def _legend(marks: list[Mark], scale: Scale) -> Iterator[str]:
    if marks:
        yield f'<ol class="marks">{"".join(f"<li>{text(_mark_text(mark, scale))}</li>" for mark in marks)}</ol>'


def _mark_text(mark: Mark, scale: Scale) -> str:
    until = f" – {place(mark.until)}" if mark.until is not None and mark.until > mark.at else ""
    between = f", between {place(mark.interval[0])} and {place(mark.interval[1])}" if mark.interval else ""
    return f"{mark.label}: {scale.unit} {place(mark.at)}{until}{between}"


def _chart(chart: Chart, picture: Picture, marks: list[Mark], *, small: bool, buckets: int = BUCKETS) -> Iterator[str]:
    yield f'<div class="chart"><div class="head"><strong>{text(chart.title, 120)}</strong>'
    for k, line in enumerate(chart.lines):
        colour = looks.curve(line.name, k)
        yield (
            f'<label><input type="checkbox" checked disabled data-line="{k}">'
            f'<span class="key" style="border-color:var(--curve{colour})"></span>{text(line.name, 120)}</label>'
        )
    size = " small" if small else ""
    yield (
        f'</div><div class="axis plot{size}" tabindex="0" role="group" '
        f'aria-label="{text(chart.title, 120)}: arrow keys read values, plus and minus zoom, escape zooms out">'
    )
    yield f'<svg viewBox="0 0 {WIDE} {TALL}" preserveAspectRatio="none" aria-hidden="true">'
    yield from _ground(chart, picture, marks)
    for k, line in enumerate(chart.lines):
        for kind, course in svg.path(chart.scale, line, chart, WIDE, TALL, buckets, digits=0):
            look = svg.dotted(kind)
            yield f'<path class="{kind} c{looks.curve(line.name, k)}"{look} data-of="{k}" d="{course}"/>'
    yield "</svg>"
    at = "".join(f'<span style="top:{100 * share:.2f}%">{label}</span>' for share, label in svg.heights(chart, 5))
    yield f'<div class="ys" aria-hidden="true">{at}</div>'
    yield '<div class="cursor" hidden></div><div class="brush" hidden></div>'
    yield f'<script type="application/json">{_data(chart, buckets)}</script></div></div>'


def _ground(chart: Chart, picture: Picture, marks: list[Mark]) -> Iterator[str]:
    """What lies behind the curves: phases as bands, marks as lines, their intervals as faint stripes."""
    scale = chart.scale
    for band in picture.timelines[0].bands if len(picture.timelines) == 1 else ():
        yield _stripe(f"p-{looks.phase(band.kind)} ghost", scale, band.start, band.end)
    for mark in marks:
        low, high = mark.interval or (mark.at, mark.at)
        if max(high, mark.until or high) > low:
            yield _stripe(f"f-{mark.tone} wide", scale, low, max(high, mark.until or high))
        x = WIDE * float(across(scale, mark.at))
        yield f'<path class="mark s-{mark.tone}" d="M{x:.0f} {-100 * TALL}V{101 * TALL}"/>'


def _stripe(kind: str, scale: Scale, start: Position, end: Position) -> str:
    a, b = WIDE * across(scale, [start, end])  # far beyond the sheet, which a zoom may leave above and below
    return f'<rect class="{kind}" x="{a:.0f}" y="{-100 * TALL}" width="{b - a:.0f}" height="{201 * TALL}"/>'


def _axis(scale: Scale) -> str:
    at = "".join(f'<span style="left:{_percent(scale, p):.3f}%">{place(p)}</span>' for p in places(scale, 7))
    return f'<div class="axis xs" aria-hidden="true">{at}</div><p class="axis unit">{text(scale.title)}</p>'


def _further(picture: Picture, marks: list[Mark]) -> Iterator[str]:
    """Signals to switch on."""
    if not picture.further:
        return
    switches, charts = [], []
    for i, chart in enumerate(picture.further):
        ident = f"{picture.name}-{i}"
        name = text(chart.title, 120)
        switches.append(f'<label><input type="checkbox" data-opens="{ident}" autocomplete="off">{name}</label>')
        drawn = "".join(_chart(chart, picture, marks, small=True, buckets=FEW))
        charts.append(f'<div id="{ident}" hidden>{drawn}</div>')
    yield f'<fieldset hidden><legend>More signals</legend><div class="more">{"".join(switches)}</div></fieldset>'
    yield from charts


def _data(chart: Chart, buckets: int) -> str:
    low, high = extent(chart, rows=True)
    lines = [_course(chart.scale, line, buckets) for line in chart.lines]
    payload = json.dumps({"log": chart.log, "low": low, "high": high, "lines": lines}, separators=(",", ":"))
    return payload.replace("<", "\\u003c")  # nothing in a name can close the script


def _course(scale: Scale, line: Line, buckets: int) -> dict[str, Any]:
    """What the cursor reads: the rows where there are any, thinned on both scales, to be found after a zoom."""
    step, value = line.rows or (line.step, line.value)
    kept = both(scale, step, value, buckets)
    return {
        "name": visible(line.name, 120),
        "step": [int(s) if s == int(s) else float(f"{s:.9g}") for s in step[kept].tolist()],
        "value": [float(f"{v:.5g}") for v in value[kept].tolist()],
    }


def both(scale: Scale, step: Positions, value: Values, buckets: int) -> Any:
    """Indices of the points that draw the same picture on the scale as it is and on an even one."""
    even = Scale(scale.first, scale.last, log=False, origin=scale.origin, unit=scale.unit)
    drawn = [thinned(each, step, value, buckets) for each in ((scale, even) if scale.log else (scale,))]
    return np.unique(np.concatenate(drawn))
