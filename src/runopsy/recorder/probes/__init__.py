"""What the recorder can measure on its own, one family of signals per file.

A probe is a value: it states its signals with their units, what it needs and what it costs, and starts
a gauge. The gauge is what lives in the loop; it is asked when due and never otherwise.
"""

from __future__ import annotations

from runopsy.recorder.probes.base import Gauge, Loop, Probe, Reading
from runopsy.recorder.probes.collapse import Collapse
from runopsy.recorder.probes.curvature import Curvature
from runopsy.recorder.probes.entropy import FeatureEntropy, LogitScale, PredictionEntropy
from runopsy.recorder.probes.examples import CanaryAccuracy, ExampleDynamics
from runopsy.recorder.probes.kernels import KernelAlignment, KernelVelocity
from runopsy.recorder.probes.masks import MaskOverlap
from runopsy.recorder.probes.noise import GradVariance, NoiseScale
from runopsy.recorder.probes.norms import DistanceInit, GradNorm, ModuleGradNorm, UpdateRatio, WeightNorm
from runopsy.recorder.probes.ranks import FeatureRanks
from runopsy.recorder.probes.readout import HeldoutProbe, TrainProbe
from runopsy.recorder.probes.similarity import CcaLayers, CkaLayers, CkaPrev

# Cheap: passes over the weights, and forward passes of the probe batches. This is ``signals="default"``.
CHEAP: tuple[Probe, ...] = (
    GradNorm(),
    ModuleGradNorm(),
    WeightNorm(),
    UpdateRatio(),
    DistanceInit(),
    NoiseScale(),
    PredictionEntropy(),
    LogitScale(),
    FeatureRanks(),
    CkaPrev(),
    HeldoutProbe(),
    TrainProbe(),
    ExampleDynamics(),
    CanaryAccuracy(),
)
# Single-example gradients, Hessian products, kernels, and what is of interest less often. With these: ``"full"``.
DEAR: tuple[Probe, ...] = (
    GradVariance(),
    FeatureEntropy(),
    CkaLayers(),
    Collapse("probe", "collapse/nc1_train"),
    Collapse("heldout", "collapse/nc1_heldout"),
    Curvature(),
    KernelVelocity(),
    KernelAlignment(),
    MaskOverlap(),
)
# Only where their names are given.
ON_REQUEST: tuple[Probe, ...] = (CcaLayers(),)

PROBES: tuple[Probe, ...] = (*CHEAP, *DEAR, *ON_REQUEST)
# What they take of the probe batch depends on how many examples the loop trains on: a first reading waits for that.
SIZED: tuple[Probe, ...] = (GradVariance(), Curvature(), KernelVelocity(), KernelAlignment())
# With what looks at micro-batches first, and at the probe batch where there are none.
COUNTING: tuple[Probe, ...] = (NoiseScale(), *SIZED)
# Of several processes that train together each reads its own share of these; the first one reads the others.
EACH_RANK: tuple[Probe, ...] = (GradNorm(), WeightNorm(), NoiseScale())

__all__ = [
    "CHEAP",
    "COUNTING",
    "DEAR",
    "EACH_RANK",
    "ON_REQUEST",
    "PROBES",
    "SIZED",
    "Gauge",
    "Loop",
    "Probe",
    "Reading",
]
