"""How good each run was at the same place, and what the same value cost."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from runopsy.comparison.alignment import Alignment, seconds_at
from runopsy.comparison.judging import Row, unjudged, weigh
from runopsy.comparison.seeds import Splits, Spot
from runopsy.model import Autopsy, Position, Positions, Segments, Values
from runopsy.segments import level_error
from runopsy.stats import Z90

JUDGED = ("train/loss", "train/acc", "val/loss", "val/acc")
NEARLY = 0.95  # of the way to the worse of two bests: the best itself is a single point on a flat stretch


def values(autopsies: Sequence[Autopsy], split: int, splits: Splits, axis: Alignment) -> list[Row]:
    """Per judged curve the value at the last place that all runs reach, and the best until there; all as fitted."""
    rows = []
    for name in JUDGED:
        if (name == "train/loss" and axis.name == "loss") or any(name not in x.segments for x in autopsies):
            continue
        places = [axis.maps[i](x.segments[name].step) for i, x in enumerate(autopsies)]
        low = max(axis.place(i, float(x.signals[name].step[0])) for i, x in enumerate(autopsies))
        high = min(axis.place(i, float(x.signals[name].step[-1])) for i, x in enumerate(autopsies))
        if high < low:
            continue
        curves = [x.segments[name] for x in autopsies]
        ends = [_at(s, p, high) for s, p in zip(curves, places, strict=True)]
        bests = [_best(s, p, high) for s, p in zip(curves, places, strict=True)]
        for kind, spots in (("end", ends), ("best", bests)):
            rows.append(weigh(splits, spots[:split], spots[split:], kind=kind, what=name, unit="", at=high))
    return rows


def cost(autopsies: Sequence[Autopsy], split: int, splits: Splits) -> list[Row]:
    """Steps and seconds to a value that both sides reach, and seconds per step.

    Seconds are shown and not judged: what else a machine did may differ from side to side as well.
    """
    rows = []
    one_count = len({x.axis for x in autopsies}) == 1
    name = next((n for n in ("val/loss", "val/acc", "train/loss") if all(n in x.segments for x in autopsies)), None)
    if name is not None:
        target = _target([x.segments[name] for x in autopsies], split)
        reached = [_reaches(x, x.segments[name], target) for x in autopsies]
        unit = autopsies[0].axis
        a, b = reached[:split], reached[split:]
        if one_count:
            rows.append(weigh(splits, a, b, kind="reach", what=name, unit=unit, at=target))
        timed = [_timed(x, spot) for x, spot in zip(autopsies, reached, strict=True)]
        if unit != "time" and all(t is not None for t in timed):
            wall = [t for t in timed if t is not None]
            rows.append(
                unjudged(weigh(splits, wall[:split], wall[split:], kind="wall", what=name, unit="s", at=target))
            )
    paces = [_pace(x) for x in autopsies]
    known = [Spot(p) for p in paces if p is not None]
    if one_count and len(known) == len(paces) and autopsies[0].axis != "time":
        rows.append(
            unjudged(weigh(splits, known[:split], known[split:], kind="pace", what=autopsies[0].axis, unit="s"))
        )
    return rows


def _at(s: Segments, place: Positions, where: Position) -> Spot:
    return _give_or_take(s, float(np.interp(where, place, s.curve)), float(np.interp(where, place, _error(s))))


def _best(s: Segments, place: Positions, until: Position) -> Spot:
    last = max(int(np.searchsorted(place, until, side="right")), 1)
    sign = _sign(s)
    i = int(np.argmax(sign * s.curve[:last]))
    return _give_or_take(s, float(s.curve[i]), float(_error(s)[i]))


def _error(s: Segments) -> Values:
    """Of the fit over its whole stretch or of the rows nearby, whichever is larger: at its end a fit is least sure."""
    return np.maximum(s.spread, np.nan_to_num(level_error(s), posinf=0.0))


def _give_or_take(s: Segments, value: float, error: float) -> Spot:
    most = 1.0 if s.signal.endswith("acc") else np.inf
    return Spot(value, (value - Z90 * error, min(value + Z90 * error, most)))


def _sign(s: Segments) -> float:
    return 1.0 if s.signal.endswith("acc") else -1.0


def _target(curves: Sequence[Segments], split: int) -> float:
    """Most of the way, on the scale of the curve, to the worse of the two sides' middle bests."""
    sign = _sign(curves[0])
    bests = [float((sign * s.curve).max()) for s in curves]
    worse = min(float(np.median(bests[:split])), float(np.median(bests[split:])))
    start = float(np.median([sign * s.curve[0] for s in curves]))
    if sign < 0 and worse < 0 and start < 0:  # a loss that falls by factors: most of the way in factors
        return float(np.exp(np.log(-start) + NEARLY * (np.log(-worse) - np.log(-start))))
    return sign * (start + NEARLY * (worse - start))


def _reaches(x: Autopsy, s: Segments, target: float) -> Spot:
    """The logged place by which a fitted curve first is as good, and by which give or take its error."""
    sign, error = _sign(s), _error(s)

    def first(shift: float) -> Position | None:
        there = np.flatnonzero(sign * (s.curve - target) + shift * error >= 0)
        if not len(there):
            return None
        i = int(there[0])
        if i == 0:
            return float(s.step[0])
        gaps = (sign * (s.curve - target) + shift * error)[i - 1 : i + 1]
        return float(s.step[i - 1] + (s.step[i] - s.step[i - 1]) * (-gaps[0]) / (gaps[1] - gaps[0]))

    logged = x.signals[s.signal].step

    def row(position: Position) -> Position:
        return float(logged[min(int(np.searchsorted(logged, position - 1e-9)), len(logged) - 1)])

    at, low, high = first(0.0), first(Z90), first(-Z90)
    if at is None:
        return Spot(None, until=x.last)
    interval = None if low is None or high is None else (row(low), row(high))
    return Spot(row(at), interval, seconds_at(x, row(at)))


def _timed(x: Autopsy, spot: Spot) -> Spot | None:
    """The same in seconds; they have no interval, for a log does not show how steady its machine was."""
    if spot.at is None:
        until = seconds_at(x, x.last)
        return None if until is None else Spot(None, until=until)
    return None if spot.seconds is None else Spot(spot.seconds)


def _pace(x: Autopsy) -> float | None:
    """Seconds per unit of the axis, over the whole run."""
    whole = seconds_at(x, x.last)
    first = seconds_at(x, x.first)
    if whole is None or first is None or x.last <= x.first:
        return None
    return (whole - first) / (x.last - x.first)
