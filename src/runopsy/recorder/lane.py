"""The short way through the recorder: calls at which nothing is due, of names that have been passed before."""

from __future__ import annotations

import struct
import time
from collections.abc import Mapping
from typing import Any

from runopsy.recorder.mapped import NUMBER, Mapped
from runopsy.recorder.rates import with_rates
from runopsy.store import RECORD

MOST = 64  # values of a call; more of them take so long that the long way is no longer one
PLAIN = (float, int)  # those of numpy's that are a Python float among them
# By how many: puts so many records in one go, and nothing after them: one function of C instead of several, each of
# which is cold when a training comes back from its own work.
INTO = tuple(
    struct.Struct("<" + RECORD.format.lstrip("<") * count + f"{RECORD.size}x").pack_into for count in range(MOST + 1)
)
# s a call, that its own stopwatch does not see: entering and leaving the method from cold caches, and the dict that it
# is given; 3 to 6 µs of processor time were measured of an empty method between steps of 1 to 3 ms.
AROUND = 4e-6
FIRST = 3  # place of the number of the first record among the fields


class Lane:
    """Puts the values of a call into the journal's memory, and leaves everything else to the long way.

    Nearly all calls of a training with short steps are such calls, and the training has driven all of the recorder
    out of the caches between two of them: then each function that is entered takes a microsecond or more, a system
    call five, a write fifteen. So all is done here in one function, which knows nothing of why it is open.
    """

    __slots__ = (
        "_busy",
        "_mapped",
        "_numbers",
        "_offset",
        "_rates",
        "last_step",
        "passed",
        "spent",
        "steps",
        "until",
    )

    def __init__(self, numbers: Mapping[str, int]) -> None:
        """``numbers``: of the signals that are known, by name; it grows elsewhere."""
        self.until = 0.0  # s of the stopwatch: closed from then on
        self.steps = 0  # calls of ``step`` that may pass …
        self.passed = 0  # … and how many have since the long way was taken
        self.spent = 0.0  # s that recording has taken in all, here and elsewhere
        self.last_step: int | None = None
        self._numbers = numbers
        self._busy = False
        self._mapped: Mapped | None = None
        self._rates: Mapping[str, Any] = {}
        self._offset = 0.0

    def open(self, mapped: Mapped | None, until: float, steps: int, rates: Mapping[str, Any], offset: float) -> None:
        """Let calls pass.

        Args:
            mapped: where their records go; None where they have no values.
            until: s of the stopwatch.
            steps: at most so many calls of ``step``.
            rates: the optimizers whose learning rates come with each step.
            offset: from the stopwatch to the wall clock.
        """
        self._mapped, self.until, self.steps, self._rates, self._offset = mapped, until, steps, rates, offset

    def close(self) -> None:
        """Let no call pass until it is opened again."""
        self.until = 0.0

    def passes(self, step: int, values: Mapping[str, Any] | None, is_step: bool, started: float) -> bool:
        """Record a call; false where it has to go the long way, and nothing has been recorded of it."""
        if (
            started >= self.until
            or (is_step and self.passed >= self.steps)
            or type(step) is not int
            or self._busy  # we are in a signal handler, which has come in the middle of a call
        ):
            return False
        self._busy = True
        try:
            if is_step and self._rates:
                values = with_rates(self._rates, values)
            if values and self._mapped is not None:
                now, known, mapped = started + self._offset, self._numbers, self._mapped
                fields: list[Any] = []
                for name, value in values.items():
                    if not issubclass(type(value), PLAIN):
                        if not value.is_cpu:  # reading it now would make the loop wait
                            return False
                        value = value.item()  # noqa: PLW2901  # one name less to look up
                    fields += (step, now, value, known[name])
                first, fields[FIRST], at = fields[FIRST], 0, mapped.at
                INTO[len(values)](mapped.memory, at - mapped.start, *fields)
                # No function is called from here on: a signal handler, which may log too, or end all with an
                # exception, comes before it or after it. What one has logged stands in our place.
                if mapped.at != at:
                    return False
                mapped.numbers[(at - mapped.start + NUMBER) >> 2] = first
                mapped.at = at + RECORD.size * len(values)
        except Exception:  # there is no room, a name is new, a value is no number …
            return False
        finally:
            self._busy = False
        if is_step:
            self.passed += 1
        self.last_step = step
        self.spent += time.perf_counter() - started + AROUND
        return True
