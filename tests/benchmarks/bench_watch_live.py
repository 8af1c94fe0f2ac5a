"""What a watch costs beside a training that logs 10 rows a second, and how soon it tells of a row.

``python tests/benchmarks/bench_watch_live.py [--seconds 60] [--rows 500 100000 1000000]``. A CSV of so many rows grows
by ten a second; at two thirds of the time its loss becomes NaN. The processor's time of ``runopsy watch`` is read from
the system after it has shown the log for the first time; the delay is from the write of the first NaN to the line
that tells of it. Then the same, in this process, of NaN that is written when a look has just begun.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

import planted
from runopsy.cli.watch import POLL
from runopsy.watch import Watch
from runopsy.watch.looking import in_a_thread

RATE = 10  # rows a second


def spent(pid: int) -> float:
    """Seconds of processor that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident(pid: int) -> float:
    """Its memory in MB."""
    said = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return float(said["VmRSS"].split()[0]) / 1024


def begun(path: Path, rows: int, total: int) -> list[float]:
    """Write the rows of a log; the losses of all that there will be."""
    loss = planted.noisy(planted.decay(np.arange(total), 2.3, 0.1, total / 50), 0.03).tolist()
    with path.open("w") as file:
        file.write("step,train/loss,val/loss,lr,grad/norm\n")
        file.writelines(f"{i},{loss[i]},{loss[i] * 1.1 if i % 10 == 0 else ''},0.1,1.0\n" for i in range(rows))
    return loss


def measure(rows: int, seconds: float, folder: Path) -> None:
    path = folder / f"{rows}.csv"
    total = rows + int(RATE * seconds)
    loss = begun(path, rows, total)
    environment = {**os.environ, "XDG_STATE_HOME": str(folder), "PYTHONUNBUFFERED": "1"}
    watch = subprocess.Popen(
        [sys.executable, "-m", "runopsy", "watch", str(path)], stdout=subprocess.PIPE, text=True, env=environment
    )
    lines: list[tuple[float, str]] = []
    assert watch.stdout is not None
    reader = threading.Thread(target=lambda: lines.extend((time.time(), line) for line in watch.stdout), daemon=True)
    reader.start()
    while not any(" rows" in line for _, line in lines):
        time.sleep(0.1)
    time.sleep(3)
    before, began, wrote = spent(watch.pid), time.time(), 0.0
    with path.open("a") as file:
        for i in range(rows, total):
            broken = i >= rows + 2 * (total - rows) // 3
            wrote = wrote or (time.time() if broken else 0.0)
            file.write(f"{i},{'nan' if broken else loss[i]},,0.1,1.0\n")
            file.flush()
            time.sleep(max(0.0, began + (i - rows + 1) / RATE - time.time()))
    share = (spent(watch.pid) - before) / (time.time() - began)
    memory = resident(watch.pid)
    time.sleep(5)
    told = next((at for at, line in lines if "values not finite" in line and "provisional" not in line), None)
    watch.kill()
    watch.wait()
    late = "was not told" if told is None else f"told {told - wrote:.1f} s after its row was written"
    load = os.getloadavg()[0]
    print(f"{rows:9,} rows: {100 * share:5.2f} % of a core, {memory:.0f} MB; NaN {late} (load {load:.0f})", flush=True)


def measure_beside_a_look(rows: int, folder: Path) -> None:
    path = folder / f"{rows}.csv"
    begun(path, rows, rows)
    with Watch(str(path), beside=in_a_thread) as watch:
        watch.look()
        began = time.time()
        look = watch._begin(watch._log.amount(), in_a_thread)
        with path.open("a") as file:
            file.write(f"{rows},nan,,0.1,1.0\n")
        wrote, told, ended = time.time(), 0.0, 0.0
        while not (told and ended):
            view = watch.poll()
            if view is not None and any(news.kind == "not_finite" for news in view.news):
                told = time.time()
            ended = ended or (time.time() if look.autopsy.done() else 0.0)
            time.sleep(POLL)
    print(f"{rows:9,} rows: NaN written when a look had begun told {told - wrote:.1f} s after its row was written; "
          f"the look took {ended - began:.1f} s (load {os.getloadavg()[0]:.0f})", flush=True)  # fmt: skip


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--seconds", type=float, default=60)
    ask.add_argument("--rows", type=int, nargs="+", default=[500, 100_000, 1_000_000])
    asked = ask.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for rows in asked.rows:
            measure(rows, asked.seconds, Path(folder))
            measure_beside_a_look(rows, Path(folder))


if __name__ == "__main__":
    main()
