"""A growing log under watch: when it is looked at, what is reported, and that nothing stops it."""

import math
import os
import subprocess
import sys
import tracemalloc
from concurrent.futures import Future
from dataclasses import replace

import numpy as np
import pytest

import planted
from runopsy.autopsy import analyze
from runopsy.errors import CannotJudge
from runopsy.model import Autopsy, Check, Event, Evidence, Outcome, Phase, Run, Severity, Track, Verdict
from runopsy.recorder import record
from runopsy.watch import Ledger, Sighting, Watch
from runopsy.watch.confirmation import Words
from runopsy.watch.looking import LOADING, SETTLED, at_once
from runopsy.watch.memory import Remembered, keep, place_of, recall
from runopsy.watch.page import lines, page
from runopsy.watch.purse import SHARE
from runopsy.watch.time_left import time_left, total_of


class Clock:
    def __init__(self):
        self.now = 1_700_000_000.0

    def __call__(self):
        return self.now


class Log:
    """A CSV that grows on request, by the rows of a diverging run."""

    def __init__(self, path, rows=400, breaks=150):
        self.path, self.row = path, 0
        step = np.arange(rows)
        self.loss = planted.noisy(planted.decay(step, scale=20.0), 0.03)
        self.loss[breaks:] = math.nan

    def grow(self, rows, header=False):
        with self.path.open("a") as file:
            if self.row == 0 or header:
                file.write("step,train/loss\n")
            for i in range(self.row, self.row + rows):
                file.write(f"{i},{self.loss[i]}\n")
        self.row += rows


def quick(run):
    """What an autopsy says of NaN alone, in no time; the real one is asked where it matters."""
    (track,) = run.tracks.values()
    first, last = float(track.step.min()), float(track.step.max())
    broken = track.step[~np.isfinite(track.value)]
    found = []
    if len(broken):
        at = float(broken[0])
        proof = (Evidence("train/loss", at, math.nan, None, "", "not finite", "left"),)
        found = [Event(kind, "", at, Severity.FATAL, proof, interval=(at, at)) for kind in ("not_finite", "divergence")]
    check = Check("T01", "test", Outcome.FOUND if found else Outcome.NOT_FOUND, tuple(found))
    phase = Phase("diverged" if found else "underfitting", first, last)
    return Autopsy(run, run.axis, first, last, (), {}, {}, (check,), (phase,), (), Verdict("x", "y"), None, {}, ())


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def log(tmp_path):
    return Log(tmp_path / "train.csv")


def polled(watch, clock, seconds=10.0):
    """All views of so many seconds."""
    views = []
    for _ in range(int(2 * seconds)):
        clock.now += 0.5
        view = watch.poll()
        if view is not None:
            views.append(view)
    return views


def kinds(views):
    return [news.kind for view in views for news in view.news]


def test_a_log_that_is_not_there_is_waited_for_and_then_followed(log, clock):
    with Watch(str(log.path), clock=clock) as watch:
        assert polled(watch, clock) == []
        assert "does not exist yet" in page(watch.view)
        log.path.write_text("step,train/")
        (waiting,) = polled(watch, clock)
        assert waiting.autopsy is None
        assert "no whole line yet" in page(waiting)
        log.path.write_text("")
        log.grow(60)
        views = polled(watch, clock)
        assert views[-1].rows == 60
        assert views[-1].autopsy.phases or views[-1].autopsy.verdict


def test_each_thing_is_reported_once_and_soon(log, clock):
    log.grow(100)
    with Watch(str(log.path), clock=clock) as watch:
        views = polled(watch, clock)
        while log.row < 300:
            log.grow(5)
            views += polled(watch, clock, 0.5)
        assert sorted(kinds(views)) == ["divergence", "not_finite"]
        first = next(view for view in views if kinds([view]))
        assert first.rows <= 165


def test_looks_are_made_for_ten_rows_or_after_a_while(log, clock):
    log.grow(100)
    with Watch(str(log.path), clock=clock, examine=quick) as watch:
        assert len(polled(watch, clock)) == 1
        log.grow(4)
        assert polled(watch, clock, SETTLED - 1) == []
        assert len(polled(watch, clock, 2)) == 1
        log.grow(10)
        assert len(polled(watch, clock, 1)) == 1
        assert polled(watch, clock, 60) == []


@pytest.fixture
def costly(monkeypatch):
    """An autopsy that costs seconds of processor, where nothing else does."""
    spent = [0.0]
    for what in ("process_time", "thread_time"):
        monkeypatch.setattr(f"time.{what}", lambda: spent[0])

    def of(seconds, *later):
        costs = [seconds, *later]

        def examine(run):
            spent[0] += costs[0] if len(costs) == 1 else costs.pop(0)
            return quick(run)

        return examine

    return of


def test_a_costly_look_is_followed_by_a_pause(log, clock, costly):
    log.grow(100)
    with Watch(str(log.path), clock=clock, examine=costly(1.0)) as watch:
        polled(watch, clock)
        looked, times = watch.view.autopsy, []
        while log.row < 380:
            log.grow(1)
            polled(watch, clock, 1)
            if watch.view.autopsy is not looked:  # a glance leaves it as it is
                looked = watch.view.autopsy
                times.append(clock.now)
        waits = np.diff(times)
        assert len(waits) >= 2
        assert (waits >= 1 / SHARE - 1).all()  # a second of processor is paid for, and one is between two rows


def test_the_libraries_that_the_first_look_loads_are_not_waited_for(log, clock, costly):
    log.grow(100)
    with Watch(str(log.path), clock=clock, examine=costly(LOADING + 0.5, 1.0)) as watch:
        polled(watch, clock, 1)
        log.grow(20)
        assert polled(watch, clock, 0.5 / SHARE - 5) == []
        assert len(polled(watch, clock, 10)) == 1


@pytest.mark.parametrize("header", [True, False])
def test_a_training_that_is_rotated_killed_and_resumed_loses_no_event(log, clock, tmp_path, header):
    log.grow(120)
    with Watch(str(log.path), clock=clock, examine=quick) as watch:
        views = polled(watch, clock)
        log.grow(3)
        os.rename(log.path, tmp_path / "train.csv.1")
        views += polled(watch, clock, 3)
        log.row -= 10  # it was killed, and goes on from a checkpoint
        log.grow(30, header=header)
        views += polled(watch, clock)
        while log.row < 260:
            log.grow(5)
            views += polled(watch, clock, 1)
        assert sorted(kinds(views)) == ["divergence", "not_finite"] or sorted(kinds(views)) == [
            "divergence", "not_finite", "resume"]  # fmt: skip
        assert views[-1].autopsy.first == 0


def test_a_log_without_permission_or_with_junk_is_waited_for(log, clock, monkeypatch):
    log.grow(100)
    with Watch(str(log.path), clock=clock, examine=quick) as watch:
        polled(watch, clock)
        with log.path.open("ab") as file:
            file.write(b"\0\0\xff\xfe garbage \n" * 20)
        polled(watch, clock)
        amount = watch._log.amount
        monkeypatch.setattr(watch._log, "amount", lambda: (_ for _ in ()).throw(PermissionError(13, "denied")))
        assert polled(watch, clock) == []
        monkeypatch.setattr(watch._log, "amount", amount)
        assert watch.view.autopsy is not None


def test_a_look_that_fails_ends_no_watch(log, clock):
    def fails(run):
        if len(run.tracks["train/loss"]) == 110:
            raise ZeroDivisionError("a fault of somebody's")
        return quick(run)

    log.grow(100)
    with Watch(str(log.path), clock=clock, examine=fails) as watch:
        polled(watch, clock)
        log.grow(10)
        (view,) = polled(watch, clock)
        assert "ZeroDivisionError" in view.notes[0]
        assert view.rows == 100
        log.grow(10)
        assert [v.rows for v in polled(watch, clock)] == [120]


def test_a_look_that_cannot_judge_repeats_no_news(log, clock):
    def sometimes(run):
        if len(run.tracks["train/loss"]) == 210:
            raise CannotJudge("no loss was recognised")
        return quick(run)

    log.grow(200)
    with Watch(str(log.path), clock=clock, examine=sometimes) as watch:
        assert kinds(polled(watch, clock)) == ["not_finite"]
        log.grow(10)
        (view,) = polled(watch, clock)
        assert (view.news, view.notes, view.rows) == ((), ("no loss was recognised",), 200)


def test_what_a_log_waits_for_is_one_line_however_often_it_is_looked_at(log, clock):
    def never(run):
        raise CannotJudge("no loss was recognised")

    with Watch(str(log.path), clock=clock, examine=never) as watch:
        log.grow(20)
        first = watch.look()
        log.grow(20)
        second = watch.look()
    assert len([*lines(None, first)]) == 1
    assert [*lines(first, second)] == []


def test_a_run_that_begins_again_under_the_same_name_is_another(log, clock):
    log.grow(200)
    with Watch(str(log.path), clock=clock) as watch:
        polled(watch, clock)
        assert watch.ledger.sightings
        log.row = 0
        log.path.write_text("")
        log.grow(100)
        polled(watch, clock)
        assert not watch.ledger.sightings


def test_a_standstill_is_reported_once_and_again_after_it_has_gone_on(log, clock):
    log.grow(50)
    with Watch(str(log.path), clock=clock, examine=quick) as watch:
        views = []
        for _ in range(10):
            log.grow(5)
            views += polled(watch, clock, 5)
        assert kinds(views) == []
        views = polled(watch, clock, 3600)
        assert kinds(views) == ["stalled"]
        assert "10 minutes" in views[-1].news[0].text
        log.grow(10)
        assert kinds(polled(watch, clock, 60)) == []
        assert kinds(polled(watch, clock, 3600)) == ["stalled"]


def test_the_end_of_a_recorded_run_is_reported_with_its_verdict(tmp_path, clock):
    with record(tmp_path / "run", signals="scalars") as run:
        for step in range(100):
            run.log(step, {"train/loss": 0.3 + 2 / (1 + step / 10)})
    with Watch(str(tmp_path / "run"), clock=clock) as watch:
        (view,) = polled(watch, clock)
        assert view.over
        assert kinds([view]) == ["finished"]
        assert "It has ended" in page(view)
        assert kinds(polled(watch, clock, 3600)) == []


DIES = """
import os, signal, sys
from runopsy.recorder import record
run = record(sys.argv[1], signals="scalars")
for step in range(60):
    run.log(step, {"train/loss": 0.3 + 2 / (1 + step / 10)})
print("wrote", flush=True)
sys.stdin.readline()
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_recorded_run_that_is_killed_and_resumed_is_followed(tmp_path, clock):
    path = tmp_path / "run"
    training = subprocess.Popen(
        [sys.executable, "-c", DIES, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with Watch(str(path), clock=clock, examine=quick_of_loss) as watch:
        assert training.stdout.readline() == "wrote\n"
        assert kinds(polled(watch, clock)) == []
        assert watch.view.rows == 60
        training.communicate("\n")
        views = polled(watch, clock, 120)
        assert kinds(views) == ["finished"]
        assert "killed" in views[-1].news[0].text
        assert not views[-1].done
        with record(path, signals="scalars", resume=True) as run:
            for step in range(50, 90):
                run.log(step, {"train/loss": 0.3 + 2 / (1 + step / 10)})
            views = polled(watch, clock, 20)
            assert not views[-1].over
        views = polled(watch, clock, 20)
        assert kinds(views) == ["finished"]
        assert views[-1].done


def quick_of_loss(run):
    return quick(replace(run, tracks={"train/loss": run.tracks["train/loss"]}))


def test_a_restart_repeats_nothing(log, clock, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    file = place_of(str(log.path), None)
    log.grow(190)
    news = []
    for _ in range(6):  # as cron calls it: one look each
        known = recall(file)
        with Watch(
            str(log.path), clock=clock, examine=quick, ledger=known.ledger, words=known.words, last=known.last
        ) as watch:
            view = watch.look()
            news += kinds([view])
            keep(file, Remembered(watch.ledger, watch.words, watch.last))
        log.grow(10)
    assert sorted(news) == ["divergence", "not_finite"]
    assert str(tmp_path) not in file.read_text()


def test_a_memory_is_what_was_kept(tmp_path):
    onset = Event("memorization_onset", "", 20.0, Severity.WARNING, (), interval=(19.0, 21.0))
    peak = Event("double_descent_peak", "", 80.0, Severity.INFO, (), interval=(79.0, 81.0))
    seen = (
        Sighting(1, onset, 30, here=True, reported=18.0, became=2, so_far=40, prompt=True),
        Sighting(2, peak, 90, 99, reported=80.0),
    )
    known = Remembered(Ledger(seen, 2, 120), {1: Words("a", "b", "c")}, 119.0)
    keep(tmp_path / "m.json", known)
    assert recall(tmp_path / "m.json") == known


def test_a_damaged_memory_is_an_empty_one(tmp_path):
    for content in ("", "{", "[]", '{"format": 1}', '{"format": 99}'):
        (tmp_path / "m.json").write_text(content)
        assert recall(tmp_path / "m.json") == Remembered()
    assert recall(tmp_path / "none.json") == Remembered()


def test_lines_say_what_has_changed_and_nothing_twice(log, clock):
    log.grow(60)
    with Watch(str(log.path), clock=clock, examine=quick) as watch:
        before, text = None, []
        for view in [watch.view, *polled(watch, clock)]:
            text += list(lines(before, view))
            before = view
        while log.row < 300:
            log.grow(10)
            for view in polled(watch, clock, 1):
                text += list(lines(before, view))
                before = view
    assert "waiting, for the first look" in text[0]
    assert sum("FATAL divergence" in line for line in text) == 1
    assert sum("provisional: divergence" in line for line in text) == 1
    assert sum("diverged since" in line for line in text) == 1


def test_memorization_so_far_is_said_to_be_no_alarm(tmp_path, clock):
    run = planted.grokking(last=1000)
    table = {name: track.value for name, track in run.tracks.items()}
    step = next(iter(run.tracks.values())).step
    rows = [",".join(map(repr, map(float, row))) for row in zip(step, *table.values(), strict=True)]
    (tmp_path / "g.csv").write_text("\n".join([",".join(["step", *table]), *rows]) + "\n")
    with Watch(str(tmp_path / "g.csv"), clock=clock) as watch:
        assert "memorization since" in page(watch.look())
        assert "no alarm" in page(watch.view)


def test_the_total_and_the_time_left():
    step = np.arange(101.0)
    loss = Track("train/loss", step, planted.decay(step, scale=5.0), 1e9 + 2 * step)
    autopsy = analyze(Run("a", "a", "step", {"train/loss": loss}, config={"max_steps": 1000, "epochs": 3}))
    assert total_of(autopsy) == 1000
    assert time_left(autopsy, 1000) == pytest.approx(1800)
    short = analyze(Run("a", "a", "step", {"train/loss": loss}, config={"max_steps": 50}))
    assert total_of(short) is None


@pytest.mark.slow
@pytest.mark.parametrize("slowly", [False, True])
def test_a_day_under_watch_takes_no_more_memory_than_its_rows(tmp_path, clock, slowly):
    """24 hours in simulated time, a row a minute, and five of them without a row."""
    log = Log(tmp_path / "day.csv", rows=1500, breaks=1500)
    sizes, begun = [], []

    def later(work):
        """Made 20 s later, while two polls have gone on."""
        begun.append((clock.now, work, Future()))
        return begun[-1][2]

    with Watch(str(log.path), clock=clock, examine=quick, beside=later if slowly else at_once) as watch:
        tracemalloc.start()
        for minute in range(24 * 60):
            if minute < 19 * 60:
                log.grow(1)
            for _ in range(6):
                clock.now += 10
                watch.poll()
                if begun and clock.now >= begun[-1][0] + 20:
                    _, work, made = begun.pop()
                    made.set_result(work())
            if minute % 120 == 119:
                sizes.append(tracemalloc.get_traced_memory()[0])
        tracemalloc.stop()
    assert watch.view.rows == 19 * 60
    assert sizes[-1] < sizes[2] + 2_000_000  # 16 bytes a value, a few copies: 200 kB; what leaks at each look, far more


def test_the_page_says_what_became_of_an_event_that_is_gone(log, clock):
    log.grow(100)
    with Watch(str(log.path), clock=clock, examine=quick) as watch:
        (view,) = polled(watch, clock)
    onset = Event("memorization_onset", "", 20.0, Severity.WARNING, (), interval=(19.0, 21.0))
    grokked = Event("grokking", "", 80.0, Severity.INFO, (), interval=(79.0, 81.0))
    gone = Sighting(1, onset, 30, confirmed=40, here=False)
    words = {
        1: Words("memorization onset", "step 20", "it memorizes"),
        2: Words("grokking", "step 80", "it generalises"),
    }
    for others, says in (((), "no longer found"), ((Sighting(2, grokked, 90),), "what became of it: grokking")):
        text = page(replace(view, ledger=Ledger((gone, *others)), words=words))
        assert says in " ".join(text.split())
    taken = Ledger((replace(gone, became=2), Sighting(2, grokked, 90, confirmed=100)))
    text = page(replace(view, ledger=taken, words=words))
    assert "reported before as memorization onset, step 20" in " ".join(text.split())


def test_a_revision_is_told_with_what_it_revises(tmp_path, clock):
    """Validation rises, as in memorization, and falls again."""
    step = np.arange(600)
    train = planted.noisy(planted.decay(step, scale=40.0, floor=0.01), 0.02)
    val = planted.noisy(np.interp(step, [0, 60, 250, 420, 600], [2.0, 0.8, 2.2, 0.5, 0.3]), 0.02, 1)
    path, before, text, news = tmp_path / "run.csv", None, [], []
    with Watch(str(path), clock=clock) as watch:
        for end in range(100, 601, 20):
            rows = [f"{i},{train[i]},{val[i]}" for i in range(end)]
            path.write_text("\n".join(["step,train/loss,val/loss", *rows]) + "\n")
            view = watch.look()
            text += lines(before, view)
            news += view.news
            before = view
    told = {one.kind: one for one in news}
    onset = told["memorization_onset"]
    assert (onset.so_far, onset.title) == (True, "memorization onset so far")
    assert onset.text.endswith("; so far: double descent peak or grokking may take its place")
    peak = told["double_descent_peak"]
    assert not peak.so_far
    assert [old.kind for old in peak.revises] == ["memorization_onset"]
    assert peak.revises[0].step == onset.step
    assert peak.revises[0].so_far
    assert sum("replaces an earlier report: memorization onset so far" in line for line in text) == 1
    assert [s.became for s in watch.ledger.sightings if s.event.kind == "memorization_onset"] == [
        next(s.number for s in watch.ledger.sightings if s.event.kind == "double_descent_peak")
    ]


def test_the_page_tells_what_is_so_far_from_what_is_provisional_and_what_is_gone(log, clock):
    log.grow(100)
    with Watch(str(log.path), clock=clock, examine=quick) as watch:
        (view,) = polled(watch, clock)
    proof = (Evidence("val/loss", 20.0, 1.0, 1.0, "", "turned", "turn"),)
    onset = Event("memorization_onset", "", 20.0, Severity.WARNING, proof, interval=(19.0, 21.0))
    words = {1: Words("memorization onset", "step 20", "it memorizes")}

    def shown(s):
        return " ".join(page(replace(view, ledger=Ledger((s,)), words=words)).split())

    assert "(provisional: reported as so far if every look until row 110 finds it)" in shown(Sighting(1, onset, 100))
    told = Sighting(1, onset, 30, so_far=40)
    assert "memorization onset so far" in shown(told)
    assert "may take its place" in shown(told)
    assert "may take its place" not in shown(replace(told, here=False))
    assert "no longer found" in shown(replace(told, here=False))
    assert "so far" not in shown(replace(told, confirmed=100))
