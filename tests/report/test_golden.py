"""Every format of six sample logs. After a wanted change: make golden, and read the diff.

Text is compared byte for byte. Another processor adds in another order and rounds the last digit otherwise, so numbers
may differ by a millionth, or by one in the last digit that is written.
"""

import re
import subprocess
import sys

import pytest

from conftest import ROOT
from golden import FOLDER, LOGS, written

NUMBER = re.compile(r"(?<![\w.])-?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.(\d+))?(?:e[-+]?\d+)?")
SAME = 1e-6  # relative: far above what the order of additions changes, far below what a changed formula does


def moved(text, golden):
    """What differs first, in a few characters; empty where nothing but rounding does."""
    parts, others = (NUMBER.sub("#", t) for t in (text, golden))
    if parts != others:
        at = next(i for i, (a, b) in enumerate(zip(f"{parts}\0", f"{others}\1", strict=False)) if a != b)
        return f"{parts[max(at - 60, 0) : at + 60]!r} in place of {others[max(at - 60, 0) : at + 60]!r}"
    for new, old in zip(NUMBER.finditer(text), NUMBER.finditer(golden), strict=True):
        if new[0] != old[0] and not same_number(new, old):
            return f"{new[0]} in place of {old[0]}, after {text[max(new.start() - 60, 0) : new.start()]!r}"
    return ""


def same_number(new, old):
    a, b = (float(match[0].replace(",", "")) for match in (new, old))
    digits = min(len(match[1] or "") for match in (new, old))
    last = 10.0**-digits if digits and "e" not in new[0] + old[0] else 0.0
    return abs(a - b) <= SAME * max(abs(a), abs(b)) + 1.001 * last


@pytest.mark.parametrize(
    ("new", "old", "same"),
    [
        ('"a": 0.19482377951968138', '"a": 0.1948237795196814', True),
        ("1480036697.0334435", "1480036803.8272533", True),
        ("x 12.3 y", "x 12.4 y", True),
        ("x 12.3 y", "x 12.5 y", False),
        ("6.491079439366635e-07", "6.491079439366636e-07", True),
        ("6.49e-07", "6.59e-07", False),
        ("epoch 12", "epoch 13", False),
        ("epoch 12", "step 12", False),
        ("2,490 steps", "2,491 steps", False),
        ("<b>1</b>", "<b>1</b> ", False),
    ],
)
def test_rounding_alone_is_no_difference(new, old, same):
    assert (moved(new, old) == "") == same


@pytest.mark.parametrize("name", LOGS)
def test_the_reports_are_what_they_were(name, monkeypatch):
    monkeypatch.chdir(ROOT)
    for file, text in written(name).items():
        found = moved(text, (FOLDER / file).read_text(encoding="utf-8"))
        assert not found, f"{file} moved ({found}): make golden, and read the diff"


def test_another_process_on_another_day_writes_the_same_bytes():
    code = "import sys; sys.path.insert(0, 'tests'); import golden; print(golden.written('grokking'))"
    command = [sys.executable, "-c", code]
    places = ({"PYTHONHASHSEED": "1", "TZ": "UTC"}, {"PYTHONHASHSEED": "2", "TZ": "Asia/Tokyo"})
    first, second = (subprocess.run(command, cwd=ROOT, env=e, capture_output=True, check=True).stdout for e in places)
    assert first == second


def test_no_golden_file_is_left_over():
    assert {path.name.partition(".")[0] for path in FOLDER.iterdir()} == set(LOGS)
