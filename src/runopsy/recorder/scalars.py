"""From what a loop passes to what a journal holds: floats now, or as soon as the device has them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runopsy.store import RECORD

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
    return device is not None and getattr(device, "type", "cpu") not in ("cpu", "meta")


def as_float(value: Any) -> float:
    """A number, a 0-d array or a one-element CPU tensor as a float.

    Raises:
        Exception: it is no number, or more than one; what is raised is up to the value.
    """
    # item() first, where there is one: float() of a tensor that requires a gradient is a warning
    item = getattr(value, "item", None)
    if item is not None:
        value = item()
    if isinstance(value, (str, bytes, bytearray)):
        raise TypeError("it is text")
    return float(value)


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
        if value.is_complex():
            raise TypeError("it is complex")
        scalar = value.detach().reshape(())
        if value.device.type == "cuda":
            import torch  # the value is a tensor: torch is loaded already

            # "cpu" is written out, because torch.set_default_device may have named another
            host = torch.empty((), dtype=value.dtype, device="cpu", pin_memory=True)
            host.copy_(scalar, non_blocking=True)
            ready = torch.cuda.Event()  # type: ignore[no-untyped-call]  # torch's own gap
            ready.record(torch.cuda.current_stream(value.device))
        else:  # mps, xpu and others: no pinned copy that all of them share, so this one waits
            host, ready = scalar.to("cpu"), None
        self._waiting.append(Waiting(step, time, number, host, ready))

    def collect(self, wait: bool = False) -> Iterator[tuple[int, float, float, int]]:
        """(step, time, value, signal number) of what has arrived, in the order sent; ``wait`` for all.

        Raises:
            RuntimeError: the device has failed; what it held will never arrive, see ``abandon``.
        """
        while self._waiting:
            first = self._waiting[0]
            if first.ready is not None and not first.ready.query():
                if not wait:
                    return
                first.ready.synchronize()
            arrived = first.step, first.time, float(first.host), first.number
            self._waiting.popleft()
            yield arrived

    def abandon(self) -> int:
        """Forget what is in flight; how many values that were."""
        lost = len(self._waiting)
        self._waiting.clear()
        return lost


class Packer:
    """Values as journal records. One that is no number is refused: counted, warned of, and no harm to the others."""

    def __init__(self, number: Callable[[str], int], complain: Callable[[str], None]) -> None:
        self.refused = 0  # values that were no numbers
        self.lost = 0  # values on a device that failed
        self._new_number, self._complain = number, complain
        self.numbers: dict[str, int] = {}  # by name, of the signals that are known
        self._transfers = Transfers()

    @property
    def waiting(self) -> bool:
        """Whether values are on their way from an accelerator."""
        return bool(self._transfers)

    def packed(self, step: int, values: Mapping[str, Any], now: float) -> bytes:
        """One record a value; those that still lie on an accelerator come with ``arrived``."""
        return b"".join(self.rows(step, values.items(), now))

    def rows(self, step: int, values: Iterable[tuple[str, Any]], now: float) -> list[bytes]:
        """The same, one by one."""
        pack, numbers = RECORD.pack, self.numbers
        rows = []
        for name, value in values:
            if type(value) is float:
                real = value
            elif value is None:
                continue
            else:
                try:
                    device = getattr(value, "device", None)
                    if device is not None and on_accelerator(value):
                        self._transfers.send(step, now, self._number(name), value)
                        continue
                    real = as_float(value)
                except Exception as cause:  # what it raises is up to the value
                    self.refused += 1
                    self._complain(f"{name!r} at step {step} is no number: {cause}")
                    continue
            rows.append(pack(step, now, real, numbers.get(name) or self._number(name)))
        return rows

    def arrived(self, wait: bool = False) -> list[bytes]:
        """What accelerators have delivered since; a device that failed takes its values along."""
        rows: list[bytes] = []
        if not self._transfers:
            return rows
        try:
            # what came before a failure stays in the list
            rows.extend(RECORD.pack(*arrived) for arrived in self._transfers.collect(wait))
        except Exception as cause:  # the values that are here must not go the same way
            self.lost += self._transfers.abandon()
            self._complain(f"the device failed: {cause}")
        return rows

    def _number(self, name: str) -> int:
        number = self.numbers.get(name)
        if number is None:
            number = self.numbers[name] = self._new_number(str(name))
        return number
