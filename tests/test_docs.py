"""The README and the manual promise nothing that does not run."""

import doctest
import os
import re
import shutil
import subprocess
import sys
import types
from importlib.util import find_spec
from pathlib import Path

import pytest

import runopsy
from conftest import ROOT
from patience import HANGS
from runopsy import cli
from runopsy.cli import options
from runopsy.kinds import KINDS
from runopsy.readers.source import Source
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
    environment |= {name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ}
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
    assert len(README.splitlines()) < 150


def test_the_picture_is_what_the_command_prints(here):
    (block,) = blocks("console")
    command, *shown = block.splitlines()
    printed = shell(command.removeprefix("$ "), here).stdout.splitlines()
    assert shown == printed


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


# --- the manual ------------------------------------------------------------------------------------

DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
EXAMPLES = [
    pytest.param(code, id=f"{page.stem}-{i}")
    for page in PAGES
    for i, code in enumerate(re.findall(r"^```python\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL))
]


@pytest.mark.parametrize("code", EXAMPLES)
def test_every_python_block_of_the_manual_runs(code, here):
    for name in ("lightning", "transformers", "accelerate"):
        if re.search(rf"^import .*\b{name}\b", code, re.MULTILINE) and find_spec(name) is None:
            pytest.skip(f"{name} is not here: make test-callbacks runs it")
    done = subprocess.run([sys.executable, "-c", code], cwd=here, capture_output=True, text=True, check=False,
                          timeout=HANGS)  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["read", "analyze", "diff", "render"])
def test_the_examples_of_the_python_reference_run(name, monkeypatch):
    monkeypatch.chdir(ROOT)
    (found,) = doctest.DocTestFinder(recurse=False).find(getattr(runopsy, name), name, globs={"runopsy": runopsy})
    assert found.examples, f"{name} has no example"
    assert doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(found).failed == 0


def test_the_reader_of_the_contributors_guide_reads(tmp_path):
    (code,) = re.findall(r"^    ```python\n(.*?)^    ```$", (ROOT / "CONTRIBUTING.md").read_text("utf-8"),
                         re.MULTILINE | re.DOTALL)  # fmt: skip
    module = types.ModuleType("lab")
    exec(re.sub(r"^    ", "", code, flags=re.MULTILINE), module.__dict__)
    log = tmp_path / "my.lab"
    log.write_text("%LAB\n0 3\n1 2\n")
    assert module.recognises(Source.from_file(log))
    assert module.read(Source.from_file(log)).tracks["train/loss"].value.tolist() == [3, 2]


def test_every_path_that_the_contributors_guide_names_exists():
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    for path in set(re.findall(r"`((?:src|tests|docs)/[\w/.-]+)`", text)) - {
        "src/runopsy/readers/formats/lab.py", "tests/readers/test_lab.py",
    }:  # fmt: skip
        assert (ROOT / path).exists(), path


def test_every_kind_of_event_has_its_figures():
    import json

    figures = json.loads((DOCS / "measured" / "kinds.json").read_text("utf-8"))["kinds"]
    assert figures.keys() == KINDS.keys(), "run make figures-of-kinds"


def test_the_hosted_tests_cover_what_the_package_claims():
    """No classifier for a Python or a system that no workflow tests."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text("utf-8")
    claimed = [line.rpartition(" ")[2] for line in project["classifiers"] if re.search(r":: 3\.\d+$", line)]
    for python in claimed:
        assert f'"{python}"' in workflow
    if "Operating System :: OS Independent" in project["classifiers"]:
        for system in ("ubuntu", "macos", "windows"):
            assert f"{system}-latest" in workflow
