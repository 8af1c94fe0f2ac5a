"""How many examples the loop trains on at once, seen in a forward pass."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class TrainingBatch:
    """A hook that counts the examples of a forward pass in training mode, and takes itself off.

    It is put on once training runs, at the first ``run.step``, and not before: a model may yet have to be
    compiled, scripted or captured, and a hook would be in the way. ``examples`` stays None for a model that is
    compiled in place, which a hook would compile anew, and for one that takes no hooks.
    """

    def __init__(self, model: nn.Module) -> None:
        self.examples: int | None = None
        self._hook: Any = None
        if getattr(model, "_compiled_call_impl", None) is None:
            try:
                self._hook = model.register_forward_pre_hook(self._count, with_kwargs=True)
            except Exception:  # TorchScript takes none
                self._hook = None

    def close(self) -> None:
        """Take the hook off; later calls do nothing."""
        if self._hook is not None:
            self._hook.remove()
            self._hook = None

    def _count(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if torch.compiler.is_compiling():
            return  # a compiled step function that calls the model: nothing of this may get into it
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
