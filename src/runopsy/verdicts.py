"""Phases + Events → the one word for the whole run, and the step it would have been best to stop at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from runopsy.model import Case, Event, Evidence, Phase, Segments, Signal, Stop, Verdict

FEWEST = 8  # values of the training loss: with fewer, no shape can be told from noise
FITS = 0.9  # training accuracy from which the training set counts as fitted, when it is logged
FAR = 0.5  # of its start: a training loss that ends above it, without accuracy to say more, is far from fitting
WORSE = 0.1  # of validation's own drop by which it must end above its best to have been better before
ACC_WORSE = 0.02  # of accuracy, likewise
LEARNT = 0.1  # of accuracy above its start, or of the loss's start: validation has moved off chance


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run stands when it ends."""

    kinds: frozenset[str]  # kinds of events found
    last_phase: str
    has_val: bool
    has_phases: bool
    fits: bool  # the training set is fitted
    learnt: bool  # validation was clearly better than at the start at some time
    was_better: bool  # validation was clearly better before
    enough: bool


Rule = tuple[str, str, Callable[[Ending], bool]]

VERDICTS: tuple[Rule, ...] = (
    ("inconclusive", "too few values of the training loss to tell a shape", lambda e: not e.enough),
    ("diverged", "the loss left for good", lambda e: "divergence" in e.kinds),
    ("inconclusive", "no training loss to read", lambda e: not e.has_phases),
    ("grokked", "validation accuracy rose long after training was fitted", lambda e: "grokking" in e.kinds),
    ("double_descent", "validation fell, rose, and fell again", lambda e: "double_descent_peak" in e.kinds),
    ("inconclusive", "no validation was logged: whether it generalises cannot be said", lambda e: not e.has_val),
    (
        "memorized",
        "training is fitted and validation never improved by the last step",
        lambda e: e.fits and not e.learnt,
    ),
    ("overfit", "validation was better before, and training went on fitting", lambda e: e.learnt and e.was_better),
    (
        "undertrained",
        "validation is still improving at the end",
        lambda e: not e.fits and e.last_phase == "feature_learning",
    ),
    ("underfit", "training stopped improving far from fitting", lambda e: not e.fits),
    ("healthy", "training fits, and what it learnt carries over", lambda e: True),
)


def judge(case: Case, phases: tuple[Phase, ...], events: tuple[Event, ...]) -> Verdict:
    """The first verdict that fits how the run ended."""
    ending = _ending(case, phases, events)
    word, why = next((word, why) for word, why, fits in VERDICTS if fits(ending))
    return Verdict(word, why, _evidence(case))


def _ending(case: Case, phases: tuple[Phase, ...], events: tuple[Event, ...]) -> Ending:
    loss, acc = case.segments.get("val/loss"), case.segments.get("val/acc")
    return Ending(
        kinds=frozenset(e.kind for e in events),
        last_phase=phases[-1].label if phases else "",
        has_val=loss is not None or acc is not None,
        has_phases=bool(phases),
        fits=_fits(case),
        learnt=_loss_learnt(loss) if acc is None else _acc_learnt(acc),
        was_better=(loss is not None and _loss_was_better(loss, acc)) or (acc is not None and _acc_was_better(acc)),
        enough="train/loss" not in case.signals or _enough(case.signals["train/loss"]),
    )


def _enough(loss: Signal) -> bool:
    return len(loss) + (0 if loss.broken is None else len(loss.broken)) >= FEWEST


def _fits(case: Case) -> bool:
    acc, loss = case.segments.get("train/acc"), case.segments.get("train/loss")
    if acc is not None:
        return float(acc.curve[-1]) >= FITS
    return loss is not None and float(loss.curve[-1]) <= FAR * float(loss.curve[0])


def _acc_learnt(acc: Segments) -> bool:
    return float(acc.curve.max() - acc.curve[0]) > LEARNT


def _loss_learnt(loss: Segments | None) -> bool:
    return loss is not None and float(loss.curve[0] - loss.curve.min()) > LEARNT * abs(float(loss.curve[0]))


def _loss_was_better(loss: Segments, acc: Segments | None) -> bool:
    """Ends clearly above its lowest point; where accuracy holds its best, a rising loss is over-confidence."""
    lowest = float(loss.curve.min())
    drop = max(float(loss.curve[0]) - lowest, LEARNT * abs(float(loss.curve[0])))
    rose = float(loss.curve[-1]) - lowest > max(WORSE * drop, 2 * float(loss.spread[-1]))
    return rose and (acc is None or float(acc.curve.max() - acc.curve[-1]) > ACC_WORSE / 2 or _rose_far(loss, drop))


def _rose_far(loss: Segments, drop: float) -> bool:
    return float(loss.curve[-1] - loss.curve.min()) > 0.5 * drop


def _acc_was_better(acc: Segments) -> bool:
    return float(acc.curve.max() - acc.curve[-1]) > max(ACC_WORSE, 2 * float(acc.spread[-1]))


def _evidence(case: Case) -> tuple[Evidence, ...]:
    """Where each watched curve ended, against its best."""
    proof = []
    for name in ("train/loss", "train/acc", "val/loss", "val/acc"):
        if name in case.signals and len(case.signals[name]):
            signal = case.signals[name]
            best = signal.value.max() if name.endswith("acc") else signal.value.min()
            last = float(signal.value[-1])
            proof.append(Evidence(name, float(signal.step[-1]), last, float(best), "", "at the end, against its best"))
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
        wasted_steps=case.last - float(signal.step[at]),
        wasted_seconds=_seconds_after(case, float(signal.step[at])),
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


def _seconds_after(case: Case, step: float) -> float | None:
    timed = [s for s in case.signals.values() if s.time is not None and len(s) > 1]
    if not timed:
        return None
    longest = max(timed, key=len)
    assert longest.time is not None  # as chosen
    return float(longest.time[-1] - np.interp(step, longest.step, longest.time))
