"""What every test shares: where things lie, and how patient hypothesis is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"  # benchmark and foreign logs; tests that need it skip where it is absent

settings.register_profile("shared-cores", deadline=None)  # a deadline measures the neighbours, not the code
settings.load_profile("shared-cores")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # tests run side by side; torch's own threads would fight


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
