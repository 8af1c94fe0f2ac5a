"""A model lent to a measurement, and given back as if nobody had touched it."""
# ruff: noqa: SLF001  # a module keeps its parts in private dicts, and torch.func itself swaps them there

from __future__ import annotations

import random
import sys
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from runopsy.recorder.anatomy import check_measurable, plain


@contextmanager
def borrowed(model: nn.Module) -> Iterator[nn.Module]:
    """Lend the model in evaluation mode, uncompiled, out of its wrappers, in full precision.

    While the block runs, each parameter is a stand-in on the same memory: gradients gather there, and
    hooks on the real parameters (DDP's, the user's) stay silent. Buffers are copies. Afterwards the
    modules have their parameters, buffers, modes and attributes back, and the random states of torch,
    Python and NumPy are what they were. What a module keeps in a list or dict of its own and fills in
    ``forward`` is the one thing that cannot be put back.

    Raises:
        Unavailable: one process cannot run this model on its own.
    """
    model = plain(model)
    check_measurable(model)
    with ExitStack() as stack:
        devices = {weight.device for weight in model.parameters()}
        for kind in {"cpu", *(device.type for device in devices)}:
            stack.enter_context(torch.autocast(kind, enabled=False))
        if "torch._dynamo" in sys.modules:  # else nothing was compiled, and asking would import the compiler
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        stack.enter_context(_same_random_states(devices))
        stack.enter_context(_no_warnings())
        stack.enter_context(_stand_ins(model))
        yield model


@contextmanager
def _stand_ins(model: nn.Module) -> Iterator[None]:
    kept = [(m, dict(m.__dict__), dict(m._parameters), dict(m._buffers)) for m in model.modules()]
    doubles: dict[int, Any] = {}  # a tensor that appears twice (tied weights) has one stand-in
    try:
        for module, _, parameters, buffers in kept:
            module.__dict__["training"] = False
            module._parameters.update({name: _double(p, doubles) for name, p in parameters.items()})
            module._buffers.update({name: _copy(b, doubles) for name, b in buffers.items()})
        yield
    finally:
        for module, attributes, parameters, buffers in kept:
            _put_back(module._parameters, parameters)
            _put_back(module._buffers, buffers)
            _put_back(module.__dict__, attributes)


def _double(weight: nn.Parameter | None, doubles: dict[int, Any]) -> Any:
    if weight is None:
        return None
    if id(weight) not in doubles:
        double = nn.Parameter(weight.detach(), requires_grad=weight.requires_grad)
        double.__dict__.update(weight.__dict__)
        doubles[id(weight)] = double
    return doubles[id(weight)]


def _copy(buffer: Tensor | None, doubles: dict[int, Any]) -> Any:
    if buffer is None:
        return None
    if id(buffer) not in doubles:
        doubles[id(buffer)] = buffer.detach().clone()
    return doubles[id(buffer)]


def _put_back(now: Any, before: dict[str, Any]) -> None:
    """The same keys in the same order, with the same objects behind them."""
    if list(now) != list(before):
        for key in [key for key in now if key not in before]:
            del now[key]
    for key, value in before.items():
        if key not in now or now[key] is not value:
            now[key] = value


@contextmanager
def _no_warnings() -> Iterator[None]:
    """Nothing that a measurement makes the model warn of is the user's to mend.

    ``catch_warnings`` would do more: it makes Python forget which warnings it has shown already, and every warning
    of the training would be shown again after each reading.
    """
    filters = warnings.filters
    warnings.filters = [("ignore", None, Warning, None, 0)]
    try:
        yield
    finally:
        warnings.filters = filters


@contextmanager
def _same_random_states(devices: set[torch.device]) -> Iterator[None]:
    numpy = sys.modules.get("numpy")
    python_state = random.getstate()
    numpy_state = numpy.random.get_state() if numpy is not None else None
    cuda = [device for device in devices if device.type == "cuda"]
    mps_state = torch.mps.get_rng_state() if any(device.type == "mps" for device in devices) else None
    with torch.random.fork_rng(devices=cuda):
        try:
            yield
        finally:
            random.setstate(python_state)
            if numpy is not None:
                numpy.random.set_state(numpy_state)
            if mps_state is not None:
                torch.mps.set_rng_state(mps_state)
