"""What a probe is, and what it may look at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from runopsy.errors import Unavailable
from runopsy.recorder.batches import Batch, LossFunction, own_loss
from runopsy.recorder.rates import named_optimizers
from runopsy.recorder.sight import Sight

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.amp import GradScaler
    from torch.optim import Optimizer

# step, signal, value: a 0-d tensor may still be on its device; None is not written
Reading = tuple[int, str, "float | Tensor | None"]
Table = Mapping[str, Sequence[float | int | str | None]]  # column → one value per example


@dataclass(frozen=True, slots=True, eq=False)
class Loop:
    """What the training loop handed to ``record``; a probe reads it and changes nothing.

    ``notes`` and ``tables`` are where a gauge leaves what is no series: how a signal was taken, for
    run.json, and per-example tables, which are asked for when the run ends.
    """

    model: nn.Module | None = None
    optimizer: Optimizer | Sequence[Optimizer] | Mapping[str, Optimizer] | None = None
    loss_fn: LossFunction | None = None
    probe: Batch | None = None
    heldout: Batch | None = None
    canaries: Batch | None = None
    groups: Sequence[str] | None = None  # the group of each probe example
    head: Any = None
    resumed: bool = False
    scaler: GradScaler | None = None
    clipped: bool = False  # gradients are, when ``run.step`` is called
    rank: int = 0  # of the ``world`` processes that train together
    world: int = 1
    sight: Sight = field(init=False, repr=False)
    notes: dict[str, dict[str, str | int]] = field(init=False, default_factory=dict)
    tables: dict[str, Callable[[], Table]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        if self.loss_fn is None and self.probe is not None and "labels" in self.probe.kwargs:
            object.__setattr__(self, "loss_fn", own_loss)
        given = {"probe": self.probe, "heldout": self.heldout, "canaries": self.canaries}
        batches = {name: batch for name, batch in given.items() if batch is not None}
        object.__setattr__(self, "sight", Sight(self.model, batches, self.loss_fn, self.head))

    def missing(self, needs: Iterable[str]) -> tuple[str, ...]:
        """Those of ``needs`` (names of the fields above) that were not given."""
        return tuple(name for name in needs if getattr(self, name, None) is None)

    def gradient_scale(self) -> float:
        """What the gradients are multiplied with at this moment: 1 without a GradScaler, or once it has unscaled them.

        Raises:
            Unavailable: this torch does not say whether they are unscaled.
        """
        if self.scaler is None or not self.scaler.is_enabled():
            return 1.0
        states = getattr(self.scaler, "_per_optimizer_states", None)  # torch has no public name for it
        if states is None:
            raise Unavailable("it is not known whether the GradScaler has unscaled the gradients")
        stages = {key: state["stage"].name for key, state in dict(states).items()}  # never add to its defaultdict
        ours = [id(optimizer) for optimizer in named_optimizers(self.optimizer).values()]
        known = [stages.get(key) for key in ours] if ours else list(stages.values())
        return 1.0 if "UNSCALED" in known else float(self.scaler.get_scale())

    def note(self, signal: str, **facts: str | int) -> None:
        """Say in run.json how a signal is taken."""
        self.notes.setdefault(signal, {}).update(facts)


class Gauge(Protocol):
    """A probe at work. Both calls run without gradients and must leave no trace in the training.

    Either may raise ``Unavailable``: the signal cannot be had in this run, which is no failure.
    """

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
        """Signal → unit, "" for a pure number. ``<…>`` in a name stands for what the model decides."""
        ...

    @property
    def needs(self) -> tuple[str, ...]:
        """Fields of ``Loop`` without which there is no reading."""
        ...

    @property
    def cost(self) -> str:
        """What one reading takes, in words: the price itself is measured as the run goes."""
        ...

    def start(self, loop: Loop) -> Gauge:
        """Begin.

        Raises:
            Unavailable: the signal cannot be had in this run.
        """
        ...


@dataclass(frozen=True, slots=True)
class Simple:
    """A gauge without memory: what it owes at a step it gives at once."""

    read: Callable[[int], Iterable[Reading]]

    def settle(self) -> Iterable[Reading]:
        return ()

    def measure(self, step: int) -> Iterable[Reading]:
        return self.read(step)
