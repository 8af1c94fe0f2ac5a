"""runopsy watch, as it is typed."""

import io
import json
import math
import sys

import numpy as np
import pytest

import planted
from runopsy import cli
from runopsy.recorder import record


@pytest.fixture
def call(monkeypatch, capsys, tmp_path):
    """Run the command line in this process: (exit code, stdout, stderr)."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["runopsy", *map(str, words)])
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        return ended.value.code or 0, out, err

    return run


@pytest.fixture
def log(tmp_path):
    """A CSV whose loss is NaN from row 100 on; it gives a function that writes so many rows of it."""
    loss = planted.noisy(planted.decay(np.arange(300), scale=20.0), 0.03)
    loss[100:] = math.nan
    path = tmp_path / "a log; $(x).csv"

    def write(rows):
        path.write_text("step,train/loss\n" + "".join(f"{i},{loss[i]}\n" for i in range(rows)))
        return path

    return write


def test_once_looks_once_and_tells_each_event_once_over_many_calls(call, log, tmp_path):
    take = tmp_path / "take.py"
    take.write_text(f"import sys; open({str(tmp_path / 'got')!r}, 'a').write(sys.stdin.read() + '\\n')")
    words = ("--once", "--exec", f"{sys.executable} {take}", "--touch", tmp_path / "flag")
    for rows in (90, 105, 120, 135, 150):
        code, out, err = call("watch", log(rows), *words)
        assert (code, err) == (0, "")
        assert f"{rows} rows" in out
    got = [json.loads(line) for line in (tmp_path / "got").read_text().splitlines()]
    assert [one["kind"] for one in got] == ["not_finite", "divergence"]
    assert got[0]["path"].endswith("a log; $(x).csv")
    assert json.loads((tmp_path / "flag").read_text())["kind"] in ("not_finite", "divergence")


def test_a_log_that_is_not_there_is_waited_for(call, tmp_path):
    code, out, err = call("watch", tmp_path / "later.csv", "--once")
    assert (code, err) == (0, "")
    assert "waiting" in out


def test_a_run_that_has_ended_ends_the_watch(call, tmp_path):
    with record(tmp_path / "run", signals="scalars") as run:
        for step in range(60):
            run.log(step, {"train/loss": 0.3 + 2 / (1 + step / 10)})
    for sent in (True, False):  # shown each time, sent once
        code, out, err = call("watch", tmp_path / "run", "--touch", tmp_path / "flag")
        assert (code, err) == (0, "")
        assert "finished, step 59: the run has ended (finished)" in out
        assert (tmp_path / "flag").exists() == sent
        (tmp_path / "flag").unlink(missing_ok=True)


def test_only_kinds_that_are_asked_for_are_sent(call, log, tmp_path):
    call("watch", log(110), "--once", "--touch", tmp_path / "flag", "--on", "grokking")
    assert not (tmp_path / "flag").exists()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the libraries that apprise loads
def test_options_that_mean_nothing_are_refused(call, log):
    assert call("watch", "-")[0] == 2
    code, _, err = call("watch", log(90), "--once", "--on", "nonsense")
    assert code == 2
    assert "no such kind: nonsense" in err
    code, _, err = call("watch", log(90), "--once", "--notify", "nonsense://user:s3cret@host")
    assert code == 2
    assert "s3cret" not in err


def test_a_memory_that_cannot_be_kept_stops_nothing(call, log, monkeypatch, tmp_path):
    (tmp_path / "state").write_text("a file where a folder should be")
    code, out, err = call("watch", log(90), "--once")
    assert code == 0
    assert "90 rows" in out
    assert err.count("cannot be written") == 1
