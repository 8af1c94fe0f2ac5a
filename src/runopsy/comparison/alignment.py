"""The axis on which two runs are laid beside each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from runopsy.comparison.pairing import Slot
from runopsy.errors import BadOption
from runopsy.model import Autopsy, Position, Positions, Values

COUNTED = ("step", "epoch", "time", "tokens")  # what an autopsy itself can count by
REACHED = ("loss", "phase")  # what is read off its curves
ALIGNMENTS = (*COUNTED, *REACHED)

Map = Callable[[Positions], Positions]


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """For each run, A's first, how its own positions become places on the common axis; none of them falls.

    On the axis "loss" a place is minus the log10 of the lowest training loss so far, on "phase" the
    number of the phase and the share of it that has passed; on any other the run's own position.
    """

    name: str
    maps: tuple[Map, ...]

    @property
    def counts(self) -> bool:
        """Whether places are positions of the runs themselves, so that a share of the elapsed steps means something."""
        return self.name not in REACHED

    def place(self, run: int, position: Position) -> Position:
        return float(self.maps[run](np.array([position]))[0])


def align(autopsies: Sequence[Autopsy], name: str, story: Sequence[Slot]) -> Alignment:
    """The common axis.

    Raises:
        BadOption: no such axis, or a run that cannot be laid on it.
    """
    if name == "loss":
        return Alignment(name, tuple(_by_loss(x) for x in autopsies))
    if name == "phase":
        if not story:
            raise BadOption("these runs have no phases to be laid on", hint="use --align step")
        return Alignment(name, tuple(_by_phase(x, story, i) for i, x in enumerate(autopsies)))
    return Alignment(name, tuple(np.asarray for _ in autopsies))


def common_axis(autopsies: Sequence[Autopsy], wanted: str | None) -> str:
    """What the runs are laid on: what was asked for, or what they all count by.

    Raises:
        BadOption: they count by different things, or by another than was asked for.
    """
    own = sorted({x.axis for x in autopsies})
    if wanted is not None and wanted not in ALIGNMENTS and wanted != own[0]:
        raise BadOption(f"runs cannot be aligned by {wanted!r}", hint=f"choose {', '.join(ALIGNMENTS)}")
    if wanted in REACHED and wanted is not None:
        return wanted
    if len(own) > 1:
        raise BadOption(
            f"the runs count by different things: {', '.join(own)}",
            hint="--align epoch, time or tokens lays them on what both logs say; loss and phase need no common count",
        )
    if wanted is not None and own[0] != wanted:
        raise BadOption(
            f"these autopsies count by {own[0]}, not by {wanted}",
            hint=f'give the paths, or the autopsies of analyze(run, x="{wanted}")',
        )
    return own[0]


def clock(x: Autopsy) -> tuple[Positions, Values] | None:
    """Seconds since its first value at each step of the longest signal that has a clock."""
    timed = [s for s in x.signals.values() if s.time is not None and len(s) > 1]
    if not timed:
        return None
    longest = max(timed, key=len)
    assert longest.time is not None  # as chosen
    return longest.step, np.maximum.accumulate(longest.time - longest.time[0])


def seconds_at(x: Autopsy, position: Position) -> float | None:
    told = clock(x)
    return None if told is None else float(np.interp(position, *told))


def _by_loss(x: Autopsy) -> Map:
    loss = x.segments.get("train/loss")
    if loss is None or float(loss.curve.min()) <= 0:
        why = "has no training loss" if loss is None else "has a training loss that is not positive"
        raise BadOption(f"{x.run.path} {why} to be laid on", hint="use --align step")
    height = -np.log10(np.minimum.accumulate(loss.curve))
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
