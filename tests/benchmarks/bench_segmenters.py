"""Every segmenter on the same curves: ``python tests/benchmarks/bench_segmenters.py [N] [RUNS]``.

Noise is N series of 96 points; a cut in one is a false alarm. Decays are N smooth curves with noise; more than one
segment is a false alarm. Stories are N curves with planted changes of level or slope: recall, and cuts beyond them.
With RUNS, a folder of labelled runs: the mean share of their steps that get a phase which is right.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

import planted
import runopsy
from runopsy.model import Signal
from runopsy.segments import EXACT, Segmenter, segment
from runopsy.segments.bins import Bins
from runopsy.segments.by_ruptures import KERNELS, PENALTIES, SEARCHES, Ruptures

NEAR = 3  # points within which a cut is the planted one


def segmenters() -> list[Segmenter]:
    """Ours, each search with our cost, and Pelt and KernelCPD with every cost that they take."""
    searches = [Ruptures(search) for search in SEARCHES if search != "KernelCPD"]
    costs = [Ruptures("Pelt", cost) for cost in list(PENALTIES)[1:]]
    return [EXACT, *searches, *costs, *(Ruptures("KernelCPD", cost) for cost in KERNELS)]


def bins(level: np.ndarray) -> Bins:
    return Bins(np.exp(np.linspace(0, 3, len(level))), level, np.ones(len(level)), 0.0, 0.0, 1.0)


def story(seed: int) -> tuple[Bins, list[int]]:
    """A series with a step and a bend, at least eight standard errors large."""
    rng = np.random.default_rng(seed)
    first, second = int(rng.integers(15, 40)), int(rng.integers(55, 80))
    at = np.arange(96.0)
    level = rng.uniform(8, 20) * (at >= first) + rng.uniform(0.4, 1.0) * np.maximum(at - second, 0)
    return bins(level + rng.standard_normal(96)), [first, second]


def smooth(seed: int) -> Signal:
    step = np.arange(2000)
    return Signal("train/loss", "x", step.astype(float), planted.noisy(planted.decay(step, 2.0, 0.1, 40), 0.05, seed))


def right(folder: Path, cutter: Segmenter) -> float:
    """Share of the labelled steps of the runs whose phase is one of those that the label allows."""
    shares = []
    for labels in sorted(folder.glob("*/labels.json")):
        truth = json.loads(labels.read_text())
        phases = runopsy.analyze(str(labels.parent), segmenter=cutter).phases
        hits = [
            any(p.start <= at < p.end and p.label in allowed for p in phases)
            for at, allowed in zip(truth["grid"], truth["labels"], strict=True)
            if allowed
        ]
        if hits:  # of some runs nothing is scored
            shares.append(np.mean(hits))
    return float(np.mean(shares))


def row(cutter: Segmenter, count: int, folder: Path | None) -> str:
    began = time.process_time()
    noise = sum(bool(cutter.cuts(bins(np.random.default_rng(s).standard_normal(96)))) for s in range(count))
    each = 1000 * (time.process_time() - began) / count
    found = extra = 0
    for seed in range(count):
        given, changes = story(seed)
        cuts = cutter.cuts(given)
        near = [cut for cut in cuts if any(abs(cut - at) <= NEAR for at in changes)]
        found += sum(any(abs(cut - at) <= NEAR for cut in cuts) for at in changes)
        extra += len(cuts) - len(near)
    decays = [segment(smooth(seed), 0.0, segmenter=cutter) for seed in range(count // 5)]
    parted = sum(one is None or len(one.edges) > 2 for one in decays)
    phases = "" if folder is None else f"{right(folder, cutter):8.3f}"
    return (
        f"{cutter.name:28s} {noise / count:6.3f} {parted / len(decays):7.3f} {found / (2 * count):7.3f} "
        f"{extra / count:7.2f} {each:8.1f} ms {phases}"
    )


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    folders = [Path(word) for word in sys.argv[1:] if not word.isdigit()]
    print(f"segmenter                     noise  decays  recall   extra   a series{'  phases' if folders else ''}")
    for cutter in segmenters():
        print(row(cutter, numbers[0] if numbers else 100, folders[0] if folders else None), flush=True)
