"""Whether the run held together: values that are no numbers, divergence, spikes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from runopsy.model import Case, Event, Evidence, Position, Severity, Signal, Values
from runopsy.rules.curves import curve, spacing_at
from runopsy.stats import MAD_TO_SD, rolling_median, trailing_max, trailing_median

FIRST = 5  # rows whose median is the loss at the start


@dataclass(frozen=True, kw_only=True, slots=True)
class NotFinite:
    """The training loss was NaN or infinite."""

    code: ClassVar[str] = "N01"
    needs: ClassVar[tuple[str, ...]] = ("train/loss",)

    def __call__(self, case: Case) -> Iterator[Event]:
        loss = case.signals["train/loss"]
        if loss.broken is None:
            return
        first, last = float(loss.broken[0]), float(loss.broken[-1])
        recovered = len(loss) > 0 and loss.step[-1] > last
        says = f"{len(loss.broken)} values not finite" + (", finite again afterwards" if recovered else ", to the end")
        proof = (Evidence("train/loss", first, float("nan"), None, "", says),)
        severity = Severity.WARNING if recovered else Severity.FATAL
        yield Event("not_finite", self.code, first, severity, proof, until=last, resolution=spacing_at(loss, first))


@dataclass(frozen=True, kw_only=True, slots=True)
class Divergence:
    """The training loss leaves for good: not finite, or back above where it started."""

    code: ClassVar[str] = "V01"
    needs: ClassVar[tuple[str, ...]] = ("train/loss",)

    had_learnt: float = 0.1  # of its start that the loss had lost before: a run that never learnt cannot lose it
    back_to: float = 0.95  # of its start: a loss that has come back up to it has forgotten what it learnt

    def __call__(self, case: Case) -> Iterator[Event]:
        loss = case.signals["train/loss"]
        if loss.broken is not None and (not len(loss) or loss.broken[-1] > loss.step[-1]):
            after = loss.broken[loss.broken > (loss.step[-1] if len(loss) else -np.inf)]
            yield self._event(case, float(after[0]), float("nan"), None, "not finite from here to the end")
            return
        fitted = curve(case, "train/loss")
        if fitted is None:
            return
        start, value = float(np.median(loss.value[:FIRST])), fitted.value
        lowest = int(np.argmin(value))
        if value[lowest] > (1 - self.had_learnt) * start or value[-1] < self.back_to * start:
            return
        below = np.flatnonzero(value < self.back_to * start)
        at = float(fitted.step[min(int(below[-1]) + 1, len(value) - 1)])
        yield self._event(case, at, fitted.at(at), self.back_to * start, "back above where it started, to the end")

    def _event(self, case: Case, at: Position, seen: float, limit: float | None, says: str) -> Event:
        proof = (Evidence("train/loss", at, seen, limit, "", says),)
        resolution = spacing_at(case.signals["train/loss"], at)
        return Event("divergence", self.code, at, Severity.FATAL, proof, resolution=resolution)


@dataclass(frozen=True, kw_only=True, slots=True)
class LossSpike:
    """The training loss leaps above its neighbourhood and comes back."""

    code: ClassVar[str] = "S01"
    needs: ClassVar[tuple[str, ...]] = ("train/loss",)

    scatter: float = 8.0  # x the scatter of log loss around its median: Gaussian noise of 1e6 steps stays below 5
    ratio: float = (
        1.3  # x the highest of the rows before it: minibatch losses are heavy-tailed, and 8 x a scatter may be usual
    )
    share: float = (
        0.03  # of the run's whole range of loss: late in a fitted run, 1e-6 may leap to 1e-4 and mean nothing
    )
    window: int = 51  # rows before it that say what is usual, odd
    back: float = 0.25  # of its height in log loss, at most, at which the rows after it must lie again
    settled: int = 5  # rows whose median says so; and one high row among them is a hard batch, not a spike
    longest: float = 0.1  # of the run, from leap to return: slower, and it is a new level

    def __call__(self, case: Case) -> Iterator[Event]:
        loss = case.signals["train/loss"]
        if len(loss) <= 2 * self.window or loss.value.min() <= 0:
            return
        log = np.log(loss.value)
        usual, highest = trailing_median(log, self.window), trailing_max(log, self.window)
        off = np.abs(log - np.where(np.isnan(usual), log, usual))
        scatter = np.maximum(MAD_TO_SD * trailing_median(off, self.window), 1e-3)
        reach = self.share * (np.median(loss.value[:FIRST]) - loss.value.min())
        with np.errstate(invalid="ignore"):  # NaN where nothing is usual yet: no leap
            high = (log - usual > self.scatter * scatter) & (log - highest > np.log(self.ratio))
            high &= loss.value - np.exp(usual) > reach
        row, calm = 0, rolling_median(log, self.settled)
        for at in np.flatnonzero(high):
            if at < row:
                continue
            back = self._return(loss, log, calm, int(at), float(usual[at]))
            if back is not None:
                row = back
                yield self._event(loss, int(at), back, float(usual[at]))

    def _return(self, loss: Signal, log: Values, calm: Values, at: int, usual: float) -> int | None:
        """The first row after the leap where the loss is back; None where it does not come back in time."""
        end = int(np.searchsorted(loss.step, loss.step[at] + self.longest * (loss.step[-1] - loss.step[0]), "right"))
        top = np.maximum.accumulate(log[at:end])
        near = calm[at:end] - usual <= self.back * (top - usual)
        half = self.settled // 2
        back = np.flatnonzero(near[half:])
        return at + half + int(back[0]) if len(back) and back[0] > 0 else None

    def _event(self, loss: Signal, at: int, back: int, usual: float) -> Event:
        top = at + int(np.argmax(loss.value[at : back + 1]))
        says = f"{loss.value[top] / np.exp(usual):.1f} x what was usual before"
        proof = (Evidence("train/loss", float(loss.step[top]), float(loss.value[top]), float(np.exp(usual)), "", says),)
        first, last = float(loss.step[at]), float(loss.step[back])
        resolution = spacing_at(loss, first)
        return Event("loss_spike", self.code, first, Severity.WARNING, proof, until=last, resolution=resolution)
