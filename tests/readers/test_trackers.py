"""What all trackers' logs have in common: the same run reads the same, whoever stored it."""

from __future__ import annotations

import numpy as np
import pytest

from runopsy.errors import UnreadableLog
from runopsy.readers import read, runs
from trackerfiles import SEEDS, START, STEPS, mlflow_database, neptune, trackio

ONE_RUN = [name for name in SEEDS if name != "wandb export"]
WITH_CLOCK = [name for name in ONE_RUN if name != "dvclive"]
WITH_CONFIG = [name for name in ONE_RUN if name not in ("tensorboard", "clearml")]


@pytest.fixture(params=ONE_RUN)
def stored(request, tmp_path):
    return request.param, read(SEEDS[request.param](tmp_path))


def losses(run):
    """(the column of the training, that of the validation), by whatever name the tracker gives them."""
    train = next(t for name, t in run.tracks.items() if "train" in name)
    val = next(t for name, t in run.tracks.items() if "val" in name)
    return train, val


def test_the_same_run_has_the_same_values_and_steps(stored):
    name, run = stored
    train, val = losses(run)
    exact = 1e-7 if name == "tensorboard" else 0  # its simple values are 32-bit floats
    np.testing.assert_allclose(train.value, [2 / (1 + s) for s in STEPS], rtol=exact)
    np.testing.assert_allclose(val.value, [2.2 / (1 + s) for s in STEPS], rtol=exact)
    assert train.step.tolist() == val.step.tolist() == list(STEPS)
    assert run.axis == "step"
    assert train.session is None
    assert run.notes == ()


def test_the_same_run_has_the_same_clock(stored):
    name, run = stored
    train, _ = losses(run)
    if name in WITH_CLOCK:
        np.testing.assert_allclose(train.time, [START + s for s in STEPS], atol=0.5)
    else:
        assert train.time is None


def test_the_same_run_has_the_same_configuration(stored):
    name, run = stored
    if name in WITH_CONFIG:
        assert [float(value) for key, value in run.config.items() if key.endswith("lr")] == [0.1]


def test_a_run_that_was_named_keeps_its_name(tmp_path):
    for name in ("wandb", "mlflow files", "mlflow database", "trackio", "clearml"):
        folder = tmp_path / name
        folder.mkdir()
        assert read(SEEDS[name](folder)).id == "calm-sun-3"


@pytest.mark.parametrize("writer", [mlflow_database, trackio, neptune])
def test_several_runs_are_named_and_chosen(writer, tmp_path):
    path = writer(tmp_path, ("one", "two"))
    assert [run.name for run in runs(path)] == ["one", "two"]
    assert read(path, "two").id == "two"
    assert read(path, 1).id == "one"
    with pytest.raises(UnreadableLog, match="holds 2 runs: one, two"):
        read(path)


@pytest.mark.parametrize("name", ["tensorboard", "wandb", "mlflow database", "trackio", "comet", "clearml", "sacred"])
def test_what_comes_through_a_pipe_reads_like_the_file(name, tmp_path):
    from runopsy.readers import READERS
    from runopsy.readers.source import Source

    path = SEEDS[name](tmp_path)
    file = max(path.iterdir(), key=lambda entry: entry.stat().st_size) if path.is_dir() else path
    source = Source.from_bytes("standard input", file.read_bytes())
    reader = next(reader for reader in READERS if reader.recognises(source))
    piped, whole = reader.read(source), read(file)
    assert {n: t.value.tolist() for n, t in piped.tracks.items()} == {
        n: t.value.tolist() for n, t in whole.tracks.items()
    }


@pytest.mark.parametrize("name", SEEDS)
def test_reading_leaves_the_log_as_it_was(name, tmp_path):
    path = SEEDS[name](tmp_path)

    def state():
        return {f: (f.read_bytes(), f.stat().st_mtime_ns) for f in sorted(tmp_path.rglob("*")) if f.is_file()}

    before = state()
    for candidate in runs(path):
        candidate.read()
    assert state() == before
