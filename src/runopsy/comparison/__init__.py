"""Two runs, or two sets of runs, laid beside each other: what differs, by how much, and beyond what."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from runopsy.autopsy import STANDARDS, analyze
from runopsy.comparison import judging, separation
from runopsy.comparison.alignment import ALIGNMENTS, Alignment, align, seconds_at
from runopsy.comparison.baseline import stored
from runopsy.comparison.configs import compare_configs
from runopsy.comparison.gates import gates, hits
from runopsy.comparison.judging import Row
from runopsy.comparison.levels import cost, values
from runopsy.comparison.pairing import SURE, Slot, extra_events, extra_phases, middle, slots, sure
from runopsy.comparison.seeds import ALPHA, Splits, Spot, chance
from runopsy.comparison.separation import BY_FACTORS, Parting, separations
from runopsy.errors import BadOption
from runopsy.kinds import MILESTONES
from runopsy.model import Autopsy, Change, Comparison, Laid, Outcome, Phase, Run
from runopsy.standards import Standards

__all__ = ["ALIGNMENTS", "ALPHA", "diff", "gates", "hits", "stored"]

NOTICE = 0.01  # of a run: boundaries of phases that lie closer are one; the first few rows decide which comes first

Subject: TypeAlias = "Autopsy | Run | str | os.PathLike[str]"


def diff(
    a: Subject | Sequence[Subject],
    b: Subject | Sequence[Subject],
    *,
    align: str | None = None,
    roles: Mapping[str, str] | None = None,
    standards: Standards = STANDARDS,
) -> Comparison:
    """What differs between two runs, or between two sets of runs that differ by their seed. Differences are B - A.

    Args:
        a: a path, a run or an autopsy, or several.
        b: what it is compared with.
        align: lay them on one axis by ``"step"``, ``"epoch"``, ``"time"`` or ``"tokens"``, by the lowest
            training ``"loss"`` so far, or ``"phase"`` by phase; default: what the logs count by.
        roles: as for ``analyze``, of paths and runs.
        standards: likewise.

    Raises:
        UnreadableLog, CannotJudge: as ``analyze``.
        BadOption: there is no such axis, a run cannot be laid on it, or a side is empty.

    Examples:
        >>> difference = runopsy.diff("sample_logs/grokking", "sample_logs/memorization")
        >>> difference
        Comparison(...)
    """
    sides = [[_examined(s, roles, standards) for s in _several(side)] for side in (a, b)]
    if not all(sides):
        raise BadOption("one side has no run", hint="give at least one run each")
    return _compared(sides[0], sides[1], align)


def _several(side: Subject | Sequence[Subject]) -> Sequence[Subject]:
    return side if isinstance(side, Sequence) and not isinstance(side, str) else [side]


def _examined(subject: Subject, roles: Mapping[str, str] | None, standards: Standards) -> Autopsy:
    return subject if isinstance(subject, Autopsy) else analyze(subject, roles=roles, standards=standards)


def _compared(a: Sequence[Autopsy], b: Sequence[Autopsy], wanted: str | None) -> Comparison:
    both, split = [*a, *b], len(a)
    story = slots(both)
    axis = align(both, wanted, story)
    splits, config = Splits.of(len(a), len(b)), compare_configs(a, b)
    parts = [
        _phase_rows(both, split, splits, axis, story),
        _event_rows(both, split, splits, axis),
        values(both, split, splits, axis),
        cost(both, split, splits),
    ]
    parted = separations(both, splits, axis)
    odds = _odds(splits, both, parts, parted)
    seeds_alone = config.only_seeds or (odds is not None and odds > ALPHA and splits.least_p <= ALPHA)
    if seeds_alone and odds is not None:
        parted = [separation.by_seeds(p) for p in parted]
    if seeds_alone:
        parts = [[judging.by_seeds(row) for row in part] for part in parts]
    phases, events, levels, costs = (tuple(row.difference for row in part) for part in parts)
    found = Comparison(
        a=tuple(a),
        b=tuple(b),
        align=axis.name,
        outcome="",
        laid_a=_laid(both, range(split), axis),
        laid_b=_laid(both, range(split, len(both)), axis),
        phases=phases,
        events=events,
        extras=(*extra_phases(both, split, story), *extra_events(a, b)),
        separations=tuple(p.separation for p in parted),
        values=levels,
        cost=costs,
        config=config,
        chance=odds,
        least_p=splits.least_p if len(both) > 2 else None,
    )
    return replace(found, outcome=_outcome(found))


def _odds(
    splits: Splits, both: Sequence[Autopsy], parts: Sequence[Sequence[Row]], parted: Sequence[Parting]
) -> float | None:
    """How often seeds alone set two such sets as far apart as these are; None for one run each."""
    if splits.b.shape[1] == 2:
        return None
    rows = [splits.sums(row.score) for part in parts for row in part]
    words_of_runs = [{x.verdict.name, *(e.kind for e in x.events), *(p.label for p in x.phases)} for x in both]
    has = [np.array([float(word in words) for words in words_of_runs]) for word in sorted(set().union(*words_of_runs))]
    kinds = [splits.sums(one - one.mean()) for one in has if np.ptp(one)]
    return chance([*rows, *kinds, *(p.statistic for p in parted if p.statistic is not None)])


def _laid(both: Sequence[Autopsy], side: range, axis: Alignment) -> Laid:
    i = side[middle([both[k] for k in side])]
    x = both[i]
    phases = tuple(Phase(p.label, axis.place(i, p.start), axis.place(i, p.end)) for p in x.phases)
    known = [None, *(t.interval for t in x.transitions)]
    intervals = tuple(None if e is None else (axis.place(i, e[0]), axis.place(i, e[1])) for e in known)
    return Laid(phases, intervals[: len(phases)], {n: (axis.maps[i](s.step), s.level) for n, s in x.segments.items()})


# --- phases and events ---------------------------------------------------------------------------


def _phase_rows(
    both: Sequence[Autopsy], split: int, splits: Splits, axis: Alignment, story: Sequence[Slot]
) -> list[Row]:
    """Where each phase of the story begins, and how long it lasts, where both sides have it."""
    rows: list[Row] = []
    for slot in story:
        if not _shared(slot.phases, split):
            continue
        pairs = list(zip(both, slot.phases, strict=True))
        found = []
        if axis.name != "phase" and any(slot.phases):  # with all at the start of the run there is no question
            begins = [_begins(x, k, axis, i) for i, (x, k) in enumerate(pairs)]
            scale = _elapsed(axis, [None if k is None else x.phases[k].start for x, k in pairs[:split]], both)
            named = {"kind": "begins", "what": slot.label, "unit": axis.name}
            found.append(_row(splits, split, begins, scale=scale, least=_least(both, axis), **named))
        lasts = [_lasts(x, k) for x, k in pairs]
        if len({x.axis for x in both}) == 1 and _shared([s.at for s in lasts], split):
            least = NOTICE * min(x.last - x.first for x in both)
            found.append(_row(splits, split, lasts, least=least, kind="lasts", what=slot.label, unit=both[0].axis))
        pair_is_sure = len(both) > 2 or all(sure(x.phases[k]) for x, k in pairs if k is not None)
        rows += found if pair_is_sure else [judging.doubted(row) for row in found]
    return rows


def _event_rows(both: Sequence[Autopsy], split: int, splits: Splits, axis: Alignment) -> list[Row]:
    """Where each milestone lies, where both sides have it."""
    rows = []
    for kind in MILESTONES:
        found = [next((e for e in x.events if e.kind == kind), None) for x in both]
        if not _shared(found, split):
            continue
        spots = []
        for i, (x, e) in enumerate(zip(both, found, strict=True)):
            spots.append(_absent(x, axis, i) if e is None else _placed(x, e.step, e.interval, axis, i))
        scale = _elapsed(axis, [None if e is None else e.step for e in found[:split]], both)
        rows.append(_row(splits, split, spots, scale=scale, kind="event", what=kind, unit=axis.name))
    return rows


def _row(
    splits: Splits,
    split: int,
    spots: Sequence[Spot],
    *,
    scale: float | None = None,
    least: float = 0.0,
    **named: str,
) -> Row:
    return judging.weigh(splits, spots[:split], spots[split:], scale=scale, least=least, **named)


def _least(both: Sequence[Autopsy], axis: Alignment) -> float:
    """Boundaries that lie very close are one; on the axis of the loss, those within 2 % of it."""
    if not axis.counts:
        return float(BY_FACTORS / np.log(10))
    return NOTICE * min(axis.place(i, x.last) - axis.place(i, x.first) for i, x in enumerate(both))


def _shared(found: Sequence[object], split: int) -> bool:
    return any(f is not None for f in found[:split]) and any(f is not None for f in found[split:])


def _begins(x: Autopsy, k: int | None, axis: Alignment, run: int) -> Spot:
    if k is None:
        return _absent(x, axis, run)
    interval = x.transitions[k - 1].interval if k else (x.first, x.first)
    return _placed(x, x.phases[k].start, interval, axis, run)


def _lasts(x: Autopsy, k: int | None) -> Spot:
    """Own steps from its beginning to its end; the end of the run ends no phase."""
    if k is None:
        return Spot(None)
    phase = x.phases[k]
    if k == len(x.phases) - 1:
        return Spot(None, until=phase.end - phase.start)
    begun = x.transitions[k - 1].interval if k else (x.first, x.first)
    over = x.transitions[k].interval
    interval = None if begun is None or over is None else (max(over[0] - begun[1], 0.0), over[1] - begun[0])
    start, end = seconds_at(x, phase.start), seconds_at(x, phase.end)
    seconds = None if start is None or end is None or x.axis == "time" else end - start
    return Spot(phase.end - phase.start, interval, seconds)


def _placed(x: Autopsy, step: float, interval: tuple[float, float] | None, axis: Alignment, run: int) -> Spot:
    ends = None if interval is None else (axis.place(run, interval[0]), axis.place(run, interval[1]))
    return Spot(axis.place(run, step), ends, None if axis.name == "time" else seconds_at(x, step))


def _absent(x: Autopsy, axis: Alignment, run: int) -> Spot:
    return Spot(None, until=axis.place(run, x.last))


def _elapsed(axis: Alignment, at: Sequence[float | None], both: Sequence[Autopsy]) -> float:
    """What A's runs had done until then, on the common axis; 0 where a share of it means nothing."""
    if not axis.counts:
        return 0.0
    known = [axis.place(i, p) - axis.place(i, both[i].first) for i, p in enumerate(at) if p is not None]
    return float(np.median(known))


# --- the one word --------------------------------------------------------------------------------


def _outcome(c: Comparison) -> str:
    """The one word for the whole comparison."""
    if _identical(c.a, c.b):
        return "identical"
    rows = (*c.phases, *c.events, *c.values)
    if c.config.only_seeds:
        return "seed_noise"
    if c.chance is not None and c.least_p is not None:
        if c.least_p > ALPHA:
            return "undecided"
        return "different" if c.chance <= ALPHA else "seed_noise"
    verdicts = [x.verdict for x in (*c.a, *c.b)]
    words_differ = len({v.name for v in verdicts}) > 1
    words_sure = all(v.confidence is None or v.confidence >= SURE for v in verdicts)
    if any(d.change is Change.REAL for d in rows) or any(e.sure for e in c.extras) or (words_differ and words_sure):
        return "different"
    if words_differ or any(d.change is Change.OPEN for d in (*c.phases, *c.events)):
        return "undecided"
    return "different" if any(s.outcome is Outcome.FOUND for s in c.separations) else "same"


def _identical(a: Sequence[Autopsy], b: Sequence[Autopsy]) -> bool:
    """Whether the logs hold the same values at the same places, run by run."""
    if len(a) != len(b):
        return False
    return all(_same_signals(x, y) for x, y in zip(a, b, strict=True))


def _same_signals(x: Autopsy, y: Autopsy) -> bool:
    if x.signals.keys() != y.signals.keys() or not x.signals:  # a stored autopsy has none
        return False
    return all(
        np.array_equal(s.step, y.signals[n].step) and np.array_equal(s.value, y.signals[n].value)
        for n, s in x.signals.items()
        if not n.startswith("recorder/")
    )
