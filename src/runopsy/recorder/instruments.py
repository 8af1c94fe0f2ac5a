"""The probes of one run, their cadences and their price."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from runopsy.errors import BadOption
from runopsy.recorder.cadence import Cadence
from runopsy.recorder.probes import PROBES, Gauge, Loop, Probe, Reading

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

SETS = ("scalars", "default", "full")
SMOOTH = 0.05  # weight of the newest call in the time per call: the last twenty or so count


@dataclass(slots=True)
class _Running:
    """A gauge and when it is due."""

    probe: Probe
    gauge: Gauge
    cadence: Cadence


@dataclass(slots=True)
class Instruments:
    """What ``run.step`` measures on its own."""

    loop: Loop
    running: list[_Running]
    refused: Mapping[str, str]  # signal → why it cannot be had in this run
    _call: int = 0
    _last: float | None = None
    _per_call: float = 0.0
    _rates: dict[int, float] = field(default_factory=dict)

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
            BadOption: a name that is no signal and no set.
        """
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
        running = [_Running(probe, probe.start(loop), Cadence(every, share)) for probe in ready]
        return cls(loop, running, refused)

    def describe(self) -> dict[str, dict[str, Any]]:
        """For run.json: each signal with its unit and how often it is read."""
        cadence = "log-spaced at first, then as the budget allows"
        about = {name: {"unit": unit, "cadence": cadence} for r in self.running for name, unit in r.probe.units.items()}
        rates = {name: {"unit": "", "cadence": "every step"} for name in self._rate_names()}
        return {**about, **rates, "recorder/overhead": {"unit": "share of wall time", "cadence": "every 5 s"}}

    @torch.no_grad()
    def read(self, step: int, now: float) -> list[Reading]:
        """Everything due at this call."""
        self._pace(now)
        readings: list[Reading] = list(self._learning_rates(step))
        for running in self.running:
            readings.extend(running.gauge.settle())
            if running.cadence.due(self._call):
                started = time.perf_counter()
                readings.extend(running.gauge.measure(step))
                running.cadence.measured(self._call, time.perf_counter() - started, self._per_call)
        self._call += 1
        return readings

    @torch.no_grad()
    def settle(self) -> list[Reading]:
        """What the last readings still owe, after the last update."""
        return [reading for running in self.running for reading in running.gauge.settle()]

    def _pace(self, now: float) -> None:
        if self._last is not None:
            elapsed = now - self._last
            self._per_call = elapsed if self._call == 1 else (1 - SMOOTH) * self._per_call + SMOOTH * elapsed
        self._last = now

    def _groups(self) -> list[dict[str, Any]]:
        return self.loop.optimizer.param_groups if self.loop.optimizer is not None else []

    def _rate_names(self) -> list[str]:
        """``lr`` is the first group's; with several groups each also has ``lr/<its name or number>``."""
        groups = self._groups()
        several = [f"lr/{group.get('name', i)}" for i, group in enumerate(groups)] if len(groups) > 1 else []
        return ["lr", *several] if groups else []

    def _learning_rates(self, step: int) -> Iterable[Reading]:
        groups = self._groups()
        if groups:
            yield step, "lr", float(groups[0]["lr"])
        if len(groups) > 1:
            for i, group in enumerate(groups):
                yield step, f"lr/{group.get('name', i)}", float(group["lr"])


def _wanted(signals: str | Iterable[str]) -> set[str]:
    known = {name for probe in PROBES for name in probe.units}
    if isinstance(signals, str):
        if signals not in SETS:
            raise BadOption(f"signals={signals!r} is no set of signals", hint=f"choose {', '.join(SETS)}, or list names")
        return set() if signals == "scalars" else known
    wanted = set(signals)
    unknown = wanted - known - {"lr"}
    if unknown:
        raise BadOption(f"no such signal: {', '.join(sorted(unknown))}", hint=f"there are lr, {', '.join(sorted(known))}")
    return wanted
