"""The recorder beside a training on a CUDA device: ``make test-gpu``, where there is one.

It is asked for by name, since all of it needs the device to itself.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402  # after the skip

from runopsy.recorder import record  # noqa: E402
from runopsy.store import read_run  # noqa: E402
from zoo import SPECIMENS  # noqa: E402

pytestmark = pytest.mark.skipif(
    not (os.environ.get("RUNOPSY_GPU") and torch.cuda.is_available()), reason="make test-gpu, with a CUDA device"
)

STEPS = 5
NAMES = ("mlp", "regression", "convnet", "transformer", "tied", "lstm")
TIMED = "recorder/"  # depends on the clock
CLOSE = 1e-2  # relative: float32 sums in another order, through an iteration that stops at a residual of 2 %


def train(folder: Path | None, name: str, device: str, every: int = 1) -> tuple[nn.Module, list[Any]]:
    """Train on a device, recorded or not; the model, and the losses as they lie there."""
    torch.manual_seed(0)
    specimen = SPECIMENS[name]
    batches = {side: specimen.batch(n) for side, n in (("probe", 40), ("heldout", 40))}
    steps = [[t.to(device) for t in specimen.batch(16)] for _ in range(STEPS)]
    model = specimen.model().eval().to(device)  # without dropout, whose random numbers are each device's own
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    given = {"model": model, "optimizer": optimizer, "loss_fn": specimen.loss_fn, "head": specimen.head, **batches}
    run = record(folder, signals="full", every=every, budget=None, **given) if folder else None
    losses = []
    for step, (x, y) in enumerate(steps):
        loss = specimen.loss_fn(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        if run is not None:
            run.step(step, {"train/loss": loss})
        optimizer.step()
        losses.append(loss.detach())
    if run is not None:
        run.finish()
    return model, losses


@pytest.mark.parametrize("name", NAMES)
def test_readings_are_those_of_the_cpu(tmp_path: Path, name: str) -> None:
    found = {}
    for device in ("cpu", "cuda"):
        train(tmp_path / device, name, device)
        found[device] = {n: t for n, t in read_run(tmp_path / device).tracks.items() if not n.startswith(TIMED)}
    assert set(found["cuda"]) == set(found["cpu"])
    random = ("hessian/trace",)  # each device draws its own vectors
    for signal, track in found["cpu"].items():
        if signal not in random:
            scale = abs(track.value).max()
            assert found["cuda"][signal].value == pytest.approx(track.value, rel=CLOSE, abs=CLOSE * scale), signal


@pytest.mark.parametrize("name", NAMES)
def test_the_training_is_the_same_bit_for_bit(tmp_path: Path, name: str) -> None:
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        plain, losses = train(None, name, "cuda")
        watched, same = train(tmp_path / "run", name, "cuda")
    finally:
        torch.use_deterministic_algorithms(False)
    assert all(torch.equal(a, b) for a, b in zip(losses, same, strict=True))
    for a, b in zip(plain.state_dict().values(), watched.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_a_step_on_which_nothing_is_due_waits_for_nothing(tmp_path: Path) -> None:
    """Any call that would wait for the device raises there."""
    specimen = SPECIMENS["mlp"]
    model = specimen.model().cuda()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    batches = {side: specimen.batch(40) for side in ("probe", "heldout")}
    given = {"model": model, "optimizer": optimizer, "loss_fn": specimen.loss_fn, **batches}
    run = record(tmp_path / "run", signals="full", every=1000, budget=None, **given)
    x, y = (t.cuda() for t in specimen.batch(16))
    for step in range(200):
        loss = specimen.loss_fn(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        quiet = step > 1  # the first call reads, and the second settles what it owes
        torch.cuda.set_sync_debug_mode("error" if quiet else "default")
        try:
            run.step(step, {"train/loss": loss})
        finally:
            torch.cuda.set_sync_debug_mode("default")
        optimizer.step()
    run.finish()
    assert len(read_run(tmp_path / "run").tracks["train/loss"].value) == 200
