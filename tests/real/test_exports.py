"""runopsy exports, trackers read: every value, phase, event and the verdict, by the tracker's own reader.

``make test-readers`` installs the trackers; where one is missing, its test is skipped.
"""

import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import planted
from runopsy.autopsy import analyze
from runopsy.export import export
from runopsy.export.payload import PHASES
from runopsy.model import Run, Track

SAMPLES = Path(__file__).parents[2] / "sample_logs"
pytestmark = pytest.mark.filterwarnings("ignore")  # of the trackers' own libraries


@pytest.fixture(scope="module")
def autopsy():
    return analyze(SAMPLES / "grokking")


@pytest.fixture(scope="module")
def by_epochs():
    """A run on fractional epochs whose end is NaN, with names that trackers refuse."""
    step = np.arange(60) / 4
    loss = planted.noisy(planted.decay(step, scale=2.0), 0.02)
    loss[-2:] = math.nan, math.inf
    rows = {"train/loss": loss, "val/loss": planted.noisy(planted.decay(step, scale=2.0), 0.01, 1), "a~b@(c)": step}
    return analyze(Run("odd", "odd; $(run) 'id'", "epoch", {n: Track(n, step, v) for n, v in rows.items()}))


def same(found, signal):
    steps, values = (np.array(column) for column in zip(*found, strict=True))
    finite = np.isfinite(values)
    np.testing.assert_array_equal(values[finite], signal.value)
    return steps[finite]


def test_tensorboard_reads_what_is_exported(autopsy, tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util import tensor_util

    export(autopsy, "tensorboard", tmp_path)
    read = EventAccumulator(str(tmp_path), size_guidance={"tensors": 0}).Reload()
    for name, signal in autopsy.signals.items():
        records = read.Tensors(name)
        found = [(r.step, tensor_util.make_ndarray(r.tensor_proto).item()) for r in records]
        np.testing.assert_array_equal(same(found, signal), signal.step)
        if signal.time is not None:
            np.testing.assert_array_equal([r.wall_time for r in records], signal.time)
    phases = [(r.step, tensor_util.make_ndarray(r.tensor_proto).item()) for r in read.Tensors("runopsy/phase")]
    for phase in autopsy.phases:
        last = phase is autopsy.phases[-1]
        inside = [n for s, n in phases if phase.start <= s and (s < phase.end or last)]
        assert inside == 2 * [PHASES[phase.label]]
    texts = [tensor_util.make_ndarray(r.tensor_proto).item().decode() for r in read.Tensors("runopsy/events")]
    assert len(texts) == len(autopsy.events)
    assert any(text.startswith("**grokking**, step 480") for text in texts)
    assert b"GROKKED" in tensor_util.make_ndarray(read.Tensors("runopsy/verdict")[0].tensor_proto).item().upper()
    assert tensor_util.make_ndarray(read.Tensors("runopsy/picture")[0].tensor_proto)[2].startswith(b"\x89PNG")
    plugins = {
        n: read.SummaryMetadata(n).plugin_data.plugin_name for n in ("train/loss", "runopsy/events", "runopsy/picture")
    }
    assert list(plugins.values()) == ["scalars", "text", "images"]


def test_tensorboard_counts_rows_where_the_axis_has_fractions(by_epochs, tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from tensorboard.util import tensor_util

    export(by_epochs, "tensorboard", tmp_path)
    read = EventAccumulator(str(tmp_path), size_guidance={"tensors": 0}).Reload()
    axis = [tensor_util.make_ndarray(r.tensor_proto).item() for r in read.Tensors("runopsy/epoch")]
    found = [(axis[r.step], tensor_util.make_ndarray(r.tensor_proto).item()) for r in read.Tensors("train/loss")]
    assert [math.isnan(v) for _, v in found[-2:]] == [True, True]
    np.testing.assert_array_equal(same(found, by_epochs.signals["train/loss"]), by_epochs.signals["train/loss"].step)


def test_mlflow_reads_what_is_exported(autopsy, by_epochs, tmp_path):
    mlflow = pytest.importorskip("mlflow")
    for one in (autopsy, by_epochs):
        export(one, "mlflow", tmp_path / "store")
    client = mlflow.MlflowClient(tracking_uri=f"sqlite:///{tmp_path}/store/mlflow.db")
    runs = {
        run.info.run_name: run for run in client.search_runs([client.get_experiment_by_name("runopsy").experiment_id])
    }
    run = runs[autopsy.run.id]
    for name, signal in autopsy.signals.items():
        key = name.replace("~", "_")
        found = sorted((m.step, m.value) for m in client.get_metric_history(run.info.run_id, key))
        np.testing.assert_array_equal(same(found, signal), signal.step)
    assert run.data.tags["runopsy.verdict"] == "grokked"
    assert '"grokking"' in run.data.tags["runopsy.events"]
    files = {Path(f.path).name for f in client.list_artifacts(run.info.run_id, "runopsy")}
    assert files == {"autopsy.json", "autopsy.html", "autopsy.png"}
    phases = {m.value for m in client.get_metric_history(run.info.run_id, "runopsy/phase")}
    assert phases == {PHASES[p.label] for p in autopsy.phases}
    odd = runs[by_epochs.run.id].info.run_id
    axis = dict(sorted((m.step, m.value) for m in client.get_metric_history(odd, "runopsy/epoch")))
    found = sorted((axis[m.step], m.value) for m in client.get_metric_history(odd, "train/loss"))
    assert sum(math.isnan(value) for _, value in found) == 2
    same(found, by_epochs.signals["train/loss"])
    same(sorted((m.step, m.value) for m in client.get_metric_history(odd, "a_b__c_")), by_epochs.signals["a~b@(c)"])


def test_wandb_reads_what_is_exported(autopsy, tmp_path):
    pytest.importorskip("wandb")
    done = subprocess.run(
        [sys.executable, "-m", "runopsy", "export", str(SAMPLES / "grokking"), "--to", "wandb", "-o", str(tmp_path)],
        env={**os.environ, "HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    (file,) = tmp_path.glob("wandb/offline-run-*/*.wandb")
    rows, summary, config = wandb_records(file)
    for name, signal in autopsy.signals.items():
        found = [(row["runopsy/step"], row[name]) for row in rows if name in row]
        np.testing.assert_array_equal(same(found, signal), signal.step)
    assert summary["runopsy/verdict"] == "grokked"
    assert {row["runopsy/phase"] for row in rows if "runopsy/phase" in row} == {PHASES[p.label] for p in autopsy.phases}
    assert set(config) >= set(autopsy.run.config)
    assert list(file.parent.glob("files/media/images/*/*.png")) or list(file.parent.glob("files/media/images/**/*.png"))
    assert list(file.parent.glob("files/media/table/**/*.json"))


def wandb_records(file):
    """What the messages of wandb's own protocol hold, record by record of its log."""
    import json

    from wandb.proto.wandb_internal_pb2 import Record

    data, at, whole = file.read_bytes(), 7, b""
    rows, summary, config = [], {}, {}
    while at + 7 <= len(data):
        if 32768 - at % 32768 < 7:
            at += 32768 - at % 32768
            continue
        size, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        whole = data[at + 7 : at + 7 + size] if kind in (1, 2) else whole + data[at + 7 : at + 7 + size]
        at += 7 + size
        if kind not in (1, 4):
            continue
        record = Record.FromString(whole)
        key = lambda item: "/".join(item.nested_key) or item.key  # noqa: E731  # one line, twice
        if record.WhichOneof("record_type") == "history":
            rows.append({key(item): json.loads(item.value_json) for item in record.history.item})
        elif record.WhichOneof("record_type") == "summary":
            summary |= {key(item): json.loads(item.value_json) for item in record.summary.update}
        elif record.WhichOneof("record_type") == "run":
            config |= {key(item): json.loads(item.value_json) for item in record.run.config.update}
    return rows, summary, config
