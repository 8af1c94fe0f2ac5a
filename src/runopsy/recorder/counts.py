"""How large what is trained is: parameters of the model, examples that a loader draws from.

Counted once, when recording begins, and never a reason for a training not to start.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn


def parameters(model: nn.Module | None) -> dict[str, int]:
    """For run.json: ``parameters``, and of them the ``trainable`` ones; each weight once, however often it is used.

    Empty where this process cannot count them: a model sharded by FSDP, weights that are not initialised yet, or
    packed several to a number.
    """
    try:
        if model is None or any(type(part).__name__ == "FullyShardedDataParallel" for part in model.modules()):
            return {}
        weights = list(model.parameters())
        if not all(weight.is_floating_point() or weight.is_complex() for weight in weights):
            return {}
        whole, trainable = _numbers(weights), _numbers(weight for weight in weights if weight.requires_grad)
    except Exception:  # a model of somebody else's may raise anything; lazy weights have no size yet
        return {}
    return {"parameters": whole, "trainable": trainable}


def _numbers(weights: Iterable[Any]) -> int:
    """Numbers in the weights; of one that DeepSpeed has spread over processes, those of all of it."""
    return sum(int(getattr(weight, "ds_numel", weight.numel())) for weight in weights)


def sizes(loader: Any) -> Mapping[str, int]:
    """The examples of the data set that a loader goes through; empty where it has no length or goes through a part."""
    try:
        examples = len(loader.dataset)
        sampler = getattr(loader, "sampler", None)
        shared = hasattr(sampler, "num_replicas")  # of several processes each draws its own part
        if examples <= 0 or (hasattr(sampler, "__len__") and not shared and len(sampler) < examples):  # type: ignore[arg-type]  # as has just been seen
            return {}
    except Exception:  # a stream has no length, a data set of somebody else's may raise anything
        return {}
    return {"train": examples}
