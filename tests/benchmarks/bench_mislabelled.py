"""Labels that were flipped, found again: average precision of runopsy's ranking, beside the loss and cleanlab.

Digits of 8 x 8 pixels with 5, 10 and 20 % of their labels replaced at random, a perceptron and a convnet, trained to
the end with the recorder watching every training example. Of each run:

- ``runopsy``: the ranking of ``runopsy examples``, from its mean margins;
- ``loss``: the loss of each example at the end;
- ``cleanlab``: its label quality scores from the probabilities that the same model gives at the end;
- ``cleanlab cv``: the same from probabilities that five further models give for the fifth they were not trained on,
  each stopped where training the first had fitted nine in ten.

And what of the labels that runopsy names are flipped (precision), how many of the flipped it names (recall), and how
many it names where none is flipped. ``python tests/benchmarks/bench_mislabelled.py [SEEDS]``; about four minutes.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import nn

import runopsy
from runopsy.examples.suspects import NAMED

SHARES = (0.0, 0.05, 0.10, 0.20)
STEPS = {"perceptron": 3000, "convnet": 900}
EXAMPLES = {"perceptron": 1000, "convnet": 600}
CV_STEPS = {"perceptron": 200, "convnet": 200}
FOLDS, BATCH, READINGS = 5, 64, 100


def network(name: str) -> nn.Module:
    if name == "perceptron":
        return nn.Sequential(nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10))
    return nn.Sequential(
        nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(1024, 128), nn.ReLU(), nn.Linear(128, 10),
    )  # fmt: skip


def data(examples: int, share: float, seed: int) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
    from sklearn.datasets import load_digits

    digits = load_digits()
    draw = np.random.default_rng(seed)
    rows = draw.permutation(len(digits.target))[:examples]
    labels = digits.target[rows].copy()
    flipped = np.zeros(examples, dtype=bool)
    flipped[draw.permutation(examples)[: round(share * examples)]] = True
    labels[flipped] = (labels[flipped] + draw.integers(1, 10, flipped.sum())) % 10
    return torch.tensor(digits.data[rows] / 16, dtype=torch.float32), torch.tensor(labels), flipped


def trained(name: str, x: torch.Tensor, y: torch.Tensor, steps: int, seed: int, folder: Path | None) -> nn.Module:
    torch.manual_seed(seed)
    model = network(name)
    optimizer, loss_fn = torch.optim.Adam(model.parameters(), lr=1e-3), nn.CrossEntropyLoss()
    early = [round(1.25**k) for k in range(60) if 1.25**k < steps]
    asked = sorted({*early, *range(0, steps, max(1, steps // READINGS))})
    signals = ["examples/forgetting"]
    watching = None
    if folder is not None:
        watching = runopsy.record(folder, model=model, optimizer=optimizer, loss_fn=loss_fn, probe=(x, y),
                                  signals=signals, every=asked, budget=None)  # fmt: skip
    for step in range(steps):
        rows = torch.randint(0, len(x), (BATCH,))
        loss = loss_fn(model(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        if watching is not None:
            watching.step(step, {"train/loss": loss})
        optimizer.step()
    if watching is not None:
        watching.finish()
    return model


@torch.no_grad()
def probabilities(model: nn.Module, x: torch.Tensor) -> np.ndarray:
    return model.eval()(x).double().softmax(dim=1).numpy()


def cross_validated(name: str, x: torch.Tensor, y: torch.Tensor, seed: int) -> np.ndarray:
    fold = np.random.default_rng(seed).permutation(len(x)) % FOLDS
    found = np.zeros((len(x), 10))
    for k in range(FOLDS):
        out = torch.tensor(fold == k)
        found[out.numpy()] = probabilities(trained(name, x[~out], y[~out], CV_STEPS[name], seed + k, None), x[out])
    return found


def compared(name: str, share: float, seed: int, folder: Path) -> dict[str, float]:
    from cleanlab.rank import get_label_quality_scores
    from sklearn.metrics import average_precision_score as precision

    x, y, flipped = data(EXAMPLES[name], share, seed)
    last = probabilities(trained(name, x, y, STEPS[name], seed, folder), x)
    probe = runopsy.read(folder).examples["probe"]
    named = probe.margin < NAMED
    found = {"named": float(named.sum()), "fitted": float((last.argmax(1) == y.numpy()).mean())}
    if share:
        own = last[np.arange(len(y)), y.numpy()]
        found |= {
            "runopsy": precision(flipped, -probe.margin),
            "loss": precision(flipped, -np.log(np.maximum(own, 1e-300))),
            "cleanlab": precision(flipped, 1 - get_label_quality_scores(y.numpy(), last)),
            "cleanlab cv": precision(
                flipped, 1 - get_label_quality_scores(y.numpy(), cross_validated(name, x, y, seed))
            ),
            "precision": float(flipped[named].mean()) if named.any() else float("nan"),
            "recall": float(named[flipped].mean()),
        }
    return found


def main() -> None:
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 2
    torch.set_num_threads(1)
    columns = ("fitted", "runopsy", "loss", "cleanlab", "cleanlab cv", "named", "precision", "recall")
    print(f"means over {seeds} seeds\n{'network':12}{'flipped':>8}" + "".join(f"{column:>13}" for column in columns))
    with tempfile.TemporaryDirectory() as room:
        for name in STEPS:
            for share in SHARES:
                rows = [compared(name, share, seed, Path(room) / f"{name}-{share}-{seed}") for seed in range(seeds)]
                means = (np.mean([row.get(column, np.nan) for row in rows]) for column in columns)
                print(f"{name:12}{share:8.0%}" + "".join(f"{mean:13.3f}" for mean in means), flush=True)


if __name__ == "__main__":
    main()
