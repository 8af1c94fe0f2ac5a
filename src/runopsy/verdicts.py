"""Phases + Events → the one word for the whole run, and the step it would have been best to stop at."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from runopsy.model import Case, Event, Evidence, Segments, Signal, Stop, Verdict

LEARNING = "feature_learning"


@dataclass(frozen=True, kw_only=True, slots=True)
class Criteria:
    """What the whole run is called.

    How the run stands at its end (fitted or not, better before or not, still improving or not) picks the first
    verdict that fits.
    """

    code: ClassVar[str] = "W01"
    needs: ClassVar[tuple[str, ...]] = ("train/loss",)

    fewest: float = 8  # values of the training loss: with fewer, no shape can be told from noise
    fits: float = 0.9  # accuracy, in training or in validation, from which a run counts as fitted
    far: float = 0.5  # of its start: a training loss that ends below it counts as fitted where no accuracy says more
    # of validation's own drop, or of its lowest value, by which it must end above it to have been better before
    worse: float = 0.1
    acc_worse: float = 0.02  # of accuracy, likewise
    learnt: float = 0.1  # of accuracy, or of the loss's start: validation has moved off its start
    left: float = 0.2  # of the errors that were left, likewise: from 95 % to 98 % is learning too
    # of accuracy, or of the training loss's start, by which validation stays behind: no reader calls that fitted
    wide: float = 0.2
    rising: float = 0.02  # of a curve's whole change, over the last tenth of the elapsed steps: it had not stopped


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run stands when it ends."""

    kinds: frozenset[str]  # kinds of events found
    has_val: bool
    val_cut: bool  # validation was read too seldom to be fitted
    has_phases: bool
    enough: bool
    known: bool  # an accuracy, or a loss that fell far, says whether the training set is fitted
    by_accuracy: bool  # and it was an accuracy that said so
    fits: bool  # the training set is fitted
    moved: bool  # the training loss or accuracy ever changed
    learnt: bool  # validation was clearly better than at the start at some time
    was_better: bool  # validation was clearly better before
    wide: bool  # validation ends far behind training
    improving: bool  # validation was still getting better at the end, or learning was the last thing the run did


Rule = tuple[str, str, Callable[[Ending], bool]]

VERDICTS: tuple[Rule, ...] = (
    (
        "inconclusive",
        "too few values of the training loss to tell a shape: log it more often (W01: fewest)",
        lambda e: not e.enough,
    ),
    ("diverged", "the loss left for good", lambda e: "divergence" in e.kinds),
    ("inconclusive", "a metric can hardly be right: see what is suspect below", lambda e: "suspect" in e.kinds),
    ("inconclusive", "no training loss to read", lambda e: not e.has_phases),
    ("grokked", "validation accuracy rose only after training was fitted", lambda e: "grokking" in e.kinds),
    ("double_descent", "validation fell, rose, and fell again", lambda e: "double_descent_peak" in e.kinds),
    ("inconclusive", "validation was read too seldom to judge", lambda e: not e.has_val and e.val_cut),
    ("inconclusive", "no validation was logged: whether it generalises cannot be said", lambda e: not e.has_val),
    (
        "memorized",
        "training is fitted and validation never improved by the last step",
        lambda e: e.fits and not e.learnt and e.wide,
    ),
    (
        "overfit",
        "validation was better before, and training went on fitting",
        lambda e: e.learnt and e.was_better and (e.fits or e.wide),
    ),
    (
        "undertrained",
        "validation is still improving at the end",
        lambda e: e.improving and not (e.fits and e.by_accuracy),
    ),
    ("overfit", "training went far ahead of validation, which stands still", lambda e: e.fits and e.wide),
    ("underfit", "training stopped improving far from fitting", lambda e: e.known and not e.fits),
    ("inconclusive", "it never moved: it never learnt, or began already trained", lambda e: not e.moved and not e.fits),
    (
        "inconclusive",
        "without an accuracy, how far this loss is from fitting cannot be said",
        lambda e: not e.known,
    ),
    ("healthy", "training fits, and what it learnt carries over", lambda e: True),
)


def judge(case: Case, last_phase: str | None, events: Iterable[Event], criteria: Criteria) -> Verdict:
    """The first verdict that fits how the run ended; ``last_phase`` is the label of its last phase, if it has any."""
    word, why = _first_that_fits(case, last_phase, events, criteria)
    return Verdict(word, why, _evidence(case))


def word(case: Case, last_phase: str | None, events: Iterable[Event], criteria: Criteria) -> str:
    """The verdict alone, without its evidence."""
    return _first_that_fits(case, last_phase, events, criteria)[0]


def _first_that_fits(
    case: Case, last_phase: str | None, events: Iterable[Event], criteria: Criteria
) -> tuple[str, str]:
    ending = _ending(case, last_phase, events, criteria)
    return next((word, why) for word, why, fits in VERDICTS if fits(ending))


def _ending(case: Case, last_phase: str | None, events: Iterable[Event], c: Criteria) -> Ending:
    loss, acc = case.segments.get("val/loss"), case.segments.get("val/acc")
    train, train_acc = case.segments.get("train/loss"), case.segments.get("train/acc")
    logged = any(len(case.signals[n]) for n in ("val/loss", "val/acc") if n in case.signals)
    has_acc = train_acc is not None or acc is not None
    fell = train is not None and float(train.curve[0]) > 0 and float(train.curve[-1]) <= c.far * float(train.curve[0])
    return Ending(
        kinds=frozenset(e.kind for e in events),
        has_val=loss is not None or acc is not None,
        val_cut=logged,
        has_phases=last_phase is not None,
        enough="train/loss" not in case.signals or _enough(case.signals["train/loss"], c),
        known=has_acc or fell,
        by_accuracy=has_acc,
        fits=_high(train_acc, c) or _high(acc, c) or (train_acc is None and fell),
        moved=_loss_learnt(train, c) or _acc_learnt(train_acc, c),
        learnt=_loss_learnt(loss, c) if acc is None else _acc_learnt(acc, c) or _fell_far(loss, c),
        was_better=(loss is not None and _loss_was_better(loss, acc, c))
        or (acc is not None and _acc_was_better(acc, c)),
        wide=_wide(train, loss, train_acc, acc, c),
        improving=_improving(loss, -1.0, c) or _improving(acc, 1.0, c) or last_phase == LEARNING,
    )


def _enough(loss: Signal, c: Criteria) -> bool:
    return len(loss) + (0 if loss.broken is None else len(loss.broken)) >= c.fewest


def _high(acc: Segments | None, c: Criteria) -> bool:
    return acc is not None and float(acc.curve[-1]) >= c.fits


def _acc_learnt(acc: Segments | None, c: Criteria) -> bool:
    """By a tenth, or by a fifth of the errors it began with."""
    if acc is None:
        return False
    gain = float(acc.curve.max() - acc.curve[0])
    return gain > c.learnt or (gain > c.left * (1 - float(acc.curve[0])) and gain > 2 * float(acc.spread[0]))


def _loss_learnt(loss: Segments | None, c: Criteria) -> bool:
    """By a tenth of its start, or by half of that where it is clear of the noise."""
    if loss is None:
        return False
    drop, start = float(loss.curve[0] - loss.curve.min()), abs(float(loss.curve[0]))
    return drop > c.learnt * start or drop > max(c.learnt / 2 * start, 4 * float(loss.spread[0]))


def _fell_far(loss: Segments | None, c: Criteria) -> bool:
    """Whether a loss ever was as low as one that counts as fitted."""
    return loss is not None and 0 < float(loss.curve.min()) <= c.far * float(loss.curve[0])


def _loss_was_better(loss: Segments, acc: Segments | None, c: Criteria) -> bool:
    """Ends clearly above its lowest point; where accuracy holds its best, a rising loss is over-confidence."""
    lowest, rise = float(loss.curve.min()), float(loss.curve[-1] - loss.curve.min())
    drop = max(float(loss.curve[0]) - lowest, c.learnt * abs(float(loss.curve[0])))
    if acc is not None:
        held = float(acc.curve.max() - acc.curve[-1]) <= c.acc_worse / 2
        return rise > max((5 * c.worse if held else c.worse) * drop, 2 * float(loss.spread[-1]))
    return rise > max(min(c.worse * drop, max(c.worse * abs(lowest), 0.3 * c.worse * drop)), 3 * float(loss.spread[-1]))


def _acc_was_better(acc: Segments, c: Criteria) -> bool:
    return float(acc.curve.max() - acc.curve[-1]) > max(c.acc_worse, 2 * float(acc.spread[-1]))


def _wide(
    train: Segments | None, loss: Segments | None, train_acc: Segments | None, acc: Segments | None, c: Criteria
) -> bool:
    if train_acc is not None and acc is not None:
        return float(train_acc.curve[-1] - acc.curve[-1]) > c.wide
    if train is not None and loss is not None:
        return float(loss.curve[-1] - train.curve[-1]) > c.wide * abs(float(train.curve[0]))
    return False


def _improving(curve: Segments | None, sign: float, c: Criteria) -> bool:
    """Whether a curve was still moving the right way over the last tenth of the elapsed steps."""
    if curve is None or len(curve.step) < 3:
        return False
    at = curve.step[0] + 0.9 * (curve.step[-1] - curve.step[0])
    moved = sign * float(curve.curve[-1] - np.interp(at, curve.step, curve.curve))
    return moved > max(c.rising * float(np.ptp(curve.curve)), 2 * float(curve.spread[-1]))


def _evidence(case: Case) -> tuple[Evidence, ...]:
    """Where each watched curve ended, against its best."""
    proof = []
    for name in ("train/loss", "train/acc", "val/loss", "val/acc"):
        signal = case.signals.get(name)
        if signal is None or not len(signal):
            continue
        best = float(signal.value.max() if name.endswith("acc") else signal.value.min())
        gone = signal.broken is not None and signal.broken[-1] > signal.step[-1]
        last, at = (
            (float("nan"), float(signal.broken[-1]))
            if gone and signal.broken is not None
            else (float(signal.value[-1]), float(signal.step[-1]))
        )
        proof.append(Evidence(name, at, last, best, "", "at the end, against its best"))
    return tuple(proof)


def stop(case: Case) -> Stop | None:
    """The best validated step, what came after it, and the other witness where it names another step."""
    witness = next((n for n in ("val/loss", "val/acc") if n in case.signals and len(case.signals[n]) >= 2), None)
    if witness is None:
        return None
    signal = case.signals[witness]
    at = _best_row(signal)
    best, last = float(signal.value[at]), float(signal.value[-1])
    worse = best - last if witness.endswith("acc") else last - best
    other = _other(case, witness, float(signal.step[at]))
    return Stop(
        signal=witness,
        best_step=float(signal.step[at]),
        best=best,
        last=last,
        after_best=worse / abs(best) if best else 0.0,
        wasted_steps=float(signal.step[-1] - signal.step[at]),
        unread_steps=case.last - float(signal.step[-1]),
        wasted_seconds=_seconds_between(case, float(signal.step[at]), float(signal.step[-1])),
        other=other,
    )


def _best_row(signal: Signal) -> int:
    """The first row that holds the best value."""
    return int(np.argmax(signal.value) if signal.name.endswith("acc") else np.argmin(signal.value))


def _other(case: Case, witness: str, best_step: float) -> tuple[str, float, float] | None:
    """Loss and accuracy are different witnesses: the accuracy's best step, where it is another."""
    acc = case.signals.get("val/acc")
    if witness == "val/acc" or acc is None or not len(acc):
        return None
    at = _best_row(acc)
    apart = abs(float(acc.step[at]) - best_step) > 0.1 * (case.last - case.first)
    return ("val/acc", float(acc.step[at]), float(acc.value[at])) if apart else None


def _seconds_between(case: Case, start: float, end: float) -> float | None:
    timed = [s for s in case.signals.values() if s.time is not None and len(s) > 1]
    if not timed:
        return None
    longest = max(timed, key=len)
    assert longest.time is not None  # as chosen
    return float(np.interp(end, longest.step, longest.time) - np.interp(start, longest.step, longest.time))
