"""Curves over sizes and scaling laws: false peaks, recall, intervals, breaks; and the published sweeps where they are.

    python tests/benchmarks/bench_sizes.py [TABLES] [SHARED]

TABLES planted tables per line of the sweeps (default 100), as many laws in all.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

import planted_sizes
from runopsy.study.scaling import scaling_of
from runopsy.study.sizes import sizes_of
from runopsy.study.tables import read_table

SIZES, SEEDS = (6, 8, 12, 20, 40), (1, 2, 3, 5)


def share(hits):
    return f"{100 * np.mean(hits):5.1f} %"


def with_threshold(table, random):
    """The same, with a training loss that is fitted from some size in the middle on."""
    import polars as pl

    width = np.unique(table["width"].to_numpy())
    at = width[random.integers(1, len(width) - 1)]
    return table.with_columns(pl.when(pl.col("width") < at).then(1.0).otherwise(0.01).alias("train_loss"))


def false_peaks(tables, random):
    print("false peaks on monotone sweeps, noise 2 to 20 % of the loss, half of it with heavy tails")
    print("       " + "".join(f"  {m:3} sizes" for m in SIZES))
    every = []
    for seeds in SEEDS:
        line = []
        for m in SIZES:
            found = []
            for k in range(tables):
                sd, tail = planted_sizes.NOISES[k % 4], ("gauss", "t3")[k // 4 % 2]
                table = planted_sizes.monotone(random, m, seeds, sd, tail)
                if k % 2:
                    table = with_threshold(table, random)
                sizes = sizes_of(table)
                found.append(sizes is not None and sizes.main.turns.peak is not None)
            line.append(share(found))
            every += found
        print(f"{seeds} seeds" + "".join(f"  {one:>9}" for one in line), flush=True)
    print(f"all of {len(every)}: {share(every)}\n")


def recall(tables, random):
    print("double descents that are found, and peaks that lie in their interval of those")
    for height, sd in ((0.7, 0.03), (1.5, 0.05), (1.5, 0.15), (4.0, 0.3)):
        for seeds in (1, 2, 5):
            line = []
            for m in (8, 12, 20, 40):
                hits, inside = [], []
                for _ in range(tables // 2):
                    table, at = planted_sizes.double_descent(random, m, seeds, sd, height)
                    peak = sizes_of(table).main.turns.peak
                    hits.append(peak is not None)
                    if peak is not None:
                        inside.append(peak.interval[0] <= at <= peak.interval[1])
                line.append(f"{m} sizes {share(hits)} ({share(inside) if inside else '    –  '})")
            print(
                f"peak x {np.exp(height):4.1f}, noise {100 * sd:3.0f} %, {seeds} seeds: " + "  ".join(line), flush=True
            )
    print()


def intervals(tables, random):
    print("planted laws: share of 90 % intervals that hold the truth")
    for runs, sd in ((24, 0.003), (24, 0.01), (48, 0.01), (100, 0.005)):
        hits = []
        for _ in range(tables // 4):
            found = scaling_of(planted_sizes.joint(random, runs, sd))
            truth = {**planted_sizes.LAW, "exponent": 0.36 / 0.70}
            numbers = {**found.law, "exponent": found.optimal["exponent"]}
            hits.append([one.interval[0] <= truth[name] <= one.interval[1] for name, one in numbers.items()])
        each = dict(zip(truth, np.mean(hits, axis=0).round(2).tolist(), strict=True))
        print(f"{runs} runs, noise {100 * sd} %: {share(hits)}  {each}", flush=True)
    print()


def breaks(tables, random):
    print("laws in one quantity: which form is chosen")
    for kind in ("power", "floor", "broken"):
        for m, sd in ((10, 0.003), (20, 0.01), (30, 0.03)):
            forms, near = [], []
            for _ in range(tables // 10):
                table, at = planted_sizes.alone(random, kind, m, sd)
                found = scaling_of(table)
                forms.append(found.form or found.sentences[-1][:40])
                if "break" in found.law:
                    near.append(abs(np.log(found.law["break"].at / at)) < np.log(2))
            counts = {form: forms.count(form) for form in sorted(set(forms))}
            more = f"; breaks within a factor of 2: {share(near)}" if kind == "broken" and near else ""
            print(f"{kind:7} {m} sizes, noise {100 * sd:.1f} %: {counts}{more}", flush=True)
    print()


def published(shared):
    data = Path(shared) / "data"
    if not data.exists():
        print(f"no published sweeps in {data}: skipped")
        return
    for path in (*sorted(data.glob("width-sweep/*.csv")), data / "random-features/results.json"):
        for sentence in sizes_of(read_table(path)).sentences:
            print(f"{path.name}: {sentence}")
    for sentence in scaling_of(read_table(data / "chinchilla/losses.csv")).sentences:
        print(f"losses.csv: {sentence}")


def main():
    tables = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    started = time.process_time()
    random = np.random.default_rng(0)
    false_peaks(tables, random)
    recall(tables, random)
    intervals(tables, random)
    breaks(tables, random)
    published(sys.argv[2] if len(sys.argv) > 2 else "../shared")
    print(f"\n{time.process_time() - started:.0f} s of one processor")


if __name__ == "__main__":
    main()
