"""The README promises nothing that does not run."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT
from patience import HANGS
from runopsy import cli
from runopsy.cli import options
from runopsy.report import FORMATS

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def blocks(kind):
    return [text for language, text in BLOCKS if language == kind]


@pytest.fixture
def here(tmp_path):
    """A folder that looks like the repository's root to a command."""
    shutil.copytree(ROOT / "sample_logs", tmp_path / "sample_logs")
    return tmp_path


def shell(command, folder):
    environment = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": str(folder)}
    return subprocess.run(
        command,
        shell=True,
        cwd=folder,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=HANGS,
    )


def test_the_readme_is_short_enough_to_be_read():
    assert len(README.splitlines()) < 160


def test_the_picture_is_what_the_command_prints(here):
    (block,) = blocks("console")
    command, *shown = block.splitlines()
    printed = shell(command.removeprefix("$ "), here).stdout.splitlines()
    assert shown.pop() == "…"
    assert shown == printed[: len(shown)]


def commands():
    lines = [line.split(" #")[0].strip() for block in blocks("sh") for line in block.splitlines()]
    return [line for line in lines if line]


@pytest.mark.parametrize("command", [c for c in commands() if not c.startswith("make")])
def test_every_shell_command_runs(command, here):
    if "runs/spike" in command and "analyze" in command:
        shutil.copytree(ROOT / "sample_logs" / "spike", here / "runs" / "spike")
    done = shell(command, here)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("command", [c for c in commands() if c.startswith("make")])
def test_every_make_target_exists(command):
    target = command.split()[1]
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("code", blocks("python"), ids=["record", "analyze"])
def test_every_python_block_runs(code, here):
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=here,
        capture_output=True,
        text=True,
        check=False,
        timeout=HANGS,
    )
    assert done.returncode == 0, done.stderr


def test_every_command_is_in_the_readme():
    for command in cli.COMMANDS:
        assert f"runopsy {command.name}" in README


def test_every_format_has_a_renderer():
    assert set(FORMATS) >= {f.value for f in options.Format}
