"""Segments and phases → the level and the trend of each signal in each phase."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runopsy.model import INSIDE, Level, Phase, Segments, Signal
from runopsy.segments.bins import bin_signal
from runopsy.signal_specs import ERROR
from runopsy.stats import Floats

FAMILIES = ("features/cka/",)  # one signal for each pair of layers
THIRDS = 3  # parts of a phase, of which the first and the last are compared
PIECES = ("gns/s", "gns/g2")  # whose quotient is the gradient noise scale, once both are averaged
NOISE_SCALE = "gns"
# Made of those, and smoothed along the run: their rows show less noise than there is.
PROXIES = (NOISE_SCALE, "batch/critical")


def levels(
    phases: Sequence[Phase], signals: Mapping[str, Signal], segments: Mapping[str, Segments]
) -> tuple[Level, ...]:
    """Each signal of the inside in each phase that has a point in each of its thirds.

    A family of signals, one for each pair of layers, is asked as the mean of them. Points are the bins of the
    signal's own segments; their errors hold the noise of its rows, slow noise included. A standard error that was
    recorded beside a reading (``NAME/se``) is taken where it is the larger one.
    """
    names = [name for name in segments if name.startswith(INSIDE) and not name.endswith(ERROR) and name not in PROXIES]
    found = [level for name in names for level in _along(phases, _of(segments[name], segments.get(name + ERROR)))]
    found += [level for family in FAMILIES for level in _along(phases, _family(family, signals))]
    if all(piece in segments for piece in PIECES):
        found += list(_noise_scale(phases, *(segments[piece] for piece in PIECES)))
    return tuple(found)


@dataclass(frozen=True, slots=True, eq=False)
class _Points:
    """A signal as points with errors; (m,) each."""

    name: str
    step: Floats
    level: Floats
    error: Floats
    origin: float  # elapsed steps are counted from here


def _of(curve: Segments, recorded: Segments | None = None) -> _Points:
    noise = curve.error
    if recorded is not None:
        noise = np.maximum(noise, np.interp(curve.step, recorded.step, recorded.level))
    return _Points(curve.signal, curve.step, curve.level, noise, curve.origin)


def _family(name: str, signals: Mapping[str, Signal]) -> _Points | None:
    """The mean of the signals whose names begin so, at the steps that all have; None where there are too few."""
    members = [signal for key, signal in signals.items() if key.startswith(name) and len(signal)]
    if not members:
        return None
    steps = members[0].step
    for one in members[1:]:
        steps = np.intersect1d(steps, one.step)
    if len(steps) <= THIRDS:
        return None
    values = np.mean([one.value[np.searchsorted(one.step, steps)] for one in members], axis=0)
    bins = bin_signal(Signal(name, name, steps, values), values, float(steps[0]))
    return _Points(name, bins.step, bins.level, bins.error, bins.first - bins.spacing)


def _along(phases: Sequence[Phase], points: _Points | None) -> Iterator[Level]:
    for i, phase in enumerate(phases if points is not None else ()):
        assert points is not None  # or there are no phases to ask
        parts = _parts(phase, points.step, points.origin)
        if parts is not None:
            (mean, early, late) = (_mean(points.level[part], points.error[part]) for part in parts)
            yield Level(points.name, i, *mean, *early, *late)


def _parts(phase: Phase, step: Floats, origin: float) -> tuple[NDArray[np.bool_], ...] | None:
    """The points of a phase, of its first and of its last third by log elapsed steps; None where one has no point.

    Where so few points lie in the phase that a third by steps is empty, thirds are taken by points.
    """
    here = np.flatnonzero((step >= phase.start) & (step <= phase.end))
    if len(here) < THIRDS:
        return None
    at = np.log(np.maximum(step[here] - origin, 1e-12))
    length = max(float(at[-1] - at[0]), 1e-12)
    early, late = here[at <= at[0] + length / THIRDS], here[at >= at[-1] - length / THIRDS]
    few = len(here) // THIRDS
    early, late = early if len(early) >= few else here[:few], late if len(late) >= few else here[-few:]
    return tuple(np.isin(np.arange(len(step)), rows) for rows in (here, early, late))


def _mean(values: Floats, errors: Floats) -> tuple[float, float]:
    """The mean of points, and one standard error of it."""
    return float(values.mean()), float(np.sqrt((errors**2).sum()) / len(errors))


def _noise_scale(phases: Sequence[Phase], trace: Segments, square: Segments) -> Iterator[Level]:
    """The quotient of the means of its two pieces, where the lower one is above 0; errors by the delta method."""
    for i, phase in enumerate(phases):
        above, below = _parts(phase, trace.step, trace.origin), _parts(phase, square.step, square.origin)
        if above is None or below is None:
            continue
        quotients = [
            _quotient(_mean(trace.level[a], trace.error[a]), _mean(square.level[b], square.error[b]))
            for a, b in zip(above, below, strict=True)
        ]
        if all(np.isfinite(value) for value, _ in quotients):
            (mean, early, late) = quotients
            yield Level(NOISE_SCALE, i, *mean, *early, *late)


def _quotient(above: tuple[float, float], below: tuple[float, float]) -> tuple[float, float]:
    """A quotient of two means with its standard error; NaN where the lower one may be 0."""
    (a, a_error), (b, b_error) = above, below
    if b <= 2 * b_error or a <= 0:
        return np.nan, np.nan
    return a / b, a / b * float(np.hypot(a_error / a, b_error / b))
