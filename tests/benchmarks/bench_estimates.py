"""What estimates from a sample are worth, against what the whole training set gives.

``python tests/benchmarks/bench_estimates.py [N]`` trains a small network, and at three stages takes N readings (100
unless told) of each signal that has a standard error, each from a probe batch of its own: 256 of 6 000 examples, of
which the dear probes take as many as beside training batches of 64. Printed are the exact value, the mean of the
readings and their spread beside the mean of the errors that they state, and how often value ± 1.96 of its own error
covers the exact value. A reading may be left out where it has nothing to say; the share of those made is printed
too. Exits with 1 where fewer than 80 % are covered.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from runopsy.recorder.batches import Batch
from runopsy.recorder.gradients import each
from runopsy.recorder.probes import (
    Loop,
    Probe,
    kernels,
)
from runopsy.recorder.probes.arrays import exact
from runopsy.recorder.probes.curvature import Curvature
from runopsy.recorder.probes.evaluation import EvaluationAccuracy, EvaluationLoss
from runopsy.recorder.probes.kernels import KernelAlignment, tangent_kernel
from runopsy.recorder.probes.noise import GradVariance, NoiseScale
from runopsy.recorder.probes.readout import HeldoutProbe, ridge
from runopsy.recorder.probes.similarity import cka

WHOLE, PROBE, BATCH, CLASSES, WIDTH = 6000, 256, 64, 4, 16
KERNEL = 1000  # examples whose kernel stands for that of all
STAGES = (0, 100, 2000)  # steps
UNJUDGED = "… with v of all"  # beside the eigenvector of the sample, which the error is of
FEW = 10  # readings, of which a share is none
LEAST = 0.8  # of the intervals that have to cover
ce = nn.functional.cross_entropy

PROBES: tuple[Probe, ...] = (
    EvaluationLoss("probe", "eval/loss_train"),
    EvaluationAccuracy("probe", "eval/acc_train"),
    HeldoutProbe(),
    NoiseScale(),
    GradVariance(),
    Curvature(),
    KernelAlignment(),
)


def draw(n: int) -> tuple[Tensor, Tensor]:
    """Four clouds that overlap; every tenth label is another one's."""
    y = torch.randint(0, CLASSES, (n,))
    x = torch.randn(n, 12) + 1.5 * nn.functional.one_hot(y, 12)
    return x, torch.where(torch.rand(n) < 0.1, torch.randint(0, CLASSES, (n,)), y)


def flat(tensors: list[Tensor]) -> Tensor:
    return torch.cat([t.flatten(1) for t in tensors], dim=1).double()


def truths(model: nn.Module, x: Tensor, y: Tensor) -> dict[str, float]:
    """Of the whole training set."""
    batch = Batch.of((x, y), "probe")
    g = torch.cat([flat(chunk) for chunk in each(model, batch, ce)])
    slope = g.mean(dim=0)
    g2, s = float(slope @ slope), float((g - slope).square().sum() / (len(g) - 1))
    weights = list(model.parameters())
    slopes = torch.autograd.grad(ce(model(x), y), weights, create_graph=True)
    whole = torch.cat([t.flatten() for t in slopes])
    rows = torch.autograd.grad(whole, weights, torch.eye(len(whole)), is_grads_batched=True)
    values, vectors = torch.linalg.eigh(flat(list(rows)))
    along = float((vectors[:, -1] @ slope).square() / (slope @ slope))
    with torch.no_grad():
        logits = model(x)
    kept, kernels.EXAMPLES = kernels.EXAMPLES, KERNEL
    try:
        loop = Loop(model, loss_fn=ce, probe=batch)
        kernel = tangent_kernel(loop.sight)
        targets = exact(nn.functional.one_hot(batch.some(KERNEL).y))
    finally:
        kernels.EXAMPLES = kept
    alignment = cka(kernel, targets @ targets.T)
    return {
        "eval/loss_train": float(ce(logits, y)),
        "eval/acc_train": float((logits.argmax(dim=1) == y).float().mean()),
        "gns/g2": g2,
        "gns/s": s,
        "grad/variance": s,
        "hessian/top": float(values[-1]),
        "hessian/trace": float(values.sum()),
        UNJUDGED: along,
        "ntk/alignment": math.nan if alignment is None else float(alignment),
    }


def of_the_draw(model: nn.Sequential, held: Batch, x: Tensor, y: Tensor) -> dict[str, float]:
    """What a probe that was fitted on this very batch is worth on all examples, and how far the head lags behind it."""
    with torch.no_grad():
        features, whole, own = model[:-1](held.args[0]), model[:-1](x), model(x).argmax(dim=1) == y
        right = ridge(features, held.y, CLASSES).scores(whole).argmax(dim=1) == y
    accuracy = float(right.float().mean())
    return {"probe/acc_heldout": accuracy, "readout/gap": accuracy - float(own.float().mean())}


def readings(
    model: nn.Sequential, x: Tensor, y: Tensor, slope: Tensor, count: int
) -> Iterator[tuple[dict[str, float], dict[str, float]]]:
    """(values, what is exact for this draw alone) of each draw."""
    for seed in range(count):
        generator = torch.Generator().manual_seed(seed)
        rows = torch.randperm(len(x), generator=generator)
        probe, held = (Batch.of((x[part], y[part]), "probe") for part in (rows[:PROBE], rows[PROBE : 2 * PROBE]))
        loop = Loop(model, loss_fn=ce, probe=probe, heldout=held)
        loop.sight.trained_on = BATCH
        found: dict[str, float] = {}
        for one in PROBES:
            gauge = one.start(loop)
            if isinstance(one, NoiseScale):
                gauge.window = None  # type: ignore[attr-defined]  # nothing is accumulated
            if isinstance(one, Curvature):  # directions and examples are the gauge's own draw
                gauge._random, gauge._rows = (torch.Generator().manual_seed(seed) for _ in range(2))  # type: ignore[attr-defined]
            with torch.no_grad():
                found |= {name: float(value) for _, name, value in gauge.measure(0) if value is not None}
            if isinstance(one, Curvature):
                v = torch.cat([t.flatten() for t in gauge._vector]).double()  # type: ignore[attr-defined]
                found[UNJUDGED] = found.get("hessian/grad_alignment", math.nan)
                found[f"{UNJUDGED}/se"] = found.get("hessian/grad_alignment/se", math.nan)
        along = {"hessian/grad_alignment": float((v @ slope).square() / (slope @ slope))}
        yield found, of_the_draw(model, held, x, y) | along


def stage(model: nn.Sequential, x: Tensor, y: Tensor, count: int, step: int) -> list[float]:
    """Print a line a signal; the shares that are covered."""
    model.eval()
    slope = torch.cat([g.flatten() for g in torch.autograd.grad(ce(model(x), y), list(model.parameters()))]).double()
    exactly, drawn = truths(model, x, y), list(readings(model, x, y, slope, count))
    shares = []
    for name in (*exactly, "hessian/grad_alignment", "probe/acc_heldout", "readout/gap"):
        rows = [
            (found[name], found[f"{name}/se"], exactly.get(name, here.get(name, math.nan)))
            for found, here in drawn
            if math.isfinite(found.get(name, math.nan)) and f"{name}/se" in found
        ]
        if not rows:
            print(f"{step:>6}  {name:<24} no reading")
            continue
        value, error, truth = np.array(rows).T
        covered = float(np.mean(np.abs(value - truth) <= 1.96 * error))
        shares += [covered] if name != UNJUDGED and len(rows) >= FEW else []
        print(
            f"{step:>6}  {name:<24}{truth.mean():>11.4g}{value.mean():>11.4g}{(value - truth).std():>11.3g}"
            f"{error.mean():>11.3g}{covered:>10.0%}{len(rows) / len(drawn):>8.0%}",
            flush=True,
        )
    return shares


def main() -> int:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    torch.set_num_threads(1)
    torch.manual_seed(0)
    x, y = draw(WHOLE)
    model = nn.Sequential(nn.Linear(12, WIDTH), nn.Tanh(), nn.Linear(WIDTH, CLASSES))
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    print(
        f"{'step':>6}  {'signal':<24}{'exact':>11}{'mean':>11}{'spread':>11}{'its error':>11}{'covered':>10}{'made':>8}"
    )
    shares: list[float] = []
    for step in range(STAGES[-1] + 1):
        if step in STAGES:
            shares += stage(model, x, y, count, step)
        rows = torch.randint(0, WHOLE, (BATCH,))
        optimizer.zero_grad()
        ce(model.train()(x[rows]), y[rows]).backward()
        optimizer.step()
    print(f"\ncovered at least: {min(shares):.0%}, in the mean {np.mean(shares):.1%} (nominal 95 %)")
    return int(min(shares) < LEAST)


if __name__ == "__main__":
    sys.exit(main())
