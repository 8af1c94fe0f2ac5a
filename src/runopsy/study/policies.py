"""Stopping rules as values: a condition that is asked at each row of its clock, and what is done when it holds.

A condition sees a ``View``, which holds what had been logged by then and nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from runopsy.errors import BadOption, NotChecked
from runopsy.model import Position
from runopsy.study.view import VALIDATION, Log, View, views
from runopsy.thresholds import DEFAULTS

Ask: TypeAlias = Callable[[View], str]  # at each row of the clock: why the condition holds now, "" where it does not
STOP = "stop"


class Condition(Protocol):
    """When something is to be done."""

    @property
    def signal(self) -> str:
        """The clock: the signal at whose rows it is asked; ``validation`` is whichever curve judges the log."""
        ...

    @property
    def needs(self) -> tuple[str, ...]:
        """Other signals that it reads."""
        ...

    def start(self) -> Ask:
        """A fresh counter for one run."""
        ...

    def __str__(self) -> str:
        """The condition in the words of the grammar."""
        ...


@dataclass(frozen=True, slots=True)
class Patience:
    """No improvement for a number of evaluations, as the callbacks of the frameworks count it.

    An evaluation improves where it beats the best by more than ``min_delta``; those before ``warm_up`` neither count
    nor become the best (Keras: ``start_from_epoch``). An evaluation that is not finite ends the run (Lightning:
    ``check_finite``) or counts as one without improvement (``finite=False``; Keras).
    """

    evals: int
    min_delta: float = 0.0
    warm_up: int = 0  # evaluations
    signal: str = VALIDATION
    finite: bool = True
    needs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _positive("patience", self.evals)

    def start(self) -> Ask:
        best: float | None = None
        waited = 0

        def ask(view: View) -> str:
            nonlocal best, waited
            if view.row <= self.warm_up:
                return ""
            value = view.value if view.higher else -view.value
            if self.finite and not math.isfinite(value):
                return f"{view.clock} is not finite"
            if best is None or value - self.min_delta > best:
                best, waited = value, 0
                return ""
            waited += 1
            return f"no better for {waited} evaluations" if waited >= self.evals else ""

        return ask

    def __str__(self) -> str:
        by = f" by {self.min_delta:g}" if self.min_delta else ""
        after = f" after {_counted(self.warm_up, 'eval')}" if self.warm_up else ""
        return f"when {self.signal} has not improved for {_counted(self.evals, 'eval')}{by}{after}"


@dataclass(frozen=True, slots=True)
class GeneralizationLoss:
    """Validation error more than ``percent`` above its lowest: Prechelt's GL (Early Stopping — But When?, 1998)."""

    percent: float
    signal: str = VALIDATION
    needs: tuple[str, ...] = ()

    def start(self) -> Ask:
        least = math.inf

        def ask(view: View) -> str:
            nonlocal least
            error = _error(view)
            least = min(least, error)
            above = _percent_above(error, least)
            return f"{above:.3g} % above its best" if above > self.percent else ""

        return ask

    def __str__(self) -> str:
        return f"when {self.signal} is {self.percent:g} % above its lowest"


@dataclass(frozen=True, slots=True)
class ProgressQuotient:
    """GL divided by what training still gains: Prechelt's PQ.

    At the end of each strip of ``strip`` evaluations, training progress is 1000 x (mean / least − 1) of the training
    loss at those evaluations: the mean of its rows since the evaluation before.
    """

    quotient: float
    strip: int = 5  # evaluations: Prechelt's choice
    signal: str = VALIDATION
    needs: tuple[str, ...] = ("train/loss",)

    def __post_init__(self) -> None:
        _positive("a strip", self.strip)

    def start(self) -> Ask:
        least, of_training = math.inf, _PerEvaluation("train/loss")

        def ask(view: View) -> str:
            nonlocal least
            error = _error(view)
            least = min(least, error)
            training = of_training(view)
            if view.row % self.strip:
                return ""
            strip = [loss for loss in training[-self.strip :] if math.isfinite(loss)]
            if not strip or min(strip) <= 0:
                return ""
            progress = 1000 * (sum(strip) / (len(strip) * min(strip)) - 1)
            above = _percent_above(error, least)
            beyond = above > self.quotient * progress
            return f"{above:.3g} % above its best, with progress {progress:.3g}" if beyond else ""

        return ask

    def __str__(self) -> str:
        times = f"{self.quotient:g} times its progress over {_counted(self.strip, 'eval')}"
        return f"when {self.signal} is {times} above its lowest"


@dataclass(frozen=True, slots=True)
class Rises:
    """Validation error higher at the end of each of ``strips`` strips in a row than at its beginning: Prechelt's UP."""

    strips: int
    strip: int = 5  # evaluations
    signal: str = VALIDATION
    needs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _positive("the number of strips", self.strips)
        _positive("a strip", self.strip)

    def start(self) -> Ask:
        rises = 0

        def ask(view: View) -> str:
            nonlocal rises
            if view.row % self.strip or view.row <= self.strip:
                return ""
            now, before = view.value, view.values(view.clock)[-1 - self.strip]
            rises = rises + 1 if (now < before if view.higher else now > before) else 0
            return f"worse over {rises} strips in a row" if rises >= self.strips else ""

        return ask

    def __str__(self) -> str:
        return f"when {self.signal} has risen over {_counted(self.strips, 'strip')} of {_counted(self.strip, 'eval')}"


@dataclass(frozen=True, slots=True)
class Memorization:
    """Training improves and validation does not: the onset of memorization, from what is known by then.

    Held against levels of ``thresholds``: over the last ``level_rows`` evaluations the training loss fell by a share
    ``slight`` of its way so far, while each validation stood worse than its best by ``visible_loss`` of that curve's
    way (an accuracy: by ``visible_accuracy``); or training has made ``fell_far`` of the way to 0 and validation has
    not made ``real_change`` of it. With ``allowance``, the run goes on until that has lasted so many times as long as
    it took to begin: grokking comes late. A validation that beats its best ends the wait.
    """

    allowance: float = 0.0  # x the elapsed steps of the onset
    signal: str = VALIDATION
    needs: tuple[str, ...] = ("train/loss",)

    def start(self) -> Ask:
        of_training, scores, since = _PerEvaluation("train/loss"), _Scores(), math.nan

        def ask(view: View) -> str:
            nonlocal since
            training = of_training(view)
            scores.add(view, training[-1])
            memorizes = _memorizes(scores, training)
            if memorizes and math.isnan(since):
                since = view.elapsed
            if not memorizes and scores.newest >= scores.best:
                since = math.nan
            waited = view.elapsed >= (1 + self.allowance) * since  # False while there is no onset
            return f"memorization since {view.first + since:,.6g}" if waited else ""

        return ask

    def __str__(self) -> str:
        if not self.allowance:
            return "when memorization begins"
        return f"when memorization has lasted {self.allowance:g} times as long as it took to begin"


class _Scores:
    """Validation so far, higher values better, and the lowest training loss."""

    def __init__(self) -> None:
        self.first = self.best = self.newest = math.nan
        self.recent: list[float] = []
        self.first_training, self.least_training = math.nan, math.inf  # a log may begin with validation
        self.accuracy = False

    def add(self, view: View, training: float) -> None:
        self.newest = view.value if view.higher else -view.value
        self.accuracy = view.clock.endswith("acc")
        if math.isnan(self.first):
            self.first = self.best = self.newest
        self.best = max(self.best, self.newest)
        if math.isnan(self.first_training):
            self.first_training = training
        self.least_training = min(self.least_training, training)
        self.recent = [*self.recent, self.newest][-DEFAULTS.level_rows :]


def _memorizes(validation: _Scores, training: list[float]) -> bool:
    limits, rows = DEFAULTS, DEFAULTS.level_rows
    if len(training) < 2 * rows:
        return False
    way = validation.first_training - validation.least_training
    if not way > 0:
        return False
    falls = sum(training[-2 * rows : -rows]) - sum(training[-rows:]) > limits.slight * way * rows
    made = validation.best - validation.first
    least = limits.visible_accuracy if validation.accuracy else limits.visible_loss * made
    turned = falls and made > 0 and max(validation.recent) < validation.best - least
    fitted = training[-1] < (1 - limits.fell_far) * validation.first_training
    possible = 1.0 if validation.accuracy else abs(validation.first)
    return turned or (fitted and made < limits.real_change * possible)


@dataclass(frozen=True, slots=True)
class NoiseFalls:
    """The gradient noise scale below a share of the highest it had; from trailing means of its two pieces."""

    percent: float
    signal: str = "gns"
    needs: tuple[str, ...] = ()

    def start(self) -> Ask:
        highest = 0.0

        def ask(view: View) -> str:
            nonlocal highest
            highest = max(highest, view.value)
            falls = view.value < self.percent / 100 * highest
            return f"the noise scale fell from {highest:.3g} to {view.value:.3g}" if falls else ""

        return ask

    def __str__(self) -> str:
        return f"when the noise scale falls below {self.percent:g} % of its highest"


@dataclass(frozen=True, slots=True)
class Crosses:
    """A signal below, or above, a number for the first time."""

    signal: str
    below: bool
    number: float
    needs: tuple[str, ...] = ()

    def start(self) -> Ask:
        def ask(view: View) -> str:
            crossed = view.value < self.number if self.below else view.value > self.number
            return f"{view.clock} is {view.value:.4g}" if crossed else ""

        return ask

    def __str__(self) -> str:
        return f"when {self.signal} {'<' if self.below else '>'} {self.number:g}"


@dataclass(frozen=True, slots=True)
class Budget:
    """A fixed number of steps, or a share of the steps that the run was to make."""

    steps: float = math.inf
    percent: float = 100.0
    signal: str = VALIDATION
    needs: tuple[str, ...] = ()

    def start(self) -> Ask:
        def ask(view: View) -> str:
            spent = view.elapsed >= min(self.steps, self.percent / 100 * (view.planned - view.first))
            return "the budget is spent" if spent else ""

        return ask

    def __str__(self) -> str:
        return f"after {self.steps:g} steps" if self.steps < math.inf else f"after {self.percent:g} % of the run"


@dataclass(frozen=True, slots=True)
class Policy:
    """What is to be done, and when. Only stopping can be replayed: any other act would have drawn other curves."""

    condition: Condition
    action: str = STOP

    @property
    def replays(self) -> bool:
        return self.action == STOP

    def __str__(self) -> str:
        return f"{self.condition}: {self.action}"


@dataclass(frozen=True, slots=True)
class Decision:
    """When a policy would have acted, and why."""

    step: Position
    why: str


def decide(policy: Policy, log: Log) -> Decision | None:
    """Where a policy first acts on a run; None where it never does.

    Raises:
        NotChecked: the log lacks what the policy reads.
    """
    condition = policy.condition
    ask = condition.start()
    for view in views(log, condition.signal, condition.needs):
        why = ask(view)
        if why:
            return Decision(view.now, why)
    return None


class _PerEvaluation:
    """Per evaluation the mean of a signal's rows since the one before; the newest value where there is none."""

    def __init__(self, name: str) -> None:
        self.name, self.read, self.means = name, 0, list[float]()

    def __call__(self, view: View) -> list[float]:
        values = view.values(self.name)
        fresh = values[self.read :]
        self.read = len(values)
        carried = self.means[-1] if self.means else math.nan
        self.means.append(sum(fresh) / len(fresh) if fresh else carried)
        return self.means


def _error(view: View) -> float:
    """The newest validation as an error that is to fall to 0.

    Raises:
        NotChecked: it is a score without an upper end.
    """
    if not view.higher:
        return view.value
    if view.clock.endswith("acc"):
        return 1 - view.value
    raise NotChecked(f"{view.clock} is to rise and has no end: how far it is above its lowest error means nothing")


def _percent_above(error: float, least: float) -> float:
    if least <= 0:
        return math.inf if error > least else 0.0
    return 100 * (error / least - 1)


def _positive(what: str, count: int) -> None:
    if count < 1:
        raise BadOption(f"{what} of {count} evaluations never waits", hint="give a whole number from 1 on")


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
