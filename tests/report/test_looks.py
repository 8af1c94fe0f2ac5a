"""Contrast, by the formula of WCAG 2.2."""

import pytest

from runopsy.report import looks

BOTH = pytest.mark.parametrize("dark", [0, 1], ids=["light", "dark"])


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a, b):
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def mixed(over, under, share):
    parts = [(int(over[i : i + 2], 16) * share + int(under[i : i + 2], 16) * (1 - share)) for i in (1, 3, 5)]
    return "#" + "".join(f"{round(p):02x}" for p in parts)


def test_black_on_white_is_21_to_1():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)


@BOTH
def test_text_is_read_on_its_ground(dark):
    paper, ink = looks.PAPER["paper"][dark], looks.PAPER["ink"][dark]
    assert contrast(ink, paper) >= 7
    assert contrast(looks.PAPER["faint"][dark], paper) >= 4.5
    for name, pair in looks.TONES.items():
        assert contrast(pair[dark], paper) >= 4.5, name
    for name, pair in looks.PHASES.items():
        assert contrast(ink, pair[dark]) >= 4.5, name


@BOTH
def test_curves_stand_out_from_paper_and_bands(dark):
    paper = looks.PAPER["paper"][dark]
    for curve in looks.CURVES:
        assert contrast(curve[dark], paper) >= 3
        for name, pair in looks.PHASES.items():
            assert contrast(curve[dark], mixed(pair[dark], paper, 0.3)) >= 3, (curve, name)


def test_training_and_validation_look_the_same_on_every_chart():
    assert [looks.curve(n, k) for k, n in enumerate(("train/loss", "val/loss"))] == [0, 1]
    assert looks.curve("val/acc", 0) == 1
    assert looks.curve("val.other/loss", 3) == 1
    assert looks.curve("grad/norm", 0) >= 2
