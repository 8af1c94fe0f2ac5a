"""How spread out activity and predictions are."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from runopsy.errors import Unavailable
from runopsy.recorder.probes.arrays import exact, thinned
from runopsy.recorder.probes.base import Gauge, Loop, Reading, Simple
from runopsy.signal_specs import cost_of, needs_of, units_of

BINS = 16  # of a unit's range; more need more examples than a probe batch has
ROWS = 2048  # of features at most


@dataclass(frozen=True, slots=True)
class FeatureEntropy:
    """Mean over units of the entropy of a unit's activity over the probe batch, in nats: 0 (dead) to log 16.

    Each unit's values (n,) of the last hidden features are counted in 16 equal bins of its own range; the
    plug-in entropy gets (m − 1)/2n added, m the bins in use (Miller 1955), and is never above log 16.
    """

    units: ClassVar[Mapping[str, str]] = units_of("features/entropy")
    needs: ClassVar[tuple[str, ...]] = needs_of("features/entropy")
    cost: ClassVar[str] = cost_of("features/entropy")

    def start(self, loop: Loop) -> Gauge:
        def read(step: int) -> Iterable[Reading]:
            yield step, "features/entropy", activity_entropy(thinned(loop.sight.hidden("probe"), ROWS))

        return Simple(read)


def activity_entropy(features: Tensor) -> Tensor:
    """Mean binned entropy of the columns of (n, d), a 0-d tensor."""
    x = exact(features)
    n, d = x.shape
    low, high = x.min(dim=0).values, x.max(dim=0).values
    width = (high - low).clamp_min(torch.finfo(x.dtype).tiny)
    places = ((x - low) / width * BINS).long().clamp_(0, BINS - 1)
    counts = torch.zeros(BINS, d, dtype=x.dtype, device=x.device)
    counts.scatter_add_(0, places, torch.ones_like(x))
    p = counts / n
    entropy = -torch.special.xlogy(p, p).sum(dim=0) + ((counts > 0).sum(dim=0) - 1) / (2 * n)
    entropy = torch.where(high > low, entropy, torch.zeros_like(entropy))
    return entropy.clamp_max(math.log(BINS)).mean()


@dataclass(frozen=True, slots=True)
class PredictionEntropy:
    """Mean entropy of softmax(logits), −Σ p log p in nats, of a classifier: log K (knows nothing) to 0 (sure).

    On the held-out batch where there is one, for training examples end near 0 whatever was learnt;
    else on the probe batch. run.json says which.
    """

    units: ClassVar[Mapping[str, str]] = units_of("pred/entropy")
    needs: ClassVar[tuple[str, ...]] = needs_of("pred/entropy")
    cost: ClassVar[str] = cost_of("pred/entropy")

    def start(self, loop: Loop) -> Gauge:
        side = "heldout" if loop.heldout is not None else "probe"
        loop.note("pred/entropy", on=side)

        def read(step: int) -> Iterable[Reading]:
            logits = exact(loop.sight.labelled(side).logits)
            log_p = logits.log_softmax(dim=1)
            yield step, "pred/entropy", -(log_p.exp() * log_p).sum(dim=1).mean()

        return Simple(read)


@dataclass(frozen=True, slots=True)
class LogitScale:
    """Root mean square of the logits (N, K) of the probe batch, each row's mean taken off (softmax ignores it).

    Of a single output, and of outputs that are no classes, the plain root mean square. Late training
    that only raises it has stopped learning (Prieto et al., arXiv 2501.04697).
    """

    units: ClassVar[Mapping[str, str]] = units_of("logits/scale")
    needs: ClassVar[tuple[str, ...]] = needs_of("logits/scale")
    cost: ClassVar[str] = cost_of("logits/scale")

    def start(self, loop: Loop) -> Gauge:
        def read(step: int) -> Iterable[Reading]:
            yield step, "logits/scale", _scale(loop)

        return Simple(read)


def _scale(loop: Loop) -> Tensor:
    try:
        logits = exact(loop.sight.labelled("probe").logits)
    except Unavailable:
        return exact(loop.sight.see("probe").prediction()).square().mean().sqrt()
    return (logits - logits.mean(dim=1, keepdim=True)).square().mean().sqrt()
