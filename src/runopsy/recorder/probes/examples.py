"""When single examples are learnt and forgotten, and whether flipped labels are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor

from runopsy.recorder.probes.base import Gauge, Loop, Reading, Simple, Table
from runopsy.signal_specs import cost_of, needs_of, units_of


@dataclass(frozen=True, slots=True)
class ExampleDynamics:
    """Of the probe batch's examples (or positions): how often they were forgotten, and when they were learnt.

    ``examples/forgetting``: times an example was right at one reading and wrong at the next, summed over
    readings so far, mean over examples; it depends on how often one looks. ``examples/learned_step``: the
    median, over examples that were ever right, of the first step at which one was. In evaluation mode, so
    that dropout and augmentation forget nothing. The table ``examples/probe`` holds each example's own.
    (Toneva et al. 2018, arXiv 1812.05159.)
    """

    units: ClassVar[Mapping[str, str]] = units_of("examples/forgetting", "examples/learned_step")
    needs: ClassVar[tuple[str, ...]] = needs_of("examples/forgetting")
    cost: ClassVar[str] = cost_of("examples/forgetting")

    def start(self, loop: Loop) -> Gauge:
        gauge = _Dynamics(loop)
        loop.tables["probe"] = gauge.table
        return gauge


@dataclass(slots=True)
class _Dynamics:
    loop: Loop
    _first: Tensor = field(default_factory=lambda: torch.empty(0, device="cpu"))  # (N,) first step right; −1: never
    _last_wrong: Tensor = field(default_factory=lambda: torch.empty(0, device="cpu"))  # (N,) last step wrong; −1: never
    _events: Tensor = field(default_factory=lambda: torch.empty(0, device="cpu"))  # (N,) times forgotten
    _right: Tensor | None = None  # (N,) at the last reading

    def settle(self) -> Iterable[Reading]:
        return ()

    def measure(self, step: int) -> Iterable[Reading]:
        right = self.loop.sight.labelled("probe").right.cpu()
        if self._right is None:
            never = torch.full((len(right),), -1, device="cpu")
            self._first, self._last_wrong, self._events = never, never.clone(), torch.zeros_like(never)
            self._right = torch.zeros_like(right)
        self._events += self._right & ~right
        self._first[right & (self._first < 0)] = step
        self._last_wrong[~right] = step
        self._right = right
        yield step, "examples/forgetting", float(self._events.double().mean())
        learnt = self._first[self._first >= 0]
        if len(learnt):
            yield step, "examples/learned_step", float(learnt.double().quantile(0.5))

    def table(self) -> Table:
        """One row an example; None where it never was right, or never wrong."""
        if self._right is None:
            return {}
        return {
            "example": list(range(len(self._first))),
            "first_right": [s if s >= 0 else None for s in self._first.tolist()],
            "last_wrong": [s if s >= 0 else None for s in self._last_wrong.tolist()],
            "forgotten": self._events.tolist(),
            "right": [int(r) for r in self._right.tolist()],
        }


@dataclass(frozen=True, slots=True)
class CanaryAccuracy:
    """Accuracy on training examples whose labels were replaced at random, by their given (wrong) labels.

    Nothing but memorization can raise it above chance. See ``runopsy.Canaries``.
    (Arpit et al. 2017, arXiv 1706.05394; canaries: Carlini et al., arXiv 1802.08232.)
    """

    units: ClassVar[Mapping[str, str]] = units_of("canary/acc")
    needs: ClassVar[tuple[str, ...]] = needs_of("canary/acc")
    cost: ClassVar[str] = cost_of("canary/acc")

    def start(self, loop: Loop) -> Gauge:
        def read(step: int) -> Iterable[Reading]:
            yield step, "canary/acc", loop.sight.labelled("canaries").accuracy()

        return Simple(read)
