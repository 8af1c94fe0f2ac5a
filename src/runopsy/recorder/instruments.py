"""The probes of one run, their cadences and their price."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from runopsy.errors import BadOption
from runopsy.recorder.cadence import Cadence, schedule
from runopsy.recorder.probes import PROBES, Gauge, Loop, Probe, Reading

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

SETS = ("scalars", "default", "full")


@dataclass(slots=True, eq=False)
class _Running:
    """A gauge and when it is due."""

    probe: Probe
    gauge: Gauge
    cadence: Cadence
    owed: tuple[float, float] | None = None  # when the last reading was made and its cost so far, settling it excluded


@dataclass(slots=True)
class Instruments:
    """What ``run.step`` measures on its own."""

    loop: Loop
    running: list[_Running]
    refused: dict[str, str]  # signal → why it cannot be had in this run
    troubles: list[str] = field(default_factory=list)  # probes that failed in the middle of it
    _call: int = 0

    @classmethod
    def choose(
        cls,
        model: nn.Module | None,
        optimizer: Optimizer | None,
        signals: str | Iterable[str],
        every: int | Iterable[int] | None,
        budget: float | None,
    ) -> Instruments:
        """Start the probes that were asked for and whose needs were given.

        Raises:
            BadOption: a name that is no signal and no set, a schedule that is none.
        """
        calls = schedule(every)
        loop = Loop(model, optimizer)
        wanted = _wanted(signals)
        chosen = [probe for probe in PROBES if wanted & set(probe.units)]
        refused = {
            name: f"needs {', '.join(missing)}="
            for probe in chosen
            if (missing := loop.missing(probe.needs))
            for name in probe.units
        }
        ready = [probe for probe in chosen if not loop.missing(probe.needs)]
        share = budget / len(ready) if budget and ready else None
        running = [_Running(probe, probe.start(loop), Cadence(calls, share)) for probe in ready]
        return cls(loop, running, refused)

    def describe(self) -> dict[str, dict[str, str]]:
        """For run.json: each signal with its unit and how often it is read."""
        about = {
            name: {"unit": unit, "cadence": running.cadence.describe()}
            for running in self.running
            for name, unit in running.probe.units.items()
        }
        rates = {name: {"unit": "", "cadence": "every step"} for name in self._rate_names()}
        return {**about, **rates, "recorder/overhead": {"unit": "share of wall time", "cadence": "every 5 s"}}

    @torch.no_grad()
    def read(self, step: int, now: float) -> list[Reading]:
        """Everything due at this call."""
        readings: list[Reading] = list(self._learning_rates(step))
        for running in tuple(self.running):
            try:
                readings.extend(self._read(running, step, now))
            except Exception as cause:  # one probe that fails must not cost the others
                self._retire(running, cause)
        self._call += 1
        return readings

    def _read(self, running: _Running, step: int, now: float) -> Iterable[Reading]:
        started = time.perf_counter()
        readings = list(running.gauge.settle())
        if running.owed is not None:
            at, cost = running.owed
            running.cadence.measured(cost + time.perf_counter() - started, at)
            running.owed = None
        if running.cadence.due(self._call, now):
            started = time.perf_counter()
            readings.extend(running.gauge.measure(step))
            running.owed = now, time.perf_counter() - started
        return readings

    def _retire(self, running: _Running, cause: Exception) -> None:
        self.running.remove(running)
        why = f"{type(cause).__name__}: {cause}"
        self.refused.update(dict.fromkeys(running.probe.units, why))
        self.troubles.append(f"{', '.join(running.probe.units)} cannot be measured any more: {why}")

    @torch.no_grad()
    def settle(self) -> list[Reading]:
        """What the last readings still owe, after the last update."""
        readings: list[Reading] = []
        for running in tuple(self.running):
            try:
                readings.extend(running.gauge.settle())
            except Exception as cause:  # as above
                self._retire(running, cause)
        return readings

    def _groups(self) -> list[dict[str, Any]]:
        return getattr(self.loop.optimizer, "param_groups", [])

    def _rate_names(self) -> list[str]:
        """``lr`` is the first group's; with several groups each also has ``lr/<its name or number>``."""
        groups = self._groups()
        several = [f"lr/{group.get('name', i)}" for i, group in enumerate(groups)] if len(groups) > 1 else []
        return ["lr", *several] if groups else []

    def _learning_rates(self, step: int) -> Iterable[Reading]:
        """As they are: one may be a tensor on the device, and reading it here would make the loop wait."""
        groups = self._groups()
        if groups:
            yield step, "lr", groups[0].get("lr")
        if len(groups) > 1:
            for i, group in enumerate(groups):
                yield step, f"lr/{group.get('name', i)}", group.get("lr")


def _wanted(signals: str | Iterable[str]) -> set[str]:
    known = {name for probe in PROBES for name in probe.units}
    if isinstance(signals, str):
        if signals not in SETS:
            raise BadOption(
                f"signals={signals!r} is no set of signals", hint=f"choose {', '.join(SETS)}, or list names"
            )
        return set() if signals == "scalars" else known
    wanted = set(signals)
    unknown = wanted - known - {"lr"}
    if unknown:
        raise BadOption(
            f"no such signal: {', '.join(sorted(unknown))}", hint=f"there are lr, {', '.join(sorted(known))}"
        )
    return wanted
