"""How large gradients, weights and updates are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor, nn

from runopsy.recorder.probes.base import Gauge, Loop, Reading

SAMPLED = 4_000_000  # weights copied for the update ratio: 16 MB in float32, and under 0.1 % error of the ratio


def l2(tensors: Sequence[Tensor]) -> Tensor:
    """The L2 norm of all elements together, a 0-d float32 (or float64) tensor.

    Half-precision tensors are summed in float32: the square of a float16 gradient overflows at 256.
    """
    plain = [_real(t) for t in tensors]
    exact = [t for t in plain if t.dtype in (torch.float32, torch.float64)]
    rough = [t for t in plain if t.dtype not in (torch.float32, torch.float64)]
    parts = [torch.nn.utils.get_total_norm(exact)] if exact else []
    parts += [torch.linalg.vector_norm(t, dtype=torch.float32) for t in rough]
    norm: Tensor = torch.linalg.vector_norm(torch.stack([p.to(parts[0].device) for p in parts]))
    return norm


def _real(t: Tensor) -> Tensor:
    """Dense real numbers with the norm of ``t``."""
    if t.is_sparse:
        t = t.coalesce().values()
    return torch.view_as_real(t.resolve_conj()) if t.is_complex() else t


def trainable(model: nn.Module) -> list[Tensor]:
    """The parameters that an optimizer could move, each once (tied weights share one)."""
    return [_whole(p.detach()) for p in model.parameters() if p.requires_grad]


def _whole(t: Tensor) -> Tensor:
    if hasattr(t, "to_local"):  # a DTensor: its norm takes all processes at once, and they are not all here
        raise TypeError("it is sharded over several processes, and one alone cannot measure it")
    return t


@dataclass(frozen=True, slots=True)
class GradNorm:
    """‖g‖₂ over all parameters that have a gradient: after backward, before any clipping of ours.

    Call ``run.step`` before ``clip_grad_norm_`` to see the norm that clipping hides, and after
    ``GradScaler.unscale_``.
    """

    units: ClassVar[Mapping[str, str]] = {"grad/norm": ""}
    needs: ClassVar[tuple[str, ...]] = ("model",)

    def start(self, loop: Loop) -> Gauge:
        assert loop.model is not None  # stated in ``needs``
        return _GradNorm(loop.model)


@dataclass(slots=True)
class _GradNorm:
    model: nn.Module

    def settle(self) -> Iterable[Reading]:
        return ()

    def measure(self, step: int) -> Iterable[Reading]:
        gradients = [_whole(p.grad) for p in self.model.parameters() if p.grad is not None]
        if gradients:
            yield step, "grad/norm", l2(gradients)


@dataclass(frozen=True, slots=True)
class WeightNorm:
    """‖θ‖₂ over the trainable parameters, before the optimizer steps."""

    units: ClassVar[Mapping[str, str]] = {"weights/norm": ""}
    needs: ClassVar[tuple[str, ...]] = ("model",)

    def start(self, loop: Loop) -> Gauge:
        assert loop.model is not None  # stated in ``needs``
        return _WeightNorm(loop.model)


@dataclass(slots=True)
class _WeightNorm:
    model: nn.Module

    def settle(self) -> Iterable[Reading]:
        return ()

    def measure(self, step: int) -> Iterable[Reading]:
        weights = trainable(self.model)
        if weights:
            yield step, "weights/norm", l2(weights)


@dataclass(frozen=True, slots=True)
class UpdateRatio:
    """‖θ' − θ‖₂ / ‖θ‖₂ of the update that follows the step, θ' seen at the next call.

    Of large models every k-th weight of each parameter is compared, k chosen so that about
    ``sampled`` weights are copied; both norms are taken over the same weights.
    """

    units: ClassVar[Mapping[str, str]] = {"weights/update_ratio": ""}
    needs: ClassVar[tuple[str, ...]] = ("model",)

    sampled: int = SAMPLED

    def start(self, loop: Loop) -> Gauge:
        assert loop.model is not None  # stated in ``needs``
        return _UpdateRatio(loop.model, self.sampled)


@dataclass(slots=True)
class _UpdateRatio:
    model: nn.Module
    sampled: int
    _before: list[Tensor] = field(default_factory=list)
    _step: int | None = None

    def _sample(self) -> list[Tensor]:
        weights = trainable(self.model)
        stride = max(1, -(-sum(w.numel() for w in weights) // self.sampled))
        return [w.reshape(-1)[::stride] if w.is_contiguous() else w.flatten()[::stride] for w in weights]

    def settle(self) -> Iterable[Reading]:
        if self._step is None:
            return
        step, self._step = self._step, None
        now = self._sample()
        if [_kind(w) for w in now] != [_kind(w) for w in self._before]:
            return  # parameters were added, frozen, moved or replaced in between: there is no ratio to give
        moved = l2(torch._foreach_sub(now, self._before))  # noqa: SLF001  # one launch for all; torch.optim uses it
        yield step, "weights/update_ratio", moved / l2(self._before)

    def measure(self, step: int) -> Iterable[Reading]:
        sample = self._sample()
        if sample:
            self._before = [w.clone() for w in sample]
            self._step = step
        return ()


def _kind(t: Tensor) -> tuple[torch.Size, torch.dtype, torch.device]:
    return t.shape, t.dtype, t.device
