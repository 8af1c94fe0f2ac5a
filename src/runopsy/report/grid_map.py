"""A map over two settings, drawn as squares with the boundary between unlike ones; or as a table of words."""

from __future__ import annotations

from collections.abc import Iterator

from runopsy.report import looks, svg
from runopsy.report.document import Map, Square, Table

LEFT, TOP, FOOT = 120, 10, 64  # room for the names of rows, and of columns and their setting
BROADEST, HIGHEST, LOWEST = 110, 46, 18  # of a square
ALL_ROWS = 560  # height of all squares, where there are many
KEY = 15  # of the squares beside the meanings of the colours


def render(chart: Map) -> str:
    """The map as an SVG file that stands alone, in light and dark."""
    height, body = _drawn(chart)
    return svg.standalone(svg.WIDTH, height, chart.alt, body)


def inside(chart: Map) -> str:
    """The map as a part of a page that has the colours already."""
    height, body = _drawn(chart)
    drawn = "\n".join(body)
    return (
        f'<svg class="map" viewBox="0 0 {svg.WIDTH} {height}" width="{svg.WIDTH}" role="img" '
        f'aria-label="{svg.text(chart.alt)}">{drawn}</svg>'
    )


def table(chart: Map) -> Table:
    """The same in words: a row for each value along y, the largest first."""
    known = {(square.x, square.y): square for square in chart.squares}
    rows = [
        (name, *(known[x, y].text if (x, y) in known else "" for x in range(len(chart.xs))))
        for y, name in reversed(list(enumerate(chart.ys)))
    ]
    return Table((f"{chart.y_name} ↓  {chart.x_name} →", *chart.xs), tuple(rows))


def _drawn(chart: Map) -> tuple[int, list[str]]:
    """Height, and what is drawn."""
    broad = min(BROADEST, (svg.WIDTH - LEFT - 20) / len(chart.xs))
    high = max(LOWEST, min(HIGHEST, ALL_ROWS / len(chart.ys)))
    bottom = TOP + high * len(chart.ys)
    parts = [_square(chart, square, broad, high) for square in chart.squares]
    parts += _edges(chart, broad, high)
    longest = max(map(len, chart.xs)) * svg.LETTER
    step = max(1, round(0.5 + longest / broad - 0.05))  # names that would meet are left out
    parts += [
        f'<text class="mid" x="{LEFT + (k + 0.5) * broad:.1f}" y="{bottom + 16:.0f}">{svg.text(name)}</text>'
        for k, name in enumerate(chart.xs)
        if k % step == 0
    ]
    parts += [
        f'<text class="end" x="{LEFT - 8}" y="{bottom - (k + 0.5) * high + 4:.1f}">{svg.text(name)}</text>'
        for k, name in enumerate(chart.ys)
    ]
    middle = LEFT + broad * len(chart.xs) / 2
    parts.append(f'<text class="mid title" x="{middle:.0f}" y="{bottom + 36:.0f}">{svg.text(chart.x_name)}</text>')
    up = TOP + high * len(chart.ys) / 2
    parts.append(
        f'<text class="mid title" transform="translate(14 {up:.0f}) rotate(-90)">{svg.text(chart.y_name)}</text>'
    )
    parts += _keys(chart, bottom + 46)
    return round(bottom + FOOT + 8), parts


def _square(chart: Map, square: Square, broad: float, high: float) -> str:
    x, y = LEFT + square.x * broad, TOP + (len(chart.ys) - 1 - square.y) * high
    words = square.label if len(square.label) * svg.LETTER < broad - 6 else ""
    return (
        f'<g><title>{svg.text(square.hover)}</title><rect class="p-{looks.phase(square.kind)}" x="{x:.1f}" '
        f'y="{y:.1f}" width="{broad - 1:.1f}" height="{high - 1:.1f}"/>'
        f'<text class="mid" x="{x + broad / 2:.1f}" y="{y + high / 2 + 4:.1f}">{svg.text(words)}</text></g>'
    )


def _edges(chart: Map, broad: float, high: float) -> Iterator[str]:
    """A line between neighbours of unlike kind."""
    kinds = {(square.x, square.y): square.kind for square in chart.squares}
    for (a, b), kind in kinds.items():
        right, above = kinds.get((a + 1, b), kind), kinds.get((a, b + 1), kind)
        x, y = LEFT + a * broad - 0.5, TOP + (len(chart.ys) - 1 - b) * high - 0.5
        if right != kind:
            yield f'<path class="edge" d="M{x + broad:.1f} {y:.1f}v{high:.1f}"/>'
        if above != kind:
            yield f'<path class="edge" d="M{x:.1f} {y:.1f}h{broad:.1f}"/>'


def _keys(chart: Map, y: float) -> Iterator[str]:
    """What each colour means."""
    x = float(LEFT)
    for kind, word in chart.kinds:
        yield f'<rect class="p-{looks.phase(kind)}" x="{x:.0f}" y="{y:.0f}" width="{KEY}" height="{KEY}"/>'
        yield f'<text x="{x + KEY + 5:.0f}" y="{y + 12:.0f}">{svg.text(word)}</text>'
        x += KEY + 20 + svg.LETTER * len(word)
