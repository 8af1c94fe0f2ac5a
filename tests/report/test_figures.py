import pytest

import planted
import runopsy
from runopsy.errors import BadOption
from runopsy.report import figures

pytest.importorskip("matplotlib")


@pytest.fixture(scope="module")
def autopsy():
    return runopsy.analyze(planted.grokking())


def test_plot_gives_a_figure_with_a_bar_and_the_curves(autopsy):
    figure = runopsy.plot(autopsy)
    bar, loss, acc = figure.axes
    assert {t.get_text() for t in bar.texts} >= {"memorization", "grokking"}
    assert [line.get_label() for line in loss.lines if not line.get_label().startswith("_")] == [
        "train/loss",
        "val/loss",
    ]
    assert acc.get_ylabel() == "Accuracy"


def test_plot_leaves_no_window_and_no_state_behind(autopsy, monkeypatch):
    import sys

    monkeypatch.delitem(sys.modules, "matplotlib.pyplot", raising=False)  # another test may have loaded it
    runopsy.plot(autopsy)
    assert "matplotlib.pyplot" not in sys.modules


@pytest.mark.parametrize(("suffix", "head"), [("pdf", b"%PDF"), ("svg", b"<?xml"), ("png", b"\x89PNG")])
def test_files_are_what_they_are_called_and_the_same_each_time(autopsy, tmp_path, suffix, head):
    (first,) = figures.write(autopsy, tmp_path / "a", suffix)
    (second,) = figures.write(autopsy, tmp_path / "b", suffix)
    assert first.read_bytes().startswith(head)
    assert first.read_bytes() == second.read_bytes()


def test_an_unknown_suffix_is_refused(autopsy, tmp_path):
    with pytest.raises(BadOption, match="gif"):
        figures.write(autopsy, tmp_path, "gif")


def test_without_matplotlib_it_says_what_to_install(autopsy, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(BadOption, match=r"runopsy\[plot\]"):
        runopsy.plot(autopsy)


def test_a_name_between_dollar_signs_is_no_mathematics(tmp_path):
    run = planted.grokking()
    from dataclasses import replace

    from runopsy.model import Mark

    strange = replace(run, marks=(Mark(500.0, r"$\notacommand{$"),))
    assert figures.write(runopsy.analyze(strange), tmp_path / "c", "png")
