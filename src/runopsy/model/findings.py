"""What is found in a run: events with their evidence, phases, the best step, the verdict."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from runopsy.model.units import Position


class Severity(StrEnum):
    INFO = "info"
    WARNING = "warning"
    FATAL = "fatal"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One number that was seen, beside the number it was compared with."""

    signal: str
    step: Position
    observed: float
    limit: float | None
    unit: str
    text: str  # what the two numbers are, in a few words: "validation accuracy, against half its gain"
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
    resolution: float | None = None  # spacing of the log around ``step``: nothing finer is known

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
    after_best: float  # change from best to last, as a share of the best; positive = worse, inf where the best is 0
    wasted_steps: float  # from the best to the last validation
    unread_steps: float  # after the last validation: nothing is known of them
    wasted_seconds: float | None
    other: tuple[str, Position, float] | None = None  # a second witness that names another step
    lower_is_better: bool = True  # of the signal
    within_noise: bool = False  # the level at the end is worse than the best level by no more than noise


@dataclass(frozen=True, slots=True)
class Verdict:
    name: str
    why: str
    evidence: tuple[Evidence, ...] = ()
    confidence: float | None = None  # share of such verdicts that are right, 0 to 1; None: not calibrated
