"""Rules that stop the weaker runs of a set: median stopping, successive halving, ASHA, Hyperband.

Each is shown ``Reports``: what the runs had reported by then, in the order in which they report. Scores are turned so
that lower is better. The runs of a set report one after the other (the next begins when the one before has ended, as
one machine trains them), or side by side, all at the same pace.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from runopsy.errors import BadOption
from runopsy.model import Position, Positions, Values

RUNGS = 3  # powers of the factor between the first rung and the longest run, where no first rung is given


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """One run of a set, as a replay reads it."""

    name: str
    steps: Positions  # (n,) elapsed, from the beginning of the run
    scores: Values  # (n,) lower is better; NaN where the evaluation was not finite
    end: Position  # elapsed steps of the whole run


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
class Asha:
    """At each rung a run stops unless it is among the best 1 / ``factor`` of those that have come so far.

    Li et al. 2020 (arXiv 1810.05934), in the form of optuna's ``SuccessiveHalvingPruner``: rungs lie at ``least`` x
    ``factor`` ** k elapsed steps, and no run waits for another; the best at a rung goes on however few there are.
    """

    factor: int = 3
    least: Position | None = None  # elapsed steps of the first rung; None: of the longest run / factor ** 3
    side_by_side: bool = False

    def __post_init__(self) -> None:
        _shrinks(self.factor, self.least)

    def start(self, runs: int) -> Judge:
        return _Asha(self, runs)

    def __str__(self) -> str:
        return f"asha by {self.factor}{_from(self.least)}"


class _Asha:
    def __init__(self, policy: Asha, runs: int) -> None:
        self.policy = policy
        self.rung = [0] * runs
        self.at_rung: dict[int, list[float]] = {}

    def stops(self, reports: Reports, run: int) -> bool:
        step, score, factor = reports.steps(run)[-1], reports.scores(run)[-1], self.policy.factor
        least = _first_rung(self.policy.least, factor, reports.planned)
        while step >= least * factor ** self.rung[run]:
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
class SuccessiveHalving:
    """All runs come to a rung; the best 1 / ``factor`` of them go on to the next (Jamieson and Talwalkar 2016)."""

    factor: int = 3
    least: Position | None = None
    side_by_side: bool = True

    def __post_init__(self) -> None:
        _shrinks(self.factor, self.least)

    def start(self, runs: int) -> Judge:
        return _Rounds(self.factor, self.least, dict.fromkeys(range(runs), 0))

    def __str__(self) -> str:
        return f"successive halving by {self.factor}{_from(self.least)}"


class _Rounds:
    """Rungs at which every run waits for the others of its bracket."""

    def __init__(self, factor: int, least: Position | None, bracket: dict[int, int]) -> None:
        self.factor, self.least = factor, least
        self.bracket = bracket  # run → rungs that its bracket leaves out at the beginning
        self.rung = dict(bracket)
        self.at_rung: dict[tuple[int, int], dict[int, float]] = {}

    def arrives(self, reports: Reports, run: int) -> bool:
        """Whether the newest report of a run has brought it to its next rung, where it is to wait."""
        least = _first_rung(self.least, self.factor, reports.planned)
        if reports.steps(run)[-1] < least * self.factor ** self.rung[run]:
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
            kept = ranked[: max(len(ranked) // self.factor, 1)]
            stopped |= set(ranked) - set(kept)
            for run in kept:
                self.rung[run] = rung + 1
        self.at_rung = {}
        return stopped

    def stops(self, reports: Reports, run: int) -> bool:
        return False  # nobody ends before all have come


@dataclass(frozen=True, slots=True)
class Hyperband:
    """Successive halving in brackets that begin at later and later rungs (Li et al. 2018).

    The runs of a set are dealt to the brackets in turn, in proportion to the number of runs that Hyperband would
    start in each.
    """

    factor: int = 3
    least: Position | None = None
    side_by_side: bool = True

    def __post_init__(self) -> None:
        _shrinks(self.factor, self.least)

    def start(self, runs: int) -> Judge:
        brackets = RUNGS + 1
        wanted = [math.ceil(brackets * self.factor**s / (s + 1)) for s in reversed(range(brackets))]
        dealt: list[int] = []
        for count in range(1, runs + 1):  # always to the bracket that lacks most
            lacks = [share / sum(wanted) * count - dealt.count(b) for b, share in enumerate(wanted)]
            dealt.append(lacks.index(max(lacks)))
        return _Rounds(self.factor, self.least, dict(enumerate(dealt)))

    def __str__(self) -> str:
        return f"hyperband by {self.factor}{_from(self.least)}"


def replay_set(policy: SetPolicy, trials: Sequence[Trial]) -> list[Position | None]:
    """Where each run of a set would have stopped, in elapsed steps; None for those that run to their end.

    The trials come in the order in which they were started.
    """
    reports = Reports(len(trials), max(trial.end for trial in trials))
    judge = policy.start(len(trials))
    if isinstance(judge, _Rounds):
        return _in_rounds(judge, trials, reports)
    stopped: list[Position | None] = [None] * len(trials)
    last = {run: len(trial.steps) - 1 for run, trial in enumerate(trials)}
    for run, row in _order(trials, side_by_side=policy.side_by_side):
        if stopped[run] is not None:
            continue
        step = float(trials[run].steps[row])
        reports.take(run, step, float(trials[run].scores[row]))
        if judge.stops(reports, run):
            stopped[run] = step
        elif row == last[run]:
            reports.finish(run)
    return stopped


def _order(trials: Sequence[Trial], *, side_by_side: bool) -> list[tuple[int, int]]:
    """(run, row) of the reports in the order in which they are made."""
    rows = [(run, row) for run, trial in enumerate(trials) for row in range(len(trial.steps))]
    return sorted(rows, key=lambda at: (float(trials[at[0]].steps[at[1]]), at[0])) if side_by_side else rows


def _in_rounds(judge: _Rounds, trials: Sequence[Trial], reports: Reports) -> list[Position | None]:
    """Every live run trains to its next rung, or its end, and waits; who goes on is decided when all have come."""
    stopped: list[Position | None] = [None] * len(trials)
    row, live = [0] * len(trials), set(range(len(trials)))
    while live:
        for run in sorted(live):
            trial, arrived = trials[run], False
            while not arrived and row[run] < len(trial.steps):
                reports.take(run, float(trial.steps[row[run]]), float(trial.scores[row[run]]))
                row[run] += 1
                arrived = judge.arrives(reports, run)
            if not arrived:
                live.discard(run)
        losers = judge.losers()
        for run in losers:
            stopped[run] = float(trials[run].steps[row[run] - 1])
        live -= losers
    return stopped


def _at(reports: Reports, run: int, step: float) -> float:
    """What a run reported at a step; NaN where it reported nothing there."""
    steps = reports.steps(run)
    i = int(np.searchsorted(steps, step))
    return reports.scores(run)[i] if i < len(steps) and steps[i] == step else math.nan


def _first_rung(least: Position | None, factor: int, planned: Position) -> Position:
    return planned / factor**RUNGS if least is None else least


def _shrinks(factor: int, least: Position | None) -> None:
    if factor < 2:
        raise BadOption(f"a factor of {factor} keeps every run", hint="give a whole number from 2 on")
    if least is not None and least <= 0:
        raise BadOption(f"a first rung at step {least:g} is before the first step", hint="give a step above 0")


def _from(least: Position | None) -> str:
    return "" if least is None else f" from step {least:g}"
