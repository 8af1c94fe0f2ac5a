"""Whether what is learnt carries over: grokking, double descent, the onset of memorization."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from runopsy.errors import NotChecked
from runopsy.facts import Case, Curve, LateGain, Peak
from runopsy.facts.late import COMPLETE, HALF, ONSET
from runopsy.model import Event, Evidence, Position, Severity, Signal
from runopsy.rules.places import Place, crossing, nearest, row, spacing_at, vertex


@dataclass(frozen=True, kw_only=True, slots=True)
class Grokking:
    """Validation accuracy rises long after the training set was fitted."""

    code: ClassVar[str] = "G01"
    kinds: ClassVar[tuple[str, ...]] = ("grokking",)
    needs: ClassVar[tuple[str, ...]] = ("train/acc", "val/acc")
    uses: ClassVar[tuple[str, ...]] = (
        "late_gain", "late_from", "late_delay", "fitted_accuracy", "fits_at_end", "half_way", "few_rows",
        "window_rows",
    )  # fmt: skip

    def __call__(self, case: Case) -> Iterator[Event]:
        late = case.facts.late_gain
        if late is None:
            return
        place = crossing(case, "val/acc", (late.before + late.best) / 2, late.half)
        place = (
            place
            if place.interval is not None
            else row(case.signals["val/acc"], _row_from(case.signals["val/acc"], late.half))
        )
        proof = tuple(self._evidence(case, late))
        resolution = spacing_at(case.signals["val/acc"], place.step)
        yield Event(
            "grokking", self.code, place.step, Severity.INFO, proof, interval=place.interval, resolution=resolution
        )

    def _evidence(self, case: Case, late: LateGain) -> Iterator[Evidence]:
        train, val = case.facts.curves["train/acc"], case.facts.curves["val/acc"]
        acc = case.signals["val/acc"]

        def gained(share: float, text: str, name: str) -> Evidence:
            level = late.before + share * (late.best - late.before)
            step = _row_from(acc, val.reaches(level, late.fitted))
            return Evidence("val/acc", step, val.at(step), level, "", text, name)

        yield Evidence("train/acc", late.fitted, train.at(late.fitted), case.limits.fitted_accuracy, "",
                       "training set fitted", "fitted")  # fmt: skip
        yield Evidence("val/acc", late.fitted, late.before, case.limits.late_from * late.best, "",
                       "validation accuracy there", "before")  # fmt: skip
        yield gained(ONSET, "a tenth of the late gain: its onset", "onset")
        yield gained(HALF, "half of the late gain", "half")
        yield gained(COMPLETE, "95 % of the late gain", "complete")
        partial = late.best < case.limits.fits_at_end
        text = "partial: the best it reached" if partial else "the best it reached"
        yield Evidence("val/acc", val.best_at, late.best, case.limits.fits_at_end, "", text, "best")
        for change in case.events:
            if change.kind == "lr_change" and late.fitted <= change.step <= late.half:
                after = change["after"]
                text = "the learning rate was changed before the rise"
                yield Evidence("lr", change.step, after.observed, after.limit, "", text, "rate")
        yield from self._aftermath(case, late)

    def _aftermath(self, case: Case, late: LateGain) -> Iterator[Evidence]:
        """What became of the gain: undone, collapsed together with training, or lost for a while."""
        limit = (late.before + late.best) / 2
        if not late.kept:
            train = case.facts.curves["train/acc"]
            collapsed = train.ends < (late.before + case.limits.fitted_accuracy) / 2
            text = "collapsed: training accuracy fell with it" if collapsed else "undone: where it ended"
            yield Evidence("val/acc", case.last, late.ends, late.best, "", text, "aftermath")
            return
        acc = case.signals["val/acc"]
        after = acc.step > late.complete
        low = np.flatnonzero(np.diff(np.concatenate([[False], acc.value[after] < limit]).astype(int)) == 1)
        if len(low):
            worst = int(np.argmin(acc.value[after]))
            dips = f"{len(low)} {'dip' if len(low) == 1 else 'dips'}"
            text = f"{dips} since that lost half of it and came back; the deepest"
            at, seen = float(acc.step[after][worst]), float(acc.value[after][worst])
            yield Evidence("val/acc", at, seen, limit, "", text, "aftermath")


@dataclass(frozen=True, kw_only=True, slots=True)
class DoubleDescent:
    """Validation loss falls, rises to a peak, and falls again; without such a peak, the validation error is checked.

    Loss and error are different witnesses: a loss may rise from over-confidence alone while the error goes on falling.
    """

    code: ClassVar[str] = "D01"
    kinds: ClassVar[tuple[str, ...]] = ("double_descent_peak",)
    needs: ClassVar[tuple[str, ...]] = ()
    uses: ClassVar[tuple[str, ...]] = (
        "peak", "slight", "abrupt", "few_rows", "sure_of_many", "visible_loss", "visible_accuracy", "real_change",
        "left_chance", "beside", "half_way",
    )  # fmt: skip

    def __call__(self, case: Case) -> Iterator[Event]:
        if "val/loss" not in case.signals and "val/acc" not in case.signals:
            raise NotChecked("the log has no validation loss and no validation accuracy")
        peak = case.facts.peak
        if peak is None:
            return
        curve = case.facts.curves[peak.curve]
        place = self._place(case, curve, peak)
        if not by_hand(case, place.step):
            resolution = spacing_at(case.signals[peak.curve], place.step)
            yield Event(
                "double_descent_peak", self.code, place.step, Severity.INFO, self._evidence(peak),
                interval=place.interval, resolution=resolution,
            )  # fmt: skip

    def _place(self, case: Case, curve: Curve, peak: Peak) -> Place:
        height = min(abs(peak.top - peak.low_before), abs(peak.top - peak.low_after))
        found = extreme(case, curve.name, peak.at, 0.5 * height, valley=curve.sign > 0)
        within = found is not None and peak.before < found.step < peak.after
        return found if found is not None and within else row(case.signals[curve.name], peak.at)

    def _evidence(self, peak: Peak) -> tuple[Evidence, ...]:
        words = (
            ("lowest before the peak", "the highest between them", "lowest after it")
            if peak.curve == "val/loss"
            else ("best before the error's peak", "the worst between them", "best after it")
        )
        points = ((peak.before, peak.low_before), (peak.at, peak.top), (peak.after, peak.low_after))
        return tuple(
            Evidence(peak.curve, step, value, None, "", text, name)
            for (step, value), text, name in zip(points, words, ("before", "peak", "after"), strict=True)
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class MemorizationOnset:
    """Validation gets worse for good, or never follows, while training goes on improving."""

    code: ClassVar[str] = "M01"
    kinds: ClassVar[tuple[str, ...]] = ("memorization_onset",)
    needs: ClassVar[tuple[str, ...]] = ()
    uses: ClassVar[tuple[str, ...]] = (
        "slight", "visible_loss", "visible_ratio", "visible_accuracy", "sure", "likely", "gap", "real_change",
        "left_chance", "fitted_accuracy", "fits_at_end", "fell_far", "most", "part", "improving", "last_part",
        "half_way",
    )  # fmt: skip

    def __call__(self, case: Case) -> Iterator[Event]:
        facts = case.facts
        if not facts.has_validation:
            raise NotChecked("the log has no validation loss and no validation accuracy")
        if "train/loss" not in facts.curves and "train/acc" not in facts.curves:
            raise NotChecked("the log has no training loss and no training accuracy")
        if not facts.moved:
            return
        if facts.never_follows:
            yield self._never_follows(case)
        elif facts.turn and not (
            facts.lost or facts.broken or facts.swings
        ):  # of a run that left, "for good" cannot be claimed
            yield from self._turns(case)

    def _never_follows(self, case: Case) -> Event:
        """Training is fitted while validation is still where it began."""
        facts = case.facts
        train = facts.curves.get("train/loss") or facts.curves["train/acc"]
        share, about = case.limits.part, case.limits.real_change  # "about" a third of the way, as the definitions state
        levels = [train.begins + made * (train.best - train.begins) for made in
                  (share - about, share, share + about)]  # fmt: skip
        low, at, high = (train.reaches(level, facts.first) for level in levels)
        before = train.step[train.step < low]
        low = float(before[-1]) if len(before) else facts.first  # it was passed after the point before
        high = _row_from(case.signals[train.name], high)  # and it was seen at the row after
        text = f"{share:.0%} of its change made"
        name = facts.left_chance.curve or "val/loss"
        val = facts.curves[name]
        end = facts.fitted_at if facts.fitted_at is not None else facts.last
        at = min(max(_row_from(case.signals[train.name], at), low), max(high, low))
        proof = (
            Evidence(train.name, at, train.at(at), train.begins, "", text, "training"),
            Evidence(name, end, val.at(end), val.begins, "",
                     "validation when training is fitted, compared with its start", "validation"),
        )  # fmt: skip
        logged = nearest(case.signals[train.name], at)
        return self._event(case, train.name, Place(logged if low <= logged <= high else at, (low, high)), proof)

    def _turns(self, case: Case) -> Iterator[Event]:
        """Validation had followed, and then got worse for good."""
        turn = case.facts.turn
        assert turn.at is not None  # as it holds
        curve = case.facts.curves[turn.curve]
        found = None if curve.flat else extreme(case, curve.name, turn.at, 0.5 * turn.limit, valley=curve.sign < 0)
        place = found if found is not None else row(case.signals[curve.name], turn.at)
        proof = [
            Evidence(curve.name, place.step, curve.at(place.step), curve.best, "",
                     "validation there, against its best", "turn"),
            Evidence(curve.name, float(curve.step[-1]), curve.ends, curve.best + curve.sign * -turn.limit, "",
                     "validation at the end, and the value from which it counts as worse", "end"),
        ]  # fmt: skip
        train = case.facts.curves.get("train/loss") or case.facts.curves["train/acc"]
        proof.append(
            Evidence(train.name, float(train.step[-1]), train.ends, train.at(place.step), "",
                     "training at the end, compared with where validation turned", "training")
        )  # fmt: skip
        acc = case.facts.curves.get("val/acc")
        if case.facts.accuracy_rose_since and acc is not None and curve is not acc:
            proof.append(
                Evidence("val/acc", float(acc.step[-1]), acc.ends, acc.at(place.step), "",
                         "validation accuracy at the end, against where its loss turned", "accuracy")
            )  # fmt: skip
        yield self._event(case, curve.name, place, tuple(proof))

    def _event(self, case: Case, name: str, at: Place, proof: tuple[Evidence, ...]) -> Event:
        resolution = spacing_at(case.signals[name], at.step)
        return Event(
            "memorization_onset", self.code, at.step, Severity.WARNING, proof, interval=at.interval,
            resolution=resolution,
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class ModeGap:
    """In evaluation mode, the training data are as bad as validation."""

    code: ClassVar[str] = "M02"
    kinds: ClassVar[tuple[str, ...]] = ("mode_gap",)
    needs: ClassVar[tuple[str, ...]] = ()
    uses: ClassVar[tuple[str, ...]] = ("gap", "half_way", "few_rows")

    def __call__(self, case: Case) -> Iterator[Event]:
        if not any(name.startswith("eval/") for name in case.facts.curves):
            raise NotChecked("training data were not read in evaluation mode: record with probe= and loss_fn=")
        gap = case.facts.mode_gap
        if gap and gap.at is not None:
            proof = (Evidence(gap.curve, gap.at, gap.size, gap.limit, "", gap.text, "training_eval"),)
            yield Event("mode_gap", self.code, gap.at, Severity.WARNING, proof, interval=(gap.at, gap.at))


def by_hand(case: Case, at: Position) -> bool:
    """Whether a jump of the learning rate stands beside a position: then that is what made the change there."""
    near = case.limits.beside * max(at - case.first, 1.0)
    return any(e.kind == "lr_change" and abs(e.step - at) <= near for e in case.events)


def extreme(case: Case, name: str, about: Position, reach: float, *, valley: bool) -> Place | None:
    """The extreme of a polynomial through the neighbourhood of a turning point, where it can be fitted.

    Args:
        case: gives the segments.
        name: of the signal.
        about: the turning point of the monotone fit.
        reach: values that lie within this of the extreme belong to the neighbourhood.
        valley: whether the extreme is a lowest point.
    """
    segments = case.segments.get(name)
    if segments is None:
        return None
    near = np.flatnonzero(np.abs(segments.step - about) <= case.limits.half_way * max(about - case.first, 1.0))
    if not len(near):
        return None
    curve = segments.curve[near]
    place = vertex(case, name, int(near[np.argmin(curve) if valley else np.argmax(curve)]), reach)
    return place if place.interval is not None else None


def _row_from(signal: Signal, step: Position) -> Position:
    """The first logged step at or after a position: there the curve has crossed."""
    return float(signal.step[min(int(np.searchsorted(signal.step, step - 1e-9)), len(signal) - 1)])
