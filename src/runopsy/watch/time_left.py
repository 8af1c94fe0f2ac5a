"""How long a run will still take, where its settings or its owner name its length."""

from __future__ import annotations

from collections.abc import Mapping

from runopsy.model import Autopsy
from runopsy.signals import clock

# Settings that name the last position, by the axis that they count.
TOTALS: Mapping[str, tuple[str, ...]] = {
    "step": ("max_steps", "total_steps", "num_steps", "num_train_steps", "train_steps", "max_iters", "total_iterations",
             "num_iterations", "expected_steps", "steps"),
    "epoch": ("epochs", "max_epochs", "num_epochs", "num_train_epochs", "n_epochs", "total_epochs"),
}  # fmt: skip


def total_of(autopsy: Autopsy) -> float | None:
    """The last position that the settings of a run name; None where they name none, or it has been passed."""
    config = autopsy.run.config
    for name in TOTALS.get(autopsy.axis, ()):
        value = config.get(name)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= autopsy.last:
            return float(value)
    return None


def time_left(autopsy: Autopsy, total: float) -> float | None:
    """Seconds until a position at the pace of the last half of the log; None where it has no times."""
    known = clock(autopsy.signals)
    if known is None:
        return None
    step, time = known
    half = len(step) // 2
    steps, seconds = step[-1] - step[half - 1], time[-1] - time[half - 1]
    if half < 1 or not (steps > 0 and seconds >= 0):
        return None
    return float(max(total - autopsy.last, 0.0) * seconds / steps)
