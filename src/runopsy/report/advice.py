"""What to try next: a table from findings to suggestions. It claims nothing about the run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from runopsy.model import Autopsy, Event, Outcome
from runopsy.report.document import Step
from runopsy.report.words import number, percent, place

MOST = 5  # suggestions: with more, nobody tries the first
LATE = 0.1  # of the run after its best step, from which a shorter schedule is worth trying
NEAR = 0.02  # of the run between a changed learning rate and a divergence, within which the change is the first suspect
USUAL = ("train/loss", "train/acc", "val/loss", "val/acc")
FITTED = 0.95  # training accuracy below which the model may be too small for its data
AHEAD = 0.03  # of accuracy, by which validation is above training for something other than noise to make it so
SPENT = 0.1  # of its highest value: a learning rate that ends lower leaves little to gain from more steps at it
OTHER_KINDS = ("reward", "player/")  # runs of which no loss is to be fitted: nothing is missing that they lack


@dataclass(frozen=True, slots=True)
class Advice:
    """A suggestion and why; both may name what was found: see ``_facts``."""

    on: str  # the verdict or the kind of event that it follows from
    do: str
    because: str
    fits: Callable[[Autopsy], bool] = lambda _: True


def _has_step_after_best(autopsy: Autopsy) -> bool:
    stop = autopsy.stop
    late = stop is not None and stop.wasted_steps > LATE * (autopsy.last - autopsy.first)
    return late and stop is not None and not stop.within_noise


def _rate_changed_before_divergence(autopsy: Autopsy) -> bool:
    gone, changed = _first(autopsy, "divergence"), _last_change_before(autopsy)
    return (
        gone is not None and changed is not None and gone.step - changed.step <= NEAR * (autopsy.last - autopsy.first)
    )


def _is_worse_since_best(autopsy: Autopsy) -> bool:
    """Whether the fitted curve ends worse than its best level by more than its noise, and visibly."""
    stop, limits = autopsy.stop, autopsy.thresholds
    segments = None if stop is None else autopsy.segments.get(stop.signal)
    if segments is None or not _has_step_after_best(autopsy):
        return False
    sign = 1.0 if segments.signal.endswith("acc") else -1.0
    curve = sign * segments.curve
    fall, way = float(curve.max() - curve[-1]), float(np.ptp(curve))
    return fall > limits["sure"] * float(segments.spread[-1]) and fall > limits["visible_loss"] * way


def _broke_at_once(autopsy: Autopsy) -> bool:
    gone = _first(autopsy, "divergence")
    return gone is not None and gone.step <= autopsy.first


def _never_learnt_features(autopsy: Autopsy) -> bool:
    return all(p.label != "feature_learning" for p in autopsy.phases)


def _unfitted(autopsy: Autopsy) -> bool:
    """Whether training's own accuracy is low; where validation's is higher, augmentation or dropout keeps it so."""
    train, val = (autopsy.segments.get(name) for name in ("train/acc", "val/acc"))
    low = train is not None and float(train.curve[-1]) < FITTED
    ahead = low and train is not None and val is not None and val.curve[-1] > train.curve[-1] + AHEAD
    return low and not ahead and _learnt(autopsy)


def _learnt(autopsy: Autopsy) -> bool:
    """Whether anything was learnt at all: a model that never left its start shows nothing of its size."""
    return any(p.label != "underfitting" for p in autopsy.phases)


def _learnt_nothing(autopsy: Autopsy) -> bool:
    return not _learnt(autopsy)


def _rate_spent(autopsy: Autopsy) -> bool:
    rate = autopsy.signals.get("lr")
    return rate is not None and len(rate) > 1 and float(rate.value[-1]) <= SPENT * float(rate.value.max())


def _rate_left(autopsy: Autopsy) -> bool:
    return not _rate_spent(autopsy)


def _is_training(autopsy: Autopsy) -> bool:
    """Whether this is a training with a loss to fit, and not of another kind or no run at all."""
    other = any(name.startswith(kind) for name in autopsy.signals for kind in OTHER_KINDS)
    return not other and all(mark.kind != "not_a_run" for mark in autopsy.run.marks)


def _lacks_validation(autopsy: Autopsy) -> bool:
    return _is_training(autopsy) and not any(name in autopsy.signals for name in ("val/loss", "val/acc"))


def _classifies(autopsy: Autopsy) -> bool:
    return any(name in autopsy.signals for name in ("train/acc", "val/acc"))


def _second_descent_is_lower(autopsy: Autopsy) -> bool:
    peak = _first(autopsy, "double_descent_peak")
    return peak is not None and peak["after"].observed < peak["before"].observed


# The gravest first.
ADVICE: tuple[Advice, ...] = (
    Advice(
        "divergence",
        "Take back the change of the learning rate at {axis} {changed}, or make it in smaller steps.",
        "divergence at {at}, right after it; that is a coincidence in time, no proof",
        _rate_changed_before_divergence,
    ),
    Advice(
        "divergence",
        "Start again from a checkpoint before {axis} {at}, with a lower learning rate, a longer "
        "warm-up or clipped gradients.",
        "divergence at {at}",
        lambda a: not _broke_at_once(a),
    ),
    Advice(
        "divergence",
        "Start again with a lower learning rate, a longer warm-up or clipped gradients, and look for values that are "
        "not finite in the data.",
        "divergence at {at}, in the first row",
        _broke_at_once,
    ),
    Advice(
        "not_finite",
        "Lower the learning rate or clip the gradients; in half precision, look at the loss scale too.",
        "values not finite from {axis} {at} on",
        lambda a: _first(a, "divergence") is None,
    ),
    Advice(
        "loss_spike", "Clip gradients by their norm, and look at the batches of these {axis}s.", "loss spike at {every}"
    ),
    Advice(
        "overfit",
        "Keep the checkpoint of {axis} {best}, or stop there.",
        "{signal} was best there and ended {worse}",
        _has_step_after_best,
    ),
    Advice(
        "overfit",
        "Regularise more (weight decay, dropout, augmentation, smaller batches) or add examples.",
        "the verdict is overfit",
    ),
    Advice(
        "memorized",
        "Train longer before calling it memorized: where grokking happens, it may take many times the "
        "{axis}s that fitting took.",
        "memorized by {axis} {last} shows nothing about later",
    ),
    Advice(
        "memorized", "Regularise differently (weight decay first, lightly) or add examples.", "the verdict is memorized"
    ),
    Advice(
        "memorized",
        "Run about twenty short trainings over learning rate, batch size and initialisation: "
        "they show where this model learns features.",
        "no phase of feature learning was found",
        _never_learnt_features,
    ),
    Advice(
        "underfit",
        "Try a larger model.",
        "train/acc ended at {train_acc}, below 0.95: it may be too small for its "
        "data, or stand at the interpolation threshold",
        _unfitted,
    ),
    Advice(
        "underfit",
        "Regularise less, or vary the learning rate: strong regularisation or a wrong rate prevents fitting.",
        "the verdict is underfit",
        _learnt,
    ),
    Advice(
        "underfit",
        "See whether the model can fit ten examples; if not, look for a fault: labels, inputs, frozen or unconnected "
        "weights.",
        "next to nothing was learnt, which shows nothing about the model's size",
        _learnt_nothing,
    ),
    Advice(
        "underfit",
        "Vary the learning rate, a factor of ten up and down.",
        "too high or too low, it keeps a model at its start",
        _learnt_nothing,
    ),
    Advice("undertrained", "Train longer.", "{why}", _rate_left),
    Advice(
        "undertrained",
        "Train again with a longer schedule; more {axis}s at the end of this one would add little.",
        "{why}, while the learning rate had come down to {rate} of its highest value",
        _rate_spent,
    ),
    Advice(
        "grokking",
        "Watch validation accuracy, never the training loss, and give early stopping a patience of more "
        "than {patience} {axis}s.",
        "training was fitted at {fitted}, and half of the gain came at {at}",
    ),
    Advice(
        "grokking",
        "Vary the weight decay with several seeds each, and compare the steps at which it generalises.",
        "grokking at {at}: regularisation often moves it, too much prevents it",
    ),
    Advice(
        "double_descent_peak",
        "Let early stopping wait beyond the peak: a patience of more than {descent} {axis}s.",
        "{signal} was lower after the peak at {at} than before it",
        _second_descent_is_lower,
    ),
    Advice(
        "double_descent_peak",
        "Keep the checkpoint of {axis} {best}.",
        "{signal} was lower before the peak at {at} than after it",
        lambda a: not _second_descent_is_lower(a),
    ),
    Advice(
        "double_descent_peak",
        "Try a larger model: the peak belongs to models that just fit their data.",
        "double descent with its peak at {at}",
    ),
    Advice(
        "inconclusive",
        "Log a validation loss, or name its column with --map.",
        "without one, whether it generalises cannot be judged",
        lambda a: _lacks_validation(a) and not _classifies(a),
    ),
    Advice(
        "inconclusive",
        "Log loss and accuracy of a validation set, or name their columns with --map.",
        "without them, whether it generalises cannot be judged",
        lambda a: _lacks_validation(a) and _classifies(a),
    ),
    Advice(
        "healthy",
        "Try a schedule that ends near {axis} {best}.",
        "{signal} was best there; {wasted} {axis}s followed",
        _is_worse_since_best,
    ),
)


def advise(autopsy: Autopsy) -> tuple[Step, ...]:
    """At most ``MOST`` suggestions, the gravest first; none is a finding."""
    found = {autopsy.verdict.name, *(e.kind for e in autopsy.events)}
    steps = [_step(advice, autopsy) for advice in ADVICE if advice.on in found and advice.fits(autopsy)]
    return (*steps, *_batch(autopsy), *_logging(autopsy))[:MOST]


def _step(advice: Advice, autopsy: Autopsy) -> Step:
    facts = _facts(autopsy, advice.on)
    return Step(advice.do.format(**facts), advice.because.format(**facts))


def _facts(autopsy: Autopsy, kind: str) -> dict[str, str]:
    """What a suggestion may name, in words; what this run has not is empty and asked for by no row that fits it."""
    event, stop, changed = _first(autopsy, kind), autopsy.stop, _last_change_before(autopsy)
    steps = [place(e.step) for e in autopsy.events if e.kind == kind]
    acc = autopsy.segments.get("train/acc")
    facts = {
        "axis": autopsy.axis,
        "why": autopsy.verdict.why,
        "rate": _rate(autopsy),
        "last": place(autopsy.last),
        "at": "" if event is None else place(event.step),
        "every": " and ".join(steps) if len(steps) < 4 else f"{steps[0]} and {len(steps) - 1} later places",
        "changed": "" if changed is None else place(changed.step),
        "train_acc": "" if acc is None else number(float(f"{acc.curve[-1]:.3g}")),
        **dict.fromkeys(("best", "signal", "wasted", "worse", "fitted", "patience", "descent"), ""),
    }
    if stop is not None:
        worse = f"{percent(stop.after_best)} worse" if stop.after_best < 10 else "far worse"
        facts |= {
            "best": place(stop.best_step),
            "signal": autopsy.called(stop.signal),
            "wasted": place(stop.wasted_steps),
            "worse": worse,
        }
    if event is not None and kind == "grokking":
        fitted = event["fitted"].step
        facts |= {"fitted": place(fitted), "patience": place(event.step - fitted)}
    if event is not None and kind == "double_descent_peak":
        facts |= {"descent": place(_until_lower(autopsy, event)), "signal": event["peak"].signal}
    return facts


def _rate(autopsy: Autopsy) -> str:
    """The last learning rate as a share of the highest."""
    rate = autopsy.signals.get("lr")
    return "" if rate is None or not len(rate) else percent(float(rate.value[-1]) / float(rate.value.max()))


def _until_lower(autopsy: Autopsy, peak: Event) -> float:
    """How far it is from the low point before a peak to where the curve is lower again."""
    before, after = peak["before"], peak["after"]
    loss = autopsy.segments[before.signal]
    lower = loss.step[(loss.step > peak.step) & (loss.curve < before.observed)]
    return (float(lower[0]) if len(lower) else after.step) - before.step


def _first(autopsy: Autopsy, kind: str) -> Event | None:
    return next((e for e in autopsy.events if e.kind == kind), None)


def _last_change_before(autopsy: Autopsy) -> Event | None:
    """The last change of the learning rate before the run diverged."""
    gone = _first(autopsy, "divergence")
    before = [e for e in autopsy.events if e.kind == "lr_change" and gone is not None and e.step <= gone.step]
    return before[-1] if before else None


def _batch(autopsy: Autopsy) -> Iterator[Step]:
    """The batch size against the critical one, where both were logged."""
    critical, size = autopsy.signals.get("batch/critical"), autopsy.signals.get("batch_size")
    if critical is None or size is None or not len(critical) or not len(size):
        return
    late, batch = float(np.median(critical.value[len(critical) // 2 :])), float(size.value[-1])
    because = (
        f"the critical batch was about {number(float(f'{late:.2g}'))} in the second half, the batch {number(batch)}"
    )
    if batch > 4 * late:  # far above it, examples are spent on averaging away little noise
        yield Step("Try a smaller batch: it would learn about as much from each step.", because)
    elif batch < late / 4:  # far below it, steps could be merged at little cost in examples
        yield Step("Try a larger batch: it would need fewer steps for about as many examples.", because)


def _logging(autopsy: Autopsy) -> Iterator[Step]:
    """The curves that every run should log, where a rule missed one; rarer signals stand under Not checked.

    Accuracies are asked for only where one is logged: of a regression, a language model or a detector there is none.
    """
    if autopsy.verdict.name == "inconclusive" or not _is_training(autopsy):
        return
    usual = [name for name in USUAL if _classifies(autopsy) or not name.endswith("acc")]
    left = [c for c in autopsy.checks if c.outcome is Outcome.NOT_CHECKED]
    missing = [name for name in usual if any(f"no {name}" in (c.why or "") for c in left)]
    if missing:
        codes = ", ".join(c.code for c in left if any(f"no {name}" in (c.why or "") for name in missing))
        yield Step(f"Log {' and '.join(missing)} next time.", f"without it, {codes} could not be checked")
