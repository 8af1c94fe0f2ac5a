"""A stopping rule over a set of runs, replayed on runs that went on: where each would have stopped.

The runs of a set report one after the other (the next begins when the one before has ended, as one machine trains
them), or side by side, all at the same pace.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from runopsy.model import Position, Positions, Values
from runopsy.study.set_policies import Reports, Rounds, SetPolicy


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """One run of a set, as a replay reads it."""

    name: str
    steps: Positions  # (n,) elapsed, from the beginning of the run
    scores: Values  # (n,) lower is better; NaN where the evaluation was not finite
    end: Position  # elapsed steps of the whole run


def replay_set(policy: SetPolicy, trials: Sequence[Trial]) -> list[Position | None]:
    """Where each run of a set would have stopped, in elapsed steps; None for those that run to their end.

    The trials come in the order in which they were started.
    """
    reports = Reports(len(trials), max(trial.end for trial in trials))
    judge = policy.start(len(trials))
    if isinstance(judge, Rounds):
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


def _in_rounds(judge: Rounds, trials: Sequence[Trial], reports: Reports) -> list[Position | None]:
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
