"""The words of a report that no other table explains: phases, verdicts, and the terms that sentences are made of.

One row each, and nothing of it stands elsewhere. Which readings are called what stands in ``phases.labels``, which runs
in ``verdicts``; the tests hold the names of both against these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Term:
    """A word and what it means, in one or two full sentences."""

    name: str
    what: str
    caution: str = ""  # what it does not mean


PHASE_ROWS: tuple[Term, ...] = (
    Term("underfitting", "Training has hardly moved from its start, or only guesses.",
         "It does not mean that the model is too small: every run begins with it."),
    Term("feature_learning", "Validation improves: what is learnt generalises.",
         "The name is the usual one; that features change is shown by recorded signals alone."),
    Term("memorization", "Training improves and validation does not, or validation stays well short of its best.",
         "It is a description of the curves up to the last step: a later gain is possible (see grokking)."),
    Term("converged", "Neither training nor validation moves any more, and validation is near its best.",
         "A plateau may come before a further fall; a report covers the logged steps only."),
    Term("fitting", "Training improves, and no validation shows whether that carries over.",
         "None was logged, or its noise hides it."),
    Term("diverged", "The loss is NaN or infinite, or most of what was learnt is lost, up to the last step."),
)  # fmt: skip

VERDICT_ROWS: tuple[Term, ...] = (
    Term("healthy", "Training fits its data, or its loss came down and levelled off, and validation follows.",
         "It does not mean that no better run exists."),
    Term("undertrained", "The run was still improving at its last step: it ended too early."),
    Term("underfit", "Training stopped improving far from fitting its data, or never moved by more than its noise."),
    Term("overfit", "Validation got worse while training went on, or is far behind training that fits.",
         "The best checkpoint of an overfit run may be a good model."),
    Term("memorized", "Training is fitted, and validation never generalised by the last step.",
         "It does not mean that more training could not change it: grokking begins so."),
    Term("grokked", "Validation accuracy rose only after training was fitted, and the gain was kept.",
         "Whether the representation learnt is another question: see genuine_grokking."),
    Term("double_descent", "Validation fell, rose, and fell again.",
         "It is the double descent over training time; that over model sizes needs several runs."),
    Term("diverged", "The loss became NaN or infinite, or most of what was learnt was lost, and it did not recover."),
    Term("unstable", "A curve swings, or the loss leaps, again and again up to the end: the last value is chance."),
    Term("inconclusive", "The log cannot show how the run ended; the reason names what is missing.",
         "It is no fault of the run."),
)  # fmt: skip

TERM_ROWS: tuple[Term, ...] = (
    Term("run", "One training, from one log."),
    Term("axis", "What positions are counted by: steps, epochs, tokens, samples, rows or time (--x)."),
    Term("column", "One series of a log, as it was logged."),
    Term("role", "What a column is taken for: train/loss, val/acc, lr … runopsy signals shows it, --map sets it."),
    Term("signal", "A column that plays a role, cleaned and on the common axis; or one that the recorder measures."),
    Term("phase", "A stretch of the run with one label. Phases follow each other without gaps."),
    Term("event", "Something that happened at one place of the run, found by a rule."),
    Term("rule", "A question that is asked of every run: found, not found, or not checked and why."),
    Term("verdict", "One word for the whole run, up to its last step."),
    Term("evidence", "The value of a signal that a finding rests on, beside the reference that it is compared with."),
    Term("threshold", "A number that decides. Each stands once, with unit, range, reason and source; TOML changes it."),
    Term("confidence", "How often such phases and verdicts were right on runs whose truth is known.",
         "It was measured on our runs; yours may be of another kind. Of an example it is another thing: the mean "
         "probability of its label."),
    Term("interval", "Where the place of an event may lie, given the noise of the log.",
         "It does not cover what a reader may mean by the event."),
    Term("resolution", "The distance between two rows where an event lies: it cannot be placed more finely."),
    Term("not checked", "A rule could not be checked, because the log lacks what it needs. It is not a finding."),
    Term("transition", "A place where the level or the slope of a signal changes, whatever it is called."),
    Term("best step", "The step at which validation was best. It is the best of this run only.",
         "Another schedule can have another best step."),
    Term("fitted", "Training accuracy has reached fitted_accuracy; where none was logged, the loss fell by fell_far."),
    Term("chance", "What guessing gives: ln K and 1/K of K classes, or the largest class."),
    Term("train-validation gap",
         "How far validation stands behind training: in accuracy, or as part of the first loss."),
    Term("standard error", "The standard deviation of an estimate. NAME/se: of a reading of NAME, over examples."),
    Term("noise", "What remains of a curve where nothing changes, slow (autocorrelated) noise included."),
    Term("probe batch", "A fixed batch of training examples (probe=) on which the recorder measures."),
    Term("held-out batch", "A fixed batch of examples that are not trained on (heldout=)."),
    Term("canary", "A training example whose label was replaced at random: fitting it takes memorization."),
    Term("evaluation mode", "The model as it predicts: no dropout, fixed batch statistics."),
    Term("run folder", "What runopsy.record writes: run.json, the signals as Parquet, a journal."),
    # --- examples and groups
    Term("learnt", "An example is learnt at the step from which it is right to the last reading."),
    Term("forgotten", "An example was right at one reading and wrong at the next, at least once."),
    Term("width", "How widely the difficulty of examples is spread: the mean distance of the steps at which they were "
         "learnt from their median, in decades of elapsed steps."),
    Term("margin", "The probability of an example's label less that of the best other class, as a mean over the run."),
    Term("variability", "The standard deviation of the probability of an example's label over the run."),
    Term("probably mislabelled", "The margin of an example is below 0: another class was more probable, on average.",
         "Hard and rare examples may be among them."),
    Term("group", "Examples of the probe batch under one name, as record(groups=) has them."),
    Term("expectation", "What the literature expects of a signal in a phase. Beside it stands what the run shows, and "
         "how often it held on trainings of known truth."),
    # --- representation, size, and how a run was watched
    Term("representation", "The features that enter the model's head. What they hold is asked of linear probes: "
         "probe/acc_heldout.", "A probe that has few examples understates it."),
    Term("readout", "What the model's head makes of its features: readout/gap says how much less than a probe does, "
         "readout/train_bias how much training features mislead one that is fitted on them."),
    Term("regime", "How large a model is beside its training data, and whether these were seen to be fitted."),
    Term("parameters per example", "Trainable parameters of the model over examples of the training set.",
         "No value of it is the interpolation threshold of every model: data, noise and training move that."),
    Term("interpolation", "Training fits its data. A run is seen on that side once training accuracy has reached "
         "fitted_accuracy, or short of it.", "Fitted is not fitted to the last example; the numbers stand beside it."),
    Term("interpolation threshold", "The size from which on training just fits its data. Around it validation is often "
         "at its worst.", "One run shows only on which side it was seen to be; where it lies is seen over sizes."),
    Term("under-parametrised", "Of a size: below the interpolation threshold, where training does not fit its data."),
    Term("checklist", "Eight questions about how a run is watched (--checklist), answered yes, no or unknown."),
    Term("unknown", "It cannot be known from a log: who has read it, what is done about it, what other runs there "
         "are."),
    Term("signals logged", "Whether the log holds internal signals of the model (gradients, features, curvature), and "
         "which of those that the protocol names are missing."),
    Term("baselines known", "Whether mean and noise of the signals are known where the run begins, or of other runs of "
         "its kind in a library."),
    Term("smoothing in place", "Whether each curve has rows enough for a fit that no single row decides."),
    Term("a rule for acting", "Whether the settings in the log name a patience, or another rule of stopping."),
    Term("checked by validation", "Whether validation is logged, and how many transitions a second curve confirms."),
    Term("patterns by architecture", "Whether the library that was named holds runs of this architecture and data."),
    Term("logs reviewed", "Whether somebody reads the logs, run by run."),
    Term("budget for experiments", "Whether small runs over rate, batch and initialisation show where phases begin."),
    # --- several runs
    Term("policy", "A stopping rule: one sentence that states when a training ends. runopsy backtest replays it."),
    Term("misses", "The share of all that validation gained in a run which came after the stop of a policy."),
    Term("cut off", "A policy cuts off a late gain where it misses more than a tenth."),
    Term("outcome", "What the runs of a sweep are compared by: the best val/loss, if nothing else is asked."),
    Term("configuration", "Runs with the same settings but for the seed."),
    Term("seed noise", "How far runs of one configuration lie apart: what differs between them is what a seed does."),
    Term("scaling law", "How the loss falls with the size of the model, the data or the compute, fitted over runs."),
    Term("library", "What is usual of the runs of one architecture and data set, kept in one file."),
    # --- a run that goes on
    Term("provisional", "An event that a watch has found and not confirmed yet: later rows may take it back."),
    Term("confirmed", "An event that every look of a watch has found at the same place while the log went on growing.",
         "Of a transition it has another sense: two or more curves turn there."),
    Term("so far", "An event that a watch reports although rows to come may make another of it.",
         "Validation that rises is memorization if it goes on, and half of a double descent if it falls again."),
)  # fmt: skip

PHASES: Mapping[str, Term] = {term.name: term for term in PHASE_ROWS}
VERDICTS: Mapping[str, Term] = {term.name: term for term in VERDICT_ROWS}
TERMS: Mapping[str, Term] = {term.name: term for term in TERM_ROWS}
