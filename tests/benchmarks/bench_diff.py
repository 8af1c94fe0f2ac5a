"""How often a diff cries wolf, and how soon it sees: python tests/benchmarks/bench_diff.py [N]

Pairs of runs that share every curve and differ by their noise alone (N of them, default 1000), and pairs
of which B parts from A at a known step. Noise is Gaussian, heavy-tailed, autocorrelated, growing along the
run or rounded; logs have 20 to 30 000 rows, of which the second may keep every third only.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parent))

from bench_segments import noise, smooth

import planted
from runopsy.autopsy import analyze
from runopsy.comparison import diff
from runopsy.comparison.alignment import Alignment
from runopsy.comparison.seeds import Splits
from runopsy.comparison.separation import separations
from runopsy.model import Autopsy, Change, Outcome, Run, Signal, Verdict

Array = NDArray[np.float64]
LENGTHS = (20, 60, 200, 1_000, 5_000, 30_000)
NOISES = (
    ("gauss", 0.0),
    ("gauss", 0.5),
    ("gauss", 0.8),
    ("gauss", 0.95),
    ("t3", 0.0),
    ("growing", 0.0),
    ("growing", 0.8),
)


def shell(signals: dict[str, tuple[Array, Array]]) -> Autopsy:
    """An autopsy of which only the signals matter."""
    run = Run("planted", "planted", "step", {})
    told = {name: Signal(name, name, step, value) for name, (step, value) in signals.items()}
    first, last = min(s[0][0] for s in signals.values()), max(s[0][-1] for s in signals.values())
    return Autopsy(run, "step", first, last, (), told, {}, (), (), (), Verdict("", ""), None, {}, ())


def parted(*runs: Autopsy, split: int = 1):
    axis = Alignment("step", tuple(np.asarray for _ in runs))
    return [p.separation for p in separations(runs, Splits.of(split, len(runs) - split), axis)]


def null(rng: np.random.Generator, n: int, kind: str, phi: float, runs: int = 2) -> list[Autopsy]:
    """Runs of one loss and one accuracy that differ by noise alone."""
    loss, sd = smooth(rng, n)[1], 10 ** rng.uniform(-2.5, -0.5)
    acc = np.clip(1 - loss / loss[0], 0, 1)
    every = 3 if n >= 200 and rng.random() < 0.3 else 1
    out = []
    for k in range(runs):
        step = np.arange(n, dtype=float)[:: every if k else 1]
        rows = step.astype(int)
        noisy = loss[rows] * np.exp(noise(rng, len(rows), kind, phi, sd))
        rounded = np.clip(np.round((acc[rows] + noise(rng, len(rows), kind, phi, 0.01)) * 500) / 500, 0, 1)
        out.append(shell({"train/loss": (step, noisy), "val/acc": (step, rounded)}))
    return out


def false_partings(count: int) -> None:
    found: dict[tuple[str, str], list[int]] = defaultdict(list)
    for i in range(count):
        rng = np.random.default_rng(i)
        n, (kind, phi) = int(rng.choice(LENGTHS)), NOISES[i % len(NOISES)]
        for s in parted(*null(rng, n, kind, phi)):
            said = int(s.outcome is Outcome.FOUND)
            for key in (("all", s.signal), (f"{kind} {phi}", s.signal), (f"{n:>6} rows", s.signal)):
                found[key].append(said)
    print(f"parted although nothing but noise differs, {count} pairs of runs")
    for (what, signal), said in sorted(found.items()):
        print(f"  {what:14} {signal:12} {100 * np.mean(said):5.1f} %  of {len(said)}")


def false_among_seeds(count: int) -> None:
    """Three runs against three: each with its own smooth wandering, as seeds have."""
    hits, asked = 0, 0
    for i in range(count):
        rng = np.random.default_rng(10_000 + i)
        n = 300
        step, loss = np.arange(n, dtype=float), smooth(rng, n)[1]
        wander = [0.1 * np.interp(step, np.linspace(0, n, 8), rng.standard_normal(8)) for _ in range(6)]
        runs = [shell({"train/loss": (step, loss * np.exp(w + 0.02 * rng.standard_normal(n)))}) for w in wander]
        hits += parted(*runs, split=3)[0].outcome is Outcome.FOUND
        asked += 1
    print(f"three runs against three of the same seeds' noise: parted in {100 * hits / asked:.1f} % (10 % is meant)")


def false_moves(count: int) -> None:
    """Whole diffs of planted grokking runs that differ by their noise alone."""
    moved, asked, words = defaultdict(int), 0, defaultdict(int)
    for i in range(count):
        c = diff(analyze(planted.grokking(seed=10 * i)), analyze(planted.grokking(seed=10 * i + 5)))
        words[c.outcome] += 1
        asked += 1
        for d in (*c.phases, *c.events, *c.values, *c.cost):
            moved[f"{d.kind} {d.what}"] += d.change is Change.REAL
    print(f"diffs of {asked} pairs of planted runs, noise alone: {dict(words)}")
    print("  rows beyond the intervals:", {k: v for k, v in moved.items() if v} or "none")


def seen(count: int) -> None:
    """B leaves A at a known row, by a given number of standard deviations of one row."""
    print("rows after the parting until it is seen, median; share never seen, share seen too early")
    for shift in (0.5, 1.0, 2.0, 5.0):
        late, early, missed = [], 0, 0
        for i in range(count):
            rng = np.random.default_rng(20_000 + i)
            n, at = 2_000, 1_000
            step, loss = np.arange(n, dtype=float), smooth(rng, n)[1]
            a, b = (loss * np.exp(noise(rng, n, "gauss", 0.0, 0.05)) for _ in range(2))
            b[at:] *= np.exp(0.05 * shift)
            s = parted(shell({"train/loss": (step, a)}), shell({"train/loss": (step, b)}))[0]
            if s.outcome is not Outcome.FOUND:
                missed += 1
            elif s.step < at:
                early += 1
            else:
                late.append(s.step - at)
        middle = f"{np.median(late):.0f}" if late else "-"
        print(f"  {shift} sd: {middle:>5} rows   never {missed / count:.0%}   early {early / count:.1%}")


if __name__ == "__main__":
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    false_partings(n)
    false_among_seeds(max(n // 5, 20))
    false_moves(max(n // 20, 10))
    seen(max(n // 20, 10))
