"""Autopsy → Picture: the phases, the curves and the marks on one axis."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from runopsy.model import Autopsy, Segments, Severity, Signal
from runopsy.report.document import Band, Chart, Line, Mark, Picture, Scale, Table, Timeline
from runopsy.report.words import number, odds, place, plain

TONES = {Severity.INFO: "plain", Severity.WARNING: "warn", Severity.FATAL: "bad"}
EARLY = 0.1  # of the run: a phase boundary before it is invisible on an even scale
WIDE = 20.0  # largest value / least: beyond it, an even scale flattens the rest of a loss
FAR = 100.0  # x the largest value before a divergence, beyond which the rest of the curve would lie flat
FLAT = 1e-6  # relative, of float32: what moves by less is a constant, and means of it differ by rounding
KINDS = (("loss", "Loss", 9), ("acc", "Accuracy", 6))  # which curves share a chart, its title, its rows of text
AXES = ("step", "epoch", "tokens", "time")  # they count, and have no course of their own
MOST_FURTHER = 40  # signals on a page: a log of a thousand layers would make it too heavy to open


def picture(autopsy: Autopsy) -> Picture | None:
    """The run in one picture; None where the log is too short for a curve."""
    if not autopsy.segments and not autopsy.phases:
        return None
    axis = scale(autopsy)
    phases = tuple(bands(autopsy))
    timelines = (Timeline(axis, phases),) if phases else ()
    charts = tuple(_charts(autopsy, axis))
    numbers = _numbers(autopsy) if phases else None
    alt = _alt(autopsy, charts)
    return Picture("timeline", alt, timelines, charts, tuple(_marks(autopsy)), numbers, tuple(_further(autopsy, axis)))


def scale(autopsy: Autopsy) -> Scale:
    """Log where a boundary would otherwise be squeezed against the left edge."""
    length = autopsy.last - autopsy.first
    inner = [p.start - autopsy.first for p in autopsy.phases[1:]]
    log = bool(inner) and min(inner) < EARLY * length
    origin = min((float(s.step[1] - s.step[0]) for s in autopsy.segments.values() if len(s.step) > 1), default=1.0)
    return Scale(autopsy.first, autopsy.last, log, max(origin, length * 1e-6, 1e-12), autopsy.axis)


def bands(autopsy: Autopsy) -> Iterator[Band]:
    """The phases, as a timeline has them."""
    starts = {t.step: t.interval for t in autopsy.transitions}
    for p in autopsy.phases:
        yield Band(plain(p.label), p.label, p.start, p.end, starts.get(p.start))


def _charts(autopsy: Autopsy, axis: Scale) -> Iterator[Chart]:
    cuts = tuple(p.start for p in autopsy.phases[1:])
    for kind, title, rows in KINDS:
        lines = tuple(_line(s, autopsy) for n, s in autopsy.segments.items() if n.endswith(f"/{kind}"))
        if lines:
            ceiling = _ceiling(lines, autopsy) if kind == "loss" else None
            log = kind == "loss" and _spans_decades(lines)
            title_text = (
                f"{title}{', log scale' if log else ''}{'' if ceiling is None else f', cut at {number(ceiling)}'}"
            )
            yield Chart(title_text, axis, lines, log, cuts, rows, ceiling)


def _ceiling(lines: tuple[Line, ...], autopsy: Autopsy) -> float | None:
    """Ten times all that came before the run diverged, if it then went far beyond that."""
    gone = next((p.start for p in autopsy.phases if p.label == "diverged"), None)
    if gone is None or all(line.step[0] >= gone for line in lines):
        return None
    before = max(float(line.value[line.step < gone].max(initial=-np.inf)) for line in lines)
    top = 10 * max(before, 1e-12)
    return float(f"{top:.1g}") if max(float(line.value.max()) for line in lines) > FAR * before else None


def _line(segments: Segments, autopsy: Autopsy) -> Line:
    signal = autopsy.signals.get(segments.signal)
    rows = None if signal is None or not len(signal) else (signal.step, signal.value)
    return Line(segments.signal, segments.step, segments.level, rows)


def _spans_decades(lines: tuple[Line, ...]) -> bool:
    """Whether an even scale would flatten most of the curves; a single row does, too, if it leaps."""
    low = min(float(line.value.min()) for line in lines)
    high = max(float((line.value if line.rows is None else line.rows[1]).max()) for line in lines)
    rows = [line.rows[1] for line in lines if line.rows is not None]
    return low > 0 and high / low > WIDE and all(float(v.min()) > 0 for v in rows)


def further(autopsy: Autopsy) -> list[Signal]:
    """Every signal that no chart of the run shows and that is no axis, in the order of the log."""
    return [s for n, s in autopsy.signals.items() if not _charted(autopsy, n) and n not in AXES and len(s) > 1]


def _charted(autopsy: Autopsy, name: str) -> bool:
    return name in autopsy.segments and any(name.endswith(f"/{kind}") for kind, _, _ in KINDS)


def _further(autopsy: Autopsy, axis: Scale) -> Iterator[Chart]:
    """Each on a chart of its own."""
    for signal in further(autopsy)[:MOST_FURTHER]:
        lines = (Line(signal.name, signal.step, signal.value),)
        yield Chart(signal.name, axis, lines, _spans_decades(lines), (), 5)


def _marks(autopsy: Autopsy) -> Iterator[Mark]:
    for e in autopsy.events:
        yield Mark(plain(e.kind), TONES[e.severity], e.step, e.until, e.interval)
    for m in autopsy.run.marks:
        yield Mark(plain(m.kind), "plain", m.step)
    if autopsy.stop is not None:
        yield Mark(f"best {autopsy.stop.signal}", "good", autopsy.stop.best_step)


def _numbers(autopsy: Autopsy) -> Table:
    """The phases in numbers: where each lies, how sure it is, from what to what the curves went."""
    curves = tuple(e.signal for e in autopsy.phases[0].why)
    sure = any(p.confidence is not None for p in autopsy.phases)
    rows = []
    for p in autopsy.phases:
        moved = {e.signal: f"{number(_round(e.limit))}→{number(_round(e.observed))}" for e in p.why}
        odds_cell = ("" if p.confidence is None else "{} in {}".format(*odds(p.confidence)),) if sure else ()
        rows.append(
            (plain(p.label), f"{place(p.start)} – {place(p.end)}", *odds_cell, *(moved.get(c, "") for c in curves))
        )
    return Table(("phase", f"{autopsy.axis}s", *(("right",) if sure else ()), *curves), tuple(rows))


def _round(value: float | None) -> float:
    """Two digits: fitted values at a boundary carry hardly more, and the table stays in its columns."""
    return float(f"{value or 0.0:.2g}")


def _alt(autopsy: Autopsy, charts: tuple[Chart, ...]) -> str:
    """What the picture shows, in sentences."""
    phases = "; ".join(f"{plain(p.label)} {place(p.start)} to {place(p.end)}" for p in autopsy.phases)
    events = "; ".join(f"{m.label} at {place(m.at)}" for m in _marks(autopsy))
    curves = "; ".join(
        f"{line.name} from {number(float(line.value[0]))} to {number(float(line.value[-1]))}"
        for chart in charts
        for line in chart.lines
    )
    parts = (f"Phases by {autopsy.axis}: {phases}" if phases else "", f"Curves: {curves}", f"Marked: {events}")
    return ". ".join(part for part in parts if part and not part.endswith(": ")) + "."


def spark(signal: Signal, width: int = 16) -> str:
    """A signal's course in a few characters: the mean of each part of the axis, least to largest."""
    part = np.minimum(width * (signal.step - signal.step[0]) / max(float(np.ptp(signal.step)), 1e-300), width - 1)
    cells, where = np.unique(part.astype(np.int64), return_inverse=True)
    means = np.bincount(where, signal.value) / np.bincount(where)
    low, high = float(means.min()), float(means.max())
    level = np.full(width, -1)
    moved = high - low > FLAT * max(abs(low), abs(high))
    level[cells] = np.round(7 * (means - low) / (high - low)) if moved else 0
    return "".join("▁▂▃▄▅▆▇█"[k] if k >= 0 else " " for k in level)
