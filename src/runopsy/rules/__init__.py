"""The rules, in the order in which they are asked: each sees what those before it have found."""

from __future__ import annotations

from collections.abc import Mapping

from runopsy.facts.case import Rule
from runopsy.rules.common import CommonChanges
from runopsy.rules.endings import Ended, Stalled
from runopsy.rules.generalisation import DoubleDescent, Grokking, MemorizationOnset, ModeGap
from runopsy.rules.interior import CanariesLearnt, EdgeOfStability, NoiseScale
from runopsy.rules.representation import FirstMovers, Readout
from runopsy.rules.schedule import BatchSizeChange, EpochSteps, LearningRateChange, Resumed
from runopsy.rules.stability import Divergence, Instability, LossJump, LossSpike, NotFinite
from runopsy.rules.stages import Stage
from runopsy.rules.suspects import OffScale, PrintedZero, SameValues, TooGood
from runopsy.rules.thresholds import Departure, SuddenChange

RULES: tuple[Rule, ...] = (
    LearningRateChange(),
    BatchSizeChange(),
    EpochSteps(),
    Resumed(),
    NotFinite(),
    Divergence(),
    LossSpike(),
    LossJump(),
    Instability(),
    Grokking(),
    FirstMovers(),
    Readout(),
    DoubleDescent(),
    MemorizationOnset(),
    ModeGap(),
    Stage(),
    SuddenChange(),
    CommonChanges(),
    CanariesLearnt(),
    EdgeOfStability(),
    NoiseScale(),
    PrintedZero(),
    OffScale(),
    TooGood(),
    SameValues(),
    Ended(),
    Stalled(),
)

# The founding threshold rule in the place of the calibrated one, for those who look for it.
CLASSIC: tuple[Rule, ...] = (*(rule for rule in RULES if not isinstance(rule, SuddenChange)), Departure())

PRESETS: Mapping[str, tuple[Rule, ...]] = {"default": RULES, "classic": CLASSIC}

__all__ = ["PRESETS", "RULES"]
