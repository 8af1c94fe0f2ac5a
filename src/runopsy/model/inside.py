"""What recorded signals, examples and groups of them show beyond the judged curves."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from runopsy.model.units import Position


@dataclass(frozen=True, slots=True)
class LearntGroup:
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
class WatchedExamples:
    """How the watched examples of a run were learnt."""

    groups: tuple[LearntGroup, ...]  # of the whole batches, then of the given groups
    widths: tuple[WidthTest, ...]
    suspects: tuple[Suspect, ...]  # the first of the ranking; those with a margin below 0 are named mislabelled
    named: int | None  # how many have a margin below 0; None: the run does not show it
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
class Breakdown:
    """A divergence or a spike, and what left its range before it."""

    kind: str
    step: Position
    asked: int  # signals with readings enough before it
    left: tuple[Precursor, ...]  # in order of time


class Answer(StrEnum):
    """Whether a run agrees with an expectation."""

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
    before: float | None = None  # the level that it is compared with
    observed: float | None = None
    sigmas: float | None = None  # their difference in standard errors, positive: as expected
    why: str = ""  # of CANNOT_TELL


@dataclass(frozen=True, slots=True)
class Regime:
    """How large the model was beside its training data, and whether it was seen to fit them; None: not known."""

    parameters: int | None
    trainable: int | None  # of these
    examples: int | None  # of the training set
    tokens: int | None  # of the training set
    fitted: bool | None
    at: Position | None  # where the training data came to be fitted
    why: str  # the numbers that say so, or why it is not known

    @property
    def per_example(self) -> float | None:
        """Trainable parameters per training example."""
        return None if self.trainable is None or not self.examples else self.trainable / self.examples

    @property
    def per_parameter(self) -> float | None:
        """Tokens of the training set per parameter."""
        return None if self.tokens is None or not self.parameters else self.tokens / self.parameters


@dataclass(frozen=True, slots=True)
class Stretch:
    """Where a difference lay on one side of 0, visibly and by more than noise."""

    since: Position  # its first and its last point
    until: Position
    at: Position  # where it was farthest from 0
    value: float  # there
    error: float  # one standard error of that


@dataclass(frozen=True, slots=True)
class Lag:
    """A difference between two readouts of the same features over a run, as a share of the examples."""

    signal: str
    above: Stretch | None  # None: nowhere visibly, and by more than noise
    below: Stretch | None
    last: float
    last_error: float  # one standard error


@dataclass(frozen=True, slots=True)
class Readout:
    """Representation and readout: what linear probes of the features get right, beside what the model's head does."""

    gap: Lag  # held-out probe less the model itself, on the same examples
    bias: Lag | None  # held-out probe less one that was fitted on training features
    probe_half: Position | None  # where the held-out probe had made half of its gain; None: it gained none
    own_half: Position | None  # the same of the model itself, on the same examples


class Reply(StrEnum):
    """Whether something was done in a run."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Item:
    """A question of the checklist, as the run answers it."""

    question: str
    reply: Reply
    evidence: str
    do: str = ""  # what would make it a yes
