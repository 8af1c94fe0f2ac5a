"""The expectations, as values: which signal does what in which phase, and the source of the claim."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from runopsy.signal_specs import TWO_SPEEDS


class Held(StrEnum):
    """What the level of a phase is held against."""

    ITSELF = "itself"  # the last third of the phase against the first: a trend
    BEFORE = "before"  # the phase against the one before it: a step at its onset


@dataclass(frozen=True, slots=True)
class Expectation:
    """One claim about one signal in one phase."""

    code: str
    signal: str  # its name, or a family: a name that ends in a slash stands for the mean of its signals
    phase: str
    held: Held
    up: bool
    claim: str
    source: str


PHASES_OF_LEARNING = "the phases of learning: signals and a protocol"

EXPECTATIONS: tuple[Expectation, ...] = (
    Expectation("noise-falls", "gns", "feature_learning", Held.ITSELF, False,
                "the gradient noise scale, and with it the critical batch, falls in feature learning",
                PHASES_OF_LEARNING),
    Expectation("noise-rises", "gns", "memorization", Held.ITSELF, True,
                "the gradient noise scale, and with it the critical batch, rises in memorization",
                PHASES_OF_LEARNING),
    Expectation("rank-rises", "features/effective_rank", "feature_learning", Held.BEFORE, True,
                "the effective rank of the last hidden features is higher than before feature learning",
                PHASES_OF_LEARNING),
    Expectation("gradient-aligns", "hessian/grad_alignment", "feature_learning", Held.BEFORE, True,
                "gradients align with the top eigenvector of the Hessian more than before feature learning",
                PHASES_OF_LEARNING),
    Expectation("curvature-rises", "hessian/top", "feature_learning", Held.BEFORE, True,
                "curvature is higher than before feature learning", PHASES_OF_LEARNING),
    Expectation("layers-alike", "features/cka/", "feature_learning", Held.BEFORE, True,
                "layers are more alike than before feature learning", PHASES_OF_LEARNING),
    Expectation("units-specialise", "features/entropy", "feature_learning", Held.BEFORE, False,
                "the entropy of the activity of units is lower than before feature learning", PHASES_OF_LEARNING),
    Expectation("variance-rises", "grad/variance", "memorization", Held.ITSELF, True,
                "the variance of gradients over examples rises in memorization", PHASES_OF_LEARNING),
    Expectation("representation-improves", "probe/acc_heldout", "memorization", Held.ITSELF, True,
                "a linear probe of the features improves on held-out examples while the model only memorizes",
                TWO_SPEEDS),
    Expectation("readout-unbiased", "readout/train_bias", "feature_learning", Held.BEFORE, False,
                "the readout is less biased to the training set than before feature learning", TWO_SPEEDS),
)  # fmt: skip
BY_CODE: Mapping[str, Expectation] = {one.code: one for one in EXPECTATIONS}
