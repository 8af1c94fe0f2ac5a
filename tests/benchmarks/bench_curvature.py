"""Whether λmax that is followed with a few products a reading is λmax, and how far that of a sample lies above it.

``python tests/benchmarks/bench_curvature.py`` trains four small models and prints, at every 20th and every 100th
step, how many Hessian products a reading took, how many readings told λmax, and how far below a converged value
these were; then λmax of samples of 16 to 256 examples against that of 2048. It exits with 1 where more than 3 % of
the readings are more than 2 % low.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from bench_signals import Language, convnet, pictures, sentences
from torch import Tensor, nn

from runopsy.recorder.batches import Batch
from runopsy.recorder.probes import Loop, curvature
from runopsy.recorder.probes.curvature import Curvature, _Curvature
from runopsy.recorder.probes.eigen import Allowance

LOW, OFTEN = 0.02, 0.03
PRODUCTS, RESIDUAL = 200, 0.002  # of a converged value
SIZES, WHOLE = (16, 32, 64, 128, 256), 2048


def mlp() -> nn.Module:
    layers = (nn.Linear(3072, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    return nn.Sequential(nn.Flatten(), *layers)


@dataclass(frozen=True)
class Case:
    name: str
    make: Callable[[], nn.Module]
    draw: Callable[[int], tuple[Tensor, Tensor]]
    batch: int
    optimizer: Callable[[nn.Module], torch.optim.Optimizer]


CASES = (
    Case("convnet, SGD", convnet, pictures, 64, lambda m: torch.optim.SGD(m.parameters(), lr=0.05)),
    Case("convnet, AdamW", convnet, pictures, 64, lambda m: torch.optim.AdamW(m.parameters(), lr=3e-4)),
    Case("MLP, momentum", mlp, pictures, 64, lambda m: torch.optim.SGD(m.parameters(), lr=0.01, momentum=0.9)),
    Case(
        "transformer, AdamW", lambda: Language(96, 2), sentences, 16, lambda m: torch.optim.AdamW(m.parameters(), 3e-4)
    ),
)


class Counted(Allowance):
    """An allowance that knows what was taken in all."""

    total = 0

    def take(self, products: int) -> None:
        self.total += products
        super().take(products)


def reading(gauge: _Curvature, step: int, settled: float) -> float | None:
    before, curvature.SETTLED = curvature.SETTLED, settled
    try:
        with torch.no_grad():
            found = {name: float(value) for _, name, value in gauge.measure(step)}
    finally:
        curvature.SETTLED = before
        gauge.loop.sight.forget()
    return found.get("hessian/top")


def gauge(model: nn.Module, batch: Batch, trained_on: int, earned: int, saved: int) -> _Curvature:
    loop = Loop(model, loss_fn=nn.functional.cross_entropy, probe=batch)
    loop.sight.trained_on = trained_on
    made = Curvature().start(loop)
    assert isinstance(made, _Curvature)
    made._allowance = Counted(earned, saved)
    return made


def follow(case: Case, every: int, steps: int) -> tuple[int, int]:
    """Readings that told λmax, and those that were too low."""
    torch.manual_seed(0)
    model = case.make()
    optimizer = case.optimizer(model)
    probe = Batch.of(case.draw(128), "probe")
    ours = gauge(model, probe, case.batch, curvature.EARNED, curvature.SAVED)
    theirs = gauge(model, probe, case.batch, PRODUCTS, PRODUCTS)
    below, count = [], 0
    for step in range(steps):
        if step % every == 0:
            count += 1
            found, true = reading(ours, step, curvature.SETTLED), reading(theirs, step, RESIDUAL)
            if found is not None and true is not None:
                below.append(1 - found / max(found, true))
        train(model, optimizer, *case.draw(case.batch))
    low = sum(b > LOW for b in below)
    products = ours._allowance.total / count  # type: ignore[attr-defined]  # it is a Counted
    print(
        f"  {case.name:<20}{every:>7}{count:>10}{products:>11.1f}{len(below) / count:>8.0%}"
        f"{np.median(below):>9.2%}{np.quantile(below, 0.9):>9.2%}{low:>8}",
        flush=True,
    )
    return len(below), low


def train(model: nn.Module, optimizer: torch.optim.Optimizer, x: Tensor, y: Tensor) -> None:
    optimizer.zero_grad()
    nn.functional.cross_entropy(model(x), y).backward()
    optimizer.step()


def samples(case: Case) -> None:
    """λmax of samples against that of many, when training has begun and when its examples are fitted."""
    torch.manual_seed(0)
    model = case.make()
    optimizer = case.optimizer(model)
    x, y = case.draw(WHOLE)
    for step in range(601):
        if step in (30, 600):
            whole = top(model, x, y)
            ratios = [np.mean([top(model, x[i * n :][:n], y[i * n :][:n]) / whole for i in range(4)]) for n in SIZES]
            print(f"  {case.name:<20}{step:>7}" + "".join(f"{ratio:>8.2f}" for ratio in ratios), flush=True)
        rows = torch.randint(0, WHOLE, (case.batch,))
        train(model, optimizer, x[rows], y[rows])


def top(model: nn.Module, x: Tensor, y: Tensor) -> float:
    """λmax of all examples given."""
    whole = gauge(model, Batch.of((x, y), "probe"), len(x), PRODUCTS, PRODUCTS)
    whole._sample = whole.loop.sight.batch("probe")
    return reading(whole, 0, curvature.SETTLED) or float("nan")


def main() -> int:
    torch.set_num_threads(1)
    head = ("every", 7), ("readings", 10), ("products", 11), ("told", 8), ("median", 9), ("90 %", 9), ("> 2 %", 8)
    print(f"  {'how far below λmax':<20}" + "".join(f"{word:>{width}}" for word, width in head))
    counts = [follow(case, every, steps) for every, steps in ((100, 2001), (20, 601)) for case in CASES]
    told, low = (sum(column) for column in zip(*counts, strict=True))
    print(f"\n  {low} of {told} readings were more than {LOW:.0%} low\n")
    print(f"  λmax of so many examples, over that of {WHOLE}")
    print(f"  {'':<20}{'step':>7}" + "".join(f"{n:>8}" for n in SIZES))
    for case in CASES:
        samples(case)
    return int(low > OFTEN * told)


if __name__ == "__main__":
    sys.exit(main())
