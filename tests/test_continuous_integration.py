"""The page about CI promises nothing that does not run."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT
from patience import HANGS

PAGE = (ROOT / "docs" / "continuous-integration.md").read_text(encoding="utf-8")
(ACTION,) = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
COMMANDS = [line.strip() for line in ACTION.splitlines() if line.strip().startswith("runopsy ")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where a training has left its log, and somebody a reference."""
    found = tmp_path_factory.mktemp("ci")
    shutil.copytree(ROOT / "sample_logs" / "grokking", found / "metrics.csv")  # a run folder by that name will do
    assert shell("runopsy analyze metrics.csv -o reference.json", found).returncode == 0
    return found


def shell(command, folder):
    environment = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(folder)}
    run = f'runopsy() {{ {sys.executable} -m runopsy "$@"; }}; {command}'
    return subprocess.run(
        ["bash", "-c", run], cwd=folder, env={**environment, "PYTHONPATH": str(ROOT / "src")}, capture_output=True,
        text=True, check=False, timeout=HANGS,
    )  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_of_the_action_runs_and_writes_its_page(folder, command):
    done = shell(command, folder)
    assert done.returncode == 0, done.stderr
    page = (folder / command.rpartition("> ")[2]).read_text(encoding="utf-8")
    assert page.startswith("# ")
    assert "```" in page  # the curves, in characters


def test_a_gate_that_is_met_fails_the_job_and_still_writes_the_page(folder):
    done = shell("runopsy analyze metrics.csv --format markdown --fail-on grokked > autopsy.md", folder)
    assert done.returncode == 1
    assert "grokk" in (folder / "autopsy.md").read_text(encoding="utf-8").lower()
    assert shell("runopsy analyze nothing.csv --fail-on grokked", folder).returncode == 2


def test_the_reference_is_small(folder):
    content = (folder / "reference.json").read_text(encoding="utf-8")
    assert json.loads(content)["format"] == 2
    assert len(content) < 100_000
