"""What the schedule of a run does to its curves: jumps of what is set by hand, and where epochs begin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from runopsy.facts.case import Case
from runopsy.model import Counts, Position, Signal, Values
from runopsy.stats import median
from runopsy.thresholds import Limits

ASKED = 50  # epochs, evenly spread, that show whether they hold running means …
ROWS = 1000  # … by so many of their first rows: more take time and memory, and show the same
MEANS = "a running mean that starts again in each epoch, and steps there by itself"


def jumps(signal: Signal, limits: Limits) -> Iterator[tuple[Position, float, float]]:
    """(step, value before, value after) of each jump of a positive quantity between steadier stretches.

    Beside a jump the quantity itself changes far less: a linear or cosine decay to 0 multiplies its ratios at the end,
    and its steps stay alike. An exponential warm-up repeats its ratio from row to row, in the same direction; a jump
    that comes again after rows at rest is another jump, unless all are of one size: then they are a line, in steps.
    """
    usable = signal.value > 0
    step, value = signal.step[usable], signal.value[usable]
    change, factor = np.diff(value), np.diff(np.log(value))
    large = np.flatnonzero(np.abs(factor) >= np.log(limits.jump))
    for i in large[~_are_even_steps(change, large, limits)].tolist():
        near = np.array([j for j in (i - 1, i + 1) if 0 <= j < len(change)], dtype=int)
        if i == 0 or not len(near) or np.abs(change[near]).max() > (1 - limits.most) * abs(change[i]):
            continue
        onward = factor[near] * np.sign(factor[i])
        if onward.max() <= abs(factor[i]) / 2:
            yield float(step[i + 1]), float(value[i]), float(value[i + 1])


def _are_even_steps(change: Values, large: Counts, limits: Limits) -> NDArray[np.bool_]:
    """Which of the large changes are steps of one size that lead on and on: a line, in steps.

    So a warm-up rises epoch by epoch, and the last digit that was printed of a smooth schedule falls. Warm restarts are
    of one size too, and lead nowhere.
    """
    step, ordered = change[large], np.sort(change)
    near = limits.slight * np.abs(step)
    alike = np.searchsorted(ordered, step + near, "right") - np.searchsorted(ordered, step - near, "left")
    way = np.ptp(np.concatenate([[0.0], np.cumsum(change)]))
    return np.asarray((alike > limits.few_rows) & (way > limits.half_way * alike * np.abs(step)))


def epoch_begins(signal: Signal, epoch: Signal | None, axis: str) -> Counts | None:
    """The rows of a signal at which each epoch but the first begins; None where the log has no epochs.

    Args:
        signal: the curve whose rows are meant.
        epoch: the epoch of each step, where it was logged.
        axis: what the positions count; epochs with a fraction count them as well.
    """
    if epoch is not None and len(epoch) > 1:
        count = np.floor(np.interp(signal.step, epoch.step, epoch.value) + 1e-9)
    elif axis == "epoch" and len(signal) > 1:
        ends_them = signal.step[0] % 1 > median(np.diff(signal.step)) / 2  # the first row is not at the very beginning
        count = np.ceil(signal.step - 1e-9) if ends_them else np.floor(signal.step + 1e-9)
    else:
        return None
    return np.flatnonzero(np.diff(count) > 0) + 1


def means_of_epochs(case: Case) -> bool:
    """Whether the training loss of a run is logged as running means of its epochs, too few to be taken alone."""
    loss = case.signals["train/loss"]
    begins = epoch_begins(loss, case.signals.get("epoch"), case.run.axis)
    return begins is not None and is_mean_of_each_epoch(loss, begins, case.limits)


def by_passes(signals: Mapping[str, Signal], axis: str, limits: Limits) -> tuple[dict[str, Signal], tuple[str, ...]]:
    """The signals, of training's running means the last row of each epoch alone, and what a page says of it.

    That row is the mean of the whole pass. Those before it step where an epoch begins, and the first of them are of a
    few batches: a page that took them for a curve would tell of drops and spikes that no training had.
    """
    kept, told = dict(signals), []
    for name in ("train/loss", "train/acc"):
        signal = signals.get(name)
        begins = None if signal is None else epoch_begins(signal, signals.get("epoch"), axis)
        if signal is None or begins is None or not limits.level_rows <= len(begins) + 1 < len(signal):
            continue
        if is_mean_of_each_epoch(signal, begins, limits):
            last = np.append(begins, len(signal)) - 1
            time = None if signal.time is None else signal.time[last]
            kept[name] = replace(signal, step=signal.step[last], value=signal.value[last], time=time)
            told.append(
                f"{signal.source}: {MEANS}; the last row of each epoch is taken, {len(last)} of {len(signal):,}"
            )
    return kept, tuple(told)


def is_mean_of_each_epoch(signal: Signal, begins: Counts, limits: Limits) -> bool:
    """Whether the values are running means that start again in each epoch, as progress bars print them.

    Such a mean moves by the noise of a batch divided by the number of batches it holds: on logarithmic scales its
    second differences fall with a slope of -1 along an epoch, where those of the batches themselves keep their size.
    The first epoch is not asked, as a loss that starts to learn slows down by itself.
    """
    epochs = list(pairwise([*begins.tolist(), len(signal)]))
    along, size = [], []
    for a, b in epochs[:: max(1, len(epochs) // ASKED)]:
        bend = np.abs(np.diff(signal.value[a : min(b, a + ROWS)], 2))
        seen = np.flatnonzero(bend > 0)  # a mean that is printed with few digits may stand still
        if len(seen) >= limits.few_rows:
            x, y = np.log(seen + 2), np.log(bend[seen])
            along.append(x - x.mean())
            size.append(y - y.mean())
    if len(along) < 2:
        return False
    x, y = np.concatenate(along), np.concatenate(size)
    slope = float(x @ y / (x @ x))
    free = len(x) - len(along) - 1
    error = float(np.sqrt(np.sum((y - slope * x) ** 2) / free / (x @ x)))
    return -slope > max(limits.half_way, limits.sure * error)
