"""What new rows show by themselves is told before the next look, and is what that look finds."""

import json
import math
from collections import Counter

import numpy as np
import pytest

import planted
from runopsy.autopsy import analyze
from runopsy.model import Run, Track
from runopsy.recorder import record
from runopsy.watch import Watch
from runopsy.watch.glance import Glance
from runopsy.watch.outbox import message
from runopsy.watch.page import page

ROWS = 400
LOSS = planted.noisy(planted.decay(np.arange(2 * ROWS), scale=20.0), 0.03)


class Clock:
    def __init__(self):
        self.now = 1_700_000_000.0

    def __call__(self):
        return self.now


def csv(path, begin, end, loss):
    with path.open("a") as file:
        file.writelines(["step,train/loss\n"] * (begin == 0) + [f"{i},{loss[i]}\n" for i in range(begin, end)])


def jsonl(path, begin, end, loss):
    with path.open("a") as file:
        file.writelines(json.dumps({"step": i, "train": {"loss": float(loss[i])}}) + "\n" for i in range(begin, end))


def text(path, begin, end, loss):
    with path.open("a") as file:
        file.writelines(f"step {i} loss: {loss[i]:.6f} lr: 0.1\n" for i in range(begin, end))


class Counted:
    """The real autopsy, and how often it was made."""

    def __init__(self):
        self.times = 0

    def __call__(self, run):
        self.times += 1
        return analyze(run)


def told(watch, clock, seconds=3.0):
    """(kind, message id) of all that is told in so many seconds, in which no look may be paid."""
    found = []
    for _ in range(int(2 * seconds)):
        clock.now += 0.5
        view = watch.poll()
        news = () if view is None else view.news
        found += [(one.kind, message(one, "run", view.path, view.autopsy.first, clock.now).id) for one in news]
    return found


@pytest.fixture
def broke(monkeypatch):
    """A watch that can pay for its first look, and for no other until the clock has gone on for years."""
    monkeypatch.setattr("runopsy.watch.purse.SHARE", 1e-9)


@pytest.mark.parametrize("write", [csv, jsonl, text])
@pytest.mark.parametrize("broken", [math.nan, math.inf])
def test_nan_is_told_before_the_next_look_which_finds_the_same(tmp_path, broke, monkeypatch, write, broken):
    loss, clock, examine, path = LOSS.copy(), Clock(), Counted(), tmp_path / "run.log"
    loss[ROWS + 5 :] = broken
    write(path, 0, ROWS, loss)
    with Watch(str(path), clock=clock, examine=examine) as watch:
        assert told(watch, clock) == []
        write(path, ROWS, ROWS + 5, loss)
        assert told(watch, clock) == []
        write(path, ROWS + 5, ROWS + 8, loss)
        first = told(watch, clock)
        assert ([kind for kind, _ in first], examine.times) == (["not_finite"], 1)
        assert (watch.view.last, watch.view.rows) == (ROWS + 7, ROWS + 8)
        shown = " ".join(page(watch.view).split())
        assert f"step {ROWS + 7}, {ROWS + 8} rows" in shown
        assert f"phase and curves are of step {ROWS - 1}" in shown
        write(path, ROWS + 8, ROWS + 20, loss)
        assert told(watch, clock) == []
        view = watch.look()
        assert "phase and curves are of" not in page(view)
        assert not [news for news in view.news if news.kind == "not_finite"]
        (event,) = [e for e in view.autopsy.events if e.kind == "not_finite"]
        (sighting,) = [s for s in view.ledger.sightings if s.event.kind == "not_finite"]
        assert (sighting.here, sighting.reported, event.step) == (True, ROWS + 5, ROWS + 5)


def test_nan_of_a_recorded_run_is_told_from_its_journal(tmp_path, broke):
    clock, examine = Clock(), Counted()
    with record(tmp_path / "run", signals="scalars") as run:
        for step in range(ROWS):
            run.log(step, {"train/loss": float(LOSS[step])})
        with Watch(str(tmp_path / "run"), clock=clock, examine=examine) as watch:
            assert told(watch, clock) == []
            run.log(ROWS, {"train/loss": math.nan})
            assert [kind for kind, _ in told(watch, clock)] == ["not_finite"]
            assert examine.times == 1


def test_an_error_in_a_text_is_looked_at_at_once(tmp_path, broke):
    clock, examine, path = Clock(), Counted(), tmp_path / "run.log"
    text(path, 0, ROWS, LOSS)
    with Watch(str(path), clock=clock, examine=examine) as watch:
        assert told(watch, clock) == []
        with path.open("a") as file:
            file.write("Traceback (most recent call last):\n  File 'a.py', line 1\nRuntimeError: CUDA out of memory\n")
        assert [kind for kind, _ in told(watch, clock)] == ["crashed"]
        assert examine.times == 2


def test_the_end_of_a_recorded_run_waits_for_no_pause(tmp_path, broke):
    clock = Clock()
    with record(tmp_path / "run", signals="scalars") as run:
        for step in range(ROWS):
            run.log(step, {"train/loss": float(LOSS[step])})
        watch = Watch(str(tmp_path / "run"), clock=clock)
        assert told(watch, clock) == []
    with watch:
        assert [kind for kind, _ in told(watch, clock, 2.0)] == ["finished"]


@pytest.mark.parametrize("rows", [9, 60])
def test_a_loss_far_beyond_all_that_it_was_is_told_once_it_has_stayed_there(tmp_path, broke, rows):
    loss, clock, path = LOSS.copy(), Clock(), tmp_path / "run.csv"
    loss[ROWS : ROWS + rows] = 80.0
    csv(path, 0, ROWS, loss)
    with Watch(str(path), clock=clock) as watch:
        assert told(watch, clock) == []
        csv(path, ROWS, ROWS + 10, loss)
        found = [kind for kind, _ in told(watch, clock)]
        assert found == (["divergence"] if rows > 9 else [])
        csv(path, ROWS + 10, ROWS + 50, loss)
        assert told(watch, clock) == []
        view = watch.look()
        assert [(s.event.kind, s.here) for s in view.ledger.sightings if s.confirmed] == [
            (kind, True) for kind in found
        ]
        assert "divergence" not in [news.kind for news in view.news]


def test_what_it_saw_leave_stands_until_it_comes_back_though_no_autopsy_sees_it(tmp_path, broke):
    def blind(run):
        return analyze(Run(run.path, run.id, run.axis, {n: cut(t) for n, t in run.tracks.items()}))

    def cut(track):
        return Track(track.name, track.step[:ROWS], track.value[:ROWS])

    loss, clock, path = LOSS.copy(), Clock(), tmp_path / "run.csv"
    loss[ROWS : ROWS + 30] = 80.0
    csv(path, 0, ROWS, loss)
    with Watch(str(path), clock=clock, examine=blind) as watch:
        told(watch, clock)
        csv(path, ROWS, ROWS + 20, loss)
        assert [kind for kind, _ in told(watch, clock)] == ["divergence"]
        assert watch.look().ledger.sightings[0].here
        csv(path, ROWS + 20, ROWS + 60, loss)
        assert told(watch, clock) == []
        assert not watch.look().ledger.sightings[0].here


def test_a_column_that_is_padded_with_nan_is_no_alarm_however_often_it_is_looked_at(tmp_path):
    clock, path = Clock(), tmp_path / "run.csv"
    rows = [f"{i},{LOSS[i]},{1.1 * LOSS[i] if i % 25 == 24 else 'nan'}\n" for i in range(150)]
    with Watch(str(path), clock=clock) as watch:
        for begin in range(0, 150, 6):
            with path.open("a") as file:
                file.writelines(["step,train/loss,val/loss\n"] * (begin == 0) + rows[begin : begin + 6])
            assert not [news.kind for news in watch.look().news]
            assert told(watch, clock, 0.5) == []


# --- one glance ----------------------------------------------------------------------------------


def glance(curves, axis="step", x=None):
    run = Run("a", "a", axis, {n: Track(n, np.arange(float(len(v))), np.asarray(v)) for n, v in curves.items()})
    return Glance(analyze(run, x=x), max(map(len, curves.values())))


def rows(begin, values, name="train/loss", axis="step"):
    values = np.asarray(values, dtype=float)
    return Run("a", "a", axis, {name: Track(name, begin + np.arange(float(len(values))), values)})


def test_of_a_curve_that_had_such_values_another_is_left_to_the_next_look():
    loss = LOSS[:100].copy()
    loss[50] = math.nan
    assert glance({"train/loss": loss}).see(rows(100, [math.nan])) == ()
    assert glance({"train/loss": LOSS[:100]}).see(rows(100, [math.nan])) != ()


def test_one_event_of_several_curves_at_the_first_of_them():
    both = glance({"train/loss": LOSS[:100], "val/loss": LOSS[:100]})
    tracks = {**rows(100, [0.1, math.nan]).tracks, **rows(100, [math.nan, 0.1], "val/loss").tracks}
    (event,) = both.see(Run("a", "a", "step", tracks))
    assert (event.step, [e.signal for e in event.evidence]) == (100, ["val/loss", "train/loss"])
    assert both.see(rows(102, [math.nan])) == ()


def test_those_that_recovered_weigh_less_as_an_autopsy_has_it():
    weights = Counter()
    for values in ([math.nan], [math.nan, 0.1]):
        (event,) = glance({"train/loss": LOSS[:100]}).see(rows(100, values))
        (found,) = [e for e in analyze(rows(0, [*LOSS[:100], *values])).events if e.kind == "not_finite"]
        assert (event.kind, event.step, event.severity) == (found.kind, found.step, found.severity)
        weights[event.severity] += 1
    assert len(weights) == 2


def test_a_perplexity_or_an_error_rate_is_seen_in_its_unit():
    assert glance({"train/ppl": np.exp(LOSS[:100])}).see(rows(100, [0.0], "train/ppl"))[0].kind == "not_finite"


def test_rows_that_were_seen_before_are_left_to_the_next_look():
    one = glance({"train/loss": LOSS[:100]})
    assert one.see(rows(90, [math.nan] * 5)) == ()
    assert one.see(rows(95, [*LOSS[95:100], math.nan]))[0].step == 100


def test_positions_of_another_kind_are_not_compared():
    curves = {"train/loss": LOSS[:100], "epoch": np.arange(100.0) / 10}
    assert glance(curves, x="epoch").see(rows(100, [math.nan])) == ()
    assert glance(curves).see(rows(100, [math.nan], axis="epoch")) == ()


def test_where_a_log_counts_nothing_new_rows_go_on_from_the_last():
    (event,) = glance({"train/loss": LOSS[:100]}, axis="row").see(rows(0, [0.1, math.nan], axis="row"))
    assert event.step == 101
