"""Policies replayed on logs: what each would have saved, and what it would have missed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

import numpy as np

from runopsy import readers
from runopsy.errors import CannotJudge, NotChecked, RunopsyError
from runopsy.model import Autopsy, Position, Run, Values
from runopsy.signals import assign, measure, with_sums
from runopsy.study.outcome_table import (
    NINE_IN_TEN,
    Backtest,
    Dated,
    Outcome,
    SetOutcome,
    Unjudged,
    outcome,
    seconds_between,
    summaries,
)
from runopsy.study.policies import (
    Budget,
    GeneralizationLoss,
    Memorization,
    NoiseFalls,
    Patience,
    Policy,
    ProgressQuotient,
    Rises,
    decide,
)
from runopsy.study.policy_grammar import parse
from runopsy.study.set_policies import SetPolicy
from runopsy.study.set_replay import Trial, replay_set
from runopsy.study.view import WITNESSES, Log, is_higher_better, with_broken, with_trailing_noise_scale

# What is replayed where nobody names a policy: the defaults of the frameworks, Prechelt's own settings, the articles'.
USUAL: tuple[Policy, ...] = (
    Policy(Patience(1)),  # Transformers' default
    Policy(Patience(3)),  # Lightning's default
    Policy(Patience(10)),
    Policy(Patience(50)),  # what the articles advise where grokking is possible
    Policy(GeneralizationLoss(5)),
    Policy(ProgressQuotient(0.5)),
    Policy(Rises(3)),
    Policy(Memorization()),
    Policy(Memorization(10)),
    Policy(NoiseFalls(50)),
    Policy(Budget(percent=75)),
)
ORDERS = 100  # in which the runs of a set may have been started: a mean over them moves by a hundredth

Subject: TypeAlias = "Autopsy | Run | str | os.PathLike[str]"


def backtest(
    runs: Subject | Iterable[Subject],
    policies: Sequence[str | Policy | SetPolicy] = (),
    *,
    watch: str | None = None,
    roles: Mapping[str, str] | None = None,
) -> Backtest:
    """What stopping rules would have saved and missed, had they been followed in runs that went on.

    Args:
        runs: paths, runs or autopsies; a path that holds several runs counts as all of them.
        policies: sentences such as ``"when val/loss has not improved for 20 evals: stop"``, or their values from
            ``runopsy.study``; default: the usual ones. Those over sets take all runs as one set.
        watch: the signal that outcomes are measured by; default: the first of validation loss, accuracy, metric.
        roles: canonical role → column, as for ``analyze``.

    Raises:
        BadOption: a policy is no sentence of the grammar.
        CannotJudge: no run could be replayed.
    """
    asked = [parse(policy) if isinstance(policy, str) else policy for policy in policies] or list(USUAL)
    logs, unjudged = _logs(runs, watch, roles)
    if not logs:
        raise CannotJudge(
            f"none of the runs can be replayed: {unjudged[0].run}: {unjudged[0].why}"
            if unjudged
            else "no run is given",
            hint="a replay needs a validation curve; runopsy signals RUN shows what a log holds",
        )
    outcomes: list[Outcome] = []
    dated: list[Dated] = []
    sets: list[SetOutcome] = []
    for policy in asked:
        if isinstance(policy, Policy):
            for log in logs:
                _replayed(policy, log, outcomes, dated, unjudged)
        else:
            try:
                sets.append(over_set(policy, logs))
            except NotChecked as cannot:
                unjudged.append(Unjudged(str(policy), f"the set of {len(logs)} runs", cannot.message))
    names = tuple(log.name for log in logs)
    return Backtest(names, tuple(outcomes), summaries(outcomes), tuple(sets), tuple(dated), tuple(unjudged))


def _replayed(policy: Policy, log: Log, outcomes: list[Outcome], dated: list[Dated], unjudged: list[Unjudged]) -> None:
    """One policy on one run, put where it belongs."""
    try:
        decision = decide(policy, log)
        if policy.replays:
            outcomes.append(outcome(str(policy), log, decision))
        else:
            step, why = (None, "") if decision is None else (decision.step, decision.why)
            dated.append(Dated(str(policy), log.name, log.axis, step, why))
    except NotChecked as cannot:
        unjudged.append(Unjudged(str(policy), log.name, cannot.message))


# --- logs ----------------------------------------------------------------------------------------


def _logs(
    runs: Subject | Iterable[Subject], watch: str | None, roles: Mapping[str, str] | None
) -> tuple[list[Log], list[Unjudged]]:
    """The runs that can be replayed, and why others cannot."""
    logs: list[Log] = []
    refused: list[Unjudged] = []
    subjects = [runs] if isinstance(runs, (str, os.PathLike, Run, Autopsy)) else runs
    for subject in subjects:
        for name, load in _each(subject, refused):
            try:
                logs.append(log_of(load(), watch=watch, roles=roles, name=name))
            except RunopsyError as error:
                refused.append(Unjudged("", name, error.message))
    return logs, refused


def _each(subject: Subject, refused: list[Unjudged]) -> Iterator[tuple[str, Callable[[], Run | Autopsy]]]:
    """(name, what reads it) of every run that a subject stands for."""
    if isinstance(subject, (Run, Autopsy)):
        ready = subject
        yield (subject.run if isinstance(subject, Autopsy) else subject).id, lambda: ready
        return
    try:
        found = readers.runs(subject)
    except RunopsyError as error:
        refused.append(Unjudged("", str(subject), error.message))
        return
    for candidate in found:
        yield (str(subject) if len(found) == 1 else f"{subject}: {candidate.name}"), candidate.read


def log_of(
    subject: Run | Autopsy,
    *,
    watch: str | None = None,
    roles: Mapping[str, str] | None = None,
    name: str | None = None,
) -> Log:
    """A run as a replay reads it.

    Raises:
        NotChecked: no validation curve of two rows is in it.
        BadOption: a role names a column that does not exist.
    """
    run = with_sums(subject.run if isinstance(subject, Autopsy) else subject)
    assigned = subject.roles if isinstance(subject, Autopsy) else assign(run.tracks, roles, None, run.config)
    signals = with_trailing_noise_scale(measure(run, assigned).signals)
    wanted = WITNESSES if watch is None else (watch,)
    witness = next((n for n in wanted if n in signals and len(signals[n]) > 1), "")
    if not witness:
        raise NotChecked(f"the log has no {'validation curve' if watch is None else watch} of two rows")
    first = min(float(s.step[0]) for s in signals.values() if len(s))
    last = max(float(s.step[-1]) for s in signals.values() if len(s))
    return Log(name or run.id, run.axis, signals, witness, first, last)


# --- sets ----------------------------------------------------------------------------------------


def over_set(policy: SetPolicy, logs: Sequence[Log]) -> SetOutcome:
    """What a policy would have saved and missed over a set of runs that are tried against each other.

    Raises:
        NotChecked: they are too few, or are not measured by the same signal on the same axis.
    """
    kinds = {(log.witness, log.axis) for log in logs}
    if len(logs) < 2 or len(kinds) > 1:
        what = "one run is no set" if len(logs) < 2 else "the runs are not measured by one signal on one axis"
        raise NotChecked(what)
    trials = [_trial(log) for log in logs]
    generator = np.random.default_rng(0)
    orders = [np.arange(len(logs))]
    orders += [] if policy.side_by_side else [generator.permutation(len(logs)) for _ in range(ORDERS - 1)]
    replays = []
    for order in orders:
        stops = replay_set(policy, [trials[i] for i in order])
        replays.append({int(i): stop for i, stop in zip(order, stops, strict=True)})
    saved, regret, kept = (np.array(column) for column in zip(*(_of_set(trials, r) for r in replays), strict=True))
    given = [replays[0][i] for i in range(len(logs))]
    seconds = [None if stop is None else seconds_between(log, log.first + stop, log.last)
               for log, stop in zip(logs, given, strict=True)]  # fmt: skip
    timed = all(one is not None for one, stop in zip(seconds, given, strict=True) if stop is not None)
    return SetOutcome(
        policy=str(policy),
        runs=len(logs),
        axis=logs[0].axis,
        signal=logs[0].witness,
        stops=tuple((log.name, None if s is None else log.first + s) for log, s in zip(logs, given, strict=True)),
        saved=float(saved.mean()),
        saved_seconds=sum(s for s in seconds if s is not None) if timed else None,
        saved_range=_middle(saved),
        regret=float(regret.mean()),
        regret_range=_middle(regret),
        best_kept=float(kept.mean()),
        orders=len(orders),
    )


def _middle(values: Values) -> tuple[float, float]:
    low, high = np.percentile(values, NINE_IN_TEN)
    return float(low), float(high)


def _trial(log: Log) -> Trial:
    witness = log.clock(log.witness)
    step, value = with_broken(witness)
    return Trial(log.name, step - log.first, -value if is_higher_better(witness) else value, log.last - log.first)


def _of_set(trials: Sequence[Trial], stops: Mapping[int, Position | None]) -> tuple[float, float, bool]:
    """Share of all steps saved, share of the best run's gain missed, and whether the best itself was reached."""
    used, reached = 0.0, []
    for i, trial in enumerate(trials):
        stop = stops[i]
        used += trial.end if stop is None else stop
        seen = trial.scores if stop is None else trial.scores[trial.steps <= stop]
        reached.append(_least(seen))
    winner = min(trials, key=lambda trial: _least(trial.scores))
    known = winner.scores[~np.isnan(winner.scores)]
    best, gained = _least(known), float(known[0]) - _least(known)
    missed = min(reached) - best
    saved = 1 - used / sum(trial.end for trial in trials)
    return saved, missed / gained if gained > 0 else 0.0, missed <= 0


def _least(scores: Values) -> float:
    """The best score; infinite where there is none."""
    return float(np.nanmin(scores, initial=np.inf))
