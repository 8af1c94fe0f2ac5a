"""No input, however broken, gets more than one of our own errors out of a reader. ``make fuzz`` tries 200 000."""

from __future__ import annotations

import io
import os
import pickle
import random
import sys
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import ROOT
from patience import quick
from runopsy.errors import RunopsyError
from runopsy.readers import read

sys.path.insert(0, str(ROOT / "tests" / "readers"))
import fuzzing


@pytest.fixture(scope="module")
def seeds(tmp_path_factory):
    return fuzzing.planted(tmp_path_factory.mktemp("seeds"))


def test_every_seed_is_a_log(seeds):
    for seed in seeds:
        assert fuzzing.tried(seed.root) == "runs", seed.name


@settings(max_examples=100)
@given(st.integers(0, 2**32))
def test_a_damaged_log_is_read_or_refused(seeds, number):
    with quick(5):  # hundredths of a second, but for what goes in circles
        fuzzing.damaged(random.Random(number), seeds)


@pytest.mark.slow
@settings(max_examples=800)
@given(st.integers(0, 2**32))
def test_many_damaged_logs_are_read_or_refused(seeds, number):
    with quick(5):  # hundredths of a second, but for what goes in circles
        fuzzing.damaged(random.Random(number), seeds)


# --- what would like to be executed ----------------------------------------------------------------


class Trap:
    """What unpickling would run."""

    def __reduce__(self) -> object:
        return (os.mkdir, ("trapped",))


@pytest.mark.parametrize("name", ["log.pkl", "log.csv", "history.json", "run.db", "log.zip"])
def test_a_pickle_is_never_unpickled(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(pickle.dumps(Trap()))
    with pytest.raises(RunopsyError):
        read(tmp_path / name)
    assert not (tmp_path / "trapped").exists()


def test_a_bomb_in_an_archive_is_not_unpacked(tmp_path):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("metrics.csv", b"step,loss\n" + b"1,1\n" * 50_000_000)
    (tmp_path / "bomb.zip").write_bytes(out.getvalue())
    with quick(5), pytest.raises(RunopsyError):
        read(tmp_path / "bomb.zip")


def test_a_name_that_climbs_out_of_an_archive_writes_nothing(tmp_path):
    inner = tmp_path / "in"
    inner.mkdir()
    with zipfile.ZipFile(inner / "log.zip", "w") as archive:
        archive.writestr("../escaped.csv", "step,loss\n0,1\n1,1\n")
    with pytest.raises(RunopsyError):
        read(inner / "log.zip")
    assert not (tmp_path / "escaped.csv").exists()


def test_links_out_of_a_folder_are_not_read(tmp_path):
    secret = tmp_path / "secret.csv"
    secret.write_text("step,loss\n0,1\n1,1\n")
    folder = tmp_path / "run" / "logs"
    folder.mkdir(parents=True)
    (folder / "metrics.csv").symlink_to(secret)
    (folder / "checkpoint-5").symlink_to(tmp_path, target_is_directory=True)
    with pytest.raises(RunopsyError, match="links were not followed"):
        read(tmp_path / "run")


def test_a_folder_that_holds_itself_ends(tmp_path):
    (tmp_path / "self").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "metrics.csv").write_text("step,loss\n0,1\n1,1\n")
    assert Path(read(tmp_path).path).name == "metrics.csv"
