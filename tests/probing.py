"""Probes that cost what a test says, on a stopwatch that moves when it is told to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import nn

from runopsy.recorder import instruments as module
from runopsy.recorder.instruments import Instruments
from runopsy.recorder.probes import Family, Gauge, Loop, Reading


@dataclass
class Clock:
    """A stopwatch that moves only when told to."""

    now: float = 1000.0

    def perf_counter(self) -> float:
        return self.now


@dataclass
class FakeProbe:
    """A probe and its gauge in one: it costs what it is told to and may break."""

    name: str
    clock: Clock | None = None
    price: float = 0.0  # s, of measuring
    debt: float = 0.0  # s, of settling
    first: float = 0.0  # s, more of the first reading
    breaks_at: int | None = None
    guess: float = 0.05  # training steps that it is taken to cost
    measured: list[int] = field(default_factory=list)
    needs: tuple[str, ...] = ("model",)
    cost: str = "whatever it is told to"
    _owes: bool = False

    @property
    def units(self) -> Mapping[str, str]:
        return {self.name: ""}

    def start(self, loop: Loop) -> Gauge:
        return self

    def settle(self) -> Iterable[Reading]:
        if self._owes and self.clock is not None:
            self.clock.now += self.debt
        self._owes = False
        return ()

    def measure(self, step: int) -> Iterable[Reading]:
        if self.clock is not None:
            self.clock.now += self.price + (0 if self.measured else self.first)
        self.measured.append(step)
        self._owes = True
        if step == self.breaks_at:
            raise RuntimeError("out of memory")
        yield step, self.name, float(step)


def instruments(monkeypatch: pytest.MonkeyPatch, *probes: FakeProbe, **options: Any) -> Instruments:
    """Instruments of these probes alone, each a family by itself; ``follows``: whose passes some of them use."""
    follows = options.pop("follows", {})
    families = tuple(Family(probe.name, (probe,), probe.guess, follows.get(probe.name, "")) for probe in probes)
    monkeypatch.setattr(module, "PROBES", probes)
    monkeypatch.setattr(module, "FAMILIES", families)
    wanted = {"signals": "default", "every": None, "budget": None} | options
    model = nn.Linear(2, 2)
    return Instruments.choose(Loop(model, torch.optim.SGD(model.parameters(), lr=0.1)), **wanted)
