"""Values that can hardly be right: suspects of logging, leakage or evaluation, with what was seen and no cause."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from runopsy.facts import Case
from runopsy.model import Event, Evidence, Position, Severity
from runopsy.stats import at_start, median

KIND = "metric_anomaly"


@dataclass(frozen=True, kw_only=True, slots=True)
class PrintedZero:
    """The training loss becomes exactly 0 from one row to the next, as loggers print it after a NaN."""

    code: ClassVar[str] = "Q01"
    needs: ClassVar[tuple[str, ...]] = ("train/loss",)
    kinds: ClassVar[tuple[str, ...]] = ("metric_anomaly",)
    uses: ClassVar[tuple[str, ...]] = ("few_rows", "level_rows", "real_change")

    def __call__(self, case: Case) -> Iterator[Event]:
        loss = case.signals["train/loss"]
        zero = loss.value == 0
        first = int(np.argmax(zero)) if zero.any() else 0
        if first < case.limits.few_rows or len(loss) - first < case.limits.few_rows or not zero[first:].all():
            return
        start, before = (
            at_start(loss.value),
            median(loss.value[max(0, first - case.limits.level_rows) : first]),
        )
        if before < case.limits.real_change * start:
            return
        at = float(loss.step[first])
        proof = [
            Evidence(
                "train/loss", at, 0.0, before, "", "exactly 0 from here to the end, compared with just before", "value"
            )
        ]
        gradient = case.signals.get("grad/norm")
        if gradient is not None and gradient.broken is not None and (gradient.broken <= at).any():
            gone = float(gradient.broken[gradient.broken <= at][-1])
            proof.append(
                Evidence("grad/norm", gone, float("nan"), None, "", "the gradient was not finite by then", "context")
            )
        yield _suspect(self.code, at, *proof)


@dataclass(frozen=True, kw_only=True, slots=True)
class OffScale:
    """Validation loss stays far above the first training loss, while training fits.

    It is asked of classifiers and language models, whose cross-entropy begins at chance on either side. A squared
    error of test points may lie far above that of training from the first step on, and nothing is wrong.
    """

    code: ClassVar[str] = "Q02"
    needs: ClassVar[tuple[str, ...]] = ("train/loss", "val/loss")
    kinds: ClassVar[tuple[str, ...]] = ("metric_anomaly",)
    uses: ClassVar[tuple[str, ...]] = ("few_rows", "far_above", "fell_far", "tail")

    def __call__(self, case: Case) -> Iterator[Event]:
        train, val = case.signals["train/loss"], case.signals["val/loss"]
        if (
            len(val) < case.limits.few_rows
            or len(train) < case.limits.few_rows
            or val.broken is not None
            or case.facts.start.trained
        ):
            return
        start, last = at_start(train.value), median(train.value[-case.limits.few_rows :])
        began = (val.step[0] - case.first) / max(case.last - case.first, 1e-12)
        lowest = int(np.argmin(val.value))
        limit = case.limits.far_above * start
        if not (any(name.endswith("/acc") for name in case.signals) or _of_text(case)):
            return
        if start <= 0 or last > case.limits.fell_far * start or val.value[lowest] < limit or began > case.limits.tail:
            return
        yield _suspect(
            self.code,
            float(val.step[0]),
            Evidence("val/loss", float(val.step[lowest]), float(val.value[lowest]), start, "",
                     "its best, compared with the start of training: other units, mode or data?", "value"),
            Evidence("train/loss", float(train.step[-1]), last, case.limits.fell_far * start, "",
                     "training fits meanwhile", "context"),
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class TooGood:
    """The loss of a language model comes close to 0.

    It is asked of a log that counts tokens or gives a perplexity: any other loss may begin high and end near 0.
    """

    code: ClassVar[str] = "Q03"
    needs: ClassVar[tuple[str, ...]] = ("train/loss",)
    kinds: ClassVar[tuple[str, ...]] = ("metric_anomaly",)
    uses: ClassVar[tuple[str, ...]] = ("text_start", "slight", "few_rows")

    def __call__(self, case: Case) -> Iterator[Event]:
        if not _of_text(case):
            return
        train = case.signals["train/loss"]
        start = at_start(train.value) if len(train) else 0.0
        low = case.limits.slight * start
        val = case.signals.get("val/loss")
        name = "train/loss" if val is None or len(val) < case.limits.few_rows else "val/loss"
        signal = case.signals[name]
        if len(train) < case.limits.few_rows or not (case.limits.text_start < start < 2 * case.limits.text_start):
            return
        below = signal.value < low
        if int(below.sum()) < case.limits.few_rows or (signal.value[below] == 0).all():
            return
        at = float(signal.step[int(np.argmax(below))])
        text = "too low for text: the model may see its targets, or has memorized a short text"
        yield _suspect(self.code, at, Evidence(name, at, float(signal.value[below][0]), low, "nats", text, "value"))


@dataclass(frozen=True, kw_only=True, slots=True)
class SameValues:
    """Validation repeats the training metric, value by value."""

    code: ClassVar[str] = "Q04"
    needs: ClassVar[tuple[str, ...]] = ("train/loss", "val/loss")
    kinds: ClassVar[tuple[str, ...]] = ("metric_anomaly",)
    uses: ClassVar[tuple[str, ...]] = ("level_rows",)

    def __call__(self, case: Case) -> Iterator[Event]:
        train, val = case.signals["train/loss"], case.signals["val/loss"]
        if not len(train):
            return
        beside = np.minimum(np.searchsorted(train.step, val.step), len(train) - 1)
        both = train.step[beside] == val.step  # both rise: no sorting, which for a long log holds it several times over
        steps, one, other = val.step[both], train.value[beside[both]], val.value[both]
        if len(steps) < case.limits.level_rows or (one != other).any() or np.ptp(one) == 0:
            return
        text = f"equal to train/loss at all {len(steps)} steps that both have: they may be one data set"
        yield _suspect(
            self.code,
            float(steps[0]),
            Evidence("val/loss", float(steps[0]), float(other[0]), float(one[0]), "", text, "value"),
        )


def _of_text(case: Case) -> bool:
    """Whether the log shows that it is of a language model: it counts tokens, or gives a perplexity."""
    names = [name.lower() for name in case.run.tracks]
    named = any(word in name for name in names for word in ("token", "perplexity", "ppl"))
    return named or case.run.axis == "tokens"


def _suspect(code: str, at: Position, *proof: Evidence) -> Event:
    return Event(KIND, code, at, Severity.WARNING, proof, interval=(at, at))
