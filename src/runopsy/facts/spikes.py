"""Leaps of a loss above its neighbourhood that come back: no curve should be fitted through them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from runopsy.model import Position, Signal, Values
from runopsy.stats import (
    MAD_TO_SD,
    OF_MEDIAN,
    at_start,
    median,
    rolling_median,
    trailing_max,
    trailing_median,
    white_noise,
)
from runopsy.thresholds import Limits

IMPOSSIBLE = 100.0  # x what is usual, from which one row is enough: no batch is so hard
FITTED = 0.03  # a log whose first loss is lower begins fitted; its own range means nothing, and 1 takes its place
LEAST_SCATTER = 1e-3  # in log units: rounding alone makes a printed loss scatter so much
BLOCK = 1 << 20  # rows looked at together: more, and only memory grows


@dataclass(frozen=True, slots=True)
class Spike:
    """A leap and its return."""

    start: Position
    end: Position
    top: Position  # where it was highest
    highest: float
    usual: float  # median of the rows before


@dataclass(frozen=True, slots=True)
class High:
    """A row whose log loss stands out from those before it."""

    row: int
    usual: float  # median of the rows before
    scatter: float  # of those around it
    highest: float  # of those rows


def spikes_of(loss: Signal, limits: Limits) -> tuple[Spike, ...]:
    """The leaps of a loss that came back, in order."""
    window = min(limits.window_rows | 1, max(limits.level_rows | 1, int(limits.tail * len(loss)) | 1))
    if len(loss) < window + 2 or not (loss.value > 0).any():
        return ()
    log = _logs(loss.value)
    return tuple(_leaps(loss, log, _high(loss, log, window, limits), limits, window))


def _logs(value: Values) -> Values:
    low = float(value.min())
    return np.log(value if low > 0 else value - low + 1e-3 * median(np.abs(value)) + 1e-300)


def _high(loss: Signal, log: Values, window: int, limits: Limits) -> Iterator[High]:
    """The rows that stand out, in order; block by block, since all the medians of a long log are several of it."""
    reach = limits.improving * (at_start(loss.value) - float(loss.value.min()))
    ratio = limits.spike_ratio if len(log) > 2 * limits.window_rows else max(limits.spike_ratio, limits.far_above)
    for start in range(0, len(log), BLOCK):
        before = min(start, 2 * window)  # rows that give the usual level, and how far rows lie from it
        block = log[start - before : start + BLOCK]
        if len(block) <= window:
            return
        if not _may_leap(block, window, ratio):
            continue
        usual, highest = trailing_median(block, window), trailing_max(block, window)
        if not before:
            usual, highest = _from_the_start(block, usual, highest, limits.level_rows)
        with np.errstate(invalid="ignore"):  # NaN where nothing is usual yet: no leap
            seen = loss.value[start - before : start + BLOCK] - np.exp(usual) > reach
            far = (block - highest > np.log(ratio)) | (block - usual > np.log(IMPOSSIBLE))
        if not (seen & far).any():  # most logs: then nobody asks how their rows scatter
            continue
        off = np.abs(block - np.where(np.isnan(usual), block, usual))
        scatter = np.maximum(MAD_TO_SD * trailing_median(off, window), LEAST_SCATTER)
        if not before:  # where too few rows lie before one, the whole log gives the scatter of rows
            scatter = np.where(np.isnan(scatter), white_noise(block) + LEAST_SCATTER, scatter)
        with np.errstate(invalid="ignore"):
            high = (block - usual > limits.outlier * scatter) & (block - highest > np.log(ratio)) & seen
            high |= (block - usual > np.log(IMPOSSIBLE) + limits.outlier * scatter) & seen
        for i in np.flatnonzero(high[before:]) + before:
            yield High(int(start - before + i), float(usual[i]), float(scatter[i]), float(highest[i]))


def _may_leap(block: Values, window: int, ratio: float) -> bool:
    """Whether any row stands out from the highest, or far from the lowest, of those before it: the median is between.

    Most logs have none, and nobody asks for all their medians.
    """
    first = block[: window + 1]
    highest = np.concatenate([np.maximum.accumulate(first)[:-1], trailing_max(block, window)[window + 1 :]])
    lowest = np.concatenate([np.minimum.accumulate(first)[:-1], -trailing_max(-block, window)[window + 1 :]])
    return bool(((block[1:] - highest > np.log(ratio)) | (block[1:] - lowest > np.log(IMPOSSIBLE))).any())


def _from_the_start(block: Values, usual: Values, highest: Values, fewest: int) -> tuple[Values, Values]:
    """What is usual, and the highest, of all rows before each of the first ones, from the sixth row on."""
    for i in range(fewest, min(len(block), int(np.isnan(usual).sum()))):
        usual[i], highest[i] = median(block[:i]), block[:i].max()
    return usual, highest


def _leaps(loss: Signal, log: Values, high: Iterator[High], limits: Limits, window: int) -> Iterator[Spike]:
    """Each leap that lasts, leaves a trace or is beyond any batch, and comes back."""
    after, settled = 0, min(limits.level_rows, limits.window_rows) | 1 if len(loss) > 2 * limits.window_rows else 1
    calm: Values | None = None
    trace = limits.sure_of_many * OF_MEDIAN / limits.window_rows**0.5  # of the scatter, for a median of so many rows
    for leap in high:
        at = leap.row
        if at < after:
            continue
        if calm is None:  # few runs have a leap
            calm = rolling_median(log, settled) if settled > 1 else log
        near = leap.usual + max(limits.likely * leap.scatter, float(np.log(limits.spike_ratio)))
        back = _return(loss, calm, at, near, leap.usual, settled, limits)
        if back is None:
            continue
        over = float(log[at] - leap.highest)
        traced = over > np.log(limits.far_above) and _trace(log, at, limits) - leap.usual > trace * leap.scatter
        alone = log[at] - leap.usual > np.log(IMPOSSIBLE) or (settled == 1 and over > np.log(limits.far_above))
        alone |= at < window and log[at] - log[:at].max() > np.log(limits.spike_ratio)
        if back > at + settled // 2 + (settled == 1) or traced or alone:
            after = back
            top = at + int(np.argmax(loss.value[at : back + 1]))
            yield Spike(
                float(loss.step[at]), float(loss.step[back]), float(loss.step[top]), float(loss.value[top]),
                float(np.exp(leap.usual)),
            )  # fmt: skip


def _trace(log: Values, at: int, limits: Limits) -> float:
    """Where log loss lies after a lone leap: a hard batch leaves the next ones as they were."""
    after = log[at + 1 : at + 1 + limits.window_rows]
    return median(after) if len(after) else -np.inf


def _return(loss: Signal, calm: Values, at: int, near: float, usual: float, settled: int, limits: Limits) -> int | None:
    """The first row from the middle of the next few on where the loss is back; None if not in time."""
    longest = max(limits.tail * (loss.step[-1] - loss.step[0]), limits.few_rows * median(np.diff(loss.step)))
    end = int(np.searchsorted(loss.step, loss.step[at] + longest, "right"))
    start = at + max(settled // 2, 1 if settled == 1 else 0)
    began = at_start(loss.value)
    way = began - float(loss.value.min()) if began > FITTED else 1.0
    little = float(np.log(np.exp(usual) + limits.improving * way))
    back = np.flatnonzero(calm[start:end] <= max(near, little))
    return start + int(back[0]) if len(back) else None
