"""The whole examination on one page."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from runopsy import best_step, confidence, phases, readers, verdicts
from runopsy.blas import one_thread
from runopsy.errors import CannotJudge, NotChecked
from runopsy.facts import Case, Facts, facts_of
from runopsy.facts.case import Rule
from runopsy.facts.schedule import by_passes, jumps
from runopsy.facts.spikes import spikes_of
from runopsy.model import (
    EVALUATED,
    JUDGED,
    Autopsy,
    Check,
    Event,
    Outcome,
    Phase,
    Role,
    Run,
    Segments,
    Signal,
    Transition,
    Verdict,
)
from runopsy.precursors import before_it_broke
from runopsy.rules.curves import inside
from runopsy.segments import EXACT, Segmenter, segment
from runopsy.signals import assign, derived, measure, mover, rebase, refusal, with_powers, with_sums
from runopsy.standards import Standards, tuned, values
from runopsy.stats import median
from runopsy.thresholds import Limits

if TYPE_CHECKING:
    from runopsy.model import Expected, GroupSteps, Level, Readout, Regime, WatchedExamples

STANDARDS = Standards()
READOUT_GAP = "readout/gap"  # the signal without which there is no readout to decompose
SHOWN = ("reward", "val/metric", "train/metric")  # where no curve is judged: curves to show, and no fit to judge
PLAYER = "player/"


def analyze(
    run: Run | str | os.PathLike[str],
    *,
    roles: Mapping[str, str] | None = None,
    x: str | None = None,
    metric: str | None = None,
    standards: Standards = STANDARDS,
    thresholds: Mapping[str, Any] | None = None,
    segmenter: Segmenter = EXACT,
) -> Autopsy:
    """Everything a log can show, and what it cannot.

    Args:
        run: a Run, or the path of anything ``runopsy.read`` reads.
        roles: canonical role → column, overriding what the names suggest.
        x: count by ``"step"``, ``"epoch"``, ``"tokens"`` or ``"time"`` instead of the log's own axis.
        metric: the column by which the best step is to be chosen, as ``--metric`` takes it.
        standards: the rules to ask, and the thresholds of all that is judged.
        thresholds: threshold → value, or signal → threshold → value, in place of those of ``standards``.
        segmenter: what cuts curves into pieces: ours, or ``runopsy.segments.by_ruptures.Ruptures``.

    Raises:
        UnreadableLog: the path cannot be read.
        BadOption: a role, column, axis or threshold that does not exist, or a value outside its domain.
        CannotJudge: no column of the log is a loss, an accuracy, a score or a reward.

    Examples:
        >>> autopsy = runopsy.analyze("sample_logs/overfitting")
        >>> autopsy.verdict.name, autopsy.stop.best_step
        ('overfit', 360.0)
        >>> [phase.label for phase in autopsy.phases]
        ['underfitting', 'feature_learning', 'memorization']
        >>> [check.code for check in autopsy.checks if check.outcome == "not_checked"]
        ['L02', 'G02', 'G03', 'M02', 'C01', 'H01']
    """
    run = with_sums(run if isinstance(run, Run) else readers.read(run))
    assigned = assign(run.tracks, roles, metric, run.config)
    # what is not finite is reported as such; NumPy's warnings of it are noise on stderr
    with one_thread(), np.errstate(all="ignore"):
        return _examined(run, assigned, x, tuned(standards, thresholds or {}), segmenter)


def _examined(
    run: Run, assigned: tuple[Role, ...], x: str | None, standards: Standards, segmenter: Segmenter
) -> Autopsy:
    """The examination of a run whose columns have their roles."""
    measured = measure(run, assigned)
    signals, resumes = with_powers(derived(measured.signals, standards.limits)), measured.resumes
    if x:
        move = mover(signals, run.axis, x)
        signals = rebase(signals, run.axis, x)
        resumes = tuple(move(np.array(resumes)).tolist())
        run = replace(run, marks=tuple(replace(m, step=float(move(np.array([m.step]))[0])) for m in run.marks))
    signals, by_pass = by_passes(signals, x or run.axis, standards.limits)
    case = _case(run, assigned, signals, resumes, standards, segmenter)
    checks, events = _ask_all(standards.rules, case)
    named, turns, verdict = _concluded(case, events, standards)
    inside_by_phase, expected = _inside_by_phase(case, named)
    return Autopsy(
        run=run,
        axis=x or run.axis,
        first=case.first,
        last=case.last,
        roles=assigned,
        signals=signals,
        segments=case.segments,
        checks=checks,
        phases=named,
        transitions=turns,
        verdict=verdict,
        stop=None if case.facts.not_a_run else best_step.stop(case, assigned),
        thresholds=values(standards.limits),
        notes=(*run.notes, *measured.notes, *by_pass, *_explained(case.facts)),
        examples=_watched(run),
        levels=inside_by_phase,
        expected=expected,
        groups=_groups(case),
        breakdowns=before_it_broke(events, case.signals, standards.limits.outlier),
        regime=_regime(case),
        readout=_readout(case),
    )


def _groups(case: Case) -> GroupSteps | None:
    """The steps of groups of examples, where their accuracies were recorded."""
    if not any(name.startswith("groups/") for name in case.signals):
        return None
    from runopsy.groups import steps_of

    return steps_of(case.signals, case.first)


def _inside_by_phase(case: Case, named: Sequence[Phase]) -> tuple[tuple[Level, ...], tuple[Expected, ...]]:
    """Levels of the signals of the inside by phase, and the literature's answers to them; nothing of a plain log."""
    if not named or not any(name in case.segments for name in inside(case.signals)):
        return (), ()
    from runopsy.expectations import answers, levels

    found = levels(named, case.signals, case.segments)
    return found, answers(named, found, case.limits.likely)


def _regime(case: Case) -> Regime | None:
    """Parameters against examples of a run of our own recorder, which states them."""
    if not case.run.taken:
        return None
    from runopsy.facts.regime import regime_of

    return regime_of(case.run, case.facts)


def _readout(case: Case) -> Readout | None:
    """The decomposition into representation and readout, where the readout's gap was recorded."""
    if READOUT_GAP not in case.segments:
        return None
    from runopsy.facts.readout import readout_of

    return readout_of(case.segments, case.limits)


def _watched(run: Run) -> WatchedExamples | None:
    """What its watched examples show; nothing is loaded for a log that has none."""
    if not run.examples:
        return None
    from runopsy.examples import watched_examples

    return watched_examples(run.examples)


def _explained(facts: Facts) -> Iterator[str]:
    """What looks wrong in the curves and need not be."""
    if facts.ahead:
        yield (
            "validation is better than training for many rows; usual causes: training figures are averages over the "
            "epoch, or read with dropout and augmentation"
        )


def _case(
    run: Run,
    assigned: Sequence[Role],
    signals: Mapping[str, Signal],
    resumes: tuple[float, ...],
    standards: Standards,
    segmenter: Segmenter,
) -> Case:
    """All that is known of a run before it is judged: spikes, segments, facts."""
    judged = {n: signals[n] for n in JUDGED if n in signals}
    about = _require_something(run, assigned, signals)
    loss, limits = judged.get("train/loss"), standards.limits
    spikes = () if loss is None else spikes_of(loss, limits)
    changes = [at for at, _, _ in jumps(signals["lr"], limits)] if "lr" in signals else []
    read = {name: signals[name] for name in EVALUATED if name in signals}
    facts = facts_of({**about, **read}, spikes, run.marks, changes, limits)
    watched = {**judged, **{name: signals[name] for name in inside(signals)}}
    spans = [(s.start, s.end) for s in facts.spikes]
    segments = _cut(watched, facts.first, spans, signals.get("lr"), segmenter, limits)
    return Case(run, signals, segments, facts, facts.first, facts.last, resumes, tuple(changes), limits=limits)


def _concluded(
    case: Case, events: tuple[Event, ...], standards: Standards
) -> tuple[tuple[Phase, ...], tuple[Transition, ...], Verdict]:
    """Phases, transitions and verdict, each with how sure it is."""
    if case.facts.not_a_run:
        return (), (), verdicts.judge(case)
    named, turns = phases.phases_of(case, events)
    verdict = verdicts.judge(case)
    return confidence.weigh(case, events, named, turns, verdict)


def _cut(
    judged: Mapping[str, Signal],
    first: float,
    spikes: list[tuple[float, float]],
    rate: Signal | None,
    segmenter: Segmenter,
    limits: Limits,
) -> dict[str, Segments]:
    """The curves that are watched cut into stretches; those with too few values are left out."""
    found = {}
    for name, signal in judged.items():
        without = [(start, _first_after(signal, until)) for start, until in spikes]
        found[name] = segment(signal, first, without=without, rate=rate, segmenter=segmenter, limits=limits)
    return {name: segments for name, segments in found.items() if segments is not None}


def _first_after(signal: Signal, step: float) -> float:
    """The first value at or after a spike's end, which still feels it where evaluations are rare."""
    after = signal.step[np.searchsorted(signal.step, step) :]
    rare = len(signal) > 1 and median(np.diff(signal.step)) > 1
    return float(after[0]) if len(after) and rare else step


def _ask_all(rules: tuple[Rule, ...], case: Case) -> tuple[tuple[Check, ...], tuple[Event, ...]]:
    """Every rule's answer, and what was found; each rule sees what those before it have found."""
    checks: list[Check] = []
    for rule in rules:
        checks.append(_ask(rule, case))
        case = replace(case, events=(*case.events, *checks[-1].events))
    return tuple(checks), case.events


def _ask(rule: Rule, case: Case) -> Check:
    """One rule's answer."""
    title = (type(rule).__doc__ or rule.code).splitlines()[0].rstrip(".")
    if case.facts.not_a_run:
        return Check(rule.code, title, Outcome.NOT_CHECKED, why="the rows are no training run")
    missing = [name for name in rule.needs if name not in case.signals or not _has_values(case.signals[name])]
    if missing:
        lacks = [f"{name} beside its axis" if name == case.run.axis else name for name in missing]
        return Check(rule.code, title, Outcome.NOT_CHECKED, why=f"the log has no {' and no '.join(lacks)}")
    try:
        events = tuple(rule(case))
    except NotChecked as cannot:
        return Check(rule.code, title, Outcome.NOT_CHECKED, why=cannot.message)
    return Check(rule.code, title, Outcome.FOUND if events else Outcome.NOT_FOUND, events)


def _has_values(signal: Signal) -> bool:
    return len(signal) > 0 or signal.broken is not None


def _require_something(run: Run, roles: Sequence[Role], signals: Mapping[str, Signal]) -> Mapping[str, Signal]:
    """The curves that the log is about: those that are judged, or else a reward, scores, players.

    Raises:
        CannotJudge: there are none.
    """
    found = {name: signals[name] for name in JUDGED if name in signals and _has_values(signals[name])}
    if not found:  # a score beside the losses of players does not hide what they are
        about = {name: one for name, one in signals.items() if name in SHOWN or name.startswith(PLAYER)}
        found = {name: one for name, one in about.items() if _has_values(one)}
    if not found:
        what, hint = refusal(roles)
        raise CannotJudge(f"{run.path}: {what}", hint=hint)
    return found
