"""Many runs, one line each: with a timeline and curves to hover on a page, and as a plain table elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from html import escape

import numpy as np

from runopsy.model import Positions, Values
from runopsy.report import looks
from runopsy.report.document import Curve, RunLine, Runs, Table
from runopsy.report.svg import text
from runopsy.report.words import number, place, plain, visible

LETTERS = {"underfitting": "u", "feature_learning": "l", "memorization": "m", "converged": "c", "fitting": "f",
           "diverged": "d"}  # fmt: skip
PLACES = 16  # letters of a timeline in text
FINE = 999  # parts of a small drawing's width and height: more than it has pixels
CELL = 60  # characters of a cell


def table(runs: Runs, most: int) -> Table:
    """The first lines as a plain table."""
    rows = tuple((*line.cells, _letters(runs, line)) for line in runs.lines[:most])
    return Table((*runs.columns, "timeline"), rows)


def legend() -> str:
    """What the letters of a timeline mean."""
    return ", ".join(f"{letter} {plain(name)}" for name, letter in LETTERS.items())


def render(runs: Runs) -> Iterator[str]:
    """The part of a page that shows them; ``study.js`` adds sorting and hover."""
    axis = f"{runs.unit} {place(runs.first)} to {place(runs.last)}" if runs.unit else "share of each run"
    heads = "".join(f'<th scope="col" aria-sort="none">{text(name, CELL)}</th>' for name in runs.columns)
    yield f'<p class="hint">Each timeline covers {text(axis, CELL)}. Point at a run for its curves.</p>'
    yield '<div class="scroll" tabindex="0" role="region" aria-label="runs"><table class="runs"><thead><tr>'
    yield f'{heads}<th scope="col" class="times">phases</th></tr></thead><tbody>'
    for line in runs.lines:
        yield _row(runs, line)
    yield "</tbody></table></div>"
    yield '<div class="peek" hidden></div>'


def _row(runs: Runs, line: RunLine) -> str:
    cells = "".join(f"<td>{text(cell, CELL)}</td>" for cell in line.cells)
    curves = json.dumps([_curve(line, curve) for curve in line.curves], separators=(",", ":"))
    return f'<tr data-c="{escape(curves)}">{cells}<td class="times">{_strip(runs, line)}</td></tr>'


def _strip(runs: Runs, line: RunLine) -> str:
    """The timeline as the ground of one box: an element for each phase would be a third of the page's elements."""
    stops: list[str] = []
    done = 0.0
    for band in line.bands:
        a, b = _share(runs, line, band.start), _share(runs, line, band.end)
        if a > done:
            stops.append(f"transparent {done:.1f}% {a:.1f}%")
        stops.append(f"var(--{looks.phase(band.kind)}) {a:.1f}% {b:.1f}%")
        done = b
    stops.append(f"transparent {done:.1f}%")
    phases = (f"{plain(band.kind)} {place(band.start)} – {place(band.end)}" for band in line.bands)
    ground = f"linear-gradient(90deg,{','.join(stops)})"
    return f'<div style="background:{ground}" title="{text(", ".join(phases))}"></div>' if line.bands else "<div></div>"


def _share(runs: Runs, line: RunLine, at: float) -> float:
    """Where a position lies, in percent: on the axis of all runs, or on its own where they count unlike things."""
    first, last = (runs.first, runs.last) if runs.unit else (line.first, line.last)
    return 100 * float(np.clip((at - first) / (last - first), 0, 1)) if last > first else 0.0


def _letters(runs: Runs, line: RunLine) -> str:
    """The timeline in letters; blank after the end of the run."""
    spelt = ""
    for k in range(PLACES):
        at = 100 * (k + 0.5) / PLACES
        inside = [b.kind for b in line.bands if _share(runs, line, b.start) <= at <= _share(runs, line, b.end)]
        spelt += LETTERS.get(inside[-1], "?") if inside else " "
    return spelt.rstrip()


def _curve(line: RunLine, curve: Curve) -> list[object]:
    """Name, ends in words, and the course as whole parts of the frame: x, y, x, y, …"""
    low, high = float(curve.value.min()), float(curve.value.max())
    x = _parts(curve.step, line.first, line.last)
    y = _height(curve.value, low, high, log=low > 0 and curve.name.endswith("loss"))
    course = [int(v) for pair in zip(x, y, strict=True) for v in pair]
    return [visible(curve.name, CELL), looks.curve(curve.name, 0), number(low), number(high), course]


def _parts(step: Positions, first: float, last: float) -> Values:
    return np.round(FINE * np.clip((step - first) / max(last - first, 1e-12), 0, 1))


def _height(value: Values, low: float, high: float, *, log: bool) -> Values:
    if log:
        value, low, high = np.log(value), float(np.log(low)), float(np.log(high))
    return np.round(FINE * (1 - (value - low) / (high - low))) if high > low else np.full(len(value), FINE / 2)
