"""All that is known of a run when rules, phases and verdict are asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from runopsy.facts.table import Facts
from runopsy.model import Event, Position, Question, Run, Segments, Signal
from runopsy.thresholds import DEFAULTS, Limits


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """All that a rule may look at."""

    run: Run
    signals: Mapping[str, Signal]
    segments: Mapping[str, Segments]
    facts: Facts
    first: Position
    last: Position
    resumes: tuple[Position, ...] = ()
    changes: tuple[Position, ...] = ()  # where the learning rate jumps
    events: tuple[Event, ...] = ()  # what the rules before this one have found
    limits: Limits = DEFAULTS


class Rule(Question, Protocol):
    """A question asked of a case; a rule that cannot be asked of it raises ``NotChecked``."""

    @property
    def kinds(self) -> tuple[str, ...]: ...  # of events it can find

    def __call__(self, case: Case) -> Iterator[Event]: ...
