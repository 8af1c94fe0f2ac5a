"""One signal → its Segments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from runopsy.model import Position, Segments, Signal
from runopsy.segments.bins import bin_signal
from runopsy.segments.lines import best_pieces, fit_pieces, line_costs
from runopsy.stats import Floats

PENALTY = 4.5  # x log m per piece: 1.5 log m for each of slope, level and place, as measured on smooth decays
FEWEST = 4  # points: fewer have no shape


@dataclass(frozen=True, slots=True)
class Scale:
    """A scale on which a quantity's noise is roughly even, and back."""

    name: str
    to: Callable[[Floats], Floats]
    back: Callable[[Floats], Floats]


def _log(values: Floats) -> Floats:
    return np.asarray(np.log(values))


def _same(values: Floats) -> Floats:
    return values


LOG = Scale("log", _log, lambda values: np.asarray(np.exp(values)))
LINEAR = Scale("linear", _same, _same)


def _outside(signal: Signal, spans: Sequence[tuple[Position, Position]]) -> Signal:
    kept = np.ones(len(signal), dtype=bool)
    for a, b in spans:
        kept &= (signal.step < a) | (signal.step > b)
    return (
        signal
        if kept.all() or not kept.any()
        else replace(signal, step=signal.step[kept], value=signal.value[kept], time=None)
    )


def scale_of(signal: Signal) -> Scale:
    """Losses and norms change by factors, accuracies and the rest by differences."""
    by_factors = signal.name.endswith(("loss", "norm")) and len(signal) > 0
    return LOG if by_factors and float(signal.value.min()) > 0 else LINEAR


def segment(
    signal: Signal, first: float, without: Sequence[tuple[Position, Position]] = (), penalty: float = PENALTY
) -> Segments | None:
    """Cut a signal into straight pieces on its own scale against log elapsed steps.

    Args:
        signal: what to cut.
        first: the run's first step.
        without: spans [from, to] whose values are not fitted: a spike that came back is no stretch.
        penalty: per piece, x log of the number of points.

    Returns None where there are fewer than ``FEWEST`` values.
    """
    signal = _outside(signal, without)
    if len(signal) < FEWEST:
        return None
    scale = scale_of(signal)
    bins = bin_signal(signal, scale.to(signal.value), first)
    weight = bins.error**-2
    cuts = best_pieces(line_costs(bins.log, bins.level, weight), penalty * np.log(len(bins.level)))
    curve, spread, slope_error = fit_pieces(bins.log, bins.level, weight, cuts)
    middle = [(bins.step[c - 1] + bins.step[c]) / 2 for c in cuts]
    lowest = -np.inf if scale is LOG else signal.value.min()
    natural = np.clip(scale.back(curve), lowest, signal.value.max())  # a line overshoots where a curve bends
    return Segments(
        signal=signal.name,
        edges=np.array([signal.step[0], *middle, signal.step[-1]]),
        step=bins.step,
        curve=natural,
        spread=np.abs(scale.back(curve + spread) - natural),
        rate_spread=np.abs(scale.back(curve + slope_error) - natural),
        level=scale.back(bins.level),
    )
