"""What recording takes of a training's time, beside the same training without it: does the budget hold?

``python tests/benchmarks/bench_budget.py --only mlp,gpt --seconds 30`` trains two copies of each model in one process,
by turns in blocks of steps: one is recorded, the other is not. While the other runs, the recorder's clock stands, so
that it knows nothing of it. The share of time is that of all blocks, its 95 % interval from bootstrapped pairs of
blocks. With ``--cpu`` all time, the recorder's too, is that of this thread on its processor: on a busy machine wall
time says more about the others. Exits with 1 where an upper end lies above the budget by more than half a point.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from trainings import TRAININGS, Training

import runopsy
from runopsy.recorder import opening, session, stopwatch

BLOCK = 0.15  # s, about: a block is as many steps as take so long
SLACK = 0.005  # of time, by which the upper end may lie above the budget
READINGS = 8  # of each signal that can be afforded so often
LOST = 2000  # bootstrap samples


class Clock:
    """The recorder's own, which stands while the other copy trains."""

    def __init__(self, source: Callable[[], float]) -> None:
        self.source, self.stood = source, 0.0

    def __call__(self) -> float:
        return self.source() - self.stood

    def install(self) -> None:
        for module in (session, stopwatch, opening):
            module.time = SimpleNamespace(perf_counter=self, time=time.time)  # type: ignore[attr-defined]


def block(training: Training, steps: int, first: int, run: Any) -> None:
    for step in range(first, first + steps):
        loss = training.step()
        if run is not None:
            run.step(step, {"train/loss": loss})
        training.update()


def compare(name: str, folder: Path, seconds: float, budget: float, clock: Clock, **options: Any) -> dict[str, Any]:
    """Train both copies until the recorded one has run so long."""
    copies = []
    for _ in range(2):
        torch.manual_seed(0)
        copies.append(TRAININGS[name]())
    recorded, bare = copies
    block(bare, 20, 0, None)
    begun = clock.source()
    block(bare, 20, 0, None)
    each = (clock.source() - begun) / 20
    block(recorded, 40, 0, None)
    steps = max(1, round(BLOCK / each))
    given = {"model": recorded.model, "optimizer": recorded.optimizer, "budget": budget, **recorded.given} | options
    run = runopsy.record(folder, **given)
    took: list[tuple[float, float]] = []
    first = 0
    order = random.Random(0)
    while sum(a for a, _ in took) < seconds:
        pair = {}
        for which in order.sample([0, 1], 2):
            begun = clock.source()
            block(copies[which], steps, first, run if which == 0 else None)
            pair[which] = clock.source() - begun
            if which:
                clock.stood += pair[which]
        took.append((pair[0], pair[1]))
        first += steps
    run.finish()
    said = json.loads((folder / "run.json").read_text())
    return {"took": np.array(took), "said": said, "step": each, "steps": first}


def share(took: np.ndarray, draw: np.random.Generator) -> tuple[float, float, float]:
    """Of the time with the recorder, what it has added, and the ends of its 95 % interval."""
    rows = draw.integers(0, len(took), (LOST, len(took)))
    sums = took[rows].sum(axis=1)
    shares = 1 - sums[:, 1] / sums[:, 0]
    whole = took.sum(axis=0)
    return 1 - whole[1] / whole[0], *np.quantile(shares, [0.025, 0.975])


def judge(name: str, found: dict[str, Any], budget: float, seconds: float) -> bool:
    added, low, high = share(found["took"], np.random.default_rng(0))
    said = found["said"]
    own = said["overhead"]
    probes = {n: about for n, about in said["signals"].items() if "looks" in about or "seconds" in about}
    limit = budget * seconds / READINGS
    few = {
        n: about["readings"]
        for n, about in probes.items()
        if about["seconds"] < limit and about["readings"] < READINGS and not n.endswith("/se")
    }
    never = {n: why for n, why in said["not_recorded"].items() if "give " not in why}
    good = high <= budget + SLACK
    between = f"{100 * low:>6.2f} .. {100 * high:>5.2f} %"
    print(
        f"{name:<13}{1000 * found['step']:>8.2f}{found['steps']:>8}{100 * added:>8.2f} %  {between}"
        f"{100 * own:>8.2f} %   {'kept' if good else 'MISSED'}   {len(probes)} signals, few: {few or 'none'}"
    )
    if never:
        print(f"{'':<13}not recorded: {json.dumps(never)[:400]}")
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default=",".join(TRAININGS), help="names, with commas between")
    parser.add_argument("--seconds", type=float, default=30.0, help="of the recorded copy")
    parser.add_argument("--budget", type=float, default=0.02)
    parser.add_argument("--signals", default="default")
    parser.add_argument("--every", type=int)
    parser.add_argument("--cpu", action="store_true", help="time of this thread on its processor")
    options = parser.parse_args()
    torch.set_num_threads(1)
    clock = Clock(time.thread_time if options.cpu else time.perf_counter)
    clock.install()
    load = f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, {'processor' if options.cpu else 'wall'} time"
    asked = f"budget {options.budget:g}, {options.seconds:g} s, signals={options.signals!r}, every={options.every}"
    print(f"{asked}; {load}\n")
    print(f"{'training':<13}{'ms/step':>8}{'steps':>8}{'added':>10}  {'95 % interval':<19}{'its own':>8}")
    good = True
    with tempfile.TemporaryDirectory() as scratch:
        for name in options.only.split(","):
            further = {"signals": options.signals} | ({"every": options.every} if options.every else {})
            found = compare(name, Path(scratch) / name, options.seconds, options.budget, clock, **further)
            good &= judge(name, found, options.budget, options.seconds)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
