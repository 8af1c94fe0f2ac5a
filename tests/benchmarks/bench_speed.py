"""What an autopsy costs in time and memory, each figure beside its limit: python tests/benchmarks/bench_speed.py

Every size is measured in a process of its own. Memory is the peak of the resident set above what the imports
take, in units of the data: the step and the values of the file, eight bytes each. On a machine that others use,
only the ratios taken in one run mean anything; the processor's own time is printed beside the clock's.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1]))

import planted

NAMES = ("train/loss", "train/acc", "val/loss", "val/acc", "lr", "grad/norm", "weights/norm", "features/effective_rank")
IMPORTS = "import polars, ruptures"
ROUNDS = 5  # of the two commands from the shell, in turns: the median of either


def columns(n: int, signals: int, seed: int = 0) -> dict[str, NDArray[np.generic]]:
    """A run of n rows: decays with 3 % noise, accuracies that saturate, a cosine learning rate."""
    step, rng = np.arange(n), np.random.default_rng(seed)
    table: dict[str, NDArray[np.generic]] = {"step": step}
    for i, name in enumerate(NAMES[:signals]):
        curve = planted.decay(step, 2.3, 0.1, n / 50)
        if name.endswith("acc"):
            table[name] = np.clip(0.95 - 0.4 * curve + 0.01 * rng.standard_normal(n), 0, 1)
        elif name == "lr":
            table[name] = 5e-4 * (1 + np.cos(np.pi * step / n))
        else:
            table[name] = planted.noisy(curve, 0.03, seed + i)
    return table


def examine(path: str) -> dict[str, float]:
    """Time and memory of one autopsy in this process, its imports left out."""
    import polars as pl  # noqa: F401  # all that an examination loads on its way
    import pyarrow.parquet  # noqa: F401
    import scipy.ndimage
    import scipy.optimize  # noqa: F401

    import runopsy
    from runopsy.autopsy import analyze

    def resident(which: str) -> float:
        said = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        return float(said[which].split()[0]) * 1024

    analyze(planted.healthy())
    before, wall, processor = resident("VmRSS"), time.perf_counter(), time.process_time()
    runopsy.analyze(path)
    return {
        "wall": time.perf_counter() - wall,
        "processor": time.process_time() - processor,
        "bytes": resident("VmHWM") - before,
    }


def apart(path: Path) -> dict[str, float]:
    """``examine`` in a process of its own."""
    done = subprocess.run([sys.executable, __file__, "--one", str(path)], capture_output=True, text=True, check=True)
    said: dict[str, float] = json.loads(done.stdout)
    return said


def write(folder: Path, n: int, signals: int) -> Path:
    import polars as pl

    path = folder / f"{n}x{signals}.parquet"
    pl.DataFrame(columns(n, signals)).write_parquet(path)
    return path


def bench_sizes(folder: Path) -> None:
    print("rows x signals        wall  processor  limit    memory  limit")
    for n, signals, limit in ((1_000_000, 8, 3.0), (10_000_000, 1, 6.0)):
        said = apart(write(folder, n, signals))
        times = said["bytes"] / (8 * n * (signals + 1))
        print(
            f"{n:>9.0e} x {signals}      {said['wall']:6.2f} s   {said['processor']:6.2f} s  {limit:.0f} s"
            f"    {times:.1f} x the data  3 x"
        )


def bench_growth(folder: Path) -> None:
    print("rows (one signal)     wall  processor   per n log n, against 1e4")
    first = 0.0
    for n in (10_000, 100_000, 1_000_000, 10_000_000):
        said = apart(write(folder, n, 1))
        each = said["processor"] / (n * np.log(n))
        first = first or each
        print(f"{n:>9.0e}         {said['wall']:6.2f} s   {said['processor']:6.2f} s   {each / first:.3f}")


def bench_shell(folder: Path) -> None:
    import polars as pl

    path = folder / "run.csv"
    pl.DataFrame(columns(10_000, 4)).write_csv(path)
    commands = {"ours": ["-m", "runopsy", "analyze", str(path)], "imports": ["-c", IMPORTS]}
    took: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(ROUNDS):
        for name, command in commands.items():
            began = time.perf_counter()
            subprocess.run([sys.executable, *command], capture_output=True, check=True)
            took[name].append(time.perf_counter() - began)
    ours, imports = (float(np.median(took[name])) for name in commands)
    print(f"a CSV of 10 000 rows from the shell: {ours:.2f} s; python -c {IMPORTS!r}: {imports:.2f} s")
    print(f"  {ours / imports:.2f} x (limit 2)")


def bench_many() -> None:
    from runopsy.autopsy import analyze

    runs = []
    for seed in range(20):
        table = columns(5_000, 4, seed)
        runs.append(planted.run(table.pop("step"), table))
    analyze(runs[0])
    wall, processor = time.perf_counter(), time.process_time()
    for i in range(200):
        analyze(runs[i % len(runs)])
    each = [1000 * (now - then) / 200 for now, then in ((time.perf_counter(), wall), (time.process_time(), processor))]
    print(f"200 runs of 5 000 rows x 4 signals: {each[0]:.0f} ms each, {each[1]:.0f} ms of processor (limit 60)")


def bench_beside_ruptures() -> None:
    import ruptures

    from runopsy.autopsy import analyze

    table = columns(100_000, 1)
    run = planted.run(table["step"], {"train/loss": table["train/loss"]})
    began = time.perf_counter()
    analyze(run)
    ours = time.perf_counter() - began
    began = time.perf_counter()
    found = ruptures.KernelCPD(kernel="linear").fit(table["train/loss"]).predict(pen=3 * np.log(100_000) * 0.03**2)
    theirs = time.perf_counter() - began
    print(f"1e5 rows: the whole examination {ours:.2f} s; ruptures.KernelCPD(kernel='linear') {theirs:.2f} s")
    print(f"  {theirs / ours:.0f} x faster (limit 20); it returns {len(found) - 1} change points for one smooth decay")


if __name__ == "__main__":
    if "--one" in sys.argv:
        print(json.dumps(examine(sys.argv[-1])))
        sys.exit()
    with tempfile.TemporaryDirectory() as name:
        bench_sizes(Path(name))
        bench_growth(Path(name))
        bench_shell(Path(name))
    bench_many()
    bench_beside_ruptures()
