"""The same run counted by something else: epochs, tokens or wall time instead of steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from runopsy.errors import BadOption
from runopsy.model import Positions, Signal, Values

AXES = ("step", "epoch", "tokens", "time")


def rebase(signals: Mapping[str, Signal], axis: str, wanted: str) -> dict[str, Signal]:
    """Every signal with its positions counted by ``wanted``; time in seconds since the first value.

    Raises:
        BadOption: no such axis, or the log does not say how it runs against the steps.
    """
    if wanted not in AXES:
        raise BadOption(f"there is no axis {wanted!r}", hint=f"choose {', '.join(AXES)}")
    if wanted == axis:
        return dict(signals)
    knots, at = _clock(signals) if wanted == "time" else _counter(signals, axis, wanted)
    return {name: _moved(signal, knots, at) for name, signal in signals.items()}


def _counter(signals: Mapping[str, Signal], axis: str, wanted: str) -> tuple[Positions, Values]:
    """Where the counter first reaches each of its values: an epoch that is a whole number for 500 steps is one knot."""
    counter = signals.get(wanted)
    if counter is None or len(counter) < 2:
        raise BadOption(
            f"the log counts {axis}s and does not say its {wanted}", hint=f"--map {wanted}=COLUMN, or leave --x out"
        )
    rising = np.append(True, counter.value[1:] > np.maximum.accumulate(counter.value)[:-1])
    if rising.sum() < 2:
        raise BadOption(f"{wanted} never rises in this log", hint="leave --x out")
    return counter.step[rising], counter.value[rising]


def _clock(signals: Mapping[str, Signal]) -> tuple[Positions, Values]:
    timed = [s for s in signals.values() if s.time is not None and len(s) > 1]
    if not timed:
        raise BadOption("the log does not say when its values were written", hint="leave --x out")
    longest = max(timed, key=len)
    assert longest.time is not None  # as chosen
    seconds = np.maximum.accumulate(longest.time - longest.time[0])
    rising = np.append(True, seconds[1:] > seconds[:-1])
    return longest.step[rising], seconds[rising]


def _moved(signal: Signal, knots: Positions, at: Values) -> Signal:
    """Positions interpolated between the knots and extended beyond them at the average pace."""
    pace = (at[-1] - at[0]) / (knots[-1] - knots[0])

    def move(step: Positions) -> Positions:
        inside = np.interp(step, knots, at)
        return np.asarray(inside + pace * (np.minimum(step - knots[0], 0) + np.maximum(step - knots[-1], 0)))

    return replace(signal, step=move(signal.step), broken=None if signal.broken is None else move(signal.broken))
