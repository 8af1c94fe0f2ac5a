"""The Hessian of the loss on the probe batch: its top eigenvalue, the gradient's share of it, its trace."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor

from runopsy.errors import Unavailable
from runopsy.recorder.gradients import differentiable, flat, gradient, products, weights_of
from runopsy.recorder.probes.base import Gauge, Loop, Reading

RESIDUAL = 0.03  # ‖Hv − λv‖/|λ| at which v counts as found; the error of λ itself is of second order in it
PATIENCE = 40  # Hessian products of one reading at most; a cold start takes 10 to 30, a warm one 3 to 8
LEAST = 3  # products of one reading: a warm start must have the chance to leave a direction that is no longer the top
FRESH = 0.05  # random share of a warm start: a direction that was flat until now can only be found from outside
EXAMPLES = (
    256  # of the probe batch at most: the Hessian is that of a fixed sample in any case, and the cost goes with it
)

Product = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Curvature:
    """Of the Hessian H (P, P) of the loss on up to 256 probe examples, in evaluation mode and float32:

    ``hessian/top``: the algebraically largest eigenvalue, so negative curvature cannot pass for it. Locally
    optimal conjugate gradients (Knyazev 2001) on the Rayleigh quotient, from the last reading's vector; each
    step is one Hessian product. A Rayleigh quotient is never above λmax; a step at which the residual stays
    large gives no reading, and the next goes on from there. Under cross-entropy λmax falls at the end of
    training just because probabilities saturate.

    ``hessian/grad_alignment``: cos² of the gradient with that eigenvector; chance is 1/P.

    ``hessian/trace``: vᵀHv for Rademacher v, a new one at each reading (Hutchinson 1989). Unbiased, with
    variance 2(‖H‖²_F − Σ H²ᵢᵢ), so average over readings.
    """

    units: ClassVar[Mapping[str, str]] = {"hessian/top": "", "hessian/grad_alignment": "cos²", "hessian/trace": ""}
    needs: ClassVar[tuple[str, ...]] = ("model", "probe", "loss_fn")
    cost: ClassVar[str] = "3 to 41 Hessian products on the probe batch, each about two gradients; memory of nine"

    examples: int = EXAMPLES

    def start(self, loop: Loop) -> Gauge:
        return _Curvature(loop, self.examples)


@dataclass(slots=True)
class _Curvature:
    loop: Loop
    examples: int
    _vector: Tensor | None = None
    _random: torch.Generator | None = None

    def settle(self) -> Iterable[Reading]:
        return ()

    def measure(self, step: int) -> Iterable[Reading]:
        loop = self.loop
        assert loop.model is not None
        assert loop.loss_fn is not None  # the probe states both
        batch = loop.sight.batch("probe")
        batch = batch if len(batch) <= self.examples else batch[: self.examples]
        with differentiable(loop.model) as model:
            weights = weights_of(model)
            loss = loop.loss_fn(batch.run(model), batch.y)
            if loss.dim():
                raise Unavailable("the loss function gives more than one number")
            slopes = gradient(loss, weights, again=True)
            slope = flat(slopes)
            product = partial(products, slopes, weights)
            value, residual, self._vector = top_eigenpair(product, self._start(slope))
            whole = trace(product, slope, self._generator(slope))
        yield step, "hessian/trace", whole
        if residual > RESIDUAL * abs(value):
            return
        yield step, "hessian/top", value
        square = float(slope @ slope)
        if square > 0:
            yield step, "hessian/grad_alignment", float(slope @ self._vector) ** 2 / square

    def _generator(self, like: Tensor) -> torch.Generator:
        """Random numbers of our own, on the device."""
        if self._random is None:
            self._random = torch.Generator(like.device).manual_seed(0)
        return self._random

    def _start(self, slope: Tensor) -> Tensor:
        """The last vector with a little noise; at first the gradient with as much noise."""
        noise = torch.randn(slope.shape, generator=self._generator(slope), device=slope.device)
        warm = self._vector is not None and self._vector.shape == slope.shape
        base, share = (self._vector, FRESH) if warm and self._vector is not None else (slope, 1.0)
        size = base.norm()
        return noise if float(size) == 0 else base / size + share * noise / noise.norm()


def trace(product: Product, like: Tensor, random: torch.Generator) -> float:
    """Hutchinson's estimate of tr H from one Rademacher vector shaped as ``like`` (P,)."""
    v = torch.randint(2, like.shape, generator=random, device=like.device).to(like.dtype) * 2 - 1
    return float(v.double() @ product(v).double())


def top_eigenpair(product: Product, start: Tensor) -> tuple[float, float, Tensor]:
    """(λ, ‖Hv − λv‖, v) of the algebraically largest eigenvalue of a symmetric H given by v ↦ Hv.

    Args:
        start: (P,), not zero; the nearer to the eigenvector, the fewer products.
    """
    x = start / start.norm()
    hx = product(x)
    p = hp = None
    for done in range(1, PATIENCE):
        value = float(x @ hx)
        r = hx - value * x
        size = float(r.norm())
        if size == 0 or (done >= LEAST and size <= RESIDUAL * abs(value) / 2):  # well inside, so that λ has settled
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
