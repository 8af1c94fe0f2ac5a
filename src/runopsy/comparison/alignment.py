"""The axis on which two runs are laid beside each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from runopsy.comparison.pairing import Slot
from runopsy.errors import BadOption
from runopsy.model import Autopsy, Position, Positions, Values
from runopsy.signals import clock as clock_of
from runopsy.signals import mover
from runopsy.signals.axis import AXES

REACHED = ("loss", "phase")  # read off the curves; the others count
ALIGNMENTS = (*AXES, *REACHED)

Map = Callable[[Positions], Positions]


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """For each run, A's first, how its own positions become places on the common axis; none of them falls.

    On the axis "loss" a place is minus the log10 of the lowest training loss so far, on "phase" the
    number of the phase and the share of it that has passed.
    """

    name: str
    maps: tuple[Map, ...]

    @property
    def counts(self) -> bool:
        """Whether places are positions of the runs themselves, so that a share of the elapsed steps means something."""
        return self.name not in REACHED

    def place(self, run: int, position: Position) -> Position:
        return float(self.maps[run](np.array([position]))[0])


def align(autopsies: Sequence[Autopsy], wanted: str | None, story: Sequence[Slot]) -> Alignment:
    """The common axis: the one that was asked for, or the one that all runs count by.

    Raises:
        BadOption: no such axis, a run that cannot be laid on it, or runs that count by different things.
    """
    own = sorted({x.axis for x in autopsies})
    if wanted is None and len(own) > 1:
        raise BadOption(
            f"the runs count by different things: {', '.join(own)}",
            hint="--align epoch, time or tokens needs that count in both logs; loss and phase need none",
        )
    name = wanted or own[0]
    if name == "loss":
        return Alignment(name, tuple(_by_loss(x) for x in autopsies))
    if name == "phase":
        if not story:
            raise BadOption("these runs have no phases to be laid on", hint="use --align step")
        return Alignment(name, tuple(_by_phase(x, story, i) for i, x in enumerate(autopsies)))
    return Alignment(name, tuple(np.asarray if x.axis == name else _by_count(x, name) for x in autopsies))


def _by_count(x: Autopsy, name: str) -> Map:
    if name not in ALIGNMENTS:
        raise BadOption(f"runs cannot be aligned by {name!r}", hint=f"choose {', '.join(ALIGNMENTS)}")
    try:
        return mover(x.signals, x.axis, name)
    except BadOption as cause:
        raise BadOption(f"{x.run.path}: {cause.message}", hint=cause.hint) from cause


def clock(x: Autopsy) -> tuple[Positions, Values] | None:
    """Seconds since its first value at each step of the longest signal that has a clock."""
    known = clock_of(x.signals)
    return None if known is None else (known[0], np.maximum.accumulate(known[1] - known[1][0]))


def seconds_at(x: Autopsy, position: Position) -> float | None:
    known = clock(x)
    return None if known is None else float(np.interp(position, *known))


def _by_loss(x: Autopsy) -> Map:
    loss = x.segments.get("train/loss")
    if loss is None or float(loss.curve[0]) <= 0:
        why = "has no training loss" if loss is None else "has a training loss that is not positive"
        raise BadOption(f"{x.run.path} {why} to be laid on", hint="use --align step")
    lowest = np.minimum.accumulate(loss.curve)
    height = -np.log10(np.maximum(lowest, lowest[lowest > 0].min()))  # a loss may underflow to 0
    return lambda position: np.interp(position, loss.step, height)


def _by_phase(x: Autopsy, story: Sequence[Slot], run: int) -> Map:
    """A phase that a run has not got takes none of its time."""
    starts, following = [x.last], x.last
    for slot in reversed(story):
        k = slot.phases[run]
        following = following if k is None else x.phases[k].start
        starts.append(following)
    knots = np.array(starts[::-1])
    knots[0] = x.first  # whatever comes before its first phase of the story belongs to that
    return lambda position: np.interp(position, knots, np.arange(len(knots), dtype=np.float64))
