"""The parts of a model: what a wrapper wraps, its blocks, and the head that reads the last hidden features."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from runopsy.errors import Unavailable

MOST_BLOCKS = 64  # names of one family in a log; a deeper model is grouped one level higher
WRAPPERS = ("DistributedDataParallel", "DataParallel")  # .module is what they wrap
PRODUCT = "product with "  # and the parameter's name: what a head without a module is called
PRODUCTS = (nn.functional.linear, torch.matmul, torch.mm, Tensor.matmul, Tensor.mm, Tensor.__matmul__)
CONTAINERS = (nn.Sequential, nn.ModuleList, nn.ModuleDict)


def plain(model: nn.Module) -> nn.Module:
    """The model itself, out of the wrappers that compile or distribute it; parameters are the same objects."""
    inner: Any = model
    while True:
        if hasattr(inner, "_orig_mod"):
            inner = inner._orig_mod  # noqa: SLF001  # what torch.compile wraps; there is no public name
        elif type(inner).__name__ in WRAPPERS:
            inner = inner.module
        else:
            return cast(nn.Module, inner)


def check_measurable(model: nn.Module) -> None:
    """Raise Unavailable for a model that one process cannot run on its own, or whose insides cannot be seen."""
    for module in model.modules():
        if isinstance(module, torch.jit.ScriptModule):
            raise Unavailable("the model is a TorchScript module, whose insides cannot be seen")
        if type(module).__name__ == "FullyShardedDataParallel":
            raise Unavailable("the model is sharded over several processes, and one alone cannot run it")
    for weight in model.parameters():
        if isinstance(weight, nn.parameter.UninitializedParameter):
            raise Unavailable("the model has parameters that are not initialised")
        if hasattr(weight, "to_local"):
            raise Unavailable("the model is sharded over several processes, and one alone cannot run it")


def blocks(model: nn.Module) -> dict[str, nn.Module]:
    """The model's parts by dotted name, in order of registration: its children, containers opened.

    Only parts with parameters. A model that is one big part is opened too; where that gives more than
    ``MOST_BLOCKS``, containers are left closed.
    """
    opened = dict(_parts(model, "", open_containers=True))
    return opened if len(opened) <= MOST_BLOCKS else dict(_parts(model, "", open_containers=False))


def _parts(module: nn.Module, path: str, open_containers: bool) -> Iterator[tuple[str, nn.Module]]:
    children = [(name, child) for name, child in module.named_children() if any(True for _ in child.parameters())]
    for name, child in children:
        where = f"{path}.{name}" if path else name
        alone = len(children) == 1 and any(True for _ in child.children())
        if alone or (open_containers and isinstance(child, CONTAINERS)):
            yield from _parts(child, where, open_containers)
        else:
            yield where, child


def main_tensor(output: Any) -> Tensor:
    """The logits, or the prediction, in whatever a model returns.

    Raises:
        Unavailable: there is no floating tensor where one is expected.
    """
    if isinstance(output, (tuple, list)) and output:
        output = output[0]
    elif isinstance(output, dict):
        output = output.get("logits", next(iter(output.values()), None))
    elif hasattr(output, "logits"):
        output = output.logits
    if isinstance(output, Tensor) and output.is_floating_point():
        return output
    raise Unavailable(f"the model returns {type(output).__name__}, in which no tensor of predictions was found")


@dataclass(slots=True, eq=False)
class Head:
    """The module whose input is the last hidden features; None where a parameter is multiplied without one."""

    name: str
    module: nn.Module | None

    def rows(self, entering: Tensor) -> Tensor:
        """Features (rows, d): one row per example, or per position of a sequence or an image."""
        if isinstance(self.module, nn.modules.conv._ConvNd):  # noqa: SLF001  # the base of all convolutions has no other name
            entering = entering.movedim(1, -1)
        return entering.reshape(-1, entering.shape[-1])


def named_head(model: nn.Module, head: Any) -> Head:
    """The head that the user named, by module or by dotted name.

    Raises:
        Unavailable: the model has no such module.
    """
    for name, module in model.named_modules():
        if module is head or name == head:
            return Head(name, module)
    known = ", ".join(name for name, module in model.named_modules() if isinstance(module, nn.Linear))
    raise Unavailable(f"head={str(head)[:80]!r} is no module of the model; linear layers are {known or 'not there'}")


@dataclass(slots=True, eq=False)
class Passing:
    """What passes through some modules during a forward pass; the last call of each counts."""

    entered: dict[str, Tensor] = field(default_factory=dict)
    left: dict[str, Tensor] = field(default_factory=dict)

    @contextmanager
    def watch(self, modules: dict[str, nn.Module]) -> Iterator[None]:
        """Hook the modules while the block runs, and take every hook off again."""
        with ExitStack() as stack:
            for name, module in modules.items():
                handle = module.register_forward_hook(self._note(name), with_kwargs=True)
                stack.callback(handle.remove)
            yield

    def _note(self, name: str) -> Any:
        def note(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
            entering = next((a for a in (*args, *kwargs.values()) if isinstance(a, Tensor)), None)
            self.entered.pop(name, None)  # a module that is called again goes to the end: order is that of last calls
            if entering is not None:
                self.entered[name] = entering.detach()
            leaving = output[0] if isinstance(output, (tuple, list)) and output else output
            if isinstance(leaving, Tensor):
                self.left[name] = leaving.detach()

        return note


class Products(TorchFunctionMode):
    """The last product with a parameter during a forward pass: (what was multiplied, the result)."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self._weights = {_memory(weight): name for name, weight in model.named_parameters()}
        self.last: tuple[str, Tensor, Tensor] | None = None  # the parameter's name, what went in, what came out

    def __torch_function__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func in PRODUCTS and len(args) > 1 and isinstance(args[1], Tensor) and _memory(args[1]) in self._weights:
            self.last = self._weights[_memory(args[1])], args[0].detach(), result.detach()
        return result


def found_head(model: nn.Module, entered: Mapping[str, Tensor], left: Mapping[str, Tensor], prediction: Tensor) -> Head:
    """The last linear layer that was run, provided that the prediction is made of what it gave.

    Raises:
        Unavailable: the prediction has another width: it comes from elsewhere.
    """
    linear = linears(model)
    ran = [name for name in entered if name in linear and name in left]
    own = [name for name in ran if _same_memory(left[name], prediction)]
    if own:
        return Head(own[-1], linear[own[-1]])
    if ran:
        given = left[ran[-1]]
        if given.numel() == prediction.numel() or given.shape[-1] == prediction.shape[-1]:
            return Head(ran[-1], linear[ran[-1]])
    raise Unavailable("the model's output does not come from a linear layer; head= names the module that makes it")


def linears(model: nn.Module) -> dict[str, nn.Module]:
    """The linear layers by name; ``Conv1D`` is what GPT-2 calls its own."""
    return {n: m for n, m in model.named_modules() if isinstance(m, nn.Linear) or type(m).__name__ == "Conv1D"}


def _same_memory(one: Tensor, two: Tensor) -> bool:
    return _memory(one) == _memory(two) and one.numel() == two.numel()


def _memory(t: Tensor) -> int:
    return t.untyped_storage().data_ptr()
