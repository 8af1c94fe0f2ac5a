"""A probe at work: its gauge, what it has read so far, and both gauges while labels cannot be placed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from runopsy.recorder.alignment import Undecided
from runopsy.recorder.budget import Account
from runopsy.recorder.probes import Gauge, Loop, Probe, Reading
from runopsy.signal_specs import pattern

Held = dict[bool, list[Reading]]  # readings with labels where they stand, and shifted


@dataclass(slots=True, eq=False)
class Running:
    """A gauge and the account of its family."""

    probe: Probe
    gauge: Gauge
    account: Account
    looks: int = 0  # readings that were made, whether they gave a value or not
    spent: float = 0.0  # s of them
    open: bool = False  # whether the last reading still owes something: values, or its price
    bill: float = 0.0  # s, of the last reading so far
    counted: Counter[str] = field(default_factory=Counter)  # values by signal, as the probe names it
    _shifted: Gauge | None = None  # the same probe with labels one position on, until it is known which is right
    _held: Held = field(default_factory=dict)
    _tables: dict[bool, dict[str, object]] = field(default_factory=dict)
    _own_names: dict[str, str] = field(default_factory=dict)

    def charge(self, cost: float) -> None:
        self.bill += cost
        self.account.bill += cost

    def measure(self, loop: Loop, step: int) -> list[Reading]:
        """The readings of a step; what cannot be placed yet is held back."""
        if self._shifted is None:
            try:
                return list(self.gauge.measure(step))
            except Undecided:
                self._begin_both(loop)
        shifted = loop.sight.decide()
        if shifted is not None:
            return self._decided(loop, shifted) + list(self.gauge.measure(step))
        assert self._shifted is not None  # begun just now, or earlier
        for assumed, gauge in ((False, self.gauge), (True, self._shifted)):
            loop.sight.alignment.assumed = assumed
            try:
                self._held[assumed] += gauge.measure(step)
            finally:
                loop.sight.alignment.assumed = None
        return []

    def last(self, loop: Loop) -> list[Reading]:
        """At the end of the run: what was held back, where it is known or makes no difference."""
        if self._shifted is None:
            return []
        shifted = loop.sight.alignment.shifted
        if shifted is None and [float(v or 0) for *_, v in self._held[False]] != [
            float(v or 0) for *_, v in self._held[True]
        ]:
            for name in self._tables[True]:
                loop.tables.pop(name, None)
            return []
        return self._decided(loop, bool(shifted))

    def count(self, readings: Iterable[Reading]) -> None:
        """Note how many values each signal has."""
        for _, name, value in readings:
            if value is None:  # it is not written
                continue
            own = self._own_names.get(name)
            if own is None:
                own = next((unit for unit in self.probe.units if pattern(unit).fullmatch(name)), name)
                self._own_names[name] = own
            self.counted[own] += 1

    def _begin_both(self, loop: Loop) -> None:
        """The probe has read nothing so far: a second gauge begins where the first does."""
        before = dict(loop.tables)
        self._shifted = self.probe.start(loop)
        now = {name: table for name, table in loop.tables.items() if before.get(name) is not table}
        self._tables = {True: dict(now), False: {name: before[name] for name in now if name in before}}
        self._held = {False: [], True: []}

    def _decided(self, loop: Loop, shifted: bool) -> list[Reading]:
        """Go on with the right gauge; what it has read so far."""
        assert self._shifted is not None  # or there is nothing to decide
        self.gauge, self._shifted = (self._shifted if shifted else self.gauge), None
        loop.tables.update(self._tables[shifted])  # type: ignore[arg-type]  # as they came out of it
        return self._held[shifted]
