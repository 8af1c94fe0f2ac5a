"""Which settings go with the outcome: permutation tests, corrected for the number of settings and outcomes.

Where a sweep is a grid, a setting is asked among runs that agree in all others, whatever their seeds: if it did
nothing, their outcomes could be dealt out among its values in any order, whatever the other settings do. Where it is
no grid (a random search hardly has two such runs), the outcomes are dealt out among configurations, the mean over
seeds of each being one, so that seeds do not make one configuration many. ``permutation`` has the test itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from runopsy.model import Outcome as Answered
from runopsy.study.outcomes import ALPHA, Outcome, Scatter
from runopsy.study.permutation import EPS, Code, Design, Matrix, level_sums, step_down
from runopsy.study.row import Row
from runopsy.study.settings import Differences, Setting, configurations, shown, spelled

GRID = 0.5  # share of the runs that have another to be compared with, all other settings alike, for a grid
BINS = 4  # parts of a numeric setting that has too many values to ask each
PER_LEVEL = 3  # configurations that a level should have; a numeric setting with fewer is put into parts
FEWEST = 3  # runs


@dataclass(frozen=True, slots=True)
class Level:
    """What became of the runs with one value of a setting, or with values in one part of its range."""

    value: str
    low: float | None  # of numbers
    high: float | None
    runs: int
    mean: float | None  # of the outcome; None: no run has one
    spread: float | None  # standard deviation over configurations; None: fewer than two
    standard_error: float | None


@dataclass(frozen=True, slots=True)
class Mattered:
    """What is known of one setting and one outcome."""

    setting: str
    also: tuple[str, ...]  # settings that change exactly where this one does
    outcome: str
    answer: Answered
    p: float | None  # corrected for the number of settings and outcomes; None: not checked
    share: float | None  # of the outcome's variance between configurations, less what chance gives
    direction: str  # "rises" or "falls" with it; "" where neither, or the values have no order
    levels: tuple[Level, ...]
    why: str = ""  # of not checked: what is missing


def what_mattered(rows: Sequence[Row], found: Differences, outcome: Outcome | None) -> tuple[Mattered, ...]:
    """Every setting that differs, against the outcome and against the verdict; the surest first.

    Args:
        rows: of the runs.
        found: what differs between them.
        outcome: one number a run; None where they have none.
    """
    asked = [one for one in (_scores(rows, outcome), _verdicts(rows)) if one is not None]
    answers = [answer for name, values in asked for answer in _asked(found, outcome, name, values, len(asked), rows)]
    order = {Answered.FOUND: 0, Answered.NOT_FOUND: 1, Answered.NOT_CHECKED: 2}
    return tuple(sorted(answers, key=lambda one: (order[one.answer], 1.0 if one.p is None else one.p)))


def _scores(rows: Sequence[Row], outcome: Outcome | None) -> tuple[str, Matrix] | None:
    if outcome is None or outcome.known < FEWEST:
        return None
    values = np.array([np.nan if value is None else value for value in outcome.values])
    return (outcome.name, values[:, None]) if len(np.unique(values[~np.isnan(values)])) > 1 else None


def _verdicts(rows: Sequence[Row]) -> tuple[str, Matrix] | None:
    """One column a verdict: 1 where a run has it."""
    words = sorted({row.verdict for row in rows if row.verdict is not None})
    if len(words) < 2:
        return None
    table = np.array([[float(row.verdict == word) for word in words] for row in rows])
    table[[row.verdict is None for row in rows]] = np.nan
    return "verdict", table


def _asked(
    found: Differences, outcome: Outcome | None, name: str, values: Matrix, families: int, rows: Sequence[Row]
) -> list[Mattered]:
    """The answers for one outcome."""
    known = [tuple(i for i in group if not np.isnan(values[i]).any()) for group in configurations(rows, found)]
    groups = [group for group in known if group]
    settings = [s for s in found.settings if len({spelled(s.values[group[0]]) for group in groups}) > 1]
    described = [_levels(s, groups, outcome) for s in settings]
    if sum(map(len, groups)) < FEWEST:
        why = f"{sum(map(len, groups))} runs are too few for any test"
        return [_unasked(s, name, levels, why) for s, levels in zip(settings, described, strict=True)]
    designs = [_design(s, settings, groups, values, categories=name == "verdict") for s in settings]
    answers = []
    for setting, design, levels, tested in zip(settings, designs, described, step_down(designs, families), strict=True):
        if tested.p > ALPHA and tested.least * len(settings) * families > ALPHA:
            why = f"so few runs cannot show it: the least p that they can give is {tested.least:.2g}"
            why += f", and {len(settings) * families} are asked at once" if len(settings) * families > 1 else ""
            answers.append(_unasked(setting, name, levels, why))
            continue
        answers.append(
            Mattered(
                setting.name,
                setting.also,
                name,
                Answered.FOUND if tested.p <= ALPHA else Answered.NOT_FOUND,
                tested.p,
                design.share,
                "" if name == "verdict" else _direction(setting, levels),
                levels,
            )
        )
    return answers


def _unasked(setting: Setting, name: str, levels: tuple[Level, ...], why: str) -> Mattered:
    return Mattered(setting.name, setting.also, name, Answered.NOT_CHECKED, None, None, "", levels, why)


def _design(
    setting: Setting,
    settings: Sequence[Setting],
    groups: Sequence[tuple[int, ...]],
    values: Matrix,
    *,
    categories: bool,
) -> Design:
    """How a setting is asked: among runs that agree in all others where there are such, else among configurations."""
    firsts = [group[0] for group in groups]
    means, degrees = _scored(np.array([values[list(group)].mean(axis=0) for group in groups]), categories=categories)
    level = _encoded(setting, firsts)
    runs = [i for group in groups for i in group]
    others = [tuple(spelled(s.values[i]) for s in settings if s is not setting) for i in runs]
    numbered: dict[tuple[str, ...], int] = {}
    block = np.array([numbered.setdefault(other, len(numbered)) for other in others])
    code = _encoded(setting, runs)
    compared = [len(set(code.level[block == k].tolist())) > 1 for k in range(len(numbered))]
    if np.array(compared)[block].mean() < GRID:
        block = np.zeros(len(means), dtype=np.int64)
        return Design(means, degrees, level, block, level.level, float((means**2).sum()), is_grid=False)
    y, degrees = _scored(values[runs], categories=categories)
    sums, counts = level_sums(y, block), np.bincount(block)[:, None]
    return Design(y - (sums / counts)[block], degrees, code, block, level.level, float((y**2).sum()), is_grid=True)


def _scored(values: Matrix, *, categories: bool) -> tuple[Matrix, int]:
    """Outcomes as the test takes them, and the degrees of freedom of one contrast."""
    if not categories:  # ranks as a normal distribution has them: one outlier moves nothing
        return _normal_scores(values[:, 0])[:, None], 1
    shares = values.mean(axis=0)
    return (values - shares) / np.sqrt(np.maximum(shares, EPS)), max(1, int((shares > 0).sum()) - 1)


def _encoded(setting: Setting, firsts: Sequence[int]) -> Code:
    values = [setting.values[i] for i in firsts]
    return Code(np.array(_level_of(setting, values)), _normal_scores(values) if setting.numbers else None)


def _level_of(setting: Setting, values: Sequence[Any]) -> list[int]:
    """The level of each value, from 0: itself, or the part of the range where there are too many values."""
    edges = _edges(setting, values)
    if edges is not None:
        _, level = np.unique(
            np.searchsorted(edges, np.array(values, dtype=np.float64), side="right"), return_inverse=True
        )
        return [int(k) for k in level]
    known: dict[str, int] = {}
    return [known.setdefault(spelled(value), len(known)) for value in values]


def _edges(setting: Setting, values: Sequence[Any]) -> Matrix | None:
    """Where a numeric setting is cut into parts with as many configurations each; None where each value is a level."""
    distinct = {spelled(value) for value in values}
    if not setting.numbers or len(distinct) <= max(BINS, len(values) / PER_LEVEL):
        return None
    parts = min(BINS, max(2, len(values) // PER_LEVEL))
    return np.unique(np.quantile(np.array(values, dtype=np.float64), np.arange(1, parts) / parts))


def _normal_scores(values: Sequence[Any] | Matrix) -> Matrix:
    """(n,) ranks as a normal distribution has them, of mean 0."""
    ranks = stats.rankdata(values)
    scores = stats.norm.ppf((ranks - 0.5) / len(ranks))
    return np.asarray(scores - scores.mean())


# --- in numbers that people read -----------------------------------------------------------------


def _direction(setting: Setting, levels: Sequence[Level]) -> str:
    """Whether the mean outcome rises or falls from each of the setting's levels to the next."""
    means = [level.mean for level in levels if level.mean is not None]
    if not setting.numbers or len(means) < 2:
        return ""
    steps = np.sign(np.diff(means))
    return "rises" if (steps > 0).all() else "falls" if (steps < 0).all() else ""


def _levels(setting: Setting, groups: Sequence[tuple[int, ...]], outcome: Outcome | None) -> tuple[Level, ...]:
    values = [setting.values[group[0]] for group in groups]
    level = _level_of(setting, values)
    found = []
    for k in dict.fromkeys(level):
        mine = [group for group, at in zip(groups, level, strict=True) if at == k]
        held = [value for value, at in zip(values, level, strict=True) if at == k]
        found.append(_described(setting, held, mine, outcome))
    return tuple(sorted(found, key=lambda one: (one.low is None, one.low or 0.0, one.value)))


def _described(
    setting: Setting, held: Sequence[Any], groups: Sequence[tuple[int, ...]], outcome: Outcome | None
) -> Level:
    known = [] if outcome is None else [_mean(outcome, group) for group in groups]
    scatter = Scatter.of([value for value in known if value is not None])
    low, high = (float(min(held)), float(max(held))) if setting.numbers else (None, None)
    text = shown(held[0]) if len({spelled(v) for v in held}) == 1 else f"{low:.4g} – {high:.4g}"
    return Level(
        value=text,
        low=low,
        high=high,
        runs=sum(len(group) for group in groups),
        mean=scatter.mean,
        spread=scatter.spread,
        standard_error=scatter.standard_error,
    )


def _mean(outcome: Outcome, group: tuple[int, ...]) -> float | None:
    return Scatter.of([v for i in group if (v := outcome.values[i]) is not None]).mean
