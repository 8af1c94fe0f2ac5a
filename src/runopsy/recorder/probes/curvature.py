"""The Hessian of the loss on a sample of the probe batch: its top eigenvalue, the gradient's share of it, its trace."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
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
from runopsy.recorder.probes.spread import ENOUGH, alignment, error_of_top, variance
from runopsy.signal_specs import cost_of, needs_of, units_of

RESIDUAL = 0.03  # ‖Hv − λv‖/|λ| at which v counts as found; the error of λ itself is of second order in it
SETTLED = 0.02  # at which a reading ends: well inside, or half of the readings would be just outside
EARNED = 5  # products a reading may take: of those that come 100 steps apart, three to five suffice for most …
SAVED = 9  # … and what they leave serves where the Hessian has turned further; a first reading begins with these
NUDGE = 0.05  # of H·(random) in a warm start: an eigenvector that has risen to the top is found from outside only
UNSEEN = 64  # examples where no training batch was seen
MOST, LEAST = 256, 24  # examples at most, and targets at least: λmax of fewer lies far above that of all
UNEQUAL = 0.1  # relative, of gradients: parts of a batch may hold unlike numbers of targets; a sum or a contrast is
# further off, and so is a loss that is made of the hardest examples
PARTS = 4  # of a sample, whose losses have to average to its own
DIRECTIONS, FEW_DIRECTIONS, LARGE = 4, 2, 1_000_000  # of a trace; of more parameters each costs passes over them
OTHERS = 1 / 2  # times as many other examples show how far to trust the sample …
GROUPS, FEWER = 6, 4  # … in so many groups; fewer of a large model …
TRUSTED = 6  # … at every so many-th reading that has λmax: it costs half of a reading


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
    batch: half as many, in six groups (four of a large model), drawn anew each time. It holds their spread and the
    sample's bias, see ``error_of_top``; where the probe batch has no others, the spread alone. At every sixth reading.

    ``hessian/grad_alignment``: cos² of the gradient with the sample's eigenvector; chance is 1/P. At these readings, of
    the gradients of as many other examples as a training batch has, in groups too, without bias; none where their
    noise hides the gradient, see ``spread.alignment``. ``NAME/se`` is over these groups: how far the eigenvector of so
    few examples lies from that of all is not in it, for that takes the search anew for each group. Where the probe
    batch has no others, of the sample's gradient at each reading, whose noise makes it too small.

    ``hessian/trace``: mean of vᵀHv for four Rademacher v (Hutchinson 1989; two for a large model), each on its own
    part of a quarter as many examples, v and examples drawn anew at each reading; ``NAME/se`` from their spread. Its
    mean is the trace for the probe batch (where examples have unlike numbers of targets, nearly), so average over
    readings: on k examples the variance of one is 2(‖H‖²_F − Σ H²ᵢᵢ) and what the choice of k adds. Of a loss that
    is no mean over examples, the sample itself is taken, and nothing has an error.
    """

    units: ClassVar[Mapping[str, str]] = units_of("hessian/top", "hessian/grad_alignment", "hessian/trace")
    needs: ClassVar[tuple[str, ...]] = needs_of("hessian/top")
    cost: ClassVar[str] = cost_of("hessian/top")

    def start(self, loop: Loop) -> Gauge:
        return _Curvature(loop)


@dataclass(slots=True)
class _Curvature:
    loop: Loop
    _allowance: Allowance = field(default_factory=lambda: Allowance(EARNED, SAVED))
    _sample: Batch | None = None
    _vector: Vector | None = None
    _random: torch.Generator | None = None
    _rows: torch.Generator = field(default_factory=lambda: torch.Generator("cpu").manual_seed(0))
    _averages: bool | None = None  # whether a loss is the mean of those of its parts; None: not known yet
    _untrusted: int = 0  # readings that had λmax

    def settle(self) -> Iterable[Reading]:
        return ()

    def measure(self, step: int) -> Iterable[Reading]:
        assert self.loop.model is not None  # ``needs`` states it
        sample = self._sample = self._sample or self._chosen()
        with differentiable(self.loop.model) as model:
            weights = weights_of(model)
            traces = []
            for batch in self._parts(model, weights, sample):
                signs = self._signs(weights)
                slopes, product = self._hessian(model, weights, batch)
                image = product(signs)
                traces.append(dot(signs, image))
                if batch is not sample:
                    del slopes, product  # two graphs at once would be the memory of both
            if batch is not sample:
                slopes, product = self._hessian(model, weights, sample)
            value, residual, vector = top_eigenpair(product, self._start(slopes, image), SETTLED, self._allowance)
            del product, image
            found = residual <= RESIDUAL * abs(value)
            trusted = self._trust(model, weights, value, vector) if found else []
        yield step, "hessian/trace", fmean(traces)
        if len(traces) > 1:
            yield step, "hessian/trace/se", (variance(traces) / len(traces)) ** 0.5
        self._vector = vector if math.isfinite(value) else None  # of weights that are no numbers, say
        if not found:
            return
        yield step, "hessian/top", value
        for name, one in trusted:
            yield step, name, one
        square = dot(slopes, slopes)
        if square > 0 and not (self._averages and self._has_others()):
            yield step, "hessian/grad_alignment", dot(slopes, vector) ** 2 / square

    def _trust(
        self, model: nn.Module, weights: list[nn.Parameter], value: float, vector: Vector
    ) -> list[tuple[str, float]]:
        """Of some readings, from groups of other examples: the error of λmax, and the gradient's alignment."""
        assert self._sample is not None  # it was chosen
        self._untrusted += 1
        if not self._averages or self._untrusted % TRUSTED != 1:
            return []
        n, groups = len(self._sample), FEWER if _size(weights) > LARGE else GROUPS
        along, sizes = [], []
        for batch in self._drawn(max(round(OTHERS * n), groups), groups):
            _, product = self._hessian(model, weights, batch)
            along.append(dot(vector, product(vector)))
            sizes.append(len(batch))
            del product
        if len(along) < ENOUGH:
            return []
        outside = self._has_others()
        readings = [("hessian/top/se", error_of_top(value, n, along, fmean(sizes), outside))]
        if outside:
            most = max(self.loop.sight.affordable(MOST, share=1.0), groups)
            batches = self._drawn(most, groups)
            slopes = [[g.float() for g in gradient(self._loss(model, batch), weights)] for batch in batches]
            aligned = alignment(slopes, vector)
            if aligned is not None:
                readings += zip(("hessian/grad_alignment", "hessian/grad_alignment/se"), aligned, strict=True)
        return readings

    def _chosen(self) -> Batch:
        """The fixed sample: see the class."""
        whole, sight = self.loop.sight.batch("probe"), self.loop.sight
        enough = math.ceil(LEAST / _targets_each(whole))
        sample = whole.some(sight.affordable(UNSEEN if sight.trained_on is None else MOST, least=enough))
        for name in ("hessian/top", "hessian/grad_alignment"):
            source = f"{len(sample)} of the {len(whole)} examples of the probe batch"
            self.loop.note(name, source=source, targets=round(len(sample) * _targets_each(sample)))
        return sample

    def _parts(self, model: nn.Module, weights: list[nn.Parameter], sample: Batch) -> list[Batch]:
        """Parts of examples for the trace, others each time; the sample itself where fewer are another loss."""
        few = len(sample) // PARTS
        if self._averages is None:
            self._averages = self._is_mean(model, weights, sample, few) if few else False
        whole, parts, which = self.loop.sight.batch("probe"), [sample], "the same"
        if self._averages:
            rows = torch.randperm(len(whole), generator=self._rows, device="cpu")[:few]
            parts = [
                whole[some] for some in rows.chunk(min(few, FEW_DIRECTIONS if _size(weights) > LARGE else DIRECTIONS))
            ]
            which = "others each time"
        directions = f"{len(parts)} directions" if len(parts) > 1 else "one direction"
        source = f"{sum(map(len, parts))} of the {len(whole)} examples of the probe batch, {which}, {directions}"
        self.loop.note("hessian/trace", source=source)
        return parts

    def _rest(self) -> list[int]:
        """Rows of the probe batch that are not in the sample."""
        assert self._sample is not None  # it was chosen
        n = len(self.loop.sight.batch("probe"))
        sample = set(some_rows(n, len(self._sample)).tolist())
        return [row for row in range(n) if row not in sample]

    def _has_others(self) -> bool:
        assert self._sample is not None  # it was chosen
        return len(self.loop.sight.batch("probe")) - len(self._sample) >= GROUPS

    def _drawn(self, few: int, groups: int) -> list[Batch]:
        """So many examples in groups, others each time: of those outside the sample, or of all if these are too few."""
        whole = self.loop.sight.batch("probe")
        pool = torch.tensor(self._rest() if self._has_others() else range(len(whole)), device="cpu")
        rows = pool[torch.randperm(len(pool), generator=self._rows, device="cpu")[:few]]
        return [whole[some] for some in rows.chunk(min(len(rows), groups))]

    def _is_mean(self, model: nn.Module, weights: list[nn.Parameter], sample: Batch, few: int) -> bool | None:
        """Whether the loss of a batch is the mean of those of its parts; None where that is not known yet."""
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


def _size(weights: list[nn.Parameter]) -> int:
    return sum(weight.numel() for weight in weights)


def _targets_each(batch: Batch) -> float:
    """Classes to be predicted of each example: one, or as many as a sequence has labels."""
    y = batch.y
    if not isinstance(y, Tensor) or y.is_floating_point() or not y.dim() or len(y) != len(batch):
        return 1.0
    return max(1.0, float((y >= 0).sum()) / len(y))
