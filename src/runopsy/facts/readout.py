"""Representation and readout: what linear probes of the features get right, beside what the model's own head does.

Two processes run at changing relative speed, the representation's and the readout's ("Two Speeds of Learning", arXiv
2605.27078). The readout gap is how much more the features hold than the head reads; the training bias, how much
training features mislead a readout that is fitted on them.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from runopsy.model import Lag, Position, Positions, Readout, Segments, Stretch
from runopsy.signal_specs import ERROR
from runopsy.stats import Floats
from runopsy.thresholds import Limits

PROBE, GAP, BIAS = "probe/acc_heldout", "readout/gap", "readout/train_bias"
# Recorded without an error of its own: at most that of the two accuracies whose difference it is, of the same examples.
PARTS: Mapping[str, tuple[str, ...]] = {BIAS: (PROBE, "probe/acc_train")}


def readout_of(segments: Mapping[str, Segments], limits: Limits) -> Readout | None:
    """The decomposition of a run; None where its two signals were not recorded, or too seldom."""
    probe, gap = segments.get(PROBE), segments.get(GAP)
    if probe is None or gap is None:
        return None
    right = probe.level
    own = np.interp(probe.step, gap.step, gap.level, left=np.nan, right=np.nan)
    error = _error(probe, segments)
    bias = segments.get(BIAS)
    return Readout(
        _lag(gap, segments, limits),
        None if bias is None else _lag(bias, segments, limits),
        _half(probe.step, right, error, limits),
        _half(probe.step, right - own, error, limits),
    )


def _error(curve: Segments, segments: Mapping[str, Segments]) -> Floats:
    """(m,) one standard error: of the noise of the rows, or over examples where that was recorded and is larger."""
    over = [segments[name + ERROR] for name in PARTS.get(curve.signal, (curve.signal,)) if name + ERROR in segments]
    recorded = [np.interp(curve.step, one.step, one.level) for one in over]
    return np.asarray(np.maximum(curve.error, np.sqrt(np.sum(np.square(recorded), axis=0))))


def _lag(curve: Segments, segments: Mapping[str, Segments], limits: Limits) -> Lag:
    error = _error(curve, segments)
    above, below = (_stretch(curve.step, curve.level, error, side, limits) for side in (1, -1))
    return Lag(curve.signal, above, below, float(curve.level[-1]), float(error[-1]))


def _stretch(step: Positions, value: Floats, error: Floats, side: int, limits: Limits) -> Stretch | None:
    """The points around the largest value of one side that are all visible there, and more than noise."""
    runs = _runs(side * value > np.maximum(limits.sure * error, limits.visible_accuracy), limits.few_rows)
    found = [(start + int(np.argmax(side * value[start:end])), start, end) for start, end in runs]
    if not found:
        return None
    at, start, end = max(found, key=lambda one: float(side * value[one[0]]))
    since, until, farthest = (_place(step[i]) for i in (start, end - 1, at))
    return Stretch(since, until, farthest, float(value[at]), float(error[at]))


def _half(step: Positions, value: Floats, error: Floats, limits: Limits) -> Position | None:
    """Where a curve had made half of its gain, for good over some points; None where it gained no more than noise."""
    gain = float(value[-1] - value[0])
    noise = limits.sure * float(np.hypot(error[0], error[-1]))
    if not gain > max(limits.left_chance, noise):
        return None
    made = _runs(value - value[0] >= limits.half_way * gain, limits.few_rows)
    return _place(step[made[0][0]]) if made else None


def _runs(true: NDArray[np.bool_], rows: int) -> list[tuple[int, int]]:
    """[start, end) of whatever holds for so many points in a row."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], true, [False]]).astype(np.int8))).tolist()
    return [(start, end) for start, end in zip(edges[::2], edges[1::2], strict=True) if end - start >= rows]


def _place(step: float) -> Position:
    """A point without the rounding of the scale that it was placed on."""
    return float(f"{step:.12g}")
