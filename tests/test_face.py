"""The public names, and what asking for them may load."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import runopsy

HEAVY = ("polars", "numpy", "scipy", "ruptures", "torch", "pyarrow")


def loaded_by(code: str) -> set[str]:
    """The heavy packages in sys.modules after a fresh interpreter ran ``code``."""
    script = f"import sys\n{code}\nprint('LOADED', *[m for m in {HEAVY!r} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    return set(next(line for line in out.splitlines() if line.startswith("LOADED")).split()[1:])


def test_importing_runopsy_loads_nothing_heavy():
    assert loaded_by("import runopsy") == set()


def command(*words):
    """Code that runs the command line in the same process and survives its exit."""
    run = "try:\n    runpy.run_module('runopsy', run_name='__main__')\nexcept SystemExit:\n    pass"
    return f"import runpy\nsys.argv = {['runopsy', *words]!r}\n{run}"


def test_help_loads_nothing_heavy():
    assert loaded_by(command("--help")) == set()


def test_listing_the_lab_loads_no_torch():
    assert "torch" not in loaded_by(command("lab", "list"))


def test_analysing_loads_no_torch():
    here = str(Path(__file__).parent)
    code = f"sys.path.insert(0, {here!r})\nimport planted, runopsy\nrunopsy.analyze(planted.healthy())"
    assert "torch" not in loaded_by(code)


def test_every_name_of_the_face_resolves():
    for name in runopsy.__all__:
        assert getattr(runopsy, name) is not None
    assert set(runopsy.__all__) <= set(dir(runopsy))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'analyse'"):
        _ = runopsy.analyse


LAZY = ("scipy.optimize", "scipy.ndimage", "scipy.stats", "scipy", "ruptures", "pyarrow", "sqlite3")


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_a_plain_log_loads_nothing_that_it_does_not_need(suffix, tmp_path):
    lines = ["step,epoch,train_loss,val_loss,val_acc,lr"] if suffix == "csv" else []
    for i in range(400):
        row = {"step": i, "epoch": i // 50, "train_loss": 2 / (1 + i / 30), "val_loss": 2.1 / (1 + i / 35) + i % 3 / 50,
               "val_acc": 1 - 0.9 / (1 + i / 30), "lr": 0.1}  # fmt: skip
        lines.append(",".join(map(str, row.values())) if suffix == "csv" else json.dumps(row))
    log = tmp_path / f"log.{suffix}"
    log.write_text("\n".join(lines) + "\n")
    script = f"import sys\n{command('analyze', str(log))}\nprint('LOADED', *[m for m in {LAZY!r} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert next(line for line in out.splitlines() if line.startswith("LOADED")).split()[1:] == []
