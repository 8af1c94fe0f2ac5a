"""The Hessian of the loss on the probe batch: its top eigenvalue, the gradient's share of it, its trace."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, TypeVar

import torch
from torch import Tensor

from runopsy.errors import Unavailable
from runopsy.recorder.gradients import differentiable, flat, gradient, products, weights_of
from runopsy.recorder.probes.base import Gauge, Loop, Reading

RESIDUAL = 0.03  # ‖Hv − λv‖/|λ| at which v counts as found; the error of λ itself is of second order in it
PATIENCE = 40  # Hessian products of one reading at most; a cold start takes 10 to 30, a warm one 1 to 8
FRESH = 0.05  # random share of a warm start: a direction that was flat until now can only be found from outside
VECTORS = 4  # Rademacher vectors of one trace; each costs a Hessian product, and readings average over time

T = TypeVar("T")
Product = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class HessianTop:
    """λmax of the Hessian H (P, P) of the probe batch's loss, and cos² of its gradient with the eigenvector.

    Algebraically largest, so negative curvature cannot pass for it. Locally optimal conjugate gradients
    (Knyazev 2001) on the Rayleigh quotient, from the last reading's vector: each step is one Hessian
    product, and five vectors of P numbers are held. A step at which the residual stays large gives no reading, and the
    next goes on from there. Chance for the cosine is 1/P. Evaluation mode, float32; under cross-entropy λmax
    falls at the end of training just because probabilities saturate.
    """

    units: ClassVar[Mapping[str, str]] = {"hessian/top": "", "hessian/grad_alignment": "cos²"}
    needs: ClassVar[tuple[str, ...]] = ("model", "probe", "loss_fn")
    cost: ClassVar[str] = "1 to 40 Hessian products on the probe batch, each about two gradients"

    def start(self, loop: Loop) -> Gauge:
        return _Top(loop)


@dataclass(slots=True)
class _Top:
    loop: Loop
    _vector: Tensor | None = None
    _random: torch.Generator | None = None

    def settle(self) -> Iterable[Reading]:
        return ()

    def measure(self, step: int) -> Iterable[Reading]:
        def ask(slope: Tensor, product: Product) -> tuple[float, float, Tensor]:
            return top_eigenpair(product, self._start(slope))

        slope, (value, residual, self._vector) = _with_hessian(self.loop, ask)
        if residual > RESIDUAL * abs(value):
            return
        yield step, "hessian/top", value
        square = float(slope @ slope)
        if square > 0:
            yield step, "hessian/grad_alignment", float(slope @ self._vector) ** 2 / square

    def _start(self, slope: Tensor) -> Tensor:
        """The last vector with a little noise; at first the gradient with as much noise."""
        if self._random is None:
            self._random = torch.Generator(slope.device).manual_seed(0)
        noise = torch.randn(slope.shape, generator=self._random, device=slope.device)
        warm = self._vector is not None and self._vector.shape == slope.shape
        base, share = (self._vector, FRESH) if warm and self._vector is not None else (slope, 1.0)
        size = base.norm()
        return noise if float(size) == 0 else base / size + share * noise / noise.norm()


@dataclass(frozen=True, slots=True)
class HessianTrace:
    """tr H of the probe batch's loss: mean of vᵀHv over Rademacher v, new ones at each reading (Hutchinson 1989).

    Unbiased; with 4 vectors the variance is ½(‖H‖²_F − Σ H²ᵢᵢ), so average over readings.
    """

    units: ClassVar[Mapping[str, str]] = {"hessian/trace": ""}
    needs: ClassVar[tuple[str, ...]] = ("model", "probe", "loss_fn")
    cost: ClassVar[str] = "4 Hessian products on the probe batch"

    vectors: int = VECTORS

    def start(self, loop: Loop) -> Gauge:
        return _Trace(loop, self.vectors)


@dataclass(slots=True)
class _Trace:
    loop: Loop
    vectors: int
    _random: torch.Generator = field(default_factory=lambda: torch.Generator().manual_seed(0))

    def settle(self) -> Iterable[Reading]:
        return ()

    def measure(self, step: int) -> Iterable[Reading]:
        def ask(slope: Tensor, product: Product) -> float:
            signs = torch.Generator(slope.device).manual_seed(int(torch.randint(2**62, (), generator=self._random)))
            return trace(product, slope, self.vectors, signs)

        yield step, "hessian/trace", _with_hessian(self.loop, ask)[1]


def trace(product: Product, like: Tensor, vectors: int, random: torch.Generator) -> float:
    """Hutchinson's estimate of tr H from so many Rademacher vectors shaped as ``like`` (P,)."""
    total = 0.0
    for _ in range(vectors):
        v = torch.randint(2, like.shape, generator=random, device=like.device).to(like.dtype) * 2 - 1
        total += float(v.double() @ product(v).double())
    return total / vectors


def _with_hessian(loop: Loop, ask: Callable[[Tensor, Product], T]) -> tuple[Tensor, T]:
    """(gradient (P,), what ``ask(gradient, v ↦ Hv)`` answers) on the probe batch."""
    sight = loop.sight
    assert loop.model is not None
    assert loop.loss_fn is not None  # the probes state both
    batch = sight.batch("probe")
    with differentiable(loop.model) as model:
        weights = weights_of(model)
        loss = loop.loss_fn(batch.run(model), batch.y)
        if loss.dim():
            raise Unavailable("the loss function gives more than one number")
        slopes = gradient(loss, weights, again=True)
        slope = flat(slopes)
        return slope, ask(slope, lambda v: products(slopes, weights, v))


def top_eigenpair(product: Product, start: Tensor) -> tuple[float, float, Tensor]:
    """(λ, ‖Hv − λv‖, v) of the algebraically largest eigenvalue of a symmetric H given by v ↦ Hv.

    Args:
        start: (P,), not zero; the nearer to the eigenvector, the fewer products.
    """
    x = start / start.norm()
    hx = product(x)
    p = hp = None
    for _ in range(PATIENCE - 1):
        value = float(x @ hx)
        r = hx - value * x
        size = float(r.norm())
        if size <= RESIDUAL * abs(value) / 3:  # well inside, so that λ has settled
            break
        r = _orthogonal(r / size, [x, *([] if p is None else [p])])
        if float(r.norm()) == 0:
            break
        hr = product(r)
        basis, images = [x, r, *([] if p is None else [p])], [hx, hr, *([] if hp is None else [hp])]
        c = _best_mix(basis, images)
        p, hp = _mix(basis[1:], c[1:]), _mix(images[1:], c[1:])
        x, hx = c[0] * x + p, c[0] * hx + hp
        size = float(x.norm())
        x, hx = x / size, hx / size
        p, hp = _against(p, hp, x, hx)
    value = float(x @ hx)
    return value, float((hx - value * x).norm()), x


def _best_mix(basis: list[Tensor], images: list[Tensor]) -> list[float]:
    """Coefficients of the largest Ritz vector in an orthonormal basis."""
    small = torch.tensor([[float(a @ b) for b in images] for a in basis], dtype=torch.float64)
    return [float(c) for c in torch.linalg.eigh((small + small.T) / 2).eigenvectors[:, -1]]


def _mix(vectors: list[Tensor], weights: list[float]) -> Tensor:
    total = weights[0] * vectors[0]
    for weight, vector in zip(weights[1:], vectors[1:], strict=True):
        total = total + weight * vector
    return total


def _against(p: Tensor, hp: Tensor, x: Tensor, hx: Tensor) -> tuple[Tensor | None, Tensor | None]:
    """The last direction made orthonormal to x, its image along with it; (None, None) if nothing is left of it."""
    share = float(p @ x)
    p, hp = p - share * x, hp - share * hx
    size = float(p.norm())
    return (p / size, hp / size) if size > 1e-6 else (None, None)


def _orthogonal(r: Tensor, basis: list[Tensor]) -> Tensor:
    """r made orthonormal to an orthonormal basis, twice against rounding; zero if nothing is left of it."""
    for _ in range(2):
        for b in basis:
            r = r - float(r @ b) * b
    size = float(r.norm())
    return r / size if size > 1e-6 else torch.zeros_like(r)
