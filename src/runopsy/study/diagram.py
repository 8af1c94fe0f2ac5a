"""The phase diagram: what became of runs over two of their settings, and where one outcome gives way to another.

The four phases are those of Liu et al., "Towards understanding grokking" (arXiv 2205.10343): comprehension (training
and validation are fitted), grokking (validation much later), memorization (training alone), confusion (neither).
Runs that diverged are separated from confusion, and of some nothing is known.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from runopsy.comparison.configs import MISSING
from runopsy.errors import BadOption
from runopsy.study.outcomes import Outcome
from runopsy.study.row import Row
from runopsy.study.settings import Setting, shown, spelled

PHASES: Mapping[str, str] = {  # verdict → phase of the diagram
    "healthy": "comprehension",
    "double_descent": "comprehension",
    "grokked": "grokking",
    "memorized": "memorization",
    "overfit": "memorization",
    "underfit": "confusion",
    "undertrained": "confusion",
    "unstable": "diverged",
    "diverged": "diverged",
}
UNKNOWN = "unknown"  # inconclusive, or not readable
MOST = 24  # columns and rows: with more, a setting is cut into parts
PARTS = 8  # then


@dataclass(frozen=True, slots=True)
class Step:
    """A column or a row: one value of a setting, or a part of its range."""

    name: str
    low: float | None  # of numbers
    high: float | None


@dataclass(frozen=True, slots=True)
class Cell:
    """The runs with one value of each setting."""

    x: int  # column, from 0
    y: int  # row, from 0
    phase: str  # of most of its runs
    share: float  # of its runs that are of this phase
    runs: int
    verdicts: Mapping[str, int]
    mean: float | None  # of the outcome


@dataclass(frozen=True, slots=True)
class Edge:
    """Two neighbouring cells of unlike phase."""

    a: tuple[int, int]  # column and row
    b: tuple[int, int]
    phases: tuple[str, str]
    between: tuple[str, str]  # the values of the setting that differs


@dataclass(frozen=True, slots=True)
class Diagram:
    """A map over two settings; cells without runs are not in it."""

    by: tuple[str, str]  # the setting along x, that along y
    x: tuple[Step, ...]
    y: tuple[Step, ...]
    cells: tuple[Cell, ...]
    boundary: tuple[Edge, ...]
    outcome: str | None
    left_out: int  # runs in which one of the two is not set
    notes: tuple[str, ...] = ()

    def cell(self, x: int, y: int) -> Cell | None:
        return next((one for one in self.cells if (one.x, one.y) == (x, y)), None)

    def to_dict(self) -> dict[str, Any]:
        """Of plain values, for JSON."""
        return {
            "by": list(self.by),
            "x": [step.name for step in self.x],
            "y": [step.name for step in self.y],
            "cells": [
                {
                    "x": self.x[c.x].name,
                    "y": self.y[c.y].name,
                    "phase": c.phase,
                    "share": c.share,
                    "runs": c.runs,
                    "verdicts": dict(c.verdicts),
                    "mean": c.mean,
                }
                for c in self.cells
            ],
            "boundary": [
                {"phases": list(e.phases), "cells": [self._named(e.a), self._named(e.b)]} for e in self.boundary
            ],
        }

    def _named(self, place: tuple[int, int]) -> list[str]:
        return [self.x[place[0]].name, self.y[place[1]].name]


def diagram(rows: Sequence[Row], by: tuple[str, str], outcome: Outcome | None) -> Diagram:
    """The map of these runs over two settings.

    Raises:
        BadOption: one of the settings does not exist, or is the same in all runs.
    """
    one, other = (_setting(rows, name) for name in by)
    there = [i for i in range(len(rows)) if MISSING not in (one.values[i], other.values[i])]
    x, x_of = _steps(one, there)
    y, y_of = _steps(other, there)
    groups: dict[tuple[int, int], list[int]] = {}
    for i, a, b in zip(there, x_of, y_of, strict=True):
        groups.setdefault((a, b), []).append(i)
    cells = {place: _cell(rows, outcome, place, runs) for place, runs in sorted(groups.items())}
    notes = [
        f"{name} has more than {MOST} values, and is cut into {len(steps)} parts of its range"
        for name, setting, steps in ((by[0], one, x), (by[1], other, y))
        if len({spelled(setting.values[i]) for i in there}) > MOST
    ]
    boundary = tuple(_edges(cells, x, y))
    name = None if outcome is None else outcome.name
    return Diagram(by, x, y, tuple(cells.values()), boundary, name, len(rows) - len(there), tuple(notes))


def phase_of(row: Row) -> str:
    return PHASES.get(row.verdict or "", UNKNOWN)


def _setting(rows: Sequence[Row], name: str) -> Setting:
    known = dict.fromkeys(key for row in rows for key in row.settings)
    fitting = [key for key in known if key == name] or [key for key in known if key.rpartition(".")[2] == name]
    differing = sorted(key for key in known if len({spelled(row.settings.get(key, MISSING)) for row in rows}) > 1)
    if len(fitting) != 1:
        what = "is none of their settings" if not fitting else f"may be {' or '.join(fitting)}"
        raise BadOption(f"--by {name} {what}", hint=f"those that differ are: {', '.join(differing) or 'none'}")
    setting = Setting(name, tuple(row.settings.get(fitting[0], MISSING) for row in rows))
    if fitting[0] not in differing:
        raise BadOption(
            f"--by {name}: it is {setting.values[0]} in all runs",
            hint=f"those that differ are: {', '.join(differing) or 'none'}",
        )
    return setting


def _steps(setting: Setting, there: Sequence[int]) -> tuple[tuple[Step, ...], list[int]]:
    """The columns or rows that a setting makes, and which of them each run is in."""
    mine = Setting(setting.name, tuple(setting.values[i] for i in there))
    levels = mine.levels
    if not mine.numbers or len(levels) <= MOST:
        places = {spelled(level): k for k, level in enumerate(levels)}
        steps = tuple(Step(shown(level), *_ends(level if mine.numbers else None)) for level in levels)
        return steps, [places[spelled(value)] for value in mine.values]
    numbers = np.array(mine.values, dtype=np.float64)
    edges = np.unique(np.quantile(numbers, np.linspace(0, 1, PARTS + 1)[1:-1]))
    part = np.searchsorted(edges, numbers, side="right")
    used, place = np.unique(part, return_inverse=True)
    steps = tuple(_part(numbers[part == k]) for k in used)
    return steps, [int(k) for k in place]


def _part(numbers: np.ndarray[Any, Any]) -> Step:
    low, high = float(numbers.min()), float(numbers.max())
    return Step(f"{low:.3g} – {high:.3g}", low, high)


def _ends(value: Any) -> tuple[float | None, float | None]:
    return (None, None) if value is None else (float(value), float(value))


def _cell(rows: Sequence[Row], outcome: Outcome | None, place: tuple[int, int], runs: Sequence[int]) -> Cell:
    phases = Counter(phase_of(rows[i]) for i in runs)
    phase, most = min(phases.items(), key=lambda pair: (-pair[1], pair[0]))
    known = [] if outcome is None else [v for i in runs if (v := outcome.values[i]) is not None]
    return Cell(
        x=place[0],
        y=place[1],
        phase=phase,
        share=most / len(runs),
        runs=len(runs),
        verdicts=Counter(rows[i].verdict or "unreadable" for i in runs),
        mean=float(np.mean(known)) if known else None,
    )


def _edges(cells: Mapping[tuple[int, int], Cell], x: Sequence[Step], y: Sequence[Step]) -> list[Edge]:
    """Where neighbours along x or y are of unlike phase."""
    found = []
    for (a, b), cell in cells.items():
        for there, steps, ends in (((a + 1, b), x, (a, a + 1)), ((a, b + 1), y, (b, b + 1))):
            other = cells.get(there)
            if other is not None and other.phase != cell.phase:
                between = (steps[ends[0]].name, steps[ends[1]].name)
                found.append(Edge((a, b), there, (cell.phase, other.phase), between))
    return found
