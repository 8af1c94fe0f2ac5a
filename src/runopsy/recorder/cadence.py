"""When signals are due: log-spaced at the start, then at even distances."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sized
from numbers import Integral
from typing import Any

from runopsy.errors import BadOption

DENSEST = 4  # early readings in each doubling of the calls: thirteen a decade
LONGEST = 40  # as a power of two: a stride that no run lives to see

Schedule = int | Container[int] | None  # every n-th call, these calls, or as the budget allows


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
    """Which calls of ``run.step`` are measured: so many in each doubling of the calls, and every ``stride``-th.

    The distance is the smaller of the stride and what the early readings ask for; both are powers of two, and
    due calls their multiples: so readings of several signals, and of several ranks, meet at common calls. What
    was asked for by ``every`` is kept as it is.
    """

    def __init__(self, every: Schedule) -> None:
        self.asked = every is not None
        self._named = every if not isinstance(every, int) and every is not None else None
        self.stride = every if isinstance(every, int) else 1
        self.per_doubling = DENSEST
        self._coarsest = self.stride

    def due(self, call: int) -> bool:
        if self._named is not None:
            return call in self._named
        return call % self._distance(call) == 0

    def even(self, call: int) -> bool:
        """Whether a due call is one of the even ones, and no early extra."""
        return self._named is not None or call % self.stride == 0

    def following(self, call: int) -> int:
        """The first call after this one that may be due."""
        if self._named is not None:
            return call + 1
        if call < 1 and self.per_doubling and not self.asked:
            return 1
        distance = self._distance(call)
        return (call // distance + 1) * distance

    def plan(self, stride: int, per_doubling: int) -> None:
        """Measure at every ``stride``-th call, and until then so many times in each doubling."""
        self.stride, self.per_doubling = stride, per_doubling
        self._coarsest = max(self._coarsest, stride)

    def early(self, per_doubling: int) -> float:
        """How many extra readings there are at the start: about so many."""
        return per_doubling * max(0, (self.stride * per_doubling).bit_length() - 1) if self.stride > 1 else 0

    def describe(self) -> str:
        """For run.json."""
        if self._named is not None:
            return "at the calls that were named"
        often = "every step" if self.stride == 1 else f"every {self.stride} steps"
        if self.asked:
            return often
        if self.stride >= 1 << LONGEST:
            return "when the budget allows"
        return f"log-spaced at first, then {often}" if self._coarsest > 1 else often

    def _distance(self, call: int) -> int:
        if self.asked or call < 1 or not self.per_doubling:
            return self.stride
        early = max(1, 1 << max(0, call.bit_length() - self.per_doubling.bit_length()))
        return min(self.stride, early)
