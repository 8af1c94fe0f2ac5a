"""What the inside of the model did before validation moved, and whether it was the representation that learnt."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from runopsy.errors import NotChecked
from runopsy.facts import Case, LateGain
from runopsy.model import Event, Evidence, Position, Severity
from runopsy.rules.curves import Curve, curve, inside
from runopsy.rules.places import crossing, nearest, spacing_at

# What the model has made of its data. Gradients, curvature and weights are left out: once training is fitted they
# fade with the training loss, and would come first in every run.
WITNESSES = ("pred/", "probe/", "features/effective_rank", "features/participation_ratio", "features/stable_rank",
             "features/entropy", "ntk/alignment", "collapse/", "canary/")  # fmt: skip

NO_LATE_GAIN = "validation accuracy had no late gain that could be explained"


@dataclass(frozen=True, kw_only=True, slots=True)
class FirstMovers:
    """Which signals of features and predictions moved before validation accuracy.

    Asked of a run that grokked: over the stretch from fitting to 95 % of the late gain, each signal is dated by
    where it had made a part of its own change, as validation accuracy is. To come first is no cause.
    """

    code: ClassVar[str] = "G02"
    kinds: ClassVar[tuple[str, ...]] = ("leading_signal",)
    needs: ClassVar[tuple[str, ...]] = ("val/acc",)
    uses: ClassVar[tuple[str, ...]] = ("half_way", "most", "beside", "few_rows", "sure")

    def __call__(self, case: Case) -> Iterator[Event]:
        recorded = [name for name in inside(case.signals) if name.startswith(WITNESSES)]
        if not recorded:
            raise NotChecked("no signal of features or predictions was recorded")
        late = case.facts.late_gain
        if late is None:
            raise NotChecked(NO_LATE_GAIN)
        moved = self._moved(case, "val/acc", late)
        dated = sorted((at, name) for name in recorded if (at := self._moved(case, name, late)) is not None)
        first = [
            (at, name)
            for at, name in dated
            if moved is not None and moved - at > case.limits.beside * (moved - case.first)
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
        if len(value) < case.limits.few_rows:
            return None
        net, covered = float(value[-1] - value[0]), float(np.abs(np.diff(value)).sum())
        noise = case.limits.sure * float(line.spread[here].max())
        if abs(net) <= max(noise, case.limits.most * covered):
            return None
        risen = Curve(line.step[here], (value - value[0]) / net, line.spread[here])
        return risen.passes(case.limits.half_way, late.fitted)

    def _proof(self, case: Case, name: str, at: Position, moved: Position) -> Evidence:
        line = curve(case, name)
        assert line is not None  # as it has a date
        text = f"made {case.limits.half_way:.0%} of its change {moved - at:,.0f} {case.run.axis}s before it"
        return Evidence(name, nearest(case.signals[name], at), line.at(at), line.at(moved), "", text, "signal")


@dataclass(frozen=True, kw_only=True, slots=True)
class Readout:
    """Whether the late gain came with the representation (genuine) or with the readout alone (apparent).

    A closed-form linear probe on held-out features shows what the representation holds, whatever the model's own
    readout makes of it ("Two Speeds of Learning", arXiv 2605.27078). Where it held the answer all along, or lost it
    first, the jump of validation accuracy is that of the readout.
    """

    code: ClassVar[str] = "G03"
    kinds: ClassVar[tuple[str, ...]] = ("genuine_grokking", "apparent_grokking")
    needs: ClassVar[tuple[str, ...]] = ("val/acc", "probe/acc_heldout")
    uses: ClassVar[tuple[str, ...]] = ("half_way", "most", "real_change", "sure")

    def __call__(self, case: Case) -> Iterator[Event]:
        late = case.facts.late_gain
        probe = curve(case, "probe/acc_heldout")
        if late is None:
            raise NotChecked(NO_LATE_GAIN)
        if probe is None:
            raise NotChecked("probe/acc_heldout has too few readings")
        before, after = probe.at(late.fitted), probe.at(late.complete)
        began = float(probe.value[0])
        early = probe.value[probe.step <= late.half]
        fell = len(early) > 0 and began - float(early.min()) > max(
            case.limits.real_change, case.limits.sure * float(probe.spread.max())
        )
        if before >= case.limits.most * after or fell:
            text = "it fell below where it began" if fell else "it held the answer when training was fitted"
            yield self._event(case, "apparent_grokking", late, (before, after), text)
        elif after - before >= case.limits.half_way * (late.best - late.before):
            yield self._event(case, "genuine_grokking", late, (before, after), "it was learnt with the late gain")

    def _event(self, case: Case, kind: str, late: LateGain, values: tuple[float, float], text: str) -> Event:
        before, after = values
        proof = (
            Evidence("probe/acc_heldout", late.complete, after, before, "", f"probe of the features: {text}", "probe"),
        )
        resolution = spacing_at(case.signals["probe/acc_heldout"], late.half)
        span = (late.onset, late.complete)  # over which it is judged
        at = nearest(case.signals["val/acc"], late.half)
        return Event(kind, self.code, at, Severity.INFO, proof, interval=span, resolution=resolution)
