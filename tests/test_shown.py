"""What an autopsy and a comparison look like where Python shows them: one line, one page, and the rest as HTML."""

from __future__ import annotations

import pytest

import planted
import runopsy


@pytest.fixture(scope="module")
def autopsy() -> runopsy.Autopsy:
    return runopsy.analyze(planted.grokking())


def test_a_repr_is_one_line_that_says_what_it_is_of(autopsy: runopsy.Autopsy) -> None:
    for thing in (autopsy, autopsy.run, runopsy.diff(autopsy, autopsy)):
        assert "\n" not in repr(thing)
        assert 20 < len(repr(thing)) < 200
        assert autopsy.run.id in repr(thing)
    assert autopsy.verdict.name in repr(autopsy)


def test_printing_shows_the_page_in_a_notebook_too(autopsy: runopsy.Autopsy, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = str(autopsy)
    assert 10 < plain.count("\n") < 120
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    shown: list[object] = []
    monkeypatch.setattr("rich.jupyter.display", lambda *what: shown.append(what))
    assert str(autopsy) == plain
    assert shown == []


def test_what_a_notebook_shows_is_small_enough_for_six_cells(autopsy: runopsy.Autopsy) -> None:
    assert len(autopsy._repr_html_()) < 66_000  # three of the cells show one
