"""What the recorded signals of a run show together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from runopsy.errors import NotChecked
from runopsy.facts import Case
from runopsy.model import INSIDE, VALIDATED, Event, Evidence, Severity, Signal
from runopsy.rules.curves import NOT_SINGLE
from runopsy.rules.places import spacing_at
from runopsy.segments.common import FEWEST_SIGNALS, CommonChange, Move, common_changes, usable
from runopsy.signal_specs import ERROR
from runopsy.signals.names import better, words

# What was set or counted, and not measured; players and rewards are judged by rules of their own.
SET = ("lr", "epoch", "batch_size", "step", "tokens", "samples", "time", "reward")
SET_FAMILIES = ("lr/", "recorder/", "reward/", "player/", "train/", "val/", "val.", "eval/", "examples/", "groups/")
# Words of what the machine took, as trainers log it beside an evaluation: samples_per_second is no property of a model.
SPEEDS = ("runtime", "time", "second", "seconds", "sec", "speed", "throughput", "fps", "memory", "eta")
MOST_NAMED = 6  # signals that are named; the matrix has them all


@dataclass(frozen=True, kw_only=True, slots=True)
class CommonChanges:
    """Recorded signals that change together, at one place.

    The signals are binned on one axis and cut together by ruptures; at each place every signal is asked for a step
    of its own, beyond its noise and its bending. It confirms a boundary of phases that lies there, and on a run
    without validation it is all that is known of its inside. To change together is no cause.
    """

    code: ClassVar[str] = "C02"
    kinds: ClassVar[tuple[str, ...]] = ("common_change",)
    needs: ClassVar[tuple[str, ...]] = ()
    uses: ClassVar[tuple[str, ...]] = ()

    def __call__(self, case: Case) -> Iterator[Event]:
        asked = usable(recorded(case.signals))
        if len(asked) < FEWEST_SIGNALS:
            raise NotChecked(f"fewer than {FEWEST_SIGNALS} signals beside losses and accuracies were recorded")
        gone = [e.step for e in case.events if e.kind == "divergence"]
        for change in common_changes(asked, validation(case.signals)):
            if not any(change.step >= step for step in gone):  # from there on, everything moves
                yield self._event(case, asked, change)

    def _event(self, case: Case, asked: Mapping[str, Signal], change: CommonChange) -> Event:
        moves = [_proof(move, change, "signal") for move in change.moves]
        followed = [_proof(move, change, "validation") for move in change.validation]
        proof = (_summary(change), *followed, *moves)
        resolution = min(spacing_at(asked[move.signal], change.step) for move in change.moves)
        return Event(
            "common_change", self.code, change.step, Severity.INFO, proof, interval=change.interval,
            resolution=resolution,
        )  # fmt: skip


def recorded(signals: Mapping[str, Signal]) -> dict[str, Signal]:
    """The signals that were measured beside losses, accuracies and scores."""
    return {name: signal for name, signal in signals.items() if _is_recorded(name)}


def validation(signals: Mapping[str, Signal]) -> dict[str, Signal]:
    """The curves that show how well validation does."""
    return {name: signals[name] for name in VALIDATED if name in signals}


def _is_recorded(name: str) -> bool:
    if name.startswith(INSIDE):
        return not name.startswith(NOT_SINGLE) and not name.endswith(ERROR)
    speed = any(word in SPEEDS for word in words(name))
    return name not in SET and not name.startswith(SET_FAMILIES) and not better(name) and not speed


def _summary(change: CommonChange) -> Evidence:
    count = len(change.moves)
    named = [f"{move.signal} {'up' if move.up else 'down'}" for move in change.moves[:MOST_NAMED]]
    more = f" and {count - MOST_NAMED} more" if count > MOST_NAMED else ""
    val = ", ".join(move.signal for move in change.validation)
    text = f"{count} of {change.asked} signals, {', '.join(named)}{more}; "
    text += f"{val} with them" if val else "no validation curve with them"
    return Evidence("signals", change.step, count, change.asked, "signals", text, "signals")


def _proof(move: Move, change: CommonChange, slot: str) -> Evidence:
    way = "rises" if move.up else "falls"
    text = f"{way} by {abs(move.sigmas):.0f} standard errors, {abs(move.rows):.1f} times the noise of a row"
    return Evidence(move.signal, change.step, move.after, move.before, "", text, slot)
