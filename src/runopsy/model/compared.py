"""Two autopsies, or two sets of them, compared with each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from runopsy.model.autopsy import Autopsy
from runopsy.model.findings import Outcome, Phase
from runopsy.model.units import Position, Positions, Values
from runopsy.plugins import load

if TYPE_CHECKING:
    import polars as pl


class Change(StrEnum):
    """What is known of a difference."""

    NONE = "none"  # within the intervals, or within what seeds do
    REAL = "real"  # beyond them
    OPEN = "open"  # nothing to hold it against: no interval, or too few seeds


@dataclass(frozen=True, slots=True)
class Difference:
    """One number of every run of the one side, against that of every run of the other. Differences are B - A."""

    kind: str  # "begins", "lasts", "event", "end", "best", "reach", "wall" or "pace"
    what: str  # the phase, the kind of event or the signal
    unit: str  # the axis of a position, "" for a value, "s" for a time
    a: tuple[float | None, ...]  # per run of A; None: it has no such thing
    b: tuple[float | None, ...]
    middle_a: float | None  # median; None: most runs have no such thing
    middle_b: float | None
    interval_a: tuple[float, float] | None  # of one run its 90 % interval, of several the median ends of theirs
    interval_b: tuple[float, float] | None
    change: Change
    share: float | None = None  # of A's elapsed steps there, or of A's value
    seconds: float | None = None  # the same difference by the clocks of the runs
    p: float | None = None  # exact two-sided permutation test over the runs; None: one run each
    at: float | None = None  # what the number refers to: the value that was reached, the place of a value

    @property
    def by(self) -> float | None:
        return None if self.middle_a is None or self.middle_b is None else self.middle_b - self.middle_a


@dataclass(frozen=True, slots=True)
class Extra:
    """Phases or events of one kind that one side has and no run of the other side has."""

    kind: str  # "phase" or "event"
    what: str
    side: str  # "a" or "b"
    steps: tuple[Position, ...]
    runs: int  # of that side
    sure: bool = True  # False: a phase of which the autopsy itself is not sure


@dataclass(frozen=True, slots=True)
class Separation:
    """Where two curves part beyond noise, if they do."""

    signal: str
    outcome: Outcome
    step: Position | None = None  # by here they have parted
    interval: tuple[Position, Position] | None = None  # the stretch over which that was seen
    above: bool | None = None  # B stands above A there
    at_end: bool | None = None  # and they are apart at the end
    why: str | None = None  # of NOT_CHECKED: what was missing


@dataclass(frozen=True, slots=True)
class ConfigDiff:
    """Settings, flattened to dotted keys."""

    differing: Mapping[str, tuple[tuple[Any, ...], tuple[Any, ...]]]  # key → the values of A's runs, of B's runs
    equal: int  # keys with the same values on both sides
    left_out: tuple[str, ...]  # keys that differ and only name a run, a place or a time
    seeds: tuple[str, ...]  # keys among the differing ones that only choose random numbers
    known: bool  # whether both sides logged any setting

    @property
    def only_seeds(self) -> bool:
        """Whether both sides wrote down what was set, and nothing of it differs but seeds."""
        return self.known and bool(self.seeds) and len(self.seeds) == len(self.differing)


@dataclass(frozen=True, slots=True, eq=False)
class Laid:
    """One run on the common axis; of several, the one that the others resemble most."""

    phases: tuple[Phase, ...]
    intervals: tuple[tuple[Position, Position] | None, ...]  # of the beginning of each phase
    curves: Mapping[str, tuple[Positions, Values]]  # signal → places and levels of its bins


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Two runs, or two sets of runs that differ by their seed, laid on one axis."""

    a: tuple[Autopsy, ...]
    b: tuple[Autopsy, ...]
    align: str  # "step", "epoch", "time", "tokens", "row", "loss" or "phase"
    outcome: str  # "identical", "same", "seed_noise", "different" or "undecided"
    laid_a: Laid
    laid_b: Laid
    phases: tuple[Difference, ...]  # where each phase begins, and how long it lasts
    events: tuple[Difference, ...]
    extras: tuple[Extra, ...]
    separations: tuple[Separation, ...]
    values: tuple[Difference, ...]  # at the last place that both reach, and the best until there
    cost: tuple[Difference, ...]
    config: ConfigDiff
    chance: float | None  # how often seeds alone set two such sets as far apart as these are; None: one run each
    least_p: float | None  # the smallest p that so many runs can show
    notes: tuple[str, ...] = ()

    @property
    def verdicts(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        return tuple(x.verdict.name for x in self.a), tuple(x.verdict.name for x in self.b)

    def to_dict(self) -> dict[str, Any]:
        """The object that ``runopsy diff --format json`` prints."""
        facts: dict[str, Any] = load("runopsy.report.deltas:facts")(self)
        return facts

    def to_polars(self) -> pl.DataFrame:
        """One row per difference: phases, events, values and cost."""
        import polars as pl  # as in Run.to_polars

        rows = [*self.phases, *self.events, *self.values, *self.cost]
        columns = ("kind", "what", "unit", "at", "middle_a", "middle_b", "by", "share", "seconds", "p")
        frame = {name: [getattr(row, name) for row in rows] for name in columns}
        numbers = dict.fromkeys(columns[3:], pl.Float64)
        return pl.DataFrame(frame | {"change": [str(row.change) for row in rows]}, schema_overrides=numbers)

    def __repr__(self) -> str:
        a, b = (", ".join(repr(one.run.id) for one in side) for side in (self.a, self.b))
        return f"Comparison({a} vs {b}, {self.outcome!r} by {self.align})"

    def __str__(self) -> str:
        return str(load("runopsy.report:render")(self, "text"))

    def _repr_html_(self) -> str:
        return str(load("runopsy.report:render")(self, "notebook"))
