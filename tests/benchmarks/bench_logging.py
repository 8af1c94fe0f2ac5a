"""What logging costs: runopsy beside csv and TensorBoard, in one process and in turn.

``python tests/benchmarks/bench_logging.py`` prints a table and exits with 1 where a target is missed. Times are medians
over rounds in shuffled order; on shared cores, trust the ratios.
"""

from __future__ import annotations

import argparse
import csv
import gc
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol, Self

import numpy as np

import runopsy
from runopsy.recorder import session

NAMES = ("train/loss", "train/acc", "val/loss", "grad/norm", "lr")
TIMES_CSV, TIMES_TENSORBOARD, BYTES = 1.2, 20.0, 6.0  # at most, against csv; times cheaper at least; per scalar
BATCH = {
    "runopsy": 2000,
    "csv": 2000,
    "tensorboard": 400,
}  # calls a round: about the same time each, compaction included
SIZED = 20_000  # calls of the measurement on disk: 100 000 scalars

Values = dict[str, float]


class Logger(Protocol):
    """What the benchmark asks of each."""

    def log(self, step: int, values: Values, now: float) -> None: ...

    def settle(self) -> None:
        """Let background work finish, so that nobody else pays for it."""

    def close(self) -> None: ...


class Runopsy:
    def __init__(self, folder: Path) -> None:
        self._run = runopsy.record(folder)

    def log(self, step: int, values: Values, now: float) -> None:
        self._run.log(step, values)

    def settle(self) -> None: ...

    def close(self) -> None:
        self._run.finish()


class Csv:
    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._file = (folder / "log.csv").open("w", newline="")
        self._writer = csv.writer(self._file)
        self._writer.writerow(["step", "time", *NAMES])

    def log(self, step: int, values: Values, now: float) -> None:
        self._writer.writerow([step, now, *values.values()])
        self._file.flush()

    def settle(self) -> None: ...

    def close(self) -> None:
        self._file.close()


class TensorBoard:
    def __init__(self, folder: Path) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder))

    def log(self, step: int, values: Values, now: float) -> None:
        for name, value in values.items():
            self._writer.add_scalar(name, value, step, walltime=now)

    def settle(self) -> None:
        self._writer.flush()

    def close(self) -> None:
        self._writer.close()


LOGGERS: dict[str, Callable[[Path], Logger]] = {"runopsy": Runopsy, "csv": Csv}
if find_spec("tensorboard") is not None:
    LOGGERS["tensorboard"] = TensorBoard


def curves(calls: int, seed: int = 0) -> list[Values]:
    """What a loop logs: float32 by origin, decaying and noisy; the learning rate is a cosine."""
    rng, step = np.random.default_rng(seed), np.arange(calls)
    decay = 0.1 + 2.2 / (1 + step / (calls / 50)) ** 0.5
    columns = [
        decay * np.exp(0.15 * rng.standard_normal(calls)),
        np.round(128 * (1 - decay / 2.5 + 0.02 * rng.standard_normal(calls))) / 128,
        1.1 * decay * np.exp(0.05 * rng.standard_normal(calls)),
        5 * decay * np.exp(0.4 * rng.standard_normal(calls)),
        1e-3 * (1 + np.cos(np.pi * step / calls)) / 2,
    ]
    rows = np.column_stack([column.astype(np.float32) for column in columns]).astype(float)
    return [dict(zip(NAMES, row, strict=True)) for row in rows.tolist()]


@dataclass
class Clock:
    """A training of 0.2 s a step, give or take: how fast the benchmark runs must not decide how times compress."""

    now: float = 1.7e9
    rng: random.Random = field(default_factory=random.Random)

    def tick(self) -> float:
        self.now += self.rng.lognormvariate(-1.6, 0.1)
        return self.now

    def __enter__(self) -> Self:
        session.time = SimpleNamespace(perf_counter=lambda: self.now, time=lambda: self.now)  # type: ignore[assignment]
        return self

    def __exit__(self, *_: object) -> None:
        session.time = time


def time_calls(rounds: int, folder: Path) -> dict[str, list[list[float]]]:
    """Seconds of every call, per logger and round; a first round warms up and is left out."""
    loggers = {name: make(folder / name) for name, make in LOGGERS.items()}
    values, step = curves(max(BATCH.values())), 0
    taken: dict[str, list[list[float]]] = {name: [] for name in loggers}
    gc.disable()
    for number in range(rounds + 1):
        for name in random.sample(sorted(loggers), len(loggers)):
            logger, times = loggers[name], []
            for row in values[: BATCH[name]]:
                step += 1
                now = time.time()
                started = time.perf_counter()
                logger.log(step, row, now)
                times.append(time.perf_counter() - started)
            logger.settle()
            if number:
                taken[name].append(times)
        gc.collect()
    gc.enable()
    for logger in loggers.values():
        logger.close()
    return taken


def bytes_per_scalar(folder: Path) -> dict[str, float]:
    values, sizes = curves(SIZED), {}
    for name, make in LOGGERS.items():
        calls = SIZED if name != "tensorboard" else SIZED // 10
        with Clock(rng=random.Random(0)) as clock:
            logger = make(folder / name)
            for step, row in enumerate(values[:calls]):
                logger.log(step, row, clock.tick())
            logger.close()
        files = [Path(at) / file for at, _, found in os.walk(folder / name) for file in found]
        sizes[name] = sum(file.stat().st_size for file in files) / (calls * len(NAMES))
    return sizes


def table(taken: dict[str, list[list[float]]], sizes: dict[str, float]) -> dict[str, dict[str, float]]:
    rows = {}
    beside = [statistics.median(times) * 1e6 for times in taken["csv"]]
    for name, rounds in taken.items():
        medians = [statistics.median(times) * 1e6 for times in rounds]
        means = [statistics.fmean(times) * 1e6 for times in rounds]
        rows[name] = {
            "median": statistics.median(medians),
            "low": min(medians),
            "high": max(medians),
            "mean": statistics.fmean(means),
            "bytes": sizes[name],
            "ratio": statistics.median(mine / theirs for mine, theirs in zip(medians, beside, strict=True)),
        }
    return rows


def show(rows: dict[str, dict[str, float]], rounds: int) -> None:
    load = os.getloadavg()[0]
    print(f"5 scalars a call, hot loop, {rounds} rounds in shuffled order; load {load:.1f} on {os.cpu_count()} cores\n")
    print(f"{'logger':<14}{'µs/call':>9}{'(rounds)':>16}{'mean':>9}{'x csv':>11}{'bytes/scalar':>14}")
    for name, row in rows.items():
        spread = f"({row['low']:.1f}-{row['high']:.1f})"
        print(
            f"{name:<14}{row['median']:>9.2f}{spread:>16}{row['mean']:>9.2f}{row['ratio']:>11.2f}{row['bytes']:>14.2f}"
        )


def judge(rows: dict[str, dict[str, float]]) -> bool:
    ours = rows["runopsy"]["median"]
    times = rows["runopsy"]["ratio"]
    checks: list[tuple[str, Any, Any, bool]] = [
        ("times csv, paired, at most", f"{times:.2f}", TIMES_CSV, times <= TIMES_CSV),
        ("bytes per scalar, at most", f"{rows['runopsy']['bytes']:.2f}", BYTES, rows["runopsy"]["bytes"] <= BYTES),
    ]
    if "tensorboard" in rows:
        cheaper = rows["tensorboard"]["median"] / ours
        what = "times cheaper than SummaryWriter, at least"
        checks.append((what, f"{cheaper:.1f}", TIMES_TENSORBOARD, cheaper >= TIMES_TENSORBOARD))
    print()
    for what, found, wanted, kept in checks:
        print(f"{'kept  ' if kept else 'MISSED'}  {what} {wanted}: {found}")
    return all(kept for *_, kept in checks)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=31)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as scratch:
        for room in ("times", "sizes"):
            (Path(scratch) / room).mkdir()
        rows = table(time_calls(rounds, Path(scratch) / "times"), bytes_per_scalar(Path(scratch) / "sizes"))
    show(rows, rounds)
    return 0 if judge(rows) else 1


if __name__ == "__main__":
    sys.exit(main())
