"""Positions, values, and the signals that the analysis knows by name.

Positions on a run's axis are ``float64`` throughout, because an axis may be a fractional epoch or a
time; a step is a whole number that happens to be stored so (exact up to 2**53).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Positions: TypeAlias = "NDArray[np.float64]"  # (n,) on the run's axis, see Run.axis
Values: TypeAlias = "NDArray[np.float64]"  # (n,) in the signal's unit; NaN = logged, but not a number
Counts: TypeAlias = "NDArray[np.int64]"  # (n,)
# The curves that facts, phases and verdicts are made from.
JUDGED = ("train/loss", "train/acc", "val/loss", "val/acc")
# What validation is judged by, the first that is there before the others.
VALIDATED = ("val/loss", "val/acc", "val/metric")
# Signals of the inside of a model, by the family that their names begin with.
INSIDE = ("grad/", "gns", "batch/critical", "features/", "pred/", "hessian/", "weights/", "logits/", "probe/",
          "readout/", "ntk/", "collapse/", "examples/", "canary/")  # fmt: skip
# The model itself in evaluation mode, as the recorder reads it on the probe and the held-out batch.
EVALUATED = ("eval/loss_train", "eval/acc_train", "eval/loss_heldout", "eval/acc_heldout")
Position: TypeAlias = float  # optimizer steps completed when the value was logged, unless Run.axis names another unit
