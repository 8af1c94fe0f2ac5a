"""Signals that are made of others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from runopsy.model import Signal
from runopsy.thresholds import DEFAULTS, Limits

WINDOW = 100  # readings averaged before dividing: of a true 200 they gave 172 to 231 nine times in ten, measured
SHARE = 5  # a window is at most a fifth of the readings, so that the scale may change along the run


def derived(signals: Mapping[str, Signal], limits: Limits = DEFAULTS) -> dict[str, Signal]:
    """The signals, and where the two pieces of the gradient noise scale were recorded, that scale.

    It stands as ``batch/critical`` too, of which it is the usual proxy: batches much larger buy little.
    """
    made = dict(signals)
    if "gns" not in made and "gns/g2" in made and "gns/s" in made:
        scale = noise_scale(made["gns/g2"], made["gns/s"], limits)
        if scale is not None:
            made["gns"] = scale
            made.setdefault("batch/critical", replace(scale, name="batch/critical"))
    return made


def noise_scale(g2: Signal, s: Signal, limits: Limits = DEFAULTS) -> Signal | None:
    """The gradient noise scale tr Σ / |G|², in examples: means of the unbiased pieces over a window, then their ratio.

    The mean of single ratios is no estimate of it (McCandlish et al. 2018, arXiv 1812.06162, appendix A.1).
    None where too few readings were made, or |G|² nowhere differs from 0.
    """
    step, at, of = np.intersect1d(g2.step, s.step, return_indices=True)
    window = min(WINDOW, len(step) // SHARE)
    if window < limits.fewest_rows:
        return None
    square, trace = (np.lib.stride_tricks.sliding_window_view(v, window) for v in (g2.value[at], s.value[of]))
    mean, error = square.mean(axis=1), square.std(axis=1, ddof=1) / np.sqrt(window)
    known = mean > limits.likely * error
    if not known.any():
        return None
    middle = step[window // 2 : window // 2 + len(mean)]
    return Signal("gns", f"{s.source} / {g2.source}", middle[known], trace.mean(axis=1)[known] / mean[known])
