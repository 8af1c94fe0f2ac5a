"""The gradient noise scale, as its two unbiased pieces, and where they come from."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from runopsy.errors import Unavailable
from runopsy.recorder.anatomy import plain
from runopsy.recorder.gradients import Moments, example_moments
from runopsy.recorder.probes.base import Gauge, Loop, Reading, Simple
from runopsy.recorder.probes.norms import l2
from runopsy.recorder.training_batch import compiled_in_place, on_training_pass
from runopsy.signal_specs import cost_of, needs_of, units_of

EXAMPLES = 64  # of the probe batch at most; the standard error of tr Σ falls as 1/√n, the cost grows as n
UNLIKE = 10  # windows with several backwards that are no equal micro-batches, after which there are taken to be none
WINDOWS = 3  # windows without a second backward after which a loop is taken to accumulate none
PROPORTIONAL = 1e-3  # relative distance of the summed micro-gradients from .grad; rounding leaves far less


def noise_pieces(big_square: float, small_square: float, big: float, small: float) -> tuple[float, float]:
    """(|G|², tr Σ), both unbiased, from squared gradient norms at two batch sizes, small < big.

    E‖g_B‖² = |G|² + tr Σ / B. Either piece may come out negative; average each over many readings before
    dividing: the mean of ratios is no estimate of tr Σ / |G|², the noise scale.
    (McCandlish et al. 2018, arXiv 1812.06162, appendix A.1.)

    Args:
        big_square: ‖g‖² of the batch of ``big`` examples: the mean of the small batches' gradients.
        small_square: mean of ‖g‖² over batches of ``small`` examples: micro-batches, ranks or single examples.
    """
    g2 = (big * big_square - small * small_square) / (big - small)
    s = (small_square - big_square) / (1 / small - 1 / big)
    return g2, s


def pieces_of(moments: Moments) -> tuple[float, float]:
    """(|G|², tr Σ) of gradients taken example by example, or group by group."""
    return noise_pieces(moments.square_of_mean, moments.mean_square, moments.n, moments.size)


def errors_of(moments: Moments) -> tuple[float | None, float | None]:
    """One standard error of each over examples, by the jackknife; None of fewer than three groups."""
    m = len(moments.squares)
    if m < 3:
        return None, None
    g2, s = (
        ((m - 1) / m * sum((x - statistics.fmean(column)) ** 2 for x in column)) ** 0.5
        for column in zip(*map(pieces_of, moments.without_each()), strict=True)
    )
    return g2, s


@dataclass(frozen=True, slots=True)
class GradVariance:
    """tr Σ, the trace of the covariance of per-example gradients, unbiased, over up to 64 examples of the probe batch.

    As many as a training batch has, 16 at least.
    n/(n − 1) · (mean ‖gᵢ‖² − ‖mean gᵢ‖²), in evaluation mode: dropout and batch statistics add nothing to it.
    Of a model too large for single gradients, from the gradients of at least eight groups, times their size.
    """

    units: ClassVar[Mapping[str, str]] = units_of("grad/variance")
    needs: ClassVar[tuple[str, ...]] = needs_of("grad/variance")
    cost: ClassVar[str] = cost_of("grad/variance")

    examples: int = EXAMPLES

    def start(self, loop: Loop) -> Gauge:
        def read(step: int) -> Iterable[Reading]:
            moments = example_moments(loop.sight, self.examples)
            loop.note("grad/variance", source=moments.source)
            yield step, "grad/variance", pieces_of(moments)[1]
            yield step, "grad/variance/se", errors_of(moments)[1]

        return Simple(read)


@dataclass(frozen=True, slots=True)
class NoiseScale:
    """|G|² and tr Σ of the training gradient, stored apart; their ratio, once averaged, is the noise scale.

    Taken from the ranks of DistributedDataParallel (see ``parallel``), or from micro-batches where the
    loop accumulates gradients (one backward each): their gradients are
    seen by hooks that are on for the window after a due step only, and scaled to the ``.grad`` that the
    optimizer gets. Else from single examples of the probe batch, in evaluation mode: others at each
    reading, so that the mean over readings is that of the whole probe batch. run.json names the source.
    ``NAME/se``: one standard error over these examples, by the jackknife.
    """

    units: ClassVar[Mapping[str, str]] = units_of("gns/g2", "gns/s")
    needs: ClassVar[tuple[str, ...]] = needs_of("gns/g2")
    cost: ClassVar[str] = cost_of("gns/g2")

    examples: int = EXAMPLES

    def start(self, loop: Loop) -> Gauge:
        assert loop.model is not None  # stated in ``needs``
        if loop.world > 1 and isinstance(loop.model, nn.parallel.DistributedDataParallel):
            from runopsy.recorder.probes.parallel import RankNoise  # it builds on this module

            if loop.clipped:
                raise Unavailable("gradients of all ranks are clipped before run.step is called")
            return RankNoise(loop, loop.model)
        if any(hasattr(weight, "to_local") for weight in loop.model.parameters()):
            raise Unavailable("the model is sharded, and gradients are summed before those of one rank can be seen")
        if loop.rank > 0:
            raise Unavailable("the gradient of one rank alone can be seen in DistributedDataParallel only")
        return _NoiseScale(loop, self.examples, Window.of(loop.model))


@dataclass(slots=True)
class _NoiseScale:
    loop: Loop
    examples: int
    window: Window | None  # None: gradients are not accumulated, or cannot be watched
    _at: int = 0
    _alone: int = 0  # windows with a single backward, or none that was seen
    _found: bool = False  # whether micro-batches have been seen
    anew: bool = False  # whether the next reading is of another kind, and has another price
    _several: bool = False  # whether there were several backward passes, that are no equal micro-batches

    def settle(self) -> Iterable[Reading]:
        if self.window is None or not self.window.handles:
            return
        as_seen = self.loop.clipped or self.loop.scaler is not None  # else .grad is what the optimizer gets
        scale = self.loop.scaler.get_scale() if self.loop.scaler is not None else 1.0
        pieces = self.window.close(as_seen)
        if pieces is not None:
            self._found = True
            self._note("micro-batches of gradient accumulation")
            yield self._at, "gns/g2", pieces[0] / scale**2
            yield self._at, "gns/s", pieces[1] / scale**2
        elif not self._found:
            self._alone += 1
            self._several = self.window.backwards > 1
            if self._alone >= (UNLIKE if self._several else WINDOWS) or self._can_take_examples():
                self.window, self.anew = None, True

    def measure(self, step: int) -> Iterable[Reading]:
        if self.window is not None:
            self.window.open()
            self._at = step
            return
        if not self._can_take_examples():
            if self._several:
                raise Unavailable("several backward passes a step are no equal micro-batches: give probe= and loss_fn=")
            raise Unavailable("give probe= and loss_fn= to record(), or accumulate gradients over micro-batches")
        moments = example_moments(self.loop.sight, self.examples)
        self._note(moments.source)
        yield from zip((step, step), ("gns/g2", "gns/s"), pieces_of(moments), strict=True)
        yield from zip((step, step), ("gns/g2/se", "gns/s/se"), errors_of(moments), strict=True)

    def _can_take_examples(self) -> bool:
        return not self.loop.missing(("probe", "loss_fn"))

    def _note(self, source: str) -> None:
        for name in ("gns/g2", "gns/s"):
            self.loop.note(name, source=source)


class Seen(NamedTuple):
    """Of ``k`` micro-batches with ``each`` examples: mean ‖g‖² of one, and ‖g‖² of their mean as it is in ``.grad``."""

    k: int
    each: int
    small_square: float
    big_square: float


@dataclass(slots=True)
class Window:
    """From one ``run.step`` to the next: the gradient of each backward, as it is added to ``.grad``."""

    model: nn.Module
    handles: list[Any] = field(default_factory=list)
    backwards: int = 0
    _weights: list[nn.Parameter] = field(default_factory=list)
    _fired: list[int] = field(default_factory=list)  # by parameter
    _squares: list[Tensor] = field(default_factory=list)
    _sizes: list[int] = field(default_factory=list)  # examples of each forward pass in training mode
    _witness: Tensor | None = None  # the sum of what one small parameter was given
    _broken: bool = False  # a hook failed: what was seen is not all

    @classmethod
    def of(cls, model: nn.Module) -> Window | None:
        """A window on the model; None for one that is compiled (hooks would compile it anew) or distributed."""
        if plain(model) is not model or compiled_in_place(model):
            return None
        return cls(model)

    def open(self) -> None:
        self.close()
        self._weights = [p for p in self.model.parameters() if p.requires_grad and not hasattr(p, "to_local")]
        self._fired = [0] * len(self._weights)
        self._squares, self._sizes, self._witness, self.backwards, self._broken = [], [], None, 0, False
        smallest = min(range(len(self._weights)), key=lambda i: self._weights[i].numel(), default=-1)
        note: Callable[[int, bool, Tensor], None] = self._note
        hooks = ((w, partial(note, i, i == smallest)) for i, w in enumerate(self._weights))
        self.handles = [w.register_hook(hook) for w, hook in hooks]  # type: ignore[no-untyped-call]  # torch's own gap
        self.handles.append(on_training_pass(self.model, self._count))

    def close(self, as_seen: bool = False) -> tuple[float, float] | None:
        """Take the hooks off; (|G|², tr Σ) where the window held several equal micro-batches.

        In the scale of ``.grad``, which may have been unscaled since, or clipped; or as the hooks saw it.
        """
        seen = self.look()
        factor = self._factor() if seen is not None and seen.k > 1 else None
        if seen is None or factor is None:
            return None
        big, small = seen.big_square, seen.small_square * factor**2
        if as_seen:
            big, small = big / factor**2, seen.small_square
        return noise_pieces(big, small, seen.k * seen.each, seen.each)

    def look(self) -> Seen | None:
        """Take the hooks off; what the window held, if that was equal micro-batches with one backward each."""
        for handle in self.handles:
            handle.remove()
        self.handles = []
        self.backwards = k = max(self._fired, default=0)
        if self._broken or k < 1 or len(self._sizes) != k or len(set(self._sizes)) > 1:
            return None
        gradients = [w.grad for w in self._weights if w.grad is not None]
        small_square = float(torch.stack(self._squares).double().sum()) * k  # Σ k² ‖part of .grad‖² / k
        return Seen(k, self._sizes[0], small_square, float(l2(gradients)) ** 2 if gradients else 0.0)

    def _note(self, i: int, is_witness: bool, gradient: Tensor) -> None:
        try:
            self._add(i, is_witness, gradient)
        except Exception:  # out of memory, say: it would come out of the loop's own backward()
            self._broken = True

    def _add(self, i: int, is_witness: bool, gradient: Tensor) -> None:
        self._fired[i] += 1
        if gradient.is_sparse:
            gradient = gradient.coalesce().values()
        self._squares.append(torch.linalg.vector_norm(gradient.detach(), dtype=torch.float32).square())
        if is_witness:
            self._witness = gradient.detach().clone() if self._witness is None else self._witness + gradient.detach()

    def _count(self, examples: int | None) -> None:
        if examples is not None:  # else there are fewer of them than backwards, and the window holds nothing
            self._sizes.append(examples)

    def _factor(self) -> float | None:
        """What the gradients were multiplied with since (a GradScaler's 1/scale, say); None: they are others.

        ``.grad`` must be a multiple of the sum of what the hooks saw. If it is not, it was not zeroed, or
        averaged with other processes, and norms would be of different things.
        """
        weight = min(self._weights, key=lambda w: w.numel(), default=None)
        if weight is None or weight.grad is None or self._witness is None:
            return None
        seen, now = self._witness.double().reshape(-1), weight.grad.double().reshape(-1)
        scale = float(seen @ seen)
        factor = float(now @ seen) / scale if scale > 0 else 0.0
        if factor <= 0 or float((now - factor * seen).norm()) > PROPORTIONAL * float(now.norm()):
            return None
        return factor
