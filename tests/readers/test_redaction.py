"""A redacted log holds nothing of what it is about, and is judged as before."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import planted
import runopsy
from conftest import ROOT
from runopsy.model import Mark, Run, Track
from runopsy.readers import read
from runopsy.readers.import_run import keep
from runopsy.readers.redaction import as_csv, redacted
from runopsy.signals import assign, with_sums

SAMPLES = sorted((ROOT / "sample_logs").iterdir())
EPOCHS = sorted((ROOT / "tests" / "epochs" / "logs").iterdir())


def bare(run: Run) -> Run:
    run = with_sums(run)
    return redacted(run, assign(run.tracks, {}, None, run.config))


def by_csv(run: Run, folder: Path) -> str:
    path = folder / "redacted.csv"
    path.write_text(as_csv(bare(run)), encoding="utf-8")
    return runopsy.analyze(path).verdict.name


@pytest.mark.parametrize("log", [SAMPLES[0], SAMPLES[4], *EPOCHS[::9]], ids=lambda path: path.name)
def test_the_verdict_stays(log: Path, tmp_path: Path) -> None:
    assert by_csv(read(log), tmp_path) == runopsy.analyze(log).verdict.name


@pytest.mark.slow
@pytest.mark.parametrize("log", [*SAMPLES, *EPOCHS], ids=lambda path: path.name)
def test_the_verdict_of_every_log_stays(log: Path, tmp_path: Path) -> None:
    run = read(log)
    wanted = runopsy.analyze(log).verdict.name
    keep(bare(run), tmp_path / "folder")
    assert by_csv(run, tmp_path) == wanted
    assert runopsy.analyze(tmp_path / "folder").verdict.name == wanted


def secret() -> Run:
    step = np.arange(0, 400.0, 4)
    curves = {"TOPSECRET_ce_loss": planted.decay(step), "mAP/project-x": step / 800, "eval/secret-set/loss": step + 1}
    curves["private thing"] = 1e6 + 7 * step
    time = 1_700_000_000.0 + step
    tracks = {name: Track(name, step, np.asarray(value, float), time) for name, value in curves.items()}
    marks = (Mark(396, "crashed", {"message": "no /home/me/secret"}), Mark(8, "my secret event"))
    config = {"optimizer": "SGD", "data": "secret", "momentum": 0.9, "name": "TOPSECRET"}
    return Run("/home/me/secret.csv", "secret", "step", tracks, marks, config, "failed", ("secret note",))


def test_no_text_and_no_date_is_left(tmp_path: Path) -> None:
    found = bare(secret())
    text = f"{found} {found.config} {found.marks} {found.notes} {as_csv(found)}".lower()
    for word in ("secret", "private", "project", "home"):
        assert word not in text
    assert "1700" not in as_csv(found)
    assert found.config == {"optimizer": "SGD", "momentum": 0.9}
    assert [mark.kind for mark in found.marks] == ["crashed"]
    keep(found, tmp_path / "folder")
    for path in (tmp_path / "folder").rglob("*"):
        assert path.is_dir() or b"secret" not in path.read_bytes().lower()


def test_what_nobody_judges_keeps_its_shape_alone() -> None:
    column = list(bare(secret()).tracks.values())[-1].value
    assert (column.min(), column.max()) == (0, 1)
    assert np.allclose(np.diff(column), 1 / 99)


def test_a_table_is_read_again_as_it_was(tmp_path: Path) -> None:
    run = planted.overfitting()
    path = tmp_path / "redacted.csv"
    path.write_text(as_csv(bare(run)), encoding="utf-8")
    again = read(path)
    for name, track in run.tracks.items():
        assert np.allclose(again.tracks[name].value, track.value, rtol=1e-8)
        assert again.tracks[name].step.tolist() == track.step.tolist()
