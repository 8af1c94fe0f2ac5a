"""How fast logs are read, beside their own readers: python tests/benchmarks/bench_readers.py [SCALARS] [ROUNDS]

Real libraries lay the log out (TensorBoard's record writer and messages, MLflow's schema, polars' CSV); then
every reader reads it in a process of its own, in turn, with what it imports loaded before the clock
starts. "times" compares the processor's seconds, which neighbours on the machine disturb least. Memory
is how far the peak rises while it reads, beside the bytes of what was logged: step, value and time of each
scalar, eight bytes each.
"""

from __future__ import annotations

import json
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

TAGS = ("train/loss", "train/acc", "val/loss", "lr", "grad_norm")
ROW = "{:16} {:22} {:>8} {:>7} {:>18} {:>7} {:>10} {:>12}"
EACH = 24  # bytes of a scalar: step, value and time


# --- logs ----------------------------------------------------------------------------------------


def tensorboard(place: Path, scalars: int) -> Path:
    """As SummaryWriter writes it, but for opening the file anew for each record, which takes an hour."""
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.record_writer import RecordWriter

    folder = place / "tensorboard"
    folder.mkdir()
    with (folder / "events.out.tfevents.1700000000.host.1.0").open("wb") as file:
        writer = RecordWriter(file)
        writer.write(Event(wall_time=1.7e9, file_version="brain.Event:2").SerializeToString())
        for i in range(scalars):
            value = Summary(value=[Summary.Value(tag=TAGS[i % 5], simple_value=1 / (1 + i))])
            writer.write(Event(wall_time=1.7e9 + i / 1000, step=i // 5, summary=value).SerializeToString())
    return folder


def mlflow(place: Path, scalars: int) -> Path:
    """MLflow's schema; the rows go in by SQL, as its client would need half an hour for them."""
    import mlflow as library

    path = place / "mlflow.db"
    library.set_tracking_uri(f"sqlite:///{path}")
    with library.start_run() as run:
        library.log_metric("train/loss", 1.0, step=0)
    rows = ((TAGS[i % 5], 1 / (1 + i), 1_700_000_000_000 + i, run.info.run_id, i // 5) for i in range(scalars))
    connection = sqlite3.connect(path)
    connection.execute("DELETE FROM metrics")
    connection.executemany("INSERT INTO metrics (key, value, timestamp, run_uuid, step) VALUES (?, ?, ?, ?, ?)", rows)
    connection.execute("DELETE FROM latest_metrics")
    connection.execute("INSERT INTO latest_metrics SELECT key, value, max(timestamp), step, is_nan, run_uuid "
                       "FROM metrics GROUP BY key, run_uuid")  # fmt: skip
    connection.commit()
    connection.close()
    return path


def csv(place: Path, scalars: int) -> Path:
    import numpy as np
    import polars as pl

    steps = np.arange(scalars // 5)
    table = {"step": steps} | {tag: 1 / (1 + steps * 5.0 + i) for i, tag in enumerate(TAGS)}
    pl.DataFrame(table).write_csv(place / "log.csv")
    return place / "log.csv"


# --- readers -------------------------------------------------------------------------------------


def by_runopsy(path: Path) -> int:
    from runopsy import read

    return sum(len(track) for track in read(path).tracks.values())


def by_event_accumulator(path: Path) -> int:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(path), size_guidance={"scalars": 0}).Reload()
    return sum(len(found.Scalars(tag)) for tag in found.Tags()["scalars"])


def by_mlflow_client(path: Path) -> int:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{path}")
    (run,) = client.search_runs(["0"])
    return sum(len(client.get_metric_history(run.info.run_id, tag)) for tag in TAGS)


def by_polars(path: Path) -> int:
    import polars as pl

    table = pl.read_csv(path)
    return table.height * (table.width - 1)


class Case:
    """A log, ours and its own reader, and how much faster ours is to be."""

    def __init__(
        self, name: str, write: Callable[[Path, int], Path], theirs: Callable[[Path], int], wanted: float
    ) -> None:
        self.name, self.write, self.theirs, self.wanted = name, write, theirs, wanted


CASES = (
    Case("TensorBoard", tensorboard, by_event_accumulator, 10),
    Case("MLflow database", mlflow, by_mlflow_client, 20),
    Case("CSV", csv, by_polars, 1 / 1.5),
)
READERS = {reader.__name__: reader for reader in (by_runopsy, *(case.theirs for case in CASES))}
HEAVY = {
    "by_runopsy": ("numpy", "polars", "pyarrow", "runopsy.readers"),
    "by_event_accumulator": ("tensorboard.backend.event_processing.event_accumulator",),
    "by_mlflow_client": ("mlflow", "mlflow.store.tracking.sqlalchemy_store"),
    "by_polars": ("polars",),
}


def one(reader: str, path: str) -> None:
    """Reads once and prints (scalars, seconds, bytes)."""
    for module in HEAVY[reader]:
        __import__(module)
    before = peak()
    began, worked = time.perf_counter(), time.process_time()
    scalars = READERS[reader](Path(path))
    worked, seconds = time.process_time() - worked, time.perf_counter() - began
    print(json.dumps([scalars, seconds, worked, peak() - before]))


def peak() -> int:
    """Bytes of memory that this process had at most (Linux; getrusage also counts who started it)."""
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def measured(reader: str, path: Path) -> tuple[int, float, float, int]:
    """(scalars, seconds, seconds of the processor, bytes)."""
    done = subprocess.run(
        [sys.executable, __file__, "--one", reader, str(path)], check=True, capture_output=True, text=True
    )
    scalars, seconds, worked, memory = json.loads(done.stdout.splitlines()[-1])
    return scalars, seconds, worked, memory


def main(scalars: int, rounds: int) -> None:
    print(f"{scalars:,} scalars, {rounds} rounds, each reader in turn; medians (and the range of the ratio)")
    print(ROW.format("log", "reader", "seconds", "CPU s", "times", "wanted", "memory MB", "of the data"))
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES:
            path = case.write(Path(folder), scalars)
            pairs = [(measured("by_runopsy", path), measured(case.theirs.__name__, path)) for _ in range(rounds)]
            ratios = sorted(theirs[2] / ours[2] for ours, theirs in pairs)
            for name, results in zip(("by_runopsy", case.theirs.__name__), zip(*pairs, strict=True), strict=True):
                assert all(found == scalars for found, _, _, _ in results), (name, results)
                seconds = statistics.median(result[1] for result in results)
                worked = statistics.median(result[2] for result in results)
                memory = statistics.median(result[3] for result in results)
                times, wanted = "", ""
                if name == "by_runopsy":
                    times = f"{statistics.median(ratios):.1f} ({ratios[0]:.1f}–{ratios[-1]:.1f})"
                    wanted = f"{case.wanted:.2g}"
                share = f"{memory / (EACH * scalars):.1f}"
                row = (case.name, name, f"{seconds:.2f}", f"{worked:.2f}", times, wanted, f"{memory / 1e6:.0f}", share)
                print(ROW.format(*row), flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(*sys.argv[2:4])
    else:
        main(*(int(word) for word in (sys.argv[1:] + ["1000000", "3"][len(sys.argv) - 1 :])))
