"""Which weights are the largest, and whether that has settled."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from runopsy.recorder.probes.base import Gauge, Loop, Reading
from runopsy.recorder.probes.norms import trainable
from runopsy.signal_specs import cost_of, needs_of, units_of

KEPT = 0.2  # share of the weights in the mask: tickets of a fifth of the weights are found in most of the literature
SAMPLED = 1_000_000  # weights that are ranked; the overlap's standard error is then below 0.1 %


@dataclass(frozen=True, slots=True)
class MaskOverlap:
    """|M ∩ M'| / |M| of the largest fifth of the weights by magnitude, now and at the reading before.

    Over all trainable matrices together (vectors, biases and gains among them, are left out), as in
    global magnitude pruning; of large models every k-th weight. 1: the ticket has settled; 0.2: chance.
    It depends on how far apart the readings are. (You et al., "Drawing early-bird tickets", arXiv 1909.11957.)
    """

    units: ClassVar[Mapping[str, str]] = units_of("weights/mask_overlap")
    needs: ClassVar[tuple[str, ...]] = needs_of("weights/mask_overlap")
    cost: ClassVar[str] = cost_of("weights/mask_overlap")

    sampled: int = SAMPLED

    def start(self, loop: Loop) -> Gauge:
        assert loop.model is not None  # stated in ``needs``
        return _MaskOverlap(loop.model, self.sampled)


@dataclass(slots=True)
class _MaskOverlap:
    model: nn.Module
    sampled: int
    _before: Tensor | None = None

    def settle(self) -> Iterable[Reading]:
        return ()

    def measure(self, step: int) -> Iterable[Reading]:
        mask = largest(self.model, self.sampled)
        before, self._before = self._before, mask
        if mask is not None and before is not None and mask.shape == before.shape:
            yield step, "weights/mask_overlap", (mask & before).sum() / mask.sum()


def largest(model: nn.Module, sampled: int) -> Tensor | None:
    """Which of the sampled weights are among the largest fifth: (samples,) bool; None without a matrix."""
    matrices = [w for w in trainable(model) if w.dim() > 1]
    if not matrices:
        return None
    stride = max(1, -(-sum(w.numel() for w in matrices) // sampled))
    sizes = torch.cat([w.reshape(-1)[::stride].abs().float() for w in matrices])
    mask = torch.zeros(len(sizes), dtype=torch.bool, device=sizes.device)
    mask[sizes.topk(max(1, round(KEPT * len(sizes)))).indices] = True
    return mask
