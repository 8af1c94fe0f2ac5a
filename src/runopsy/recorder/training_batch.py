"""How many examples the loop trains on at once, seen in a forward pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


def compiled_in_place(model: nn.Module) -> bool:
    """Whether ``model.compile()`` was called: a hook would compile it anew."""
    return getattr(model, "_compiled_call_impl", None) is not None


def on_training_pass(model: nn.Module, seen: Callable[[int | None], object]) -> Any:
    """Before each forward pass in training mode, call ``seen`` with its number of examples: None if that is not known.

    Nothing of this gets into a compiled step function that calls the model, and nothing that it raises into
    the loop's own forward pass.

    Returns:
        a handle with ``remove()``.
    """

    def count(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if torch.compiler.is_compiling() or not module.training or not torch.is_grad_enabled():
            return
        try:
            examples = _examples_in(args, kwargs)
        except Exception:  # a tensor of somebody else's may do anything
            examples = None
        seen(examples)

    return model.register_forward_pre_hook(count, with_kwargs=True)


class TrainingBatch:
    """The number of examples of one forward pass in training mode.

    It is looked for once training runs, at the first ``run.step``, and not before: a model may yet have to be
    compiled, scripted or captured, and a hook would be in the way. ``examples`` stays None for a model that is
    compiled in place, and for one that takes no hooks.
    """

    def __init__(self, model: nn.Module) -> None:
        self.examples: int | None = None
        self._hook: Any = None
        if not compiled_in_place(model):
            try:
                self._hook = on_training_pass(model, self._see)
            except Exception:  # TorchScript takes none
                self._hook = None

    def close(self) -> None:
        """Take the hook off; later calls do nothing."""
        if self._hook is not None:
            self._hook.remove()
            self._hook = None

    def _see(self, examples: int | None) -> None:
        self.examples = examples
        self.close()


def _examples_in(args: tuple[Any, ...], kwargs: dict[str, Any]) -> int | None:
    """The length of the first tensor that a model is called with; None where there is none."""
    tensors = (a for a in (*args, *kwargs.values()) if isinstance(a, Tensor) and a.dim())
    return next((len(tensor) for tensor in tensors), None)
