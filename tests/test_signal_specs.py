"""The table of signals against those that are recorded, derived and read."""

from __future__ import annotations

import re

import numpy as np
import pytest

from runopsy.model import INSIDE, Signal
from runopsy.rules import PRESETS
from runopsy.signal_specs import DERIVED, ERROR, RECORDED, ROWS, SIGNALS, spec_of
from runopsy.signals import ROLES, derived


def test_names_are_unique_and_sentences_end() -> None:
    assert len(SIGNALS) == len(ROWS)
    for row in ROWS:
        for text in (row.what, row.moves, row.caution):
            assert not text or text.endswith("."), row.name


def test_every_signal_that_a_probe_can_read_has_a_row_and_every_row_a_probe() -> None:
    pytest.importorskip("torch")
    from runopsy.recorder.probes import PROBES

    names = {name for probe in PROBES for name in probe.units}
    assert {name.removesuffix(ERROR) for name in names} == {row.name for row in RECORDED}
    assert {name for name in names if name.endswith(ERROR)} == {row.name + ERROR for row in RECORDED if row.error}


def test_what_a_recorded_signal_means_and_does_not_mean_is_stated() -> None:
    for row in RECORDED:
        assert all((row.what, row.formula, row.moves, row.caution, row.needs, row.cost)), row.name


def test_every_derived_signal_has_a_row() -> None:
    at, ones = np.arange(200.0), np.ones(200)
    given = {name: Signal(name, name, at, ones) for name in ("gns/g2", "gns/s")}
    assert {*derived(given)} - {*given} == {row.name for row in DERIVED}


def test_every_role_and_every_signal_that_a_rule_needs_has_a_row() -> None:
    needed = {name for preset in PRESETS.values() for rule in preset for name in rule.needs}
    for name in (*ROLES, *needed):
        assert spec_of(name) is not None, name


def test_every_family_of_the_inside_of_a_model_has_a_row() -> None:
    for family in INSIDE:
        assert any(name.startswith(family) for name in SIGNALS), family


def test_a_source_on_arxiv_is_named_by_its_number() -> None:
    for row in ROWS:
        if "arXiv" in row.source:
            assert re.search(r"arXiv \d{4}\.\d{4,5}", row.source), row.name


def test_a_strange_name_has_no_row() -> None:
    assert spec_of("my/own") is None
