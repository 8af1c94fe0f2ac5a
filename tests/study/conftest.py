"""Runs to sweep."""

import pytest

from study_logs import curve_log


@pytest.fixture
def logs(tmp_path):
    """Six runs: two rates with three seeds, in folders named after them."""
    for lr in (0.1, 0.01):
        for seed in (0, 1, 2):
            curve_log(tmp_path / "runs" / f"lr={lr},seed={seed}" / "log.csv", rate=20 if lr == 0.1 else 40, seed=seed)
    return tmp_path / "runs"
