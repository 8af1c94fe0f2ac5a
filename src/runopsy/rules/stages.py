"""Learning in stages: abrupt falls of the loss that no smooth decay explains."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from runopsy.errors import NotChecked
from runopsy.facts import Case
from runopsy.facts.schedule import MEANS, means_of_epochs
from runopsy.model import Event, Evidence, Position, Segments, Severity, Values
from runopsy.rules.curves import curve
from runopsy.rules.places import crossing, spacing_at
from runopsy.segments import pace
from runopsy.stats import first_spacing, median
from runopsy.thresholds import Limits

EXPLAIN = ("divergence", "loss_spike", "lr_change", "resume")  # each by itself makes a loss that is no smooth decay
FOOT = 0.25  # of a peak of the rate, within which above the slower stretches a fall begins and ends


@dataclass(frozen=True, slots=True)
class Peak:
    """A stretch in which the loss falls fastest, between two in which it falls slower (indices of fitted points)."""

    before: int
    top: int
    after: int

    def feet(self, rate: Values) -> tuple[int, int]:
        """Where the fall begins and ends: the rate is within ``FOOT`` of its height above the slower stretches."""
        low = max(rate[self.before], rate[self.after])
        slow = rate <= low + FOOT * (rate[self.top] - low)
        left, right = np.flatnonzero(slow[: self.top]), np.flatnonzero(slow[self.top :])
        return (int(left[-1]) if len(left) else 0), self.top + (
            int(right[0]) if len(right) else len(slow) - 1 - self.top
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """The training loss falls abruptly, between slower stretches."""

    code: ClassVar[str] = "T01"
    kinds: ClassVar[tuple[str, ...]] = ("loss_drop",)
    needs: ClassVar[tuple[str, ...]] = ("train/loss",)
    uses: ClassVar[tuple[str, ...]] = (
        "sure", "outlier", "most", "jump", "abrupt", "beside", "few_rows", "fewest_rows", "visible_accuracy", "tail",
    )  # fmt: skip

    def __call__(self, case: Case) -> Iterator[Event]:
        loss, limits = case.segments.get("train/loss"), case.limits
        if loss is None or loss.smooth or len(loss.step) < limits.fewest_rows or loss.curve.min() <= 0:
            return
        rise, error = pace(loss)
        rate = -rise
        explained = any(e.kind in EXPLAIN for e in case.events)
        sure = limits.outlier if explained else limits.sure
        falls = [peak.feet(rate) for peak in self._peaks(rate, error, sure, limits.most)]
        falls = [(a, b) for a, b in falls if self._visible(loss, a, b, case)]
        if (
            len(falls) < limits.few_rows
        ):  # then the first descent is ordinary learning; with three it is one stage of several
            falls = [(a, b) for a, b in falls if self._learnt_before(loss, a, _fall(limits))]
        if falls and means_of_epochs(case):
            raise NotChecked(f"the training loss is {MEANS}")
        for a, b in falls:
            begin, end = _lowest(loss, a), float(loss.level[b])
            at = _passes(loss, a, b, (begin + end) / 2)
            if not self._reported_already(case, at) and self._followed(case, float(loss.step[a]), float(loss.step[b])):
                text = f"from {begin:.3g} to {end:.3g} between two slower stretches"
                proof = (Evidence("train/loss", at, (begin + end) / 2, None, "", text, "fall"),)
                resolution = spacing_at(case.signals["train/loss"], at)
                at, interval = crossing(case, "train/loss", (begin + end) / 2, at)
                yield Event("loss_drop", self.code, at, Severity.INFO, proof, interval=interval, resolution=resolution)

    def _peaks(self, rate: Values, error: Values, sure: float, slower: float) -> Iterator[Peak]:
        """Peaks of the rate that stand out from the valleys on both sides, in order."""
        most, least = (
            rate + sure / 2 * error,
            rate - sure / 2 * error,
        )  # a wild point is no valley and no peak

        def below(low: int, top: int) -> bool:
            apart = rate[top] - rate[low] >= sure * np.hypot(error[low], error[top])
            return bool(apart and rate[low] <= slower * rate[top])

        before = top = low = 0
        rising = True
        for i in np.flatnonzero(np.isfinite(error)).tolist():
            if rising:
                if least[i] > least[top]:
                    top = i
                elif below(i, top) and below(before, top):
                    low, rising = i, False
                elif most[i] < most[before] and not below(before, top):
                    before = top = i  # still on the way down into the valley
            elif most[i] < most[low]:
                low = i
            elif below(low, i):
                yield Peak(before, top, low)
                before, top, rising = low, i, True
        if not rising:
            yield Peak(before, top, low)

    def _learnt_before(self, loss: Segments, begins: int, fall: float) -> bool:
        """Whether the loss had already come down when this fall began: the first descent of a run is no event."""
        start, lowest = median(loss.level[:3]), float(loss.level.min())
        return bool(start - loss.level[begins] > fall * (start - lowest))

    def _visible(self, loss: Segments, begins: int, ends: int, case: Case) -> bool:
        """A fall that a reader sees, and sees as sudden; from the top of a bump it is a recovery."""
        known = _lowest(loss, begins)
        if known - loss.level[ends] < _fall(case.limits) * known or loss.level[begins] > case.limits.jump * known:
            return False
        log = np.log(loss.step[[begins, ends]] - case.first + first_spacing(loss.step))
        return bool(log[1] - log[0] <= case.limits.abrupt) and self._at_once(loss, begins, ends, case)

    def _at_once(self, loss: Segments, begins: int, ends: int, case: Case) -> bool:
        """Whether the rows make the middle half of the fall within a small part of the run, or in a few of them."""
        rows = case.facts.curves["train/loss"]
        within = (rows.signal.step >= loss.step[begins]) & (rows.signal.step <= loss.step[ends])
        step, value = rows.signal.step[within], rows.calm[within]
        known = _lowest(loss, begins)
        quarter = (known - loss.level[ends]) / 4
        below = np.flatnonzero(value <= known - quarter)
        above = np.flatnonzero(value >= loss.level[ends] + quarter)
        if not len(below) or not len(above):
            return False  # the fitted line falls there, and no row does
        first, last = int(below[0]), int(above[-1])
        short = step[last] - step[min(first, last)] <= case.limits.tail * (case.last - case.first)
        return bool(short or last - first <= case.limits.few_rows)

    def _followed(self, case: Case, begins: Position, ends: Position) -> bool:
        """Whether validation falls with it, where there is any: slow noise of the training loss falls alone."""
        val, acc = curve(case, "val/loss"), curve(case, "val/acc")
        if val is None and acc is not None:
            return not case.segments["val/acc"].smooth and acc.at(ends) - acc.at(begins) >= case.limits.visible_accuracy
        if val is None:
            return True
        fell = val.at(begins) - val.at(ends)
        return not case.segments["val/loss"].smooth and fell >= _fall(case.limits) / 2 * val.at(begins)

    def _reported_already(self, case: Case, at: Position) -> bool:
        """Whether a change by hand explains it, the run has left, or the training set is fitted and nobody looks."""
        near = case.limits.beside * max(at - case.first, 1.0)
        if any(e.kind in ("lr_change", "resume", "loss_spike") and abs(e.step - at) <= near for e in case.events):
            return True
        fitted = case.facts.fitted_at if "train/acc" in case.facts.curves else None
        gone = [e.step for e in case.events if e.kind == "divergence"]
        return (fitted is not None and at >= fitted) or any(at >= step for step in gone)


def _lowest(loss: Segments, point: int) -> float:
    """The lowest level that a loss has had up to a point: what lies above is no new ground."""
    return float(loss.level[: point + 1].min())


def _fall(limits: Limits) -> float:
    """The share of a loss by which it must fall at once: a jump downwards."""
    return 1 - 1 / limits.jump


def _passes(loss: Segments, begins: int, ends: int, middle: float) -> Position:
    """Where the loss is midway between the two slower stretches."""
    falling = np.minimum.accumulate(loss.level[begins : ends + 1])
    return float(np.interp(-middle, -falling, loss.step[begins : ends + 1]))
