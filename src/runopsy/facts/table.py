"""The facts of a run in one table, and the order in which they are asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from runopsy.facts import breaking, ending, late, training, validation
from runopsy.facts.curve import Curve, curve_of
from runopsy.facts.fact import Fact
from runopsy.facts.late import LateGain, Peak
from runopsy.facts.spikes import Spike
from runopsy.facts.start import Start, start_of
from runopsy.model import JUDGED, Mark, Position, Signal
from runopsy.thresholds import DEFAULTS, Limits

__all__ = ["Fact", "Facts", "facts_of"]


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """What is so about a run. A fact that cannot be asked of this log does not hold and has no curve."""

    curves: Mapping[str, Curve]
    first: Position
    last: Position
    rows: int  # of the longest judged curve
    start: Start  # where training began: loss, accuracy, whether already trained
    moved: Fact  # training ever left its start
    rose: Fact  # training only got worse
    fits: Fact  # training ends fitted
    far: Fact  # every accuracy ends far from fitting
    fitted_at: Position | None  # where the training set came to be fitted
    known: bool  # an accuracy, or a loss that fell far, shows how well training fits
    at_chance: Fact  # nothing was learnt, and the level is that of guessing
    left_chance: Fact  # validation ever left its start
    generalised: Fact  # validation made a fair part of the way that training made
    better_loss: Fact  # validation loss was better before
    better_accuracy: Fact  # validation accuracy was better before
    turn: Fact  # where validation turned for good while training went on
    never_follows: Fact  # training was fitted while validation stood where it began
    accuracy_rose_since: Fact  # validation accuracy still improved after validation loss had turned
    mode_gap: Fact  # training data in evaluation mode are as bad as validation
    gap: Fact  # validation ends far behind training
    improving: Fact  # validation still improves at the end
    accuracy_improves: Fact  # validation accuracy still improves at the end
    follows: Fact  # validation still improves at the end, or may for all its noise shows
    unclear: Fact  # noise hides whether validation still improves
    training_improves: Fact  # training loss or accuracy still improves at the end
    ahead: Fact  # validation stands better than training for many rows
    broken: Fact  # a loss is not finite to the end
    leap: Fact  # the largest lasting rise of the training loss, of whatever size
    jump: Fact  # the training loss rises at once to a level that lasts
    not_a_run: str  # what the rows are, where they are no training: model sizes, data sets
    many_spikes: Fact  # the training loss leaps again and again, to the end
    lost: Fact  # most of what was learnt is lost again to the end, or the loss ends far above its start
    went_back: Fact  # the training loss ends visibly above its best level, with less than most of it lost
    swings: Fact  # an accuracy or a loss swings again and again
    ends_swinging: bool  # and the run has no end value
    spikes: tuple[Spike, ...]  # leaps of the training loss that came back
    late_gain: LateGain | None
    peak: Peak | None
    limits: Limits  # the thresholds that were asked

    @property
    def has_validation(self) -> bool:
        return bool(self.validation_curves)

    @property
    def memorizes(self) -> bool:
        """Whether anything shows that training ran ahead of validation at some time."""
        ran_ahead = self.gap or self.turn or self.better_loss or self.better_accuracy or self.never_follows
        return bool(ran_ahead) or self.late_gain is not None or self.peak is not None

    @property
    def stays_at_chance(self) -> bool:
        """Whether a validation accuracy was logged and never came above chance; unlike one too noisy to show it."""
        return "val/acc" in self.curves and not self.left_chance and self.left_chance.size < self.left_chance.limit

    @property
    def still_improves(self) -> bool:
        """Whether validation still improves at the end, by more than the loss of examples that are right already."""
        return bool(self.improving) and (bool(self.accuracy_improves) or not (self.fits and self.has_accuracy))

    @property
    def may_improve(self) -> bool:
        """Whether training still improves far from fitting, and validation may, for all that its noise shows."""
        return bool(self.training_improves and self.follows) and not self.fits and not self.stays_at_chance

    @property
    def never_learns(self) -> bool:
        """Whether validation stays at chance and training made less than half of its way: nothing was memorized."""
        acc, chance = self.curves.get("train/acc"), self.start.accuracy
        loss, began = self.curves.get("train/loss"), self.start.loss
        ahead = acc is not None and chance is not None and acc.ends - chance >= self.limits.half_way * (1 - chance)
        if acc is None and loss is not None and began:  # then the loss is the witness
            ahead = loss.ends <= self.limits.fell_far * began
        return self.stays_at_chance and bool(self.far) and not ahead and not self.fits

    @property
    def far_ahead(self) -> bool:
        """Training went far ahead of a validation that never left chance, and is not fitted yet."""
        behind = self.gap and not self.left_chance and not self.fits
        return bool(behind) and self.has_accuracy and not self.never_learns

    @property
    def validation_curves(self) -> tuple[Curve, ...]:
        return tuple(curve for name, curve in self.curves.items() if name.startswith("val/"))

    @property
    def validation_stands(self) -> bool:
        """Whether every validation curve ends where it began: none moved, and noise hides no visible difference."""
        asked = self.validation_curves
        return all(c.flat and abs(c.ends - c.begins) <= validation.visible(c, self.limits) for c in asked)

    @property
    def only_zeros(self) -> bool:
        loss = self.curves.get("train/loss")
        return loss is not None and loss.low == loss.high == 0

    @property
    def late_gain_kept(self) -> bool:
        return self.late_gain is not None and self.late_gain.kept

    @property
    def validations(self) -> int:
        """Rows of the longest validation curve."""
        return max((curve.rows for curve in self.validation_curves), default=0)

    @property
    def has_training(self) -> bool:
        return any(name.startswith("train/") for name in self.curves)

    @property
    def judged(self) -> bool:
        return any(name in JUDGED for name in self.curves)

    @property
    def players(self) -> bool:
        return any(name.startswith("player/") for name in self.curves)

    @property
    def has_accuracy(self) -> bool:
        return any(name.endswith("/acc") for name in self.curves)


def facts_of(
    signals: Mapping[str, Signal],
    spikes: Sequence[Spike] = (),
    marks: Sequence[Mark] = (),
    changes: Sequence[Position] = (),
    limits: Limits = DEFAULTS,
) -> Facts:
    """The facts of a run's judged signals, or of what it shows instead; one of them must have a value."""
    first, _ = extent = _extent(signals)
    curves = {n: c for n, s in signals.items() if (c := curve_of(s, first, limits=limits)) is not None}
    spikes = () if breaking.swings(curves, limits) else tuple(spikes)  # swings are no spikes that came back
    if spikes:
        curves = {n: c for n, s in signals.items() if (c := curve_of(s, first, spikes, limits)) is not None}
    leap = breaking.leap(signals.get("train/loss"), spikes, limits)
    return concluded(curves, signals, spikes, marks, changes, extent, leap, limits)


def concluded(
    curves: Mapping[str, Curve],
    judged: Mapping[str, Signal],
    spikes: Sequence[Spike],
    marks: Sequence[Mark],
    changes: Sequence[Position],
    extent: tuple[Position, Position],
    leap: Fact,
    limits: Limits,
) -> Facts:
    """The facts of a run whose curves are known.

    Args:
        curves: by name.
        judged: the signals that they are of.
        spikes: leaps of the training loss that came back.
        marks: what the training script, or an error line, reported.
        changes: positions at which the learning rate jumps.
        extent: first and last position.
        leap: the largest lasting rise of the training loss.
        limits: the thresholds.
    """
    first, last = extent
    modes = validation.mode_gap(curves, limits)
    shown, curves = curves, validation.in_evaluation_mode(curves, modes)
    start = start_of(curves, first, last, limits)
    moved = training.moved(curves, limits)
    fits, known = training.fits(curves, start, limits)
    left_chance = validation.left_chance(curves, start, limits)
    better_loss = validation.better_loss(curves, start, left_chance, limits)
    better_accuracy = validation.better_accuracy(curves, start, left_chance, limits)
    fitted = late.fitted_at(curves, limits)
    gap = validation.gap(curves, start, limits)
    ends = ending.ends_of(curves, limits)
    training_improves = ending.improving(ends, "train")
    late_gain = late.late_gain(curves, fitted, first, limits)
    swings = breaking.swings(curves, limits)
    follows = validation.follows(curves, ends, limits)
    return Facts(
        curves=shown,
        first=first,
        last=last,
        rows=max((c.rows for c in curves.values()), default=0),
        start=start,
        moved=moved,
        rose=training.rose(curves, moved, limits),
        fits=fits,
        far=training.far(curves, start, limits),
        fitted_at=fitted,
        known=known,
        at_chance=training.at_chance(curves, moved, limits),
        left_chance=left_chance,
        generalised=validation.generalised(curves, start, left_chance, limits),
        better_loss=better_loss,
        better_accuracy=better_accuracy,
        turn=validation.turn(curves, better_loss, better_accuracy, fits, gap, training_improves, limits),
        never_follows=late.never_follows(curves, start, fits, fitted, limits),
        accuracy_rose_since=validation.accuracy_rose_since(curves, better_loss, limits),
        mode_gap=modes,
        gap=gap,
        improving=ending.improving(ends, "val"),
        accuracy_improves=ends.get("val/acc", Fact()),
        follows=follows,
        unclear=validation.unclear(curves, ends, follows, limits),
        training_improves=training_improves,
        ahead=validation.ahead(curves, limits),
        broken=breaking.broken(judged, marks, last, limits),
        leap=leap,
        jump=breaking.jump(leap, limits),
        not_a_run=next((str(m.detail.get("text", "")) for m in marks if m.kind == "not_a_run"), ""),
        many_spikes=breaking.many_spikes(spikes, first, last, limits),
        lost=breaking.lost(curves, start, limits),
        went_back=breaking.went_back(curves, limits),
        swings=swings,
        ends_swinging=breaking.ends_swinging(curves, swings, last, limits),
        late_gain=late_gain,
        spikes=tuple(spikes),
        peak=None
        if late_gain is not None or swings
        else late.second_descent(curves, start, left_chance, changes, limits),
        limits=limits,
    )


def _extent(judged: Mapping[str, Signal]) -> tuple[Position, Position]:
    """First and last position at which any judged curve has a value, finite or not."""
    steps = [s.step for s in judged.values()] + [s.broken for s in judged.values() if s.broken is not None]
    filled = [s for s in steps if len(s)]
    return float(min(np.min(s) for s in filled)), float(max(np.max(s) for s in filled))
