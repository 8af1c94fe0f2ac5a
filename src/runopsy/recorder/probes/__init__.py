"""What the recorder can measure on its own, one family of signals per file.

A probe is a value: it states its signals with their units, what it needs and what it costs, and starts
a gauge. The gauge is what lives in the loop; it is asked when due and never otherwise.
"""

from __future__ import annotations

from typing import NamedTuple

from runopsy.recorder.probes.base import Gauge, Loop, Probe, Reading
from runopsy.recorder.probes.collapse import Collapse
from runopsy.recorder.probes.curvature import Curvature
from runopsy.recorder.probes.entropy import FeatureEntropy, LogitScale, PredictionEntropy
from runopsy.recorder.probes.evaluation import EvaluationAccuracy, EvaluationLoss
from runopsy.recorder.probes.examples import CanaryAccuracy, ExampleDynamics
from runopsy.recorder.probes.groups import GroupCurves
from runopsy.recorder.probes.kernels import KernelAlignment, KernelVelocity
from runopsy.recorder.probes.masks import MaskOverlap
from runopsy.recorder.probes.noise import GradVariance, NoiseScale
from runopsy.recorder.probes.norms import DistanceInit, GradNorm, ModuleGradNorm, UpdateRatio, WeightNorm
from runopsy.recorder.probes.ranks import FeatureRanks
from runopsy.recorder.probes.readout import HeldoutProbe, TrainProbe
from runopsy.recorder.probes.similarity import CcaLayers, CkaLayers, CkaPrev


class Family(NamedTuple):
    """Probes that are read together, because they share what costs most: a pass, gradients, a decomposition."""

    name: str
    probes: tuple[Probe, ...]
    steps: float  # training steps that a reading is taken to cost, until it has been timed
    follows: str = ""  # the family whose forward passes it uses as well


FAMILIES: tuple[Family, ...] = (
    # passes over the weights
    Family("norms", (GradNorm(), ModuleGradNorm(), WeightNorm(), UpdateRatio(), DistanceInit()), 0.05),
    # forward passes of the probe batches, which may be larger than a training one
    Family(
        "looks",
        (
            EvaluationLoss("probe", "eval/loss_train"),
            EvaluationAccuracy("probe", "eval/acc_train"),
            EvaluationLoss("heldout", "eval/loss_heldout"),
            EvaluationAccuracy("heldout", "eval/acc_heldout"),
            PredictionEntropy(),
            LogitScale(),
            ExampleDynamics(),
            CanaryAccuracy(),
            GroupCurves(),
        ),
        1.0,
    ),
    # what is made of the features that these passes gave
    Family("features", (FeatureRanks(), CkaPrev(), FeatureEntropy()), 1.0, follows="looks"),
    Family("readout", (HeldoutProbe(), TrainProbe()), 2.0, follows="looks"),
    Family(
        "collapse", (Collapse("probe", "collapse/nc1_train"), Collapse("heldout", "collapse/nc1_heldout")), 1.0, "looks"
    ),
    Family("layers", (CkaLayers(), CcaLayers()), 1.0, follows="looks"),
    # gradients example by example, or some products with the Hessian
    Family("noise", (NoiseScale(),), 8.0),
    Family("variance", (GradVariance(),), 8.0, follows="noise"),
    Family("kernel", (KernelVelocity(), KernelAlignment()), 4.0),
    Family("curvature", (Curvature(),), 10.0),
    Family("masks", (MaskOverlap(),), 0.5),
)
PROBES: tuple[Probe, ...] = tuple(probe for family in FAMILIES for probe in family.probes)
# Single-example gradients, Hessian products, kernels, and what is of interest less often: of ``"full"`` alone.
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

# What they take of the probe batch depends on how many examples the loop trains on: a first reading waits for that.
SIZED: tuple[Probe, ...] = (GradVariance(), Curvature(), KernelVelocity(), KernelAlignment())
# With what looks at micro-batches first, and at the probe batch where there are none.
COUNTING: tuple[Probe, ...] = (NoiseScale(), *SIZED)
# Of several processes that train together each reads its own share of these; the first one reads the others.
EACH_RANK: tuple[Probe, ...] = (GradNorm(), WeightNorm(), NoiseScale())

__all__ = [
    "COUNTING",
    "DEAR",
    "EACH_RANK",
    "FAMILIES",
    "ON_REQUEST",
    "PROBES",
    "SIZED",
    "Family",
    "Gauge",
    "Loop",
    "Probe",
    "Reading",
]
