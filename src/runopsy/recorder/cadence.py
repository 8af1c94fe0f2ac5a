"""When a probe is due: often at the start, then at even distances."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sized
from numbers import Integral
from typing import Any

from runopsy.errors import BadOption

EARLY = 100  # calls; events at step 10 and at step 10 000 occur in one run, so the start is read log-spaced
GROWTH = 1.25  # between early readings: about ten per decade

Schedule = int | Container[int] | None  # every n-th call, these calls, or as the budget allows


def early_calls(until: int = EARLY, growth: float = GROWTH) -> frozenset[int]:
    """0, 1, 2, … log-spaced up to ``until``."""
    calls, at = {0}, 1.0
    while at <= until:
        calls.add(round(at))
        at = max(at + 1, at * growth)
    return frozenset(calls)


def schedule(every: Any) -> Schedule:
    """What a caller means by ``every``, in a form that several probes can ask again and again.

    Raises:
        BadOption: a number below 1, or something that names no calls.
    """
    if every is None or isinstance(every, range):  # a range may be endless, and knows its numbers
        return every
    if isinstance(every, Integral):
        if every < 1:
            raise BadOption(f"every={every!r}: a probe cannot be due more often than each call", hint="give 1 or more")
        return int(every)
    if isinstance(every, Iterable) and not isinstance(every, str):
        return frozenset(int(call) for call in every) if isinstance(every, Sized) else _Rising(iter(every))
    raise BadOption(f"every={every!r} names no calls", hint="give a number, or the calls to measure at")


class _Rising(Container[int]):
    """Numbers that an iterator yields in rising order, read no further than asked: it may never end."""

    def __init__(self, source: Iterator[int]) -> None:
        self._source = source
        self._next = next(source, None)

    def __contains__(self, call: object) -> bool:
        """Calls only ever rise, so one number of the source at a time is enough for all probes."""
        while isinstance(call, int) and self._next is not None and self._next < call:
            self._next = next(self._source, None)
        return self._next == call


class Cadence:
    """Which calls of ``run.step`` one probe measures: the early ones, and every ``stride``-th.

    A budget makes both coarser, by powers of two, and finer again; calls that were named one by one are
    kept whatever they cost.
    """

    def __init__(self, every: Schedule) -> None:
        self.named = every if not isinstance(every, int) and every is not None else None
        self.every = every if isinstance(every, int) else 1
        self._all_early = sorted(early_calls()) if every is None else []
        self._early = frozenset(self._all_early)
        self._stride: int | None = self.every  # None: not yet
        self._thinned = False

    @property
    def early_count(self) -> int:
        return len(self._all_early)

    @property
    def held_back(self) -> bool:
        """Whether it is read less often than was asked for."""
        return self._stride != self.every

    def due(self, call: int) -> bool:
        if self.named is not None:
            return call in self.named
        return (self._stride is not None and call % self._stride == 0) or call in self._early

    def hold(self) -> None:
        """Measure nothing until ``thin`` is called."""
        self._stride, self._early = None, frozenset()

    def thin(self, times: int) -> None:
        """Measure at every so many times ``every``-th call."""
        self._stride = self.every * times
        self._thinned = self._thinned or times > 1

    def thin_early(self, count: float) -> None:
        """Keep at most so many of the early calls, evenly among them."""
        apart = 1
        while apart <= len(self._all_early) and -(-len(self._all_early) // apart) > count:
            apart *= 2
        self._early = frozenset(self._all_early[::apart] if count >= 1 else ())

    def describe(self) -> str:
        """For run.json."""
        if self.named is not None:
            return "at the calls that were named"
        often = "every step" if self._stride == 1 else f"every {self._stride} steps"
        often = often if self._stride is not None else "when the budget allows"
        return f"log-spaced at first, then {often}" if self._all_early else often
