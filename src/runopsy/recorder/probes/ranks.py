"""How many directions the last hidden features use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from runopsy.recorder.probes.arrays import centred, thinned
from runopsy.recorder.probes.base import Gauge, Loop, Reading, Simple
from runopsy.signal_specs import cost_of, needs_of, units_of

DUST = 1e-7  # of the largest singular value
ROWS = 2048  # of features at most; beyond four rows per unit a rank hardly changes, and the cost grows on


@dataclass(frozen=True, slots=True)
class FeatureRanks:
    """Three ranks of the last hidden features H (n, d) of the probe batch, columns centred, singular values s.

    effective rank exp(−Σ pᵢ log pᵢ), p = s/Σs (Roy and Vetterli 2007); participation ratio
    (Σ s²)²/Σ s⁴; stable rank Σ s²/s₁². All lie between 1 and min(n − 1, d), and none is unbiased: n
    isotropic examples of d units give a participation ratio of about nd/(n + d), so compare values of
    one run only. No reading where all examples have the same features, or where one is not finite.
    """

    units: ClassVar[Mapping[str, str]] = units_of(
        "features/effective_rank", "features/participation_ratio", "features/stable_rank"
    )
    needs: ClassVar[tuple[str, ...]] = needs_of("features/effective_rank")
    cost: ClassVar[str] = cost_of("features/effective_rank")

    def start(self, loop: Loop) -> Gauge:
        def read(step: int) -> Iterable[Reading]:
            features = thinned(loop.sight.hidden("probe"), ROWS)
            n, d = features.shape
            for name in self.units:
                loop.note(name, head=loop.sight.head().name, features=f"{n} rows of {d} units")
            for name, value in zip(self.units, ranks(features), strict=False):
                yield step, name, value

        return Simple(read)


def ranks(features: Tensor) -> tuple[Tensor, ...]:
    """(effective rank, participation ratio, stable rank) of features (n, d); none where they do not vary or are NaN."""
    if not bool(features.isfinite().all()):  # a model that has diverged: other signals say so
        return ()
    x = centred(features)
    # the squares from the smaller of XᵀX and XXᵀ: a fraction of the time of a singular value decomposition
    squares = torch.linalg.eigvalsh(x.T @ x if x.shape[1] <= x.shape[0] else x @ x.T).flip(0).clamp_min(0)
    s = squares.sqrt()
    # centring leaves dust where columns are constant, and squares the root of their rounding; it is no direction
    s = s[s > s.max() * DUST] if s.numel() else s
    if not s.numel() or float(s[0]) <= 1e-12 * float(features.abs().max()):
        return ()
    p, power = s / s.sum(), s.square()
    return (-(p * p.log()).sum()).exp(), power.sum().square() / power.square().sum(), power.sum() / power[0]
