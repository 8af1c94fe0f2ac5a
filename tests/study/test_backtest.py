"""Runs → what stopping rules would have saved and missed, and how that is shown."""

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest

import runopsy
from conftest import ROOT
from runopsy.errors import BadOption, CannotJudge
from runopsy.model import Run, Track
from runopsy.study.outcome_table import summaries
from runopsy.study.policies import Budget, Patience, Policy

SAMPLES = sorted((ROOT / "sample_logs").iterdir())


def run(name="run", timed=False, **columns):
    tracks = {}
    for column, values in columns.items():
        value = np.asarray(values, dtype=float)
        step = 10.0 * np.arange(len(value))
        tracks[column] = Track(column, step, value, 1e9 + 2 * step if timed else None)
    return Run("", name, "step", tracks)


LATE = run(val_loss=[4, 3, 3.5, 3.5, 3.5, 1, 1, 1, 1, 1, 1], timed=True)


def test_the_outcome_of_a_stop_is_what_a_reader_would_compute():
    (one,) = runopsy.backtest(LATE, [Policy(Patience(2))]).outcomes
    assert (one.stop, one.end, one.reached, one.best, one.best_step) == (30.0, 100.0, 3.0, 1.0, 50.0)
    assert one.saved == pytest.approx(0.7)
    assert one.saved_seconds == pytest.approx(140)
    assert one.regret == pytest.approx((3 - 1) / (4 - 1))
    assert one.cut_off


def test_a_rule_that_never_stops_saves_and_misses_nothing():
    (one,) = runopsy.backtest(LATE, [Policy(Patience(20))]).outcomes
    assert (one.stop, one.saved, one.regret, one.saved_seconds) == (None, 0.0, 0.0, 0.0)


def test_outcomes_are_measured_by_the_signal_that_is_watched():
    both = run(val_loss=[4, 3, 3, 3, 3], val_acc=[0.1, 0.2, 0.3, 0.4, 0.9])
    by_loss, by_accuracy = (
        runopsy.backtest(both, ["when val/loss has not improved for 2 evals: stop"], watch=watch).outcomes[0]
        for watch in (None, "val/acc")
    )
    assert by_loss.regret == 0
    assert by_accuracy.signal == "val/acc"
    assert by_accuracy.regret == pytest.approx(0.5 / 0.8)


def test_a_rule_that_changes_the_training_is_dated_and_not_replayed():
    found = runopsy.backtest(run(val_loss=[2, 1, 1], gns=[3, 0.3, 0.2]), ["when gns < 0.4: halve lr"])
    assert found.outcomes == ()
    assert (found.dated[0].step, found.dated[0].why) == (10.0, "gns is 0.3")
    assert "Dated, not replayed" in str(found)


def test_what_cannot_be_replayed_is_listed_with_its_reason():
    found = runopsy.backtest([LATE, run("bare", train_loss=[2, 1, 1])], ["when gns < 0.4: stop"])
    assert {(one.run, one.why) for one in found.unjudged} == {
        ("bare", "the log has no validation curve of two rows"),
        ("run", "the log has no gns"),
    }


def test_no_run_at_all_is_an_error():
    with pytest.raises(CannotJudge, match="no validation curve"):
        runopsy.backtest(run(train_loss=[2, 1]))
    with pytest.raises(CannotJudge, match="no run is given"):
        runopsy.backtest([])
    with pytest.raises(BadOption):
        runopsy.backtest(LATE, ["stop it"])


def test_patience_cuts_off_grokking_and_a_budget_does_not():
    found = runopsy.backtest(ROOT / "sample_logs" / "grokking", [Policy(Patience(3)), Policy(Budget(percent=75))])
    assert [one.cut_off for one in found.outcomes] == [True, False]


def test_summaries_mark_what_another_rule_beats_in_both():
    (one,) = runopsy.backtest(LATE, [Policy(Patience(2))]).outcomes
    given = [("a", 0.5, 0.1), ("b", 0.4, 0.2), ("c", 0.2, 0.0), ("a", 0.5, 0.3)]
    rows = summaries([replace(one, policy=policy, saved=saved, regret=regret) for policy, saved, regret in given])
    assert [(row.policy, row.runs, row.dominated) for row in rows] == [("a", 2, False), ("b", 1, True), ("c", 1, False)]


def test_sets_are_judged_by_the_best_run():
    runs = [run(f"run {k}", val_loss=np.linspace(4, 4 - k / 4, 28)) for k in range(1, 9)]
    (asha,) = runopsy.backtest(runs, ["asha by 2"]).sets
    (halving,) = runopsy.backtest(runs, ["successive halving by 2"]).sets
    assert asha.orders > 1
    assert halving.orders == 1
    assert halving.best_kept == 1
    assert halving.regret == 0
    assert dict(halving.stops)["run 8"] is None
    assert halving.saved > 0.5


def test_runs_that_are_measured_differently_are_no_set():
    found = runopsy.backtest([run("a", val_loss=[2, 1]), run("b", val_acc=[0, 1])], ["asha"])
    assert found.sets == ()
    assert "not measured by one signal" in found.unjudged[0].why


@pytest.fixture(scope="module")
def of_samples():
    return runopsy.backtest(SAMPLES)


@pytest.mark.parametrize("format", ["text", "markdown", "html", "notebook", "json"])
def test_every_format_shows_every_rule(of_samples, format):
    text = runopsy.render(of_samples, format, verbose=True, price=2.0)
    if format == "json":
        found = json.loads(text)
        assert len(found["policies"]) == len(of_samples.summaries)
        assert len(found["outcomes"]) == len(of_samples.outcomes)
        return
    flat = " ".join(text.split())
    assert "late gain" in flat
    assert "GPU-hours" in flat
    for row in of_samples.summaries:
        assert row.policy.removesuffix(": stop") in flat or format == "text"  # whose table folds them
    assert "15 to 30 %" in flat


def test_a_frame_has_a_row_per_rule_and_run(of_samples):
    frame = of_samples.to_polars()
    assert isinstance(frame, pl.DataFrame)
    assert frame.height == len(of_samples.outcomes)
    assert of_samples._repr_html_().startswith("<div")
    assert repr(of_samples) == "Backtest(11 policies on 8 runs)"
