"""Runs at the edges of what a log can be: every format says something, and none fails."""

from dataclasses import replace
from xml.etree import ElementTree as ET

import numpy as np
import pytest

import planted
import runopsy
from runopsy.report import FORMATS, svg
from runopsy.report.pictures import MOST_FURTHER, picture

STEP = np.arange(0, 4000, 20.0)
FALL = planted.decay(STEP)


def odd():
    nan_tail = FALL.copy()
    nan_tail[120:] = np.nan
    zero = np.maximum(FALL - 0.4, 0.0)
    yield "one value", planted.run([0.0], {"loss": [1.0]})
    yield "three values", planted.run([0.0, 1.0, 2.0], {"loss": [3.0, 2.0, 1.0], "val_loss": [3.0, 2.0, 1.0]})
    yield "no number at all", planted.run(STEP, {"loss": np.full(200, np.nan), "val_loss": FALL})
    yield "constant", planted.run(STEP, {"loss": np.ones(200), "val_loss": np.ones(200)})
    yield "not finite to the end", planted.run(STEP, {"loss": nan_tail, "val_loss": FALL})
    yield "negative", planted.run(STEP, {"loss": FALL - 5, "val_loss": FALL - 5})
    yield "down to zero", planted.run(STEP, {"loss": zero, "val_loss": zero})
    yield "huge", planted.run(STEP, {"loss": FALL * 1e300, "val_loss": FALL * 1e300})
    yield "tiny", planted.run(STEP, {"loss": FALL * 1e-300, "val_loss": FALL * 1e-300})
    yield "fractions of epochs", replace(planted.run(STEP / 1000, {"loss": FALL, "val_loss": FALL}), axis="epoch")
    yield "unix time", replace(planted.run(STEP + 1.7e9, {"loss": FALL, "val_loss": FALL}), axis="time")
    yield "from a late step on", planted.run(STEP + 1e7, {"loss": FALL, "val_loss": FALL})
    yield "a hundred signals", planted.run(STEP, {"loss": FALL, **{f"layer{i}/norm": FALL * i for i in range(1, 101)}})
    yield "a signal that is never the same sign", planted.run(STEP, {"loss": FALL, "drift": np.sin(STEP)})


ODD = dict(odd())


@pytest.mark.parametrize("format", [f for f in FORMATS if f != "json"])
@pytest.mark.parametrize("name", ODD)
def test_every_format_says_something(name, format):
    said = runopsy.render(runopsy.analyze(ODD[name]), format, verbose=True, gpus=1, price=1)
    assert "nan," not in said
    assert len(said) > 200


@pytest.mark.parametrize("name", ODD)
def test_every_picture_is_whole(name):
    drawn = picture(runopsy.analyze(ODD[name]))
    if drawn is not None:
        said = svg.render(drawn)
        ET.fromstring(said)
        assert "nan" not in said
        assert "inf " not in said


def test_a_hundred_signals_are_forty_charts_and_a_count():
    autopsy = runopsy.analyze(ODD["a hundred signals"])
    assert len(picture(autopsy).further) == MOST_FURTHER
    assert f"… and {100 - MOST_FURTHER} more" in runopsy.render(autopsy, "text", verbose=True)
    assert len(runopsy.render(autopsy, "html")) < 2_000_000
