"""The same pieces by ruptures: any of its searches, any of its costs, and our weighted lines as a cost of its own.

Whoever knows ruptures finds its names here. A cost other than ``weighted_line`` sees the bins in units of their
standard error, as ruptures takes no weights. Penalties are what one more piece of noise gains in one series of a
hundred (``make bench-segmenters``).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from runopsy.errors import BadOption
from runopsy.segments.bins import Bins
from runopsy.segments.lines import SHORTEST, line_costs
from runopsy.stats import Floats

if TYPE_CHECKING:
    from ruptures.base import BaseCost

MOST = 96  # bins: ruptures searches in Python
MOST_PIECES = 8  # for a search that must be given how many: each number up to it is tried
WINDOW = 16  # bins of the window of ``Window``
SEARCHES = ("Pelt", "Binseg", "BottomUp", "Window", "Dynp", "KernelCPD")
KERNELS: Mapping[str, str] = {"l2": "linear", "rbf": "rbf"}  # KernelCPD has kernels in the place of costs
OURS = "weighted_line"
KEYS = ("search", "cost", "penalty")  # of [segmenter] in the settings
# x log m for each further piece: the 99 % quantile of what the best single cut gains on white noise of 96 points; of
# our own lines, that of smooth decays, which is larger. clinear draws its lines through single points, noise and all.
PENALTIES: Mapping[str, float] = {
    OURS: 4.5, "l1": 1.4, "l2": 2.9, "clinear": 57.0, "normal": 4.5, "rank": 2.2, "rbf": 0.65,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Ruptures:
    """A search and a cost of ruptures, by the names that ruptures gives them.

    Args:
        search: "Pelt", "Binseg", "BottomUp", "Window", "Dynp" or "KernelCPD".
        cost: "weighted_line" (ours), "l1", "l2", "clinear", "normal", "rank" or "rbf".
        penalty: per piece, x log of the number of bins; None: as calibrated.

    Raises:
        BadOption: no such search or cost, or two that do not go together.
    """

    search: str = "Pelt"
    cost: str = OURS
    penalty: float | None = None
    most: int = MOST

    def __post_init__(self) -> None:
        if self.search not in SEARCHES:
            raise BadOption(f"ruptures has no search {self.search!r}", hint=f"searches: {', '.join(SEARCHES)}")
        if self.cost not in PENALTIES:
            raise BadOption(f"there is no cost {self.cost!r}", hint=f"costs: {', '.join(PENALTIES)}")
        if self.search == "KernelCPD" and self.cost not in KERNELS:
            raise BadOption(
                f"KernelCPD has no cost {self.cost!r}", hint=f"it takes {' or '.join(KERNELS)}; others go with Pelt"
            )
        if self.penalty is not None and not self.penalty > 0:
            raise BadOption(f"penalty = {self.penalty:g} is not above 0", hint="leave it out for the calibrated one")

    @property
    def name(self) -> str:
        return f"ruptures {self.search} {self.cost}"

    def cuts(self, bins: Bins) -> list[int]:
        m = len(bins.level)
        if m < 2 * SHORTEST:
            return []
        penalty = (PENALTIES[self.cost] if self.penalty is None else self.penalty) * float(np.log(m))
        cells = ((bins.level - bins.level.mean()) / float(np.median(bins.error)))[:, None]
        found = self._found(bins, cells, penalty)
        return [cut for cut in found if SHORTEST <= cut <= m - SHORTEST]

    def _found(self, bins: Bins, cells: Floats, penalty: float) -> list[int]:
        import ruptures  # half a second to load: only who asks for it pays

        if self.search == "KernelCPD":
            search = ruptures.KernelCPD(kernel=KERNELS[self.cost], min_size=SHORTEST).fit(cells)
            return [int(cut) for cut in search.predict(pen=penalty)[:-1]]
        options: dict[str, Any] = {"min_size": SHORTEST, "jump": 1, "custom_cost": cost_of(self.cost, bins)}
        if self.search == "Window":
            options["width"] = min(WINDOW, len(cells) // 2)
        search = getattr(ruptures, self.search)(**options).fit(cells)
        if self.search != "Dynp":
            return [int(cut) for cut in search.predict(pen=penalty)[:-1]]
        most = min(MOST_PIECES, len(cells) // SHORTEST)
        tried = [[len(cells)], *([int(c) for c in search.predict(n_bkps=k)] for k in range(1, most))]
        return min(tried, key=lambda cut: search.cost.sum_of_costs(cut) + penalty * len(cut))[:-1]


def segmenter(keys: Mapping[str, Any]) -> Ruptures:
    """The segmenter that a table of settings describes.

    Raises:
        BadOption: a key or a value that means nothing.
    """
    unknown = sorted(set(keys) - set(KEYS))
    if unknown:
        raise BadOption(f"[segmenter] has no {', '.join(unknown)}", hint=f"it has: {', '.join(KEYS)}")
    penalty = keys.get("penalty")
    if penalty is not None and (isinstance(penalty, bool) or not isinstance(penalty, (int, float))):
        raise BadOption(f"[segmenter] penalty = {penalty!r} is no number", hint="leave it out for the calibrated one")
    return Ruptures(str(keys.get("search", "Pelt")), str(keys.get("cost", OURS)), penalty)


def cost_of(name: str, bins: Bins) -> BaseCost:
    """A cost of ruptures by its name, or our own on the bins."""
    from ruptures.base import BaseCost
    from ruptures.costs import cost_factory

    if name != OURS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # "normal" warns of a change in its version 1.1.5
            return cost_factory(model=name)
    table = line_costs(bins.log, bins.level, bins.error**-2)

    class WeightedLine(BaseCost):  # type: ignore[misc]  # ruptures ships no types
        """The weighted squares that a straight line leaves, each piece in constant time."""

        model = OURS
        min_size = SHORTEST

        def fit(self, signal: Floats) -> WeightedLine:
            self.signal = signal
            return self

        def error(self, start: int, end: int) -> float:
            return float(table[start, end])

    return WeightedLine()
