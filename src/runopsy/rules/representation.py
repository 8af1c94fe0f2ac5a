"""What the inside of the model did before validation moved, and whether it was the representation that learnt."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from runopsy.errors import NotChecked
from runopsy.facts import Case, LateGain
from runopsy.model import Event, Evidence, Position, Severity
from runopsy.rules.curves import NOISE, Curve, curve, inside
from runopsy.rules.places import crossing, nearest, spacing_at

# What the model has made of its data. Gradients, curvature and weights are left out: once training is fitted they
# fade with the training loss, and would come first in every run.
WITNESSES = ("pred/", "probe/", "features/effective_rank", "features/participation_ratio", "features/stable_rank",
             "features/entropy", "ntk/alignment", "collapse/", "canary/")  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class FirstMovers:
    """Which signals of what the model makes of its data moved before validation accuracy.

    Asked of a run that grokked: over the stretch from fitting to 95 % of the late gain, each signal is dated by
    where it had made a part of its own change, as validation accuracy is. To come first is no cause.
    """

    code: ClassVar[str] = "G02"
    kinds: ClassVar[tuple[str, ...]] = ("leading_signal",)
    needs: ClassVar[tuple[str, ...]] = ("val/acc",)

    # of its change over the stretch, at which it has moved: the early part of a fall of prediction entropy is
    # memorization, as a control without weight decay shows, where it falls too and nothing generalises
    share: float = 0.5
    monotone: float = 0.8  # of the ground it covers, that must be net change: a signal that goes to and fro has no date
    ahead: float = 0.05  # of the elapsed steps, by which it must come before: nearer is the same time

    def __call__(self, case: Case) -> Iterator[Event]:
        recorded = [name for name in inside(case.signals) if name.startswith(WITNESSES)]
        if not recorded:
            raise NotChecked("no signal of what the model makes of its data was recorded")
        late = case.facts.late_gain
        if late is None:
            return
        moved = self._moved(case, "val/acc", late)
        dated = sorted((at, name) for name in recorded if (at := self._moved(case, name, late)) is not None)
        first = [
            (at, name) for at, name in dated if moved is not None and moved - at > self.ahead * (moved - case.first)
        ]
        if not first or moved is None:
            return
        proof = tuple(self._proof(case, name, at, moved) for at, name in first)
        at, name = first[0]
        interval = crossing(case, name, proof[0].observed, at).interval
        resolution = spacing_at(case.signals[name], at)
        at = nearest(case.signals[name], at)
        yield Event("leading_signal", self.code, at, Severity.INFO, proof, interval=interval, resolution=resolution)

    def _moved(self, case: Case, name: str, late: LateGain) -> Position | None:
        """Where a signal had made its part of its change between fitting and the end of the late gain."""
        line = curve(case, name)
        if line is None:
            return None
        here = (line.step >= late.fitted) & (line.step <= late.complete)
        value = line.value[here]
        if len(value) < 3:
            return None
        net, covered = float(value[-1] - value[0]), float(np.abs(np.diff(value)).sum())
        noise = NOISE * float(line.spread[here].max())
        if abs(net) <= max(noise, self.monotone * covered):
            return None
        risen = Curve(line.step[here], (value - value[0]) / net, line.spread[here])
        return risen.passes(self.share, late.fitted)

    def _proof(self, case: Case, name: str, at: Position, moved: Position) -> Evidence:
        line = curve(case, name)
        assert line is not None  # as it has a date
        says = f"made {self.share:.0%} of its change {moved - at:,.0f} {case.run.axis}s before it"
        return Evidence(name, nearest(case.signals[name], at), line.at(at), line.at(moved), "", says, "signal")


@dataclass(frozen=True, kw_only=True, slots=True)
class Readout:
    """Whether the late gain came with the representation (genuine) or with the readout alone (apparent).

    A closed-form linear probe on held-out features says what the representation holds, whatever the model's own
    readout makes of it ("Two Speeds of Learning", arXiv 2605.27078). Where it held the answer all along, or lost it
    first, the jump of validation accuracy tells of the readout.
    """

    code: ClassVar[str] = "G03"
    kinds: ClassVar[tuple[str, ...]] = ("genuine_grokking", "apparent_grokking")
    needs: ClassVar[tuple[str, ...]] = ("val/acc", "probe/acc_heldout")

    follows: float = 0.5  # of validation's late gain, that the probe must gain with it: the representation learnt too
    already: float = 0.8  # of its later value, that the probe had when training was fitted: it was there all along
    lost: float = 0.1  # of accuracy, below its first value, to which the probe fell before: degraded, then restored

    def __call__(self, case: Case) -> Iterator[Event]:
        late = case.facts.late_gain
        probe = curve(case, "probe/acc_heldout")
        if late is None or probe is None:
            return
        before, after = probe.at(late.fitted), probe.at(late.complete)
        began = float(probe.value[0])
        early = probe.value[probe.step <= late.half]
        fell = len(early) > 0 and began - float(early.min()) > max(self.lost, NOISE * float(probe.spread.max()))
        if before >= self.already * after or fell:
            says = "it fell below where it began" if fell else "it held the answer when training was fitted"
            yield self._event(case, "apparent_grokking", late, (before, after), says)
        elif after - before >= self.follows * (late.best - late.before):
            yield self._event(case, "genuine_grokking", late, (before, after), "it was learnt with the late gain")

    def _event(self, case: Case, kind: str, late: LateGain, values: tuple[float, float], says: str) -> Event:
        before, after = values
        proof = (
            Evidence("probe/acc_heldout", late.complete, after, before, "", f"probe of the features: {says}", "probe"),
        )
        resolution = spacing_at(case.signals["probe/acc_heldout"], late.half)
        span = (late.onset, late.complete)  # over which it is judged
        at = nearest(case.signals["val/acc"], late.half)
        return Event(kind, self.code, at, Severity.INFO, proof, interval=span, resolution=resolution)
