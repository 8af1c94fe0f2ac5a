"""Comparison → Picture: two timelines and the curves of both on one axis."""

from __future__ import annotations

from collections.abc import Iterator

from runopsy.model import Comparison, Laid
from runopsy.report.document import Band, Chart, Line, Picture, Scale, Timeline
from runopsy.report.pictures import EARLY, WIDE
from runopsy.report.words import number, place, plain

AXES = {"loss": "−log10 of the lowest training loss so far", "phase": "phase"}  # what places count where no log counts
SHOWN = (("val/loss", "Validation loss", 8), ("val/acc", "Validation accuracy", 6), ("train/loss", "Training loss", 8))
MOST = 2  # charts: validation where it was logged, the training loss where it was not


def overlay(c: Comparison) -> Picture | None:
    """Both sides in one picture; None where neither log is long enough for a curve."""
    sides = (("A", c.laid_a), ("B", c.laid_b))
    if not any(laid.phases or laid.curves for _, laid in sides):
        return None
    axis = _scale(c)
    timelines = tuple(Timeline(axis, _bands(laid), name) for name, laid in sides if laid.phases)
    charts = tuple(_charts(c, axis))[:MOST]
    return Picture("timelines", _alt(c, axis), timelines, charts)


def unit(c: Comparison) -> str:
    return AXES.get(c.align, c.align)


def _scale(c: Comparison) -> Scale:
    """Over both; log where a boundary would otherwise be squeezed against the left edge."""
    laid = (c.laid_a, c.laid_b)
    steps = [step for side in laid for step, _ in side.curves.values()]
    ends = [p for side in laid for phase in side.phases for p in (phase.start, phase.end)]
    first = min([float(s[0]) for s in steps] + ends)
    last = max([float(s[-1]) for s in steps] + ends)
    inner = [phase.start - first for side in laid for phase in side.phases[1:]]
    log = c.align not in AXES and bool(inner) and min(inner) < EARLY * (last - first)
    origin = min((float(s[1] - s[0]) for s in steps if len(s) > 1 and s[1] > s[0]), default=1.0)
    return Scale(first, last, log, max(origin, (last - first) * 1e-6, 1e-12), unit(c))


def _bands(laid: Laid) -> tuple[Band, ...]:
    pairs = zip(laid.phases, laid.intervals, strict=True)
    return tuple(Band(plain(p.label), p.label, p.start, p.end, interval) for p, interval in pairs)


def _charts(c: Comparison, axis: Scale) -> Iterator[Chart]:
    for name, title, rows in SHOWN:
        sides = (("A", c.laid_a), ("B", c.laid_b))
        lines = tuple(Line(side, *laid.curves[name]) for side, laid in sides if name in laid.curves)
        if lines:
            low, high = _range(lines)
            log = name.endswith("loss") and low > 0 and high / low > WIDE
            yield Chart(f"{title}{', log scale' if log else ''}", axis, lines, log, (), rows)


def _range(lines: tuple[Line, ...]) -> tuple[float, float]:
    return min(float(line.value.min()) for line in lines), max(float(line.value.max()) for line in lines)


def _alt(c: Comparison, axis: Scale) -> str:
    """What the picture shows, in sentences."""
    sentences = []
    for name, laid in (("A", c.laid_a), ("B", c.laid_b)):
        phases = "; ".join(f"{plain(p.label)} {place(p.start)} to {place(p.end)}" for p in laid.phases)
        curves = "; ".join(
            f"{n} from {number(float(value[0]))} to {number(float(value[-1]))}" for n, (_, value) in laid.curves.items()
        )
        sentences.append(f"{name}, by {axis.unit}: {phases or 'no phases'}. Curves: {curves or 'none'}.")
    return " ".join(sentences)
