"""The whole examination on one page."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from runopsy import doubt, phases, readers, verdicts
from runopsy.errors import CannotJudge, NotChecked
from runopsy.model import (
    Autopsy,
    Case,
    Check,
    Event,
    Outcome,
    Phase,
    Role,
    Rule,
    Run,
    Segments,
    Signal,
    Transition,
    Verdict,
)
from runopsy.rules.curves import inside
from runopsy.rules.stability import LossSpike
from runopsy.segments import segment
from runopsy.signals import assign, derived, measure, mover, rebase, refusal, with_sums
from runopsy.standards import Standards, values

STANDARDS = Standards()
JUDGED = ("train/loss", "train/acc", "val/loss", "val/acc")  # the curves that phases and verdicts are made from
SHOWN = ("reward", "val/metric", "train/metric")  # where none of those is: curves to show, and no fit to judge
PLAYER = "player/"


def analyze(
    run: Run | str | os.PathLike[str],
    *,
    roles: Mapping[str, str] | None = None,
    x: str | None = None,
    metric: str | None = None,
    standards: Standards = STANDARDS,
) -> Autopsy:
    """Everything a log can tell, and what it cannot.

    Args:
        run: a Run, or the path of anything ``runopsy.read`` reads.
        roles: canonical role → column, overriding what the names suggest.
        x: count by ``"step"``, ``"epoch"``, ``"tokens"`` or ``"time"`` instead of the log's own axis.
        metric: the column by which the best step is to be chosen, as ``--metric`` takes it.
        standards: the rules to ask, and what makes a phase and a verdict.

    Raises:
        UnreadableLog: the path cannot be read.
        BadOption: a role, column or axis that does not exist.
        CannotJudge: no column of the log is a loss, an accuracy, a score or a reward.
    """
    run = with_sums(run if isinstance(run, Run) else readers.read(run))
    assigned = assign(run.tracks, roles, metric, run.config)
    with np.errstate(all="ignore"):  # what is not finite is told as such; NumPy's remarks on it are noise on stderr
        return _examined(run, assigned, x, standards)


def _examined(run: Run, assigned: tuple[Role, ...], x: str | None, standards: Standards) -> Autopsy:
    """The examination of a run whose columns have their roles."""
    measured = measure(run, assigned)
    signals, resumes = derived(measured.signals), measured.resumes
    if x:
        move = mover(signals, run.axis, x)
        signals = rebase(signals, run.axis, x)
        resumes = tuple(move(np.array(resumes)).tolist())
        run = replace(run, marks=tuple(replace(m, step=float(move(np.array([m.step]))[0])) for m in run.marks))
    judged = {n: signals[n] for n in JUDGED if n in signals}
    first, last = _extent(_require_something(run, assigned, signals))
    case = Case(run, signals, {}, first, last, resumes)
    leaps = {rule.code: _ask(rule, case) for rule in standards.rules if isinstance(rule, LossSpike)}
    watched = {**judged, **{name: signals[name] for name in inside(case)}}
    case = replace(case, segments=_cut(watched, first, _spans(leaps.values()), signals.get("lr")))
    checks, events = _ask_all(standards.rules, case, leaps)
    named, turns, verdict = _concluded(case, events, standards)
    return Autopsy(
        run=run,
        axis=x or run.axis,
        first=first,
        last=last,
        roles=assigned,
        signals=signals,
        segments=case.segments,
        checks=checks,
        phases=named,
        transitions=turns,
        verdict=verdict,
        stop=verdicts.stop(case),
        thresholds={one.code: values(one) for one in standards},
        notes=(*run.notes, *measured.notes),
    )


def _concluded(
    case: Case, events: tuple[Event, ...], standards: Standards
) -> tuple[tuple[Phase, ...], tuple[Transition, ...], Verdict]:
    """Phases, transitions and verdict, each with how sure it is; without a training loss, a verdict alone."""
    if "train/loss" not in case.segments:
        return (), (), verdicts.judge(case, None, events, standards.verdict)
    gone = phases.divergence(events)
    grid = phases.grid(case, gone)
    named = phases.name(case, grid, phases.spells(case, grid, gone, standards.phases))
    turns = phases.transitions(case, named, events, standards.phases)
    verdict = verdicts.judge(case, named[-1].label, events, standards.verdict)
    committee = doubt.ask(case, events, standards)
    return doubt.weigh(committee, named, turns, verdict, standards.phases.window)


def _spans(leaps: Iterable[Check]) -> list[tuple[float, float]]:
    """Where the loss leapt and came back: no stretch of a curve should be fitted to that."""
    return [(e.step, e.until or e.step) for check in leaps for e in check.events]


def _cut(
    judged: Mapping[str, Signal], first: float, spikes: list[tuple[float, float]], rate: Signal | None
) -> dict[str, Segments]:
    """The curves that are watched cut into stretches; those with too few values are left out."""
    found = {}
    for name, signal in judged.items():
        without = [(start, _first_after(signal, until)) for start, until in spikes]
        found[name] = segment(signal, first, without=without, rate=rate)
    return {name: segments for name, segments in found.items() if segments is not None}


def _first_after(signal: Signal, step: float) -> float:
    """The first value at or after a spike's end, which still feels it where evaluations are rare."""
    after = signal.step[np.searchsorted(signal.step, step) :]
    rare = len(signal) > 1 and float(np.median(np.diff(signal.step))) > 1
    return float(after[0]) if len(after) and rare else step


def _ask_all(
    rules: tuple[Rule, ...], case: Case, answered: Mapping[str, Check]
) -> tuple[tuple[Check, ...], tuple[Event, ...]]:
    """Every rule's answer, and what was found; each rule sees what those before it have found."""
    checks: list[Check] = []
    for rule in rules:
        checks.append(answered[rule.code] if rule.code in answered else _ask(rule, case))
        case = replace(case, events=(*case.events, *checks[-1].events))
    return tuple(checks), case.events


def _ask(rule: Rule, case: Case) -> Check:
    """One rule's answer; it sees only the signals it says it needs, those of ``JUDGED``, and the model's inside."""
    title = (type(rule).__doc__ or rule.code).splitlines()[0].rstrip(".")
    missing = [name for name in rule.needs if name not in case.signals or not _has_values(case.signals[name])]
    if missing:
        return Check(rule.code, title, Outcome.NOT_CHECKED, why=f"the log has no {' and no '.join(missing)}")
    try:
        events = tuple(rule(case.only({*rule.needs, *JUDGED, *inside(case)})))
    except NotChecked as cannot:
        return Check(rule.code, title, Outcome.NOT_CHECKED, why=cannot.message)
    return Check(rule.code, title, Outcome.FOUND if events else Outcome.QUIET, events)


def _has_values(signal: Signal) -> bool:
    return len(signal) > 0 or signal.broken is not None


def _require_something(run: Run, roles: Sequence[Role], signals: Mapping[str, Signal]) -> Mapping[str, Signal]:
    """The curves that the log is about: those that are judged, or else a reward, scores, players.

    Raises:
        CannotJudge: there are none.
    """
    for about in (JUDGED, SHOWN):
        found = {name: signals[name] for name in about if name in signals and _has_values(signals[name])}
        if found:
            return found
    found = {name: one for name, one in signals.items() if name.startswith(PLAYER) and _has_values(one)}
    if not found:
        what, hint = refusal(roles)
        raise CannotJudge(f"{run.path}: {what}", hint=hint)
    return found


def _extent(judged: Mapping[str, Signal]) -> tuple[float, float]:
    """First and last position at which any judged curve has a value, finite or not."""
    steps = [s.step for s in judged.values()] + [s.broken for s in judged.values() if s.broken is not None]
    filled = [s for s in steps if len(s)]
    return float(min(s[0] for s in filled)), float(max(s[-1] for s in filled))
