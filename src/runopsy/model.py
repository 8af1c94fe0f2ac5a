"""The nouns: frozen, computing nothing beyond what their own fields say.

Positions on a run's axis are ``float64`` throughout, because an axis may be a fractional epoch or a
time; a step is a whole number that happens to be stored so (exact up to 2**53).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
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
# The curves that facts, phases and verdicts are made from.
JUDGED = ("train/loss", "train/acc", "val/loss", "val/acc")
# Signals of the inside of a model, by the family that their names begin with.
INSIDE = ("grad/", "gns", "batch/critical", "features/", "pred/", "hessian/", "weights/", "logits/", "probe/",
          "readout/", "ntk/", "collapse/", "examples/", "canary/")  # fmt: skip
# The model itself in evaluation mode, as the recorder reads it on the probe and the held-out batch.
EVALUATED = ("eval/loss_train", "eval/acc_train", "eval/loss_heldout", "eval/acc_heldout")
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
    parts: tuple[str, ...] = ()  # the columns that this one is the sum of; none of what was logged itself

    def __len__(self) -> int:
        return len(self.value)


@dataclass(frozen=True, slots=True)
class Mark:
    """Something the training script said about itself: ``run.event(step, kind, ...)``."""

    step: Position
    kind: str
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Turns:
    """When examples became right or wrong, in the order of the readings; at the first reading each has a row."""

    example: Counts  # (m,)
    step: Positions  # (m,)
    right: Counts  # (m,) 1: it became right, 0: wrong


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """One batch that the recorder watched example by example; arrays are (n,), one entry per example or position.

    Means are over readings. What an older recorder did not keep is None.
    """

    side: str  # "probe" (training examples), "heldout" or "canaries"
    first: Positions  # step of the first reading at which it was right; NaN: never
    learnt: Positions  # step from which it was right to the end; NaN: wrong at the end
    forgotten: Counts  # times it was right at one reading and wrong at the next
    group: tuple[str, ...] = ()  # the group of each, where groups were given
    label: Counts | None = None  # the class it was given
    rather: Counts | None = None  # the most probable other class, by mean probability
    confidence: Values | None = None  # mean probability of its label, 0 to 1
    variability: Values | None = None  # standard deviation of that probability over readings
    margin: Values | None = None  # mean of that probability less the best other class's, −1 to 1
    loss: Values | None = None  # −ln of that probability at the last reading
    turns: Turns | None = None
    readings: int | None = None

    def __len__(self) -> int:
        return len(self.first)


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """A log, whoever wrote it."""

    path: str
    id: str
    axis: str  # "step", "epoch", "tokens", "samples", "time" or "row": what the positions of every track count
    tracks: Mapping[str, Track]
    marks: tuple[Mark, ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    status: str | None = None  # of our own run folders: running, finished, failed, interrupted, killed, disk_full
    notes: tuple[str, ...] = ()  # what the reader had to skip or assume
    taken: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # of our own run folders: signal → how it was
    missing: Mapping[str, str] = field(default_factory=dict)  # of our own run folders: signal → why it is not there
    sizes: Mapping[str, int] = field(default_factory=dict)  # examples of each data set, where the run says it
    examples: Mapping[str, Examples] = field(default_factory=dict)  # of our own run folders: by side, those watched

    def __repr__(self) -> str:
        return f"Run({self.id!r}, {len(self.tracks)} signals by {self.axis}, status={self.status!r})"

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
    logarithm: bool = False  # the column logs a perplexity: the signal is ln(value)
    better: str = ""  # "higher" or "lower" values of the column, "" where its name does not say
    chosen: bool = False  # the best step is by this one: --metric says so, or the log's own "best"


@dataclass(frozen=True, slots=True, eq=False)
class Signal:
    """One quantity over one run, cleaned: steps strictly increase and every value is finite."""

    name: str  # canonical where the column has a role, else the column's own
    source: str  # the column's name in the log
    step: Positions  # (n,)
    value: Values  # (n,)
    time: Values | None = None  # (n,) unix seconds
    broken: Positions | None = None  # (m,) where the logged value was NaN or infinite
    better: str = ""  # "higher" or "lower" values, "" where nothing says it
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
    name: str = ""  # the slot of the event's kind that this number fills, see ``kinds``


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

    def __getitem__(self, name: str) -> Evidence:
        """The evidence in a named slot.

        Raises:
            KeyError: the event has no evidence of that name.
        """
        found = self.get(name)
        if found is None:
            raise KeyError(f"{self.kind} has no evidence called {name!r}")
        return found

    def get(self, name: str) -> Evidence | None:
        """The evidence in a named slot, or None."""
        return next((e for e in self.evidence if e.name == name), None)


class Outcome(StrEnum):
    FOUND = "found"
    NOT_FOUND = "not_found"
    NOT_CHECKED = "not_checked"


@dataclass(frozen=True, slots=True)
class Check:
    """One rule's answer."""

    code: str
    title: str
    outcome: Outcome
    events: tuple[Event, ...] = ()
    why: str | None = None  # of NOT_CHECKED: what was missing


class Question(Protocol):
    """A question that is asked of a run; the docstring's first line is its title."""

    @property
    def code(self) -> str: ...

    @property
    def needs(self) -> tuple[str, ...]: ...  # signals

    @property
    def uses(self) -> tuple[str, ...]: ...  # names of thresholds


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


@dataclass(frozen=True, slots=True)
class Lesson:
    """How a group of watched examples was learnt."""

    name: str  # "training", "held-out", "canaries", or the name of a given group
    examples: int
    never: int  # never right at a reading
    wrong: int  # wrong at the last one
    forgotten: int  # forgotten at least once
    relearnt: int  # of those, right at the last reading
    quartiles: tuple[Position, Position, Position] | None  # of the steps learnt for good; inf: not by the last reading
    width: float | None  # mean distance of these steps from their median, in decades of elapsed steps
    why: str = ""  # there is no width


@dataclass(frozen=True, slots=True)
class WidthTest:
    """Whether the steps at which one group was learnt are spread more widely than another's."""

    a: str
    b: str
    difference: float  # width of a less that of b, in decades
    interval: tuple[float, float]  # 90 % of such intervals hold the true difference
    p: float  # two-sided permutation test


@dataclass(frozen=True, slots=True)
class Suspect:
    """A training example whose label the model disbelieved."""

    example: int
    label: int
    rather: int | None
    margin: float
    confidence: float
    variability: float
    loss: float
    learnt: Position | None
    forgotten: int


@dataclass(frozen=True, slots=True)
class Taught:
    """What the watched examples say of a run."""

    lessons: tuple[Lesson, ...]  # of the whole batches, then of the given groups
    widths: tuple[WidthTest, ...]
    suspects: tuple[Suspect, ...]  # the first of the ranking; those with a margin below 0 are named mislabelled
    named: int | None  # how many have a margin below 0; None: the run cannot tell
    why: str  # it cannot


@dataclass(frozen=True, slots=True)
class GroupStep:
    """A group of examples that was learnt in a step."""

    group: str
    step: Position  # half of the rise is made
    interval: tuple[Position, Position]  # at least 90 % of such intervals hold the true step: ``make bench-quanta``
    before: float  # accuracy, 0 to 1
    after: float
    chance: float  # of such a rise in noise alone
    breadth: float  # elapsed steps at three quarters of the rise, x those at one quarter


@dataclass(frozen=True, slots=True)
class GroupSteps:
    """The steps of the groups that ``record(groups=)`` named."""

    asked: int
    steps: tuple[GroupStep, ...]  # in order; a tenth of them is false at most, on average
    without: tuple[str, ...]  # groups in which none was found
    hidden: bool  # the mean of all groups is smoother than they are


@dataclass(frozen=True, slots=True)
class Precursor:
    """A recorded signal that left its range before a run broke; when, not why."""

    signal: str
    step: Position  # of the first reading that did
    value: float
    sigmas: float  # standard deviations of its readings from where the ones before them led
    up: bool


@dataclass(frozen=True, slots=True)
class Broke:
    """A divergence or a spike, and what left its range before it."""

    kind: str
    step: Position
    asked: int  # signals with readings enough before it
    left: tuple[Precursor, ...]  # in order of time


class Answer(StrEnum):
    """What a run says to an expectation."""

    AGREES = "agrees"
    CONTRARY = "contrary"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True, slots=True)
class Level:
    """A signal along one phase: means of its first and of its last third, each with one standard error."""

    signal: str
    phase: int  # which of the autopsy's phases, from 0
    mean: float  # over the whole phase
    mean_error: float
    early: float
    early_error: float
    late: float
    late_error: float

    @property
    def trend(self) -> float:
        """From the first third to the last, in standard errors of that difference."""
        return (self.late - self.early) / max(math.hypot(self.early_error, self.late_error), 1e-300)


@dataclass(frozen=True, slots=True)
class Expected:
    """An expectation of the literature beside what one phase of a run shows."""

    code: str  # of the expectation, see ``expectations.table``
    signal: str
    phase: int
    answer: Answer
    before: float | None = None  # the level that it is held against
    observed: float | None = None
    sigmas: float | None = None  # their difference in standard errors, positive: as expected
    why: str = ""  # of CANNOT_TELL


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
    thresholds: Mapping[str, float]
    notes: tuple[str, ...]
    taught: Taught | None = None  # None: no examples were watched
    levels: tuple[Level, ...] = ()  # of the signals of the inside, by phase
    expected: tuple[Expected, ...] = ()
    groups: GroupSteps | None = None  # None: no groups of examples were recorded
    broke: tuple[Broke, ...] = ()  # the gravest divergences and spikes

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

    def __repr__(self) -> str:
        place = f"{self.axis} {self.first:,.12g} to {self.last:,.12g}"
        found = f"{len(self.phases)} phases, {len(self.events)} events"
        return f"Autopsy({self.run.id!r}, {self.verdict.name!r}, {place}, {found})"

    def __str__(self) -> str:
        return str(load("runopsy.report:render")(self, "text"))

    def _repr_html_(self) -> str:
        return str(load("runopsy.report:render")(self, "notebook"))


# --- what differs between two --------------------------------------------------------------------


class Change(StrEnum):
    """What can be said of a difference."""

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
    chance: float | None  # how often seeds alone tell two such sets apart as far as these are; None: one run each
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
