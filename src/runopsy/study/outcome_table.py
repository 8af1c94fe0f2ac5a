"""What a policy would have saved and missed: per run, per policy, and which policies no other beats in both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from runopsy.model import Position
from runopsy.plugins import load
from runopsy.signals import clock
from runopsy.stats import Floats
from runopsy.study import intervals
from runopsy.study.policies import Decision
from runopsy.study.view import Log, is_higher_better
from runopsy.thresholds import DEFAULTS

if TYPE_CHECKING:
    import polars as pl

    from runopsy.report.document import Document

ARTICLE = (0.15, 0.30)  # of the steps: what stopping at memorization saves, by the founding protocol
NINE_IN_TEN = (5.0, 95.0)  # percentiles


@dataclass(frozen=True, slots=True)
class Outcome:
    """What stopping there would have saved and missed, in one run."""

    policy: str
    run: str
    axis: str
    signal: str  # the witness: regret is measured by it
    stop: Position | None  # None: the policy lets the run come to its end
    end: Position
    why: str
    saved: float  # share of the run's steps
    saved_seconds: float | None  # None: the log holds no times
    reached: float | None  # the best validation by then; None: there was none yet
    best: float  # the best validation of the run
    best_step: Position
    regret: float  # share, 0 to 1, of what validation gained in the whole run that came after the stop

    @property
    def cut_off(self) -> bool:
        """Whether a late gain was missed: a visible part of all that validation gained."""
        return self.regret > DEFAULTS.real_change


@dataclass(frozen=True, slots=True)
class Unjudged:
    """A run that a policy could not be asked of, or that could not be read (then for every policy)."""

    policy: str  # "" for every policy
    run: str
    why: str


@dataclass(frozen=True, slots=True)
class Dated:
    """When a policy would have acted, where its act is no stop: what came after cannot be replayed."""

    policy: str
    run: str
    axis: str
    step: Position | None  # None: never
    why: str


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean over runs."""

    value: float
    interval: tuple[float, float] | None  # 90 %, see ``intervals``; None: one run

    @classmethod
    def of(cls, values: Sequence[float]) -> Mean:
        """The mean of a share per run."""
        drawn = np.asarray(values, dtype=np.float64)
        return cls(float(drawn.mean()), intervals.of_mean(drawn) if len(drawn) > 1 else None)


@dataclass(frozen=True, slots=True)
class Summary:
    """One policy over all runs that it could be asked of."""

    policy: str
    runs: int
    stopped: int
    saved: Mean  # share of a run's steps
    regret: Mean
    regret_median: float
    regret_high: float  # 9 runs in 10 miss no more
    regret_worst: float
    cut_off: int  # runs whose late gain was missed
    seconds: float | None  # saved in all; None: no log holds times
    timed: int  # runs whose logs do
    dominated: bool  # another policy saves at least as much and misses no more

    @classmethod
    def of(cls, outcomes: Sequence[Outcome]) -> Summary:
        """The outcomes of one policy."""
        regrets: Floats = np.array([o.regret for o in outcomes])
        seconds = [o.saved_seconds for o in outcomes if o.saved_seconds is not None]
        return cls(
            policy=outcomes[0].policy,
            runs=len(outcomes),
            stopped=sum(o.stop is not None for o in outcomes),
            saved=Mean.of([o.saved for o in outcomes]),
            regret=Mean.of([o.regret for o in outcomes]),
            regret_median=float(np.median(regrets)),
            regret_high=float(np.percentile(regrets, 90, method="higher")),
            regret_worst=float(regrets.max()),
            cut_off=sum(o.cut_off for o in outcomes),
            seconds=sum(seconds) if seconds else None,
            timed=len(seconds),
            dominated=False,
        )


@dataclass(frozen=True, slots=True)
class SetOutcome:
    """A policy over a set of runs: how much of all their steps it saves, and whether it finds the best."""

    policy: str
    runs: int
    axis: str
    signal: str
    stops: tuple[tuple[str, Position | None], ...]  # per run, in the given order
    saved: float  # share of the steps of all runs, mean over the orders
    saved_seconds: float | None  # in the given order
    saved_range: tuple[float, float]  # the middle 90 % of the orders
    regret: float  # share of what the best run gained, mean over the orders
    regret_range: tuple[float, float]
    best_kept: float  # share of the orders in which the best run came to its best
    orders: int  # in which the runs were started; 1 where the order does not matter


@dataclass(frozen=True, slots=True, eq=False)
class Backtest:
    """Policies replayed on logs."""

    runs: tuple[str, ...]
    outcomes: tuple[Outcome, ...]
    summaries: tuple[Summary, ...]  # in the order of the policies
    sets: tuple[SetOutcome, ...]
    dated: tuple[Dated, ...]
    unjudged: tuple[Unjudged, ...]

    def to_document(self, gpus: float | None = None, price: float | None = None) -> Document:
        """The report, with GPU-hours and money where asked."""
        composed: Document = load("runopsy.study.backtest_words:compose")(self, gpus, price)
        return composed

    def to_dict(self) -> dict[str, Any]:
        """The object that ``runopsy backtest --format json`` prints."""
        found: dict[str, Any] = load("runopsy.study.backtest_words:facts")(self)
        return found

    def to_polars(self) -> pl.DataFrame:
        """One row per policy and run."""
        import polars as pl  # half a second: only who asks for a frame pays

        names = ("policy", "run", "axis", "signal", "stop", "end", "why", "saved", "saved_seconds", "reached", "best",
                 "best_step", "regret", "cut_off")  # fmt: skip
        texts = dict.fromkeys(("policy", "run", "axis", "signal", "why"), pl.String)
        schema = {name: texts.get(name, pl.Boolean if name == "cut_off" else pl.Float64) for name in names}
        return pl.DataFrame({name: [getattr(o, name) for o in self.outcomes] for name in names}, schema=schema)

    def __repr__(self) -> str:
        return f"Backtest({len(self.summaries) + len(self.sets)} policies on {len(self.runs)} runs)"

    def __str__(self) -> str:
        return str(load("runopsy.report:render")(self, "text"))

    def _repr_html_(self) -> str:
        return str(load("runopsy.report:render")(self, "notebook"))


def outcome(policy: str, log: Log, decision: Decision | None) -> Outcome:
    """What a decision would have meant for a run whose log goes on.

    Raises:
        NotChecked: the log has no validation to measure it by.
    """
    witness = log.clock(log.witness)
    score = witness.value if is_higher_better(witness) else -witness.value
    best = int(np.argmax(score))
    stop = log.last if decision is None else decision.step
    seen = int(np.searchsorted(witness.step, stop, side="right"))
    gained = float(score[best] - score[0])
    missed = float(score[best] - score[:seen].max()) if seen else gained
    length = log.last - log.first
    return Outcome(
        policy=policy,
        run=log.name,
        axis=log.axis,
        signal=witness.name,
        stop=None if decision is None or decision.step >= log.last else decision.step,
        end=log.last,
        why="" if decision is None else decision.why,
        saved=(log.last - stop) / length if length > 0 else 0.0,
        saved_seconds=seconds_between(log, stop, log.last),
        reached=float(witness.value[int(np.argmax(score[:seen]))]) if seen else None,
        best=float(witness.value[best]),
        best_step=float(witness.step[best]),
        regret=missed / gained if gained > 0 else 0.0,
    )


def seconds_between(log: Log, start: Position, end: Position) -> float | None:
    """Wall time between two steps of a run; None where no signal has times."""
    known = clock(log.signals)
    if known is None:
        return None
    at = np.interp([start, end], *known)
    return max(float(at[1] - at[0]), 0.0)


def summaries(outcomes: Sequence[Outcome]) -> tuple[Summary, ...]:
    """One row per policy; those that another beats in both are marked."""
    by_policy: dict[str, list[Outcome]] = {}
    for one in outcomes:
        by_policy.setdefault(one.policy, []).append(one)
    rows = [Summary.of(group) for group in by_policy.values()]
    return tuple(replace(row, dominated=any(_beats(other, row) for other in rows)) for row in rows)


def _beats(a: Summary, b: Summary) -> bool:
    """Whether a saves at least as much, misses no more, and does better in one of them."""
    at_least = a.saved.value >= b.saved.value and a.regret.value <= b.regret.value
    return at_least and (a.saved.value > b.saved.value or a.regret.value < b.regret.value)
