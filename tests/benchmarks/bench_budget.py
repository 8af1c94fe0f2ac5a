"""What recording takes of a training's time: does the budget hold, and is enough read for it?

``python tests/benchmarks/bench_budget.py --only mlp,gpt --seconds 30`` trains each model in blocks of steps, by turns
recorded and not, in random order within each pair. What the recorder remembers of the clock is moved on while it is
not, so that it knows nothing of it. The share of time is that of all blocks, its 95 % interval from bootstrapped pairs
of blocks: in wall time, and in time of this thread on its processor, which says more on a busy machine. The recorder
itself sees wall time; with ``--cpu`` processor time too, as on an idle machine, and seconds are those. Reading that
clock is a system call, two in each step: a step of a millisecond then looks dearer than it is.

Exits with 1 where an upper end lies above the budget by more than half a point (of processor time with ``--cpu``),
or where the recorder's own figure is further than a third from the measured one and outside its interval.
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
from runopsy.recorder import journal, lane, opening, session, stopwatch
from runopsy.recorder.probes import FAMILIES

BLOCK = 0.05  # s, about: a block is as many steps as take so long; shorter ones show less of what others do meanwhile
SLACK = 0.005  # of time, by which the upper end may lie above the budget
READINGS = 8  # of each signal that can be afforded so often
LOST = 4000  # bootstrap samples
THIRD = 1 / 3  # that the recorder's own figure may differ
CLOCKS = {"wall": time.perf_counter, "processor": time.thread_time}


def on_processor_time() -> None:
    """From here on the recorder takes the time of this thread on its processor for the time."""
    for module in (session, lane, opening, journal, stopwatch):
        module.time = SimpleNamespace(perf_counter=time.thread_time, time=time.time)  # type: ignore[attr-defined]


def move_clock(run: Any, seconds: float) -> None:
    """As if so many seconds had not been: whatever the recorder remembers of the clock is moved on."""
    tools = run._instruments
    moved = (
        (run, ("_began", "_next_own")),
        (run._lane, ("until",)),
        (run._journal, ("_next_check", "_next_try", "quiet_until")),
        (tools, ("_next_late",)),
        (tools._budget, ("_began", "_last", "_replan_at")),
    )
    for owner, names in moved:
        for name in names:
            if getattr(owner, name) is not None:
                setattr(owner, name, getattr(owner, name) + seconds)


def block(training: Training, steps: int, first: int, run: Any) -> None:
    for step in range(first, first + steps):
        loss = training.step()
        if run is not None:
            run.step(step, {"train/loss": loss})
        training.update()


def finished_readings(training: Training, first: int, run: Any) -> int:
    """Train on until no reading waits for the next step: none of its price may fall into the other block."""
    extra = 0
    while run._instruments._owing and extra < 10:
        block(training, 1, first + extra, run)
        extra += 1
    return extra


def compare(
    name: str,
    folder: Path,
    seconds: float,
    budget: float,
    clock: Callable[[], float],
    blocks: float = BLOCK,
    **options: Any,
) -> dict[str, Any]:
    """Train until the recorded blocks have taken so long, on the clock of the recorder."""
    torch.manual_seed(0)
    training = TRAININGS[name]()
    block(training, 20, 0, None)
    begun = clock()
    block(training, 20, 0, None)
    each = (clock() - begun) / 20
    steps = max(1, round(blocks / each))
    given = {"model": training.model, "optimizer": training.optimizer, "budget": budget, **training.given} | options
    opened = clock()
    run = runopsy.record(folder, **given)
    opened = clock() - opened
    took: list[tuple[tuple[float, float], tuple[float, float]]] = []
    first = recorded = 0.0
    order = random.Random(0)
    while recorded < seconds:
        pair: list[tuple[float, float]] = [(0.0, 0.0), (0.0, 0.0)]
        for which in order.sample([0, 1], 2):
            begin = [read() for read in CLOCKS.values()]
            stood = clock()
            block(training, steps, int(first), run if which == 0 else None)
            more = finished_readings(training, int(first) + steps, run) if which == 0 else 0
            spent = [read() - b for read, b in zip(CLOCKS.values(), begin, strict=True)]
            if which:
                move_clock(run, clock() - stood)
            else:
                recorded += clock() - stood
                first += steps + more
            # to the length of a block, whatever the recorded one took longer to finish its readings
            pair[which] = tuple(s / (steps + more) for s in spent)  # type: ignore[assignment]
        took.append((pair[0], pair[1]))
    begun = clock()
    run.finish()
    said = json.loads((folder / "run.json").read_text())
    return {"took": np.array(took), "said": said, "step": each, "steps": int(first), "opened": opened,
            "closed": clock() - begun}  # fmt: skip


def share(took: np.ndarray, draw: np.random.Generator) -> tuple[float, float, float]:
    """Of the time with the recorder, what it has added, and the ends of its 95 % interval; ``took``: (pairs, 2)."""
    rows = draw.integers(0, len(took), (LOST, len(took)))
    sums = took[rows].sum(axis=1)
    shares = 1 - sums[:, 1] / sums[:, 0]
    whole = took.sum(axis=0)
    return 1 - whole[1] / whole[0], *np.quantile(shares, [0.025, 0.975])


def prices(probes: dict[str, Any]) -> dict[str, float]:
    """By signal: s that a reading takes of all that has to be read with it, its family and whose passes that uses."""
    families: dict[str, tuple[float, list[str]]] = {}
    for family in FAMILIES:
        each = [[name for name in probe.units if name in probes] for probe in family.probes]
        own = sum(probes[names[0]]["seconds"] for names in each if names)
        families[family.name] = own + families.get(family.follows, (0.0, []))[0], [n for names in each for n in names]
    return {name: price for price, names in families.values() for name in names}


def judge(name: str, found: dict[str, Any], budget: float, seconds: float, clock: str) -> bool:
    said = found["said"]
    own = said["overhead"]
    shares = {kind: share(found["took"][:, :, i], np.random.default_rng(0)) for i, kind in enumerate(CLOCKS)}
    added, low, high = shares[clock]
    probes = {n: about for n, about in said["signals"].items() if "looks" in about or "seconds" in about}
    limit = budget * seconds / READINGS
    price = prices(probes)
    due = {n: about for n, about in probes.items() if price[n] < limit and not n.endswith("/se")}
    few = {n: about["readings"] for n, about in due.items() if about["readings"] < READINGS}
    never = {n: why for n, why in said["not_recorded"].items() if "give " not in why}
    near = low <= own <= high or abs(own - added) <= THIRD * added
    good = high <= budget + SLACK
    columns = "".join(f"{100 * a:>8.2f} ({100 * lo:5.2f} ..{100 * hi:6.2f})" for a, lo, hi in shares.values())
    least = min((about["readings"] for about in due.values()), default=0)
    print(
        f"{name:<13}{1000 * found['step']:>8.2f}{found['steps']:>8}{columns}{100 * own:>8.2f}{'' if near else '!':<2}"
        f"{1000 * found['opened']:>8.1f}{1000 * found['closed']:>8.1f}  {'kept' if good else 'MISSED':<7}{least:>6}"
        f"{'' if not few else f'   few: {json.dumps(few)}'}", flush=True)  # fmt: skip
    if never:
        print(f"{'':<13}not recorded: {json.dumps(never)[:400]}")
    return good and near


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default=",".join(TRAININGS), help="names, with commas between")
    parser.add_argument("--seconds", type=float, default=30.0, help="of the recorded blocks")
    parser.add_argument("--budget", type=float, default=0.02)
    parser.add_argument("--signals", default="default")
    parser.add_argument("--every", type=int)
    parser.add_argument("--block", type=float, default=BLOCK, help="s, of a block of steps")
    parser.add_argument("--cpu", action="store_true", help="judge by processor time, and let the recorder see that")
    options = parser.parse_args()
    torch.set_num_threads(1)
    kind = "processor" if options.cpu else "wall"
    if options.cpu:
        on_processor_time()
    load = f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, judged by {kind} time"
    asked = f"budget {options.budget:g}, {options.seconds:g} s, signals={options.signals!r}, every={options.every}"
    print(f"{asked}; {load}\n")
    print(f"{'':<13}{'ms a':>8}{'':>8}{'% added, of wall time':>24}{'% of processor time':>24}{'% by':>8}  "
          f"{'ms to':>8}{'ms to':>8}{'':>9}{'fewest':>6}")  # fmt: skip
    print(f"{'training':<13}{'step':>8}{'steps':>8}{'(95 % interval)':>24}{'':>24}{'itself':>8}  "
          f"{'open':>8}{'close':>8}{'':>9}{'read':>6}")  # fmt: skip
    good = True
    with tempfile.TemporaryDirectory() as scratch:
        for name in options.only.split(","):
            further = {"signals": options.signals} | ({"every": options.every} if options.every else {})
            found = compare(
                name, Path(scratch) / name, options.seconds, options.budget, CLOCKS[kind], options.block, **further
            )
            good &= judge(name, found, options.budget, options.seconds, kind)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
