import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest

import hostile
import planted
import runopsy
from runopsy.model import Signal
from runopsy.report import svg
from runopsy.report.document import Band, Chart, Line, Mark, Picture, Scale, Timeline
from runopsy.report.pictures import picture, spark

NS = "{http://www.w3.org/2000/svg}"


def drawn(run):
    return svg.render(picture(runopsy.analyze(run)))


def test_it_is_a_picture_with_a_text_and_its_own_ground():
    root = ET.fromstring(drawn(planted.grokking()))
    assert "grokking at" in root.find(f"{NS}title").text
    assert root.find(f"{NS}rect").get("fill") == "var(--paper)"
    assert "prefers-color-scheme:dark" in root.find(f"{NS}style").text


def test_each_event_and_the_best_step_is_marked_with_its_interval():
    autopsy = runopsy.analyze(planted.grokking())
    root = ET.fromstring(svg.render(picture(autopsy)))
    titles = [t.text for t in root.iter(f"{NS}title")]
    for event in autopsy.events:
        assert any(t.startswith(event.kind.replace("_", " ")) for t in titles)
    assert any(t.startswith("best val/loss") for t in titles)


@pytest.mark.parametrize("name", hostile.NAMES, ids=range(len(hostile.NAMES)))
def test_hostile_names_stay_text(name):
    root = ET.fromstring(drawn(hostile.run(name)))
    assert {element.tag.removeprefix(NS) for element in root.iter()} <= {
        "svg",
        "title",
        "style",
        "rect",
        "g",
        "text",
        "path",
    }


def test_labels_that_would_meet_stand_in_rows():
    scale = Scale(0, 1000, log=False, origin=1, unit="step")
    marks = tuple(Mark(f"event {i}", "plain", 500 + i) for i in range(6))
    line = Line("a", np.arange(3.0) * 500, np.arange(3.0))
    root = ET.fromstring(svg.render(Picture("p", "a", (), (Chart("c", scale, (line,), False, (), 5),), marks)))
    labels = [t for t in root.iter(f"{NS}text") if (t.text or "").startswith("event")]
    assert len({(t.get("x"), t.get("y")) for t in labels}) == len(labels) == svg.MOST_ROWS


def test_several_timelines_share_one_axis():
    scale = Scale(0, 1000, log=False, origin=1, unit="step")
    lines = tuple(Timeline(scale, (Band("converged", "converged", 0, 1000),), name) for name in ("A", "B"))
    shown = svg.render(Picture("p", "a", lines, ()))
    assert len(re.findall(r'class="p-converged"', shown)) == 2
    assert ">A<" in shown
    assert ">B<" in shown


def test_a_constant_has_no_course() -> None:
    """Means of equal numbers differ by rounding, and that is nothing to draw."""
    step = np.arange(200.0)
    still, moving = (Signal("lr", "lr", step, value) for value in (np.full(200, 0.05), 0.05 + 1e-5 * step))
    assert set(spark(still)) == {"▁"}
    assert spark(moving)[-1] == "█"
