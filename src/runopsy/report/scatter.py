"""Scatter → characters, or an SVG: points on two scales."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from runopsy.model import Values
from runopsy.report import looks, svg
from runopsy.report.canvas import GLYPHS
from runopsy.report.document import Scatter
from runopsy.report.geometry import ticks
from runopsy.report.words import number, visible

ROWS, MOST_COLUMNS = 16, 64  # of characters
WIDTH, HEIGHT = 520, 380  # of the drawing, with its margins
LEFT, RIGHT, TOP, BELOW = 62, 16, 28, 44
MOST_POINTS = 2000  # of a cloud: more cover each other


def lines(block: Scatter, width: int) -> Iterator[tuple[str, str]]:
    """(number beside it, characters) row by row, the top first; below them the scale."""
    columns = max(min(width, MOST_COLUMNS), 10)
    cells = [[" "] * columns for _ in range(ROWS)]
    for k in range(len(block.clouds)):
        across, up = _places(block, k)
        rows, at = np.round((1 - up) * (ROWS - 1)), np.round(across * (columns - 1))
        for i, j in zip(rows.astype(int), at.astype(int), strict=True):
            cells[i][j] = GLYPHS[k % len(GLYPHS)]
    for i, row in enumerate(cells):
        label = number(block.y[2]) if i == 0 else number(block.y[1]) if i == ROWS - 1 else ""
        yield label, "│" + "".join(row)
    yield "", "└" + "─" * columns
    low, high = number(block.x[1]), number(block.x[2])
    yield "", f" {low}{visible(block.x[0]).center(columns - len(low) - len(high))}{high}"


def _places(block: Scatter, k: int) -> tuple[Values, Values]:
    """The points of a cloud as shares of the width and of the height."""
    cloud, (_, left, right), (_, low, high) = block.clouds[k], block.x, block.y
    return np.clip((cloud.x - left) / (right - left), 0, 1), np.clip((cloud.y - low) / (high - low), 0, 1)


def render(block: Scatter) -> str:
    """A file of its own, light and dark."""
    return svg.standalone(WIDTH, HEIGHT, block.alt, _drawn(block))


def drawing(block: Scatter) -> str:
    """The SVG for a page that has the colours."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'role="img" style="max-width:100%;height:auto;font:12px system-ui,sans-serif">'
        f"<title>{svg.text(block.alt)}</title>{''.join(_drawn(block))}</svg>"
    )


def _drawn(block: Scatter) -> tuple[str, ...]:
    return *_frame(block), *_points(block), *_legend(block)


def _frame(block: Scatter) -> Iterator[str]:
    (x_name, left, right), (y_name, low, high) = block.x, block.y
    for at in ticks(left, right, 5):
        x = _x((at - left) / (right - left))
        yield f'<path d="M{x:.1f} {TOP}V{HEIGHT - BELOW}" stroke="var(--rule)"/>'
        yield _text(x, HEIGHT - BELOW + 16, number(float(f"{at:.6g}")), "middle")
    for at in ticks(low, high, 5):
        y = _y((at - low) / (high - low))
        yield f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="var(--rule)"/>'
        yield _text(LEFT - 6, y + 4, number(float(f"{at:.6g}")), "end")
    yield _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, x_name, "middle")
    yield _text(14, (TOP + HEIGHT - BELOW) / 2, y_name, "middle", turned=True)


def _points(block: Scatter) -> Iterator[str]:
    for k in range(len(block.clouds)):
        across, up = (values[:MOST_POINTS] for values in _places(block, k))
        dots = "".join(f"M{_x(a):.1f} {_y(b):.1f}h0" for a, b in zip(across, up, strict=True))
        yield (
            f'<path d="{dots}" fill="none" stroke="var(--curve{_colour(k)})" stroke-width="{5 + 2 * k}" '
            f'stroke-linecap="round" stroke-opacity=".6"/>'
        )


def _legend(block: Scatter) -> Iterator[str]:
    x = float(LEFT)
    for k, cloud in enumerate(block.clouds):
        name = f"{visible(cloud.name, 40)} ({len(cloud.x):,})"
        yield f'<circle cx="{x + 4:.0f}" cy="{TOP - 14}" r="4" fill="var(--curve{_colour(k)})"/>'
        yield _text(x + 12, TOP - 10, name, "start")
        x += 24 + svg.LETTER * len(name)


def _colour(k: int) -> int:
    return k % len(looks.CURVES)


def _x(share: float) -> float:
    return LEFT + share * (WIDTH - LEFT - RIGHT)


def _y(share: float) -> float:
    return TOP + (1 - share) * (HEIGHT - TOP - BELOW)


def _text(x: float, y: float, content: str, anchor: str, *, turned: bool = False) -> str:
    turn = f' transform="rotate(-90 {x:.1f} {y:.1f})"' if turned else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="var(--ink)"{turn}>{svg.text(content)}</text>'
