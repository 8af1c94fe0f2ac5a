"""The whole examination on one page."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from runopsy import phases, readers, verdicts
from runopsy.errors import BadOption, CannotJudge
from runopsy.model import Autopsy, Case, Check, Event, Outcome, Role, Rule, Run, Segments, Signal
from runopsy.rules import RULES
from runopsy.rules.stability import LossSpike
from runopsy.segments import segment
from runopsy.signals import assign, measure, mover, rebase

JUDGED = ("train/loss", "train/acc", "val/loss", "val/acc")  # the curves that phases and verdicts are made from


def analyze(
    run: Run | str | os.PathLike[str],
    *,
    roles: Mapping[str, str] | None = None,
    x: str | None = None,
    rules: tuple[Rule, ...] = RULES,
) -> Autopsy:
    """Everything a log can tell, and what it cannot.

    Args:
        run: a Run, or the path of anything ``runopsy.read`` reads.
        roles: canonical role → column, overriding what the names suggest.
        x: count by ``"step"``, ``"epoch"``, ``"tokens"`` or ``"time"`` instead of the log's own axis.
        rules: the questions to ask.

    Raises:
        UnreadableLog: the path cannot be read.
        BadOption: a role, column or axis that does not exist.
        CannotJudge: no column of the log is a loss or an accuracy.
    """
    run = run if isinstance(run, Run) else readers.read(run)
    assigned = assign(run.tracks, roles)
    with np.errstate(all="ignore"):  # what is not finite is told as such; NumPy's remarks on it are noise on stderr
        return _examined(run, assigned, x, rules)


def _examined(run: Run, assigned: tuple[Role, ...], x: str | None, rules: tuple[Rule, ...]) -> Autopsy:
    """The examination of a run whose columns have their roles."""
    measured = measure(run, assigned)
    signals, resumes = measured.signals, measured.resumes
    if x:
        move = mover(signals, run.axis, x)
        signals = rebase(signals, run.axis, x)
        resumes = tuple(move(np.array(resumes)).tolist())
        run = replace(run, marks=tuple(replace(m, step=float(move(np.array([m.step]))[0])) for m in run.marks))
    judged = {n: signals[n] for n in JUDGED if n in signals}
    _require_something(run, judged)
    first, last = _extent(judged)
    case = Case(run, signals, {}, first, last, resumes)
    leaps = {rule.code: _ask(rule, case) for rule in rules if isinstance(rule, LossSpike)}
    case = replace(case, segments=_cut(judged, first, _spans(leaps.values()), signals.get("lr")))
    checks, events = _ask_all(rules, case, leaps)
    named = phases.name(case, events)
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
        transitions=phases.transitions(case, named, events),
        verdict=verdicts.judge(case, named, events),
        stop=verdicts.stop(case),
        thresholds={rule.code: asdict(rule) for rule in rules},  # type: ignore[call-overload]  # every rule is a dataclass
        notes=(*run.notes, *measured.notes),
    )


def _spans(leaps: Iterable[Check]) -> list[tuple[float, float]]:
    """Where the loss leapt and came back: no stretch of a curve should be fitted to that."""
    return [(e.step, e.until or e.step) for check in leaps for e in check.events]


def _cut(
    judged: Mapping[str, Signal], first: float, spikes: list[tuple[float, float]], rate: Signal | None
) -> dict[str, Segments]:
    """The judged curves cut into stretches; those with too few values are left out."""
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
    """One rule's answer; it sees only the signals it says it needs, and those of ``JUDGED``."""
    title = (type(rule).__doc__ or rule.code).splitlines()[0].rstrip(".")
    missing = [name for name in rule.needs if name not in case.signals or not _has_values(case.signals[name])]
    if missing:
        return Check(rule.code, title, Outcome.NOT_CHECKED, why=f"the log has no {' and no '.join(missing)}")
    events = tuple(rule(case.only({*rule.needs, *JUDGED})))
    return Check(rule.code, title, Outcome.FOUND if events else Outcome.QUIET, events)


def _has_values(signal: Signal) -> bool:
    return len(signal) > 0 or signal.broken is not None


def _require_something(run: Run, judged: Mapping[str, Signal]) -> None:
    if any(_has_values(s) for s in judged.values()):
        return
    columns = ", ".join(list(run.tracks)[:10]) + (" …" if len(run.tracks) > 10 else "")
    raise CannotJudge(
        f"{run.path} has no column that is a loss or an accuracy (columns: {columns})",
        hint="say which is which: --map train/loss=NAME --map val/loss=NAME",
    )


def _extent(judged: Mapping[str, Signal]) -> tuple[float, float]:
    """First and last position at which any judged curve has a value, finite or not."""
    steps = [s.step for s in judged.values()] + [s.broken for s in judged.values() if s.broken is not None]
    filled = [s for s in steps if len(s)]
    return float(min(s[0] for s in filled)), float(max(s[-1] for s in filled))


def tuned(rules: tuple[Rule, ...], overrides: Mapping[str, Mapping[str, Any]]) -> tuple[Rule, ...]:
    """The rules with some thresholds replaced: code → threshold → value.

    Raises:
        BadOption: a code, a threshold or a value that does not fit.
    """
    known = {rule.code: rule for rule in rules}
    for code, values in overrides.items():
        if code not in known:
            raise BadOption(f"there is no rule {code!r}", hint=f"rules: {', '.join(known)}")
        known[code] = _replaced(known[code], values)
    return tuple(known.values())


def _replaced(rule: Rule, values: Mapping[str, Any]) -> Rule:
    thresholds: dict[str, Any] = asdict(rule)  # type: ignore[call-overload]  # every rule is a dataclass
    for name, value in values.items():
        if name not in thresholds:
            raise BadOption(
                f"rule {rule.code} has no threshold {name!r}", hint=f"it has {', '.join(thresholds) or 'none'}"
            )
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise BadOption(
                f"rule {rule.code}: {name} = {value!r} is no number", hint=f"the default is {thresholds[name]}"
            )
    return replace(rule, **values)  # type: ignore[type-var]  # every rule is a dataclass
