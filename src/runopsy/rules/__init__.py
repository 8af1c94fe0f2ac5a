"""The rules, in the order in which they are asked: each sees what those before it have found."""

from __future__ import annotations

from runopsy.model import Rule
from runopsy.rules.generalisation import DoubleDescent, Grokking, MemorizationOnset
from runopsy.rules.schedule import LearningRateChange, Resumed
from runopsy.rules.stability import Divergence, LossSpike, NotFinite
from runopsy.rules.stages import Stage
from runopsy.rules.suspects import KIND, OffScale, PrintedZero, SameValues, TooGood

RULES: tuple[Rule, ...] = (
    LearningRateChange(),
    Resumed(),
    NotFinite(),
    Divergence(),
    LossSpike(),
    Grokking(),
    DoubleDescent(),
    MemorizationOnset(),
    Stage(),
    PrintedZero(),
    OffScale(),
    TooGood(),
    SameValues(),
)

# Every kind of event the rules above can find, in the words of --fail-on and --format json.
KINDS: tuple[str, ...] = (
    "not_finite",
    "divergence",
    "loss_spike",
    "grokking",
    "double_descent_peak",
    "memorization_onset",
    "transition",
    "lr_change",
    "resume",
    KIND,
)

__all__ = ["KINDS", "RULES"]
