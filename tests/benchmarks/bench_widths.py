"""What the test of widths is worth: how often it rejects where two groups are alike, and how often its interval holds.

Pairs of groups whose difficulties have the same shape and width at different places (Gaussian, exponential, heavy
tails, two humps; also rounded up to the readings of a recorder), and pairs of unequal widths for the interval.
``python tests/benchmarks/bench_widths.py [PAIRS]``; about two minutes.
"""

from __future__ import annotations

import sys

import numpy as np

from runopsy.examples.widths import compare, decades

SIZES = ((500, 100), (500, 32), (100, 100))
GRID = np.unique(np.concatenate([[0], np.round(1.25 ** np.arange(45)), np.arange(0, 30000, 100)]))


def humps(draw: np.random.Generator, n: int) -> np.ndarray:
    return np.where(draw.random(n) < 0.8, draw.normal(-0.3, 0.2, n), draw.normal(0.9, 0.2, n))


SHAPES = {
    "gaussian": lambda draw, n: draw.normal(0, 0.4, n),
    "exponential": lambda draw, n: draw.exponential(0.4, n),
    "heavy tails": lambda draw, n: 0.3 * draw.standard_t(4, n),
    "two humps": humps,
}


def read_at(difficulty: np.ndarray) -> np.ndarray:
    """As a recorder sees it: at the first reading from then on."""
    steps = 10**difficulty
    return decades(GRID[np.minimum(np.searchsorted(GRID, steps), len(GRID) - 1)], 0.0)


def width_of(shape: str, factor: float) -> float:
    values = factor * SHAPES[shape](np.random.default_rng(0), 1_000_000)
    return float(np.abs(values - np.median(values)).mean())


def main() -> None:
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    draw = np.random.default_rng(1)
    print(f"{'shape':14}{'examples':>12}{'size at .05':>14}{'read':>8}{'interval holds':>17}")
    sizes, held = [], []
    for shape, draws in SHAPES.items():
        for n, m in SIZES:
            alike = [compare("a", 2 + draws(draw, n), "b", 2.7 + draws(draw, m), seed) for seed in range(pairs)]
            read = [compare("a", read_at(2.2 + draws(draw, n)), "b", read_at(2.7 + draws(draw, m)), seed)
                    for seed in range(pairs)]  # fmt: skip
            truth = width_of(shape, 1.0) - width_of(shape, 0.5)
            unlike = [compare("a", 2 + draws(draw, n), "b", 2.7 + 0.5 * draws(draw, m), seed) for seed in range(pairs)]
            size, on_grid = (np.mean([test.p <= 0.05 for test in tests]) for tests in (alike, read))
            covers = np.mean([test.interval[0] <= truth <= test.interval[1] for test in unlike])
            sizes += [size, on_grid]
            held.append(covers)
            print(f"{shape:14}{f'{n} + {m}':>12}{size:14.3f}{on_grid:8.3f}{covers:17.3f}", flush=True)
    print(f"{'mean':26}{np.mean(sizes[::2]):14.3f}{np.mean(sizes[1::2]):8.3f}{np.mean(held):17.3f}")


if __name__ == "__main__":
    main()
