"""What the test of widths finds on trainings with canaries: how widely clean examples and canaries are learnt.

Digits of 8 x 8 pixels (sklearn's), of 1 200 training examples 100 canaries whose labels are false, a perceptron and a
convnet, several seeds, trained until the canaries are learnt too. Recorded: every training example of a sample of 500,
all canaries, and the 597 held-out digits. Printed: the widths in decades of elapsed steps, their difference with its
90 % interval, and the permutation test. A width is given where four in five were learnt.

``python tests/benchmarks/bench_widths_real.py [SEEDS]``; about four minutes of one core for four seeds.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from bench_mislabelled import network
from torch.utils.data import TensorDataset

import runopsy
from runopsy.examples import watched_examples
from runopsy.model import WatchedExamples

TRAINED, WATCHED, CANARIES, BATCH = 1200, 500, 100, 64
STEPS = {"perceptron": 4000, "convnet": 2000}
GROWTH = 1.1  # between readings: 24 per decade, so that a width of .1 decades is no rounding of theirs
SURE = 0.05


def watched(name: str, seed: int, folder: Path) -> WatchedExamples:
    """The examples of one training."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    rows = np.random.default_rng(seed).permutation(len(digits.target))
    x, y = torch.tensor(digits.data[rows] / 16, dtype=torch.float32), torch.tensor(digits.target[rows])
    data = runopsy.Canaries(TensorDataset(x[:TRAINED], y[:TRAINED]), classes=10, count=CANARIES, seed=seed)
    clean = [i for i in range(TRAINED) if i not in set(data.indices)][:WATCHED]
    labels = torch.tensor([int(data[i][1]) for i in range(TRAINED)])  # as they are trained on, canaries included
    torch.manual_seed(seed)
    model = network(name)
    optimizer, loss_fn = torch.optim.Adam(model.parameters(), lr=1e-3), torch.nn.CrossEntropyLoss()
    steps = STEPS[name]
    with runopsy.record(
        folder, model=model, optimizer=optimizer, loss_fn=loss_fn, probe=(x[clean], y[clean]),
        heldout=(x[TRAINED:], y[TRAINED:]), canaries=data, signals=["examples/forgetting", "canary/acc"],
        every=sorted({round(GROWTH**k) for k in range(200) if GROWTH**k < steps} | {0, steps - 1}), budget=None,
    ) as run:  # fmt: skip
        for step in range(steps):
            batch = torch.randint(0, TRAINED, (BATCH,))
            loss = loss_fn(model(x[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            run.step(step, {"train/loss": loss})
            optimizer.step()
    found = watched_examples(runopsy.read(folder).examples)
    assert found is not None  # as a probe was given
    return found


def main() -> None:
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 4
    torch.set_num_threads(1)
    print(f"{'network':12}{'seed':>5}{'training':>10}{'other':>7}  {'beside':10}{'difference':>11}{'90 %':>16}{'p':>8}")
    decided: Counter[tuple[str, str, str]] = Counter()
    with tempfile.TemporaryDirectory() as room:
        for name in STEPS:
            for seed in range(seeds):
                found = watched(name, seed, Path(room) / f"{name}-{seed}")
                widths = {group.name: group for group in found.groups}
                for group in found.groups:
                    if group.why:
                        print(f"{name:12}{seed:5}  {group.name}: {group.why}")
                for test in found.widths:
                    low, high = test.interval
                    way = "wider" if test.difference > 0 else "narrower"
                    decided[name, test.b, way if test.p <= SURE else "not decided"] += 1
                    print(f"{name:12}{seed:5}{widths[test.a].width:10.3f}{widths[test.b].width:7.3f}  {test.b:10}"
                          f"{test.difference:11.3f}{f'{low:.3f} – {high:.3f}':>16}{test.p:8.3f}")  # fmt: skip
    for (name, other, way), count in sorted(decided.items()):
        print(f"{name}: training beside {other}: {way} in {count} of {seeds}")


if __name__ == "__main__":
    main()
