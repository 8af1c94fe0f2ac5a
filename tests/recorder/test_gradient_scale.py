"""Loops under a GradScaler: gradients are measured as if it were not there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402  # after the skip

from exact import assert_same  # noqa: E402
from runopsy.recorder import record  # noqa: E402
from runopsy.store import read_run  # noqa: E402

STEPS = 6


def train(folder: Path | None, scaled: bool, unscale: bool = False, hand_over: bool = False, clip: bool = False) -> Any:
    """Two micro-batches a step; what it ends with, and what was recorded."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10, enabled=scaled)
    options: dict[str, Any] = {"scaler": scaler} if hand_over else {}
    run = folder and record(folder, model=model, optimizer=optimizer, budget=None, every=1, **options)
    for step in range(STEPS):
        optimizer.zero_grad()
        for _ in range(2):
            loss = nn.functional.cross_entropy(model(torch.randn(8, 4)), torch.randint(0, 2, (8,))) / 2
            scaler.scale(loss).backward()
        if unscale:
            scaler.unscale_(optimizer)
        if run:
            run.step(step, {"train/loss": loss})
        if clip:
            nn.utils.clip_grad_norm_(model.parameters(), 0.1)
        scaler.step(optimizer)
        scaler.update()
    if run:
        run.finish()
    end = {"model": model.state_dict(), "scaler": scaler.state_dict(), "optimizer": optimizer.state_dict()}
    return end, read_run(folder).tracks if folder else {}


@pytest.mark.parametrize(
    ("unscale", "hand_over", "clip"), [(True, False, False), (True, True, True), (False, True, False)]
)
def test_gradients_are_measured_as_if_there_were_no_scale(
    tmp_path: Path, unscale: bool, hand_over: bool, clip: bool
) -> None:
    _, plain = train(tmp_path / "plain", scaled=False, clip=clip)
    _, scaled = train(tmp_path / "scaled", True, unscale, hand_over, clip)
    for name in ("grad/norm", "grad/norm/0", "gns/g2", "gns/s"):
        assert len(scaled[name]) >= STEPS - 1
        np.testing.assert_allclose(scaled[name].value, plain[name].value, rtol=2e-3, atol=1e-6)


def test_the_scaler_is_left_as_it_was(tmp_path: Path) -> None:
    without, _ = train(None, scaled=True, hand_over=True)
    recorded, _ = train(tmp_path / "run", scaled=True, hand_over=True)
    assert_same(without, recorded)


def test_gradients_that_come_clipped_are_not_measured(tmp_path: Path) -> None:
    model = nn.Linear(2, 1)
    with record(tmp_path / "run", model=model, budget=None, clipped=True) as run:
        model(torch.ones(1, 2)).sum().backward()
        run.step(0, {"train/loss": 1.0})
    assert "grad/norm" not in read_run(tmp_path / "run").tracks
