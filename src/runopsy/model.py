"""The nouns: frozen, computing nothing beyond what their own fields say.

Positions on a run's axis are ``float64`` throughout, because an axis may be a fractional epoch or a
time; a step is a whole number that happens to be stored so (exact up to 2**53).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from runopsy.plugins import load

if TYPE_CHECKING:
    import numpy as np
    import polars as pl
    from numpy.typing import NDArray

Positions: TypeAlias = "NDArray[np.float64]"  # (n,) on the run's axis, see Run.axis
Values: TypeAlias = "NDArray[np.float64]"  # (n,) in the signal's unit; NaN = logged, but not a number
Counts: TypeAlias = "NDArray[np.int64]"  # (n,)
# Signals of the inside of a model, by the family that their names begin with.
INSIDE = ("grad/", "gns", "batch/critical", "features/", "pred/", "hessian/", "weights/", "logits/", "probe/",
          "readout/", "ntk/", "collapse/", "examples/", "canary/")  # fmt: skip
Position: TypeAlias = float  # optimizer steps completed when the value was logged, unless Run.axis says otherwise


# --- what was logged -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """One column of a log, as logged: in the order of the file, never repaired."""

    name: str
    step: Positions  # (n,) may repeat and may fall
    value: Values  # (n,) NaN and inf where they were logged
    time: Values | None = None  # (n,) unix seconds
    session: Counts | None = None  # (n,) 0 for the first session, rising by one with each resume
    unread: int = 0  # cells that held text where a number belongs

    def __len__(self) -> int:
        return len(self.value)


@dataclass(frozen=True, slots=True)
class Mark:
    """Something the training script said about itself: ``run.event(step, kind, ...)``."""

    step: Position
    kind: str
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """A log, whoever wrote it."""

    path: str
    id: str
    axis: str  # "step", "epoch", "tokens", "time" or "row": what the positions of every track count
    tracks: Mapping[str, Track]
    marks: tuple[Mark, ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    status: str | None = None  # of our own run folders: running, finished, failed, interrupted
    notes: tuple[str, ...] = ()  # what the reader had to skip or assume

    def to_polars(self) -> pl.DataFrame:
        """Long form: one row per logged value, columns ``signal, step, value`` in the order of the log."""
        import polars as pl  # half a second: only who asks for a frame pays

        frames = [
            pl.DataFrame({"signal": [t.name] * len(t), "step": t.step, "value": t.value}) for t in self.tracks.values()
        ]
        return pl.concat(frames) if frames else pl.DataFrame()


# --- what it means -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Role:
    """Which column plays which part, and why runopsy thinks so."""

    role: str  # a canonical name such as "val/loss", or "" for a column that plays none
    track: str
    why: str
    scale: float = 1.0  # what the logged values are multiplied by: 0.01 for percent
    complement: bool = False  # the column logs an error rate: the signal is 1 - value


@dataclass(frozen=True, slots=True, eq=False)
class Signal:
    """One quantity over one run, cleaned: steps strictly increase and every value is finite."""

    name: str  # canonical where the column has a role, else the column's own
    source: str  # the column's name in the log
    step: Positions  # (n,)
    value: Values  # (n,)
    time: Values | None = None  # (n,) unix seconds
    broken: Positions | None = None  # (m,) where the logged value was NaN or infinite

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
    pace: Values  # (m,) rise per unit of log elapsed steps around each bin, on the signal's own scale (log for a loss)
    pace_error: Values  # (m,) one standard error of it; infinite where too few values lie near
    local_error: Values  # (m,) one standard error of the level around each bin, on the same scale
    error: Values  # (m,) one standard error of ``level``, in the signal's own unit
    natural_error: Values  # (m,) ``local_error`` in the signal's own unit
    smooth: bool = False  # one smooth decay explains it all: no change in it is a turn


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """All that a rule may look at."""

    run: Run
    signals: Mapping[str, Signal]
    segments: Mapping[str, Segments]
    first: Position
    last: Position
    resumes: tuple[Position, ...] = ()
    events: tuple[Event, ...] = ()  # what the rules before this one have found

    def only(self, names: Collection[str]) -> Case:
        """The case cut down to some signals, so that what a rule says it needs cannot lie."""
        return replace(
            self,
            signals={n: s for n, s in self.signals.items() if n in names},
            segments={n: s for n, s in self.segments.items() if n in names},
        )


# --- what was found ------------------------------------------------------------------------------


class Severity(StrEnum):
    INFO = "info"
    WARNING = "warning"
    FATAL = "fatal"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One number that was seen, beside the number it was held against."""

    signal: str
    step: Position
    observed: float
    limit: float | None
    unit: str
    says: str  # what the two numbers are, in a few words: "validation accuracy, against half its gain"


@dataclass(frozen=True, slots=True)
class Event:
    kind: str
    code: str
    step: Position
    severity: Severity
    evidence: tuple[Evidence, ...]
    until: Position | None = None  # where it was over, for events that last
    interval: tuple[Position, Position] | None = None  # 90 % of such intervals hold the true step; None: unresolved
    resolution: float | None = None  # spacing of the log around ``step``: nothing finer can be said


class Outcome(StrEnum):
    FOUND = "found"
    QUIET = "quiet"
    NOT_CHECKED = "not_checked"


@dataclass(frozen=True, slots=True)
class Check:
    """One rule's answer."""

    code: str
    title: str
    outcome: Outcome
    events: tuple[Event, ...] = ()
    why: str | None = None  # of NOT_CHECKED: what was missing


class Thresholds(Protocol):
    """A dataclass of thresholds under a code; the docstring's first line is its title."""

    @property
    def code(self) -> str: ...

    @property
    def needs(self) -> tuple[str, ...]: ...


class Rule(Thresholds, Protocol):
    """A question asked of a case; a rule that cannot be asked of it raises ``NotChecked``."""

    @property
    def kinds(self) -> tuple[str, ...]: ...  # of events it can find

    def __call__(self, case: Case) -> Iterator[Event]: ...


@dataclass(frozen=True, slots=True)
class Phase:
    label: str
    start: Position
    end: Position
    why: tuple[Evidence, ...] = ()
    confidence: float | None = None  # share of such phases that are right, 0 to 1; None: not calibrated


@dataclass(frozen=True, slots=True)
class Transition:
    """Where one phase gives way to the next."""

    step: Position
    before: str
    after: str
    signals: tuple[str, ...]  # the metrics whose change made the difference
    explained_by: str | None = None  # a recorded change at the same place: coincidence, not cause
    interval: tuple[Position, Position] | None = None  # 90 % of such intervals hold the true step; None: unresolved
    confirmed: bool = False  # a second metric, cut on its own, turns at the same place


@dataclass(frozen=True, slots=True)
class Stop:
    """The best step by one signal, and what came after it."""

    signal: str
    best_step: Position
    best: float
    last: float
    after_best: float  # change from best to last, as a share of the best; positive = worse
    wasted_steps: float  # from the best to the last validation
    unread_steps: float  # after the last validation: nothing is known of them
    wasted_seconds: float | None
    other: tuple[str, Position, float] | None = None  # a second witness that names another step


@dataclass(frozen=True, slots=True)
class Verdict:
    name: str
    why: str
    evidence: tuple[Evidence, ...] = ()
    confidence: float | None = None  # share of such verdicts that are right, 0 to 1; None: not calibrated


@dataclass(frozen=True, slots=True, eq=False)
class Autopsy:
    """Everything one log can tell, and what it cannot."""

    run: Run
    axis: str  # what positions count here: the run's own axis, or the one asked for
    first: Position
    last: Position
    roles: tuple[Role, ...]
    signals: Mapping[str, Signal]
    segments: Mapping[str, Segments]
    checks: tuple[Check, ...]
    phases: tuple[Phase, ...]
    transitions: tuple[Transition, ...]
    verdict: Verdict
    stop: Stop | None
    thresholds: Mapping[str, Mapping[str, Any]]
    notes: tuple[str, ...]

    @property
    def events(self) -> tuple[Event, ...]:
        found = [event for check in self.checks for event in check.events]
        return tuple(sorted(found, key=lambda e: (e.step, e.code)))

    def to_dict(self) -> dict[str, Any]:
        """The object that ``--format json`` prints."""
        facts: dict[str, Any] = load("runopsy.report.data:facts")(self)
        return facts

    def to_polars(self) -> pl.DataFrame:
        """The cleaned signals in long form, each row with its phase: ``signal, step, value, phase``.

        ``phase`` is null before the first and where no phase could be named.
        """
        import numpy as np  # heavy, as polars is: only who asks for a frame pays
        import polars as pl

        starts = [p.start for p in self.phases]
        names = np.array([None, *(p.label for p in self.phases)], dtype=object)
        frames = [
            pl.DataFrame(
                {"signal": [s.name] * len(s), "step": s.step, "value": s.value,
                 "phase": pl.Series(names[np.searchsorted(starts, s.step, side="right")], dtype=pl.String)}
            )
            for s in self.signals.values()
        ]  # fmt: skip
        return pl.concat(frames) if frames else pl.DataFrame()

    def __str__(self) -> str:
        return str(load("runopsy.report:render")(self, "text"))

    def _repr_html_(self) -> str:
        return str(load("runopsy.report:render")(self, "notebook"))
