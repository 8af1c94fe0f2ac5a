"""Gradients of a borrowed model on a fixed batch: of the whole, example by example, and Hessian products."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from runopsy.errors import Unavailable
from runopsy.recorder.anatomy import main_tensor
from runopsy.recorder.batches import Batch
from runopsy.recorder.borrowing import borrowed
from runopsy.recorder.sight import Sight

AT_ONCE = 32_000_000  # numbers of per-example gradients held at a time: 128 MB in float32
CHECKED = 16  # examples run one by one, once: whether losses average shows on any of them
SKETCH = 1024  # columns of a sketch: inner products are then good to 3 % of the norms, which a standard error allows
LEAST_GROUPS = 8  # of a model too large for single examples: eight gradients give tr Σ to about 1/√(4 × directions)
SAME = 1e-3  # relative: what float32 leaves between an example alone and in its batch stays far below it
HIDDEN = "CheckpointFunctionBackward"  # reentrant checkpointing: the graph below it is not there to be differentiated

Scalar = Callable[[Any, Any], Tensor]  # (output, targets) → 0-d


@contextmanager
def differentiable(model: nn.Module) -> Iterator[nn.Module]:
    """The model, borrowed and ready to be differentiated twice.

    Attention runs in its plain form, because the fused ones have no second derivative, and recurrent
    layers without the libraries that have none either.
    """
    with (
        borrowed(model) as lent,
        torch.enable_grad(),
        sdpa_kernel(SDPBackend.MATH),
        torch.backends.cudnn.flags(enabled=not _recurrent(lent), benchmark=False),
    ):
        yield lent


def _recurrent(model: nn.Module) -> bool:
    return any(isinstance(module, nn.RNNBase) for module in model.modules())


def weights_of(model: nn.Module) -> list[nn.Parameter]:
    """The parameters with a gradient, each once.

    Raises:
        Unavailable: there is none, or not all are real numbers of one device.
    """
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    if not weights:
        raise Unavailable("the model has no parameter that is trained")
    if any(weight.is_complex() for weight in weights):
        raise Unavailable("the model has complex parameters")
    if len({weight.device for weight in weights}) > 1:
        raise Unavailable("the model lies on several devices")
    return weights


def gradient(scalar: Tensor, weights: Sequence[Tensor], again: bool = False) -> list[Tensor]:
    """∂ scalar / ∂ weight; zero where it does not depend on it. ``again``: to be differentiated once more.

    Raises:
        Unavailable: the scalar depends on none of them, or the graph is hidden.
    """
    if not scalar.requires_grad:
        raise Unavailable("the loss of the probe batch does not depend on the parameters")
    _check_visible(scalar)
    found = torch.autograd.grad(scalar, weights, create_graph=again, allow_unused=True)
    return _zeros_for_none(found, weights)


def _zeros_for_none(found: Sequence[Tensor | None], weights: Sequence[Tensor]) -> list[Tensor]:
    return [torch.zeros_like(w) if g is None else g for g, w in zip(found, weights, strict=True)]


def _check_visible(scalar: Tensor) -> None:
    """Reentrant checkpoints give no gradient to ``autograd.grad``, and would silently leave it zero."""
    seen, waiting = set(), [scalar.grad_fn]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if node.name() == HIDDEN:
            raise Unavailable("gradient checkpointing hides the graph; use_reentrant=False keeps it visible")
        waiting.extend(parent for parent, _ in node.next_functions)


def products(slopes: Sequence[Tensor], weights: Sequence[Tensor], direction: Sequence[Tensor]) -> list[Tensor]:
    """H v for v, each a tensor per weight, with ``slopes`` the gradient that was made to be differentiated again."""
    reached = [(g, v.to(g.dtype)) for g, v in zip(slopes, direction, strict=True) if g.requires_grad]
    if not reached:
        return [torch.zeros_like(v) for v in direction]  # the loss is linear in every parameter
    found = torch.autograd.grad(
        [g for g, _ in reached], weights, [v for _, v in reached], retain_graph=True, allow_unused=True
    )
    return [part.detach().float() for part in _zeros_for_none(found, weights)]


@dataclass(frozen=True, slots=True)
class Moments:
    """Of the gradients g of n examples, taken in groups of ``size``: 1 where the model is small enough for that."""

    n: int
    size: int
    mean_square: float  # mean of ‖g‖² of a group's mean gradient
    square_of_mean: float  # ‖g‖² of the mean of all
    squares: tuple[float, ...] = ()  # ‖g‖² of each group's mean gradient
    along: tuple[float, ...] = ()  # its product with the mean of all; of many large ones to a few per cent

    @property
    def source(self) -> str:
        what = "single examples" if self.size == 1 else f"groups of {self.size} examples"
        return f"gradients of {self.n // self.size} {what} of the probe batch, others each time, evaluation mode"

    def without_each(self) -> Iterator[Moments]:
        """The moments of all groups but one, for each of them."""
        m = len(self.squares)
        for square, along in zip(self.squares, self.along, strict=True):
            rest = (m * m * self.square_of_mean - 2 * m * along + square) / (m - 1) ** 2
            yield Moments(self.n - self.size, self.size, (m * self.mean_square - square) / (m - 1), rest)


def example_moments(sight: Sight, most: int) -> Moments:
    """The moments over as many probe examples as a training batch has, 16 to ``most``, in evaluation mode.

    Of a longer probe batch others are drawn at each reading: the mean over readings is that of the whole batch.

    Raises:
        Unavailable: examples cannot be taken one by one.
    """

    def look() -> Moments:
        assert sight.model is not None
        assert sight.loss_fn is not None  # the probes state both
        batch = sight.drawn("probe", sight.affordable(most, share=1.0))
        with differentiable(sight.model) as model:
            sight.first_time("examples", lambda: check_independent(model, batch[:CHECKED], sight.loss_fn))
            size = _group_size(model, len(batch))
            groups = len(batch) // size
            few = groups <= _at_once(weights_of(model))  # so that all are held at once
            total: list[Tensor] = []
            squares: list[Tensor] = []
            sketches: list[Tensor] = []
            for chunk in each(model, batch[: groups * size], sight.loss_fn, size):
                norms = torch.stack([torch.linalg.vector_norm(g.float().flatten(1), dim=1) for g in chunk])
                squares.append(norms.square().sum(dim=0))
                sums = [g[0] if len(g) == 1 else g.sum(dim=0) for g in chunk]
                total = sums if not total else [a.add_(b) for a, b in zip(total, sums, strict=True)]
                if not few or size > 1:
                    sketches.append(_sketch(chunk))
            if sketches:
                drawn = torch.cat(sketches).double()
                along = drawn @ drawn.mean(dim=0)
            else:
                along = _products(chunk, total) / groups
        found = torch.cat(squares).double()
        square_of_mean = sum(_square(t) for t in total) / groups**2
        mean = float(found.mean())
        return Moments(groups * size, size, mean, square_of_mean, tuple(found.tolist()), tuple(along.tolist()))

    found: Moments = sight.once(("moments", most), look)
    return found


def _products(chunk: Sequence[Tensor], vector: Sequence[Tensor]) -> Tensor:
    """(groups,) products of each group's gradient with a vector."""
    pieces = [g.float().flatten(1) @ v.float().flatten() for g, v in zip(chunk, vector, strict=True)]
    return torch.stack(pieces).double().sum(dim=0)


def _sketch(chunk: Sequence[Tensor]) -> Tensor:
    """(groups, SKETCH) random sums of each group's gradient: their inner products are those of the gradients, nearly.

    The error is 1/√SKETCH of the product of the norms. Entries that share a column have random signs, the same
    at every call. (Charikar, Chen, Farach-Colton 2002, count sketch.)
    """
    found = torch.zeros((len(chunk[0]), SKETCH), device=chunk[0].device)
    for gradient in chunk:
        flat = gradient.float().flatten(1)
        rows, rest = divmod(flat.shape[1], SKETCH)
        signs = torch.randint(0, 2, (rows + 1,), generator=torch.Generator("cpu").manual_seed(rows), device="cpu")
        signs = signs.to(flat).mul_(2).sub_(1)
        found[:, :rest] += signs[-1] * flat[:, rows * SKETCH :]
        # a vector times a matrix for each group: of all at once a copy would be made
        found += torch.stack([signs[:rows] @ one[: rows * SKETCH].reshape(rows, SKETCH) for one in flat])
    return found


def _square(t: Tensor) -> float:
    """‖t‖², the squares summed in float32 pairwise and the total kept in float64."""
    return float(torch.linalg.vector_norm(t.detach().float())) ** 2


def _group_size(model: nn.Module, n: int) -> int:
    """How many examples share a gradient: one, unless theirs would not fit at once."""
    groups = max(LEAST_GROUPS, AT_ONCE // sum(w.numel() for w in weights_of(model)))
    return -(-n // groups) if groups < n else 1


def check_independent(model: nn.Module, batch: Batch, loss_fn: Scalar | None) -> None:
    """Raise Unavailable unless the last example alone gives what it gives in its batch, and losses average."""
    with torch.no_grad():
        output = batch.run(model)
        _check_stands_alone(model, batch, main_tensor(output))
        if loss_fn is None:
            return
        try:
            losses = torch.stack([loss_fn(one.run(model), one.y).float() for one in _singles(batch)])
        except Exception as cause:  # somebody else's loss
            why = f"loss_fn= does not take one example ({type(cause).__name__}: {cause})"
            raise Unavailable(f"{why}: give a loss_fn that is a mean over examples") from cause
        loss = loss_fn(output, batch.y).float()
        if loss.dim() or not (_near(losses.mean(), loss) or _near(losses.sum(), loss)):
            raise Unavailable("loss_fn= compares examples with each other: give one that is a mean over examples")


def _check_stands_alone(model: nn.Module, batch: Batch, whole: Tensor) -> None:
    """Raise Unavailable unless the last example gives alone what it gave in the batch."""
    if len(batch) < 2:
        raise Unavailable("the probe batch has one example: give probe= of 100 or more")
    try:
        alone = main_tensor(batch[-1:].run(model))
    except Exception as cause:  # a normalisation over the batch, say, will not take a batch of one
        why = f"the model does not take one example ({type(cause).__name__}: {cause})"
        raise Unavailable(f"{why}: let it take a batch of one in evaluation mode") from cause
    if len(whole) == len(batch) and len(alone) == 1 and _near(whole[-1:], alone):
        return
    if whole.shape == (again := main_tensor(batch.run(model))).shape and not _near(whole, again):
        raise Unavailable("the model draws random numbers in evaluation mode: let it take the mean, or none, there")
    raise Unavailable(
        "the examples of probe= cannot be taken one by one along the first dimension: give inputs with a row an example"
    )


def _near(one: Tensor, two: Tensor) -> bool:
    scale = float(torch.maximum(one.abs().max(), two.abs().max()))
    return bool((one - two).abs().max() <= SAME * scale)


def _singles(batch: Batch) -> Iterator[Batch]:
    for i in range(len(batch)):
        yield batch[i : i + 1]


def each(
    model: nn.Module, batch: Batch, scalar: Scalar, size: int = 1, names: Collection[str] | None = None
) -> Iterator[list[Tensor]]:
    """Gradients of ``scalar`` of single examples, or of groups of ``size``, in chunks: per parameter (groups, *shape).

    Single examples with ``torch.func`` where the model can be vectorised, else one after the other.

    Args:
        names: of the parameters; default: all that are trained.

    Raises:
        Unavailable: see ``gradient``.
    """
    weights_of(model)  # raises where they are not to be had
    chosen = {name: w for name, w in model.named_parameters() if w.requires_grad and (names is None or name in names)}
    weights = list(chosen.values())
    if size > 1:
        for start in range(0, len(batch), size):
            part = batch[start : start + size]
            yield [g.unsqueeze(0) for g in gradient(scalar(part.run(model), part.y), weights)]
        return
    at_once = _at_once(weights)
    for start in range(0, len(batch), at_once):
        part = batch[start : start + at_once]
        try:
            chunk = _vectorised(model, part, scalar, chosen)
        except Exception:  # whatever a model does that torch.func cannot follow
            chunk = _one_by_one(model, part, scalar, weights)
        yield chunk


def _at_once(weights: Sequence[Tensor]) -> int:
    """How many examples' gradients are held at a time."""
    return max(1, AT_ONCE // sum(w.numel() for w in weights))


def _vectorised(model: nn.Module, batch: Batch, scalar: Scalar, chosen: Mapping[str, Tensor]) -> list[Tensor]:
    still = {name: weight.detach() for name, weight in model.named_parameters() if name not in chosen}
    weights = {name: weight.detach() for name, weight in chosen.items()}

    def of_one(weights: dict[str, Tensor], *tensors: Tensor) -> Tensor:
        one = batch.made_of([t.unsqueeze(0) for t in tensors])
        return scalar(torch.func.functional_call(model, {**still, **weights}, one.args, dict(one.kwargs)), one.y)

    tensors = batch.per_example()
    found = torch.func.vmap(torch.func.grad(of_one), in_dims=(None, *(0 for _ in tensors)))(weights, *tensors)
    return list(found.values())


def _one_by_one(model: nn.Module, batch: Batch, scalar: Scalar, weights: Sequence[Tensor]) -> list[Tensor]:
    rows = [gradient(scalar(one.run(model), one.y), weights) for one in _singles(batch)]
    return [torch.stack(column) for column in zip(*rows, strict=True)]
