"""How large the model was beside its training data, and on which side of interpolation the run was seen to be."""

from __future__ import annotations

from collections.abc import Sequence

from runopsy.facts.curve import Curve
from runopsy.facts.late import fitted_at
from runopsy.facts.table import Facts
from runopsy.facts.training import left_of
from runopsy.model import Position, Regime, Run
from runopsy.thresholds import Limits

# What was seen of the training data: fitted or not, where they came to be, and the numbers that show it.
Seen = tuple[bool | None, Position | None, str]
ACCURACIES = ("train/acc", "eval/acc_train")  # of the training data; dropout may keep the first low


def regime_of(run: Run, facts: Facts) -> Regime | None:
    """The regime of a run that our recorder has made; None for a log of others, which states no sizes."""
    if not run.taken or facts.not_a_run:
        return None
    fitted, at, why = _seen(facts)
    return Regime(run.parameters, run.trainable, run.sizes.get("train"), run.sizes.get("tokens"), fitted, at, why)


def _seen(facts: Facts) -> Seen:
    """Whether training data were fitted: by their accuracy, else by a loss that is nearly gone, or hardly fell."""
    accuracies = [facts.curves[name] for name in ACCURACIES if name in facts.curves]
    return _by_accuracy(accuracies, facts.limits) if accuracies else _by_loss(facts)


def _by_accuracy(accuracies: Sequence[Curve], limits: Limits) -> Seen:
    least = limits.fitted_accuracy
    for accuracy in accuracies:
        at = fitted_at({"train/acc": accuracy}, limits)
        if at is not None:
            return True, at, f"{accuracy.name} reaches {max(accuracy.best, least):.3g}; {least:g} counts as fitted"
    best = max(accuracies, key=lambda accuracy: accuracy.best)
    return False, None, f"{best.name} reaches {best.best:.3g}; {least:g} counts as fitted"


def _by_loss(facts: Facts) -> Seen:
    loss = facts.curves.get("train/loss")
    if loss is None or loss.begins <= 0:
        return None, None, "the log holds no training accuracy and no training loss that begins above 0"
    share = left_of(loss, facts.start.loss or loss.begins)
    numbers = f"{loss.name} ends at {share:.2g} of its first level"
    if share <= 1 - facts.limits.fitted_accuracy:  # as little is left as fitted examples may leave wrong
        return True, facts.fitted_at, numbers
    if share > facts.limits.fell_far:
        return False, None, numbers
    return None, None, f"no training accuracy was logged, and {numbers}, which may be either"
