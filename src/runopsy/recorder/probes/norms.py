"""How large gradients, weights and updates are, and how far the weights have come."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from runopsy.errors import Unavailable
from runopsy.recorder.anatomy import blocks, plain
from runopsy.recorder.probes.base import Gauge, Loop, Reading, Simple
from runopsy.shares import SHARD
from runopsy.signal_specs import cost_of, needs_of, units_of

SAMPLED = 4_000_000  # weights copied for the update ratio: 16 MB in float32, and under 0.1 % error of the ratio


def l2(tensors: Sequence[Tensor]) -> Tensor:
    """The L2 norm of all elements together, a 0-d float32 (or float64) tensor.

    Half-precision tensors are summed in float32: the square of a float16 gradient overflows at 256.
    """
    if _alone(tensors):  # the usual case is short: of a small model the sorting would take longer than the sums
        return torch.linalg.vector_norm(torch.stack(torch._foreach_norm(list(tensors))))  # type: ignore[no-any-return]  # noqa: SLF001  # as get_total_norm does
    plain = [_real(t) for t in tensors]
    exact = [t for t in plain if t.dtype in (torch.float32, torch.float64)]
    rough = [t for t in plain if t.dtype not in (torch.float32, torch.float64)]
    parts = [torch.nn.utils.get_total_norm(exact)] if exact else []
    parts += [torch.linalg.vector_norm(t, dtype=torch.float32) for t in rough]
    norm: Tensor = torch.linalg.vector_norm(torch.stack([p.to(parts[0].device) for p in parts]))
    return norm


def _alone(tensors: Sequence[Tensor]) -> bool:
    """Whether all are dense tensors of float32 on one device."""
    device = tensors[0].device if tensors else None
    return device is not None and all(
        t.dtype is torch.float32 and t.layout is torch.strided and t.device == device for t in tensors
    )


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
        raise Unavailable("the model is sharded over several processes, and one alone cannot measure it")
    return t


def share_of_norm(loop: Loop, step: int, name: str, tensors: Sequence[Tensor], scale: float = 1.0) -> Iterable[Reading]:
    """The norm of all tensors together, over ``scale``; of a sharded model this rank's share of it.

    The share is the root of Σ ‖local part‖² / copies, so that the squares of all ranks add up to the whole's.
    No process waits for another, which a norm that talks to them would.
    """
    if not tensors:
        return
    if any(hasattr(t, "to_local") for t in tensors):
        squares = [_local_square(t, loop.world) for t in tensors]
        yield step, f"{SHARD}{name}", torch.stack([s.to(squares[0].device) for s in squares]).sum().sqrt() / scale
    elif loop.rank == 0:  # on the others it is the same
        yield step, name, l2(tensors) / scale


def _local_square(t: Any, world: int) -> Tensor:
    """‖local part‖² / how many ranks hold the same part."""
    if not hasattr(t, "to_local"):
        return l2([t]).square() / world
    copies = 1
    for size, placement in zip(t.device_mesh.shape, t.placements, strict=True):
        if placement.is_partial():
            raise Unavailable("the gradients of the sharded model are not reduced yet")
        copies *= size if placement.is_replicate() else 1
    return l2([t.to_local()]).square() / copies


def check_in_one_piece(model: nn.Module) -> None:
    """Raise Unavailable where parameters are parts of others that are not named."""
    if any(type(module).__name__ == "FullyShardedDataParallel" for module in model.modules()):
        raise Unavailable("the model is sharded by FSDP's first version; fully_shard() can be measured")
    if any(hasattr(weight, "ds_id") for weight in model.parameters()):
        raise Unavailable("the model is partitioned by DeepSpeed")


def sampled_weights(model: nn.Module, most: int) -> list[Tensor]:
    """Every k-th weight of each trainable parameter, k such that about ``most`` remain; views where possible."""
    weights = trainable(model)
    stride = max(1, -(-sum(w.numel() for w in weights) // most))
    return [w.reshape(-1)[::stride] if w.is_contiguous() else w.flatten()[::stride] for w in weights]


def alike(one: Sequence[Tensor], two: Sequence[Tensor]) -> bool:
    """Whether two samples are of the same parameters, as far as shapes, precisions and devices show."""
    return len(one) == len(two) and all(
        a.shape == b.shape and a.dtype is b.dtype and a.device == b.device for a, b in zip(one, two, strict=True)
    )


def _with_whole_gradients(loop: Loop) -> nn.Module:
    """The model, of which every gradient can be seen as backward left it.

    Raises:
        Unavailable: it is spread in a way that is not known, or the loop clips before ``run.step``.
    """
    assert loop.model is not None  # stated in ``needs`` of the probes that ask
    check_in_one_piece(loop.model)
    if loop.clipped:
        raise Unavailable("gradients are clipped before run.step is called")
    return loop.model


@dataclass(frozen=True, slots=True)
class GradNorm:
    """‖g‖₂ over all parameters that have a gradient: after backward, before any clipping of ours.

    Call ``run.step`` before ``clip_grad_norm_`` to see the norm that clipping hides, and after
    ``GradScaler.unscale_``; gradients that are still scaled are divided by the scale of ``scaler=``.
    """

    units: ClassVar[Mapping[str, str]] = units_of("grad/norm")
    needs: ClassVar[tuple[str, ...]] = needs_of("grad/norm")
    cost: ClassVar[str] = cost_of("grad/norm")

    def start(self, loop: Loop) -> Gauge:
        model = _with_whole_gradients(loop)

        def read(step: int) -> Iterable[Reading]:
            gradients = [p.grad for p in model.parameters() if p.grad is not None]
            yield from share_of_norm(loop, step, "grad/norm", gradients, loop.gradient_scale())

        return Simple(read)


@dataclass(frozen=True, slots=True)
class ModuleGradNorm:
    """‖g‖₂ of each block of the model, as ``grad/norm``; their squares add up to its square.

    Parameters of two blocks at once (tied weights) count for the first, those outside every block for ``own``.
    """

    units: ClassVar[Mapping[str, str]] = units_of("grad/norm/<module>")
    needs: ClassVar[tuple[str, ...]] = needs_of("grad/norm/<module>")
    cost: ClassVar[str] = cost_of("grad/norm/<module>")

    def start(self, loop: Loop) -> Gauge:
        model = _with_whole_gradients(loop)
        known: list[nn.Parameter] = []  # those that were placed, for placing them takes longer than their norms
        placed: dict[str, list[nn.Parameter]] = {}

        def read(step: int) -> Iterable[Reading]:
            nonlocal known, placed
            scale, now = loop.gradient_scale(), list(model.parameters())
            if len(now) != len(known) or any(a is not b for a, b in zip(now, known, strict=True)):
                known, placed = now, _by_block(plain(model))
            for name, weights in placed.items():
                gradients = [_whole(w.grad) for w in weights if w.grad is not None]
                if gradients:
                    yield step, f"grad/norm/{name}", l2(gradients) / scale

        return Simple(read)


def _by_block(model: nn.Module) -> dict[str, list[nn.Parameter]]:
    """Each parameter under the first block that holds it."""
    placed: set[int] = set()
    groups: dict[str, list[nn.Parameter]] = {}
    for name, part in [*blocks(model).items(), ("own", model)]:
        mine = [weight for weight in part.parameters() if id(weight) not in placed]
        placed.update(id(weight) for weight in mine)
        if mine:
            groups[name] = mine
    return groups if len(groups) > 1 else {}  # of a single block it is grad/norm again


@dataclass(frozen=True, slots=True)
class WeightNorm:
    """‖θ‖₂ over the trainable parameters, before the optimizer steps."""

    units: ClassVar[Mapping[str, str]] = units_of("weights/norm")
    needs: ClassVar[tuple[str, ...]] = needs_of("weights/norm")
    cost: ClassVar[str] = cost_of("weights/norm")

    def start(self, loop: Loop) -> Gauge:
        model = loop.model
        assert model is not None  # stated in ``needs``
        check_in_one_piece(model)

        def read(step: int) -> Iterable[Reading]:
            weights = [p.detach() for p in model.parameters() if p.requires_grad]
            yield from share_of_norm(loop, step, "weights/norm", weights)

        return Simple(read)


@dataclass(frozen=True, slots=True)
class UpdateRatio:
    """‖θ' − θ‖₂ / ‖θ‖₂ of the update that follows the step, θ' seen at the next call.

    Of large models every k-th weight of each parameter is compared, k chosen so that about
    ``sampled`` weights are copied; both norms are taken over the same weights.
    """

    units: ClassVar[Mapping[str, str]] = units_of("weights/update_ratio")
    needs: ClassVar[tuple[str, ...]] = needs_of("weights/update_ratio")
    cost: ClassVar[str] = cost_of("weights/update_ratio")

    sampled: int = SAMPLED

    def start(self, loop: Loop) -> Gauge:
        assert loop.model is not None  # stated in ``needs``
        check_in_one_piece(loop.model)
        return _UpdateRatio(loop.model, self.sampled)


@dataclass(slots=True)
class _UpdateRatio:
    model: nn.Module
    sampled: int
    _before: list[Tensor] = field(default_factory=list)
    _step: int | None = None

    def settle(self) -> Iterable[Reading]:
        if self._step is None:
            return
        step, self._step = self._step, None
        now = sampled_weights(self.model, self.sampled)
        if not alike(now, self._before):
            return  # parameters were added, frozen, moved or replaced in between: there is no ratio to give
        yield step, "weights/update_ratio", _distance(now, self._before) / l2(self._before)

    def measure(self, step: int) -> Iterable[Reading]:
        sample = sampled_weights(self.model, self.sampled)
        if sample:
            self._before = [w.clone() for w in sample]
            self._step = step
        return ()


@dataclass(frozen=True, slots=True)
class DistanceInit:
    """‖θ − θ₀‖₂ / ‖θ₀‖₂, θ₀ the weights when recording began: how lazy or rich the training is.

    Of large models a sample of the weights is compared, as for the update ratio. (Lazy training:
    Chizat, Oyallon, Bach 2019, arXiv 1812.07956.)
    """

    units: ClassVar[Mapping[str, str]] = units_of("weights/distance_init")
    needs: ClassVar[tuple[str, ...]] = needs_of("weights/distance_init")
    cost: ClassVar[str] = cost_of("weights/distance_init")

    sampled: int = SAMPLED

    def start(self, loop: Loop) -> Gauge:
        model = loop.model
        assert model is not None  # stated in ``needs``
        check_in_one_piece(model)
        if loop.resumed:
            raise Unavailable("the run was resumed, and its initial weights are gone")
        if any(isinstance(w, nn.parameter.UninitializedParameter) for w in model.parameters()):
            raise Unavailable("some parameters were not initialised when recording began")
        first = [w.clone() for w in sampled_weights(model, self.sampled)]
        size = l2(first) if first else None

        def read(step: int) -> Iterable[Reading]:
            now = sampled_weights(model, self.sampled)
            if not alike(now, first):
                raise Unavailable("the trainable parameters are others than when recording began")
            if size is not None:
                yield step, "weights/distance_init", _distance(now, first) / size

        return Simple(read)


def _distance(one: Sequence[Tensor], two: Sequence[Tensor]) -> Tensor:
    return l2(torch._foreach_sub(list(one), list(two)))  # noqa: SLF001  # one launch for all; torch.optim uses it
