"""A disk that fills, a webhook that is ill, names that would like to be commands: the watch goes on, and tells all."""

import errno
import json
import math
import os
import sys
import time
import types

import numpy as np
import pytest

import planted
from patience import HANGS
from runopsy import cli
from runopsy.autopsy import analyze
from runopsy.recorder import record
from runopsy.watch import Watch
from runopsy.watch.channels import Command, Flag, channels
from runopsy.watch.outbox import Outbox, message
from runopsy.watch.page import lines, page
from watching import kinds, polled

ROWS = 200
LOSS = planted.noisy(planted.decay(np.arange(2 * ROWS), scale=20.0), 0.03)
NASTY = "loss; $(touch x) `id` && \"'{}{{7*7}}"  # of a column: it holds no separator, and is the training loss
UNSEEN = "\x1b[31m\u202e"  # would colour a terminal, or turn what follows it round


class Clock:
    def __init__(self):
        self.now = 1_700_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def rows(begin, end, broken=10 * ROWS):
    return "".join(f"{i},{math.nan if i >= broken else LOSS[i]}\n" for i in range(begin, end))


def append(path, text):
    with path.open("a") as file:
        file.write(text)


# --- a disk that fills ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "goes_on",
    ["", ".5\n", "\n", f"{ROWS + 1},0.1\n"],
    ids=["never", "where it was torn", "on a line of its own", "on the line that was torn"],
)
def test_a_log_that_is_torn_by_a_full_disk_is_followed_on_and_no_event_is_lost(tmp_path, clock, goes_on):
    path = tmp_path / "run.csv"
    with Watch(str(path), clock=clock) as watch:
        append(path, "step,train/loss\n" + rows(0, ROWS))
        polled(watch, clock)
        append(path, f"{ROWS},0")
        assert kinds(polled(watch, clock, 700)) == ["stalled"]
        assert watch.view.rows == ROWS
        if not goes_on:
            return
        append(path, goes_on + rows(ROWS + 2, ROWS + 40, broken=ROWS + 20))
        views = polled(watch, clock, 600)
        assert "not_finite" in kinds(views)
        assert ROWS + 38 <= views[-1].rows <= ROWS + 40
        assert not any("failed" in note for view in views for note in view.notes)


def full(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("room_again", [True, False])
def test_a_recorded_run_whose_disk_fills_is_followed_and_its_end_told(tmp_path, clock, monkeypatch, room_again):
    def log(begin, end, broken=10 * ROWS):
        for step in range(begin, end):
            run.log(step, {"train/loss": math.nan if step >= broken else float(LOSS[step])})

    monkeypatch.setattr("runopsy.recorder.journal.mappable", lambda _: False)  # so that each value is a write
    monkeypatch.setattr("runopsy.recorder.journal.RETRY_AFTER", 0.0)  # s
    run = record(tmp_path / "run", signals="scalars")
    with Watch(str(tmp_path / "run"), clock=clock) as watch:
        log(0, 100)
        assert kinds(polled(watch, clock)) == []
        with monkeypatch.context() as patch:
            patch.setattr("runopsy.recorder.journal.os", types.SimpleNamespace(**{**vars(os), "write": full}))
            with pytest.warns(RuntimeWarning, match="No space left"):
                log(100, 110)
            if not room_again:
                run.finish()
        if room_again:
            log(110, 160, broken=140)
            assert kinds(polled(watch, clock)) == ["not_finite"]
            run.finish()
        views = polled(watch, clock, 30)
    ended = next(news for view in views for news in view.news if news.kind == "finished")
    assert views[-1].over
    assert views[-1].done == room_again  # one whose disk stayed full may be resumed, and is followed on
    assert ("disk full" in ended.text) != room_again


@pytest.fixture
def call(monkeypatch, capsys, tmp_path):
    """The command line in this process: (exit code, stdout, stderr)."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))

    def run(*words):
        monkeypatch.setattr(sys, "argv", ["runopsy", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        return ended.value.code or 0, out, err

    return run


def test_a_watch_whose_own_disk_is_full_tells_what_it_sees_and_sends_it_when_there_is_room(call, tmp_path, monkeypatch):
    path, flag = tmp_path / "run.csv", tmp_path / "flag"
    append(path, "step,train/loss\n" + rows(0, ROWS, broken=ROWS - 20))
    words = ("watch", path, "--once", "--touch", flag, "--on", "not_finite")
    with monkeypatch.context() as patch:
        patch.setattr("pathlib.Path.write_text", full)
        code, out, err = call(*words)
    assert (code, flag.exists()) == (0, False)
    assert "not finite" in out
    assert err.count("No space left") == 1
    assert "Traceback" not in out + err
    code, out, err = call(*words)
    assert (code, err) == (0, "")
    assert json.loads(flag.read_text())["kind"] == "not_finite"
    flag.unlink()
    call(*words)
    assert not flag.exists()  # it was sent once


# --- messages, while the log grows ---------------------------------------------------------------


def until(condition):
    end = time.monotonic() + HANGS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def post(box, views):
    for view in views:
        for news in view.news:
            box.post(message(news, view.autopsy.run.id, view.path, view.autopsy.first, view.moment))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the libraries that apprise loads
@pytest.mark.parametrize("answers", [[500, 500, 200], [0], None], ids=["500 at first", "hangs", "refuses"])
def test_a_watch_goes_on_whatever_its_webhook_does(tmp_path, clock, server, monkeypatch, answers):
    pytest.importorskip("apprise")
    monkeypatch.setattr("runopsy.watch.outbox.FIRST", 0.01)  # s before a second try
    hook, path = server.RequestHandlerClass, tmp_path / "run.csv"
    hook.answers = [*(answers or [200])]
    port = server.server_port if answers else 1  # where nobody listens
    box = Outbox(channels([f"json://127.0.0.1:{port}/?rto={HANGS}&cto={HANGS}"], None, tmp_path / "flag"))
    told = []
    with Watch(str(path), clock=clock) as watch:
        for begin, end in ((0, ROWS), (ROWS, ROWS + 30), (ROWS + 30, 2 * ROWS)):
            append(path, ("" if begin else "step,train/loss\n") + rows(begin, end, broken=ROWS + 5))
            views = polled(watch, clock, 60)
            post(box, views)
            told += kinds(views)
            if answers == [0] and told:
                until(hook.asked.is_set)  # from here on it hangs
    assert told == ["not_finite", "divergence"]
    assert watch.view.rows == 2 * ROWS
    if answers == [500, 500, 200]:
        until(lambda: len(hook.got) == 2)
        assert box.close() == 0
        assert len(hook.got) == 2
    else:
        assert box.close(patience=0.1) >= 1
        assert hook.got == []


def test_names_are_data_from_the_log_to_the_message(tmp_path, clock, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / f"a {UNSEEN}; $(touch x).csv"
    path.write_text(f"step,{json.dumps(NASTY)[1:-1]}\n")
    name = json.dumps(NASTY)[1:-1]
    append(path, rows(0, ROWS, broken=ROWS - 20))
    take = tmp_path / "take.py"
    take.write_text("import sys, pathlib; pathlib.Path('got').write_text(sys.stdin.read())")

    def examine(run):
        return analyze(run, roles={"train/loss": next(iter(run.tracks))})

    with Watch(str(path), clock=clock, examine=examine) as watch:
        view = watch.look()
    assert name in view.autopsy.run.tracks
    (sent,) = [news for news in view.news if news.kind == "not_finite"]
    whole = message(sent, view.autopsy.run.id, view.path, view.autopsy.first, view.moment)
    assert Command(f"{sys.executable} {take}").deliver(whole)
    assert Flag(tmp_path / "flag").deliver(whole)
    for got in (tmp_path / "got", tmp_path / "flag"):
        assert json.loads(got.read_text())["path"] == str(path)
        assert json.loads(got.read_text())["run"] == path.stem
    shown = "\n".join([*lines(None, view), page(view)])
    assert not set(UNSEEN[:1] + UNSEEN[-1:]) & set(shown)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([path.name, "flag", "got", "take.py"])
