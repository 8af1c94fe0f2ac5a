"""What a reading costs: on the host at once, on a CUDA device as soon as its events have fired."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch


class Stopwatch:
    """Times readings without ever making the loop wait.

    On a CUDA device a reading is timed by two events in the stream, and counts as the longer of host and
    device time; both are upper bounds, for the host may wait for training's own kernels, and the stream
    may idle between ours. ``paid`` hears of it at a later call.
    """

    def __init__(self, device: torch.device | None = None) -> None:
        self._device = device if device is not None and device.type == "cuda" else None
        self._pending: deque[tuple[Callable[[float], None], float, Any, Any]] = deque()

    @contextmanager
    def timed(self, paid: Callable[[float], None]) -> Iterator[None]:
        """Time what happens inside; ``paid`` gets the seconds, now or later."""
        begin = self._mark()
        started = time.perf_counter()
        try:
            yield
        finally:
            took = time.perf_counter() - started
            if begin is None:
                paid(took)
            else:
                self._pending.append((paid, took, begin, self._mark()))

    def collect(self) -> None:
        """Tell the costs that have become known since; never waits."""
        while self._pending and self._pending[0][3].query():
            paid, took, begin, end = self._pending.popleft()
            paid(max(took, begin.elapsed_time(end) / 1000))  # elapsed_time is in ms

    def _mark(self) -> Any:
        if self._device is None:
            return None
        event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]  # torch's own gap
        event.record(torch.cuda.current_stream(self._device))
        return event


def device_of(model: torch.nn.Module | None) -> torch.device | None:
    """Where the first parameter lies; None for a model without any."""
    first = next(model.parameters(), None) if model is not None else None
    return first.device if first is not None else None
