"""What can be seen of a run from inside the loop, value by value: ``run.state()``.

A small causal detector: it knows what came so far and nothing of what comes, costs a fixed time a value, and imports
no analysis. It shows how things stand and does nothing about it. The autopsy sees more, and later: where the two
disagree, the autopsy is right. The numbers that decide are the autopsy's own (``runopsy.thresholds``).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from runopsy.causal import Level
from runopsy.store import RECORD
from runopsy.thresholds import DEFAULTS, KEPT_ROWS, KEPT_SHARE

ALARMS = ("not_finite", "diverged", "stalled", "memorizing")  # the fields of a state that are alarms
TRAIN_LOSS, TRAIN_ACC, VAL_LOSS, VAL_ACC = "train/loss", "train/acc", "val/loss", "val/acc"
SEEN = (TRAIN_LOSS, TRAIN_ACC, VAL_LOSS, VAL_ACC)
PACE = 0.05  # weight of the newest step in the usual time of a step: about the last 20


@dataclass(frozen=True, slots=True)
class State:
    """How a run stands; each field is the step since which that is so, or None."""

    step: int | None = None  # the newest
    not_finite: int | None = None  # the newest values of a loss are NaN or infinite
    diverged: int | None = None  # the training loss is far above its start, or most of what was learnt is lost
    memorizing: int | None = None  # training improves and validation does not follow: so far, it may still
    stalled: int | None = None  # no step for far longer than usual; seen by whoever asks from another thread

    @property
    def alarms(self) -> tuple[str, ...]:
        """The names of what is so, of ``ALARMS``."""
        return tuple(name for name in ALARMS if getattr(self, name) is not None)


class Detector:
    """All that ``State`` needs, kept up to date value by value."""

    def __init__(self) -> None:
        self._names: dict[int, str] = {}  # signal numbers of a journal → those that are seen
        self._levels = {name: Level() for name in SEEN}
        self._broken: dict[str, int] = {}  # a loss → the step since which it is not finite
        self._above: tuple[int, int] | None = None  # (step, rows) where it rose above the limit
        self._best = math.inf  # of validation; lower is better
        self._best_step, self._worse = 0, 0  # where, and how many readings came after it
        self._training_then = math.nan  # the training loss at the best validation
        self._apart: int | None = None  # the step since which training accuracy is far above validation's
        self._step: int | None = None
        self._time = self._pace = math.nan  # unix s of the newest step; usual s between two

    def take(self, records: bytes, numbers: Mapping[str, int]) -> None:
        """See the rows of a journal.

        Args:
            records: whole records.
            numbers: signal → its number in them.
        """
        if len(self._names) < len(SEEN):
            self._names = {numbers[name]: name for name in SEEN if name in numbers}
        for step, time, value, number in RECORD.iter_unpack(records):
            if step != self._step:
                self._tick(step, time)
            name = self._names.get(number)
            if name is not None:
                self.see(name, step, value, time)

    def see(self, name: str, step: int, value: float, time: float = math.nan) -> None:
        """One value of a signal."""
        if not math.isfinite(value):
            if name.endswith("loss"):
                self._broken.setdefault(name, step)
            return
        self._broken.pop(name, None)
        self._levels[name].see(value)
        if name == TRAIN_LOSS:
            self._see_training(step)
        elif name == VAL_LOSS or (name == VAL_ACC and not self._levels[VAL_LOSS].rows):
            self._see_validation(step, value if name == VAL_LOSS else -value)
        if name == VAL_ACC:
            gap = self._levels[TRAIN_ACC].now - self._levels[VAL_ACC].now
            self._apart = (step if self._apart is None else self._apart) if gap >= DEFAULTS.gap else None

    def state(self, now: float = math.nan) -> State:
        """How the run stands at ``now`` (unix s)."""
        silent = now - self._time
        still = silent > max(DEFAULTS.pause * self._pace, DEFAULTS.pause_seconds)  # False where either is NaN
        return State(
            step=self._step,
            not_finite=min(self._broken.values(), default=None),
            diverged=self._diverged(),
            memorizing=self._memorizing(),
            stalled=self._step if still else None,
        )

    # --- the curves ------------------------------------------------------------------------------

    def _tick(self, step: int, time: float) -> None:
        if self._step is not None and time >= self._time:
            each = time - self._time
            self._pace = each if math.isnan(self._pace) else (1 - PACE) * self._pace + PACE * each
        self._step, self._time = step, time

    def _see_training(self, step: int) -> None:
        level = self._levels[TRAIN_LOSS]
        if level.rows < DEFAULTS.level_rows:
            return
        if level.now <= self._limit(level):
            self._above = None
        elif self._above is None:
            self._above = step, level.rows

    def _limit(self, level: Level) -> float:
        """Above it, a training loss has left: half of what was learnt, or three times the start where little was."""
        learnt = level.first - level.lowest
        if learnt < DEFAULTS.part * abs(level.first):
            return level.first * DEFAULTS.far_above if level.first > 0 else math.inf
        return level.lowest + DEFAULTS.lost * learnt

    def _diverged(self) -> int | None:
        level = self._levels[TRAIN_LOSS]
        if self._above is None:
            return self._broken.get(TRAIN_LOSS)
        kept = level.rows - self._above[1] >= max(KEPT_ROWS, KEPT_SHARE * level.rows)
        return self._above[0] if kept or level.has_left else self._broken.get(TRAIN_LOSS)

    def _see_validation(self, step: int, value: float) -> None:
        if value < self._best:
            self._best, self._best_step, self._worse = value, step, 0
            self._training_then = self._levels[TRAIN_LOSS].now
        else:
            self._worse += 1

    def _memorizing(self) -> int | None:
        """Since the best validation, where training has improved since and validation is worse; or since a gap."""
        training = self._levels[TRAIN_LOSS]
        sign, validation = (1, self._levels[VAL_LOSS]) if self._levels[VAL_LOSS].rows else (-1, self._levels[VAL_ACC])
        worse = sign * validation.now - self._best
        own_way = max(sign * validation.first - self._best, DEFAULTS.visible_ratio * abs(self._best))
        improved = self._training_then - training.now > DEFAULTS.visible_loss * abs(training.first - training.lowest)
        if self._worse >= DEFAULTS.few_rows and worse > DEFAULTS.visible_loss * own_way and improved:
            return self._best_step
        return self._apart


def refused(names: Iterable[str]) -> list[str]:
    """Those that are none of ``ALARMS``."""
    return sorted({*names} - {*ALARMS})
