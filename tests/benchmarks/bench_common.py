"""How often common changes are seen where there are none, how often they are missed, and how near they are.

``python tests/benchmarks/bench_common.py [N]``: N runs without a change, 600 unless told, and as many with one. Runs
have 5 to 20 signals of 150 to 5 000 rows, with noise that is autocorrelated and alike between signals, trends
in three of them and unlike cadences. Beside it: each signal alone and a majority vote, and ruptures' kernel search.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from planted_moves import Planted, planted
from runopsy.model import Signal
from runopsy.segments.common import common_changes, likeness, usable, whitened
from runopsy.segments.grid import grid

SIZES = (3.0, 2.0, 1.5, 1.0, 0.7)  # marginal standard deviations of a row
SHARES = (0.5, 0.25)  # of the signals that move
NEAR = 0.03  # of the run, or …
ROWS = 4  # … so many rows, within which a change is the planted one
VOTES = 0.5  # of the signals

Finder = Callable[[Mapping[str, Signal]], list[float]]


def ours(signals: Mapping[str, Signal]) -> list[float]:
    return [change.step for change in common_changes(signals)]


def vote(signals: Mapping[str, Signal]) -> list[float]:
    """Each signal cut alone by ruptures, by the usual penalty; places at which half of the signals are cut."""
    import ruptures

    table = grid(usable(signals))
    cells = whitened(table)
    cuts = [
        ruptures.KernelCPD(kernel="linear", min_size=4).fit(column).predict(pen=2 * np.log(len(column)))[:-1]
        for column in cells.T
    ]
    near = max(2, int(NEAR / 2 * len(cells)))
    found: list[int] = []
    for at in range(1, len(cells)):
        votes = sum(any(abs(cut - at) <= near for cut in of) for of in cuts)
        if votes >= VOTES * len(cuts) and (not found or at - found[-1] > 2 * near):
            found.append(at + near)
    return [float(table.edges[min(at, len(cells) - 1)]) for at in found]


def rbf(signals: Mapping[str, Signal]) -> list[float]:
    """``Pelt(model="rbf")`` as its documentation shows it, on the same matrix."""
    import ruptures

    table = grid(usable(signals))
    cells = whitened(table)
    cut = ruptures.Pelt(model="rbf", min_size=4, jump=2).fit(cells).predict(pen=3)
    return [float(table.edges[at]) for at in cut[:-1]]


FINDERS: Mapping[str, Finder] = {"ours": ours, "majority of single cuts": vote, 'Pelt(model="rbf"), pen 3': rbf}


def is_near(at: float, story: Planted) -> bool:
    return story.at is not None and abs(at - story.at) <= max(NEAR * story.rows, ROWS)


def bench_nulls(count: int) -> None:
    print(f"{count} runs without a common change: share with an alarm")
    for name, finder in FINDERS.items():
        runs = count if finder is ours else count // 6
        took, hits = time.process_time(), 0
        for seed in range(runs):
            found = finder(planted(seed).signals)
            hits += bool(found)
            if found and "-v" in sys.argv and finder is ours:
                print("  ", seed, found)
        each = 1000 * (time.process_time() - took) / runs
        print(f"  {name:26s} {hits / runs:7.3f}   ({hits} of {runs}; {each:.0f} ms of processor each)")


def bench_recall(count: int) -> None:
    print("moved by      share   recall of: " + "   ".join(FINDERS) + "   extra changes a run, likewise")
    for share in SHARES:
        for size in SIZES:
            said = []
            for finder in FINDERS.values():
                runs = count // 3 if finder is ours else count // 12
                hits = extra = 0
                for seed in range(10_000, 10_000 + runs):
                    story = planted(seed, size=size, share=share)
                    found = finder(story.signals)
                    near = [at for at in found if is_near(at, story)]
                    hits += bool(near)
                    extra += len(found) - bool(near)
                said.append((hits / runs, extra / runs))
            line = (
                "   ".join(f"{recall:5.3f}" for recall, _ in said)
                + "   |   "
                + "   ".join(f"{e:5.2f}" for _, e in said)
            )
            print(f"{size:5.1f} σ      {share:6.2f}   {line}")


def bench_intervals(count: int) -> None:
    held, widths, rows = [], [], 0
    for seed in range(20_000, 20_000 + count):
        size = float(np.random.default_rng(seed).uniform(0.7, 3))
        story = planted(seed, size=size)
        change = next((c for c in common_changes(story.signals) if is_near(c.step, story)), None)
        if change is not None:
            assert story.at is not None
            low, high = change.interval
            held.append(low <= story.at <= high)
            widths.append((high - low) / story.rows)
            rows += high - low <= 1
    print(
        f"90 % intervals hold the planted place in {np.mean(held):.3f} of {len(held)}; median width "
        f"{np.median(widths):.2%} of the run; {rows / len(held):.2f} say between which two rows it is"
    )


def bench_cost() -> None:
    signals = planted(1, rows=5000, count=20, unlike=False).signals
    common_changes(signals)
    took = time.process_time()
    for _ in range(10):
        common_changes(signals)
    print(f"20 signals of 5 000 rows: {100 * (time.process_time() - took):.0f} ms of processor (limit 60)")
    assert likeness(grid(usable(signals))).shape == (20, 20)


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    count = numbers[0] if numbers else 600
    bench_cost()
    bench_nulls(count)
    bench_intervals(count)
    bench_recall(count)
