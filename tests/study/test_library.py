"""A library of runs: nothing is lost, whoever writes and however it ends; no judgement on too few."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import planted
import runopsy
from conftest import ROOT
from patience import HANGS
from runopsy import cli
from runopsy.errors import BadOption
from runopsy.study.library import SCHEMA, Library
from runopsy.study.profiles import Profile, kind_of, profile

WRITER = """
import sys
sys.path[:0] = {paths!r}
from test_library import made
from runopsy.study.library import Library
for k in range(int(sys.argv[3])):
    with Library(sys.argv[1]) as library:
        library.add(made(f"{{sys.argv[2]}}-{{k}}"))
    print(k, flush=True)
"""


def made(name, kind="mlp on digits", seed=0, **changes):
    rng = np.random.default_rng(seed)
    one = Profile(
        digest=name, name=name, path=f"/runs/{name}", kind=kind, axis="step", steps=1000.0, verdict="healthy",
        places={"best": 0.9, "phase/underfitting": 0.0}, levels={"level/train/loss": 2.0, "noise/train/loss": 0.1},
        courses={"train/loss": 1 + rng.random(50)},
    )  # fmt: skip
    return replace(one, **changes)


def writer(path, name, count):
    paths = [str(ROOT / "src"), str(ROOT / "tests"), str(Path(__file__).parent)]
    code = WRITER.format(paths=paths)
    return subprocess.Popen(
        [sys.executable, "-c", code, str(path), name, str(count)], stdout=subprocess.PIPE, text=True
    )


def test_what_was_added_comes_back(tmp_path):
    course = np.array([1.0, np.nan, 3.0])
    with Library(tmp_path / "l.sqlite") as library:
        assert library.add(made("a", courses={"train/loss": course}))
        assert not library.add(made("a", courses={"train/loss": course}, verdict="overfit"))
        assert library.add(made("b", kind="other on digits"))
    with Library(tmp_path / "l.sqlite", must_exist=True) as library:
        assert library.kinds() == [("mlp on digits", 1), ("other on digits", 1)]
        (one,) = library.profiles("mlp on digits")
        assert (one.verdict, one.places["best"], one.levels["noise/train/loss"]) == ("overfit", 0.9, 0.1)
        np.testing.assert_array_equal(one.courses["train/loss"], course)


def test_what_is_forgotten_is_gone_and_the_rest_stays(tmp_path):
    with Library(tmp_path / "l.sqlite") as library:
        for name in "abc":
            library.add(made(name))
        library.add(made("d", kind="other on digits"))
        assert library.forget(run="a") == 1
        assert library.forget(run="/runs/b") == 1
        assert library.forget(run="nothing") == 0
        assert library.forget(kind="other on digits") == 1
        assert [one.name for one in library.profiles()] == ["c"]
        assert library._base.execute("SELECT count(DISTINCT digest) FROM measures").fetchone() == (1,)


def test_concurrent_writers_lose_nothing(tmp_path):
    path = tmp_path / "l.sqlite"  # not there yet: they race to make it
    writers = [writer(path, name, 8) for name in "abc"]
    for one in writers:
        one.communicate(timeout=HANGS)
        assert one.returncode == 0
    with Library(path) as library:
        assert sorted(p.name for p in library.profiles()) == sorted(f"{n}-{k}" for n in "abc" for k in range(8))


def test_a_writer_that_is_killed_leaves_what_it_had_added(tmp_path):
    path = tmp_path / "l.sqlite"
    one = writer(path, "a", 10_000)
    added = [int(one.stdout.readline()) for _ in range(5)]
    os.kill(one.pid, signal.SIGKILL)
    one.communicate(timeout=HANGS)
    with Library(path) as library:
        assert library._base.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        profiles = library.profiles()
        assert {p.name for p in profiles} >= {f"a-{k}" for k in added}
        assert all(
            len(p.courses["train/loss"]) == 50 and p.places["best"] == 0.9 for p in profiles
        )  # whole, each of them
        assert library.add(made("after"))


def test_a_failure_in_the_middle_of_a_run_leaves_nothing_of_it(tmp_path):
    with Library(tmp_path / "l.sqlite") as library:
        library.add(made("a"))
        broken = made("a", verdict="overfit", courses={"train/loss": object()})
        with pytest.raises(AttributeError):
            library.add(broken)
        (one,) = library.profiles()
        assert one.verdict == "healthy"
        assert "train/loss" in one.courses


def test_an_older_file_is_brought_up_to_date_and_keeps_its_runs(tmp_path):
    path = tmp_path / "old.sqlite"
    base = sqlite3.connect(path)
    base.executescript(SCHEMA[0])
    base.execute("PRAGMA user_version = 1")
    columns = "digest, name, path, kind, axis, steps, verdict"
    base.execute(f"INSERT INTO runs ({columns}) VALUES ('x', 'x', 'x', 'k', 'step', 9, 'healthy')")
    base.execute("INSERT INTO measures VALUES ('x', 'best', 0.5)")
    base.commit()
    base.close()
    with Library(path) as library:
        library.add(made("new", kind="k"))
        old, new = library.profiles("k")
        assert (old.name, old.places, old.courses) == ("x", {"best": 0.5}, {})
        assert new.courses
        assert library._version() == len(SCHEMA)


def test_a_later_file_and_a_foreign_one_are_refused_and_left_alone(tmp_path):
    later, foreign, text = tmp_path / "later.sqlite", tmp_path / "foreign.sqlite", tmp_path / "text.sqlite"
    for path, script in ((later, "PRAGMA user_version = 99"), (foreign, "CREATE TABLE mine (x)")):
        base = sqlite3.connect(path)
        base.execute(script)
        base.commit()
        base.close()
    text.write_text("no database at all, " * 20)
    for path, says in ((later, "of version 99"), (foreign, "of something else"), (text, "cannot be used")):
        before = path.read_bytes()
        with pytest.raises(BadOption, match=says):
            Library(path)
        assert path.read_bytes() == before
    with pytest.raises(BadOption, match="there is no library"):
        Library(tmp_path / "none.sqlite", must_exist=True)


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        ({"model": "resnet18", "dataset": "cifar10"}, "resnet18 on cifar10"),
        ({"model": {"name": "x", "arch": "vit"}, "data": {"dataset_name": "imagenet"}}, "vit on imagenet"),
        ({"args.architecture": "gpt", "args.data": " wiki   text "}, "gpt on wiki text"),
        ({"model": "resnet18"}, None),
        ({"model": 3, "dataset": "x"}, None),
        ({}, None),
    ],
)
def test_the_kind_is_what_the_settings_name(config, kind):
    assert kind_of(config) == kind


def test_a_run_that_does_not_say_its_kind_has_to_be_given_one():
    autopsy = runopsy.analyze(planted.healthy())
    with pytest.raises(BadOption, match="lacks the name of its architecture"):
        profile(autopsy)
    kept = profile(autopsy, "mlp on noise")
    assert kept.kind == "mlp on noise"
    assert kept.places["phase/underfitting"] == 0
    assert set(kept.courses) == {"train/loss", "val/loss"}
    assert kept.digest == profile(runopsy.analyze(planted.healthy()), "x").digest
    assert kept.digest != profile(runopsy.analyze(planted.healthy(seed=1)), "x").digest


@pytest.fixture
def call(monkeypatch, capsys, tmp_path):
    """Run the command line in this process and in a folder of its own: (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["runopsy", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        return ended.value.code or 0, out, err

    return run


def test_the_commands(call):
    sample = ROOT / "sample_logs" / "grokking"
    assert call("library", "list")[0] == 2
    code, _, err = call("library", "add", sample)
    assert (code, err) == (0, "added grokking: quadratic MLP on modular addition\n")
    code, out, _ = call("library", "list", "--format", "json")
    assert json.loads(out)["kinds"] == [{"kind": "quadratic MLP on modular addition", "runs": 1}]
    code, out, _ = call("library", "show", "quadratic MLP on modular addition")
    assert "grokking" in out
    code, out, _ = call("analyze", sample, "--library", "runopsy-library.sqlite")
    assert code == 0
    assert "with fewer than 5 it does not judge" in " ".join(out.split())
    code, out, _ = call("analyze", sample, "--library", "runopsy-library.sqlite", "--format", "json")
    assert any("with fewer than 5 it does not judge" in note for note in json.loads(out)["notes"])
    assert call("library", "show", "nothing")[0] == 2
    assert call("library", "forget", "nothing")[0] == 2
    assert call("library", "forget")[0] == 2
    assert call("library", "forget", "grokking")[2] == "took out 1 run\n"
    code, _, err = call("library", "add", ROOT / "sample_logs" / "double-descent")
    assert code == 2
    assert "lacks the name of its architecture" in err


def test_the_settings_name_the_library_of_a_project(call, tmp_path):
    (tmp_path / "pyproject.toml").write_text('[tool.runopsy]\nlibrary = "mine.sqlite"\n')
    assert call("library", "add", ROOT / "sample_logs" / "grokking", "-q")[0] == 0
    assert (tmp_path / "mine.sqlite").is_file()
