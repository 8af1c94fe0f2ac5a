"""Configurations with their seeds: mean, spread, standard error; and whether the best is best beyond seed noise."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from runopsy.model import Outcome as Answered
from runopsy.study.outcomes import ALPHA, Outcome, Scatter
from runopsy.study.row import Row
from runopsy.study.settings import Differences, configurations

NOTHING = 1e-9  # of the largest mean: a spread below that is rounding


@dataclass(frozen=True, slots=True)
class Configuration:
    """Runs that differ by their seed alone."""

    settings: Mapping[str, Any]  # of those that differ
    places: tuple[int, ...]  # of its runs in the table
    runs: int  # that have an outcome
    mean: float | None
    spread: float | None  # standard deviation over its seeds; None: fewer than two
    standard_error: float | None
    verdicts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Best:
    """The best run, the configuration with the best mean, and whether that is more than the luck of its seeds."""

    run: int  # place in the table
    value: float
    configuration: int  # place among the configurations
    answer: Answered
    p: float | None
    why: str


def configured(rows: Sequence[Row], found: Differences, outcome: Outcome | None) -> tuple[Configuration, ...]:
    """Every configuration with what its runs came to, the best first; those without an outcome at the end."""
    made = [_configuration(rows, found, outcome, group) for group in configurations(rows, found)]
    sign = -1.0 if outcome is not None and outcome.better == "higher" else 1.0
    return tuple(sorted(made, key=lambda one: (one.mean is None, sign * (one.mean or 0.0))))


def _configuration(
    rows: Sequence[Row], found: Differences, outcome: Outcome | None, group: tuple[int, ...]
) -> Configuration:
    known = [] if outcome is None else [v for i in group if (v := outcome.values[i]) is not None]
    scatter = Scatter.of(known)
    words = [rows[i].verdict or "unreadable" for i in group]
    return Configuration(
        settings={s.name: s.values[group[0]] for s in found.settings},
        places=group,
        runs=len(known),
        mean=scatter.mean,
        spread=scatter.spread,
        standard_error=scatter.standard_error,
        verdicts={word: words.count(word) for word in dict.fromkeys(words)},
    )


def best_of(configurations: Sequence[Configuration], outcome: Outcome | None) -> Best | None:
    """The best run and configuration; None where no run has an outcome.

    The best of many is compared with every other by a t test with the pooled noise of all seeds, on the logarithm
    where all values are positive; the tests are corrected for their number, since the best was chosen by its mean
    (multiple comparisons with the best: Hsu, Multiple comparisons, 1996; Bonferroni in place of Dunnett's constant).
    """
    if outcome is None or not outcome.known:
        return None
    known = [(v, i) for i, v in enumerate(outcome.values) if v is not None]
    value, run = min(known) if outcome.better == "lower" else max(known, key=lambda pair: (pair[0], -pair[1]))
    positive = all(v > 0 for v, _ in known)
    samples = [_sample(one, outcome, positive) for one in configurations]
    answer, p, why = _beyond_noise([s for s in samples if len(s)], higher=outcome.better == "higher")
    return Best(run, value, 0, answer, p, why)


def _sample(one: Configuration, outcome: Outcome, positive: bool) -> np.ndarray[Any, Any]:
    values = np.array([v for i in one.places if (v := outcome.values[i]) is not None], dtype=np.float64)
    return np.log(values) if positive else values


def _beyond_noise(samples: Sequence[np.ndarray[Any, Any]], *, higher: bool) -> tuple[Answered, float | None, str]:
    """Whether the first sample is better than each of the others."""
    if len(samples) < 2:
        return Answered.NOT_CHECKED, None, "there is one configuration"
    degrees = sum(len(s) - 1 for s in samples)
    if degrees < 1:
        return Answered.NOT_CHECKED, None, "no configuration was run with two seeds"
    noise = float(np.sqrt(sum(float(((s - s.mean()) ** 2).sum()) for s in samples) / degrees))
    ordered = sorted(samples, key=lambda s: -s.mean() if higher else s.mean())
    if noise <= NOTHING * max(abs(float(s.mean())) for s in samples):
        return Answered.NOT_CHECKED, None, "the seed changed nothing, so its noise cannot be measured"
    first = ordered[0]
    if len(first) < 2:
        return Answered.NOT_CHECKED, None, "the best configuration was run with one seed"
    worst = 0.0
    for other in ordered[1:]:
        apart = abs(float(first.mean() - other.mean())) / (noise * (1 / len(first) + 1 / len(other)) ** 0.5)
        worst = max(worst, float(stats.t.sf(apart, degrees)))
    p = min(1.0, worst * (len(samples) - 1))
    return (Answered.FOUND if p <= ALPHA else Answered.NOT_FOUND), p, ""
