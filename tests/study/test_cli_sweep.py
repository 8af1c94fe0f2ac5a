"""runopsy sweep as people call it."""

import json
import subprocess
import sys

import polars as pl
import pytest
from typer.testing import CliRunner

from patience import HANGS
from runopsy.cli import COMMANDS, application
from runopsy.errors import BadOption
from study_logs import curve_log


def run(*words):
    asked = [command for command in COMMANDS if command.name == words[0]]
    return CliRunner().invoke(application(asked), [str(word) for word in words])


@pytest.fixture
def swept(logs, tmp_path):
    def sweep(*words):
        return run("sweep", logs, "--study", tmp_path / "study", "--workers", 0, *words)

    return sweep


def test_the_text_says_what_was_found(swept):
    text = swept("--by", "lr,seed").stdout
    assert "6 runs" in text
    assert "Phase diagram over lr and seed" in text
    assert "The best, and seeds" in text


def test_the_second_call_says_that_nothing_was_examined(swept):
    swept()
    assert "0 runs examined; 6 unchanged" in swept().stdout


@pytest.mark.parametrize("name", ["runs.csv", "runs.tex", "runs.parquet", "runs.json", "runs.md", "runs.html"])
def test_the_file_is_what_its_name_ends_in(swept, tmp_path, name):
    path = tmp_path / name
    assert swept("--by", "lr,seed", "-o", path).exit_code == 0
    if name.endswith("parquet"):
        assert pl.read_parquet(path).height == 6
    elif name.endswith("csv"):
        assert pl.read_csv(path)["lr"].to_list() == [0.1] * 3 + [0.01] * 3
    elif name.endswith("tex"):
        text = path.read_text()
        assert text.startswith(r"\begin{tabular}")
        assert text.count(r"\\") == 7
    elif name.endswith("json"):
        assert json.loads(path.read_text())["format"] == 1
    elif name.endswith("md"):
        assert (tmp_path / "runs_files" / "phase-diagram.svg").read_text().startswith("<svg")
    else:
        assert "http" not in path.read_text().replace("http://www.w3.org", "").replace("http-equiv", "")


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("--by", "lr"), "no pair"),
        (("--by", "lr,lr"), "no pair"),
        (("--by", "lr,depth"), "none of their settings"),
        (("--where", "depth > 3"), "no run has"),
        (("--sort", "depth"), "no run has"),
        (("--outcome", "depth"), "no outcome"),
        (("--format", "parquet"), "no text"),
        (("--scheduler", "tcp://x:1"), "belongs to Dask"),
    ],
)
def test_what_does_not_exist_is_said(swept, words, what):
    found = swept(*words)
    assert isinstance(found.exception, BadOption)
    assert what in found.exception.message


def test_a_formula_in_a_name_is_no_formula_in_a_spreadsheet(tmp_path):
    curve_log(tmp_path / "runs" / "a" / "=cmd.csv")
    found = run("sweep", tmp_path / "runs" / "a" / "=cmd.csv", "--study", tmp_path / "s", "--workers", 0, "-f", "csv")
    assert ",'=cmd," in found.stdout


def test_a_list_comes_on_standard_input(logs, tmp_path):
    listed = "\n".join(str(path) for path in sorted(logs.iterdir())[:2])
    words = ["sweep", "-", "--study", str(tmp_path / "study"), "--workers", "0", "-f", "json"]
    done = subprocess.run(
        [sys.executable, "-m", "runopsy", *words],
        input=listed, capture_output=True, text=True, check=False, timeout=HANGS,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["runs"]) == 2


def test_a_table_over_sizes_is_no_run(tmp_path):
    """The rows of such a table are models, and are told as such."""
    widths = [1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256]
    losses = [3.0, 2.2, 1.6, 1.9, 2.6, 3.4, 2.7, 2.1, 1.7, 1.5, 1.3, 1.2, 1.1, 1.0]
    table = tmp_path / "sizes.csv"
    table.write_text("width,test_loss\n" + "".join(f"{w},{v}\n" for w, v in zip(widths, losses, strict=True)))
    found = json.loads(run("sweep", table, "--study", tmp_path / "s", "--workers", 0, "-f", "json").stdout)
    assert found["runs"] == []
    assert found["sizes"]["by"] == "width"
