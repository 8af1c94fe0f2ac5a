"""The model itself in evaluation mode: loss and accuracy on fixed batches, beside what the loop logs while training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from runopsy.errors import Unavailable
from runopsy.recorder.alignment import with_logits
from runopsy.recorder.anatomy import main_tensor
from runopsy.recorder.batches import Batch, own_loss
from runopsy.recorder.probes.base import Gauge, Loop, Reading, Simple
from runopsy.signal_specs import ERROR, cost_of, needs_of, units_of

GROUPS = 16  # of examples, whose losses show how far the mean can be off: its standard error is then good to a fifth
LEAST = 2  # examples in a group
SAME = 1e-3  # relative: of a loss that is a mean over examples, the mean of the groups is this near


@dataclass(frozen=True, slots=True)
class EvaluationLoss:
    """``loss_fn`` of the whole batch in evaluation mode, without gradients; the model's own loss where it has one.

    Training and evaluation mode differ by dropout and batch statistics; a training loss that is logged in the one
    and a validation loss in the other differ by that as well. These two do not.
    ``NAME/se``: its standard error over examples, from the losses of 16 groups of them; left out where the loss of
    the batch is not the mean of theirs.
    """

    side: str  # "probe" (training examples) or "heldout"
    signal: str

    @property
    def units(self) -> Mapping[str, str]:
        return units_of(self.signal)

    @property
    def needs(self) -> tuple[str, ...]:
        return needs_of(self.signal)

    @property
    def cost(self) -> str:
        return cost_of(self.signal)

    def start(self, loop: Loop) -> Gauge:
        def read(step: int) -> Iterable[Reading]:
            assert loop.loss_fn is not None  # stated in ``needs``
            seen = loop.sight.see(self.side)
            loss: Any = loop.loss_fn(seen.output, seen.y)
            if not isinstance(loss, Tensor) or loss.numel() != 1:
                raise Unavailable("loss_fn= gives more than one number: let it return the mean")
            loop.note(self.signal, examples=len(loop.sight.batch(self.side)))
            yield step, self.signal, loss.detach().reshape(())
            error = _error(loop, seen.output, loop.sight.batch(self.side), float(loss))
            if error is not None:
                yield step, self.signal + ERROR, error

        return Simple(read)


def _error(loop: Loop, output: Any, batch: Batch, loss: float) -> float | None:
    """One standard error of the mean loss; None where examples do not make it up one by one."""
    n = len(batch)
    size = n // GROUPS
    if size < LEAST or loop.loss_fn is None or loop.loss_fn is own_loss:
        return None
    try:
        logits = main_tensor(output)
        if len(logits) != n:
            return None
        rows = [slice(i * size, (i + 1) * size) for i in range(GROUPS)]
        parts = torch.stack([loop.loss_fn(with_logits(output, logits[r]), batch[r].y).float() for r in rows])
    except Exception:  # a loss of somebody else's may want the whole batch
        return None
    if parts.dim() != 1 or not abs(float(parts.mean()) - loss) <= max(SAME * abs(loss), float(parts.std()) / size):
        return None
    return float(parts.std() / GROUPS**0.5)


@dataclass(frozen=True, slots=True)
class EvaluationAccuracy:
    """Share of the batch that the model gets right in evaluation mode; of sequences, of the positions with a label.

    ``NAME/se``: its standard error over examples; the positions of one sequence are not taken for independent.
    """

    side: str
    signal: str

    @property
    def units(self) -> Mapping[str, str]:
        return units_of(self.signal)

    @property
    def needs(self) -> tuple[str, ...]:
        return needs_of(self.signal)

    @property
    def cost(self) -> str:
        return cost_of(self.signal)

    def start(self, loop: Loop) -> Gauge:
        def read(step: int) -> Iterable[Reading]:
            labelled = loop.sight.labelled(self.side)
            n = len(loop.sight.batch(self.side))
            loop.note(self.signal, examples=n)
            accuracy = labelled.accuracy()
            yield step, self.signal, accuracy
            each = labelled.positions // n  # positions of an example
            if each * n == labelled.positions and n > 1:
                off = labelled.right.float() - accuracy
                sums = torch.zeros(n, device=off.device).index_add_(0, labelled.rows // each, off)
                yield step, self.signal + ERROR, sums.square().sum().sqrt() / len(off) * (n / (n - 1)) ** 0.5

        return Simple(read)
