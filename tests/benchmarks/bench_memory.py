"""Whether recording everything grows: python tests/benchmarks/bench_memory.py [STEPS]

A small model is trained with every signal read at every 20th of 20 000 steps, without a budget, and the resident
memory of the process is printed along the way. It exits with 1 where it has grown by more than 2 %.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

import torch
from torch import nn

import runopsy

EVERY, GROWTH = 20, 1.02
PAGE = os.sysconf("SC_PAGE_SIZE")


def resident() -> float:
    """MB of this process in memory; Linux."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * PAGE / 1e6


def main() -> int:
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(16, 32), nn.Tanh(), nn.Linear(32, 4))
    optimizer, loss_fn = torch.optim.Adam(model.parameters()), nn.functional.cross_entropy
    x, y = torch.randn(64, 16), torch.randint(4, (64,))
    marks = {steps * k // 10 for k in range(1, 11)}  # the first tenth warms up
    seen = []
    with (
        tempfile.TemporaryDirectory() as folder,
        runopsy.record(
            Path(folder) / "run",
            model=model,
            optimizer=optimizer,
            loss_fn=loss_fn,
            probe=(x, y),
            heldout=(x, y),
            signals="full",
            every=EVERY,
            budget=None,
        ) as run,
    ):
        for step in range(steps + 1):
            loss = loss_fn(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            run.step(step, {"train/loss": loss})
            optimizer.step()
            if step in marks:
                seen.append(resident())
                print(f"step {step:7,}  {seen[-1]:8.1f} MB resident", flush=True)
    grown = max(seen) / seen[0]
    print(f"grown to {grown:.4f} x (limit {GROWTH})")
    return int(grown > GROWTH)


if __name__ == "__main__":
    sys.exit(main())
