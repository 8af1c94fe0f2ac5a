"""The rows that came since the last look, seen one by one: what needs no autopsy is not kept waiting for the next.

An autopsy of a long log takes seconds, and is made as often as it may be paid. Between two of them two things are seen
of the new rows alone: a curve that was finite and is so no longer, and a training loss far beyond everything before it
(``runopsy.causal``, as the detector in the loop sees it). Each is the event that the next autopsy will find, only
sooner; what that autopsy could see otherwise is left to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np

from runopsy.causal import Level
from runopsy.model import JUDGED, Autopsy, Event, Evidence, Position, Positions, Role, Run, Severity, Values
from runopsy.rules.stability import not_finite_text
from runopsy.signals import in_unit
from runopsy.signals.clean import is_finite
from runopsy.thresholds import DEFAULTS

TRAINING = "train/loss"
ROW = "row"  # the axis of a log that counts nothing: its positions are the numbers of its rows


@dataclass(slots=True)
class Loss:
    """The training loss, row by row: how it stands, and since when it has left."""

    level: Level
    left: tuple[Position, float] | None = None  # where, and its value there; None: it is where it was
    reported: Event | None = None

    def see(self, at: Position, value: float) -> None:
        """A finite value more."""
        self.level.see(value)
        if not self.level.beyond:
            self.left = self.reported = None
        elif self.left is None:
            self.left = at, value


class Glance:
    """What a look has shown, as far as new rows are held against it.

    Attributes:
        last: the newest position.
        rows: of the longest of its columns, the new ones included.
        loss: as the newest rows have it.
        returned: a curve went on at an earlier position than its newest.
    """

    def __init__(self, autopsy: Autopsy, rows: int, before: Self | None = None) -> None:
        """
        Args:
            autopsy: of the look.
            rows: that it had.
            before: the glance until then: what it saw leave, and not come back, an autopsy may see later.
        """
        self.last, self.rows = autopsy.last, rows
        run = autopsy.run
        self._axis = run.axis if autopsy.axis == run.axis else ""  # where positions are counted otherwise: none
        self._roles = {role.track: role for role in autopsy.roles if role.role in JUDGED}
        known = any(event.kind == "not_finite" for event in autopsy.events)
        self._whole = frozenset() if known else frozenset(r.role for r in self._roles.values() if _is_whole(run, r))
        self._newest = {name: float(run.tracks[name].step[-1]) for name in self._roles if len(run.tracks[name])}
        self.returned, self._returns = False, before is not None and before.returned
        loss = autopsy.signals.get(TRAINING)
        self.loss = Loss(Level() if loss is None else Level.after(loss.value))
        if before is not None and before.standing:
            self.loss = before.loss

    @property
    def awaits_nan(self) -> bool:
        """Whether a value that is not finite would be the first of its curve."""
        return bool(self._whole)

    @property
    def standing(self) -> tuple[Event, ...]:
        """What it has reported and is still so, as far as the newest rows show."""
        return () if self.loss.reported is None else (self.loss.reported,)

    @property
    def has_gone_back(self) -> bool:
        """Whether the training goes on at an earlier position, as after a restart from a checkpoint.

        Where its curves return all the time, as where each epoch counts from 0, it is nothing that a look explains.
        """
        return self.returned and not self._returns

    def see(self, fresh: Run) -> tuple[Event, ...]:
        """The events of new rows; rows of a position that was seen before are left to the next look."""
        if fresh.axis != self._axis:
            return ()
        begin = self.last + 1 if fresh.axis == ROW else 0.0
        self._follow(fresh, begin)
        new = {}
        for track in fresh.tracks.values():
            rows = track.step + begin > self.last
            if rows.any():
                new[track.name] = (track.step[rows] + begin, track.value[rows])
        if not new:
            return ()
        self.rows += max(len(step) for step, _ in new.values())
        self.last = max(float(step.max()) for step, _ in new.values())
        curves = {
            role.role: (new[name][0], in_unit(new[name][1], role)) for name, role in self._roles.items() if name in new
        }
        return (*self._not_finite(curves), *self._diverged(curves))

    def _follow(self, fresh: Run, begin: Position) -> None:
        """Where the newest value of each curve stands."""
        for track in (fresh.tracks[name] for name in self._newest if name in fresh.tracks):
            if len(track):
                self.returned |= bool(track.step[0] + begin < self._newest[track.name])
                self._newest[track.name] = float(track.step[-1]) + begin

    def _not_finite(self, curves: dict[str, tuple[Positions, Values]]) -> Iterator[Event]:
        """The first value of a curve that had none before."""
        broken = {name: ~is_finite(value) for name, (_, value) in curves.items() if name in self._whole}
        firsts = {name: float(curves[name][0][rows][0]) for name, rows in broken.items() if rows.any()}
        if not firsts:
            return
        self._whole = frozenset()  # it is reported once
        at, ends = min(firsts.values()), any(broken[name][-1] for name in firsts)
        proof = tuple(
            Evidence(
                name, firsts[name], float("nan"), None, "", not_finite_text(name, int(broken[name].sum())), "values"
            )
            for name in sorted(firsts, key=lambda name: firsts[name])
        )
        severity = (
            Severity.FATAL if ends else Severity.WARNING
        )  # as the autopsy has it: those that recovered weigh less
        yield Event("not_finite", "", at, severity, proof, until=at, interval=(at, at))

    def _diverged(self, curves: dict[str, tuple[Positions, Values]]) -> Iterator[Event]:
        """The training loss, once it has been far beyond everything seen for long enough."""
        for at, value in zip(*curves.get(TRAINING, ((), ())), strict=True):
            if np.isfinite(value):
                self.loss.see(float(at), float(value))
        level, left = self.loss.level, self.loss.left
        if left is None or self.loss.reported is not None or not level.has_left:
            return
        text = f"far above all that it was before, for {level.beyond} rows so far"
        proof = (Evidence(TRAINING, left[0], left[1], DEFAULTS.far_above * level.settled, "", text, "left"),)
        self.loss.reported = Event("divergence", "", left[0], Severity.FATAL, proof, interval=(left[0], left[0]))
        yield self.loss.reported


def _is_whole(run: Run, role: Role) -> bool:
    """Whether every value of a column so far was finite, and there were enough of them.

    A column of evaluations may be padded with NaN between them: its first values show whether it is.
    """
    track = run.tracks[role.track]
    enough = 1 if role.role.startswith("train/") else DEFAULTS.level_rows
    return len(track) >= enough and bool(is_finite(in_unit(track.value, role)).all())
