"""From what a loop passes to what a journal holds: floats now, or as soon as the device has them."""

from __future__ import annotations

import numbers
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(slots=True)
class Waiting:
    """A scalar that is still on its way from an accelerator."""

    step: int
    time: float
    number: int
    host: Tensor
    ready: Any  # torch.cuda.Event, or None where the copy has already happened


def on_accelerator(value: object) -> bool:
    """Whether reading the value now would make the loop wait for its device."""
    device = getattr(value, "device", None)
    return device is not None and getattr(device, "type", "cpu") != "cpu"


def as_float(value: object) -> float:
    """A number, a 0-d array or a one-element CPU tensor as a float.

    Raises:
        TypeError, ValueError: it is no number, or more than one.
    """
    if isinstance(value, (str, bytes)):
        raise TypeError(f"{value!r} is text")
    if isinstance(value, numbers.Real):
        return float(value)
    return float(value.item())  # type: ignore[attr-defined]  # duck-typed: tensors and arrays, without importing either


class Transfers:
    """Device scalars in flight: copied without waiting, collected when their event has fired.

    A value that is still in flight at a kill is lost with the device that held it; every later call
    collects what has arrived, so at most the last few steps are ever in flight.
    """

    def __init__(self) -> None:
        self._waiting: deque[Waiting] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def send(self, step: int, time: float, number: int, value: Tensor) -> None:
        """Start the copy of a 0-d device tensor. What the loop does to the tensor later is not seen."""
        import torch  # the value is a tensor: torch is loaded already

        if value.device.type == "cuda":
            host = torch.empty((), dtype=value.dtype, pin_memory=True)
            host.copy_(value.detach().reshape(()), non_blocking=True)
            ready = torch.cuda.Event()
            ready.record(torch.cuda.current_stream(value.device))
        else:  # mps, xpu and others: no pinned copy that all of them share, so this one waits
            host, ready = value.detach().reshape(()).to("cpu"), None
        self._waiting.append(Waiting(step, time, number, host, ready))

    def collect(self, wait: bool = False) -> list[tuple[int, float, float, int]]:
        """(step, time, value, signal number) of what has arrived, in the order sent; ``wait`` for all."""
        arrived = []
        while self._waiting:
            first = self._waiting[0]
            if first.ready is not None and not first.ready.query():
                if not wait:
                    break
                first.ready.synchronize()
            self._waiting.popleft()
            arrived.append((first.step, first.time, float(first.host), first.number))
        return arrived
