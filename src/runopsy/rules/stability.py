"""Whether the run held together: values that are no numbers, divergence, spikes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

import numpy as np

from runopsy.model import Case, Event, Evidence, Position, Severity, Signal, Values
from runopsy.rules.places import row, spacing_at
from runopsy.stats import MAD_TO_SD, at_start, rolling_median, trailing_max, trailing_median


@dataclass(frozen=True, kw_only=True, slots=True)
class NotFinite:
    """The training loss was NaN or infinite."""

    code: ClassVar[str] = "N01"
    kinds: ClassVar[tuple[str, ...]] = ("not_finite",)
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
        interval = row(loss, first).interval
        resolution = spacing_at(loss, first)
        yield Event(
            "not_finite", self.code, first, severity, proof, until=last, interval=interval, resolution=resolution
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Divergence:
    """The training loss leaves for good: not finite, most of what was learnt is lost, or far above its start."""

    code: ClassVar[str] = "V01"
    kinds: ClassVar[tuple[str, ...]] = ("divergence",)
    needs: ClassVar[tuple[str, ...]] = ("train/loss",)

    had_learnt: float = 0.1  # of its start that the loss had lost before: a run that never learnt cannot lose it
    lost: float = 0.5  # of its drop, that it must have lost again to the end
    # x its start: a loss that ends above it has left for good, whether or not it had learnt before
    above: float = 3.0
    # of the run, at least, that it must stay lost: less may be a spike whose return is not logged
    lasting: float = 0.02
    # rows whose median says so (a lucky batch is no recovery), and the fewest rows that can say "to the end"
    settled: int = 5

    def __call__(self, case: Case) -> Iterator[Event]:
        loss = case.signals["train/loss"]
        gone = self._not_finite_from(loss)
        if len(loss) < self.settled:
            if gone is not None:
                yield self._event(case, gone, float("nan"), None, "not finite from here to the end")
            return
        start, calm = at_start(loss.value), self._calm(loss)
        lowest = float(calm.min())
        limit = start - (1 - self.lost) * (start - lowest)
        low = np.flatnonzero(calm < limit)
        after = int(low[-1]) + 1 if len(low) else 0
        learnt = lowest <= (1 - self.had_learnt) * start if start > 0 else False
        if learnt and self._lasts(loss, after, gone):
            at = float(loss.step[after])
            last = "not finite" if gone is not None else f"{float(loss.value[-1]):.3g}"
            says = f"from here on it has lost half of what it had learnt, or more; {last} at the end"
            yield self._event(case, at, float(loss.value[after]), limit, says)
        elif gone is not None:
            yield self._event(case, gone, float("nan"), None, "not finite from here to the end")
        elif start > 0:
            limit = self.above * start
            low = np.flatnonzero(calm <= limit)
            after = int(low[-1]) + 1 if len(low) else 0
            if after < len(calm) and self._lasts(loss, after, gone):
                says = f"from here on it is far above its start; {float(loss.value[-1]):.3g} at the end"
                yield self._event(case, float(loss.step[after]), float(loss.value[after]), limit, says)

    def _lasts(self, loss: Signal, after: int, gone: Position | None) -> bool:
        """Whether enough of the run follows to say "for good"."""
        if after >= len(loss):
            return False
        rows = len(loss) - after
        length = (loss.step[-1] - loss.step[after]) / max(loss.step[-1] - loss.step[0], 1e-12)
        return gone is not None or (rows >= self.settled and length >= self.lasting)

    def _not_finite_from(self, loss: Signal) -> Position | None:
        """Where the loss becomes NaN or infinite for good; a few rows at the end cannot say so."""
        if loss.broken is None:
            return None
        tail = loss.broken[loss.broken > loss.step[-1]] if len(loss) else loss.broken
        return float(tail[0]) if len(tail) >= min(self.settled, 1 + len(loss) // 10) else None

    def _calm(self, loss: Signal) -> Values:
        return rolling_median(loss.value, self.settled) if len(loss) >= self.settled else loss.value

    def _event(self, case: Case, at: Position, seen: float, limit: float | None, says: str) -> Event:
        proof = (Evidence("train/loss", at, seen, limit, "", says),)
        resolution = spacing_at(case.signals["train/loss"], at)
        interval = row(case.signals["train/loss"], at, self._still_usual(case.signals["train/loss"], at)).interval
        return Event("divergence", self.code, at, Severity.FATAL, proof, interval=interval, resolution=resolution)

    def _still_usual(self, loss: Signal, at: Position) -> Position | None:
        """The last row where the loss was as usual: it began to leave after it."""
        before = np.flatnonzero(loss.step < at)
        if len(before) < self.settled:
            return None
        calm = rolling_median(loss.value[before], self.settled)
        # the lower end of the last fifth: its middle is still met by chance when the loss has begun to leave
        usual = float(np.quantile(calm[-max(self.settled, len(calm) // 5) :], 0.1))
        as_usual = np.flatnonzero(calm <= usual)
        return float(loss.step[as_usual[-1]]) if len(as_usual) else None


class High(NamedTuple):
    """A row whose log loss stands out from those before it."""

    at: int
    usual: float  # median of the rows before
    scatter: float  # of those around it
    highest: float  # of those rows


BLOCK = 1 << 20  # rows looked at together: more, and only memory grows


@dataclass(frozen=True, kw_only=True, slots=True)
class LossSpike:
    """The training loss leaps above its neighbourhood and comes back."""

    code: ClassVar[str] = "S01"
    kinds: ClassVar[tuple[str, ...]] = ("loss_spike",)
    needs: ClassVar[tuple[str, ...]] = ("train/loss",)

    scatter: float = 8.0  # x the scatter of log loss around its median: Gaussian noise of 1e6 steps stays below 5
    # x the highest of the rows before it: minibatch losses are heavy-tailed, and 8 x a scatter may be usual
    ratio: float = 1.3
    # of the run's whole range of loss: late in a fitted run, 1e-6 may leap to 1e-4 and mean nothing
    share: float = 0.03
    window: int = 51  # rows before it that say what is usual, odd
    settled: int = 5  # rows whose median must be high for a leap, and usual again for a return: one row is a hard batch
    alone: float = 4.0  # x the highest before it, from which one row is enough if it leaves a trace
    trace: float = 0.9  # x the scatter by which the median of ``aftermath`` must stay up: 4 standard errors of it
    aftermath: int = 30  # rows after a lone leap
    back: float = 2.0  # x the scatter above what was usual (or by ``ratio``), within which the loss is back
    longest: float = 0.1  # of the run, from leap to return: slower, and it is a new level
    many: int = 8  # leaps: more are told as one event

    def __call__(self, case: Case) -> Iterator[Event]:
        loss = case.signals["train/loss"]
        if len(loss) <= 2 * self.window or loss.value.min() <= 0:
            return
        log = np.log(loss.value)
        found = list(self._leaps(loss, log, self._high(loss, log)))
        if len(found) > self.many:
            yield self._summary(found)
        else:
            yield from found

    def _high(self, loss: Signal, log: Values) -> Iterator[High]:
        """The rows that stand out, in order; block by block, since all the medians of a long log are several of it."""
        reach = self.share * (at_start(loss.value) - loss.value.min())
        for start in range(0, len(log), BLOCK):
            before = min(start, 2 * self.window)  # rows that say what is usual, and how far rows lie from it
            block = log[start - before : start + BLOCK]
            if len(block) <= self.window:
                return
            usual, highest = trailing_median(block, self.window), trailing_max(block, self.window)
            off = np.abs(block - np.where(np.isnan(usual), block, usual))
            scatter = np.maximum(MAD_TO_SD * trailing_median(off, self.window), 1e-3)
            with np.errstate(invalid="ignore"):  # NaN where nothing is usual yet: no leap
                high = (block - usual > self.scatter * scatter) & (block - highest > np.log(self.ratio))
                high &= loss.value[start - before : start + BLOCK] - np.exp(usual) > reach
            for i in np.flatnonzero(high[before:]) + before:
                yield High(int(start - before + i), float(usual[i]), float(scatter[i]), float(highest[i]))

    def _leaps(self, loss: Signal, log: Values, high: Iterator[High]) -> Iterator[Event]:
        """Each leap that lasts, or leaves a trace, and comes back."""
        after, calm = 0, rolling_median(log, self.settled)
        for at, usual, scatter, highest in high:
            if at < after:
                continue
            near = usual + max(self.back * scatter, float(np.log(self.ratio)))
            back = self._return(loss, calm, at, near)
            if back is None:
                continue
            lone = log[at] - highest > np.log(self.alone)
            traced = lone and self._trace(log, at) - usual > self.trace * scatter
            if back > at + self.settled // 2 or traced:
                after = back
                yield self._event(loss, at, back, usual)

    def _summary(self, found: list[Event]) -> Event:
        """Many leaps as one event: the run was unstable, and a list of them says no more."""
        worst = max(found, key=lambda e: e.evidence[0].observed / (e.evidence[0].limit or 1.0)).evidence[0]
        says = f"{len(found)} leaps, the first here; the highest {worst.says}"
        proof = (Evidence(worst.signal, worst.step, worst.observed, worst.limit, "", says),)
        return replace(found[0], until=found[-1].until, evidence=proof)

    def _trace(self, log: Values, at: int) -> float:
        """Where log loss lies after a lone leap: a hard batch leaves the next ones as they were."""
        return float(np.median(log[at + 1 : at + 1 + self.aftermath]))

    def _return(self, loss: Signal, calm: Values, at: int, near: float) -> int | None:
        """The first row from the middle of the next few on where the loss is back; None if not in time."""
        end = int(np.searchsorted(loss.step, loss.step[at] + self.longest * (loss.step[-1] - loss.step[0]), "right"))
        start = at + self.settled // 2
        back = np.flatnonzero(calm[start:end] <= near)
        return start + int(back[0]) if len(back) else None

    def _event(self, loss: Signal, at: int, back: int, usual: float) -> Event:
        top = at + int(np.argmax(loss.value[at : back + 1]))
        says = f"{loss.value[top] / np.exp(usual):.1f} x what was usual before"
        proof = (Evidence("train/loss", float(loss.step[top]), float(loss.value[top]), float(np.exp(usual)), "", says),)
        first, last = float(loss.step[at]), float(loss.step[back])
        resolution = spacing_at(loss, first)
        interval = row(loss, first).interval
        return Event(
            "loss_spike",
            self.code,
            first,
            Severity.WARNING,
            proof,
            until=last,
            interval=interval,
            resolution=resolution,
        )
