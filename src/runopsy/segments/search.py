"""What a segmenter is: it finds where a binned signal is cut; and the default one, exact for weighted lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from runopsy.segments.bins import MOST, Bins
from runopsy.segments.lines import best_pieces, line_costs

PENALTY = 4.5  # x log m per piece: 1.5 log m for each of slope, level and place, as measured on smooth decays


class Segmenter(Protocol):
    """Finds the pieces of a signal; what binning, scale and fit make of them is the same for all."""

    @property
    def name(self) -> str: ...

    @property
    def most(self) -> int: ...  # bins that it can be given in a fair time

    def cuts(self, bins: Bins) -> list[int]:
        """The bins, each above 1 and below m - 1, at which a new piece begins, in order."""
        ...


@dataclass(frozen=True, slots=True)
class Exact:
    """The best of all cuts into weighted lines, by dynamic programming."""

    name: str = "exact"
    most: int = MOST
    penalty: float = PENALTY

    def cuts(self, bins: Bins) -> list[int]:
        cost = line_costs(bins.log, bins.level, bins.error**-2)
        return best_pieces(cost, self.penalty * float(np.log(len(bins.level))))


EXACT = Exact()
