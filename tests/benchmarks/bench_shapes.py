"""What is seen of a curve's shape, by rows and noise: recall where it turns, alarms where it does not.

``python tests/benchmarks/bench_shapes.py [N]``: N logs (10) for each shape and cell. Noise is a share of the curve's
range; half of the logs carry accuracies as well. A shape is seen when the verdict that follows from it is given:
*turns* (validation falls, then rises by 15 to 60 % of its fall): overfit. *two turns*: double_descent. *late rise* (of
accuracy): grokked. Where nothing turns (*falls*: one decay to a floor; *flat*), any other verdict than healthy,
undertrained, underfit or inconclusive is an alarm, and so is any event.
"""

from __future__ import annotations

import multiprocessing
import sys
from collections import Counter
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "measures"))
sys.path.insert(0, str(Path(__file__).parent))

from bench_nulls import QUIET, said
from stories import Array, as_log

import planted
from runopsy.model import Run

ROWS = (8, 16, 32, 64, 128, 1_000)
NOISE = (0.01, 0.03, 0.1)  # of the range
SHAPES = {"turns": "overfit", "two turns": "double_descent", "late rise": "grokked", "falls": "", "flat": ""}
Cell = tuple[str, int, float, int]


def drawn(cell: Cell) -> Run:
    """One log: every row holds all columns, as logs of few rows do."""
    shape, n, sd, seed = cell
    rng = np.random.default_rng([5, list(SHAPES).index(shape), n, round(1000 * sd), seed])
    step = np.arange(n, dtype=float)
    t = step / (n - 1)
    train = 0.02 + 2.2 * np.exp(-t * rng.uniform(6, 10))
    down = np.exp(-t * rng.uniform(8, 12))
    val = 0.2 + 2.0 * down
    acc = 0.96 - 0.86 * down
    if shape == "turns":
        rise = rng.uniform(0.15, 0.6) * np.clip((t - 0.3) / 0.7, 0, None)
        val, acc = val + 2.0 * rise, acc - 0.25 * rise
    elif shape == "two turns":
        bump = rng.uniform(0.4, 0.8) * np.exp(-(((t - 0.45) / 0.12) ** 2))
        val, acc = 0.15 + 0.4 * (1 - planted.sigmoid(t, 0.62, 0.05, 0, 1)) + 1.4 * down + bump, acc - 0.2 * bump
    elif shape == "late rise":
        train = 0.002 + 4 * np.exp(-t * 40)
        acc = planted.sigmoid(t, rng.uniform(0.5, 0.7), 0.03, 0.02, 0.97)
        val = 4.0 + 2 * (1 - np.exp(-t * 20)) - 5.8 * (acc - 0.02)
    elif shape == "flat":
        base = rng.uniform(0.4, 3)
        train, val, acc = np.full(n, base), np.full(n, 1.02 * base), np.full(n, 0.4)
    curves = {"train/loss": _noisy(rng, train, sd), "val/loss": _noisy(rng, val, sd)}
    if seed % 2 or shape == "late rise":
        fit = np.full(n, 0.42) if shape == "flat" else 1 - 0.9 * (train - train[-1]) / max(train[0] - train[-1], 1e-9)
        curves["train/acc"] = np.clip(_noisy(rng, fit, sd / 4), 0, 1)
        curves["val/acc"] = np.clip(_noisy(rng, acc, sd / 2), 0, 1)
    return as_log(step, curves, 1)


def _noisy(rng: np.random.Generator, curve: Array, sd: float) -> Array:
    """Noise of a share of the range (of a flat curve: of its level); on a falling loss it falls with the loss."""
    spread = float(np.ptp(curve)) or float(curve[0])
    scale = spread * (curve / curve.max()) if curve.max() > 1 and np.ptp(curve) > 0 else spread
    return np.maximum(curve + sd * scale * rng.standard_normal(len(curve)), 1e-4)


def seen(cell: Cell) -> tuple[Cell, bool, str]:
    got, _ = said(drawn(cell))
    wanted = SHAPES[cell[0]]
    if wanted:
        return cell, got["verdict"] == wanted, got["verdict"]
    return cell, bool(got["events"]) or got["verdict"] not in QUIET, got["verdict"]


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    cells = [(shape, n, sd, seed) for shape in SHAPES for sd in NOISE for n in ROWS for seed in range(count)]
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        found = pool.map(seen, cells, chunksize=20)
    hits = Counter((shape, sd, n) for (shape, n, sd, _), hit, _ in found if hit)
    print("shape       noise " + "".join(f"{n:>7,}" for n in ROWS) + "   rows")
    for shape, wanted in SHAPES.items():
        for sd in NOISE:
            shares = "".join(f"{hits[shape, sd, n] / count:7.2f}" for n in ROWS)
            print(f"{shape:11s} {100 * sd:3.0f} % {shares}   {'recall' if wanted else 'false alarms'}")
        others = Counter(verdict for (name, *_), hit, verdict in found if name == shape and hit != bool(wanted))
        print(f"    said instead: {', '.join(f'{v} {k}' for v, k in others.most_common(5))}" if others else "")


if __name__ == "__main__":
    main()
