"""Every format of six sample logs, byte for byte. After a wanted change: make golden, and read the diff."""

import subprocess
import sys

import pytest

from conftest import ROOT
from golden import FOLDER, LOGS, written


@pytest.mark.parametrize("name", LOGS)
def test_the_reports_are_what_they_were(name, monkeypatch):
    monkeypatch.chdir(ROOT)
    for file, text in written(name).items():
        assert text == (FOLDER / file).read_text(encoding="utf-8"), f"{file} moved: make golden, and read the diff"


def test_another_process_on_another_day_writes_the_same_bytes():
    code = "import sys; sys.path.insert(0, 'tests'); import golden; print(golden.written('grokking'))"
    command = [sys.executable, "-c", code]
    places = ({"PYTHONHASHSEED": "1", "TZ": "UTC"}, {"PYTHONHASHSEED": "2", "TZ": "Asia/Tokyo"})
    first, second = (subprocess.run(command, cwd=ROOT, env=e, capture_output=True, check=True).stdout for e in places)
    assert first == second


def test_no_golden_file_is_left_over():
    assert {path.name.partition(".")[0] for path in FOLDER.iterdir()} == set(LOGS)
