"""Points on a map: each where it belongs, in characters and in an SVG that is well formed."""

import xml.etree.ElementTree as ET

import numpy as np

from runopsy.report import scatter
from runopsy.report.document import Cloud, Scatter

LOW = Cloud("low", np.array([0.0]), np.array([0.0]))
HIGH = Cloud("<high>", np.array([0.5, 9.0]), np.array([1.0, 1.0]))
BLOCK = Scatter("m", 'two <points> & "more"', ("across", 0.0, 0.5), ("up", 0.0, 1.0), (LOW, HIGH))


def test_corners_lie_in_the_corners():
    rows = list(scatter.lines(BLOCK, 40))
    assert rows[0] == ("1", "│" + " " * 39 + "●")
    assert rows[scatter.ROWS - 1] == ("0", "│·" + " " * 39)
    assert "across" in rows[-1][1]


def test_the_drawing_stands_alone_and_holds_any_name():
    tree = ET.fromstring(scatter.render(BLOCK))
    texts = [node.text for node in tree.iter() if node.tag.endswith("text")]
    assert "<high> (2)" in texts
    dots = [node.get("d") for node in tree.iter() if node.tag.endswith("path") and "h0" in (node.get("d") or "")]
    assert dots[0] == f"M{scatter.LEFT:.1f} {scatter.HEIGHT - scatter.BELOW:.1f}h0"
    assert dots[1].startswith(f"M{scatter.WIDTH - scatter.RIGHT:.1f} {scatter.TOP:.1f}h0")
