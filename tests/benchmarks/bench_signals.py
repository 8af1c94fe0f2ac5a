"""What each signal costs: a transformer of ten million parameters and a convnet, beside TensorBoard's scalars.

``python tests/benchmarks/bench_signals.py`` prints two tables a model and exits with 1 where a target is missed.
Every logger is called in every step, in shuffled order, and the time inside its calls is what counts: so
they share the noise of a busy machine. Time is that of this thread on its processor, which is wall time on an
idle machine, for all computing is on one thread; the share of wall time stands beside it.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import runopsy

BUDGET, FULL_EVERY, FULL_AT_MOST = 0.02, 100, 0.08
CLASSES, TOKENS, LENGTH = 10, 96, 32


class Language(nn.Module):
    """Guesses the next token at each position, from those before."""

    def __init__(self, width: int = 384, depth: int = 6) -> None:
        super().__init__()
        self.embed, self.place = nn.Embedding(TOKENS, width), nn.Parameter(torch.zeros(LENGTH, width))
        layer = nn.TransformerEncoderLayer(width, 6, 4 * width, dropout=0.0, batch_first=True, norm_first=True)
        self.blocks = nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)
        self.head = nn.Linear(width, TOKENS)
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(LENGTH))

    def forward(self, x: Tensor) -> Tensor:
        seen = self.blocks(self.embed(x) + self.place, mask=self.mask, is_causal=True)
        return self.head(seen).mT  # classes second, as cross_entropy wants them


def convnet() -> nn.Module:
    def block(a: int, b: int) -> list[nn.Module]:
        return [nn.Conv2d(a, b, 3, stride=2, padding=1), nn.BatchNorm2d(b), nn.ReLU()]

    return nn.Sequential(
        *block(3, 32), *block(32, 64), *block(64, 128), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, CLASSES)
    )


def sentences(n: int) -> tuple[Tensor, Tensor]:
    """Each token is the sum of the two before it, but one in ten is random."""
    x = torch.randint(0, TOKENS, (n, LENGTH + 1))
    noise = torch.rand(n, LENGTH + 1) < 0.1
    for i in range(2, LENGTH + 1):
        x[:, i] = torch.where(noise[:, i], x[:, i], (x[:, i - 1] + x[:, i - 2]) % TOKENS)
    return x[:, :-1], x[:, 1:]


def pictures(n: int) -> tuple[Tensor, Tensor]:
    """The class is where the bright stripe is; random labels would have no curvature worth the name."""
    y = torch.randint(0, CLASSES, (n,))
    x = torch.randn(n, 3, 32, 32)
    for i, stripe in enumerate(y.tolist()):
        x[i, :, 3 * stripe : 3 * stripe + 3] += 1
    return x, y


@dataclass(frozen=True)
class Case:
    """A model, how many examples it trains and is probed on, and how many steps a run of it takes.

    A run has a thousand steps at least, as the budget takes it to have: what is paid once is spread over these.
    """

    name: str
    make: Callable[[], nn.Module]
    draw: Callable[[int], tuple[Tensor, Tensor]]
    batch: int
    probe: int
    steps: int


CASES = (
    Case("transformer", Language, sentences, 16, 32, 1000),
    Case("convnet", convnet, pictures, 128, 256, 1000),
)


class TensorBoard:
    """Five scalars a step, each brought to the host as its users do."""

    def __init__(self, folder: Path) -> None:
        from torch.utils.tensorboard import (
            SummaryWriter,
        )  # beside which ours are measured; left out where it is missing

        self._writer = SummaryWriter(str(folder))

    def step(self, step: int, values: dict[str, Tensor]) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value.item(), step)

    def finish(self) -> None:
        self._writer.close()


@dataclass
class Outcome:
    """Of one training: seconds in all, in each logger's calls, and what each signal took."""

    steps: int
    seconds: float
    inside: dict[str, float]
    wall: dict[str, float]  # share of wall time inside each logger's calls
    step_wall: float  # s of wall time that a step took without them
    signals: dict[str, dict[str, Any]]
    left_out: dict[str, str]

    @property
    def step_time(self) -> float:
        return (self.seconds - sum(self.inside.values())) / self.steps

    def share(self, name: str) -> float:
        """Of the time that the training would have taken with this logger alone."""
        return self.inside[name] / (self.step_time * self.steps + self.inside[name])


def train(case: Case, folder: Path, steps: int, wanted: dict[str, dict[str, Any]], board: bool) -> Outcome:
    """Train once, with TensorBoard and a recording for each of ``wanted`` side by side."""
    torch.manual_seed(0)
    model = case.make()
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4)
    loss_fn = nn.CrossEntropyLoss()
    side = {name: case.draw(case.probe) for name in ("probe", "heldout")}
    board = board and find_spec("tensorboard") is not None
    loggers: dict[str, Any] = {"tensorboard": TensorBoard(folder / "board")} if board else {}
    spent: dict[str, float] = defaultdict(float)
    waited: dict[str, float] = defaultdict(float)
    began, began_wall = time.thread_time(), time.perf_counter()
    for name, options in wanted.items():
        started = time.thread_time()
        given = {"model": model, "optimizer": optimizer, "loss_fn": loss_fn, **side} | options
        loggers[name] = runopsy.record(folder / name, **given)
        spent[name] += time.thread_time() - started
    for step in range(steps):
        x, y = case.draw(case.batch)
        logits = model(x)
        loss = loss_fn(logits, y)
        optimizer.zero_grad()
        loss.backward()
        values = {"train/loss": loss, "train/acc": (logits.argmax(dim=1) == y).float().mean()}
        values |= {name: loss.detach() * i for i, name in enumerate(("a", "b", "c"))}
        for name in random.sample(sorted(loggers), len(loggers)):
            started, started_wall = time.thread_time(), time.perf_counter()
            loggers[name].step(step, values)
            spent[name] += time.thread_time() - started
            waited[name] += time.perf_counter() - started_wall
        optimizer.step()
    seconds, wall = time.thread_time() - began, time.perf_counter() - began_wall
    for logger in loggers.values():
        logger.finish()
    said = {name: json.loads((folder / name / "run.json").read_text()) for name in wanted}
    last = said[list(wanted)[-1]]
    shares = {name: took / wall for name, took in waited.items()}
    step_wall = (wall - sum(waited.values())) / steps
    return Outcome(steps, seconds, dict(spent), shares, step_wall, last["signals"], last["not_recorded"])


def show_signals(outcome: Outcome) -> None:
    """What a reading of each probe takes, in milliseconds and in training steps."""
    wall = f"{1000 * outcome.step_wall:.1f} ms of wall time"
    print(f"  a training step takes {1000 * outcome.step_time:.1f} ms ({wall})\n")
    print(f"  {'signals of one probe':<58}{'ms':>9}{'steps':>8}{'% at every 100th':>18}{'readings':>10}")
    probes: dict[tuple[float, int], list[str]] = defaultdict(list)
    for name, about in outcome.signals.items():
        if "seconds" in about:
            probes[about["seconds"], about["readings"]].append(name)
    for (seconds, readings), names in sorted(probes.items(), reverse=True):
        steps = seconds / outcome.step_wall  # the recorder's own stopwatch is wall time
        print(f"  {', '.join(names)[:56]:<58}{1000 * seconds:>9.2f}{steps:>8.2f}{steps:>18.2f}{readings:>10}")
    for name, why in outcome.left_out.items():
        print(f"  {name}: {why}")


def run(case: Case, folder: Path, quick: bool) -> bool:
    steps = case.steps // (20 if quick else 1)
    parameters = sum(p.numel() for p in case.make().parameters())
    print(f"\n{case.name}: {parameters / 1e6:.2f} M parameters, batch {case.batch}, probe batch {case.probe}")
    full = train(
        case, folder / "full", steps, {"full": {"signals": "full", "every": FULL_EVERY, "budget": None}}, False
    )
    show_signals(full)
    kept = train(
        case,
        folder / "budget",
        steps,
        {"scalars": {"signals": "scalars"}, "default": {"signals": "default", "budget": BUDGET}},
        True,
    )
    print(f"\n  {'logger':<34}{'steps':>7}{'µs a step':>11}{'% of time':>11}{'% of wall time':>16}")
    rows = [("tensorboard, 5 scalars", kept, "tensorboard")] if "tensorboard" in kept.inside else []
    rows += [('signals="scalars"', kept, "scalars")]
    rows += [('signals="default", budget=0.02', kept, "default"), ('signals="full", every=100', full, "full")]
    for text, outcome, name in rows:
        each = 1e6 * outcome.inside[name] / outcome.steps
        shares = f"{100 * outcome.share(name):>11.2f}{100 * outcome.wall[name]:>16.2f}"
        print(f"  {text:<34}{outcome.steps:>7}{each:>11.1f}{shares}")
    print()
    good = True
    for text, found, limit in (
        ("default at budget=0.02", kept.share("default"), BUDGET),
        ("full at every=100", full.share("full"), FULL_AT_MOST),
    ):
        good &= found <= limit
        print(f"  {'kept  ' if found <= limit else 'MISSED'}  {text}: {found:.2%} of the time, at most {limit:.0%}")
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", choices=[case.name for case in CASES])
    parser.add_argument("--quick", action="store_true", help="a twentieth of the steps: too few for the budget to hold")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as scratch:
        cases = [case for case in CASES if options.case in (None, case.name)]
        kept = [run(case, Path(scratch) / case.name, options.quick) for case in cases]  # all of them, also after a miss
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
