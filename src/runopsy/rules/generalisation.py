"""Whether what is learnt carries over: grokking, double descent, the onset of memorization."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from runopsy.errors import NotChecked
from runopsy.model import Case, Event, Evidence, Position, Severity, Signal
from runopsy.rules.curves import FIT_ACC, NOISE, Curve, curve, drop_done, fitted_at
from runopsy.rules.places import Place, crossing, spacing_at, vertex
from runopsy.stats import at_start, first_spacing


@dataclass(frozen=True, kw_only=True, slots=True)
class LateGain:
    """What validation accuracy did after the training set was fitted."""

    fitted: Position  # where training accuracy reached the mark
    before: float  # validation accuracy there
    final: float  # the best it reached later
    last: float  # where it ended
    onset: Position  # where it had made a tenth of that gain, …
    half: Position  # … half, …
    complete: Position  # … and 95 %
    delay: float  # elapsed steps to the half-way step / elapsed steps to fitting

    @classmethod
    def of(cls, case: Case) -> LateGain | None:
        """None where the training set is never fitted or nothing follows."""
        fitted, acc = fitted_at(case), curve(case, "val/acc")
        if fitted is None or acc is None or fitted >= acc.step[-1]:
            return None
        before, final = acc.at(fitted), float(acc.value[acc.step >= fitted].max())
        onset, half, complete = (acc.passes(before + share * (final - before), fitted) for share in (0.1, 0.5, 0.95))
        if onset is None or half is None or complete is None:
            return None
        signal = case.signals["val/acc"]
        return cls(
            fitted=fitted,
            before=before,
            final=final,
            last=float(acc.value[-1]),
            onset=_first_from(signal, onset),
            half=half,
            complete=_first_from(signal, complete),
            delay=(half - case.first) / max(fitted - case.first, 1.0),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Grokking:
    """Validation accuracy rises long after the training set was fitted."""

    code: ClassVar[str] = "G01"
    kinds: ClassVar[tuple[str, ...]] = ("grokking",)
    needs: ClassVar[tuple[str, ...]] = ("train/loss", "train/acc", "val/acc")

    late_gain: float = 0.3  # of accuracy, made after fitting: smaller gains are the tail of ordinary learning
    from_below: float = 0.6  # of its final value: higher, and most had been learnt with the training set
    delay: float = 1.5  # half-way step / step of fitting: below it, fitting and generalising are one event
    whole: float = 0.9  # of accuracy: a late gain that ends lower is partial
    kept: float = 0.5  # of the late gain that must remain at the end: less, and it was undone; rows below are dips

    def __call__(self, case: Case) -> Iterator[Event]:
        late = LateGain.of(case)
        if late is None or not self._found(late):
            return
        at, interval = crossing(case, "val/acc", (late.before + late.final) / 2, late.half)
        resolution = spacing_at(case.signals["val/acc"], at)
        proof = self._evidence(case, late)
        yield Event("grokking", self.code, at, Severity.INFO, proof, interval=interval, resolution=resolution)

    def _found(self, late: LateGain) -> bool:
        gained = late.final - late.before >= self.late_gain and late.before < self.from_below * late.final
        return gained and late.delay >= self.delay

    def _evidence(self, case: Case, late: LateGain) -> tuple[Evidence, ...]:
        gain, limit = late.final - late.before, self.from_below * late.final
        acc = case.signals["val/acc"]

        def at(step: Position, share: float, says: str) -> Evidence:
            seen = curve_at(case, "val/acc", step)
            return Evidence("val/acc", step, seen, late.before + share * gain, "", says)

        fit = curve_at(case, "train/acc", late.fitted)
        said = "partial: the best it reached" if late.final < self.whole else "the best it reached"
        best = float(acc.step[int(np.argmax(acc.value))])
        proof = [
            Evidence("train/acc", late.fitted, fit, FIT_ACC, "", "training set fitted"),
            Evidence("val/acc", late.fitted, late.before, limit, "", "validation accuracy there"),
            at(late.onset, 0.1, "a tenth of the late gain: its onset"),
            at(_first_from(acc, late.half), 0.5, "half of the late gain"),
            at(late.complete, 0.95, "95 % of the late gain"),
            Evidence("val/acc", best, late.final, self.whole, "", said),
        ]
        changed = [e for e in case.events if e.kind == "lr_change" and late.fitted <= e.step <= late.half]
        proof += [
            Evidence("lr", e.step, *_rates(e), "", "the learning rate was changed before the rise") for e in changed
        ]
        return (*proof, *self._aftermath(case, late))

    def _aftermath(self, case: Case, late: LateGain) -> Iterator[Evidence]:
        """What became of the gain: undone, collapsed together with training, or lost for a while."""
        limit = late.before + self.kept * (late.final - late.before)
        if late.last < limit:
            train = curve_at(case, "train/acc", case.last)
            collapsed = train < late.before + self.kept * (FIT_ACC - late.before)
            says = "collapsed: training accuracy fell with it" if collapsed else "undone: where it ended"
            yield Evidence("val/acc", case.last, late.last, late.final, "", says)
            return
        acc = case.signals["val/acc"]
        after = acc.step > late.complete
        low = np.flatnonzero(np.diff(np.concatenate([[False], acc.value[after] < limit]).astype(int)) == 1)
        if len(low):
            worst = int(np.argmin(acc.value[after]))
            says = (
                f"{len(low)} {'dip' if len(low) == 1 else 'dips'} since that lost half of it and came back; the deepest"
            )
            yield Evidence("val/acc", float(acc.step[after][worst]), float(acc.value[after][worst]), limit, "", says)


@dataclass(frozen=True, kw_only=True, slots=True)
class DoubleDescent:
    """Validation loss falls, rises to a peak, and falls again; where it does not, validation error is asked.

    Loss and error are different witnesses: a loss may rise from over-confidence alone while the error goes on falling.
    """

    code: ClassVar[str] = "D01"
    kinds: ClassVar[tuple[str, ...]] = ("double_descent_peak",)
    needs: ClassVar[tuple[str, ...]] = ("train/loss",)

    prominence: float = 0.07  # of the peak, above the lowest point on either side: DEFINITIONS of the labelled runs
    of_accuracy: float = 0.05  # by which an error must rise as well: from 2 % to 3 % is nothing that a reader sees
    flank: float = 0.35  # in log elapsed steps on either side of the peak (a factor of 1.4): narrower is a wobble
    points: int = 3  # fitted points on either flank: fewer evaluations are no descent
    beside: float = 0.12  # of the elapsed steps: nearer to a jump of the learning rate, that is what it is

    def __call__(self, case: Case) -> Iterator[Event]:
        if "val/loss" not in case.signals and "val/acc" not in case.signals:
            raise NotChecked("the log has no val/loss and no val/acc")
        if any(e.kind == "grokking" for e in case.events):
            return  # the rise and fall of the loss belong to that
        loss, acc = curve(case, "val/loss"), curve(case, "val/acc")
        found = None if loss is None else self._event(case, "val/loss", loss, 0.0)
        if found is None and acc is not None:  # a reader who sees both tells one story: the loss's
            found = self._event(case, "val/acc", replace(acc, value=1 - acc.value), self.of_accuracy)
        if found is not None:
            yield found

    def _event(self, case: Case, name: str, falling: Curve, least: float) -> Event | None:
        """The peak of a curve that should fall; None where it has none, or one without a place, which is noise."""
        peak = self._peak(falling, least)
        if peak is None:
            return None
        says = {
            "val/loss": ("lowest before the peak", "the highest between them", "lowest after it"),
            "val/acc": ("best before the error's peak", "the worst between them", "best after it"),
        }[name]
        seen = falling.value if name == "val/loss" else 1 - falling.value
        proof = tuple(
            Evidence(name, float(falling.step[i]), float(seen[i]), None, "", word)
            for i, word in zip(peak, says, strict=True)
        )
        before, top, after = peak
        at, interval = vertex(case, name, top, 0.5 * min(falling.value[top] - falling.value[[before, after]]))
        if interval is None or self._by_hand(case, at):
            return None
        resolution = spacing_at(case.signals[name], at)
        return Event(
            "double_descent_peak", self.code, at, Severity.INFO, proof, interval=interval, resolution=resolution
        )

    def _by_hand(self, case: Case, at: Position) -> bool:
        """Whether the second descent begins with a jump of the learning rate: then that is what made it."""
        near = self.beside * max(at - case.first, 1.0)
        return any(e.kind == "lr_change" and abs(e.step - at) <= near for e in case.events)

    def _peak(self, loss: Curve, least: float) -> tuple[int, int, int] | None:
        """(lowest point before, peak, lowest point after) of the most prominent peak, at least ``least`` high."""
        value, spread = loss.value, loss.spread
        if len(value) < 3:
            return None
        elapsed = loss.step - loss.step[0] + first_spacing(loss.step)
        lowest_yet = np.minimum.accumulate(value)
        lowest_from = np.minimum.accumulate(value[::-1])[::-1]
        rise = value - np.maximum(np.append(np.inf, lowest_yet[:-1]), lowest_from)
        high = np.flatnonzero(rise >= np.maximum(self.prominence * value, least))
        for top in high[np.argsort(-rise[high], kind="stable")].tolist():
            before, after = int(np.argmin(value[:top])), top + int(np.argmin(value[top:]))
            if before == 0 or value[top] < value[before:after].max():
                continue  # no first descent, or a higher peak stands between the two low points
            flanks = np.log(elapsed[top] / elapsed[before]), np.log(elapsed[after] / elapsed[top])
            wide = min(flanks) >= self.flank and min(top - before, after - top) >= self.points
            if wide and rise[top] >= NOISE * spread[[before, top, after]].max():
                return before, top, after
        return None


@dataclass(frozen=True, kw_only=True, slots=True)
class MemorizationOnset:
    """Validation turns for good, or never follows, while training goes on improving."""

    code: ClassVar[str] = "M01"
    kinds: ClassVar[tuple[str, ...]] = ("memorization_onset",)
    needs: ClassVar[tuple[str, ...]] = ("train/loss", "val/loss")

    rise: float = 0.1  # of its lowest value, by which validation loss must end above it: less is a plateau's wobble
    visible: float = 0.03  # of its own drop, likewise: late in a fitted run, 1e-6 may double and mean nothing
    # of accuracy (without it: of the loss's start) that validation must gain by the time training is fitted
    follows: float = 0.1
    early: float = 0.2  # of all that validation accuracy ever gains, likewise, if that is more
    gap: float = 0.2  # of accuracy, by which validation stays behind when training is fitted
    share: float = 0.3  # of the training loss's drop, where validation never follows: DEFINITIONS of the labelled runs
    about: float = 0.1  # of the drop: they say "about", and the interval says how much that is in steps

    def __call__(self, case: Case) -> Iterator[Event]:
        train, val = curve(case, "train/loss"), curve(case, "val/loss")
        if train is None or val is None:
            return
        if train.value[0] - train.value.min() <= NOISE * np.median(train.spread):
            return  # training itself never moved: nothing was memorized
        yield from self._never_follows(case, train, val) or self._turns(case, train, val)

    def _never_follows(self, case: Case, train: Curve, val: Curve) -> list[Event]:
        """Training is fitted while validation is still where it began."""
        made = drop_done(train)
        fitted, done, at = fitted_at(case), train.first(made >= 0.95), train.first(made >= self.share)
        if fitted is None or done is None or at is None or train.value.min() > 0.5 * train.value[0]:
            return []
        end = min(max(fitted, done), float(val.step[-1]))
        acc, train_acc = curve(case, "val/acc"), curve(case, "train/acc")
        # accuracy tells chance; a loss may fall a long way at chance, from large initial weights
        witness, name = (val, "val/loss") if acc is None else (acc, "val/acc")
        if witness.step[0] > at or (
            acc is not None and train_acc is not None and train_acc.at(end) - acc.at(end) < self.gap
        ):
            return []  # nobody saw where validation began, or it is not far behind
        start = float(witness.value[0])
        seen = witness.value[: int(np.searchsorted(witness.step, end)) + 1]  # and the first evaluation after fitting
        moved = start - float(seen.min()) if acc is None else float(seen.max()) - start
        gain = 0.0 if acc is None else self.early * (float(acc.value.max()) - start)
        if moved > (self.follows * abs(start) if acc is None else max(self.follows, gain)):
            return []
        began = at_start(case.signals["train/loss"].value)
        there = (began - train.at(at)) / max(began - float(train.value.min()), 1e-300)
        proof = (
            Evidence("train/loss", at, train.at(at), began, "", f"{there:.0%} of its drop made"),
            Evidence(name, end, witness.at(end), start, "", "validation when training is fitted, against its start"),
        )
        ends = [train.first(made >= share) for share in (self.share - self.about, self.share + self.about)]
        low, high = (at if end is None else end for end in ends)
        low = float(max([case.first, *train.step[train.step < low]]))  # it was passed after the point before
        return [self._event(case, Place(at, (low, high)), proof)]

    def _turns(self, case: Case, train: Curve, val: Curve) -> list[Event]:
        """Validation had followed, and then rose for good."""
        low = int(np.argmin(val.value))
        lowest, last = float(val.value[low]), float(val.value[-1])
        needed = max(self.rise * abs(lowest), self.visible * (float(val.value[0]) - lowest))
        at = float(val.step[low])
        end = float(train.value[-1])
        noise = NOISE * float(max(val.spread[low], val.spread[-1]))
        went_on = train.at(at) - end >= 0.02 * (train.value[0] - train.value.min())
        if last - lowest < max(needed, noise) or not went_on:
            return []
        turn = vertex(case, "val/loss", low, 0.5 * needed)
        proof = (
            Evidence("val/loss", turn.step, val.at(turn.step), lowest, "", "validation loss there, against its lowest"),
            Evidence("val/loss", float(val.step[-1]), last, lowest + needed, "", "validation loss at the end"),
            Evidence(
                "train/loss",
                float(train.step[-1]),
                end,
                train.at(at),
                "",
                "training loss at the end, against where validation turned",
            ),
        )
        return [self._event(case, turn, proof)]

    def _event(self, case: Case, at: Place, proof: tuple[Evidence, ...]) -> Event:
        resolution = spacing_at(case.signals["val/loss"], at.step)
        return Event(
            "memorization_onset",
            self.code,
            at.step,
            Severity.WARNING,
            proof,
            interval=at.interval,
            resolution=resolution,
        )


def curve_at(case: Case, name: str, step: Position) -> float:
    found = curve(case, name)
    return float("nan") if found is None else found.at(step)


def _first_from(signal: Signal, step: Position) -> Position:
    """The first logged step at or after a position: there the curve has crossed."""
    return float(signal.step[min(int(np.searchsorted(signal.step, step - 1e-9)), len(signal) - 1)])


def _rates(event: Event) -> tuple[float, float | None]:
    return event.evidence[0].observed, event.evidence[0].limit
