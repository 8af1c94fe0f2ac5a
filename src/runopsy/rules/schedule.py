"""What was done to the run rather than by it: jumps of the learning rate and the batch size, epochs, resumes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from runopsy.errors import NotChecked
from runopsy.facts import Case
from runopsy.facts.schedule import epoch_begins, jumps
from runopsy.model import Counts, Event, Evidence, Position, Severity, Signal
from runopsy.rules.places import row, spacing_at
from runopsy.stats import MAD_TO_SD, OF_MEDIAN, median, medians

LEVEL_ROWS = 10  # rows before and after a resume whose medians are reported
PLACES = 300  # within epochs, that show how far two neighbouring medians differ by noise: to some percent


@dataclass(frozen=True, kw_only=True, slots=True)
class LearningRateChange:
    """The learning rate jumps (a smooth schedule is no jump)."""

    code: ClassVar[str] = "L01"
    kinds: ClassVar[tuple[str, ...]] = ("lr_change",)
    needs: ClassVar[tuple[str, ...]] = ("lr",)
    uses: ClassVar[tuple[str, ...]] = ("jump", "most")

    def __call__(self, case: Case) -> Iterator[Event]:
        for at, before, after in jumps(case.signals["lr"], case.limits):
            yield _jumped(self.code, "lr_change", case.signals["lr"], at, before, after, "learning rate")


@dataclass(frozen=True, kw_only=True, slots=True)
class BatchSizeChange:
    """The batch size jumps."""

    code: ClassVar[str] = "L02"
    kinds: ClassVar[tuple[str, ...]] = ("batch_size_change",)
    needs: ClassVar[tuple[str, ...]] = ("batch_size",)
    uses: ClassVar[tuple[str, ...]] = ("jump", "most")

    def __call__(self, case: Case) -> Iterator[Event]:
        for at, before, after in jumps(case.signals["batch_size"], case.limits):
            yield _jumped(self.code, "batch_size_change", case.signals["batch_size"], at, before, after, "batch size")


def _jumped(code: str, kind: str, signal: Signal, at: Position, before: float, after: float, what: str) -> Event:
    proof = (Evidence(signal.name, at, after, before, "", f"{what} x {after / before:.3g}", "after"),)
    interval, resolution = row(signal, at).interval, spacing_at(signal, at)
    return Event(kind, code, at, Severity.INFO, proof, interval=interval, resolution=resolution)


@dataclass(frozen=True, kw_only=True, slots=True)
class EpochSteps:
    """The training loss steps down where an epoch begins: examples are seen again."""

    code: ClassVar[str] = "L03"
    kinds: ClassVar[tuple[str, ...]] = ("epoch_steps",)
    needs: ClassVar[tuple[str, ...]] = ("train/loss",)
    uses: ClassVar[tuple[str, ...]] = ("few_rows", "last_part", "slight", "sure")

    def __call__(self, case: Case) -> Iterator[Event]:
        loss, limits = case.signals["train/loss"], case.limits
        begins = epoch_begins(loss, case.signals.get("epoch"), case.run.axis)
        if begins is None:
            raise NotChecked("the log has no epoch")
        if len(loss) < 2 or loss.value.min() <= 0 or len(begins) < limits.few_rows:
            return
        if len(begins) >= len(loss) - 1:
            raise NotChecked("the log has one row an epoch")
        half = int(limits.last_part * median(np.diff(begins)))
        if half < limits.few_rows:
            return
        log = np.log(loss.value)
        falls, usual = _contrasts(log, begins, half), _contrasts(log, _apart(begins, half, len(log)), half)
        if len(falls) < limits.few_rows or len(usual) < limits.few_rows:
            return
        spread = MAD_TO_SD * median(np.abs(usual - median(usual)))
        step = median(falls) - max(median(usual), 0.0)  # a loss that rises within epochs adds nothing to their steps
        if step > max(limits.slight, limits.sure * OF_MEDIAN * spread / np.sqrt(len(falls))):
            at, until = float(loss.step[begins[0]]), float(loss.step[begins[-1]])
            text = f"{len(begins)} epochs begin with a step down of {1 - np.exp(-step):.1%} of the loss"
            proof = (Evidence("train/loss", at, step, limits.slight, "log units", text, "step"),)
            yield Event("epoch_steps", self.code, at, Severity.INFO, proof, until=until, interval=(at, at))


def _apart(begins: Counts, half: int, rows: int) -> Counts:
    """The rows so far from every begin of an epoch that no step falls into the rows around them."""
    near = np.zeros(rows, dtype=bool)
    for begin in begins.tolist():
        near[max(begin - half + 1, 0) : begin + half] = True
    apart = np.flatnonzero(~near)
    return apart[:: max(1, len(apart) // PLACES)]


def _contrasts(values: np.ndarray, rows: np.ndarray, half: int) -> np.ndarray:
    """How much lower the median of the ``half`` rows from each row on is than that of those before it."""
    inside = rows[(rows >= half) & (rows + half <= len(values))]
    around = values[inside[:, None] + np.arange(-half, half)]
    return medians(around[:, :half]) - medians(around[:, half:])


@dataclass(frozen=True, kw_only=True, slots=True)
class Resumed:
    """The run was resumed from an earlier step."""

    code: ClassVar[str] = "R01"
    kinds: ClassVar[tuple[str, ...]] = ("resume",)
    needs: ClassVar[tuple[str, ...]] = ()
    uses: ClassVar[tuple[str, ...]] = ()

    def __call__(self, case: Case) -> Iterator[Event]:
        for at in case.resumes:
            text = "a new session starts here; what it trained again replaces the old"
            proof = [Evidence("step", at, at, None, "", text, "session")]
            loss = case.signals.get("train/loss")
            levels = None if loss is None else _levels(loss, at)
            if levels is not None:
                before, after = levels
                text = f"training loss {before:.4g} before, {after:.4g} after: {after / before:.3g} times"
                proof.append(Evidence("train/loss", at, after, before, "", text, "levels"))
            yield Event("resume", self.code, at, Severity.INFO, tuple(proof), interval=(at, at))


def _levels(loss: Signal, at: Position) -> tuple[float, float] | None:
    """Medians of the rows before and after a position; None where the loss is not positive, or has no rows there."""
    before, after = loss.value[loss.step < at][-LEVEL_ROWS:], loss.value[loss.step >= at][:LEVEL_ROWS]
    if not len(before) or not len(after) or min(before.min(), after.min()) <= 0:
        return None
    return median(before), median(after)
