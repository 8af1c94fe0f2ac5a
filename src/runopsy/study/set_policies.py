"""Rules that stop the weaker runs of a set: median stopping, successive halving, ASHA, Hyperband.

Each is shown ``Reports``: what the runs had reported by then, in the order in which they report. Scores are turned so
that lower is better. ``set_replay`` replays them on runs that went on.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from runopsy.errors import BadOption
from runopsy.model import Position

RUNGS = 3  # powers of the factor between the first rung and the longest run, where no first rung is given


class Reports:
    """What the runs of a set had reported by then. A run that was stopped reports nothing more."""

    __slots__ = ("_finished", "_scores", "_steps", "planned")

    def __init__(self, runs: int, planned: Position) -> None:
        self.planned = planned  # the steps that the longest run is to make
        self._steps: list[list[float]] = [[] for _ in range(runs)]
        self._scores: list[list[float]] = [[] for _ in range(runs)]
        self._finished: set[int] = set()

    def steps(self, run: int) -> Sequence[float]:
        """Elapsed steps of the reports of a run."""
        return self._steps[run]

    def scores(self, run: int) -> Sequence[float]:
        """Its scores, lower is better."""
        return self._scores[run]

    @property
    def finished(self) -> Sequence[int]:
        """The runs that have reached their end."""
        return sorted(self._finished)

    def take(self, run: int, step: float, score: float) -> None:
        """A report that is made now."""
        self._steps[run].append(step)
        self._scores[run].append(score)

    def finish(self, run: int) -> None:
        """A run that reaches its end now."""
        self._finished.add(run)


class Judge(Protocol):
    """What a policy keeps in mind over one replay of a set."""

    def stops(self, reports: Reports, run: int) -> bool:
        """Whether the run that has just reported is to stop."""
        ...


class SetPolicy(Protocol):
    """When a run of a set is to stop because others do better."""

    @property
    def side_by_side(self) -> bool:
        """Whether the runs report side by side, or one after the other."""
        ...

    def start(self, runs: int) -> Judge: ...

    def __str__(self) -> str: ...


@dataclass(frozen=True, slots=True)
class MedianStopping:
    """A run whose best until now is worse than the median of those that have ended, at the same step.

    Golovin et al. 2017 (Vizier), in the form of optuna's ``MedianPruner``: at least ``runs`` must have ended.
    """

    runs: int = 5  # optuna: n_startup_trials
    least: Position = 0.0  # elapsed steps before which nothing is stopped; optuna: n_warmup_steps
    side_by_side: bool = False

    def start(self, runs: int) -> Judge:
        return _Median(self)

    def __str__(self) -> str:
        start = f" from step {self.least:g}" if self.least else ""
        return f"median stopping after {self.runs} runs{start}"


class _Median:
    def __init__(self, policy: MedianStopping) -> None:
        self.policy = policy

    def stops(self, reports: Reports, run: int) -> bool:
        step = reports.steps(run)[-1]
        ended = reports.finished
        if len(ended) < max(self.policy.runs, 1) or step < self.policy.least:
            return False
        own = [score for score in reports.scores(run) if not math.isnan(score)]
        if not own:
            return True
        known = [score for other in ended if not math.isnan(score := _at(reports, other, step))]
        return bool(known) and min(own) > float(np.percentile(known, 50))


@dataclass(frozen=True, slots=True)
class Rungs:
    """Where the runs of a set are compared: at ``least`` x ``factor`` ** k elapsed steps, 1 / ``factor`` goes on.

    Raises:
        BadOption: a factor that keeps every run, or a first rung before the first step.
    """

    factor: int = 3
    least: Position | None = None  # elapsed steps of the first rung; None: of the longest run / factor ** RUNGS

    def __post_init__(self) -> None:
        if self.factor < 2:
            raise BadOption(f"a factor of {self.factor} keeps every run", hint="give a whole number from 2 on")
        if self.least is not None and self.least <= 0:
            raise BadOption(f"a first rung at step {self.least:g} is before the first step", hint="give a step above 0")

    def at(self, rung: int, planned: Position) -> Position:
        """Elapsed steps of a rung, from 0, where the longest run is to make ``planned`` steps."""
        first = planned / self.factor**RUNGS if self.least is None else self.least
        return first * float(self.factor**rung)

    def __str__(self) -> str:
        start = "" if self.least is None else f" from step {self.least:g}"
        return f"by {self.factor}{start}"


@dataclass(frozen=True, slots=True)
class Asha(Rungs):
    """At each rung a run stops unless it is among the best 1 / ``factor`` of those that have come so far.

    Li et al. 2020 (arXiv 1810.05934), in the form of optuna's ``SuccessiveHalvingPruner``: rungs lie at ``least`` x
    ``factor`` ** k elapsed steps, and no run waits for another; the best at a rung goes on however few there are.
    """

    side_by_side: bool = False

    def start(self, runs: int) -> Judge:
        return _Asha(self, runs)

    def __str__(self) -> str:
        return f"asha {Rungs.__str__(self)}"


class _Asha:
    def __init__(self, policy: Asha, runs: int) -> None:
        self.policy = policy
        self.rung = [0] * runs
        self.at_rung: dict[int, list[float]] = {}

    def stops(self, reports: Reports, run: int) -> bool:
        step, score, factor = reports.steps(run)[-1], reports.scores(run)[-1], self.policy.factor
        while step >= self.policy.at(self.rung[run], reports.planned):
            if math.isnan(score):
                return True
            others = self.at_rung.setdefault(self.rung[run], [])
            others.append(score)
            last_kept = max(len(others) // factor - 1, 0)
            if score > sorted(others)[last_kept]:
                return True
            self.rung[run] += 1
        return False


@dataclass(frozen=True, slots=True)
class SuccessiveHalving(Rungs):
    """All runs come to a rung; the best 1 / ``factor`` of them go on to the next (Jamieson and Talwalkar 2016)."""

    side_by_side: bool = True

    def start(self, runs: int) -> Judge:
        return Rounds(self, dict.fromkeys(range(runs), 0))

    def __str__(self) -> str:
        return f"successive halving {Rungs.__str__(self)}"


class Rounds:
    """Rungs at which every run waits for the others of its bracket."""

    def __init__(self, rungs: Rungs, bracket: dict[int, int]) -> None:
        self.rungs = rungs
        self.bracket = bracket  # run → rungs that its bracket leaves out at the beginning
        self.rung = dict(bracket)
        self.at_rung: dict[tuple[int, int], dict[int, float]] = {}

    def arrives(self, reports: Reports, run: int) -> bool:
        """Whether the newest report of a run has brought it to its next rung, where it is to wait."""
        if reports.steps(run)[-1] < self.rungs.at(self.rung[run], reports.planned):
            return False
        score = reports.scores(run)[-1]
        place = (self.bracket[run], self.rung[run])
        self.at_rung.setdefault(place, {})[run] = math.inf if math.isnan(score) else score
        return True

    def losers(self) -> set[int]:
        """Of the runs that wait at a rung, those that end there; the others go on."""
        stopped: set[int] = set()
        for (_, rung), scores in self.at_rung.items():
            ranked = sorted(scores, key=lambda run: (scores[run], run))
            kept = ranked[: max(len(ranked) // self.rungs.factor, 1)]
            stopped |= set(ranked) - set(kept)
            for run in kept:
                self.rung[run] = rung + 1
        self.at_rung = {}
        return stopped

    def stops(self, reports: Reports, run: int) -> bool:
        return False  # nobody ends before all have come


@dataclass(frozen=True, slots=True)
class Hyperband(Rungs):
    """Successive halving in brackets that begin at later and later rungs (Li et al. 2018).

    The runs of a set are dealt to the brackets in turn, in proportion to the number of runs that Hyperband would
    start in each.
    """

    side_by_side: bool = True

    def start(self, runs: int) -> Judge:
        brackets = RUNGS + 1
        wanted = [math.ceil(brackets * self.factor**s / (s + 1)) for s in reversed(range(brackets))]
        dealt: list[int] = []
        for count in range(1, runs + 1):  # always to the bracket that lacks most
            lacks = [share / sum(wanted) * count - dealt.count(b) for b, share in enumerate(wanted)]
            dealt.append(lacks.index(max(lacks)))
        return Rounds(self, dict(enumerate(dealt)))

    def __str__(self) -> str:
        return f"hyperband {Rungs.__str__(self)}"


def _at(reports: Reports, run: int, step: float) -> float:
    """What a run reported at a step; NaN where it reported nothing there."""
    steps = reports.steps(run)
    i = int(np.searchsorted(steps, step))
    return reports.scores(run)[i] if i < len(steps) and steps[i] == step else math.nan
