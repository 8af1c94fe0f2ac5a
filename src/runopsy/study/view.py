"""What had been logged by a given row: the only thing that a policy is shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from runopsy.errors import NotChecked
from runopsy.model import VALIDATED, Position, Positions, Signal, Values
from runopsy.thresholds import DEFAULTS, Limits

VALIDATION = "validation"  # the word for whichever curve the log is judged by
WITNESSES = (*VALIDATED, "reward")  # the first that is there judges the log
PIECES = ("gns/g2", "gns/s")


class View:
    """A log as it stood when its newest row was written.

    It is filled row by row as the replay goes on, so that nothing later is in it. Values are in the order in which
    they were logged; those of the clock may be NaN, where the evaluation was not finite.
    """

    __slots__ = ("_values", "clock", "first", "higher", "now", "planned")

    def __init__(self, clock: str, *, higher: bool, first: Position, planned: Position) -> None:
        self.clock = clock  # the signal whose rows are the moments at which the policy is asked
        self.higher = higher  # whether higher values of the clock are better
        self.first = first  # where the run begins
        self.planned = planned  # the step that the run was to reach: a budget is known before the first step
        self.now = first
        self._values: dict[str, list[float]] = {}

    def values(self, name: str) -> Sequence[float]:
        """All values of a signal until now; empty where it has none yet."""
        return self._values.get(name, ())

    @property
    def row(self) -> int:
        """How many rows the clock has had, the newest included."""
        return len(self._values[self.clock])

    @property
    def value(self) -> float:
        """The newest value of the clock."""
        return self._values[self.clock][-1]

    @property
    def elapsed(self) -> Position:
        """Steps since the run began."""
        return self.now - self.first

    def take(self, name: str, values: Sequence[float]) -> None:
        """Rows that are logged now."""
        self._values.setdefault(name, []).extend(values)


@dataclass(frozen=True, slots=True, eq=False)
class Log:
    """A run as a replay reads it: nothing in it is computed from rows that came later."""

    name: str
    axis: str
    signals: Mapping[str, Signal]
    witness: str  # the signal that the outcome is measured by; "" where there is none
    first: Position
    last: Position

    def clock(self, name: str) -> Signal:
        """The signal of this name, or the witness.

        Raises:
            NotChecked: the log has none.
        """
        found = self.signals.get(self.witness if name == VALIDATION else name)
        if found is None or not len(found):
            raise NotChecked(f"the log has no {'curve of validation' if name == VALIDATION else name}")
        return found


def is_higher_better(signal: Signal) -> bool:
    """Whether a signal is to rise; a loss and what nothing is known of are to fall."""
    if signal.name.endswith("loss"):
        return False
    return signal.better == "higher" or signal.name.endswith("acc") or signal.name == "reward"


def views(log: Log, clock: str, needs: Sequence[str]) -> Iterator[View]:
    """The same view again and again, each time with one row more of the clock and all else logged by then.

    Raises:
        NotChecked: the log has no such clock, or lacks a signal that is needed.
    """
    signal = log.clock(clock)
    others = [log.clock(name) for name in needs]
    step, value = with_broken(signal)
    view = View(signal.name, higher=is_higher_better(signal), first=log.first, planned=log.last)
    ends = [np.searchsorted(other.step, step, side="right").tolist() for other in others]
    given = [0] * len(others)
    for row, (now, newest) in enumerate(zip(step.tolist(), value.tolist(), strict=True)):
        view.now = now
        view.take(signal.name, (newest,))
        for i, other in enumerate(others):
            if other.name != signal.name:
                view.take(other.name, other.value[given[i] : ends[i][row]].tolist())
                given[i] = ends[i][row]
        yield view


def with_broken(signal: Signal) -> tuple[Positions, Values]:
    """Every row of a signal, NaN where what was logged was not finite."""
    if signal.broken is None:
        return signal.step, signal.value
    step = np.concatenate([signal.step, signal.broken])
    value = np.concatenate([signal.value, np.full(len(signal.broken), np.nan)])
    order = np.argsort(step, kind="stable")
    return step[order], value[order]


def with_trailing_noise_scale(signals: Mapping[str, Signal], limits: Limits = DEFAULTS) -> dict[str, Signal]:
    """The signals, and the gradient noise scale from the readings *until* each row, where its pieces were recorded.

    An examination places the scale in the middle of its window, half of which lies later; a replay may not.
    """
    made = dict(signals)
    if "gns" not in made and all(piece in made for piece in PIECES):
        g2, s = (made[piece] for piece in PIECES)
        step, at, of = np.intersect1d(g2.step, s.step, return_indices=True)
        window = limits.readings
        if len(step) >= window:
            square, trace = (np.convolve(v, np.full(window, 1 / window), mode="valid")
                             for v in (g2.value[at], s.value[of]))  # fmt: skip
            known = square > 0
            made["gns"] = replace(s, name="gns", step=step[window - 1 :][known], value=trace[known] / square[known],
                                  time=None, broken=None)  # fmt: skip
    return made
