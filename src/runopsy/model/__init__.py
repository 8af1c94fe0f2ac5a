"""The nouns: frozen, computing nothing beyond what their own fields hold."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from runopsy.model.autopsy import Autopsy
from runopsy.model.findings import Check, Event, Evidence, Outcome, Phase, Question, Severity, Stop, Transition, Verdict
from runopsy.model.fitted import Segments, Signal
from runopsy.model.logged import Examples, Mark, Role, Run, Track, Turns
from runopsy.model.units import EVALUATED, INSIDE, JUDGED, VALIDATED, Counts, Position, Positions, Values

if TYPE_CHECKING:
    from runopsy.model.compared import Change as Change
    from runopsy.model.compared import Comparison as Comparison
    from runopsy.model.compared import ConfigDiff as ConfigDiff
    from runopsy.model.compared import Difference as Difference
    from runopsy.model.compared import Extra as Extra
    from runopsy.model.compared import Laid as Laid
    from runopsy.model.compared import Separation as Separation
    from runopsy.model.inside import Answer as Answer
    from runopsy.model.inside import Breakdown as Breakdown
    from runopsy.model.inside import Expected as Expected
    from runopsy.model.inside import GroupStep as GroupStep
    from runopsy.model.inside import GroupSteps as GroupSteps
    from runopsy.model.inside import Item as Item
    from runopsy.model.inside import Lag as Lag
    from runopsy.model.inside import LearntGroup as LearntGroup
    from runopsy.model.inside import Level as Level
    from runopsy.model.inside import Precursor as Precursor
    from runopsy.model.inside import Readout as Readout
    from runopsy.model.inside import Regime as Regime
    from runopsy.model.inside import Reply as Reply
    from runopsy.model.inside import Stretch as Stretch
    from runopsy.model.inside import Suspect as Suspect
    from runopsy.model.inside import WatchedExamples as WatchedExamples
    from runopsy.model.inside import WidthTest as WidthTest

_COMPARED = ("Change", "Comparison", "ConfigDiff", "Difference", "Extra", "Laid", "Separation")
__all__ = [
    "EVALUATED",
    "INSIDE",
    "JUDGED",
    "VALIDATED",
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
    "Item",
    "Lag",
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
    "Readout",
    "Regime",
    "Reply",
    "Role",
    "Run",
    "Segments",
    "Separation",
    "Severity",
    "Signal",
    "Stop",
    "Stretch",
    "Suspect",
    "Track",
    "Transition",
    "Turns",
    "Values",
    "Verdict",
    "WatchedExamples",
    "WidthTest",
]


def __getattr__(name: str) -> Any:
    """The nouns of comparisons and of a model's inside, imported when first used: few examinations need them."""
    if name not in __all__:
        raise AttributeError(f"module 'runopsy.model' has no attribute {name!r}")
    value = getattr(import_module(f"runopsy.model.{'compared' if name in _COMPARED else 'inside'}"), name)
    globals()[name] = value
    return value
