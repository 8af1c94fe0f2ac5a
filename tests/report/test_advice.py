import re

import numpy as np
import pytest

import planted
import runopsy
from conftest import ROOT
from runopsy.kinds import KINDS
from runopsy.report.advice import ADVICE, MOST, advise
from runopsy.verdicts import VERDICTS


@pytest.fixture
def suggested():
    return lambda name: [(s.do, s.because) for s in advise(runopsy.analyze(ROOT / "sample_logs" / name))]


def test_every_row_follows_from_something_that_can_be_found():
    known = {*KINDS, *(row.verdict for row in VERDICTS)}
    assert {advice.on for advice in ADVICE} <= known


@pytest.mark.parametrize("name", [p.name for p in sorted((ROOT / "sample_logs").iterdir())])
def test_suggestions_are_few_whole_and_filled_in(name, suggested):
    steps = suggested(name)
    assert len(steps) <= MOST
    for do, because in steps:
        assert do.endswith(".")
        assert not re.search(r"[{}]|  | ,|step \.|at $|at ;", do + because), do + because
        assert because


def test_a_memorized_run_is_advised_to_wait_before_the_word_is_used(suggested):
    assert "Train longer before calling it memorized" in suggested("memorization")[0][0]


def test_a_rate_changed_just_before_a_divergence_is_the_first_suspect_and_no_cause(suggested):
    do, because = suggested("divergence")[0]
    assert "learning rate at step 1,000" in do
    assert "no proof" in because


def test_a_grokked_run_names_the_patience_it_would_have_needed(suggested):
    autopsy = runopsy.analyze(ROOT / "sample_logs" / "grokking")
    event = next(e for e in autopsy.events if e.kind == "grokking")
    assert f"{event.step - event.evidence[0].step:,.0f} steps" in suggested("grokking")[0][0]


def test_a_double_descent_names_the_patience_that_reaches_the_lower_side(suggested):
    autopsy = runopsy.analyze(ROOT / "sample_logs" / "double-descent")
    event = next(e for e in autopsy.events if e.kind == "double_descent_peak")
    loss, low = autopsy.segments["val/loss"], event.evidence[0]
    patience = float(re.search(r"more than ([\d,]+) steps", suggested("double-descent")[0][0])[1].replace(",", ""))
    lower = loss.step[(loss.step > event.step) & (loss.curve < low.observed)][0]
    assert patience == pytest.approx(lower - low.step, abs=1)  # printed as a whole number


def test_a_healthy_run_that_used_all_its_steps_is_left_alone(suggested):
    assert suggested("healthy") == []


def test_a_batch_far_from_the_critical_one_is_pointed_out():
    base, step = planted.healthy(), np.arange(0, 4001, 20)
    curves = {n: t.value for n, t in base.tracks.items()}
    for size, word in ((4096, "smaller batch"), (16, "larger batch"), (300, "")):
        more = {"batch/critical": np.full(len(step), 300.0), "batch_size": np.full(len(step), float(size))}
        shown = " ".join(s.do for s in advise(runopsy.analyze(planted.run(step, {**curves, **more}))))
        assert (word in shown) if word else ("batch" not in shown)


def test_what_was_not_checked_is_to_be_logged_next_time():
    base = planted.overfitting()
    accuracy = {"val/acc": planted.sigmoid(base.tracks["val/loss"].step, 200, 60, 0.1, 0.8)}
    curves = {name: track.value for name, track in base.tracks.items()}
    shown = advise(runopsy.analyze(planted.run(base.tracks["val/loss"].step, {**curves, **accuracy})))
    assert shown[-1].do == "Log train/acc next time."
    assert "G01" in shown[-1].because
    assert "L01" not in shown[-1].because


def test_accuracies_are_not_asked_of_a_log_that_has_none():
    assert not any("acc" in step.do for step in advise(runopsy.analyze(planted.overfitting())))
