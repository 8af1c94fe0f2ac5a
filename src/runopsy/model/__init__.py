"""The nouns: frozen, computing nothing beyond what their own fields hold."""

from __future__ import annotations

from runopsy.model.autopsy import Autopsy
from runopsy.model.compared import Change, Comparison, ConfigDiff, Difference, Extra, Laid, Separation
from runopsy.model.findings import Check, Event, Evidence, Outcome, Phase, Question, Severity, Stop, Transition, Verdict
from runopsy.model.fitted import Segments, Signal
from runopsy.model.inside import (
    Answer,
    Breakdown,
    Expected,
    GroupStep,
    GroupSteps,
    LearntGroup,
    Level,
    Precursor,
    Suspect,
    WatchedExamples,
    WidthTest,
)
from runopsy.model.logged import Examples, Mark, Role, Run, Track, Turns
from runopsy.model.units import EVALUATED, INSIDE, JUDGED, Counts, Position, Positions, Values

__all__ = [
    "EVALUATED",
    "INSIDE",
    "JUDGED",
    "Answer",
    "Autopsy",
    "Breakdown",
    "Change",
    "Check",
    "Comparison",
    "ConfigDiff",
    "Counts",
    "Difference",
    "Event",
    "Evidence",
    "Examples",
    "Expected",
    "Extra",
    "GroupStep",
    "GroupSteps",
    "Laid",
    "LearntGroup",
    "Level",
    "Mark",
    "Outcome",
    "Phase",
    "Position",
    "Positions",
    "Precursor",
    "Question",
    "Role",
    "Run",
    "Segments",
    "Separation",
    "Severity",
    "Signal",
    "Stop",
    "Suspect",
    "Track",
    "Transition",
    "Turns",
    "Values",
    "Verdict",
    "WatchedExamples",
    "WidthTest",
]
