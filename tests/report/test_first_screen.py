"""The first screen: 24 lines of 80 characters, and what matters most in them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import planted
import runopsy
from conftest import ROOT
from runopsy.model import Check, Event, Outcome, Severity
from runopsy.report.first_screen import TEXT, shortened

LOGS = (*sorted((ROOT / "sample_logs").iterdir()), *sorted((ROOT / "tests" / "epochs" / "logs").iterdir())[::6])


@pytest.mark.parametrize("log", LOGS, ids=lambda path: path.name)
def test_it_fits_24_lines_of_80(log: Path) -> None:
    text = runopsy.render(runopsy.analyze(log), "text", width=80)
    lines = text.splitlines()
    assert len(lines) <= 24, text
    assert max(map(len, lines)) <= 80


def test_every_event_is_shown_or_named() -> None:
    autopsy = runopsy.analyze(ROOT / "sample_logs" / "grokking")
    text = " ".join(runopsy.render(autopsy, "text", width=80).split())
    for event in autopsy.events:
        assert event.kind.replace("_", " ") in text


def test_the_gravest_come_first_and_stand_in_the_order_of_the_run() -> None:
    autopsy = runopsy.analyze(planted.overfitting())
    further = (
        Event("divergence", "V01", 3000.0, Severity.FATAL, (), interval=(3000.0, 3000.0)),
        *(Event("level_shift", "B02", at, Severity.INFO, (), interval=(at, at)) for at in (100.0, 200.0, 300.0, 400.0)),
        Event("noise_scale", "B03", 50.0, Severity.INFO, (), interval=(50.0, 50.0)),
    )
    check = Check("V01", "several", Outcome.FOUND, further)
    text = runopsy.render(replace(autopsy, checks=(*autopsy.checks, check)), "text", width=80)
    places = [text.index(word) for word in ("memorization onset", "divergence", "also found")]
    assert places == sorted(places)
    assert "level shift" in text[places[-1] :]


def test_a_run_without_an_event_states_so() -> None:
    assert "no rule found one" in runopsy.render(runopsy.analyze(planted.healthy()), "text")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("short", "short"),
        ("a" * 40 + "; " + "b " * 40, "a" * 40),
        ("a" * 40 + ", " + "b" * 60 + "; c", "a" * 40),
        ("word " * 30, ("word " * 16).strip() + " …"),
    ],
)
def test_what_is_long_is_cut_where_a_clause_ends(text: str, wanted: str) -> None:
    assert shortened(text) == wanted
    assert len(shortened(text)) <= TEXT


def test_what_stands_in_brackets_is_never_cut_open():
    text = "Regularise more (weight decay, dropout, augmentation, smaller batches) or add examples to the set."
    assert shortened(text) == "Regularise more"
    assert shortened("Validation loss rises from here on (0.4 to 0.6), and training improves as it did before it.") == (
        "Validation loss rises from here on (0.4 to 0.6)"
    )
