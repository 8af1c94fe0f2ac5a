"""Neural collapse: whether the features of one class have become one point."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from runopsy.errors import Unavailable
from runopsy.recorder.probes.arrays import exact
from runopsy.recorder.probes.base import Gauge, Loop, Reading, Simple
from runopsy.signal_specs import cost_of, needs_of, units_of

PER_CLASS = 5  # examples of a class, on average, below which the spread within it is not known


@dataclass(frozen=True, slots=True)
class Collapse:
    """NC1 = tr(Σ_W Σ_B⁺)/K of the last hidden features (n, d): the spread within classes over that between them.

    Σ_W = mean of (h − μ_c)(h − μ_c)ᵀ over examples, Σ_B = mean of (μ_c − μ)(μ_c − μ)ᵀ over the K classes
    seen, ⁺ the pseudo-inverse on the K − 1 directions between the means. On the training side it goes to
    0 also where random labels are memorized; on the held-out side only where the classes are.
    (Papyan, Han, Donoho 2020, arXiv 2008.08186.)
    """

    side: str  # "probe" (training examples) or "heldout"
    signal: str

    @property
    def units(self) -> Mapping[str, str]:
        return units_of(self.signal)

    @property
    def needs(self) -> tuple[str, ...]:
        return needs_of(self.signal)

    @property
    def cost(self) -> str:
        return cost_of(self.signal)

    def start(self, loop: Loop) -> Gauge:
        def read(step: int) -> Iterable[Reading]:
            labelled = loop.sight.labelled(self.side)
            yield step, self.signal, nc1(labelled.of(loop.sight.hidden(self.side)), labelled.y)

        return Simple(read)


def nc1(features: Tensor, y: Tensor) -> Tensor | None:
    """NC1 of features (n, d) with classes (n,); None while all class means are one point.

    Raises:
        Unavailable: one class only, more classes than units + 1, or too few examples of each.
    """
    classes, which, counts = torch.unique(y, return_inverse=True, return_counts=True)
    k, d = len(classes), features.shape[1]
    if k < 2 or k > d + 1:
        raise Unavailable(f"needs between 2 and {d + 1} classes, {k} are in the batch")
    if len(y) < PER_CLASS * k:
        raise Unavailable(f"needs {PER_CLASS} examples of each of {k} classes, the batch has {len(y)} in all")
    x = exact(features)
    means = torch.zeros(k, d, dtype=x.dtype, device=x.device).index_add_(0, which, x) / counts[:, None]
    within = x - means[which]
    between = means - means.mean(dim=0)
    _, s, directions = torch.linalg.svd(between, full_matrices=False)
    keep = s > 1e-6 * x.abs().max()  # K − 1 of them; the last is rounding
    keep[k - 1 :] = False
    if not bool(keep.any()):
        return None
    spread = (within @ directions[keep].T).square().mean(dim=0)
    ratio: Tensor = (spread / (s[keep].square() / k)).sum() / k
    return ratio
