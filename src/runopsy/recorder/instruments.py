"""The probes of one run, their cadences and their price."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import torch

from runopsy.errors import Unavailable
from runopsy.recorder.budget import Account, Budget
from runopsy.recorder.cadence import Cadence, Schedule, schedule
from runopsy.recorder.choosing import check_needs, chosen
from runopsy.recorder.probes import (
    COUNTING,
    DEAR,
    EACH_RANK,
    FAMILIES,
    ON_REQUEST,
    PROBES,
    SIZED,
    Family,
    Loop,
    Probe,
    Reading,
)
from runopsy.recorder.rates import named_optimizers, with_rates
from runopsy.recorder.running import Running
from runopsy.recorder.stopwatch import Stopwatch, device_of
from runopsy.recorder.training_batch import TrainingBatch
from runopsy.shares import whole_name
from runopsy.signal_specs import ERROR

LARGER = 0.05  # a budget that run.json compares with: what more would give
NEVER = 1 << 62


class Instruments:
    """What ``run.step`` measures on its own."""

    def __init__(
        self,
        loop: Loop,
        probes: Iterable[Probe],
        every: Schedule,
        budget: float | None,
        wanted: Callable[[str], bool] = lambda name: True,
        expected_steps: int | None = None,
        started: float | None = None,
    ) -> None:
        self.loop = loop
        self.optimizers = named_optimizers(loop.optimizer) if loop.rank == 0 else {}
        self._wanted = wanted  # of the signals that the probes read, those to be written
        self.refused: dict[str, str] = {}  # signal → why it cannot be had in this run
        self.troubles: list[str] = []  # probes that failed in the middle of it
        self._running: list[Running] = []
        self._accounts: dict[str, Account] = {}
        self._stopwatch = Stopwatch(device_of(loop.model))
        self._call = 0  # the number of the next one, from 0
        self._skipped = 0  # calls of which the budget has not heard yet
        self._next = 0  # call at which something may be due; until then there is nothing to do
        self._next_late = float("inf")  # s of the clock from which on something that is late can be afforded
        self._owing = False
        for probe in probes:
            missing = loop.missing(probe.needs)
            if missing:
                give = " and ".join(f"{name}=" for name in missing)
                self.refused |= dict.fromkeys(probe.units, f"give {give} to record()")
            else:
                self._start(probe, every)
        self._budget = Budget(budget, list(self._accounts.values()), expected_steps, started)
        self._training: TrainingBatch | None = None

    def _start(self, probe: Probe, every: Schedule) -> None:
        try:
            gauge = probe.start(self.loop)
        except Unavailable as why:
            self.refused |= dict.fromkeys(probe.units, str(why))
        except Exception as cause:  # a model of somebody else's may raise anything
            self.refused |= dict.fromkeys(probe.units, _failed(cause))
        else:
            self._running.append(Running(probe, gauge, self._account(probe, every)))

    def _account(self, probe: Probe, every: Schedule) -> Account:
        """Of the probe's family; a probe of no family is one by itself."""
        family = next((family for family in FAMILIES if probe in family.probes), Family(f"{id(probe)}", (), 1.0))
        if family.name not in self._accounts:
            follows = self._accounts.get(family.follows)
            self._accounts[family.name] = Account(Cadence(every), family.steps, follows)
        return self._accounts[family.name]

    @classmethod
    def choose(
        cls,
        loop: Loop,
        signals: str | Iterable[str],
        every: int | Iterable[int] | None,
        budget: float | None,
        expected_steps: int | None = None,
        started: float | None = None,
    ) -> Instruments:
        """Start the probes that were asked for and whose needs were given.

        Raises:
            BadOption: a name that is no signal and no set, a signal named whose needs were not given, a
                schedule that is none.
        """
        calls = schedule(every)
        probes, wanted = chosen(signals, PROBES, DEAR, ON_REQUEST)
        check_needs(loop, signals, probes)
        if loop.rank > 0:  # the first rank measures what is the same on all
            probes = [probe for probe in probes if probe in EACH_RANK]
        return cls(loop, probes, calls, budget, wanted, expected_steps, started)

    @property
    def unseen(self) -> float:
        """Seconds that recording took outside its own calls: the steps after a reading are slower."""
        return max(self._budget.unseen, 0.0)

    def describe(self) -> dict[str, dict[str, Any]]:
        """For run.json: each signal with its unit, how it is taken, how often, and what a reading has cost so far."""
        about: dict[str, dict[str, Any]] = {
            name: {"unit": unit, "cadence": self._cadence(running), "takes": running.probe.cost}
            | self.loop.notes.get(name, {})
            | self._price(running, name)
            for running in self._running
            for name, unit in running.probe.units.items()
            if self._wanted(name)
        }
        rates = {name: {"unit": "", "cadence": "every step"} for name in with_rates(self.optimizers)}
        return about | rates

    def _cadence(self, running: Running) -> str:
        cadence = running.account.cadence.describe()
        over = running.account.cadence.asked and self._budget.share is not None
        return f"{cadence}, as every= asks: it overrides budget=" if over else cadence

    def _price(self, running: Running, name: str) -> dict[str, Any]:
        """Values so far, the mean seconds of a reading, and what a larger budget would have given."""
        if not running.looks:
            return {}
        several = "<" in name and running.counted[name] > 0  # one value for each part of the model
        readings = running.looks if several else running.counted[name]
        entry: dict[str, Any] = {"readings": readings, "seconds": round(running.spent / running.looks, 9)}
        entry |= {"looks": running.looks} if running.looks != readings else {}
        more = self._budget.outlook(running.account, readings, LARGER)
        if more is not None and more > readings:
            entry["more"] = f"budget={LARGER:g}, or a run as much longer, would give about {more} readings"
        return entry

    def not_recorded(self) -> dict[str, str]:
        """Signal → why this run does not have it, as far as is known by now."""
        dear = {
            name: why
            for running in self._running
            if (why := self._budget.why_never(running.account))
            for name in running.probe.units
        }
        silent = {
            name: f"looked at {running.looks} times, without a value yet: train longer, or give a larger budget="
            for running in self._running
            if running.looks
            for name in running.probe.units
            if not running.counted[name] and not name.endswith(ERROR)
        }
        return {name: why for name, why in (silent | self.refused | dear).items() if self._wanted(name)}

    def idle(self) -> tuple[int, float]:
        """At how many calls from now on, and until when (s of the clock), there is nothing to do but ``skip`` them."""
        if self._owing or self._training is not None or self._call < 2:
            return 0, 0.0
        return self._next - self._call, min(self._next_late, self._budget.quiet_until)

    def skip(self, calls: int) -> None:
        """So many calls were idle."""
        self._call += calls
        self._skipped += calls

    def read(self, step: int, now: float, spent: float = 0.0) -> list[Reading]:
        """Everything due at this call, made at ``now`` s; ``spent`` s were used until then."""
        call = self._call
        self._call = call + 1
        if call < 2:
            self._look_at_training(call)
        readings = self._settled() if self._owing else []
        calls, self._skipped = self._skipped + 1, 0
        if self._budget.arrive(now, spent, calls):
            self._next = min(self._next, self._after(call - 1))
            self._next_late = self._late_from(spent)
        if call >= self._next or now >= self._next_late:
            readings = readings + self._read_due(call, step, now, spent)
        return readings

    @torch.no_grad()
    def _read_due(self, call: int, step: int, now: float, spent: float) -> list[Reading]:
        readings: list[Reading] = []
        read: list[Account] = []
        accounts = tuple(self._accounts.values())
        wanted = [account for account in accounts if account.late or account.cadence.due(call)]
        for account in wanted:
            mine = [running for running in self._running if running.account is account]
            # for the next call, when the training batch has been seen
            waits = self._training is not None and any(running.probe in SIZED for running in mine)
            # for the passes that it uses as well: alone it would have to make and pay them again
            waits = waits or (account.follows in accounts and account.follows not in read)
            beside = [other for other in wanted if other.follows is account]
            if not waits and self._budget.affordable(account, now, spent, beside):
                account.late = False
                read.append(account)
                for running in mine:
                    readings.extend(self._guarded(running, partial(self._measure, running, step)))
                spent += account.bill
            else:
                account.late = account.late or waits or account.cadence.even(call)
        self.loop.sight.forget()
        self._next = self._after(call)
        self._next_late = self._late_from(spent)
        return readings

    def _late_from(self, spent: float) -> float:
        """From when on (s of the clock) something that is late can be afforded."""
        accounts = tuple(self._accounts.values())
        late = [account for account in accounts if account.late]
        alone = [account for account in late if account.follows not in accounts]  # the others come with theirs
        times = (self._budget.when_affordable(a, spent, [o for o in late if o.follows is a]) for a in alone)
        return min(times, default=float("inf"))

    def _after(self, call: int) -> int:
        """The first call after this one at which something may be due."""
        if self._training is not None:
            return call + 1
        used = (running.account.cadence for running in self._running)
        return min((cadence.following(call) if call >= 0 else 0 for cadence in used), default=NEVER)

    @torch.no_grad()
    def settle(self) -> list[Reading]:
        """What the last readings still owe, after the last update; every hook is gone then."""
        self._stop_looking()
        readings = self._settled()
        for running in tuple(self._running):
            readings.extend(self._guarded(running, partial(running.last, self.loop)))
        return readings

    def _look_at_training(self, call: int) -> None:
        """From the first call to the second: how many examples the loop trains on. What depends on it waits so long."""
        if call == 0 and self.loop.model is not None and any(r.probe in COUNTING for r in self._running):
            self._training = TrainingBatch(self.loop.model)
        elif call == 1:
            self._stop_looking()

    def _stop_looking(self) -> None:
        if self._training is not None:
            self._training.close()
            self.loop.sight.trained_on, self._training = self._training.examples, None

    @torch.no_grad()
    def _settled(self) -> list[Reading]:
        self._stopwatch.collect()
        readings: list[Reading] = []
        for running in tuple(self._running):
            if running.open:
                readings.extend(self._guarded(running, partial(self._settle, running)))
        self._owing = any(running.open for running in self._running)
        return readings

    def _measure(self, running: Running, step: int) -> Iterable[Reading]:
        with self._stopwatch.timed(running.charge):
            readings = running.measure(self.loop, step)
        running.looks += 1
        running.open = self._owing = True
        running.account.open += 1
        return readings

    def _settle(self, running: Running) -> Iterable[Reading]:
        with self._stopwatch.timed(running.charge):
            readings = list(running.gauge.settle())
        if running.bill:  # else its events have not fired yet
            running.spent += running.bill
            running.bill, running.open = 0.0, False
            running.account.open -= 1
            if not running.account.open:
                self._budget.settled(running.account)
            if getattr(running.gauge, "anew", False):
                running.gauge.anew = False  # type: ignore[attr-defined]  # as has just been seen
                running.account.forget()
        return readings

    def _guarded(self, running: Running, action: Callable[[], Iterable[Reading]]) -> list[Reading]:
        """One probe that fails must not cost the others; what it had read before stays."""
        readings: list[Reading] = []
        try:
            readings.extend(action())
        except Unavailable as cause:  # this run cannot have it, and nothing is wrong
            self._retire(running, str(cause))
        except Exception as cause:  # a model of somebody else's may raise anything
            why = _failed(cause)
            self._retire(running, why)
            self.troubles.append(f"{', '.join(running.probe.units)} cannot be measured any more: {why}")
        kept = [reading for reading in readings if self._wanted(whole_name(reading[1]))]
        running.count((step, whole_name(name), value) for step, name, value in kept)
        return kept

    def _retire(self, running: Running, why: str) -> None:
        self._running.remove(running)
        self.refused.update(dict.fromkeys(running.probe.units, why))
        account = running.account
        if running.open:
            account.open -= 1
        if not any(other.account is account for other in self._running):
            self._budget.close(account)
            self._accounts = {name: other for name, other in self._accounts.items() if other is not account}


def _failed(cause: Exception) -> str:
    """What an exception of the model, or of its loss, says to its owner."""
    text = str(cause).strip().splitlines()
    return f"{type(cause).__name__}: {text[0] if text else 'no message'}"
