"""What the recorder can measure on its own, one family of signals per file.

A probe is a value: it states its signals with their units, what it needs, and starts a gauge. The
gauge is what lives in the loop; it is asked when due and never otherwise.
"""

from __future__ import annotations

from runopsy.recorder.probes.base import Gauge, Loop, Probe, Reading
from runopsy.recorder.probes.norms import GradNorm, UpdateRatio, WeightNorm

PROBES: tuple[Probe, ...] = (GradNorm(), WeightNorm(), UpdateRatio())

__all__ = ["PROBES", "Gauge", "GradNorm", "Loop", "Probe", "Reading", "UpdateRatio", "WeightNorm"]
