"""What every tracker is given: the series, the phase as a number, the events in words, the picture."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import numpy as np

from runopsy.model import Autopsy, Position, Positions, Signal, Values
from runopsy.report.figures import draw
from runopsy.report.pictures import picture
from runopsy.report.words import plain

OURS = "runopsy/"  # what the names begin with of all that the log itself did not hold
# The phase as a number, so that it can be drawn as a curve; the numbers keep their meaning from version to version.
PHASES: Mapping[str, int] = {"underfitting": 0, "feature_learning": 1, "fitting": 2, "memorization": 3, "converged": 4,
                             "diverged": 5}  # fmt: skip
LEGEND = ", ".join(f"{number} {plain(name)}" for name, number in PHASES.items())
DPI = 150  # 6.75 inches wide: about 1000 pixels, what a tracker's panel shows
MOST_STEP = 2**53  # beyond it a float is no exact whole number


class Series(NamedTuple):
    """One signal under its canonical name, with NaN where the logged value was not finite."""

    name: str
    step: Positions  # (n,) rising
    value: Values  # (n,)
    time: Values | None  # (n,) unix seconds, NaN where the log has none


def series_of(autopsy: Autopsy) -> tuple[Series, ...]:
    """Every signal of the run, cleaned: of a step that was logged again, the last value."""
    return tuple(_series(signal) for signal in autopsy.signals.values())


def _series(signal: Signal) -> Series:
    step, value, time = signal.step, signal.value, signal.time
    broken = signal.broken if signal.broken is not None else np.empty(0)
    broken = broken[~np.isin(broken, step)]
    if len(broken):
        step, value = np.concatenate([step, broken]), np.concatenate([value, np.full(len(broken), np.nan)])
        time = None if time is None else np.concatenate([time, np.full(len(broken), np.nan)])
        order = np.argsort(step, kind="stable")
        step, value, time = step[order], value[order], None if time is None else time[order]
    return Series(signal.name, step, value, time)


def counter(autopsy: Autopsy, series: tuple[Series, ...]) -> tuple[Callable[[Position], int], bool]:
    """(From a position to the whole number that a tracker counts by, whether that is the position itself).

    Trackers count by whole steps. Where the axis has fractions (epochs, seconds) the rows of the log are counted, and
    the axis itself is to be written as a series of its own.
    """
    places = np.unique(np.concatenate([s.step for s in series])) if series else np.empty(0)
    if bool(np.all((places == np.floor(places)) & (np.abs(places) < MOST_STEP))):
        return int, True
    return lambda at: max(int(np.searchsorted(places, at, side="right")) - 1, 0), False


def axis_series(autopsy: Autopsy, series: tuple[Series, ...]) -> Series:
    """The axis as a series: its own positions, at each place where any signal has a value."""
    places = np.unique(np.concatenate([s.step for s in series]))
    return Series(f"{OURS}{autopsy.axis}", places, places, None)


def phase_points(autopsy: Autopsy, count: Callable[[Position], int]) -> Iterator[tuple[int, int]]:
    """(step, number of the phase) at the first and last whole step of each phase: drawn as a line, they are steps."""
    for phase in autopsy.phases:
        number = PHASES.get(phase.label)
        if number is None:
            continue
        begin, end = count(phase.start), count(phase.end)
        last = end if phase is autopsy.phases[-1] else end - 1
        yield begin, number
        if last > begin:
            yield last, number


def png(autopsy: Autopsy) -> bytes | None:
    """The run in one picture; None where the log is too short for a curve.

    Raises:
        BadOption: matplotlib is not installed.
    """
    drawn = picture(autopsy)
    if drawn is None or not drawn.charts:
        return None
    file = io.BytesIO()
    draw(drawn).savefig(file, format="png", dpi=DPI, metadata={"Software": None})
    return file.getvalue()


def png_size(content: bytes) -> tuple[int, int]:
    """(Width, height) in pixels: the header chunk of a PNG is its first, after eight bytes and its own eight."""
    return int.from_bytes(content[16:20], "big"), int.from_bytes(content[20:24], "big")
