"""Runs at the edges of what a log can be: every format shows something, and none fails."""

from xml.etree import ElementTree as ET

import pytest

import runopsy
from odd import RUNS
from runopsy.report import FORMATS, svg
from runopsy.report.pictures import MOST_FURTHER, picture


@pytest.mark.parametrize("format", [f for f in FORMATS if f != "json"])
@pytest.mark.parametrize("name", RUNS)
def test_every_format_says_something(name, format):
    shown = runopsy.render(runopsy.analyze(RUNS[name]), format, verbose=True, gpus=1, price=1)
    assert "nan," not in shown
    assert len(shown) > 200


@pytest.mark.parametrize("name", RUNS)
def test_every_picture_is_whole(name):
    drawn = picture(runopsy.analyze(RUNS[name]))
    if drawn is not None:
        shown = svg.render(drawn)
        ET.fromstring(shown)
        assert "nan" not in shown
        assert "inf " not in shown


def test_a_hundred_signals_are_forty_charts_and_a_count():
    autopsy = runopsy.analyze(RUNS["a hundred signals"])
    assert len(picture(autopsy).further) == MOST_FURTHER
    assert f"… and {100 - MOST_FURTHER} more" in runopsy.render(autopsy, "text", verbose=True)
    assert len(runopsy.render(autopsy, "html")) < 2_000_000
