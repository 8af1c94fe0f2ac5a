"""A quantity cleaned, and cut into stretches."""

from __future__ import annotations

from dataclasses import dataclass

from runopsy.model.units import Position, Positions, Values


@dataclass(frozen=True, slots=True, eq=False)
class Signal:
    """One quantity over one run, cleaned: steps strictly increase and every value is finite."""

    name: str  # canonical where the column has a role, else the column's own
    source: str  # the column's name in the log
    step: Positions  # (n,)
    value: Values  # (n,)
    time: Values | None = None  # (n,) unix seconds
    broken: Positions | None = None  # (m,) where the logged value was NaN or infinite
    better: str = ""  # "higher" or "lower" values, "" where it is unknown
    power: int = 0  # of the target's unit, that the loss of a regression is in; 0 where nothing shows that it is of one

    def __len__(self) -> int:
        return len(self.value)


@dataclass(frozen=True, slots=True, eq=False)
class Segments:
    """A signal cut into stretches along which it changes at one rate.

    The cut is made on the transformed signal against the transformed axis; ``curve`` is the fitted
    value at ``step``, in the signal's own unit, so that rules need not know the transform. Where a
    smooth decay explains the signal as well, there is one segment and ``curve`` is that decay.
    """

    signal: str
    edges: Positions  # (k + 1,) segment i covers [edges[i], edges[i + 1])
    step: Positions  # (m,) centres of the bins the fit was made on
    curve: Values  # (m,) fitted values
    spread: Values  # (m,) one standard error of the fitted values, long-run noise included
    rate_spread: Values  # (m,) one standard error of the change per unit of log elapsed steps
    level: Values  # (m,) the bins' own means, before fitting
    error: Values  # (m,) one standard error of ``level``, in the signal's own unit
    origin: Position  # just before the run's first step: where elapsed steps are counted from
    by_factors: bool = False  # the cut was made on the logarithm
    smooth: bool = False  # one smooth decay explains it all: no change in it is a turn
