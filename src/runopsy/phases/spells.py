"""Runs of one label, and which of them are long enough to be seen."""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from operator import itemgetter

import numpy as np

from runopsy.facts import Case
from runopsy.model import Positions

Spell = tuple[int, int, str]  # grid points [a, b) of one label


def spells_of(labels: list[str]) -> list[Spell]:
    """The sequence as runs of equal labels."""
    spells: list[Spell] = []
    start = 0
    for label, equal in groupby(labels):
        stop = start + len(list(equal))
        spells.append((start, stop, label))
        start = stop
    return spells


def visible(case: Case, grid: Positions) -> Callable[[Spell], float]:
    """How large a spell is against the smallest that can be seen: 1 and more can."""
    limits = case.limits
    elapsed = grid - grid[0] + (max(grid[1] - grid[0], 1e-12) if len(grid) > 1 else 1.0)
    read = next((case.signals[n].step for n in ("val/loss", "val/acc") if n in case.segments), None)

    def size(spell: Spell) -> float:
        start, stop, label = spell
        if label == "diverged":
            return np.inf  # an event shows it
        a, b = elapsed[start], elapsed[min(stop, len(elapsed) - 1)]
        length = max(np.log(b / a) / limits.shortest, (b - a) / elapsed[-1] / limits.improving)
        if start == 0 and label == "underfitting":
            return float(max(length, 1.0))  # every run begins there, however soon it leaves
        if read is None or label not in ("memorization", "converged"):
            return float(length)
        inside = np.searchsorted(read, grid[min(stop, len(grid) - 1)]) - np.searchsorted(read, grid[start])
        return float(min(length, inside / limits.few_rows))

    return size


def join_short(spells: list[Spell], size: Callable[[Spell], float]) -> list[Spell]:
    """Join the smallest spell to its larger neighbour until every spell can be seen."""
    while len(spells) > 1:
        sizes = [size(s) for s in spells]
        i = int(np.argmin(sizes))
        if sizes[i] >= 1:
            return spells
        beside = [j for j in (i - 1, i + 1) if 0 <= j < len(spells)]
        # "underfitting" means that hardly anything was learnt: it takes in nothing that shows otherwise
        beside = [j for j in beside if spells[j][2] != "underfitting"] or beside
        winner = spells[max(beside, key=lambda j: sizes[j])][2]
        spells[i] = (*spells[i][:2], winner)
        spells = _merged(spells)
    return spells


def _merged(spells: list[Spell]) -> list[Spell]:
    """Neighbours of one label as one spell."""
    alike = [list(equal) for _, equal in groupby(spells, key=itemgetter(2))]
    return [(some[0][0], some[-1][1], some[0][2]) for some in alike]
