"""One signal → its Segments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from runopsy.model import Position, Segments, Signal
from runopsy.segments.bins import Bins, bin_signal
from runopsy.segments.decay import smooth_decay
from runopsy.segments.lines import fit_pieces
from runopsy.segments.search import EXACT, Segmenter
from runopsy.stats import Floats, median
from runopsy.thresholds import DEFAULTS, Limits

FEWEST_FOR_DECAY = 8  # bins: a mixture of exponentials explains any fewer
GATE = 6.0  # x log m per change that pieces must gain on a smooth decay: measured, 0 of 36 decays were cut
EFFECTIVE = 6.0  # parameters that a mixture of exponentials uses up, about: two or three rates, their weights, a floor


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
    signal: Signal,
    first: Position,
    *,
    without: Sequence[tuple[Position, Position]] = (),
    rate: Signal | None = None,
    segmenter: Segmenter = EXACT,
    limits: Limits = DEFAULTS,
) -> Segments | None:
    """Cut a signal into straight pieces on its own scale against log elapsed steps.

    Args:
        signal: what to cut.
        first: the run's first step.
        without: spans [from, to] whose values are not fitted: a spike that came back is no stretch.
        rate: the learning rate, if it was logged: what it explains is no change of the signal's own.
        segmenter: finds where pieces begin.
        limits: the thresholds.

    Returns None where there are no more than ``few_rows`` values.
    """
    signal = _outside(signal, without)
    if len(signal) <= limits.few_rows:
        return None
    scale = scale_of(signal)
    bins = bin_signal(signal, scale.to(signal.value), first, most=segmenter.most)
    pieces = _pieces(bins, segmenter)
    decay = _decay(signal, scale, bins, pieces, rate, limits)
    fit = decay or pieces
    lowest = -np.inf if scale is LOG else signal.value.min()
    natural = np.clip(scale.back(fit.curve), lowest, signal.value.max())  # a line overshoots where a curve bends
    unit = scale.back(bins.level) if scale is LOG else np.ones_like(bins.level)
    return Segments(
        signal=signal.name,
        edges=np.array([signal.step[0], *((bins.step[c - 1] + bins.step[c]) / 2 for c in fit.cuts), signal.step[-1]]),
        step=bins.step,
        curve=natural,
        spread=np.abs(scale.back(fit.curve + fit.spread) - natural),
        rate_spread=np.abs(scale.back(fit.curve + fit.slope_error) - natural),
        level=scale.back(bins.level),
        error=bins.error * unit,
        origin=bins.first - bins.spacing,
        by_factors=scale is LOG,
        smooth=decay is not None,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """A curve through the bins, on the transformed scale."""

    cuts: list[int]  # bins at which a new piece begins
    curve: Floats  # (m,)
    spread: Floats  # (m,) one standard error of the curve
    slope_error: Floats  # (m,) one standard error of its slope per unit of log elapsed steps


def _pieces(bins: Bins, segmenter: Segmenter) -> Fit:
    cuts = segmenter.cuts(bins)
    return Fit(cuts, *fit_pieces(bins.log, bins.level, bins.error**-2, cuts))


def _decay(signal: Signal, scale: Scale, bins: Bins, pieces: Fit, rate: Signal | None, limits: Limits) -> Fit | None:
    """One smooth decay from where learning begins, if it explains the signal as well as the pieces do."""
    falling = signal.name.endswith("loss")
    if not falling and not signal.name.endswith("acc"):
        return None
    natural = scale.back(bins.level) if falling else 1 - bins.level
    if len(natural) < FEWEST_FOR_DECAY or natural.min() < 0:
        return None
    begins = _learning_begins(natural, limits)
    error = bins.error * (natural if scale is LOG else 1.0)
    rates = None if rate is None or len(rate) < 2 else np.interp(bins.step, rate.step, rate.value)[begins:]
    fitted = smooth_decay(bins.elapsed[begins:], natural[begins:], error[begins:], rates)
    curve = pieces.curve.copy()
    curve[begins:] = scale.to(np.maximum(fitted, 1e-300)) if falling else 1 - fitted
    if not _as_good(bins, curve, pieces, begins, limits):
        return None
    error_of_fit = bins.error * np.sqrt(EFFECTIVE / len(natural))
    return Fit([], curve, error_of_fit, 2 * error_of_fit)


def _learning_begins(falling: Floats, limits: Limits) -> int:
    """The first bin of the descent: an initial plateau, before anything is learnt, is no part of a decay."""
    start = median(falling[:3])
    drop = start - float(falling.min())
    below = np.flatnonzero(falling < start - limits.visible_loss * drop)
    return int(below[0]) if len(below) and len(falling) - below[0] >= FEWEST_FOR_DECAY else 0


def _as_good(bins: Bins, curve: Floats, pieces: Fit, begins: int, limits: Limits) -> bool:
    """Whether the decay loses too little against the pieces, or differs from them too little to be seen."""
    here = slice(begins, None)
    loses = (((bins.level - curve) ** 2 - (bins.level - pieces.curve) ** 2) / bins.error**2)[here].sum()
    changes = max(1, sum(cut > begins for cut in pieces.cuts))
    unseen = np.abs(curve - pieces.curve)[here].max() < limits.visible_loss
    return bool(loses <= GATE * np.log(len(curve)) * changes or unseen)
