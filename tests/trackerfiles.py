"""Small logs of trackers, written byte by byte from what their formats say, without any code of ours or theirs.

``SEEDS`` names a writer of each format: it fills an empty folder and gives the path that is to be read. All
of them write the same run: ten steps of train/loss 2/(1+s) and val/loss 2.2/(1+s), one second apart.
"""

from __future__ import annotations

import json
import sqlite3
import struct
import zipfile
import zlib
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

START = 1_700_000_000.0  # unix seconds
STEPS = range(10)


def rows():
    """(metric, step, time, value) in the order in which a training would log them."""
    for step in STEPS:
        yield "train/loss", step, START + step, 2 / (1 + step)
        yield "val/loss", step, START + step + 0.5, 2.2 / (1 + step)


# --- protocol buffers ----------------------------------------------------------------------------


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def number(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def double(field: int, value: float) -> bytes:
    return varint(field << 3 | 1) + struct.pack("<d", value)


def float32(field: int, value: float) -> bytes:
    return varint(field << 3 | 5) + struct.pack("<f", value)


def message(field: int, content: bytes | str) -> bytes:
    content = content.encode() if isinstance(content, str) else content
    return varint(field << 3 | 2) + varint(len(content)) + content


# --- TensorBoard ---------------------------------------------------------------------------------


def crc32c(data: bytes) -> int:
    """Bit by bit, as the polynomial says."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def record(payload: bytes) -> bytes:
    def check(data: bytes) -> bytes:
        crc = crc32c(data)
        return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)

    length = struct.pack("<Q", len(payload))
    return length + check(length) + payload + check(payload)


def event(*values: bytes, time: float = START, step: int | None = None, extra: bytes = b"") -> bytes:
    summary = message(5, b"".join(message(1, value) for value in values)) if values else b""
    return record(double(1, time) + (b"" if step is None else number(2, step)) + extra + summary)


def simple(tag: str, value: float) -> bytes:
    return message(1, tag) + float32(2, value)


def tensor(tag: str, content: bytes, plugin: str | None = "scalars") -> bytes:
    """A value as a tensor; only the first of a tag names its plug-in."""
    metadata = b"" if plugin is None else message(9, message(1, message(1, plugin)))
    return message(1, tag) + metadata + message(8, content)


def session_start(step: int, time: float = START) -> bytes:
    return event(time=time, step=step, extra=message(7, number(1, 1)))


VERSION = event(extra=message(3, "brain.Event:2"))


def events(*parts: bytes) -> bytes:
    return VERSION + b"".join(parts)


def tensorboard(folder: Path) -> Path:
    logged = [event(simple(tag, value), time=time, step=step) for tag, step, time, value in rows()]
    (folder / "events.out.tfevents.1700000000.host.1.0").write_bytes(events(*logged))
    return folder


# --- Weights & Biases ----------------------------------------------------------------------------

WANDB_BLOCK = 1 << 15


def wandb_file(*records: bytes) -> bytes:
    """Records in pieces, none of which crosses a block."""
    out = bytearray(b":W&B\xe1\xbe\x00")
    for content in records:
        rest, first = content, True
        while rest or first:
            room = WANDB_BLOCK - len(out) % WANDB_BLOCK
            if room < 7:
                out += bytes(room)
                continue
            piece, rest = rest[: room - 7], rest[room - 7 :]
            kind = {(True, True): 1, (True, False): 2, (False, False): 3, (False, True): 4}[first, not rest]
            out += struct.pack("<IHB", zlib.crc32(bytes([kind]) + piece), len(piece), kind) + piece
            first = False
    return bytes(out)


def wandb_row(**values: object) -> bytes:
    """A history record; keys are nested at their double underscores, as newer versions nest objects."""
    items = b""
    for name, value in values.items():
        parts = b"".join(message(2, part) for part in name.split("__"))
        items += message(1, parts + message(16, json.dumps(value)))
    return message(2, items)


WANDB_EXIT = message(18, b"")


def wandb(folder: Path) -> Path:
    config = message(17, message(4, message(1, message(1, "lr") + message(16, "0.1"))) + message(8, "calm-sun-3"))
    history = [
        wandb_row(_step=step, _timestamp=START + step, **{"train/loss": 2 / (1 + step), "val__loss": 2.2 / (1 + step)})
        for step in STEPS
    ]
    (folder / "run-abc.wandb").write_bytes(wandb_file(config, *history, WANDB_EXIT))
    return folder


def wandb_export(folder: Path) -> Path:
    metrics = [f"{run} - loss{end}" for run in ("calm-sun-3", "a - b") for end in ("", "__MIN", "__MAX")]
    lines = [",".join(f'"{name}"' for name in ("Step", *metrics))]
    lines += [",".join(f'"{cell}"' for cell in (s, *[2 / (1 + s)] * 3, *[3 / (1 + s)] * 3)) for s in STEPS]
    (folder / "export.csv").write_text("\n".join(lines) + "\n")
    return folder / "export.csv"


# --- MLflow --------------------------------------------------------------------------------------


def mlflow_run(folder: Path, name: str, metrics: dict[str, str], **meta: object) -> Path:
    """A run's folder, from the text of each metric's file."""
    (folder / "params").mkdir(parents=True)
    (folder / "params" / "lr").write_text("0.1")
    said = {"lifecycle_stage": "active", "run_name": name, "start_time": 1_700_000_000_000, **meta}
    (folder / "meta.yaml").write_text("".join(f"{key}: {value}\n" for key, value in said.items()))
    (folder / "metrics").mkdir()
    for metric, text in metrics.items():
        path = folder / "metrics" / metric
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def mlflow_lines() -> dict[str, str]:
    found: dict[str, str] = {}
    for metric, step, time, value in rows():
        found[metric] = found.get(metric, "") + f"{int(time * 1000)} {value} {step}\n"
    return found


def mlflow_files(folder: Path) -> Path:
    experiment = folder / "mlruns" / "1"
    mlflow_run(experiment / "0123456789abcdef", "calm-sun-3", mlflow_lines())
    (experiment / "meta.yaml").write_text("name: exp A\n")
    return folder / "mlruns"


MLFLOW_SCHEMA = """
CREATE TABLE experiments (experiment_id INTEGER PRIMARY KEY, name VARCHAR(256));
CREATE TABLE runs (run_uuid VARCHAR(32) PRIMARY KEY, name VARCHAR(250), experiment_id INTEGER,
                   lifecycle_stage VARCHAR(20));
CREATE TABLE params ("key" VARCHAR(250), value VARCHAR(8000), run_uuid VARCHAR(32));
CREATE TABLE metrics ("key" VARCHAR(250) NOT NULL, value FLOAT NOT NULL, timestamp BIGINT NOT NULL,
                      run_uuid VARCHAR(32) NOT NULL, step BIGINT DEFAULT '0' NOT NULL, is_nan BOOLEAN DEFAULT '0',
                      PRIMARY KEY ("key", timestamp, step, run_uuid, value, is_nan));
CREATE INDEX index_metrics_run_uuid ON metrics (run_uuid);
INSERT INTO experiments VALUES (1, 'exp A');
"""


def mlflow_database(folder: Path, runs: tuple[str, ...] = ("calm-sun-3",)) -> Path:
    path = folder / "mlflow.db"
    connection = sqlite3.connect(path)
    connection.executescript(MLFLOW_SCHEMA)
    for run in runs:
        connection.execute("INSERT INTO runs VALUES (?, ?, 1, 'active')", (run * 2, run))
        connection.execute("INSERT INTO params VALUES ('lr', '0.1', ?)", (run * 2,))
        connection.executemany(
            "INSERT INTO metrics VALUES (?, ?, ?, ?, ?, 0)",
            ((metric, value, int(time * 1000), run * 2, step) for metric, step, time, value in rows()),
        )
    connection.commit()
    connection.close()
    return path


# --- other trackers ------------------------------------------------------------------------------


def trackio(folder: Path, runs: tuple[str, ...] = ("calm-sun-3",)) -> Path:
    path = folder / "project.db"
    connection = sqlite3.connect(path)
    connection.executescript("""
        CREATE TABLE metrics (id INTEGER PRIMARY KEY AUTOINCREMENT, run_id TEXT, timestamp TEXT, run_name TEXT,
                              step INTEGER, metrics TEXT);
        CREATE TABLE configs (id INTEGER PRIMARY KEY, run_id TEXT, run_name TEXT, config TEXT);
    """)
    for run in runs:
        config = json.dumps({"lr": 0.1, "_Username": None})
        connection.execute("INSERT INTO configs (run_id, run_name, config) VALUES (?, ?, ?)", (run * 2, run, config))
        for step in STEPS:
            logged = json.dumps({"train/loss": 2 / (1 + step), "val": {"loss": 2.2 / (1 + step)}})
            connection.execute(
                "INSERT INTO metrics (run_id, timestamp, run_name, step, metrics) VALUES (?, ?, ?, ?, ?)",
                (run * 2, f"2023-11-14T22:13:{20 + step}+00:00", run, step, logged.encode()),
            )
    connection.commit()
    connection.close()
    return path


def dvclive(folder: Path) -> Path:
    for metric, factor in (("train/loss", 2), ("val/loss", 2.2)):
        path = folder / "dvclive" / "plots" / "metrics" / f"{metric}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("step\tloss\n" + "".join(f"{s}\t{factor / (1 + s)}\n" for s in STEPS))
    (folder / "dvclive" / "params.yaml").write_text("lr: 0.1\n")
    return folder / "dvclive"


def sacred(folder: Path) -> Path:
    metrics = {
        name: {
            "steps": list(STEPS),
            "timestamps": [f"2023-11-14T22:13:{20 + s}.250000" for s in STEPS],
            "values": [factor / (1 + s) for s in STEPS],
        }
        for name, factor in (("train/loss", 2), ("val/loss", 2.2))
    }
    (folder / "metrics.json").write_text(json.dumps(metrics, indent=2))
    (folder / "run.json").write_text('{"status": "COMPLETED"}')
    (folder / "config.json").write_text('{"lr": 0.1}')
    return folder


def archive(path: Path, **files: str) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in files.items():
            packed.writestr(name.replace("__", "."), content)
    return path


def comet_metric(name: str, value: object, step: int | None, time: float = START, epoch: int | None = None) -> str:
    metric = {"metricName": name, "metricValue": value, "step": step, "epoch": epoch}
    return json.dumps({"payload": {"local_timestamp": int(time * 1000), "metric": metric}, "type": "metric_msg"})


def comet(folder: Path) -> Path:
    lines = [comet_metric(metric, value, step, time) for metric, step, time, value in rows()]
    lines.append(json.dumps({"payload": {"param": {"paramName": "lr", "paramValue": 0.1}}, "type": "parameter_msg"}))
    return archive(folder / "comet.zip", experiment__json="{}", messages__json="\n".join(lines) + "\n")


def clearml(folder: Path) -> Path:
    logged = [
        {"timestamp": int(time * 1000), "type": "training_stats_scalar", "iter": step, "metric": "loss",
         "variant": metric.split("/")[0], "value": value}
        for metric, step, time, value in rows()
    ]  # fmt: skip
    lines = [json.dumps(logged[:8]), json.dumps(logged[8:])]
    return archive(
        folder / "task.zip", metrics__jsonl="\n".join(lines) + "\n", task__json='{"name": "calm-sun-3"}', log__jsonl=""
    )


def neptune(folder: Path, runs: tuple[str, ...] = ("RUN-1",)) -> Path:
    """The columns that the exporter documents; a file per run and part."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    for run in runs:
        logged = list(rows())
        count = len(logged) + 1
        table = pa.table(
            {
                "project_id": ["team/project"] * count,
                "run_id": [run] * count,
                "attribute_path": [metric for metric, _, _, _ in logged] + ["parameters/lr"],
                "attribute_type": ["float_series"] * len(logged) + ["float"],
                "step": pa.array([*(Decimal(step) for _, step, _, _ in logged), None], pa.decimal128(18, 6)),
                "timestamp": pa.array(
                    [*(int(time * 1000) for _, _, time, _ in logged), None], pa.timestamp("ms", "UTC")
                ),
                "int_value": pa.nulls(count, pa.int64()),
                "float_value": [value for _, _, _, value in logged] + [0.1],
                "string_value": pa.nulls(count, pa.string()),
                "bool_value": pa.nulls(count, pa.bool_()),
            }
        )
        pq.write_table(table.slice(0, 12), folder / f"{run}_part_0.parquet")
        pq.write_table(table.slice(12), folder / f"{run}_part_1.parquet")
    return folder


SEEDS: dict[str, Callable[[Path], Path]] = {
    "tensorboard": tensorboard,
    "wandb": wandb,
    "wandb export": wandb_export,
    "mlflow files": mlflow_files,
    "mlflow database": mlflow_database,
    "trackio": trackio,
    "dvclive": dvclive,
    "sacred": sacred,
    "comet": comet,
    "clearml": clearml,
    "neptune": neptune,
}
