"""What became of each run, as one number that settings can be compared with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from runopsy.errors import BadOption
from runopsy.kinds import KINDS
from runopsy.model import VALIDATED
from runopsy.study.row import SHOWN, Row

CHOSEN_BY = (*VALIDATED, "reward", "train/loss", "train/acc")  # as ``readers`` lists runs
ALPHA = 0.05  # the share of studies in which chance alone makes a test find something
GONE = ("diverged",)  # verdicts of runs whose last value, where there is none, is worse than all others


@dataclass(frozen=True, slots=True)
class Outcome:
    """One number of every run."""

    name: str  # "best val/loss", "last val/acc", "step of grokking"
    values: tuple[float | None, ...]  # per run; None: it has none, and takes part in nothing
    better: str  # "lower" or "higher"

    @property
    def known(self) -> int:
        return sum(value is not None for value in self.values)


class Scatter(NamedTuple):
    """The mean of several numbers, and how they scatter around it."""

    mean: float | None  # None: there is no number
    spread: float | None  # standard deviation; None: fewer than two numbers
    standard_error: float | None

    @classmethod
    def of(cls, values: Sequence[float]) -> Scatter:
        """Of a sample, so that the spread is that of what the numbers were drawn from."""
        if not values:
            return cls(None, None, None)
        spread = float(np.std(values, ddof=1)) if len(values) > 1 else None
        return cls(float(np.mean(values)), spread, None if spread is None else spread / len(values) ** 0.5)


def outcome_of(rows: Sequence[Row], wanted: str | None = None) -> Outcome | None:
    """The outcome that is wanted; None where no run has a reading of a validation, a reward or a training loss.

    Args:
        rows: of the runs.
        wanted: ``best`` or ``last`` of the signal that most runs are selected by; a signal, ``SIGNAL:last``; or a kind
            of event, whose step counts (never is later than any).

    Raises:
        BadOption: it is none of these.
    """
    word = wanted or "best"
    if word in KINDS:
        return _step_of(rows, word)
    signal, _, part = word.partition(":")
    if word in ("best", "last"):
        usual = _usual(rows)
        if usual is None:
            return None
        signal, part = usual, word
    if part not in ("", "best", "last") or not any(signal in row.readings for row in rows):
        known = sorted({name for row in rows for name in row.readings})
        raise BadOption(
            f"--outcome {word} is no outcome of these runs",
            hint=f"best, last, a kind of event such as grokking, or a signal: {', '.join(known)}",
        )
    return _reading(rows, signal, part or "best")


def _usual(rows: Sequence[Row]) -> str | None:
    """The signal that most runs are selected by."""
    counted = Counter(row.best["signal"] for row in rows if row.best is not None)
    if counted:
        return str(counted.most_common(1)[0][0])
    return next((name for name in (*CHOSEN_BY, *SHOWN) if any(name in row.readings for row in rows)), None)


def _reading(rows: Sequence[Row], signal: str, part: str) -> Outcome:
    better = next(str(row.readings[signal]["better"]) for row in rows if signal in row.readings)
    values = [row.readings.get(signal, {}).get(part) for row in rows]
    there = [float(value) for value in values if value is not None]
    if part == "last" and there:
        worst = max(there) if better == "lower" else min(there)
        beyond = [value is None and row.verdict in GONE for row, value in zip(rows, values, strict=True)]
        values = [worst if gone else value for value, gone in zip(values, beyond, strict=True)]
    return Outcome(f"{part} {signal}", tuple(None if v is None else float(v) for v in values), better)


def _step_of(rows: Sequence[Row], kind: str) -> Outcome:
    """Where the first event of a kind lies; a run without one is later than any."""
    steps = [next((float(e["step"]) for e in row.events if e["kind"] == kind), None) for row in rows]
    longest = max((row.last or 0.0 for row in rows), default=0.0)
    values = [
        None if row.verdict is None else longest if step is None else step
        for row, step in zip(rows, steps, strict=True)
    ]
    return Outcome(f"step of {kind}", tuple(values), "lower")
