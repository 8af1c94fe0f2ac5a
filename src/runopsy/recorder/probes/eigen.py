"""The top eigenpair of a symmetric operator, a few products at a time."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

ONE_STEP = 2  # products of one call at least: one says how far off the start is, and one can mend it
ROUNDING = 1e-6  # relative, of float32: vectors nearer to each other than this are one, a smaller residual is none

# A vector of length P as the parameters hold it, tensor by tensor: one tensor of P numbers would be fresh memory
# at every operation, and fetching that takes longer than the operation.
Vector = list[Tensor]
Product = Callable[[Vector], Vector]


@dataclass(slots=True)
class Allowance:
    """Products that may be taken: each call earns ``earned``, and what it leaves is kept, up to ``most`` in all."""

    earned: int
    most: int
    kept: int | None = None  # None: of the first call, that may take all

    def open(self) -> int:
        """Those of a new call."""
        self.kept = self.most if self.kept is None else min(self.kept + self.earned, self.most)
        return self.kept

    def take(self, products: int) -> None:
        self.kept = (self.kept or 0) - products


def top_eigenpair(
    product: Product, start: Vector, residual: float, allowance: Allowance
) -> tuple[float, float, Vector]:
    """(λ, ‖Hv − λv‖, v) of the algebraically largest eigenvalue of a symmetric H given by v ↦ Hv.

    Locally optimal conjugate gradients (Knyazev 2001, SIAM J. Sci. Comput. 23, 517): each step takes the
    largest Ritz vector of the current one, its residual and the last change. The basis is left as it is, and
    its inner products, of which a step adds four, say what combinations of it multiply to.

    Args:
        start: not zero, and used up; the nearer to the eigenvector, the fewer products.
        residual: ‖Hv − λv‖ / |λ| at which to stop.
        allowance: how many products may be taken.
    """
    products = allowance.open()
    size = norm(start)
    x = [t.div_(size) for t in start]
    hx, taken = product(x), 1
    value = dot(x, hx)
    p: Vector | None = None
    hp: Vector = []
    xp = pp = php = hxp = 0.0  # inner products with p
    while True:
        r = [torch.sub(h, t, alpha=value) for h, t in zip(hx, x, strict=True)]
        far = norm(r)
        if far <= ROUNDING * abs(value) or taken >= products or (taken >= ONE_STEP and far <= residual * abs(value)):
            break
        r = [t.div_(far) for t in r]  # of length one: a product in half precision would lose a short one
        hr, taken = product(r), taken + 1
        rhr = dot(r, hr)
        found = None
        if p is not None:
            rp, phr = dot(r, p), dot(p, hr)
            gram = [[1.0, 0.0, xp], [0.0, 1.0, rp], [xp, rp, pp]]
            found = _ritz(gram, [[value, far, hxp], [far, rhr, phr], [hxp, phr, php]])
        if found is None:  # there is no last change yet, or it says the same as the residual
            p = None
            found = _ritz([[1.0, 0.0], [0.0, 1.0]], [[value, far], [far, rhr]])  # xᵀr = 0, and so rᵀHx = far
        if found is None:
            break  # what was multiplied is no number
        value, (c, *d), (xp, pp), (hxp, php) = found
        if p is None:
            p, hp = [d[0] * t for t in r], [d[0] * t for t in hr]
            x, hx = _add(c, x, p), _add(c, hx, hp)  # not in place: what a product gave may be seen elsewhere
        else:
            for t, u in (*zip(p, r, strict=True), *zip(hp, hr, strict=True)):
                t.mul_(d[1]).add_(u, alpha=d[0])
            for t, u in (*zip(x, p, strict=True), *zip(hx, hp, strict=True)):
                t.mul_(c).add_(u)
    allowance.take(taken)
    return value, far, x


def dot(a: Vector, b: Vector) -> float:
    """aᵀb: each tensor in its own precision, their sum in float64."""
    pieces = [torch.dot(s.reshape(-1), t.reshape(-1)) for s, t in zip(a, b, strict=True)]
    return math.fsum(torch.stack(pieces).tolist())


def norm(a: Vector) -> float:
    return float(dot(a, a) ** 0.5)


def _add(weight: float, a: Vector, b: Vector) -> Vector:
    """weight · a + b."""
    return [torch.add(u, t, alpha=weight) for t, u in zip(a, b, strict=True)]


Found = tuple[float, list[float], tuple[float, float], tuple[float, float]]


def _ritz(gram: list[list[float]], image: list[list[float]]) -> Found | None:
    """The largest Ritz value in a basis (x, r[, p]) with inner products ``gram`` and ``image`` = (bᵢᵀ H bⱼ).

    Returns:
        λ; c, of the Ritz vector of length one; and, p′ being its part outside x, (x′ᵀp′, p′ᵀp′) and
        (x′ᵀHp′, p′ᵀHp′). None where the basis is none, to rounding, or holds what is no number.
    """
    g, m = (torch.tensor(t, dtype=torch.float64, device="cpu") for t in (gram, image))
    scale = g.diag().rsqrt()
    unit = scale[:, None] * g * scale
    if not bool(torch.isfinite(m).all() and torch.isfinite(unit).all()):
        return None
    spread, axes = torch.linalg.eigh(unit)
    if float(spread[0]) <= ROUNDING:
        return None
    whiten = scale[:, None] * axes * spread.rsqrt()
    values, vectors = torch.linalg.eigh(whiten.T @ m @ whiten)
    c = whiten @ vectors[:, -1]
    d = c.clone()
    d[0] = 0
    products = (float(c @ g @ d), float(d @ g @ d)), (float(c @ m @ d), float(d @ m @ d))
    return float(values[-1]), [float(k) for k in c], *products
