"""How many examples the loop trains on at once, seen in its first forward pass."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class TrainingBatch:
    """A hook that counts the examples of the first forward pass in training mode, and takes itself off.

    ``examples`` is None until then, and for a model that is compiled in place: a hook would compile it anew.
    """

    def __init__(self, model: nn.Module) -> None:
        self.examples: int | None = None
        self._hook: Any = None
        if getattr(model, "_compiled_call_impl", None) is None:
            self._hook = model.register_forward_pre_hook(self._count, with_kwargs=True)

    def close(self) -> None:
        """Take the hook off; later calls do nothing."""
        if self._hook is not None:
            self._hook.remove()
            self._hook = None

    def _count(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        try:
            if module.training and torch.is_grad_enabled():
                self.examples = examples_in(args, kwargs)
                self.close()
        except Exception:  # a tensor of somebody else's may do anything, and this is the loop's own forward pass
            self.close()


def examples_in(args: tuple[Any, ...], kwargs: dict[str, Any]) -> int | None:
    """The length of the first tensor that a model is called with; None where there is none."""
    tensors = (a for a in (*args, *kwargs.values()) if isinstance(a, Tensor) and a.dim())
    return next((len(tensor) for tensor in tensors), None)
