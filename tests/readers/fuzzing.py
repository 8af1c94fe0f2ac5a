"""Logs, mutated: every reader gives a run or one of our own errors, at once and in little memory.

python tests/readers/fuzzing.py 200000 [SEED]
"""

from __future__ import annotations

import json
import random
import resource
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

sys.path.insert(0, str(Path(__file__).parents[1]))

import trackerfiles
from runopsy.errors import RunopsyError
from runopsy.readers import runs
from runopsy.signals import assign

SLOW = 2.0  # s of the processor that one small input may take
MEMORY = 1 << 30  # bytes that the process may grow by
CURVE = [round(3 / (i + 1) + 0.1, 4) for i in range(30)]


def _rows(line: str, head: str = "") -> bytes:
    return (head + "".join(line.format(i=i, e=i // 5, b=i % 5, y=y) for i, y in enumerate(CURVE))).encode()


def _parquet() -> bytes:
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq

    out = io.BytesIO()
    pq.write_table(
        pa.table({"step": list(range(30)), "loss": CURVE, "name": ["a"] * 30}), out, write_page_checksum=True
    )
    return out.getvalue()


def _trainer_state() -> bytes:
    rows = [{"step": i, "epoch": i / 10, "loss": y} for i, y in enumerate(CURVE)] + [{"step": 30, "train_runtime": 1}]
    return json.dumps({"best_metric": None, "global_step": 30, "log_history": rows}, indent=2).encode()


def _tracker(name: str) -> bytes:
    """The largest file of a tracker's log; ``test_tracker_damage`` mutates whole folders."""
    with TemporaryDirectory() as folder:
        trackerfiles.SEEDS[name](Path(folder))
        return max((f.read_bytes() for f in Path(folder).rglob("*") if f.is_file()), key=len)


# A small log of every format; the tests of a format that needs files or folders mutate its files.
SEEDS: Mapping[str, Callable[[], bytes]] = {
    "csv": lambda: _rows("{i},{y},{y}\n", "step,train_loss,val_loss\n"),
    "csv of several runs": lambda: _rows("{e},{b},{y}\n", "seed,step,loss\n"),
    "csv with quotes": lambda: _rows('{i},"{y}","a ""b"", c"\n', 'step,"loss",remark\n'),
    "csv with dates": lambda: _rows("2026-01-01T00:00:{i:02d},{y}\n", "timestamp,loss\n"),
    "tsv": lambda: _rows("{i}\t{y}\n", "epoch\tloss\n"),
    "blanks": lambda: _rows("{i} {y}\n", "step loss\n"),
    "decimal commas": lambda: _rows("{i};{y}\n", "step;loss\n").replace(b".", b","),
    "long": lambda: _rows("{i},train/loss,{y}\n{i},val/loss,{y}\n", "step,metric,value\n"),
    "utf-16": lambda: _rows("{i},{y}\n", "step,loss\n").decode().encode("utf-16"),
    "json lines": lambda: _rows('{{"step": {i}, "loss": {y}, "val": {{"acc": NaN}}, "x": [1]}}\n'),
    "json columns": lambda: json.dumps({"loss": CURVE, "val_loss": CURVE[:10], "config": {"lr": 1}}).encode(),
    "json rows": lambda: json.dumps(
        {"history": [{"epoch": i, "loss": y} for i, y in enumerate(CURVE)]}, indent=1
    ).encode(),
    "json runs": lambda: json.dumps({"a": {"loss": CURVE}, "b": {"loss": CURVE}}).encode(),
    "trainer state": _trainer_state,
    "mlperf": lambda: _rows(
        ':::MLLOG {{"time_ms": {i}, "key": "eval_accuracy", "value": 0.{i}, "metadata": {{"epoch_num": {i}}}}}\n'
    ),
    "text": lambda: _rows("iter {i}: loss {y}, time 30.1ms, lr 1e-4\nstep {i}: val loss {y}\n"),
    "dict lines": lambda: _rows("{{'loss': {y}, 'learning_rate': 5e-05, 'epoch': 0.{i}}}\n"),
    "bars": lambda: _rows("\rEpoch {e}:  45%|████▌ | {b}/5 [00:12<00:15, 35.2it/s, \x1b[1mloss={y}\x1b[0m]"),
    "parquet": _parquet,
    **{name: partial(_tracker, name) for name in trackerfiles.SEEDS},
}
# What breaks parsers: empty, huge and special numbers, quotes, brackets, control characters, half of a code point.
BITS = (
    *(
        mark.encode()
        for mark in ("", "\0", "\n", "\r", ",", ";", "\t", '"', "'", "{", "}", "[", "]", ":", "=", "|", "#")
    ),
    *b"nan inf -inf 1e309 -1 0 1e-320 99999999999999999999 0x10 1,234 1.2.3 step epoch loss seed null true".split(),
    *(b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xe2\x80\xa8", b"\x1b[31m", b"\x08", b"\\ud800", b"\x80\x04\x95"),
    *(b"PAR1", b"SQLite format 3\0", b"PK\x03\x04", b"\x1f\x8b"),
    *(b"#" * 300, b"[" * 3000, b'{"a":' * 500, b"9" * 400),
)


def mutated(dice: random.Random, seeds: Mapping[str, bytes]) -> tuple[str, bytes]:
    """The name of a seed, and its bytes after one to eight changes."""
    name = dice.choice(list(seeds))
    data = bytearray(seeds[name])
    for _ in range(dice.choice((1, 1, 2, 3, 8))):
        at = dice.randrange(len(data) + 1)
        to = min(len(data), at + dice.choice((1, 1, 4, 20, 200)))
        match dice.randrange(7):
            case 0:
                data[at:to] = b""
            case 1:
                data[at:at] = dice.choice(BITS)
            case 2:
                data[at:to] = dice.choice(BITS)
            case 3:
                data[at:at] = data[at:to] * dice.choice((1, 2, 50))
            case 4 if at < len(data):
                data[at] ^= 1 << dice.randrange(8)
            case 5:
                del data[at:]
            case _:
                other = seeds[dice.choice(list(seeds))]
                start = dice.randrange(len(other))
                data[at:to] = other[start : start + dice.randrange(300)]
    return name, bytes(data)


def tried(path: Path) -> str:
    """What comes of a file: how many runs, or which of our errors; any other exception is a fault."""
    try:
        found = runs(path)
        for candidate in found[:5]:
            try:
                assign(candidate.read().tracks)
            except RunopsyError:
                continue
        return f"{len(found)} runs"
    except RunopsyError as error:
        return type(error).__name__


def main(count: int, seed: int) -> int:
    seeds = {name: make() for name, make in SEEDS.items()}
    slowest, faults, began, answers = 0.0, 0, time.perf_counter(), dict[str, int]()
    with TemporaryDirectory() as folder:
        path = Path(folder) / "log"
        for data in seeds.values():  # imports and caches are none of the growth
            path.write_bytes(data)
            tried(path)
        start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for i in range(count):
            name, data = mutated(random.Random(f"{seed}/{i}"), seeds)
            path.write_bytes(data)
            at = time.process_time()  # on a busy machine, waiting is no hang
            try:
                answer = tried(path)
            except BaseException as fault:  # also what polars calls a panic
                if isinstance(fault, KeyboardInterrupt):
                    count = i
                    break
                answer, faults = "fault", faults + 1
                print(f"{seed}/{i} {name}: {type(fault).__name__}: {str(fault)[:200]}")
            took = time.process_time() - at
            answers[answer] = answers.get(answer, 0) + 1
            slowest = max(slowest, took)
            if took > SLOW:
                faults += 1
                print(f"{seed}/{i} {name}: {took:.1f} s")
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start) * 1024
    print(f"{count} inputs in {time.perf_counter() - began:.0f} s: {faults} faults, the slowest took {slowest:.2f} s, "
          f"memory grew by {grown / 1e6:.0f} MB; answers {dict(sorted(answers.items()))}")  # fmt: skip
    return int(faults > 0 or grown > MEMORY)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0))
