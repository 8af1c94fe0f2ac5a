"""Whether two sets of features say the same about the same examples: CKA and CCA, over time and over depth."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor

from runopsy.errors import Unavailable
from runopsy.recorder.probes.arrays import centred, gram, thinned
from runopsy.recorder.probes.base import Gauge, Loop, Reading, Simple
from runopsy.signal_specs import cost_of, needs_of, units_of

ROWS = 512  # of features at most: a Gram matrix of 2 MB; unrelated features then give 0 ± 0.003
# Of several blocks: the map of a convolution has thousands of units, and a product costs n²d. Then 0 ± 0.012.
LAYER_ROWS = 128


@dataclass(frozen=True, slots=True)
class CkaPrev:
    """Debiased linear CKA of the last hidden features (n, d) of the probe batch, now and at the reading before.

    HSIC₁(K, L) / √(HSIC₁(K, K) · HSIC₁(L, L)), K and L the Gram matrices: see ``hsic``. 1 says that only
    scale and rotation changed; unrelated features give 0 ± 1.5/n. It depends on how far apart the readings are.
    (Kornblith et al. 2019, arXiv 1905.00414; debiased as in Nguyen, Raghu, Kornblith, arXiv 2010.15327.)
    """

    units: ClassVar[Mapping[str, str]] = units_of("features/cka_prev")
    needs: ClassVar[tuple[str, ...]] = needs_of("features/cka_prev")
    cost: ClassVar[str] = cost_of("features/cka_prev")

    def start(self, loop: Loop) -> Gauge:
        return _Cka(loop)


@dataclass(slots=True)
class _Cka:
    loop: Loop
    _before: Tensor | None = None

    def settle(self) -> Iterable[Reading]:
        return ()

    def measure(self, step: int) -> Iterable[Reading]:
        now = gram(thinned(self.loop.sight.hidden("probe"), ROWS))
        before, self._before = self._before, now
        if before is not None and before.shape == now.shape:
            yield step, "features/cka_prev", cka(before, now)


@dataclass(frozen=True, slots=True)
class CkaLayers:
    """Debiased linear CKA between up to four blocks of the model, each with the next and the first with the last.

    Sequences (n, T, d) are compared position by position, anything else example by example; 128 of them at most.
    """

    units: ClassVar[Mapping[str, str]] = units_of("features/cka/<a>~<b>")
    needs: ClassVar[tuple[str, ...]] = needs_of("features/cka/<a>~<b>")
    cost: ClassVar[str] = cost_of("features/cka/<a>~<b>")

    def start(self, loop: Loop) -> Gauge:
        def read(step: int) -> Iterable[Reading]:
            grams: dict[tuple[str, torch.Size], Tensor] = {}  # a block is compared up to three times

            def once(name: str, x: Tensor) -> Tensor:
                if (name, x.shape) not in grams:
                    grams[name, x.shape] = gram(x)
                return grams[name, x.shape]

            for a, b, x, y in _pairs(loop, LAYER_ROWS):
                yield step, f"features/cka/{a}~{b}", cka(once(a, x), once(b, y))

        return Simple(read)


@dataclass(frozen=True, slots=True)
class CcaLayers:
    """Mean squared canonical correlation of the blocks that CKA compares, with chance taken off.

    With R² = Σ ρᵢ² / min(d₁, d₂) and c = max(d₁, d₂)/(n − 1), its mean for unrelated Gaussian features,
    (R² − c)/(1 − c): 0 at chance, 1 where one set of features is a linear function of the other. d are
    numerical ranks. Needs more examples than units, and is computed on request only (``signals=[…]``).
    (Hotelling 1936; Raghu et al., SVCCA, arXiv 1706.05806.)
    """

    units: ClassVar[Mapping[str, str]] = units_of("features/cca/<a>~<b>")
    needs: ClassVar[tuple[str, ...]] = needs_of("features/cca/<a>~<b>")
    cost: ClassVar[str] = cost_of("features/cca/<a>~<b>")

    def start(self, loop: Loop) -> Gauge:
        def read(step: int) -> Iterable[Reading]:
            for a, b, x, y in _pairs(loop, ROWS):
                yield step, f"features/cca/{a}~{b}", cca(x, y)

        return Simple(read)


def _pairs(loop: Loop, most: int) -> Iterable[tuple[str, str, Tensor, Tensor]]:
    """(name, name, features, features) of the layers to compare, ``most`` rows of them, matched.

    Raises:
        Unavailable: there are not two layers.
    """
    seen = loop.sight.see("probe")
    left = {name: seen.left[name] for name in loop.sight.layers() if name in seen.left and seen.left[name].dim() > 1}
    names = list(left)
    if len(names) < 2:
        raise Unavailable("the model has fewer than two blocks before its head")
    wanted = list(pairwise(names)) + ([(names[0], names[-1])] if len(names) > 2 else [])
    for a, b in wanted:
        x, y = _matched(left[a], left[b])
        yield a, b, thinned(x, most), thinned(y, most)


def _matched(one: Tensor, two: Tensor) -> tuple[Tensor, Tensor]:
    """Rows that belong together: positions where both are sequences of one length, else examples."""
    if one.dim() == two.dim() == 3 and one.shape[:2] == two.shape[:2]:
        return one.flatten(0, 1), two.flatten(0, 1)
    if len(one) != len(two):
        raise Unavailable("the blocks of the model see different numbers of examples")
    return one.flatten(1), two.flatten(1)


def hsic(k: Tensor, m: Tensor) -> Tensor:
    """The unbiased HSIC₁ of two Gram matrices (…, n, n), n > 3 (Song et al. 2012, eq. 5).

    With zero diagonals: [tr(KL) + 1ᵀK1 · 1ᵀL1/((n−1)(n−2)) − 2/(n−2) · 1ᵀKL1] / (n(n−3)).
    """
    n = k.shape[-1]
    k, m = (one - torch.diag_embed(one.diagonal(dim1=-2, dim2=-1)) for one in (k, m))
    rows_k, rows_m = k.sum(dim=-2), m.sum(dim=-2)
    both = (k * m).sum(dim=(-2, -1)) + rows_k.sum(dim=-1) * rows_m.sum(dim=-1) / ((n - 1) * (n - 2))
    unbiased: Tensor = (both - 2 / (n - 2) * (rows_k * rows_m).sum(dim=-1)) / (n * (n - 3))
    return unbiased


def cka(k: Tensor, m: Tensor) -> Tensor | None:
    """Debiased CKA (…) of two Gram matrices (…, n, n); None where any holds no more than noise.

    Raises:
        Unavailable: fewer than four rows.
    """
    if k.shape[-1] < 4:
        raise Unavailable("needs at least four rows of features")
    own = torch.stack([hsic(k, k), hsic(m, m)])
    if float(own.min()) <= 0:
        return None
    return hsic(k, m) / own.prod(dim=0).sqrt()


def cca(x: Tensor, y: Tensor) -> Tensor | None:
    """Mean squared canonical correlation of features (n, d₁) and (n, d₂), chance taken off.

    Raises:
        Unavailable: no more rows than units.
    """
    one, two = _basis(x), _basis(y)
    if one.shape[1] + two.shape[1] >= len(x):
        raise Unavailable(f"needs more rows than units: {len(x)} for {one.shape[1]} and {two.shape[1]}")
    few, many = sorted((one.shape[1], two.shape[1]))
    if not few:
        return None
    chance = many / (len(x) - 1)
    return ((one.T @ two).square().sum() / few - chance) / (1 - chance)


def _basis(x: Tensor) -> Tensor:
    """An orthonormal basis (n, r) of the centred columns."""
    u, s, _ = torch.linalg.svd(centred(x), full_matrices=False)
    kept: Tensor = u[:, s > 1e-6 * s.max()] if len(s) else u  # float32 features: below that is rounding
    return kept
