"""Curves over sizes as pictures: what is marked lies where it was found."""

from xml.etree import ElementTree as ET

import numpy as np
import pytest

import planted_sizes
from runopsy.report import size_chart, svg, terminal
from runopsy.report.document import Mark
from runopsy.report.size_chart import SizeLine
from runopsy.study.scaling import scaling_of
from runopsy.study.size_pictures import of_scaling, of_sizes
from runopsy.study.sizes import sizes_of


@pytest.fixture(scope="module")
def drawn():
    table, at = planted_sizes.double_descent(np.random.default_rng(0), 20, 2, 0.03)
    (picture,) = of_sizes(sizes_of(table))
    return picture, at


def test_a_picture_names_what_was_found_and_for_who_cannot_see_it_too(drawn):
    picture, _ = drawn
    assert [mark.label for mark in picture.marks][:2] == ["first minimum", "peak"]
    assert "Marked: first minimum at" in picture.alt
    assert picture.charts[0].scale.log


def test_the_svg_is_one_and_has_a_dot_per_size(drawn):
    root = ET.fromstring(svg.render(drawn[0]))
    dots = [e for e in root.iter() if "dots" in e.get("class", "")]
    assert len(dots) == 1
    assert dots[0].get("d").count("M") == len(drawn[0].charts[0].lines[0].step)


def test_in_characters_the_pointer_stands_under_the_peak(drawn):
    lines = terminal.picture(drawn[0], width=80).splitlines()
    assert all(len(line) <= 80 for line in lines)
    below = next(i for i, line in enumerate(lines) if set(line) == {" ", "▲"})
    body = [line[terminal.MARGIN :] for line in lines[below - 1 - size_chart.ROWS : below - 1]]
    pointers = lines[below][terminal.MARGIN :]
    assert "log scale" in lines[below - 1]
    assert any(row[: len(pointers)].strip() for row in body)
    columns = [i for i, c in enumerate(pointers) if c == "▲"]
    heights = [
        next(i for i, row in enumerate(body) if i < len(body) and len(row) > c and row[c] != " ") for c in columns
    ]
    assert heights[1] < heights[0]  # the peak's column is drawn higher than the first minimum's


def test_millions_are_counted_in_millions():
    line = SizeLine("loss", np.array([1e6, 5e7, 2e9]), np.array([3.0, 2.0, 1.0]))
    picture = size_chart.picture("x", "Loss", "params", [line], [Mark("peak", "bad", 5e7, interval=(1e6, 2e9))])
    assert picture.charts[0].scale.unit == "params, in 1e+9"
    assert picture.marks[0].at == pytest.approx(0.05)
    assert picture.marks[0].interval == pytest.approx((1e-3, 2))


def test_nothing_to_draw_is_no_picture():
    assert size_chart.picture("x", "Loss", "params", [SizeLine("loss", np.array([1.0]), np.array([1.0]))]) is None


def test_a_law_is_drawn_through_its_runs():
    random = np.random.default_rng(1)
    table, _ = planted_sizes.alone(random, "power", 8, 0.001)
    (line,) = of_scaling(scaling_of(table)).charts[0].lines
    np.testing.assert_allclose(np.interp(line.rows[0], line.step, line.value), line.rows[1], rtol=0.02)
    joint = of_scaling(scaling_of(planted_sizes.joint(random, 12, 0.0)))
    (line,) = joint.charts[0].lines
    best = np.interp(line.rows[0], line.step, line.value)
    assert (line.rows[1] >= best * (1 - 1e-3)).all()  # no run is better than the optimum of its compute
