"""What is imported is all there, and the same autopsy comes out of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import runopsy
from runopsy.errors import RunExists
from runopsy.model import Mark, Run, Track
from runopsy.readers import read
from runopsy.readers.import_run import folder_name, keep


def same(one, other):
    assert set(one.tracks) == set(other.tracks)
    for name, track in one.tracks.items():
        kept = other.tracks[name]
        np.testing.assert_array_equal(kept.step, track.step)
        np.testing.assert_array_equal(kept.value, track.value)
        assert (kept.time is None) == (track.time is None)
        if track.time is not None:
            np.testing.assert_array_equal(kept.time, track.time)
        if track.session is not None:
            np.testing.assert_array_equal(kept.session, track.session)


CSV = "epoch,train_loss,val_loss,note\n" + "".join(f"{i / 4},{3 / (i + 1)},{3 / (i + 1) + 0.1},x\n" for i in range(60))


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text(CSV)
    return path


def test_an_imported_log_is_the_log(log, tmp_path):
    run = read(log)
    keep(run, tmp_path / "kept")
    kept = read(tmp_path / "kept")
    same(run, kept)
    assert (kept.axis, kept.id) == ("epoch", "metrics")
    assert set(run.notes) <= set(kept.notes)
    assert runopsy.analyze(kept).verdict == runopsy.analyze(run).verdict


@settings(max_examples=50, deadline=None)
@given(
    steps=st.lists(st.integers(0, 2**50), min_size=1, max_size=30),
    values=st.lists(st.floats(width=64), min_size=30, max_size=30),
    name=st.text(st.characters(codec="utf-8", exclude_categories=("C",)), min_size=1, max_size=12),
    timed=st.booleans(),
)
def test_every_value_time_and_name_comes_back(steps, values, name, timed, tmp_path_factory):
    step = np.sort(np.array(steps, dtype=float))
    value = np.array(values[: len(steps)])
    run = Run("p", "p", "step", {name: Track(name, step, value, np.arange(len(step)) + 0.123 if timed else None)})
    folder = tmp_path_factory.mktemp("kept") / "run"
    keep(run, folder)
    same(run, read(folder))


def test_attempts_marks_and_settings_are_kept(tmp_path):
    session = np.array([0, 0, 0, 1, 1])
    track = Track("loss", np.array([1.0, 2, 3, 2, 3]), np.arange(5.0), session=session)
    keep(Run("p", "p", "step", {"loss": track}, (Mark(2.0, "saved", {"to": "x"}),), {"lr": 0.1}), tmp_path / "kept")
    kept = read(tmp_path / "kept")
    assert kept.tracks["loss"].session.tolist() == session.tolist()
    assert kept.marks == (Mark(2.0, "saved", {"to": "x"}),)
    assert kept.config == {"lr": 0.1}


def test_nothing_is_overwritten(log, tmp_path):
    (tmp_path / "kept").mkdir()
    keep(read(log), tmp_path / "kept")
    with pytest.raises(RunExists):
        keep(read(log), tmp_path / "kept")


@pytest.mark.parametrize(
    ("name", "folder"),
    [("version_0/metrics.csv", "version_0-metrics.csv"), ("../../etc", "etc"), ("seed=1", "seed=1"), ("", "run")],
)
def test_a_name_is_no_path(name, folder):
    assert folder_name(name) == folder
