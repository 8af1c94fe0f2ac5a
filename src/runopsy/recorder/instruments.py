"""The probes of one run, their cadences and their price."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from runopsy.errors import BadOption, Unavailable
from runopsy.recorder.budget import Account, Budget
from runopsy.recorder.cadence import Cadence, Schedule, schedule
from runopsy.recorder.probes import COUNTING, DEAR, EACH_RANK, ON_REQUEST, PROBES, SIZED, Gauge, Loop, Probe, Reading
from runopsy.recorder.rates import learning_rates, named_optimizers
from runopsy.recorder.stopwatch import Stopwatch, device_of
from runopsy.recorder.training_batch import TrainingBatch
from runopsy.shares import whole_name

SETS = ("scalars", "default", "full")
GUESSES = (  # training steps that a reading costs, by what its probe needs; only until it has been timed
    ("loss_fn", 20.0),  # gradients example by example, or some products with the Hessian
    ("probe", 1.0),  # a forward pass, of a batch that may be larger than a training one
    ("model", 0.05),  # a pass over the parameters
)


@dataclass(slots=True, eq=False)
class _Running:
    """A gauge, when it is due, and what it costs."""

    probe: Probe
    gauge: Gauge
    account: Account
    bill: float = 0.0  # s, of the last reading so far
    open: bool = False  # whether the last reading still owes something: readings, or its price
    late: bool = False  # whether a reading that was due has been put off to the next call

    def charge(self, cost: float) -> None:
        self.bill += cost


class Instruments:
    """What ``run.step`` measures on its own."""

    def __init__(
        self,
        loop: Loop,
        probes: Iterable[Probe],
        every: Schedule,
        budget: float | None,
        wanted: Callable[[str], bool] = lambda name: True,
    ) -> None:
        self.loop = loop
        self._optimizers = named_optimizers(loop.optimizer) if loop.rank == 0 else {}
        self._wanted = wanted  # of the signals that the probes read, those to be written
        self.refused: dict[str, str] = {}  # signal → why it cannot be had in this run
        self.troubles: list[str] = []  # probes that failed in the middle of it
        self._running: list[_Running] = []
        self._stopwatch = Stopwatch(device_of(loop.model))
        self._call = 0
        for probe in probes:
            missing = loop.missing(probe.needs)
            if missing:
                self.refused |= dict.fromkeys(probe.units, f"needs {', '.join(f'{name}=' for name in missing)}")
            else:
                self._start(probe, Account(Cadence(every), _guess(probe)))
        self._budget = Budget(budget, [running.account for running in self._running])
        self._training: TrainingBatch | None = None

    def _start(self, probe: Probe, account: Account) -> None:
        try:
            self._running.append(_Running(probe, probe.start(self.loop), account))
        except Unavailable as why:
            self.refused |= dict.fromkeys(probe.units, str(why))
        except Exception as cause:  # a model of somebody else's may raise anything
            self.refused |= dict.fromkeys(probe.units, f"{type(cause).__name__}: {cause}")

    @classmethod
    def choose(
        cls,
        loop: Loop,
        signals: str | Iterable[str],
        every: int | Iterable[int] | None,
        budget: float | None,
        expected_steps: int | None = None,
    ) -> Instruments:
        """Start the probes that were asked for and whose needs were given.

        Raises:
            BadOption: a name that is no signal and no set, a signal named whose needs were not given, a
                schedule that is none.
        """
        calls = schedule(every)
        chosen, wanted = _choice(signals)
        _check_needs(loop, signals, chosen)
        if loop.rank > 0:  # the first rank measures what is the same on all
            chosen = [probe for probe in chosen if probe in EACH_RANK]
        return cls(loop, chosen, calls, budget, wanted)

    def describe(self) -> dict[str, dict[str, Any]]:
        """For run.json: each signal with its unit, how it is taken, how often, and what a reading has cost so far."""
        about: dict[str, dict[str, Any]] = {
            name: {"unit": unit, "cadence": running.account.cadence.describe(), "takes": running.probe.cost}
            | self.loop.notes.get(name, {})
            | _price(running.account)
            for running in self._running
            for name, unit in running.probe.units.items()
            if self._wanted(name)
        }
        rates = {name: {"unit": "", "cadence": "every step"} for name, _ in learning_rates(self._optimizers)}
        return about | rates

    def not_recorded(self) -> dict[str, str]:
        """Signal → why this run does not have it, as far as is known by now."""
        dear = {
            name: why
            for running in self._running
            if (why := self._budget.why_never(running.account))
            for name in running.probe.units
        }
        return {name: why for name, why in (self.refused | dear).items() if self._wanted(name)}

    @torch.no_grad()
    def read(self, step: int, now: float, spent: float = 0.0) -> list[Reading]:
        """Everything due at this call, made at ``now`` s; ``spent`` s the recorder has used until then."""
        self._look_at_training()
        readings = [*self._learning_rates(step), *self._settled()]
        self._budget.arrive(now, spent)
        for running in tuple(self._running):
            due = running.account.cadence.due(self._call) or running.late
            running.late = due and self._training is not None and running.probe in SIZED
            if due and not running.late:
                readings.extend(self._guarded(running, partial(self._measure, running, step)))
        self.loop.sight.forget()
        self._call += 1
        return readings

    @torch.no_grad()
    def settle(self) -> list[Reading]:
        """What the last readings still owe, after the last update; every hook is gone then."""
        self._stop_looking()
        return self._settled()

    def _look_at_training(self) -> None:
        """From the first call to the second: how many examples the loop trains on. What depends on it waits so long."""
        if self._call == 0 and self.loop.model is not None and any(r.probe in COUNTING for r in self._running):
            self._training = TrainingBatch(self.loop.model)
        elif self._call == 1:
            self._stop_looking()

    def _stop_looking(self) -> None:
        if self._training is not None:
            self._training.close()
            self.loop.sight.trained_on, self._training = self._training.examples, None

    def _settled(self) -> list[Reading]:
        self._stopwatch.collect()
        readings: list[Reading] = []
        for running in tuple(self._running):
            if running.open:
                readings.extend(self._guarded(running, partial(self._settle, running)))
        return readings

    def _measure(self, running: _Running, step: int) -> Iterable[Reading]:
        with self._stopwatch.timed(running.charge):
            readings = list(running.gauge.measure(step))
        running.open = True
        return readings

    def _settle(self, running: _Running) -> Iterable[Reading]:
        with self._stopwatch.timed(running.charge):
            readings = list(running.gauge.settle())
        if running.bill:  # else its events have not fired yet
            self._budget.paid(running.account, running.bill)
            running.bill, running.open = 0.0, False
        return readings

    def _guarded(self, running: _Running, action: Callable[[], Iterable[Reading]]) -> list[Reading]:
        """One probe that fails must not cost the others; what it had read before stays."""
        readings: list[Reading] = []
        try:
            readings.extend(action())
        except Unavailable as cause:  # this run cannot have it, and nothing is wrong
            self._retire(running, str(cause))
        except Exception as cause:  # a model of somebody else's may raise anything
            why = f"{type(cause).__name__}: {cause}"
            self._retire(running, why)
            self.troubles.append(f"{', '.join(running.probe.units)} cannot be measured any more: {why}")
        return [reading for reading in readings if self._wanted(whole_name(reading[1]))]

    def _retire(self, running: _Running, why: str) -> None:
        self._running.remove(running)
        self._budget.close(running.account, running.bill)
        self.refused.update(dict.fromkeys(running.probe.units, why))

    def _learning_rates(self, step: int) -> Iterable[Reading]:
        """Of the first rank, for they are the same on all."""
        for name, rate in learning_rates(self._optimizers):
            yield step, name, rate


def _choice(signals: str | Iterable[str]) -> tuple[list[Probe], Callable[[str], bool]]:
    """The probes that are asked for, and which of their signals are.

    A name may be one that the model completes: ``grad/norm/<module>`` for all, ``grad/norm/encoder`` for one.

    Raises:
        BadOption: a name that is no signal and no set.
    """
    if isinstance(signals, str):
        if signals not in SETS:
            raise BadOption(
                f"signals={signals!r} is no set of signals", hint=f"choose {', '.join(SETS)}, or list names"
            )
        left_out = {"scalars": PROBES, "default": (*DEAR, *ON_REQUEST), "full": ON_REQUEST}[signals]
        return [probe for probe in PROBES if probe not in left_out], lambda name: True
    names = set(signals)
    known = {name: _pattern(name) for probe in PROBES for name in probe.units}
    unknown = {name for name in names if name != "lr" and not any(p.fullmatch(name) for p in known.values())}
    if unknown:
        raise BadOption(
            f"no such signal: {', '.join(sorted(unknown))}", hint=f"there are lr, {', '.join(sorted(known))}"
        )

    def wanted(name: str) -> bool:
        return name in names or any(pattern.fullmatch(name) for whole, pattern in known.items() if whole in names)

    asked = {name for name, pattern in known.items() if any(pattern.fullmatch(one) for one in names)}
    return [probe for probe in PROBES if asked & set(probe.units)], lambda name: wanted(name) or name in asked


def _pattern(name: str) -> re.Pattern[str]:
    """What a signal's name matches: itself, and whatever the model puts for ``<…>``."""
    return re.compile(
        "".join(".+" if part.startswith("<") else re.escape(part) for part in re.split("(<[^>]*>)", name))
    )


def _guess(probe: Probe) -> float:
    return next((steps for need, steps in GUESSES if need in probe.needs), 0.0)


def _check_needs(loop: Loop, signals: str | Iterable[str], chosen: Iterable[Probe]) -> None:
    """Whether what was asked for by name can be had at all; the default takes what there is.

    Raises:
        BadOption: it needs something that was not handed to ``record``.
    """
    if signals in ("scalars", "default"):
        return
    if signals == "full":  # the rest may lack a probe batch or labels, and is noted in run.json
        missing = dict.fromkeys(loop.missing(("model",)), "most signals")
    else:
        asked = set(signals)
        missing = {}
        for probe in chosen:
            names = ", ".join(name for name in asked if any(_pattern(own).fullmatch(name) for own in probe.units))
            missing |= dict.fromkeys(loop.missing(probe.needs), names)
        if "lr" in asked:
            missing |= dict.fromkeys(loop.missing(("optimizer",)), "lr")
    if missing:
        what = "; ".join(f"{signal} need {name}=" for name, signal in missing.items())
        hint = f'hand {" and ".join(f"{name}=…" for name in missing)} to record(), or ask for signals="default"'
        raise BadOption(f"signals={signals!r}: {what}", hint=hint)


def _price(account: Account) -> dict[str, Any]:
    """Readings so far and the mean seconds of one, where there were any."""
    if not account.readings:
        return {}
    return {"readings": account.readings, "seconds": round(account.spent / account.readings, 9)}
