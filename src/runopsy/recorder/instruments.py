"""The probes of one run, their cadences and their price."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import torch

from runopsy.errors import BadOption, Unavailable
from runopsy.recorder.cadence import Cadence, schedule
from runopsy.recorder.probes import DEAR, ON_REQUEST, PROBES, Gauge, Loop, Probe, Reading

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
    wanted: Callable[[str], bool] = lambda name: True  # of the signals that the probes read, those to be written
    troubles: list[str] = field(default_factory=list)  # probes that failed in the middle of it
    _call: int = 0

    @classmethod
    def choose(
        cls,
        loop: Loop,
        signals: str | Iterable[str],
        every: int | Iterable[int] | None,
        budget: float | None,
    ) -> Instruments:
        """Start the probes that were asked for and whose needs were given.

        Raises:
            BadOption: a name that is no signal and no set, a schedule that is none.
        """
        calls = schedule(every)
        chosen, wanted = _wanted(signals)
        refused: dict[str, str] = {}
        ready: list[tuple[Probe, Gauge]] = []
        for probe in chosen:
            try:
                ready.append((probe, _started(probe, loop)))
            except Exception as cause:  # a probe that cannot even start must not cost the others
                refused.update(dict.fromkeys(probe.units, _reason(cause)))
        share = budget / len(ready) if budget and ready else None
        running = [_Running(probe, gauge, Cadence(calls, share)) for probe, gauge in ready]
        return cls(loop, running, refused, wanted)

    def describe(self) -> dict[str, dict[str, str]]:
        """For run.json: each signal with its unit, how often it is read, what a reading takes and how it is taken."""
        about = {
            name: {"unit": unit, "cadence": running.cadence.describe(), "cost": running.probe.cost}
            | self.loop.notes.get(name, {})
            for running in self.running
            for name, unit in running.probe.units.items()
            if self.wanted(name)
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
        self.loop.sight.forget()
        self._call += 1
        return [reading for reading in readings if self.wanted(reading[1])]

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
        why = _reason(cause)
        self.refused.update(dict.fromkeys(filter(self.wanted, running.probe.units), why))
        if isinstance(cause, Unavailable):
            return  # so it is with this model; nothing has failed
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
        return [reading for reading in readings if self.wanted(reading[1])]

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


def _started(probe: Probe, loop: Loop) -> Gauge:
    """The probe at work.

    Raises:
        Unavailable: not without what was not given, or not with this model.
    """
    missing = loop.missing(probe.needs)
    if missing:
        raise Unavailable(f"needs {', '.join(f'{name}=' for name in missing)}")
    return probe.start(loop)


def _reason(cause: Exception) -> str:
    return str(cause) if isinstance(cause, Unavailable) else f"{type(cause).__name__}: {cause}"


def _wanted(signals: str | Iterable[str]) -> tuple[list[Probe], Callable[[str], bool]]:
    """The probes that are asked for, and which of their signals are.

    A name may be one that the model completes: ``grad/norm/<module>`` for all, ``grad/norm/encoder`` for one.
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
    whole = [known[name] for name in names & set(known)]

    def wanted(name: str) -> bool:
        return name in names or any(p.fullmatch(name) for p in whole) or name == "lr" or name.startswith("lr/")

    asked = {known[name] for name in known if any(known[name].fullmatch(one) for one in names)}
    return [probe for probe in PROBES if asked & {known[name] for name in probe.units}], wanted


def _pattern(name: str) -> re.Pattern[str]:
    """What a signal's name matches: itself, and whatever the model puts for ``<…>``."""
    return re.compile(re.sub(r"<[^>]*>", ".+", re.escape(name).replace(r"\<", "<").replace(r"\>", ">")))
