"""What every test shares: where things lie, which order and which random numbers it gets."""

from __future__ import annotations

import gc
import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"  # benchmark and foreign logs; tests that need it skip where it is absent

# Hypothesis draws the same examples in each run: a test that passed here passes elsewhere. ``make check`` draws
# others each time (--hypothesis-profile=search). A deadline, and the check for slow examples, would measure the load
# of the machine and not the code.
settings.register_profile("same", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
settings.register_profile("search", deadline=None, suppress_health_check=[HealthCheck.too_slow])
os.environ.setdefault("OMP_NUM_THREADS", "1")  # tests run side by side; torch's own threads would fight

# What the user's shell says of its window and colours, a scheduler of its jobs, and a developer of tracebacks would
# change what is printed and recorded, here and in the processes that tests start. Tests that mean them set them.
FOREIGN = "COLUMNS LINES TERM NO_COLOR FORCE_COLOR RUNOPSY_TRACEBACK TORCHELASTIC_RUN_ID RANK WORLD_SIZE"
for name in FOREIGN.split():
    os.environ.pop(name, None)


def pytest_configure(config: pytest.Config) -> None:
    """Which examples hypothesis draws. The order of the tests is pytest-randomly's, the random numbers in them ours."""
    if not config.getoption("--hypothesis-profile"):
        settings.load_profile("same")
    if config.pluginmanager.hasplugin("randomly"):  # not where only some tests run: .venv-readers is without it
        config.option.randomly_reset_seed = False


def pytest_collection_finish() -> None:
    """What importing the tests has made is not looked through again after each test, see ``_closes_what_it_opens``."""
    gc.collect()
    gc.freeze()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config) -> None:
    """How a failing order is repeated; the first lines of the output say it too, but -q and a tail hide those."""
    seed = config.getoption("randomly_seed", None)
    if exitstatus and seed is not None:
        terminalreporter.write_line(f"The same order again: make test SEED={seed}")


@pytest.fixture(scope="module", autouse=True)
def _closes_what_it_shares() -> Iterator[None]:
    """As ``_closes_what_it_opens``, for the fixtures of a module."""
    yield
    gc.collect()


@pytest.fixture(autouse=True)
def _closes_what_it_opens() -> Iterator[None]:
    """A file that a test leaves open is its own error: found here, and not where memory happens to be tidied next.

    What is still there afterwards is nobody's concern any more. Frozen, it is not looked at again: tidying stays
    quick, and a test that counts the objects of this process counts its own.
    """
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _same_random_numbers() -> None:
    """The global generators begin each test in the same state, whatever ran before it and in whatever order."""
    random.seed(0)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(0)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


@pytest.fixture(autouse=True)
def _no_settings_of_this_repository(monkeypatch, tmp_path):
    """Each test runs in an empty folder: nothing it writes stays, no pyproject.toml is found."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def sample_logs() -> Path:
    return ROOT / "sample_logs"


@pytest.fixture
def shared() -> Path:
    if not SHARED.is_dir():
        pytest.skip("../shared is not here")
    return SHARED
