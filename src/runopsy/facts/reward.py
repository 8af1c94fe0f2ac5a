"""What became of a reward: where it began, its highest stretch, its end, as means of equal parts of the log."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from runopsy.model import Position, Signal, Values
from runopsy.thresholds import Limits

PARTS = 10  # at most: means of a tenth are steady where single episodes differ by their whole range


@dataclass(frozen=True, slots=True)
class Reward:
    """Means of parts of a reward's rows; a higher reward is better."""

    rows: int  # of a part
    begins: float  # mean of the first part
    ends: float  # mean of the last part
    best: float  # highest mean of a part
    best_at: Position  # in the middle of that part
    ending: str  # "it still rises", "it is level at the end", "it has fallen since" or "it has collapsed since"


def reward_of(signal: Signal, limits: Limits) -> Reward:
    """A reward by its parts, of at least ``few_rows`` rows each.

    Args:
        signal: the reward, of at least one row.
        limits: what counts as a move, and how sure it has to be.
    """
    parts = np.array_split(np.arange(len(signal)), max(1, min(PARTS, len(signal) // limits.few_rows)))
    mean = np.array([signal.value[rows].mean() for rows in parts])
    error = np.array([max(signal.value[rows].std() / len(rows) ** 0.5, 1e-300) for rows in parts])
    best = int(np.argmax(mean))
    middle = parts[best][len(parts[best]) // 2]
    return Reward(
        rows=len(parts[-1]),
        begins=float(mean[0]),
        ends=float(mean[-1]),
        best=float(mean[best]),
        best_at=float(signal.step[middle]),
        ending=_ending(mean, error, limits),
    )


def _ending(mean: Values, error: Values, limits: Limits) -> str:
    """The last part against the best one, and against the one before it."""
    best = int(np.argmax(mean))
    gained, lost = float(mean[best] - mean[0]), float(mean[best] - mean[-1])
    if lost >= limits.sure * np.hypot(error[best], error[-1]) and lost >= limits.real_change * float(np.ptp(mean)):
        earned = gained >= limits.sure * np.hypot(error[best], error[0])
        return "it has collapsed since" if earned and lost >= limits.most * gained else "it has fallen since"
    before = max(len(mean) - 2, 0)
    rise = float(mean[-1] - mean[before])
    beyond = rise >= limits.likely * np.hypot(error[-1], error[before]) and rise >= limits.real_change * np.ptp(mean)
    return "it still rises" if beyond and rise > 0 else "it is level at the end"
