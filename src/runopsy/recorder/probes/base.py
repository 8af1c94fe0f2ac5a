"""What a probe is, and what it may look at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.amp import GradScaler
    from torch.optim import Optimizer

# step, signal, value: a 0-d tensor may still be on its device; None is not written
Reading = tuple[int, str, "float | Tensor | None"]


@dataclass(frozen=True, slots=True)
class Loop:
    """What the training loop handed to ``record``; a probe reads it and changes nothing."""

    model: nn.Module | None = None
    optimizer: Optimizer | None = None
    scaler: GradScaler | None = None
    rank: int = 0  # of the ``world`` processes that train together
    world: int = 1
    said: dict[str, Any] = field(default_factory=dict)  # the newest value of each name passed to ``run.step``

    def missing(self, needs: Iterable[str]) -> tuple[str, ...]:
        """Those of ``needs`` ("model", "optimizer") that were not given."""
        return tuple(name for name in needs if getattr(self, name, None) is None)


class Gauge(Protocol):
    """A probe at work. Both calls run without gradients and must leave no trace in the training."""

    def settle(self) -> Iterable[Reading]:
        """What an earlier reading still owed, now that the optimizer has stepped. Called on every step."""
        ...

    def measure(self, step: int) -> Iterable[Reading]:
        """The readings of this step, after backward and before the optimizer steps."""
        ...


class Probe(Protocol):
    """One family of signals. The docstring states formula, shapes and source."""

    @property
    def units(self) -> Mapping[str, str]:
        """Signal → unit, "" for a pure number."""
        ...

    @property
    def needs(self) -> tuple[str, ...]: ...

    def start(self, loop: Loop) -> Gauge: ...
