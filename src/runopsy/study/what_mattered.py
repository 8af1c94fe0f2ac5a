"""Which settings go with the outcome: permutation tests over configurations, corrected for their number.

Runs that differ by their seed alone are averaged first: they are one configuration, and its seeds do not make it
several. Under the null hypothesis the outcomes of the configurations could be dealt out in any order; the largest
statistic over all settings is held against its own distribution over such deals (Westfall and Young, Resampling-based
multiple testing, 1993). What is found is taken out of the outcome, and the rest is asked again, so that a second
setting is not hidden by the first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from runopsy.model import Outcome as Answered
from runopsy.study.outcomes import Outcome
from runopsy.study.row import Row
from runopsy.study.settings import Differences, Setting, configurations, spelled

ALPHA = 0.05  # the share of studies in which nothing matters and something is found all the same
DEALS = 9_999  # that are drawn: p to .002 at .05
ALL = 7  # configurations up to which every deal is made: 5 040
ROOM = 5_000_000  # numbers that the deals of one outcome may hold at once
FEWEST_DEALS = 999
BINS = 4  # parts of a numeric setting that has too many values to ask each
PER_LEVEL = 3  # configurations that a level should have; a numeric setting with fewer is put into parts
FEWEST = 3  # configurations
EPS = 1e-9

Matrix = NDArray[np.float64]


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
    """What can be said of one setting and one outcome."""

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
    answers: list[Mattered] = []
    for name, values in asked:
        groups = [tuple(i for i in group if not np.isnan(values[i]).any()) for group in configurations(rows, found)]
        kept = [group for group in groups if group]
        answers += _asked(rows, found, outcome, name, values, kept, len(asked))
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
    rows: Sequence[Row],
    found: Differences,
    outcome: Outcome | None,
    name: str,
    values: Matrix,
    groups: Sequence[tuple[int, ...]],
    families: int,
) -> list[Mattered]:
    """The answers for one outcome."""
    firsts = [group[0] for group in groups]
    settings = [s for s in found.settings if len({spelled(s.values[i]) for i in firsts}) > 1]
    means = np.array([values[list(group)].mean(axis=0) for group in groups])
    described = {s.name: _levels(s, rows, groups, outcome) for s in settings}
    if len(groups) < FEWEST:
        why = f"{len(groups)} configurations are too few for any test"
        return [_unasked(s, name, described[s.name], why) for s in settings]
    response = Response.of(means, categories=name == "verdict")
    encoded = [_encoded(s, firsts) for s in settings]
    tested = step_down(response, encoded, families)
    answers = []
    for setting, code, (p, least) in zip(settings, encoded, tested, strict=True):
        if p > ALPHA and least * len(settings) * families > ALPHA:
            why = f"{len(groups)} configurations cannot show it: the least p that they can give is {least:.2g}"
            answers.append(_unasked(setting, name, described[setting.name], why))
            continue
        answers.append(
            Mattered(
                setting.name,
                setting.also,
                name,
                Answered.FOUND if p <= ALPHA else Answered.NOT_FOUND,
                p,
                response.share(code),
                _direction(setting, code, means) if name != "verdict" else "",
                described[setting.name],
            )
        )
    return answers


def _unasked(setting: Setting, name: str, levels: tuple[Level, ...], why: str) -> Mattered:
    return Mattered(setting.name, setting.also, name, Answered.NOT_CHECKED, None, None, "", levels, why)


# --- the test ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Code:
    """A setting as numbers: which level each configuration has, and for numbers its rank."""

    level: NDArray[np.int64]  # (configurations,) from 0
    rank: Matrix | None  # (configurations,) normal scores of its numbers; None where they have no order


@dataclass(frozen=True, slots=True, eq=False)
class Response:
    """Outcomes of configurations, each column of mean 0 and weighted so that the statistics are near chi square."""

    y: Matrix  # (configurations, columns)
    degrees: int  # of freedom of one contrast

    @classmethod
    def of(cls, means: Matrix, *, categories: bool) -> Response:
        if not categories:  # ranks as a normal distribution has them: one outlier moves nothing
            ranked = stats.rankdata(means[:, 0])
            y = stats.norm.ppf((ranked - 0.5) / len(ranked))[:, None]
            return cls(_centred(y), 1)
        shares = means.mean(axis=0)
        return cls((means - shares) / np.sqrt(np.maximum(shares, EPS)), means.shape[1] - 1)

    def without(self, code: Code) -> Response:
        """What is left when the mean of each level is taken out."""
        sums = _sums(self.y, code.level)
        counts = np.bincount(code.level)[:, None]
        return Response(self.y - (sums / counts)[code.level], self.degrees)

    def share(self, code: Code) -> float:
        """Of the variance, what the levels explain beyond what as many levels would by chance (omega squared)."""
        total = float((self.y**2).sum())
        n, levels = len(self.y), int(code.level.max()) + 1
        if total <= EPS or n <= levels:
            return 0.0
        between = float((_sums(self.y, code.level) ** 2 / np.bincount(code.level)[:, None]).sum())
        within = (total - between) / (n - levels) / self.degrees
        return max(0.0, (between - (levels - 1) * self.degrees * within) / (total + within))


def step_down(response: Response, codes: Sequence[Code], families: int = 1) -> list[tuple[float, float]]:
    """For each setting p, corrected for their number and that of outcomes, and the least p its levels can give."""
    deals = _deals(len(response.y))
    left = list(range(len(codes)))
    answers: dict[int, tuple[float, float]] = {}
    reached = 0.0
    while left:
        statistics = np.array([_statistics(response, codes[i], deals) for i in left])  # (settings, deals), as is first
        largest = statistics.max(axis=0)
        p = np.minimum(1.0, families * (largest[None, :] >= statistics[:, :1] - EPS).mean(axis=1))
        least = (statistics >= statistics.max(axis=1, keepdims=True) - EPS).mean(axis=1)
        first = int(np.argmax(statistics[:, 0]))
        reached = max(reached, float(p[first]))
        for k, i in enumerate(left):
            answers[i] = (max(reached, float(p[k])), answers[i][1] if i in answers else float(least[k]))
        if p[first] > ALPHA:
            break
        answers[left[first]] = (reached, answers[left[first]][1])
        response = response.without(codes[left[first]])
        left.pop(first)
    return [answers[i] for i in range(len(codes))]


def _deals(n: int) -> NDArray[np.int64]:
    """(deals, n) orders of the configurations; the first is how they are."""
    if n <= ALL:
        return np.array(list(permutations(range(n))))
    random = np.random.default_rng(0)  # fixed: the same runs get the same answer
    many = min(DEALS, max(FEWEST_DEALS, ROOM // n))
    drawn = random.permuted(np.tile(np.arange(n), (many, 1)), axis=1)
    return np.concatenate([np.arange(n)[None, :], drawn])


def _statistics(response: Response, code: Code, deals: NDArray[np.int64]) -> Matrix:
    """(deals,) how unlikely the setting's levels, or its trend, look: minus the log of the chi square tail."""
    n = len(response.y)
    counts = np.bincount(code.level)
    between = np.zeros(len(deals))
    trend = np.zeros(len(deals))
    belongs = (code.level[:, None] == np.arange(len(counts))).astype(np.float64)
    variance = float((response.y**2).sum()) / (n - 1) / response.degrees
    if variance <= EPS:
        return between
    for column in response.y.T:
        dealt = column[deals]
        between += ((dealt @ belongs) ** 2 / counts).sum(axis=1)
        if code.rank is not None:
            trend += (dealt @ code.rank) ** 2 / float((code.rank**2).sum())
    found = -stats.chi2.logsf(between / variance, (len(counts) - 1) * response.degrees)
    if code.rank is None or len(counts) == 2:
        return np.asarray(found)
    return np.asarray(np.maximum(found, -stats.chi2.logsf(trend / variance, response.degrees)))


def _encoded(setting: Setting, firsts: Sequence[int]) -> Code:
    values = [setting.values[i] for i in firsts]
    ranked = None
    if setting.numbers:
        ranks = stats.rankdata(values)
        ranked = _centred(stats.norm.ppf((ranks - 0.5) / len(ranks))[:, None])[:, 0]
    return Code(np.array(_level_of(setting, values)), ranked)


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


def _sums(y: Matrix, level: NDArray[np.int64]) -> Matrix:
    return np.array([y[level == k].sum(axis=0) for k in range(int(level.max()) + 1)])


def _centred(y: Matrix) -> Matrix:
    return np.asarray(y - y.mean(axis=0))


# --- in numbers that people read -----------------------------------------------------------------


def _direction(setting: Setting, code: Code, means: Matrix) -> str:
    """Whether the outcome rises or falls along the setting's numbers; half of a perfect order is asked."""
    if code.rank is None:
        return ""
    order = stats.spearmanr(code.rank, means[:, 0]).statistic
    return "rises" if order > 0.5 else "falls" if order < -0.5 else ""


def _levels(
    setting: Setting, rows: Sequence[Row], groups: Sequence[tuple[int, ...]], outcome: Outcome | None
) -> tuple[Level, ...]:
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
    means = np.array([value for value in known if value is not None])
    spread = float(means.std(ddof=1)) if len(means) > 1 else None
    low, high = (float(min(held)), float(max(held))) if setting.numbers else (None, None)
    text = f"{held[0]}" if len({spelled(v) for v in held}) == 1 else f"{low:.4g} – {high:.4g}"
    return Level(
        value=text,
        low=low,
        high=high,
        runs=sum(len(group) for group in groups),
        mean=float(means.mean()) if len(means) else None,
        spread=spread,
        standard_error=None if spread is None else spread / len(means) ** 0.5,
    )


def _mean(outcome: Outcome, group: tuple[int, ...]) -> float | None:
    values = [outcome.values[i] for i in group if outcome.values[i] is not None]
    return float(np.mean(np.array(values, dtype=np.float64))) if values else None
