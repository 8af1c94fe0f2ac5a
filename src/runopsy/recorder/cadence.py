"""When a probe is due: often at the start, then as often as its measured cost allows."""

from __future__ import annotations

from collections.abc import Iterable

EARLY = 100  # calls; events at step 10 and at step 10 000 occur in one run, so the start is read log-spaced
GROWTH = 1.25  # between early readings: about ten per decade
FORGET = 0.2  # weight of the newest cost: about the last five readings count


def early_calls(until: int = EARLY, growth: float = GROWTH) -> frozenset[int]:
    """0, 1, 2, … log-spaced up to ``until``."""
    calls, at = {0}, 1.0
    while at <= until:
        calls.add(round(at))
        at = max(at + 1, at * growth)
    return frozenset(calls)


class Cadence:
    """Which calls of ``run.step`` one probe measures.

    Without a budget: the early calls and every ``every``-th one. With a budget the stride is stretched
    so that cost / (stride x time per call) stays at or under the probe's share; early calls are kept.
    """

    def __init__(self, every: int | Iterable[int] | None, share: float | None) -> None:
        self._exact = frozenset(every) if every is not None and not isinstance(every, int) else None
        self._finest = every if isinstance(every, int) else 1
        if self._finest < 1:
            raise ValueError(f"every={every!r}: a probe cannot be due more often than each call")
        self._early = early_calls() if every is None else frozenset()
        self._share = share
        self._cost: float | None = None
        self._next = 0

    def due(self, call: int) -> bool:
        if self._exact is not None:
            return call in self._exact
        return call >= self._next or call in self._early

    def measured(self, call: int, cost: float, time_per_call: float) -> None:
        """Note what the reading at ``call`` cost, in seconds, and set the next one."""
        self._cost = cost if self._cost is None else (1 - FORGET) * self._cost + FORGET * cost
        stride = self._finest
        if self._share and time_per_call > 0:
            needed = self._cost / (self._share * time_per_call)
            stride = self._finest * max(1, -int(-needed // self._finest))
        self._next = call - call % self._finest + stride
