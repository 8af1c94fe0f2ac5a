"""Whether the run held together: values that are no numbers, divergence, spikes, jumps, swings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from runopsy.facts import Case, Fact
from runopsy.model import Event, Evidence, Position, Severity, Signal
from runopsy.rules.places import row, spacing_at
from runopsy.stats import median, rolling_median

GRADIENT = "grad/norm"


@dataclass(frozen=True, kw_only=True, slots=True)
class NotFinite:
    """A loss, a validation metric or the gradient norm was NaN or infinite."""

    code: ClassVar[str] = "N01"
    kinds: ClassVar[tuple[str, ...]] = ("not_finite",)
    needs: ClassVar[tuple[str, ...]] = ()
    uses: ClassVar[tuple[str, ...]] = ()

    def __call__(self, case: Case) -> Iterator[Event]:
        broken = [s for n, s in case.signals.items() if _judged(n) and _breaks(s)]
        curves = [s for s in broken if s.name != GRADIENT or _to_the_end(s)] or broken
        if curves:
            yield self._event(curves, broken)
            return
        for mark in case.run.marks:
            if mark.kind == "not_finite":
                text = str(mark.detail.get("text", "reported by the log"))
                proof = (Evidence("train/loss", mark.step, float("nan"), None, "", text, "values"),)
                yield Event("not_finite", self.code, mark.step, Severity.FATAL, proof, interval=(mark.step, mark.step))
                return

    def _event(self, curves: list[Signal], broken: list[Signal]) -> Event:
        """One event at the first value that is no number, whatever curves have it."""
        first = min(curves, key=_broke_at)
        assert first.broken is not None  # as asked
        recovered = not any(_to_the_end(s) for s in curves)
        proof = tuple(
            Evidence(s.name, _broke_at(s), float("nan"), None, "", _broken_text(s), "values")
            for s in sorted(broken, key=_broke_at)
        )
        severity = Severity.WARNING if recovered or first.name == GRADIENT else Severity.FATAL
        at = _broke_at(first)
        return Event(
            "not_finite", self.code, at, severity, proof, until=float(first.broken[-1]),
            interval=row(first, at).interval, resolution=spacing_at(first, at),
        )  # fmt: skip


def _breaks(signal: Signal) -> bool:
    """Whether a signal has values that are no numbers; one before its first value is a quantity not yet defined."""
    broken = signal.broken
    if broken is None or not len(broken):
        return False
    if not len(signal) and signal.name.endswith(("/acc", "/metric")):
        return False  # a score that is nowhere defined is no sign of the training
    return not (len(broken) == 1 and len(signal) > 0 and broken[0] < signal.step[0])


def _to_the_end(signal: Signal) -> bool:
    return signal.broken is not None and (not len(signal) or bool(signal.broken[-1] > signal.step[-1]))


def _broke_at(signal: Signal) -> Position:
    assert signal.broken is not None  # as asked
    return float(signal.broken[0])


def _broken_text(signal: Signal) -> str:
    assert signal.broken is not None  # as asked
    text = not_finite_text(signal.name, len(signal.broken))
    return text + (", to the end" if _to_the_end(signal) else ", finite again afterwards")


def not_finite_text(name: str, count: int) -> str:
    """What is shown of values that are not finite."""
    return f"{count} {'value' if count == 1 else 'values'} of {name} not finite"


def _judged(name: str) -> bool:
    return name.endswith(("/loss", "/acc", "/metric")) or name in (GRADIENT, "reward", "kl")


@dataclass(frozen=True, kw_only=True, slots=True)
class Divergence:
    """Training diverges for good: the loss is not finite, far above its start, or most of what was learnt is lost."""

    code: ClassVar[str] = "V01"
    kinds: ClassVar[tuple[str, ...]] = ("divergence",)
    needs: ClassVar[tuple[str, ...]] = ()
    uses: ClassVar[tuple[str, ...]] = (
        "lost", "part", "far_above", "sure", "sure_of_many", "gap", "level_rows", "window_rows", "last_part", "tail",
    )  # fmt: skip

    def __call__(self, case: Case) -> Iterator[Event]:
        facts = case.facts
        if facts.lost and not (facts.ends_swinging or facts.late_gain_kept):
            yield self._left(case, facts.lost)
        elif facts.broken:
            at = facts.broken.at
            assert at is not None  # as it holds
            text = "not finite from here to the end"
            yield self._event(case, facts.broken.curve, at, float("nan"), None, text)

    def _left(self, case: Case, lost: Fact) -> Event:
        curve = case.facts.curves[lost.curve]
        assert lost.at is not None  # as it holds
        last = "not finite" if case.facts.broken else f"{curve.ends:.3g}"
        text = f"from here on most of what was learnt is lost; {last} at the end"
        if curve.sign < 0 and curve.ends >= case.limits.far_above * curve.begins:
            text = f"from here on it is far above its start; {last} at the end"
        return self._event(case, curve.name, lost.at, curve.at(lost.at), lost.limit, text)

    def _event(self, case: Case, name: str, at: Position, seen: float, limit: float | None, text: str) -> Event:
        signal = case.signals[name]
        proof = (Evidence(name, at, seen, limit, "", text, "left"),)
        interval = row(signal, at, self._still_usual(case, signal, at)).interval
        resolution = spacing_at(signal, at)
        return Event("divergence", self.code, at, Severity.FATAL, proof, interval=interval, resolution=resolution)

    def _still_usual(self, case: Case, signal: Signal, at: Position) -> Position | None:
        """The last row where a loss was as usual: it began to leave after it."""
        before, settled = np.flatnonzero(signal.step < at), case.limits.level_rows | 1
        if len(before) < settled or not signal.name.endswith("loss"):
            return None
        calm = rolling_median(signal.value[before], settled)
        # the lower end of the last fifth: its middle is still met by chance when the loss has begun to leave
        usual = float(np.quantile(calm[-max(settled, int(case.limits.last_part * len(calm))) :], case.limits.tail))
        as_usual = np.flatnonzero(calm <= usual)
        return float(signal.step[as_usual[-1]]) if len(as_usual) else None


@dataclass(frozen=True, kw_only=True, slots=True)
class LossSpike:
    """The training loss leaps above the values around it and comes back."""

    code: ClassVar[str] = "S01"
    kinds: ClassVar[tuple[str, ...]] = ("loss_spike",)
    needs: ClassVar[tuple[str, ...]] = ("train/loss",)
    uses: ClassVar[tuple[str, ...]] = (
        "outlier", "spike_ratio", "far_above", "improving", "tail", "part", "likely", "sure_of_many",
        "window_rows", "level_rows", "few_rows", "many_spikes",
    )  # fmt: skip

    def __call__(self, case: Case) -> Iterator[Event]:
        gone = next((e.step for e in case.events if e.kind == "divergence"), np.inf)
        spikes = [s for s in case.facts.spikes if s.end < gone]
        loss = case.signals["train/loss"]
        if len(spikes) > case.limits.many_spikes:
            worst = max(spikes, key=lambda s: s.highest / s.usual)
            ratio = worst.highest / worst.usual
            text = f"{len(spikes)} leaps, the first here; the highest {ratio:.3g} x what was usual before"
            yield self._event(loss, spikes[0].start, spikes[-1].end, (worst.top, worst.highest, worst.usual), text)
            return
        for s in spikes:
            text = f"{s.highest / s.usual:.3g} x what was usual before"
            yield self._event(loss, s.start, s.end, (s.top, s.highest, s.usual), text)

    def _event(
        self, loss: Signal, start: Position, end: Position, seen: tuple[Position, float, float], text: str
    ) -> Event:
        top, highest, usual = seen
        proof = (Evidence("train/loss", top, highest, usual, "", text, "top"),)
        return Event(
            "loss_spike", self.code, start, Severity.WARNING, proof, until=end,
            interval=row(loss, start).interval, resolution=spacing_at(loss, start),
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class LossJump:
    """The training loss rises to a new level at once and stays there: neither a spike nor a divergence."""

    code: ClassVar[str] = "J01"
    kinds: ClassVar[tuple[str, ...]] = ("loss_jump",)
    needs: ClassVar[tuple[str, ...]] = ("train/loss",)
    uses: ClassVar[tuple[str, ...]] = (
        "jump", "sure_of_many", "few_rows", "level_rows", "window_rows", "most", "tail",
    )  # fmt: skip

    def __call__(self, case: Case) -> Iterator[Event]:
        jump = case.facts.jump
        if not jump or jump.at is None or any(e.kind == "divergence" for e in case.events):
            return
        if any(abs(e.step - jump.at) <= spacing_at(case.signals["train/loss"], jump.at) for e in case.events
               if e.kind == "resume"):  # fmt: skip
            return  # reported there, with both levels
        if not _validation_rises_too(case, jump.at):
            return  # then it is the data that changed, which another rule reports
        proof = (Evidence("train/loss", jump.at, jump.size * jump.limit, jump.limit, "", jump.text, "levels"),)
        loss = case.signals["train/loss"]
        yield Event(
            "loss_jump", self.code, jump.at, Severity.WARNING, proof,
            interval=row(loss, jump.at).interval, resolution=spacing_at(loss, jump.at),
        )  # fmt: skip


def _validation_rises_too(case: Case, at: Position) -> bool:
    """Whether the validation loss is higher after a position than before it; so too where none was logged there."""
    val = case.signals.get("val/loss")
    if val is None:
        return True
    settled = case.limits.level_rows
    before, after = val.value[val.step < at][-settled:], val.value[val.step >= at][:settled]
    if len(before) < 2 or len(after) < 2:
        return True
    return bool(median(after) > median(before) * (1 + (case.limits.jump - 1) / 2))


@dataclass(frozen=True, kw_only=True, slots=True)
class Instability:
    """A curve that had improved swings again and again, far to both sides of its middle."""

    code: ClassVar[str] = "I01"
    kinds: ClassVar[tuple[str, ...]] = ("instability",)
    needs: ClassVar[tuple[str, ...]] = ()
    uses: ClassVar[tuple[str, ...]] = ("swing", "swings", "sure", "last_part")

    def __call__(self, case: Case) -> Iterator[Event]:
        swings = case.facts.swings
        if not swings or swings.at is None:
            return
        curve = case.facts.curves[swings.curve]
        to_the_end = ", to the end" if case.facts.ends_swinging else ""
        text = f"{curve.name} passed its middle {swings.size:.0f} times{to_the_end}"
        proof = (Evidence(curve.name, swings.at, swings.size, swings.limit, "passages", text, "swings"),)
        signal = case.signals[curve.name]
        yield Event(
            "instability", self.code, swings.at, Severity.WARNING, proof,
            interval=row(signal, swings.at).interval, resolution=spacing_at(signal, swings.at),
        )  # fmt: skip
