"""What was done to the run rather than by it: learning-rate jumps, resumes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from runopsy.model import Case, Event, Evidence, Severity
from runopsy.rules.places import row, spacing_at


@dataclass(frozen=True, kw_only=True, slots=True)
class LearningRateChange:
    """The learning rate jumps (a smooth schedule is no jump)."""

    code: ClassVar[str] = "L01"
    needs: ClassVar[tuple[str, ...]] = ("lr",)

    ratio: float = 1.2  # of the rates on either side: smaller jumps move no curve visibly
    steady: float = 0.2  # a jump's neighbours may change by this share of it: warm-up doubles its first values smoothly

    def __call__(self, case: Case) -> Iterator[Event]:
        lr = case.signals["lr"]
        usable = lr.value > 0
        step, rate = lr.step[usable], np.log(lr.value[usable])
        change = np.diff(rate)
        for i in np.flatnonzero(np.abs(change) >= np.log(self.ratio)):
            beside = np.abs(np.concatenate([change[max(0, i - 2) : i], change[i + 1 : i + 3]]))
            if i == 0 or not len(beside) or beside.max() > self.steady * abs(change[i]):
                continue
            before, after, at = float(np.exp(rate[i])), float(np.exp(rate[i + 1])), float(step[i + 1])
            proof = (Evidence("lr", at, after, before, "", f"learning rate x {after / before:.3g}"),)
            yield Event(
                "lr_change",
                self.code,
                at,
                Severity.INFO,
                proof,
                interval=row(lr, at).interval,
                resolution=spacing_at(lr, at),
            )


@dataclass(frozen=True, kw_only=True, slots=True)
class Resumed:
    """The run was resumed from an earlier step."""

    code: ClassVar[str] = "R01"
    needs: ClassVar[tuple[str, ...]] = ()

    def __call__(self, case: Case) -> Iterator[Event]:
        for at in case.resumes:
            proof = (
                Evidence("step", at, at, None, "", "a new session starts here; what it trained again replaces the old"),
            )
            yield Event("resume", self.code, at, Severity.INFO, proof, interval=(at, at))
