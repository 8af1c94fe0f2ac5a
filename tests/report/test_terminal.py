import re

import numpy as np
import pytest

import planted
import runopsy
from runopsy.report import canvas, terminal
from runopsy.report.document import Band, Chart, Document, Line, Scale, Timeline

HOSTILE = [
    "[bold]x[/bold]",
    "a|b",
    "<script>alert(1)</script>",
    "`tick`",
    "line\nbreak",
    "\u202eevil",
    "x" * 10_000,
    "[/]",
    "%s{0}",
]


def text(run, **options):
    return runopsy.render(runopsy.analyze(run), "text", **options)


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_no_line_is_wider_than_asked(width):
    for line in text(planted.grokking(), width=width).splitlines():
        assert len(line) <= width, line


def test_without_colour_there_is_no_escape_sequence():
    assert "\x1b" not in text(planted.grokking())


def test_with_colour_only_the_looks_differ():
    coloured = text(planted.grokking(), color=True)
    assert "\x1b[" in coloured
    bare = re.sub(r"\x1b\[[0-9;]*m", "", coloured)
    assert [line.rstrip() for line in bare.splitlines()] == text(planted.grokking()).splitlines()


def test_the_first_lines_say_what_and_the_last_what_could_not_be_said():
    shown = text(planted.overfitting())
    assert shown.splitlines()[0] == "planted  ·  step 0 to 4,000"
    assert "OVERFIT" in shown
    assert "rules not checked" in shown.splitlines()[-1]
    table = text(planted.overfitting(), verbose=True).partition("Rules that were not checked")[2]
    assert re.search(r"G01 .*the log has no train/acc", table)


def test_it_is_the_same_byte_for_byte_each_time():
    assert text(planted.grokking()) == text(planted.grokking())


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_stay_text(name):
    step = np.arange(0, 2000, 10)
    run = planted.run(step, {"loss": planted.decay(step), "val_loss": planted.decay(step), name: step * 1.0})
    run = type(run)(path=name, id=name, axis="step", tracks=run.tracks, notes=(name,))
    shown = text(run, width=100)
    assert "Traceback" not in shown
    assert name.replace("\u202e", "<U+202E>").replace("\n", "")[:20] in shown.replace("\n", "").replace(" ", "")


def test_a_name_cannot_speak_to_the_terminal():
    shown = text(type(planted.grokking())("p", "\x1b[31mred\x07", "step", planted.grokking().tracks))
    assert "\x1b" not in shown
    assert "<U+001B>[31mred<U+0007>" in shown


def test_ascii_output_keeps_the_columns():
    shown = text(planted.grokking())
    plain = shown.translate(terminal.ASCII)
    assert [len(a) for a in shown.splitlines()] == [len(b) for b in plain.splitlines()]
    assert plain.encode("ascii", errors="replace").count(b"?") == 0


def scale(log=False):
    return Scale(0, 1000, log, 1.0, "step")


@pytest.mark.parametrize("log", [False, True])
def test_columns_run_from_edge_to_edge_and_never_back(log):
    columns = [canvas.column(scale(log), s, 80) for s in np.linspace(0, 1000, 500)]
    assert columns[0] == 0
    assert columns[-1] == 79
    assert columns == sorted(columns)


def test_a_chart_shows_extremes_that_fall_into_one_column():
    step = np.arange(1001.0)
    value = np.ones(1001)
    value[500] = 9
    cells = canvas.draw(Chart("t", scale(), (Line("a", step, value),), False, (), 5), 40)
    assert any(glyph == canvas.GLYPHS[0] for glyph, _ in cells[0])


def test_curves_are_kept_apart_without_colour():
    step = np.arange(1001.0)
    lines = (Line("a", step, step), Line("b", step, 1000 - step))
    cells = canvas.draw(Chart("t", scale(), lines, False, (), 5), 40)
    assert {glyph for row in cells for glyph, _ in row} >= set(canvas.GLYPHS[:2])


def test_a_band_too_narrow_for_its_name_is_cut_and_not_dropped():
    bands = (Band("underfitting", "underfitting", 0, 30), Band("feature learning", "feature_learning", 30, 1000))
    shown = terminal.render(Document("d", (Timeline(scale(), bands),)), width=60)
    bar = next(line for line in shown.splitlines() if "feature learning" in line)
    assert bar.count("│") == 3


def test_a_run_shorter_than_the_scale_begins_and_ends_where_it_did():
    whole, part = (Timeline(scale(), (Band("fitting", "fitting", *ends),)) for ends in ((0, 1000), (250, 500)))
    bars = terminal.render(Document("d", (whole, part)), width=60).splitlines()
    outer, inner = (i for i, line in enumerate(bars) if "fitting" in line)
    left, right = bars[outer].index("│"), bars[outer].rindex("│")
    assert bars[inner].index("│") == pytest.approx(left + (right - left) / 4, abs=1)
    assert bars[inner].rindex("│") == pytest.approx(left + (right - left) / 2, abs=1)
    assert bars[outer + 1].split() == ["0", "1,000"]
    assert bars[inner + 1].split() == ["250", "500"]


def test_the_notebook_shows_the_same_words_and_escapes_them():
    run = planted.grokking()
    run = type(run)(path="p", id="<b>&", axis="step", tracks=run.tracks)
    html = runopsy.analyze(run)._repr_html_()
    assert "&lt;b&gt;&amp;" in html
    assert "<b>" not in html
    assert "<script" not in html
    assert "Grokked" in html
    assert 'src="data:image/svg+xml;base64,' in html
    assert html.count("<div") == html.count("</div>")
