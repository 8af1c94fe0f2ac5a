"""Logs, mutated: every reader gives a run or one of our own errors, at once and in little memory.

python tests/readers/fuzzing.py 200000 [SEED]
"""

from __future__ import annotations

import json
import random
import resource
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from runopsy.errors import RunopsyError
from runopsy.readers import runs
from runopsy.signals import assign, with_sums

sys.path.insert(0, str(Path(__file__).parents[1]))
from trackerfiles import SEEDS as TRACKERS

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


def _notebook() -> bytes:
    rows = "".join(f"<tr><td>{i}</td><td>{y}</td><td>{y}</td></tr>" for i, y in enumerate(CURVE))
    html = f"<table><tr><th>epoch</th><th>train_loss</th><th>valid_loss</th></tr>{rows}</table>"
    said = [f"Epoch {i}/30 - loss: {y} - val_loss: {y}\n" for i, y in enumerate(CURVE, 1)]
    outputs = [{"output_type": "display_data", "data": {"text/html": html, "text/plain": "<HTML>"}}]
    cells = [
        {"cell_type": "code", "source": ["fit()"], "outputs": outputs},
        {"cell_type": "code", "source": "again()", "outputs": [{"output_type": "stream", "text": said}]},
    ]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4}, indent=1).encode()


def _catboost() -> bytes:
    metrics = [{"name": "Logloss", "best_value": "Min"}]
    rows = [{"learn": [y], "test": [y], "iteration": i} for i, y in enumerate(CURVE)]
    return json.dumps({"meta": {"learn_metrics": metrics, "test_metrics": metrics}, "iterations": rows}).encode()


# A small log of every format that is one file; the trackers write theirs into folders.
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
    "bars of lines": lambda: _rows(
        "\r\x1b[KEpoch {e}/6 ━━━━╸━━━ {b}/4 0:00:00 • 0:00:01 5.1it/s val_loss: {y} train_loss: {y}"
    ),
    "lists of parts": lambda: _rows("{i}  [{y}, {y}]  [{y}, {y}]  []\n", "Step  Train loss  Test loss  Test metric\n"),
    "epochs below their batches": lambda: _rows("train batch:{b}/4 loss:[ {y}]\nEpoch [{e}]/[6] train Accuracy: {y}\n"),
    "json by number": lambda: json.dumps(
        {str(i + 1): {"loss": y, "val": {"loss": y}} for i, y in enumerate(CURVE)}
    ).encode(),
    "headings": lambda: _rows("Epoch {e}/5\n-----\ntrain Loss: {y} Acc: 0.5\nval Loss: {y} Acc: {y}\n"),
    "meters": lambda: _rows(
        "Epoch: [{e}][{b}/5]\tLoss {y} ({y})\tAcc@1 1.0 (2.0)\nTest: [{b}/5]\tLoss {y} ({y})\n * Acc@1 {y}\n"
    ),
    "boxes": lambda: _rows("-----\n| train/ | |\n|  loss | {y} |\n| time/ | |\n|  total_timesteps | {i} |\n-----\n"),
    "table in text": lambda: _rows(
        "   {i}/30   {y}   0.5  640: 100%|███| 3/3 [00:01<00:00]\n", "Started.\n   Epoch   box_loss   cls_loss  Size\n"
    ),
    "ruled table": lambda: _rows("  {i}   {y}    {y}\n", "Started.\nE    LOSS NER  SCORE\n---  --------  -----\n"),
    "lists": f"Done.\nlosses = {CURVE}\nval_losses: array({CURVE})\n".encode,
    "rounds": lambda: _rows("[{i}]\ttraining's l2: {y}\tvalid_1's l2: {y}\n") + _rows("{i}:\tlearn: {y}\ttest: {y}\n"),
    "bars end to end": lambda: _rows("{b}/5 [==>...] - ETA: 3s - loss: {y} - accuracy: 0.2580"),
    "errors": lambda: _rows(
        "step {i} loss {y}\nloss scale reducing to {i}\nTraceback (most recent call last):\n  File\nValueError: a\n"
    ),
    "parquet": _parquet,
    "notebook": _notebook,
    "json by column and row": lambda: json.dumps(
        {name: {str(i): y for i, y in enumerate(CURVE)} for name in ("loss", "val_loss")}
    ).encode(),
    "json rows with batches": lambda: json.dumps(
        [{"epoch": i, "batches": [{"train_loss": y}], "train_loss": y} for i, y in enumerate(CURVE)]
    ).encode(),
    "json by epoch": lambda: json.dumps({f"epoch_{i}": {"loss": y} for i, y in enumerate(CURVE)}).encode(),
    "json pairs": lambda: json.dumps({"train_loss": [[10 * i, y] for i, y in enumerate(CURVE)]}).encode(),
    "tensorboard download": lambda: _rows("{y},{i},{y}\n", "Wall time,Step,Value\n"),
    "monitor": lambda: _rows("{y},{i},{i}.5\n", '#{"t_start": 1.5, "env_id": "a"}\nr,l,t\n'),
    "catboost": _catboost,
    "yolo results": lambda: _rows("{i}/29 3.5G {y} 0.1 0.2 0.3 7 640 0.5 0.6 0.7 0.8 1 2 3\n"),
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


def mutated(dice: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Bytes after one to eight changes."""
    changed = bytearray(data)
    for _ in range(dice.choice((1, 1, 2, 3, 8))):
        at = dice.randrange(len(changed) + 1)
        to = min(len(changed), at + dice.choice((1, 1, 4, 20, 200)))
        match dice.randrange(7):
            case 0:
                changed[at:to] = b""
            case 1:
                changed[at:at] = dice.choice(BITS)
            case 2:
                changed[at:to] = dice.choice(BITS)
            case 3:
                changed[at:at] = changed[at:to] * dice.choice((1, 2, 50))
            case 4 if at < len(changed):
                changed[at] ^= 1 << dice.randrange(8)
            case 5:
                del changed[at:]
            case _:
                other = dice.choice(others)
                start = dice.randrange(len(other) + 1)
                changed[at:to] = other[start : start + dice.randrange(300)]
    return bytes(changed)


class Seed(NamedTuple):
    """A log on disk: what is read, and the files that it is made of."""

    name: str
    root: Path
    files: tuple[tuple[Path, bytes], ...]


def planted(folder: Path) -> list[Seed]:
    """Every seed below a folder: one of each format, those of the trackers among them."""
    seeds = []
    for number, (name, make) in enumerate((SEEDS | TRACKERS).items()):
        place = folder / str(number)
        place.mkdir()
        if name in SEEDS:
            (place / "log").write_bytes(SEEDS[name]())
        root = place / "log" if name in SEEDS else make(place)
        files = [path for path in sorted(place.rglob("*")) if path.is_file()]
        seeds.append(Seed(name, root, tuple((path, path.read_bytes()) for path in files)))
    return seeds


def tried(path: Path) -> str:
    """What comes of a log: runs, or which of our errors; any other exception is a fault."""
    try:
        for candidate in runs(path)[:5]:
            try:
                run = with_sums(candidate.read())
                assign(run.tracks, config=run.config)
            except RunopsyError:
                continue
        return "runs"
    except RunopsyError as error:
        return type(error).__name__


def damaged(dice: random.Random, seeds: Sequence[Seed]) -> tuple[str, str]:
    """One seed with one file of it changed and put back again: (its name, what came of it)."""
    seed = dice.choice(seeds)
    path, data = dice.choice(seed.files)
    path.write_bytes(mutated(dice, data, [dice.choice(dice.choice(seeds).files)[1]]))
    try:
        return seed.name, tried(seed.root)
    finally:
        path.write_bytes(data)


def main(count: int, number: int) -> int:
    slowest, faults, began, answers = 0.0, 0, time.perf_counter(), dict[str, int]()
    with TemporaryDirectory() as folder:
        seeds = planted(Path(folder))
        for seed in seeds:  # imports and caches are none of the growth
            tried(seed.root)
        start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for i in range(count):
            at = time.process_time()  # on a busy machine, waiting is no hang
            try:
                name, answer = damaged(random.Random(f"{number}/{i}"), seeds)
            except BaseException as fault:  # also what polars calls a panic
                if isinstance(fault, KeyboardInterrupt):
                    raise
                name, answer, faults = "?", "fault", faults + 1
                print(f"{number}/{i}: {type(fault).__name__}: {str(fault)[:200]}", flush=True)
            took = time.process_time() - at
            answers[answer] = answers.get(answer, 0) + 1
            slowest = max(slowest, took)
            if took > SLOW:
                faults += 1
                print(f"{number}/{i} {name}: {took:.1f} s", flush=True)
            if i % 10_000 == 9_999 or i == count - 1:
                grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start) * 1024
                told = f"{i + 1} inputs in {time.perf_counter() - began:.0f} s: {faults} faults, {answers}"
                print(f"{told}, the slowest took {slowest:.2f} s, memory grew by {grown / 1e6:.0f} MB", flush=True)
    return int(faults > 0 or grown > MEMORY)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0))
