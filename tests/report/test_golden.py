"""Every format of six sample logs, byte for byte. After a wanted change: make golden, and read the diff."""

import subprocess
import sys

import pytest

from conftest import ROOT

FOLDER = ROOT / "tests" / "report"
sys.path.insert(0, str(FOLDER))
from golden import FOLDER as GOLDEN  # noqa: E402  # the folder must be on the path first
from golden import LOGS, written  # noqa: E402


@pytest.mark.parametrize("name", LOGS)
def test_the_reports_are_what_they_were(name, monkeypatch):
    monkeypatch.chdir(ROOT)
    for file, text in written(name).items():
        assert text == (GOLDEN / file).read_text(encoding="utf-8"), f"{file} moved: make golden, and read the diff"


def test_another_process_on_another_day_writes_the_same_bytes():
    code = "import sys; sys.path.insert(0, 'tests/report'); import golden; print(golden.written('grokking'))"
    command = [sys.executable, "-c", code]
    seeds = [
        {"PYTHONHASHSEED": seed, "TZ": zone, "PATH": "/usr/bin:/bin"}
        for seed, zone in (("1", "UTC"), ("2", "Asia/Tokyo"))
    ]
    first, second = (subprocess.run(command, cwd=ROOT, env=e, capture_output=True, check=True).stdout for e in seeds)
    assert first == second


def test_no_golden_file_is_left_over():
    assert {path.stem for path in GOLDEN.iterdir()} == set(LOGS)
