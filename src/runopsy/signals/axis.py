"""The same run counted by something else: epochs, tokens or wall time instead of steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from runopsy.errors import BadOption
from runopsy.model import Positions, Signal, Values

AXES = ("step", "epoch", "tokens", "samples", "time")


def rebase(signals: Mapping[str, Signal], axis: str, wanted: str) -> dict[str, Signal]:
    """Every signal with its positions counted by ``wanted``; time in seconds since the first value.

    Raises:
        BadOption: no such axis, or the log does not show how it runs against the steps.
    """
    move = mover(signals, axis, wanted)
    return {
        name: replace(s, step=move(s.step), broken=None if s.broken is None else move(s.broken))
        for name, s in signals.items()
    }


def mover(signals: Mapping[str, Signal], axis: str, wanted: str) -> Callable[[Positions], Positions]:
    """What turns positions on the one axis into positions on the other: of signals, resumes, marks.

    Interpolated between the points at which the log gives both, and extended beyond them at the average pace.

    Raises:
        BadOption: as ``rebase``.
    """
    if wanted not in AXES:
        raise BadOption(f"there is no axis {wanted!r}", hint=f"choose {', '.join(AXES)}")
    if wanted == axis:
        return np.asarray
    knots, at = _elapsed(signals) if wanted == "time" else _counter(signals, axis, wanted)
    pace = (at[-1] - at[0]) / (knots[-1] - knots[0])

    def move(step: Positions) -> Positions:
        inside = np.interp(step, knots, at)
        return np.asarray(inside + pace * (np.minimum(step - knots[0], 0) + np.maximum(step - knots[-1], 0)))

    return move


def _counter(signals: Mapping[str, Signal], axis: str, wanted: str) -> tuple[Positions, Values]:
    """Where the counter first reaches each of its values: an epoch that is a whole number for 500 steps is one knot."""
    counter = signals.get(wanted)
    if counter is None or len(counter) < 2:
        raise BadOption(
            f"the log counts {axis}s and does not give its {wanted}",
            hint=f"--map {wanted}=COLUMN, or keep the log's own axis",
        )
    rising = np.append(True, counter.value[1:] > np.maximum.accumulate(counter.value)[:-1])
    if rising.sum() < 2:
        raise BadOption(f"{wanted} never rises in this log", hint="keep the log's own axis")
    return counter.step[rising], counter.value[rising]


def clock(signals: Mapping[str, Signal], fewest: int = 2) -> tuple[Positions, Values] | None:
    """The steps and times (unix s) of the longest signal with times; None where none has so many rows."""
    timed = [(s.step, s.time) for s in signals.values() if s.time is not None and len(s) >= fewest]
    return max(timed, key=lambda pair: len(pair[0]), default=None)


def _elapsed(signals: Mapping[str, Signal]) -> tuple[Positions, Values]:
    known = clock(signals)
    if known is None:
        raise BadOption("the log has no times of its values", hint="keep the log's own axis")
    step, time = known
    seconds = np.maximum.accumulate(time - time[0])
    rising = np.append(True, seconds[1:] > seconds[:-1])
    if rising.sum() < 2:
        raise BadOption("the clock of this log stands still", hint="keep the log's own axis")
    return step[rising], seconds[rising]
