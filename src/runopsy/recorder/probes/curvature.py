"""The Hessian of the loss on a sample of the probe batch: its top eigenvalue, the gradient's share of it, its trace."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from statistics import fmean
from typing import ClassVar

import torch
from torch import Tensor, nn

from runopsy.errors import Unavailable
from runopsy.recorder.batches import Batch, some_rows
from runopsy.recorder.gradients import differentiable, gradient, products, weights_of
from runopsy.recorder.probes.base import Gauge, Loop, Reading
from runopsy.recorder.probes.eigen import Allowance, Product, Vector, dot, norm, top_eigenpair

RESIDUAL = 0.03  # ‖Hv − λv‖/|λ| at which v counts as found; the error of λ itself is of second order in it
SETTLED = 0.02  # at which a reading ends: well inside, or half of the readings would be just outside
EARNED = 6  # products a reading may take: of those that come 100 steps apart, three to five suffice for most …
SAVED = 9  # … and what they leave serves where the Hessian has turned further; a first reading begins with these
NUDGE = 0.05  # of H·(random) in a warm start: an eigenvector that has risen to the top is found from outside only
UNSEEN = 64  # examples where no training batch was seen
MOST, LEAST = 256, 24  # examples at most, and targets at least: λmax of fewer lies far above that of all
UNEQUAL = 0.1  # relative, of gradients: parts of a batch may hold unlike numbers of targets; a sum or a contrast is
# further off, and so is a loss that is made of the hardest examples
PARTS = 4  # of a sample, whose losses have to average to its own
OTHERS = 1 / 2  # times as many other examples, drawn anew at each reading, say how far to trust the sample …
DIRECTIONS, FEWER, LARGE = 6, 4, 1_000_000  # … in so many groups; of more parameters fewer: each costs passes over them
GUESS = 12**-0.5  # the standard error of a number that may be anything from 0 to 1
ENOUGH = 3  # groups, of which a spread says something


@dataclass(frozen=True, slots=True)
class Curvature:
    """Of the Hessian H (P, P) of the loss on a fixed sample of the probe batch, in evaluation mode.

    The sample is a quarter of the size of the training batch, so that the price of a reading is a number of
    training steps; but at least 24 targets and at most 256 examples, and 64 where no training batch was seen.
    λmax of a small sample lies above that of all, the more the better they are fitted: 1.0 to 1.1 times with
    256 examples, 1.0 to 4.6 times with 32 (``make bench-curvature``). run.json says how many were taken.

    ``hessian/top``: the algebraically largest eigenvalue, so negative curvature cannot pass for it. Locally
    optimal conjugate gradients (Knyazev 2001) on the Rayleigh quotient, from the last reading's vector. A
    Rayleigh quotient is never above λmax; where the products that a reading has earned leave the residual
    large there is no reading, and the next goes on from there. Of 200 readings two were more than 2 % low,
    where a second eigenvalue had just risen above the first; nine in ten were within 0.4 %. Under cross-entropy
    λmax falls at the end of training just because probabilities saturate.

    ``hessian/top/se``: how far that may lie from λmax of all examples, from vᵀHv of other examples of the probe
    batch: half as many, six at least, drawn anew at each reading, in six groups (four of a large model). It holds
    their spread and the sample's bias, see ``error_of_top``; where the probe batch has no others, the spread alone.

    ``hessian/grad_alignment``: cos² of the gradient with that eigenvector; chance is 1/P. Of the gradients of these
    groups, without bias, with ``NAME/se`` over groups; no reading where that is no better than a guess. Where the
    probe batch has no others, of the sample's gradient, whose noise makes it too small.

    ``hessian/trace``: mean of vᵀHv for a Rademacher v in each group (Hutchinson 1989), drawn anew at each reading;
    ``NAME/se`` from their spread. Its mean is the trace for the probe batch (where examples have unlike numbers of
    targets, nearly), so average over readings: on k examples the variance of one is 2(‖H‖²_F − Σ H²ᵢᵢ) and what the
    choice of k adds. Of a loss that is no mean over examples, the sample itself is taken, and there is no error.
    """

    units: ClassVar[Mapping[str, str]] = {
        "hessian/top": "",
        "hessian/top/se": "",
        "hessian/grad_alignment": "cos²",
        "hessian/grad_alignment/se": "cos²",
        "hessian/trace": "",
        "hessian/trace/se": "",
    }
    needs: ClassVar[tuple[str, ...]] = ("model", "probe", "loss_fn")
    cost: ClassVar[str] = "two to nine Hessian products, each two to three gradients of the sample; memory of twelve"

    def start(self, loop: Loop) -> Gauge:
        return _Curvature(loop)


@dataclass(slots=True)
class Part:
    """What a group of ``n`` examples says of its gradient g and its Hessian H, along a direction v."""

    n: int
    gradient: Vector
    trace: float  # zᵀHz, of random signs z
    curvature: float  # vᵀHv
    slope: float  # vᵀg


def error_of_top(value: float, n: int, parts: Sequence[Part], outside: bool) -> float:
    """One standard error of λmax of ``n`` examples, as that of all: spread, and how far it lies above.

    λmax moves with vᵀHv to first order (v its eigenvector), and vᵀHv is a mean over examples. To second order the
    sample's λmax lies as far above that of all as vᵀHv of other examples lies below it: half of what is between
    the two, beyond what their spread explains, is the bias. Of examples that are not outside the sample there is none.
    """
    found = [part.curvature for part in parts]
    each = _variance(found) * fmean(part.n for part in parts)  # of one example's vᵀHv
    others = sum(part.n for part in parts)
    bias = max((value - fmean(found)) ** 2 - each * (1 / n + 1 / others), 0.0) / 4 if outside else 0.0
    return math.sqrt(each / n + bias)


def unbiased_alignment(parts: Sequence[Part]) -> tuple[float | None, float | None]:
    """(vᵀg)² / ‖g‖² of the gradient g of all examples, and its standard error by the jackknife over groups.

    Both are means over pairs of different groups, for the square of a group's mean holds its noise too. None where
    ‖g‖² comes out below 0: the noise is then so large that there is nothing to say; and where the error is larger
    than that of a guess.
    """
    a = torch.tensor([part.slope for part in parts], dtype=torch.float64, device="cpu")
    gram = torch.tensor(
        [[dot(p.gradient, q.gradient) for q in parts] for p in parts], dtype=torch.float64, device="cpu"
    )

    def ratio(kept: Tensor) -> float:
        pairs = gram[kept][:, kept]
        whole = float(pairs.sum() - pairs.diag().sum())
        along = float(a[kept].sum() ** 2 - a[kept].square().sum())
        return min(max(along / whole, 0.0), 1.0) if whole > 0 else math.nan

    m = len(parts)
    every = torch.arange(m, device="cpu")
    value = ratio(every)
    without = [ratio(every[every != i]) for i in range(m)]
    error = math.sqrt((m - 1) / m * sum((x - fmean(without)) ** 2 for x in without))
    return (value, error) if error < GUESS else (None, None)


@dataclass(slots=True)
class _Curvature:
    loop: Loop
    _allowance: Allowance = field(default_factory=lambda: Allowance(EARNED, SAVED))
    _sample: Batch | None = None
    _vector: Vector | None = None
    _random: torch.Generator | None = None
    _rows: torch.Generator = field(default_factory=lambda: torch.Generator("cpu").manual_seed(0))
    _averages: bool | None = None  # whether a loss is the mean of those of its parts; None: not known yet
    _outside: bool = False  # whether the other examples are none of the sample's

    def settle(self) -> Iterable[Reading]:
        return ()

    def measure(self, step: int) -> Iterable[Reading]:
        assert self.loop.model is not None  # ``needs`` states it
        sample = self._sample = self._sample or self._chosen()
        with differentiable(self.loop.model) as model:
            weights = weights_of(model)
            others = self._others(model, weights, sample)
            signs = self._signs(weights)
            slopes, product = self._hessian(model, weights, others[0] if others else sample)
            image = product(signs)
            trace = dot(signs, image)
            if others:  # the graph of a group is small, and is kept until v is known
                group = slopes, product, trace
                slopes, product = self._hessian(model, weights, sample)
            value, residual, vector = top_eigenpair(product, self._start(slopes, image), SETTLED, self._allowance)
            del product, image  # two graphs at once would be the memory of both
            parts: list[Part] = []
            for batch in others:
                if parts:
                    signs = self._signs(weights)
                    gradient, product = self._hessian(model, weights, batch)
                    group = gradient, product, dot(signs, product(signs))
                gradient, product, trace = group
                along = dot(vector, product(vector)), dot(vector, gradient)
                parts.append(Part(len(batch), gradient, trace, *along))
                del product, group
        yield step, "hessian/trace", fmean(part.trace for part in parts) if parts else trace
        if len(parts) > 1:
            yield step, "hessian/trace/se", (_variance([part.trace for part in parts]) / len(parts)) ** 0.5
        self._vector = vector if math.isfinite(value) else None  # of weights that are no numbers, say
        if not residual <= RESIDUAL * abs(value):
            return
        yield step, "hessian/top", value
        square = dot(slopes, slopes)
        if len(parts) >= ENOUGH:
            yield step, "hessian/top/se", error_of_top(value, len(sample), parts, self._outside)
        if len(parts) >= ENOUGH and self._outside:
            found = unbiased_alignment(parts)
            yield from zip((step, step), ("hessian/grad_alignment", "hessian/grad_alignment/se"), found, strict=True)
        elif square > 0:
            yield step, "hessian/grad_alignment", dot(slopes, vector) ** 2 / square

    def _chosen(self) -> Batch:
        """The fixed sample: see the class."""
        whole, sight = self.loop.sight.batch("probe"), self.loop.sight
        enough = math.ceil(LEAST / _targets_each(whole))
        sample = whole.some(sight.affordable(UNSEEN if sight.trained_on is None else MOST, least=enough))
        for name in ("hessian/top", "hessian/grad_alignment"):
            source = f"{len(sample)} of the {len(whole)} examples of the probe batch"
            self.loop.note(name, source=source, targets=round(len(sample) * _targets_each(sample)))
        return sample

    def _others(self, model: nn.Module, weights: list[nn.Parameter], sample: Batch) -> list[Batch]:
        """Groups of other examples than the sample's, drawn anew; of all where there are too few others.

        None where the loss of fewer examples is another loss.
        """
        large = sum(weight.numel() for weight in weights) > LARGE
        groups, whole = FEWER if large else DIRECTIONS, self.loop.sight.batch("probe")
        if self._averages is None:
            self._averages = self._is_mean(model, weights, sample, len(sample) // PARTS)
        found: list[Batch] = []
        if self._averages:
            inside = set(some_rows(len(whole), len(sample)).tolist())
            rest = torch.tensor([row for row in range(len(whole)) if row not in inside], device="cpu")
            self._outside = len(rest) >= groups
            pool = rest if self._outside else torch.arange(len(whole), device="cpu")
            few = min(max(round(OTHERS * len(sample)), groups), len(pool))
            rows = pool[torch.randperm(len(pool), generator=self._rows, device="cpu")[:few]]
            found = [whole[some] for some in rows.chunk(min(few, groups))]
        which = "others each time" if found else "the same"
        directions = f"{len(found)} directions" if len(found) > 1 else "one direction"
        source = (
            f"{sum(map(len, found or [sample]))} of the {len(whole)} examples of the probe batch, {which}, {directions}"
        )
        self.loop.note("hessian/trace", source=source)
        return found

    def _is_mean(self, model: nn.Module, weights: list[nn.Parameter], sample: Batch, few: int) -> bool | None:
        """Whether the loss of a batch is the mean of those of its parts; None where that cannot be told now."""
        if not few:
            return False
        parts = [sample[i * few : (i + 1) * few] for i in range(PARTS)]
        try:
            whole, *others = (gradient(self._loss(model, part), weights) for part in (sample[: few * PARTS], *parts))
        except Exception:  # a model may want more than one example, and is somebody else's
            return False
        means = [torch.stack(pieces).mean(dim=0) for pieces in zip(*others, strict=True)]
        apart = norm([(w - m).float() for w, m in zip(whole, means, strict=True)])
        size = norm([w.float() for w in whole])
        return apart <= UNEQUAL * size if math.isfinite(apart) and math.isfinite(size) else None

    def _hessian(self, model: nn.Module, weights: list[nn.Parameter], batch: Batch) -> tuple[Vector, Product]:
        """The gradient, and v ↦ Hv."""
        slopes = gradient(self._loss(model, batch), weights, again=True)
        return [slope.detach().float() for slope in slopes], partial(products, slopes, weights)

    def _loss(self, model: nn.Module, batch: Batch) -> Tensor:
        assert self.loop.loss_fn is not None  # ``needs`` states it
        loss = self.loop.loss_fn(batch.run(model), batch.y)
        if loss.dim():
            raise Unavailable("the loss function gives more than one number")
        return loss

    def _signs(self, weights: list[nn.Parameter]) -> Vector:
        """A Rademacher vector from a generator of our own, on the device."""
        if self._random is None:
            self._random = torch.Generator(weights[0].device).manual_seed(0)
        bits = (torch.empty_like(w, dtype=torch.float32).random_(0, 2, generator=self._random) for w in weights)
        return [bit.contiguous().mul_(2).sub_(1) for bit in bits]

    def _start(self, slopes: Vector, image: Vector) -> Vector:
        """The last vector, or at first the gradient, and a share of H·(random), where top eigenvectors are foremost.

        A model whose trained parameters have changed begins anew. The memory is the vector's own.
        """
        last = self._vector or []
        warm = [t.shape for t in last] == [t.shape for t in slopes]
        base, share = (last, NUDGE) if warm else (slopes, 1.0)
        size, other = norm(base), norm(image)
        if size == 0 or other == 0:
            known = image if other > 0 else base if size > 0 else [torch.ones_like(t) for t in base]
            return [t.clone() for t in known]
        sign = -1.0 if dot(base, image) < 0 else 1.0  # or the two could cancel
        return [torch.add(b / size, i, alpha=sign * share / other) for b, i in zip(base, image, strict=True)]


def _variance(values: Sequence[float]) -> float:
    return float(torch.tensor(values, dtype=torch.float64, device="cpu").var())


def _targets_each(batch: Batch) -> float:
    """Classes to be told of each example: one, or as many as a sequence has labels."""
    y = batch.y
    if not isinstance(y, Tensor) or y.is_floating_point() or not y.dim() or len(y) != len(batch):
        return 1.0
    return max(1.0, float((y >= 0).sum()) / len(y))
