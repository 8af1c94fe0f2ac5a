"""The kinds of events, one row each: nothing about a kind stands elsewhere.

A new kind is a rule that finds it and a row here. Names are those of the definitions of events; the severity of an
event is decided by its rule, since a spike in a run that recovered weighs less than one that ended it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Often(StrEnum):
    """How many events of a kind a run has, which decides how two runs are compared."""

    MILESTONE = "milestone"  # one that matters; wherever it lies, it answers to that of another run
    FOLLOWS = "follows"  # one, whose place follows from the milestones or from the data
    MANY = "many"  # any number


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of event."""

    name: str
    title: str  # on screen
    sentence: str  # what it is, in a few words, without its numbers
    often: Often
    evidence: tuple[str, ...]  # the names of the numbers that its rule gives
    detail: bool = False  # the sentence goes on with what the evidence shows
    intervention: bool = False  # something that was done to the run, rather than by it
    plural: str = ""  # of the title, where a run may have many


ROWS: tuple[Kind, ...] = (
    # --- what was learnt
    Kind("grokking", "grokking", "validation accuracy made half of its late gain here", Often.MILESTONE,
         ("fitted", "before", "onset", "half", "complete", "best", "rate", "aftermath")),
    Kind("genuine_grokking", "genuine grokking", "the representation improved together with the late gain",
         Often.FOLLOWS, ("probe",), detail=True),
    Kind("apparent_grokking", "apparent grokking", "the late gain came from the readout, not from the representation",
         Often.FOLLOWS, ("probe",), detail=True),
    Kind("leading_signal", "leading signal", "moved before validation accuracy (not shown to be the cause)",
         Often.FOLLOWS, ("signal",), detail=True),
    Kind("memorization_onset", "memorization onset",
         "from here on training improves and validation does not follow", Often.MILESTONE,
         ("turn", "end", "training", "validation")),
    Kind("double_descent_peak", "double descent peak", "the top of the validation curve between two descents",
         Often.MILESTONE, ("before", "peak", "after")),
    Kind("canaries_learnt", "canaries learnt",
         "examples with random labels are fitted: memorization, measured directly", Often.FOLLOWS, ("accuracy",)),
    Kind("loss_drop", "loss drop", "the training loss falls abruptly", Often.MANY, ("fall",), detail=True,
         plural="loss drops"),
    # --- what broke
    Kind("divergence", "divergence", "training diverges here and does not recover", Often.MILESTONE, ("left",),
         detail=True),
    Kind("not_finite", "values not finite", "NaN or infinite values begin here", Often.MANY, ("values",), detail=True,
         plural="stretches of values not finite"),
    Kind("loss_spike", "loss spike", "the training loss leaps and comes back", Often.MANY, ("top",), detail=True,
         plural="loss spikes"),
    Kind("loss_jump", "loss jump", "the training loss rises to a new level and stays there", Often.MANY, ("levels",),
         detail=True, plural="loss jumps"),
    Kind("instability", "instability", "a curve that had improved swings again and again", Often.FOLLOWS, ("swings",),
         detail=True),
    Kind("metric_anomaly", "metric anomaly", "implausible values: check logging, leakage and evaluation", Often.MANY,
         ("value", "context"), detail=True, plural="metric anomalies"),
    Kind("mode_gap", "mode gap", "training data read in evaluation mode are as bad as validation: "
         "the gap is one of modes (batch normalisation, dropout), not of data", Often.FOLLOWS,
         ("training_eval",), detail=True),
    Kind("crashed", "crashed", "the run ended in an exception", Often.FOLLOWS, ("end",), detail=True),
    Kind("interrupted", "interrupted", "the run was stopped from outside before its end", Often.FOLLOWS, ("end",),
         detail=True),
    Kind("stalled", "stalled", "a long pause, or far slower steps than before", Often.MANY, ("pause",), detail=True,
         plural="stalls"),
    # --- what was done to the run
    Kind("lr_change", "learning rate change",
         "the learning rate was changed; what moves with it is not a phase of its own", Often.MANY, ("after",),
         detail=True, intervention=True, plural="learning rate changes"),
    Kind("batch_size_change", "batch size change", "the batch size was changed", Often.MANY, ("after",), detail=True,
         intervention=True, plural="batch size changes"),
    Kind("resume", "resume", "the run was continued from an earlier session", Often.MANY, ("session", "levels"),
         detail=True, intervention=True, plural="resumes"),
    Kind("data_change", "data change", "the training loss moves to a new level and validation does not: "
         "as after a change of training data", Often.MANY, ("level",), detail=True, intervention=True,
         plural="data changes"),
    Kind("epoch_steps", "epoch steps", "the training loss steps down as each epoch begins: examples are seen again",
         Often.FOLLOWS, ("step",), detail=True),
    # --- recorded signals
    Kind("level_shift", "level shift", "a signal moves to a new level and no validation curve with it", Often.MANY,
         ("level",), detail=True, plural="level shifts"),
    Kind("common_change", "common change", "several recorded signals change together", Often.MANY,
         ("signals", "signal", "validation"), detail=True, plural="common changes"),
    Kind("baseline_departure", "baseline departure",
         "a signal leaves the range of its first readings (noise alone often does so)", Often.MANY, ("level",),
         detail=True, plural="baseline departures"),
    Kind("edge_of_stability", "edge of stability",
         "sharpness reached the stability limit of gradient descent, 2/η with momentum", Often.FOLLOWS, ("sharpness",),
         detail=True),
    Kind("noise_scale", "noise scale", "the gradient noise scale at the end", Often.FOLLOWS, ("scale",), detail=True),
)  # fmt: skip

KINDS: Mapping[str, Kind] = {kind.name: kind for kind in ROWS}
# Names of version 0.1, so that whoever uses one gets the new one.
RENAMED: Mapping[str, str] = {"transition": "loss_drop", "suspect": "metric_anomaly", "departure": "baseline_departure",
                              "unconfirmed_change": "level_shift", "first_mover": "leading_signal"}  # fmt: skip
MILESTONES = tuple(kind.name for kind in ROWS if kind.often is Often.MILESTONE)
ONCE = tuple(kind.name for kind in ROWS if kind.often is not Often.MANY)
INTERVENTIONS = tuple(kind.name for kind in ROWS if kind.intervention)
