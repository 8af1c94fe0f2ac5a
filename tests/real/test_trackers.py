"""Trackers write, runopsy reads: every value, step and time, as the tracker itself was told them.

``make test-readers`` installs the trackers; where one is missing, its tests are skipped. Each writes in a
process of its own: trackers start threads, patch what they find and listen to the environment.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest

from runopsy.model import Run
from runopsy.readers import read, runs

# What every script logs: a resume at step 60, NaN and infinity, a validation that is logged every tenth step.
RUN = """
import math
ROWS = [(step, {"train/loss": 2 / (1 + step)} | ({"val/loss": 2.2 / (1 + step)} if step % 10 == 9 else {}))
        for step in [*range(80), *range(60, 100)]]
ROWS += [(100, {"train/loss": math.nan}), (101, {"train/loss": math.inf})]
"""


def told():
    """(step, value) of both metrics, as ``RUN`` has them."""
    known: dict = {}
    exec(RUN, known)
    return {
        name: [(step, row[name]) for step, row in known["ROWS"] if name in row] for name in ("train/loss", "val/loss")
    }


@pytest.fixture
def write(tmp_path):
    """Runs a script that logs with a library, in ``tmp_path``."""

    def run(library: str, script: str, **environment: str) -> None:
        if importlib.util.find_spec(library) is None:
            pytest.skip(f"{library} is not installed")
        done = subprocess.run(
            [sys.executable, "-c", RUN + textwrap.dedent(script)],
            cwd=tmp_path,
            env={**os.environ, "HOME": str(tmp_path / "home"), **environment},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    return run


def is_what_was_told(run: Run, *, steps=None, names=None, exact=0.0):
    for name, rows in told().items():
        track = run.tracks[(names or {}).get(name, name)]
        np.testing.assert_array_equal(track.step, [step for step, _ in rows] if steps is None else steps[name])
        np.testing.assert_allclose(track.value, [value for _, value in rows], rtol=exact)


def is_timed(run: Run, began: float):
    for track in run.tracks.values():
        assert track.time is not None
        assert began - 2 <= track.time.min() <= track.time.max() <= time.time() + 2  # Comet and MLflow cut to ms


def has_one_resume(run: Run, at: int = 80):
    assert np.flatnonzero(np.diff(run.tracks["train/loss"].session)).tolist() == [at - 1]


# --- TensorBoard ---------------------------------------------------------------------------------

TORCH = """
from torch.utils.tensorboard import SummaryWriter
with SummaryWriter("log") as writer:
    for step, row in ROWS:
        for name, value in row.items():
            writer.add_scalar(name, value, step{options})
    writer.add_histogram("weights", __import__("numpy").arange(10.0), 1)
    writer.add_text("note", "text", 1)
"""


@pytest.mark.parametrize("options", ["", ", new_style=True", ", new_style=True, double_precision=True"])
def test_tensorboard_by_torch(write, tmp_path, options):
    began = time.time()
    write("tensorboard", TORCH.format(options=options))
    run = read(tmp_path / "log")
    is_what_was_told(run, exact=0 if "double" in options else 1e-7)
    is_timed(run, began)
    has_one_resume(run)
    assert set(run.tracks) == {"train/loss", "val/loss"}


def test_tensorboard_by_tensorboardx(write, tmp_path):
    write("tensorboardX", TORCH.format(options="").replace("torch.utils.tensorboard", "tensorboardX"))
    is_what_was_told(read(tmp_path / "log"), exact=1e-7)


def test_tensorboard_curves_of_add_scalars_and_hparams(write, tmp_path):
    write(
        "tensorboard",
        """
        from torch.utils.tensorboard import SummaryWriter
        with SummaryWriter("log") as writer:
            for step, row in ROWS:
                writer.add_scalars("Loss", {name.split("/")[0]: value for name, value in row.items()}, step)
            writer.add_hparams({"lr": 0.1}, {"hparam/loss": 0.5})
        """,
    )
    run = read(tmp_path / "log")
    is_what_was_told(run, names={"train/loss": "Loss/train", "val/loss": "Loss/val"}, exact=1e-7)
    assert run.tracks["hparam/loss"].value.tolist() == [0.5]


def test_tensorboard_purge_step_is_the_accumulators(write, tmp_path):
    write(
        "tensorboard",
        """
        import json
        from torch.utils.tensorboard import SummaryWriter
        with SummaryWriter("log") as writer:
            for step in range(100):
                writer.add_scalar("loss", step, step)
        with SummaryWriter("log", purge_step=60, filename_suffix=".2") as writer:
            for step in range(60, 70):
                writer.add_scalar("loss", -step, step)
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
        found = EventAccumulator("log", size_guidance={"scalars": 0}).Reload().Scalars("loss")
        json.dump([(event.step, event.value, event.wall_time) for event in found], open("told.json", "w"))
        """,
    )
    track = read(tmp_path / "log").tracks["loss"]
    kept = (track.session == 1) | (track.step < 60)
    rows = list(zip(track.step[kept].tolist(), track.value[kept].tolist(), track.time[kept].tolist(), strict=True))
    assert rows == [tuple(row) for row in json.loads((tmp_path / "told.json").read_text())]


# --- Weights & Biases ----------------------------------------------------------------------------


def test_wandb_offline(write, tmp_path):
    """Its steps only rise: what is logged for an earlier one is dropped by W&B itself."""
    began = time.time()
    write(
        "wandb",
        """
        import wandb
        run = wandb.init(project="p", name="calm-sun-3", mode="offline", config={"lr": 0.1, "net": {"depth": 2}})
        for _, row in ROWS:
            nested = {name.split("/")[0]: {"loss": value} for name, value in row.items()}
            run.log(nested | {"h": wandb.Histogram([1, 2])})
        run.finish()
        """,
        WANDB_SILENT="true",
    )
    run = read(tmp_path / "wandb")
    rows = list(range(len(told()["train/loss"])))
    val = [i for i, (step, _) in enumerate(told()["train/loss"]) if step % 10 == 9 and step < 100]
    is_what_was_told(run, steps={"train/loss": rows, "val/loss": val})
    is_timed(run, began)
    assert run.id == "calm-sun-3"
    assert run.config == {"lr": 0.1, "net": {"depth": 2}}


def test_wandb_by_its_own_axis(write, tmp_path):
    write(
        "wandb",
        """
        import wandb
        run = wandb.init(project="p", mode="offline")
        run.define_metric("*", step_metric="trainer/global_step")
        for step, row in ROWS:
            run.log(row | {"trainer/global_step": step})
        run.finish()
        """,
        WANDB_SILENT="true",
    )
    run = read(tmp_path / "wandb")
    is_what_was_told(run)
    has_one_resume(run)


# --- MLflow --------------------------------------------------------------------------------------

MLFLOW = """
import mlflow
mlflow.set_tracking_uri({address!r})
mlflow.set_experiment("exp A")
for name in ("one", "two"):
    with mlflow.start_run(run_name=name):
        mlflow.log_param("lr", 0.1)
        for step, row in ROWS:
            mlflow.log_metrics(row, step=step)
"""


@pytest.mark.parametrize("store", ["file:mlruns", "sqlite:///mlflow.db"])
def test_mlflow(write, tmp_path, store):
    began = time.time()
    write("mlflow", MLFLOW.format(address=store), MLFLOW_ALLOW_FILE_STORE="true")
    place = tmp_path / ("mlruns" if store.startswith("file") else "mlflow.db")
    assert [run.name for run in runs(place)] == ["one", "two"]
    run = read(place, "two")
    is_what_was_told(run)
    is_timed(run, began)
    has_one_resume(run)
    assert run.config == {"lr": "0.1"}


# --- others --------------------------------------------------------------------------------------


def test_trackio(write, tmp_path):
    began = time.time()
    write(
        "trackio",
        """
        import trackio
        trackio.init(project="p", name="calm-sun-3", config={"lr": 0.1})
        for i, (step, row) in enumerate(ROWS):
            if i == 60:
                __import__("time").sleep(2)  # it notes the time of each batch that it writes
            trackio.log(row, step=step)
        trackio.finish()
        """,
        TRACKIO_DIR=str(tmp_path / "trackio"),
    )
    run = read(tmp_path / "trackio")
    is_what_was_told(run)
    is_timed(run, began)
    has_one_resume(run)
    assert (run.id, run.config["lr"]) == ("calm-sun-3", 0.1)


def test_dvclive(write, tmp_path):
    """It has neither a clock nor, without one, a way to go back but to set its step."""
    write(
        "dvclive",
        """
        from dvclive import Live
        with Live(save_dvc_exp=False, dvcyaml=None, monitor_system=False) as live:
            live.log_param("lr", 0.1)
            for step, row in ROWS:
                live.step = step
                for name, value in row.items():
                    live.log_metric(name, value)
        """,
        DVC_NO_ANALYTICS="1",
    )
    run = read(tmp_path / "dvclive")
    is_what_was_told(run)
    has_one_resume(run)
    assert run.config == {"lr": "0.1"}


def test_sacred(write, tmp_path):
    began = time.time()
    write(
        "sacred",
        """
        from sacred import Experiment, SETTINGS
        from sacred.observers import FileStorageObserver
        SETTINGS.CAPTURE_MODE = "no"
        experiment = Experiment("e", save_git_info=False, interactive=True)
        experiment.observers.append(FileStorageObserver("runs"))
        experiment.add_config(lr=0.1)

        @experiment.main
        def main(_run):
            for step, row in ROWS:
                for name, value in row.items():
                    _run.log_scalar(name, value, step)

        experiment.run()
        """,
    )
    run = read(tmp_path / "runs" / "1")
    is_what_was_told(run)
    is_timed(run, began)
    has_one_resume(run)
    assert run.config["lr"] == 0.1


def test_comet(write, tmp_path):
    began = time.time()
    write(
        "comet_ml",
        """
        import comet_ml
        experiment = comet_ml.OfflineExperiment(
            project_name="p", workspace="w", offline_directory="comet", log_code=False, log_graph=False,
            log_env_details=False, log_git_metadata=False, log_git_patch=False, parse_args=False,
            display_summary_level=0,
        )
        experiment.log_parameter("lr", 0.1)
        for step, row in ROWS:
            experiment.log_metrics(row, step=step)
        experiment.end()
        """,
        COMET_API_KEY="none",
    )
    run = read(tmp_path / "comet")
    is_what_was_told(run)
    is_timed(run, began)
    has_one_resume(run)
    assert run.config["lr"] == 0.1


def test_clearml(write, tmp_path):
    """It stores what is not finite as 0, which the notes say."""
    began = time.time()
    write(
        "clearml",
        """
        from clearml import Task
        Task.set_offline(True)
        task = Task.init("p", "calm-sun-3", auto_connect_frameworks={"detect_repository": False},
                         auto_connect_arg_parser=False, auto_resource_monitoring=False)
        for step, row in ROWS:
            for name, value in row.items():
                side, title = name.split("/")
                task.get_logger().report_scalar(title, side, value, step)
        task.close()
        """,
        CLEARML_CACHE_DIR=str(tmp_path / "cache"),
    )
    (place,) = (tmp_path / "cache").rglob("*.zip")
    for run in (read(place), read(place.with_suffix(""))):
        rows = told()
        train, val = run.tracks["loss/train"], run.tracks["loss/val"]
        assert train.step.tolist() == [step for step, _ in rows["train/loss"]]
        assert train.value[:-2].tolist() == [value for _, value in rows["train/loss"]][:-2]
        assert val.value.tolist() == [value for _, value in rows["val/loss"]]
        assert train.value[-2:].tolist() == [0, 0]
        is_timed(run, began)
        assert any("stores NaN and infinity as 0" in note for note in run.notes)
