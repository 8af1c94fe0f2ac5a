"""The HTML report in a real browser: it draws, zooms, reads values, and asks nobody for anything."""

import numpy as np
import pytest

import browser
import planted
import runopsy
from odd import RUNS
from runopsy.report import html, save
from runopsy.report.document import Band, Curve, Document, RunLine, Runs

pytestmark = pytest.mark.skipif(browser.found() is None, reason="no Chromium here")


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    with browser.Browser(tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """A report of a run that has further signals too."""
    base = planted.grokking()
    step = np.arange(0, 4001, 10.0)
    curves = {name: track.value for name, track in base.tracks.items()} | {"grad/norm": 1 + np.sin(step / 500) ** 2}
    return save(runopsy.analyze(planted.run(step, curves)), tmp_path_factory.mktemp("page") / "autopsy.html")[0]


@pytest.fixture(scope="module")
def million():
    """A million rows of four curves, with one row that leaps."""
    step = np.arange(1_000_000.0)
    train = planted.noisy(planted.decay(step, scale=20_000), 0.1)
    train[400_000] = 60
    acc = 1 - planted.decay(step, 0.8, 0.02, 20_000)
    return planted.run(
        step, {"train/loss": train, "val/loss": planted.noisy(train, 0.0), "train/acc": acc, "val/acc": acc}
    )


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """A page of 300 runs whose verdicts were lost from 20 to 40, and whose last one is the best."""
    bands = (Band("converged", "converged", 0.0, 20.0), Band("diverged", "diverged", 40.0, 100.0))
    curves = (Curve("val/loss", np.array([0.0, 100.0]), np.array([2.0, 1.0])),)
    lines = tuple(RunLine((f"run-{i:03d}", f"{300 - i}"), 0.0, 100.0, bands, curves) for i in range(300))
    path = tmp_path_factory.mktemp("many") / "runs.html"
    path.write_text(html.render(Document("300 runs", (Runs(("run", "loss"), lines, 0.0, 100.0, "step"),), "")))
    return path


SEEN = "[...document.querySelectorAll('table.runs tbody tr')].filter(r => r.offsetHeight > 0).length"
TOP = "document.querySelector('table.runs tbody td').textContent"
STRIP = "document.querySelector('table.runs tbody .times div')"
FOLLOWED = """new Promise(done => {
  const look = () => document.querySelector("table.runs.whole") ? done(true) : setTimeout(look, 5);
  look();
})"""


def test_of_many_runs_those_below_the_screen_follow_the_first_view(chromium, many):
    chromium.open(many)
    assert chromium.run(FOLLOWED)
    assert chromium.run(SEEN) == 300
    chromium.run("document.querySelector('table.runs').classList.remove('whole')")
    assert chromium.run(SEEN) == 100
    assert chromium.run(TOP) == "run-000"
    chromium.run("document.querySelectorAll('table.runs th')[1].click()")
    assert chromium.run(TOP) == "run-299"  # it was sorted by all rows, and not by those in sight
    assert chromium.complaints() == []


def test_many_runs_are_all_there_on_paper_and_without_scripts(chromium, many):
    chromium.open(many)
    chromium.run(FOLLOWED)
    chromium.run("document.querySelector('table.runs').classList.remove('whole')")
    chromium.call("Emulation.setEmulatedMedia", media="print")
    assert chromium.run(SEEN) == 300
    chromium.call("Emulation.setEmulatedMedia", media="")
    chromium.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        chromium.events.clear()
        chromium.call("Page.navigate", url=many.as_uri())
        while not any(event.get("method") == "Page.loadEventFired" for event in chromium.events):
            chromium.call("Page.getFrameTree")  # a question that needs no script, to hear what has happened since
        root = chromium.call("DOM.getDocument")["root"]["nodeId"]
        cell = chromium.call("DOM.querySelector", nodeId=root, selector="table.runs tbody tr:last-child td")["nodeId"]
        assert chromium.call("DOM.getBoxModel", nodeId=cell)["model"]["height"] > 0
    finally:
        chromium.call("Emulation.setScriptExecutionDisabled", value=False)


def test_a_timeline_is_one_box_that_is_blank_between_its_phases(chromium, many):
    chromium.open(many)
    ground = chromium.run(f"getComputedStyle({STRIP}).backgroundImage")
    assert "rgba(0, 0, 0, 0) 20%, rgba(0, 0, 0, 0) 40%" in ground
    assert chromium.run(f"{STRIP}.title") == "converged 0 – 20, diverged 40 – 100"
    assert chromium.run(f"{STRIP}.children.length") == 0


@pytest.mark.parametrize("name", RUNS)
def test_an_odd_run_opens_without_a_complaint(chromium, name, tmp_path):
    (path,) = save(runopsy.analyze(RUNS[name]), tmp_path / "odd.html")
    chromium.open(path)
    if chromium.run("document.querySelector('.plot') !== null"):
        chromium.run("document.querySelector('[data-do=in]').click()")
        chromium.run("document.querySelector('.plot').focus()")
        chromium.key("ArrowRight")
        assert "NaN" not in chromium.run("document.querySelector('figure').outerHTML")
    assert chromium.complaints() == []


VIEW = "[...document.querySelectorAll('.plot svg')][0].getAttribute('viewBox').split(' ').map(Number)"
PLOT = "JSON.parse(JSON.stringify(document.querySelector('.plot').getBoundingClientRect()))"


@pytest.mark.parametrize(("width", "dark"), [(1400, False), (1400, True), (390, False), (390, True)])
def test_it_opens_without_a_complaint_a_request_or_a_sideways_scroll(chromium, page, width, dark):
    chromium.open(page, width, dark=dark)
    assert chromium.complaints() == []
    assert chromium.requests() == []
    assert chromium.run("document.documentElement.scrollWidth") <= width
    assert chromium.run("document.querySelectorAll('.plot path.line').length") >= 8
    ground = chromium.run("getComputedStyle(document.body).backgroundColor")
    assert ground == ("rgb(20, 23, 28)" if dark else "rgb(255, 255, 255)")


def test_a_drag_zooms_and_a_double_click_shows_the_whole_run(chromium, page):
    chromium.open(page)
    assert chromium.run(VIEW)[0::2] == [0, 100_000]
    box = chromium.run(PLOT)
    left, right, y = box["x"] + 0.5 * box["width"], box["x"] + 0.75 * box["width"], box["y"] + 50
    chromium.mouse("mousePressed", left, y)
    chromium.mouse("mouseMoved", right, y)
    chromium.mouse("mouseReleased", right, y)
    x, _, width, height = chromium.run(VIEW)
    assert x == pytest.approx(50_000, abs=300)
    assert width == pytest.approx(25_000, abs=600)
    assert height < 10_000  # the height follows what is seen
    views = chromium.run(
        "[...document.querySelectorAll('.plot svg')].map(s => s.getAttribute('viewBox').split(' ')[0])"
    )
    assert len(set(views)) == 1  # all charts move together
    for count in (1, 2):
        for kind in ("mousePressed", "mouseReleased"):
            chromium.call("Input.dispatchMouseEvent", type=kind, x=left, y=y, button="left", clickCount=count)
    assert chromium.run(VIEW)[0::2] == [0, 100_000]


def test_hovering_tells_the_step_and_every_value_there(chromium, page):
    chromium.open(page)
    box = chromium.run(PLOT)
    chromium.mouse("mouseMoved", box["x"] + box["width"] - 1, box["y"] + 60)
    shown = chromium.run("document.querySelector('.readout').textContent")
    track = planted.grokking().tracks["train/loss"]
    step = float(shown.split()[1].strip(":").replace(",", ""))
    (row,) = np.flatnonzero(track.step == step)  # the nearest row that was logged
    assert step > 3900
    assert f"train/loss {track.value[row]:.4g} · " in shown
    assert "val/acc 0.99" in shown
    assert chromium.run("document.querySelector('.cursor').hidden") is False


def test_the_keyboard_reads_zooms_and_goes_back(chromium, page):
    chromium.open(page)
    chromium.run("document.querySelector('.plot').focus()")
    chromium.key("ArrowRight")
    first = chromium.run("document.querySelector('.readout').textContent")
    chromium.key("ArrowRight")
    assert first.startswith("step ")
    assert chromium.run("document.querySelector('.readout').textContent") != first
    chromium.key("+")
    assert chromium.run(VIEW)[2] == 50_000
    chromium.key("Escape")
    assert chromium.run(VIEW)[2] == 100_000


def test_signals_and_curves_are_switched_on_and_off(chromium, page):
    chromium.open(page)
    seen = "[...document.querySelectorAll('.plot')].filter(p => p.offsetHeight > 0).length"
    assert chromium.run(seen) == 2
    chromium.run("document.querySelector('[data-opens]').click()")
    assert chromium.run(seen) == 3
    chromium.run("document.querySelector('[data-line]').click()")
    assert chromium.run("getComputedStyle(document.querySelector('[data-of]')).display") == "none"


def test_the_first_chart_of_a_million_rows_is_there_in_seconds(chromium, million, tmp_path):
    (path,) = save(runopsy.analyze(million), tmp_path / "million.html")
    assert path.stat().st_size < 6_000_000
    assert chromium.open(path) < 30  # s of the wall clock, which counts the neighbours: below three without them
    assert chromium.run("document.querySelectorAll('.plot path.line').length") >= 8
    data = chromium.run("JSON.parse(document.querySelector('.plot script').textContent).lines[0].value")
    assert max(data) == 60  # the one row that leaps


def test_paper_is_white_and_shows_what_was_folded(chromium, page):
    chromium.open(page, dark=True)
    chromium.call("Emulation.setEmulatedMedia", media="print")
    assert chromium.run("getComputedStyle(document.querySelector('.tools')).display") == "none"
    assert chromium.run("getComputedStyle(document.documentElement).getPropertyValue('--paper')").strip() == "#ffffff"
    assert len(chromium.call("Page.printToPDF")["data"]) > 10_000
    assert chromium.run("[...document.querySelectorAll('details')].every(d => d.open)") is True
    chromium.call("Emulation.setEmulatedMedia", media="")
