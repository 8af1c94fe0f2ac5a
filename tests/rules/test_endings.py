import numpy as np
import pytest

import planted
import runopsy
from runopsy.model import Mark, Run, Track


def events(run, kind):
    return [e for e in runopsy.analyze(run).events if e.kind == kind]


def ended(status=None, marks=()):
    base = planted.healthy()
    return Run(base.path, base.id, base.axis, base.tracks, marks=marks, status=status)


@pytest.mark.parametrize(
    ("status", "kind"),
    [("failed", "crashed"), ("interrupted", "interrupted"), ("killed", "interrupted"), ("disk_full", "crashed")],
)
def test_how_a_run_ended_is_told(status, kind):
    (event,) = events(ended(status), kind)
    assert event.step == 4000


def test_a_finished_run_tells_nothing_of_its_end():
    assert not events(ended("finished"), "crashed")
    assert not events(ended("finished"), "interrupted")


def test_an_exception_is_told_with_its_type_and_message():
    mark = Mark(4000, "crashed", {"type": "ValueError", "message": "expected 2 inputs"})
    (event,) = events(ended("failed", (mark,)), "crashed")
    assert event.step == 4000
    assert event["end"].text == "ValueError: expected 2 inputs"


def timed(seconds):
    step = np.arange(len(seconds), dtype=float)
    loss = planted.noisy(planted.decay(step), 0.02)
    return Run("t", "t", "step", {"loss": Track("loss", step, loss, np.asarray(seconds, dtype=float))})


def test_a_pause_of_hours_is_told_and_a_steady_clock_is_not():
    clock = np.arange(200.0)
    assert not events(timed(clock), "stalled")
    (event,) = events(timed(clock + 7200 * (clock >= 120)), "stalled")
    assert (event.step, event.until) == (119, 120)
    assert "2 hours" in event["pause"].text


def test_steps_that_take_longer_to_the_end_are_told():
    seconds = np.cumsum(np.where(np.arange(200) < 120, 1.0, 6.0))
    (event,) = events(timed(seconds), "stalled")
    assert event.step == pytest.approx(120, abs=2)
    assert "6 x as long" in event["pause"].text


def test_without_a_clock_it_is_not_checked():
    check = next(c for c in runopsy.analyze(planted.healthy()).checks if c.code == "E02")
    assert check.outcome == "not_checked"


def test_an_error_that_the_run_survived_did_not_end_it():
    survived = Mark(1000, "out_of_memory", {"text": "failed to allocate 2.2G: out of memory"})
    assert not events(ended("finished", (survived,)), "crashed")
    last = Mark(4000, "out_of_memory", {"text": "CUDA out of memory"})
    assert [e.step for e in events(ended(None, (survived, last)), "crashed")] == [4000]


def test_an_exception_and_the_line_that_names_its_cause_are_one_end():
    marks = (
        Mark(4000, "out_of_memory", {"text": "CUDA out of memory"}),
        Mark(4000, "crashed", {"type": "RuntimeError"}),
    )
    assert len(events(ended(None, marks), "crashed")) == 1


@pytest.mark.parametrize("name", ["val_loss", "score"])
def test_a_text_that_reports_nan_at_the_end_needs_no_training_loss(name):
    step = np.arange(40.0)
    mark = Mark(39, "not_finite", {"text": "loss is nan"})
    log = Run("x", "x", "step", {name: Track(name, step, 2 / (step + 1))}, marks=(mark,))
    found = runopsy.analyze(log)
    assert [e.evidence[0].signal for e in found.events if e.kind == "divergence"] == ["val/loss"] * (name == "val_loss")
