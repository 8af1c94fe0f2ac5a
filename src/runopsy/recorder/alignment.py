"""Which label of a sequence belongs to which position: that of the position itself, or that of the next one.

The loss knows. Its gradient says it at the first look: under cross-entropy in any of its forms (smoothed,
weighted, with other terms beside it) the one logit of a position that is pulled up is that of its label. Where the
loss comes from inside the model there is no such gradient, and values have to say it; at random initialisation the
two readings of the labels have nearly the same loss, and then it is not known yet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from runopsy.errors import Unavailable
from runopsy.recorder.anatomy import plain

SAME_LOSS = 1e-3  # relative; two ways to average the same float32 losses differ by far less, two alignments by far more
ROUNDING = 1e-5  # relative, of a mean of float32 losses: alignments that are nearer to each other are the same
FARTHER = 10.0  # times further from the loss must the other alignment be
AGREES, APART = 0.9, 0.02  # share of the positions that an alignment must explain; by which it must explain more
SHIFTED = ("ForCausalLM", "LMHeadModel", "DoubleHeadsModel")  # how Hugging Face's models that shift inside are called …
PLAIN = ("ForMaskedLM", "ForTokenClassification", "ForConditionalGeneration")  # … and those that do not


class Undecided(Exception):
    """Both alignments explain the loss so far."""


@dataclass(slots=True)
class Alignment:
    """What is known of a run: ``shifted`` once it is decided; ``assumed`` while both are tried."""

    shifted: bool | None = None
    assumed: bool | None = None

    @property
    def now(self) -> bool | None:
        return self.shifted if self.shifted is not None else self.assumed


def of_model(model: nn.Module | None) -> bool | None:
    """Whether a model that computes its own loss shifts the labels, by the conventions of Hugging Face."""
    if model is None:
        return None
    inner = plain(model)
    names = (str(getattr(inner, "loss_type", "") or ""), type(inner).__name__)
    if any(name.endswith(SHIFTED) for name in names):
        return True
    return False if any(name.endswith(PLAIN) for name in names) else None


def by_gradient(
    logits: Tensor, y: Tensor, loss: Callable[[Tensor], Tensor], classes_last: Callable[[Tensor], Tensor]
) -> bool | None:
    """Whether the loss reads labels (n, T) one position on; None where its gradient does not say it.

    Args:
        logits: as the model gave them; ``classes_last`` brings them to (n, T, K).
        loss: of the logits, with everything else as it was.
    """
    try:
        with torch.enable_grad():
            free = logits.detach().clone().requires_grad_()
            (pull,) = torch.autograd.grad(loss(free), free)
    except Exception:  # somebody else's loss may do anything, and need not be differentiable
        return None
    pull = classes_last(pull).float()
    if not bool(pull.isfinite().all()):
        return None
    strength, wanted = pull.abs().amax(dim=-1), pull.argmin(dim=-1)

    def explained(labels: Tensor) -> float:
        clear = (labels >= 0) & (strength > 0)
        return float((wanted == labels)[clear].float().mean()) if bool(clear.any()) else 0.0

    here, following = explained(y), explained(next_labels(y))
    if max(here, following) < AGREES:
        return None
    if abs(here - following) >= APART:
        return following > here
    last = strength[:, -1][y[:, -1] >= 0]  # labels repeat; but the last position has a next label in neither case
    return None if not len(last) else bool((last == 0).all())


def next_labels(y: Tensor) -> Tensor:
    """Labels (n, T) of the next positions; the last has none."""
    return torch.cat([y[:, 1:], torch.full_like(y[:, :1], -1)], dim=1)


def by_value(loss: float, here: float, following: float) -> bool:
    """Whether the loss is that of the labels one position on.

    Raises:
        Undecided: both are.
        Unavailable: neither is.
    """
    off_here, off_following = abs(here - loss), abs(following - loss)
    if not min(off_here, off_following) <= SAME_LOSS * abs(loss):
        raise Unavailable(
            "loss_fn= does not show which label belongs to which position of the sequence: give labels of"
            " the same positions, and a loss_fn that is their cross-entropy"
        )
    nearer, further = sorted((off_here, off_following))
    if further < FARTHER * nearer or abs(here - following) <= ROUNDING * abs(loss):
        raise Undecided
    return off_following < off_here


def with_logits(output: Any, logits: Tensor) -> Any:
    """The output with other logits in it.

    Raises:
        TypeError: it is an object whose parts cannot be exchanged.
    """
    if isinstance(output, Tensor):
        return logits
    if isinstance(output, (tuple, list)) and type(output) in (tuple, list):
        return type(output)([logits, *output[1:]])
    if isinstance(output, Mapping) and type(output) is dict:
        key = "logits" if "logits" in output else next(iter(output))
        return {**output, key: logits}
    raise TypeError(type(output).__name__)
