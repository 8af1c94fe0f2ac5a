"""The empirical tangent kernel on the probe batch: how fast it turns, and how well it fits the labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from runopsy.errors import Unavailable
from runopsy.recorder.anatomy import main_tensor, plain
from runopsy.recorder.batches import Batch
from runopsy.recorder.gradients import check_independent, differentiable, each
from runopsy.recorder.probes.arrays import exact
from runopsy.recorder.probes.base import Gauge, Loop, Reading, Simple
from runopsy.recorder.probes.similarity import cka
from runopsy.recorder.sight import Sight
from runopsy.signal_specs import cost_of, needs_of, units_of

EXAMPLES = 32  # of the probe batch at most: each costs one gradient per output direction
DIRECTIONS = 4  # outputs at most that are taken one by one; of more, one fixed random combination
TAKEN = 1_000_000  # derivatives of one example: of more, all 32 at once would be dearer than many training steps
GOLDEN = (5**0.5 - 1) / 2  # its multiples spread evenly over every period
MOST_ALIKE = 5  # examples of which nothing can be left out
WHOLE = 10_000  # entries of a parameter that is taken whole however large the model is


@dataclass(frozen=True, slots=True)
class KernelVelocity:
    """1 − ⟨Θ, Θ'⟩ / (‖Θ‖‖Θ'‖) per step, between the kernels Θ = J Jᵀ (m, m) of this reading and the one before.

    J (m, P): derivatives of the output for a quarter as many probe examples as a training batch has, 16 to 32,
    in evaluation mode, summed over up to four outputs (of more, one fixed combination with random signs) and
    averaged over positions.
    0: the kernel only scales, training is lazy. (Fort et al. 2020, arXiv 2010.15110.)

    Of a model with more than a million parameters, the derivatives to those of some of its tensors, spread
    over the depth: the kernel of the model that trains these alone. run.json says how many. (Of two deep
    models, a tenth of the parameters gave a kernel whose cosine to that of all stayed above 0.97.)
    """

    units: ClassVar[Mapping[str, str]] = units_of("ntk/velocity")
    needs: ClassVar[tuple[str, ...]] = needs_of("ntk/velocity")
    cost: ClassVar[str] = cost_of("ntk/velocity")

    def start(self, loop: Loop) -> Gauge:
        return _Velocity(loop)


@dataclass(slots=True)
class _Velocity:
    loop: Loop
    _before: tuple[int, Tensor] | None = None

    def settle(self) -> Iterable[Reading]:
        return ()

    def measure(self, step: int) -> Iterable[Reading]:
        now = tangent_kernel(self.loop.sight)
        _note(self.loop, "ntk/velocity")
        before, self._before = self._before, (step, now)
        if before is not None and step > before[0]:
            cosine = _cosine(before[1], now)
            if cosine is not None:
                apart = step - before[0]
                yield step, "ntk/velocity", (1 - cosine).clamp_min(0) / apart
                error = jackknife(before[1], now, _cosine)
                yield step, "ntk/velocity/se", None if error is None else error / apart


@dataclass(frozen=True, slots=True)
class KernelAlignment:
    """⟨Θ_c, K_c⟩ / (‖Θ_c‖‖K_c‖), Θ the kernel of ``ntk/velocity`` and K = Y Yᵀ that of the targets, both centred.

    Y (m, K): one-hot classes, or the targets of a regression. 1: the kernel's first directions are the
    labels. All three products are the unbiased ones of ``hsic``: of 16 examples the plain ones are a third too high.
    (Cristianini et al. 2001; centred as in Cortes, Mohri, Rostamizadeh, arXiv 1203.0550.)
    ``NAME/se``: one standard error over examples, by the jackknife.
    """

    units: ClassVar[Mapping[str, str]] = units_of("ntk/alignment")
    needs: ClassVar[tuple[str, ...]] = needs_of("ntk/alignment")
    cost: ClassVar[str] = cost_of("ntk/alignment")

    def start(self, loop: Loop) -> Gauge:
        def read(step: int) -> Iterable[Reading]:
            kernel = tangent_kernel(loop.sight)
            _note(loop, "ntk/alignment")
            targets = _targets(loop.sight)
            ideal = targets @ targets.T
            yield step, "ntk/alignment", cka(kernel, ideal)
            yield step, "ntk/alignment/se", jackknife(kernel, ideal, cka)

        return Simple(read)


def tangent_kernel(sight: Sight) -> Tensor:
    """Θ (m, m) of up to 32 probe examples, up to a factor.

    Raises:
        Unavailable: examples cannot be taken one by one.
    """

    def look() -> Tensor:
        assert sight.model is not None  # the probes state it
        batch = sight.batch("probe").some(sight.affordable(EXAMPLES))
        with differentiable(sight.model) as model:
            sight.first_time("outputs", lambda: check_independent(model, batch, None))
            with torch.no_grad():
                outputs = main_tensor(batch[:1].run(model)).shape[-1:].numel()
            names = differentiated(_sizes(model))
            return sum(
                (_one_output(model, batch, v, names) for v in directions(outputs)), torch.zeros((), device="cpu")
            )

    kernel: Tensor = sight.once("kernel", look)
    return kernel


def _sizes(model: nn.Module) -> dict[str, int]:
    return {name: weight.numel() for name, weight in plain(model).named_parameters() if weight.requires_grad}


def _note(loop: Loop, signal: str) -> None:
    """Say of which parameters the kernel is."""
    assert loop.model is not None  # the probes state it
    sizes = _sizes(loop.model)
    names = differentiated(sizes)
    part = f"{sum(sizes[name] for name in names):,} of {sum(sizes.values()):,} parameters"
    what = "all parameters" if len(names) == len(sizes) else f"{part}, in {len(names)} of {len(sizes)} tensors"
    examples = min(len(loop.sight.batch("probe")), loop.sight.affordable(EXAMPLES))
    loop.note(signal, source=f"derivatives to {what}, of {examples} examples of the probe batch")


def differentiated(sizes: Mapping[str, int]) -> list[str]:
    """Whose derivatives the kernel is made of: all, or the small ones and as many large ones as fit, over the depth."""
    small = [name for name, size in sizes.items() if size <= WHOLE]
    large = [name for name, size in sizes.items() if size > WHOLE]
    if sum(sizes.values()) <= TAKEN or not large:
        return list(sizes)
    room, chosen = TAKEN - sum(sizes[name] for name in small), set(small)
    for _, name in sorted((i * GOLDEN % 1, name) for i, name in enumerate(large)):
        if sizes[name] <= room:
            chosen.add(name)
            room -= sizes[name]
    if len(chosen) == len(small):
        chosen.add(min(large, key=lambda name: sizes[name]))
    return [name for name in sizes if name in chosen]


def _one_output(model: Any, batch: Batch, direction: Tensor, names: list[str]) -> Tensor:
    """J Jᵀ of the output along one direction."""

    def along(output: Any, _: Any) -> Tensor:
        prediction = main_tensor(output)
        if prediction.dim() < 2:
            return prediction.float().mean()
        return (prediction.float() @ direction.to(prediction.device)).mean()

    chunks = []
    for chunk in each(model, batch, along, names=names):
        share = min(1.0, TAKEN / sum(g[0].numel() for g in chunk))
        chunks.append([_sample(g.flatten(1).float(), share) for g in chunk])
    kernel = torch.zeros((), device="cpu")
    for pieces in zip(*chunks, strict=True):  # of one parameter: all of them in float64 would be much memory
        jacobian = pieces[0] if len(pieces) == 1 else torch.cat(pieces)
        kernel = exact(jacobian @ jacobian.T) + kernel.to(jacobian.device)
    return kernel


def _sample(derivatives: Tensor, share: float) -> Tensor:
    """That share of the entries of (m, entries), enlarged so that products keep their expectation; small ones whole.

    The places follow the golden ratio: every k-th entry of a matrix may be a few of its columns only.
    """
    entries = derivatives.shape[1]
    if share == 1 or entries <= WHOLE:
        return derivatives
    count = round(share * entries)
    places = (torch.arange(count, dtype=torch.float64, device="cpu") * GOLDEN % 1 * entries).long()
    factor = (entries / count) ** 0.5
    return derivatives[:, places.to(derivatives.device)] * float(factor)


def directions(outputs: int) -> list[Tensor]:
    """Each output, or one fixed random combination of signs."""
    if outputs <= DIRECTIONS:
        return list(torch.eye(outputs, device="cpu"))
    signs = torch.randint(2, (1, outputs), generator=torch.Generator("cpu").manual_seed(0), device="cpu")
    return list(signs.float() * 2 - 1)


def _targets(sight: Sight) -> Tensor:
    """Y (m, K), one row an example of the kernel."""
    batch = sight.batch("probe").some(sight.affordable(EXAMPLES))
    y = batch.y
    if not isinstance(y, Tensor) or len(y) != len(batch) or y.dim() > 2:
        raise Unavailable("there is not one target per example")
    if y.is_floating_point():
        return exact(y.reshape(len(y), -1))
    if y.dim() > 1 and y.shape[1] > 1:
        raise Unavailable("there is not one target per example")
    return exact(torch.nn.functional.one_hot(y.reshape(-1).long() - int(y.min())))


def jackknife(one: Tensor, two: Tensor, alike: Callable[[Tensor, Tensor], Tensor | None]) -> float | None:
    """One standard error of ``alike`` of two kernels (m, m) over their examples; None where that is not known.

    Args:
        alike: from kernels (…, n, n) to their likeness (…), or None where one of them has none.
    """
    m = len(one)
    if m <= MOST_ALIKE:
        return None
    rows = torch.arange(m, device=one.device).repeat(m, 1)[~torch.eye(m, dtype=torch.bool, device=one.device)]
    rows = rows.view(m, m - 1)  # all but the first, all but the second, …
    found = alike(*(kernel[rows[:, :, None], rows[:, None, :]] for kernel in (one, two)))
    return None if found is None else float((m - 1) * found.var(correction=0)) ** 0.5


def _cosine(one: Tensor, two: Tensor) -> Tensor | None:
    """⟨A, B⟩/(‖A‖‖B‖) of kernels (…, n, n); None where one of them is zero."""
    size = torch.linalg.matrix_norm(one) * torch.linalg.matrix_norm(two)
    return (one * two).sum(dim=(-2, -1)) / size if float(size.min()) > 0 else None
