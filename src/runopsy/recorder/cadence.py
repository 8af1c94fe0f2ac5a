"""When a probe is due: often at the start, then as often as its measured cost allows."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sized
from numbers import Integral
from typing import Any

from runopsy.errors import BadOption

EARLY = 100  # calls; events at step 10 and at step 10 000 occur in one run, so the start is read log-spaced
GROWTH = 1.25  # between early readings: about ten per decade
FORGET = 0.2  # weight of the newest cost: about the last five readings count

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
    """Which calls of ``run.step`` one probe measures.

    Without a budget: the early calls and every ``every``-th one. With a budget the next reading waits
    until cost / (time since the last one) has fallen to the probe's share; early calls are kept.
    Calls that were named one by one are kept whatever they cost.
    """

    def __init__(self, every: Schedule, share: float | None) -> None:
        self._named = every if not isinstance(every, int) else None
        self._stride = every if isinstance(every, int) else 1
        self._early = early_calls() if every is None else frozenset()
        self._share = share
        self._cost: float | None = None
        self._readings = 0
        self._not_before = float("-inf")

    def due(self, call: int, now: float) -> bool:
        """Whether to measure at this call, made at ``now`` seconds of any steady clock."""
        if self._named is not None:
            return call in self._named
        return (call % self._stride == 0 and now >= self._not_before) or call in self._early

    def measured(self, cost: float, at: float) -> None:
        """Note what a reading cost, in seconds, and set how long after it the next one has to wait."""
        self._readings += 1
        if self._readings == 1:
            return  # it paid for whatever torch does once, and says nothing about the next
        self._cost = cost if self._cost is None else (1 - FORGET) * self._cost + FORGET * cost
        if self._share:
            self._not_before = at + self._cost / self._share

    def describe(self) -> str:
        """For run.json."""
        if self._named is not None:
            return "at the calls that were named"
        often = "log-spaced at first, then every step" if self._early else f"every {self._stride} steps"
        return f"{often}, or as the budget allows" if self._share else often
