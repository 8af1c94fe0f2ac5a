"""The whole examination of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runopsy.model.findings import Check, Event, Phase, Stop, Transition, Verdict
from runopsy.model.fitted import Segments, Signal
from runopsy.model.logged import Role, Run
from runopsy.model.units import Position
from runopsy.plugins import load

if TYPE_CHECKING:
    import polars as pl

    from runopsy.model.inside import Breakdown, Expected, GroupSteps, Item, Level, Readout, Regime, WatchedExamples


@dataclass(frozen=True, slots=True, eq=False)
class Autopsy:
    """Everything one log can show, and what it cannot."""

    run: Run
    axis: str  # what positions count here: the run's own axis, or the one asked for
    first: Position
    last: Position
    roles: tuple[Role, ...]
    signals: Mapping[str, Signal]
    segments: Mapping[str, Segments]
    checks: tuple[Check, ...]
    phases: tuple[Phase, ...]
    transitions: tuple[Transition, ...]
    verdict: Verdict
    stop: Stop | None
    thresholds: Mapping[str, float]
    notes: tuple[str, ...]
    examples: WatchedExamples | None = None  # None: no examples were watched
    levels: tuple[Level, ...] = ()  # of the signals of the inside, by phase
    expected: tuple[Expected, ...] = ()
    groups: GroupSteps | None = None  # None: no groups of examples were recorded
    breakdowns: tuple[Breakdown, ...] = ()  # the gravest divergences and spikes
    regime: Regime | None = None  # None: the run was not recorded by runopsy
    readout: Readout | None = None  # None: no probes of the features were recorded
    checklist: tuple[Item, ...] = ()  # answered where it is asked for

    @property
    def events(self) -> tuple[Event, ...]:
        found = [event for check in self.checks for event in check.events]
        return tuple(sorted(found, key=lambda e: (e.step, e.code)))

    def called(self, name: str) -> str:
        """A signal as its owner knows it: a score by its own column, everything else by its canonical name."""
        return self.signals[name].source if name.endswith("/metric") and name in self.signals else name

    def to_dict(self) -> dict[str, Any]:
        """The object that ``--format json`` prints."""
        facts: dict[str, Any] = load("runopsy.report.data:facts")(self)
        return facts

    def to_polars(self) -> pl.DataFrame:
        """The cleaned signals in long form, each row with its phase: ``signal, step, value, phase``.

        ``phase`` is null before the first and where no phase could be named.
        """
        import numpy as np  # heavy, as polars is: only who asks for a frame pays
        import polars as pl

        starts = [p.start for p in self.phases]
        names = np.array([None, *(p.label for p in self.phases)], dtype=object)
        frames = [
            pl.DataFrame(
                {"signal": [s.name] * len(s), "step": s.step, "value": s.value,
                 "phase": pl.Series(names[np.searchsorted(starts, s.step, side="right")], dtype=pl.String)}
            )
            for s in self.signals.values()
        ]  # fmt: skip
        return pl.concat(frames) if frames else pl.DataFrame()

    def __repr__(self) -> str:
        place = f"{self.axis} {self.first:,.12g} to {self.last:,.12g}"
        found = f"{len(self.phases)} phases, {len(self.events)} events"
        return f"Autopsy({self.run.id!r}, {self.verdict.name!r}, {place}, {found})"

    def __str__(self) -> str:
        return str(load("runopsy.report:render")(self, "text"))

    def _repr_html_(self) -> str:
        return str(load("runopsy.report:render")(self, "notebook"))
