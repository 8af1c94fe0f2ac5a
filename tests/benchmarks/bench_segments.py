"""How often the examination cries wolf, and how often it misses: python tests/benchmarks/bench_segments.py [N]

Null curves are smooth decays that a reader calls one passage (underfitting, feature learning, converged)
with no event in it; positives carry one planted story each. N curves of either kind (default 600).
"""

from __future__ import annotations

import sys
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1]))

import planted
import runopsy
from runopsy.model import Run, Track

Array = NDArray[np.float64]
LENGTHS = (300, 1_000, 3_000, 10_000, 30_000, 100_000, 1_000_000)
SHARE = (0.15, 0.2, 0.25, 0.2, 0.1, 0.08, 0.02)
PASSAGE = ("underfitting", "feature_learning", "converged")


def noise(rng: np.random.Generator, n: int, kind: str, phi: float, sd: float) -> Array:
    """Log-scale noise of marginal standard deviation sd: Gaussian, Student t3, or growing sixfold; AR(1)."""
    white = rng.standard_t(3, n) / np.sqrt(3) if kind == "t3" else rng.standard_normal(n)
    if phi:
        from scipy.signal import lfilter

        white = lfilter([np.sqrt(1 - phi**2)], [1, -phi], white)
    grown = np.geomspace(1 / 6, 1, n) if kind == "growing" else 1.0
    return sd * grown * white


def smooth(rng: np.random.Generator, n: int) -> tuple[str, Array]:
    """A decay from start to floor over n steps, of one of four families."""
    t = np.arange(n) / n
    start, floor = rng.uniform(1, 10), 10 ** rng.uniform(-2, 0)
    floor = min(floor, 0.6 * start)
    family = rng.choice(["power", "exponential", "stretched", "two"])
    scale = 10 ** rng.uniform(-2.5, -0.7)
    if family == "power":
        shape = (1 + t / scale) ** -rng.uniform(0.3, 1.5)
    elif family == "exponential":
        shape = np.exp(-t / scale)
    elif family == "stretched":
        shape = np.exp(-((t / scale) ** rng.uniform(0.3, 0.9)))
    else:
        share = rng.uniform(0.3, 0.7)
        shape = share * np.exp(-t / scale) + (1 - share) * (1 + t / (scale * 5)) ** -rng.uniform(0.3, 1.0)
    return str(family), floor + (start - floor) * shape


def as_log(step: Array, curves: dict[str, Array], every: int, rng: np.random.Generator) -> Run:
    """Training on every row, validation on every ``every``-th."""
    tracks = {}
    for name, value in curves.items():
        rows = slice(None, None, every if name.startswith("val") else 1)
        tracks[name] = Track(name, step[rows], value[rows])
    return Run("planted", "planted", "step", tracks)


def null(seed: int) -> tuple[str, Run]:
    rng = np.random.default_rng([1, seed])
    n = int(rng.choice(LENGTHS, p=SHARE))
    family, curve = smooth(rng, n)
    kind = str(rng.choice(["gauss", "gauss", "t3", "growing"]))
    phi = float(rng.choice([0, 0, 0.5, 0.9, 0.99]))
    phi = 0.0 if kind == "t3" else phi  # a hard batch is one row; a tenfold shock that dies away slowly is a spike
    sd = float(rng.choice([0.01, 0.03, 0.1]))
    every = max(1, n // int(rng.choice([50, 100, 300])))
    step = np.arange(n, dtype=float)
    train = curve * np.exp(noise(rng, n, kind, phi, sd))
    val = curve * (1 + rng.uniform(0, 0.02)) * np.exp(noise(rng, n, "gauss", 0, sd / 4))
    run = as_log(step, {"train/loss": train, "val/loss": val}, every, rng)
    return f"{family} {kind} phi={phi} sd={sd} n={n}", run


@dataclass(frozen=True)
class Story:
    """A run and the events that are in it: (kind, step)."""

    name: str
    run: Run
    events: tuple[tuple[str, float], ...]


def positive(seed: int) -> Story:
    rng = np.random.default_rng([2, seed])
    kind = str(rng.choice(["grokking", "descent", "onset", "drop", "rates", "divergence", "spike"]))
    n = int(rng.choice([1_000, 3_000, 10_000, 30_000]))
    step = np.arange(n, dtype=float)
    sd, phi = float(rng.choice([0.03, 0.1])), float(rng.choice([0, 0.5, 0.9]))
    every = max(1, n // int(rng.choice([100, 300])))
    return STORIES[kind](rng, step, sd, phi, every)


def _noisy(rng: np.random.Generator, curve: Array, sd: float, phi: float) -> Array:
    return curve * np.exp(noise(rng, len(curve), "gauss", phi, sd))


def _grokking(rng: np.random.Generator, step: Array, sd: float, phi: float, every: int) -> Story:
    n = len(step)
    fit, half = n * rng.uniform(0.01, 0.04), n * rng.uniform(0.2, 0.6)
    width = half * rng.uniform(0.03, 0.3) / 4
    acc = planted.sigmoid(step, half, width, 0.02, rng.uniform(0.7, 1.0))
    curves = {
        "train/loss": _noisy(rng, 1e-3 + 4 * np.exp(-step / (fit / 3)), sd, phi),
        "train/acc": np.clip(planted.sigmoid(step, fit / 2, fit / 10, 0, 1), 0, 1),
        "val/loss": _noisy(
            rng, 4 + planted.sigmoid(step, fit, fit / 3, 0, 3) - planted.sigmoid(step, half, width, 0, 6.5), sd / 4, 0
        ),
        "val/acc": np.clip(acc + 0.01 * rng.standard_normal(n), 0, 1),
    }
    return Story("grokking", as_log(step, curves, every, rng), (("grokking", half),))


def _descent(rng: np.random.Generator, step: Array, sd: float, phi: float, every: int) -> Story:
    n = len(step)
    peak = n * rng.uniform(0.1, 0.3)
    u = np.log((step + 1) / (peak + 1))
    val = (
        1
        + rng.uniform(0.3, 1) * np.exp(-(u**2) / 0.3)
        + 1.2 * planted.sigmoid(-u, 2.3, 0.2, 0, 1)
        - 0.3 * planted.sigmoid(u, 0.8, 0.2, 0, 1)
    )
    curves = {
        "train/loss": _noisy(rng, 0.02 + 2 / (1 + step / (n / 100)), sd, phi),
        "val/loss": _noisy(rng, val, sd / 4, 0),
    }
    return Story("descent", as_log(step, curves, every, rng), (("double_descent_peak", peak),))


def _onset(rng: np.random.Generator, step: Array, sd: float, phi: float, every: int) -> Story:
    n = len(step)
    turn = n * rng.uniform(0.1, 0.4)
    u = np.log((step + n / 500) / (turn + n / 500))
    val = 0.6 + np.where(u < 0, 0.12, rng.uniform(0.2, 0.6)) * u**2
    curves = {
        "train/loss": _noisy(rng, 0.02 + 2 / (1 + step / (n / 50)), sd, phi),
        "val/loss": _noisy(rng, val, sd / 4, 0),
    }
    return Story("onset", as_log(step, curves, every, rng), (("memorization_onset", turn),))


def _drop(rng: np.random.Generator, step: Array, sd: float, phi: float, every: int) -> Story:
    n = len(step)
    at = n * rng.uniform(0.2, 0.7)
    curve = (0.5 + 2 / (1 + step / (n / 50))) * (1 - planted.sigmoid(step, at, n * 0.002, 0, rng.uniform(0.3, 0.6)))
    curves = {"train/loss": _noisy(rng, curve, sd, phi), "val/loss": _noisy(rng, curve * 1.01, sd / 4, 0)}
    return Story("drop", as_log(step, curves, every, rng), (("transition", at),))


def _rates(rng: np.random.Generator, step: Array, sd: float, phi: float, every: int) -> Story:
    n = len(step)
    first, second = n * rng.uniform(0.3, 0.5), n * rng.uniform(0.6, 0.85)
    fall = sum(planted.sigmoid(step, at, n * 0.004, 0, 0.25) for at in (first, second))
    curve = (0.5 + 2 / (1 + step / (n / 50))) * (1 - fall)
    lr = np.where(step < first, 0.1, np.where(step < second, 0.01, 0.001))
    curves = {"train/loss": _noisy(rng, curve, sd, phi), "val/loss": _noisy(rng, curve * 1.01, sd / 4, 0), "lr": lr}
    return Story("rates", as_log(step, curves, every, rng), (("lr_change", first), ("lr_change", second)))


def _divergence(rng: np.random.Generator, step: Array, sd: float, phi: float, every: int) -> Story:
    n = len(step)
    at = n * rng.uniform(0.3, 0.8)
    base = 0.3 + 2 / (1 + step / (n / 50))
    curve = np.where(step < at, base, base + np.minimum(8, (step - at) / (n * 0.01)))
    curves = {"train/loss": _noisy(rng, curve, sd, phi), "val/loss": _noisy(rng, curve * 1.01, sd / 4, 0)}
    return Story("divergence", as_log(step, curves, every, rng), (("divergence", at),))


def _spike(rng: np.random.Generator, step: Array, sd: float, phi: float, every: int) -> Story:
    n = len(step)
    at = n * rng.uniform(0.2, 0.8)
    base = 0.3 + 2 / (1 + step / (n / 50))
    curve = base * (1 + np.where(step >= at, rng.uniform(3, 8) * np.exp(-(step - at) / (n * 0.004)), 0))
    curves = {"train/loss": _noisy(rng, curve, sd, phi), "val/loss": _noisy(rng, curve * 1.01, sd / 4, 0)}
    return Story("spike", as_log(step, curves, every, rng), (("loss_spike", at),))


STORIES = {
    "grokking": _grokking,
    "descent": _descent,
    "onset": _onset,
    "drop": _drop,
    "rates": _rates,
    "divergence": _divergence,
    "spike": _spike,
}


def alarms(run: Run) -> tuple[str, ...]:
    """What is said of a null run that should not be."""
    autopsy = runopsy.analyze(run)
    labels = [p.label for p in autopsy.phases]
    said = [f"{e.kind}" for e in autopsy.events]
    if labels != sorted(set(labels), key=labels.index) or any(label not in PASSAGE for label in labels):
        said.append("labels " + ">".join(label[:4] for label in labels))
    elif labels != sorted(labels, key=PASSAGE.index):
        said.append("order " + ">".join(label[:4] for label in labels))
    return tuple(said)


def bench_null(count: int) -> None:
    wrong: Counter[str] = Counter()
    hit = 0
    for seed in range(count):
        name, run = null(seed)
        found = alarms(run)
        hit += bool(found)
        wrong.update(found)
        if found and "-v" in sys.argv:
            print("  ", seed, name, found)
    print(f"null curves: {hit} of {count} raise an alarm ({100 * hit / count:.1f} %)")
    for what, times in wrong.most_common(12):
        print(f"  {times:4d}  {what}")


def bench_positive(count: int) -> None:
    found: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    extra, reported, errors = 0, 0, []
    held: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])  # inside, given, unresolved
    widths: dict[str, list[float]] = defaultdict(list)
    for seed in range(count):
        story = positive(seed)
        n = story.run.tracks["train/loss"].step[-1]
        events = runopsy.analyze(story.run).events
        said = [(e.kind, e.step) for e in events]
        intervals = {(e.kind, e.step): e.interval for e in events}
        for kind, at in story.events:
            found[story.name][1] += 1
            match = [s for s in said if s[0] == kind and abs(s[1] - at) <= max(0.15 * at, 0.02 * n)]
            if match:
                found[story.name][0] += 1
                errors.append(abs(match[0][1] - at) / n)
                interval = intervals[match[0]]
                if interval is None:
                    held[kind][2] += 1
                else:
                    held[kind][0] += interval[0] <= at <= interval[1]
                    held[kind][1] += 1
                    widths[kind].append((interval[1] - interval[0]) / n)
                said.remove(match[0])
                reported += 1
            elif "-v" in sys.argv:
                print("   missed", seed, story.name, at, said)
        wrong = [s for s in said if not (story.name == "grokking" and s[0] == "memorization_onset")]
        if story.name == "drop":
            wrong = [s for s in wrong if s[0] != "memorization_onset"]
        extra += len(wrong)
        reported += len(wrong)
        if wrong and "-v" in sys.argv:
            print("   extra", seed, story.name, wrong)
    total = [sum(v[i] for v in found.values()) for i in (0, 1)]
    print(f"positives: recall {total[0] / total[1]:.3f}  precision {1 - extra / max(reported, 1):.3f}")
    print(f"median error {100 * np.median(errors):.2f} % of n")
    inside, given = sum(h[0] for h in held.values()), sum(h[1] for h in held.values())
    print(f"90 % intervals hold the truth in {100 * inside / max(given, 1):.1f} % of {given}")
    for kind, (inside, given, unresolved) in sorted(held.items()):
        width = 100 * float(np.median(widths[kind])) if widths[kind] else float("nan")
        share = inside / max(given, 1)
        print(f"  {kind:20s} {inside}/{given} = {share:.2f}, median width {width:.2f} % of n, unresolved {unresolved}")
    for kind, (got, of) in sorted(found.items()):
        print(f"  {kind:12s} {got}/{of} = {got / max(of, 1):.2f}")


if __name__ == "__main__":
    count = next((int(word) for word in sys.argv[1:] if word.isdigit()), 600)
    began = time.perf_counter()
    bench_null(count)
    bench_positive(count)
    print(f"{time.perf_counter() - began:.0f} s")
