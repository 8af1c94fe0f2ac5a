"""New rows are seen while the log is still being examined, and a look comes sooner where they ask for one."""

import math
import threading
from concurrent.futures import Future

import numpy as np
import pytest

import planted
from runopsy.autopsy import analyze
from runopsy.errors import CannotJudge
from runopsy.recorder import record
from runopsy.watch import Watch
from runopsy.watch.looking import at_once, in_a_thread
from runopsy.watch.purse import SHARE
from watching import kinds, polled

ROWS = 400
LOSS = planted.noisy(planted.decay(np.arange(3 * ROWS), scale=20.0), 0.03)


class Clock:
    def __init__(self):
        self.now = 1_700_000_000.0

    def __call__(self):
        return self.now


class Slow:
    """An autopsy takes as long as the test likes; the first is made at once."""

    def __init__(self):
        self.begun = []

    def __call__(self, work):
        later = Future()
        self.begun.append((work, later))
        if len(self.begun) == 1:
            self.end()
        return later

    def end(self):
        work, later = self.begun[-1]
        try:
            later.set_result(work())
        except Exception as fault:
            later.set_exception(fault)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def slow():
    return Slow()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.csv"


def grow(path, begin, end, loss):
    with path.open("a") as file:
        file.writelines(["step,train/loss\n"] * (begin == 0) + [f"{i},{loss[i]}\n" for i in range(begin, end)])


def under_way(watch, clock, path, slow, loss):
    """A second look is being made of 420 rows."""
    grow(path, 0, ROWS, loss)
    polled(watch, clock, 1)
    grow(path, ROWS, ROWS + 20, loss)
    polled(watch, clock, 1000)
    assert (len(slow.begun), watch.view.rows) == (2, ROWS)


@pytest.mark.parametrize("what", ["nan", "far"])
def test_what_comes_while_a_look_is_made_is_told_within_two_seconds_and_once(path, clock, slow, what):
    loss = LOSS.copy()
    loss[ROWS + 25 :] = math.nan if what == "nan" else 80.0
    with Watch(str(path), clock=clock, beside=slow) as watch:
        under_way(watch, clock, path, slow, loss)
        grow(path, ROWS + 20, ROWS + 40, loss)
        told = polled(watch, clock, 2)
        assert kinds(told) == (["not_finite"] if what == "nan" else ["divergence"])
        assert (told[0].rows, told[0].last) == (ROWS + 40, ROWS + 39)
        slow.end()
        (view,) = polled(watch, clock, 0.5)
        assert (kinds([view]), view.autopsy.last) == ([], ROWS + 19)  # it has not seen them, and withdraws nothing
        assert all(s.here for s in view.ledger.sightings if s.is_reported)
        assert (view.rows, view.last) == (ROWS + 40, ROWS + 39)
        grow(path, ROWS + 40, 2 * ROWS, loss)
        polled(watch, clock, 1000)
        slow.end()
        (view,) = polled(watch, clock, 0.5)
        final = {e.kind: e.step for e in analyze(view.autopsy.run).events}
        for kind in kinds(told):
            (sighting,) = [s for s in view.ledger.sightings if s.event.kind == kind]
            assert (sighting.here, sighting.reported) == (True, ROWS + 25)
            assert final[kind] == pytest.approx(ROWS + 25, abs=1)
            assert kind not in kinds([view])


def test_a_look_goes_on_from_what_came_while_it_was_made(path, clock, slow):
    loss = LOSS.copy()
    loss[ROWS + 25 :] = math.nan
    with Watch(str(path), clock=clock, beside=slow) as watch:
        under_way(watch, clock, path, slow, loss)
        grow(path, ROWS + 20, ROWS + 25, loss)
        polled(watch, clock, 2)
        slow.end()
        polled(watch, clock, 0.5)
        grow(path, ROWS + 25, ROWS + 26, loss)
        assert kinds(polled(watch, clock, 2)) == ["not_finite"]


def test_no_look_begins_while_one_is_made(path, clock, slow):
    with Watch(str(path), clock=clock, beside=slow) as watch:
        under_way(watch, clock, path, slow, LOSS)
        grow(path, ROWS + 20, 2 * ROWS, LOSS)
        assert polled(watch, clock, 1000) == []
        assert len(slow.begun) == 2


def test_a_look_that_fails_beside_the_polls_ends_no_watch(path, clock, slow):
    def fails(run):
        if len(run.tracks["train/loss"]) == ROWS + 20:
            raise CannotJudge("no loss was recognised")
        return analyze(run)

    with Watch(str(path), clock=clock, beside=slow, examine=fails) as watch:
        under_way(watch, clock, path, slow, LOSS)
        slow.end()
        (view,) = polled(watch, clock, 0.5)
        assert (view.rows, view.notes) == (ROWS, ("no loss was recognised",))
        grow(path, ROWS + 20, ROWS + 60, LOSS)
        polled(watch, clock, 1000)
        slow.end()
        assert [view.rows for view in polled(watch, clock, 0.5)] == [ROWS + 60]


def test_a_run_that_begins_again_while_a_look_is_made_is_another(path, clock, slow):
    loss = LOSS.copy()
    loss[300:] = math.nan
    with Watch(str(path), clock=clock, beside=slow) as watch:
        under_way(watch, clock, path, slow, loss)
        assert watch.ledger.sightings
        path.write_text("")
        grow(path, 0, 100, LOSS)
        polled(watch, clock, 5)
        slow.end()
        polled(watch, clock, 1000)
        slow.end()
        polled(watch, clock, 0.5)
        assert (watch.view.rows, watch.ledger.sightings) == (100, ())


def test_what_a_thread_makes_is_waited_for_by_nobody_and_what_it_raises_is_raised_by_who_asks():
    go_on = threading.Event()
    later = in_a_thread(lambda: go_on.wait(60) and "made")
    assert not later.done()
    go_on.set()
    assert later.result(60) == "made"

    def leaves():
        raise SystemExit(3)

    for made in (in_a_thread, at_once):
        with pytest.raises(SystemExit):
            made(leaves).result(60)


# --- looks that are brought forward --------------------------------------------------------------


class Counted:
    """The real autopsy, and how often it was made; each costs a second of processor, where nothing else does."""

    def __init__(self, monkeypatch):
        self.times, self.spent = 0, 0.0
        for what in ("process_time", "thread_time"):
            monkeypatch.setattr(f"time.{what}", lambda: self.spent)

    def __call__(self, run):
        self.times += 1
        self.spent += 2.0 if self.times == 1 else 1.0  # the first loads libraries
        return analyze(run)


def test_a_training_that_goes_back_is_looked_at_at_once_and_again_when_that_is_paid(path, clock, monkeypatch):
    examine = Counted(monkeypatch)
    with Watch(str(path), clock=clock, examine=examine) as watch:
        grow(path, 0, ROWS, LOSS)
        polled(watch, clock, 1)
        grow(path, ROWS - 100, ROWS - 96, LOSS)
        assert (kinds(polled(watch, clock, 2)), examine.times) == (["resume"], 2)
        grow(path, ROWS - 96, ROWS - 60, LOSS)
        assert (kinds(polled(watch, clock, 1.8 / SHARE)), examine.times) == ([], 2)  # both are paid for first
        polled(watch, clock, 0.4 / SHARE)
        assert examine.times == 3


def test_where_positions_go_back_all_the_time_it_is_nothing_to_hurry_for(path, clock, monkeypatch):
    examine = Counted(monkeypatch)
    with Watch(str(path), clock=clock, examine=examine) as watch:
        grow(path, 0, 200, LOSS)
        polled(watch, clock, 1)
        hurried = 0
        for _ in range(20):
            grow(path, 100, 108, LOSS)
            before, owed = examine.times, watch._purse.owes(clock.now)
            polled(watch, clock, 1)
            hurried += owed and examine.times > before
            polled(watch, clock, 0.5 / SHARE)
        assert hurried == 1
        assert examine.times >= 8


def test_what_shows_a_view_is_paid_for_too(path, clock, monkeypatch):
    examine = Counted(monkeypatch)
    with Watch(str(path), clock=clock, examine=examine) as watch:
        grow(path, 0, ROWS, LOSS)
        polled(watch, clock, 1)
        polled(watch, clock, 1 / SHARE)
        with watch.counting():
            examine.spent += 1.0
        grow(path, ROWS, ROWS + 50, LOSS)
        assert polled(watch, clock, 0.8 / SHARE) == []
        assert len(polled(watch, clock, 0.4 / SHARE)) == 1


def test_the_end_of_a_recorded_run_needs_no_credit(tmp_path, clock, monkeypatch):
    examine = Counted(monkeypatch)
    with record(tmp_path / "run", signals="scalars") as run:
        for step in range(ROWS):
            run.log(step, {"train/loss": float(LOSS[step])})
        watch = Watch(str(tmp_path / "run"), clock=clock, examine=examine)
        polled(watch, clock, 1)
        watch._purse.take(100.0)
        assert watch._purse.lends(clock.now)
    with watch:
        assert kinds(polled(watch, clock, 1)) == ["finished"]


def test_all_that_the_process_spends_while_a_look_is_made_is_paid_for_once(path, clock, slow, monkeypatch):
    examine = Counted(monkeypatch)

    def seen(run):
        if slow.begun[1:]:
            examine.spent += 0.5  # of polls and glances, while the look is made
            with watch.counting():
                examine.spent += 0.5
        return examine(run)

    with Watch(str(path), clock=clock, beside=slow, examine=seen) as watch:
        grow(path, 0, ROWS, LOSS)
        polled(watch, clock, 1)
        grow(path, ROWS, ROWS + 20, LOSS)
        while len(slow.begun) < 2:
            polled(watch, clock, 0.5)
        slow.end()
        polled(watch, clock, 0.5)
        assert watch._purse.owes(clock.now + 2 / SHARE - 2)
        assert not watch._purse.owes(clock.now + 2 / SHARE + 2)


@pytest.mark.parametrize("told", [math.nan, 80.0])
def test_a_text_that_takes_long_to_read_keeps_no_new_line_waiting(tmp_path, clock, slow, told):
    """Of a console log a look reads every line again, which is done where the look is made."""
    path, loss, reads = tmp_path / "run.log", LOSS.copy(), []
    loss[ROWS + 25 :] = told

    def write(begin, end):
        with path.open("a") as file:
            file.writelines(f"step {i} loss: {loss[i]:.6f} lr: 0.1{'0' * 400}\n" for i in range(begin, end))

    with Watch(str(path), clock=clock, beside=slow) as watch:
        write(0, ROWS)
        polled(watch, clock, 1)
        file = watch._log._file
        file._reader = Spied(file._reader, reads)
        write(ROWS, ROWS + 20)
        polled(watch, clock, 1000)
        assert len(slow.begun) == 2
        size = path.stat().st_size
        assert max(reads) < size / 10  # glances alone have read
        write(ROWS + 20, ROWS + 40)
        assert kinds(polled(watch, clock, 2)) == ["not_finite" if math.isnan(told) else "divergence"]
        slow.end()
        assert max(reads) == size  # what came later is no part of it
        (view,) = polled(watch, clock, 0.5)
        assert (kinds([view]), view.autopsy.last, view.last) == ([], ROWS + 19, ROWS + 39)


class Spied:
    """A reader, and how many bytes it was given."""

    def __init__(self, reader, reads):
        self.name, self._reader, self._reads = reader.name, reader, reads

    def read(self, source):
        self._reads.append(len(source.data()))
        return self._reader.read(source)
