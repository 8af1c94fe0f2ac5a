"""The protocol's checklist: yes, no or unknown."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import planted
import runopsy
from runopsy.checklist import PROTOCOL, Kept, answered
from runopsy.glossary import TERMS
from runopsy.model import Reply
from runopsy.signal_specs import spec_of

STEP = np.arange(0, 4001, 10)


def asked(run, kept=None):
    return {item.question: item for item in answered(runopsy.analyze(run), kept)}


def with_signals(run, *names):
    draw = np.random.default_rng(0)
    further = planted.run(STEP, {name: 1 + 0.1 * draw.normal(size=len(STEP)) for name in names})
    return replace(run, tracks={**run.tracks, **further.tracks})


def test_there_are_eight_questions_and_each_is_explained():
    found = asked(planted.grokking())
    assert len(found) == 8
    assert set(found) <= set(TERMS)
    assert Reply.UNKNOWN.value in TERMS


def test_the_signals_of_the_protocol_are_signals_of_ours():
    for names in PROTOCOL.values():
        assert all(spec_of(name + ("x" if name.endswith("/") else "")) or spec_of(f"{name}_prev") for name in names
                   if name != "features/cca"), names  # fmt: skip


def test_evidence_is_a_clause_and_every_no_says_what_to_do():
    for run in (planted.grokking(), planted.run([0, 1, 2], {"train/loss": [3.0, 2, 1]})):
        for item in asked(run).values():
            assert item.evidence
            assert not item.evidence.endswith(".")
            assert item.do or item.reply is Reply.YES


def test_signals_are_logged_in_part_wholly_or_not():
    none = asked(planted.grokking())["signals logged"]
    assert none.reply is Reply.NO
    assert "record(" in none.do
    some = asked(with_signals(planted.grokking(), "features/effective_rank"))["signals logged"]
    assert some.reply is Reply.YES
    assert "1 is logged" in some.evidence
    assert "gradient variance" in some.evidence
    every = with_signals(planted.grokking(), "gns/g2", "gns/s", "features/effective_rank", "hessian/grad_alignment",
                         "features/cka_prev", "features/entropy", "grad/norm/head", "grad/variance")  # fmt: skip
    assert asked(every)["signals logged"].do == ""


def test_baselines_are_those_of_the_first_phase_or_of_a_library():
    assert asked(planted.grokking())["baselines known"].reply is Reply.NO
    seldom = with_signals(planted.grokking(), "features/effective_rank")  # one reading in a short first phase
    assert "readings enough" in asked(seldom)["baselines known"].evidence
    loss = planted.noisy(2.3 - planted.sigmoid(STEP, 2000, 200, 0, 2), 0.01)
    often = with_signals(planted.run(STEP, {"train/loss": loss, "val/loss": loss}), "features/effective_rank")
    assert asked(often)["baselines known"].reply is Reply.YES
    known = asked(planted.grokking(), Kept("a on b", 8, 5))["baselines known"]
    assert known.reply is Reply.YES
    assert "5 signals in 8 runs" in known.evidence


def test_curves_of_few_rows_are_not_smoothed():
    assert asked(planted.grokking())["smoothing in place"].reply is Reply.YES
    few = planted.run([0, 1, 2], {"train/loss": [3.0, 2, 1], "val/loss": [3.0, 2, 1]})
    assert asked(few)["smoothing in place"].reply is Reply.NO


@pytest.mark.parametrize(
    ("config", "reply"),
    [
        ({}, Reply.UNKNOWN),
        ({"lr": 0.1, "early_stopping": False}, Reply.UNKNOWN),
        ({"patience": None}, Reply.UNKNOWN),
        ({"patience": 10}, Reply.YES),
        ({"trainer": {"callbacks": {"early_stopping_rounds": 20}}}, Reply.YES),
        ({"scheduler": "ReduceLROnPlateau"}, Reply.YES),
        ({"note": "an impatient author who wrote at some length about patience in a free text"}, Reply.UNKNOWN),
    ],
)
def test_a_rule_for_acting_is_one_that_the_settings_name(config, reply):
    item = asked(replace(planted.grokking(), config=config))["a rule for acting"]
    assert item.reply is reply


def test_validation_is_logged_too_seldom_or_not_at_all():
    assert asked(planted.grokking())["checked by validation"].reply is Reply.YES
    alone = planted.run(STEP, {"train/loss": planted.noisy(planted.decay(STEP), 0.02)})
    assert asked(alone)["checked by validation"].evidence == "No validation is logged"
    seldom = planted.run([0, 2000], {"val/loss": [2.0, 1.0]})
    item = asked(replace(alone, tracks={**alone.tracks, **seldom.tracks}))["checked by validation"]
    assert item.reply is Reply.NO
    assert "val/loss 2 rows" in item.evidence


@pytest.mark.parametrize(
    ("kept", "reply"),
    [(None, Reply.UNKNOWN), (Kept(None, 0, 0), Reply.UNKNOWN), (Kept("a on b", 2, 0), Reply.NO),
     (Kept("a on b", 9, 4), Reply.YES)],
)  # fmt: skip
def test_patterns_are_documented_where_a_library_holds_runs_enough(kept, reply):
    assert asked(planted.grokking(), kept)["patterns by architecture"].reply is reply


def test_what_no_log_shows_is_said_to_be_so():
    found = asked(planted.grokking())
    assert found["logs reviewed"].reply is found["budget for experiments"].reply is Reply.UNKNOWN


def test_every_format_has_it_where_it_is_asked_for_and_only_there():
    autopsy = runopsy.analyze(planted.grokking())
    asked_for = replace(autopsy, checklist=answered(autopsy))
    assert "checklist" not in autopsy.to_dict()
    replies = [item["reply"] for item in asked_for.to_dict()["checklist"]]
    assert len(replies) == 8
    assert set(replies) <= {"yes", "no", "unknown"}
    for format in ("text", "markdown", "html"):
        assert "a rule for acting" in runopsy.render(asked_for, format), format
        assert "a rule for acting" not in runopsy.render(autopsy, format), format
