"""Training with and without the recorder ends in the same bits."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402  # after the skip

from runopsy.recorder import record  # noqa: E402
from runopsy.store import read_run  # noqa: E402

STEPS = 12


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))


def convnet() -> nn.Module:
    return nn.Sequential(
        nn.Unflatten(1, (1, 2, 4)), nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.3),
        nn.Flatten(), nn.Linear(32, 4),
    )  # fmt: skip


def transformer() -> nn.Module:
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.2, batch_first=True)
    encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
    return nn.Sequential(nn.Unflatten(1, (2, 4)), nn.Linear(4, 8), encoder, nn.Flatten(), nn.Linear(16, 4))


def adam(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.Adam(model.parameters(), lr=0.01)


def sgd(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, nesterov=True)


class Nothing:
    """A recorder that is not there."""

    def step(self, *_: object) -> None: ...

    log = step

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...


def train(make: Callable[[], nn.Module], optimize: Callable[[nn.Module], Any], folder: Path | None) -> dict[str, Any]:
    """Train; everything that a later step could depend on."""
    torch.manual_seed(0), random.seed(0), np.random.seed(0)  # noqa: NPY002  # the global states are what is compared
    model = make()
    optimizer = optimize(model)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 5)
    loss_of = nn.CrossEntropyLoss()
    options = {"model": model, "optimizer": optimizer, "signals": "full", "every": 1, "budget": None}
    losses = []
    with record(folder, **options) if folder else Nothing() as run:
        for step in range(STEPS):
            x, y = torch.randn(16, 8), torch.randint(0, 4, (16,))
            optimizer.zero_grad(set_to_none=step % 2 == 0)
            loss = loss_of(model(x), y)
            loss.backward()
            run.step(step, {"train/loss": loss})
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            losses.append(loss)
            if step % 4 == 3:
                model.eval()
                with torch.no_grad():
                    run.log(step, {"val/loss": loss_of(model(x), y)})
                model.train()
    return {
        "losses": torch.stack(losses).detach(),
        "model": model.state_dict(),
        "gradients": [p.grad for p in model.parameters()],
        "versions": [p._version for p in model.parameters()],
        "modes": [m.training for m in model.modules()],
        "hooks": [len(m._forward_hooks) + len(m._backward_hooks) for m in model.modules()],
        "optimizer": optimizer.state_dict(),
        "random": [torch.get_rng_state(), random.getstate(), np.random.get_state()],  # noqa: NPY002
        "grad mode": torch.is_grad_enabled(),
    }


def assert_same(one: Any, two: Any, where: str = "") -> None:
    """Equal to the last bit, whatever it is made of."""
    assert type(one) is type(two), where
    if isinstance(one, torch.Tensor):
        assert (one.dtype, one.shape) == (two.dtype, two.shape), where
        assert one.numpy().tobytes() == two.numpy().tobytes(), where
    elif isinstance(one, np.ndarray):
        assert one.tobytes() == two.tobytes(), where
    elif isinstance(one, dict):
        assert list(one) == list(two), where
        for key in one:
            assert_same(one[key], two[key], f"{where}/{key}")
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(two), where
        for i, (a, b) in enumerate(zip(one, two, strict=True)):
            assert_same(a, b, f"{where}/{i}")
    else:
        assert one == two, where


@pytest.mark.parametrize("optimize", [adam, sgd])
@pytest.mark.parametrize("make", [mlp, convnet, transformer])
def test_training_with_and_without_the_recorder_ends_in_the_same_bits(
    tmp_path: Path, make: Callable[[], nn.Module], optimize: Callable[[nn.Module], Any]
) -> None:
    without = train(make, optimize, None)
    recorded = train(make, optimize, tmp_path / "run")
    assert_same(without, recorded)
    tracks = read_run(tmp_path / "run").tracks
    assert len(tracks["train/loss"]) == STEPS
    assert {"grad/norm", "weights/norm", "weights/update_ratio", "lr", "val/loss"} <= set(tracks)
    np.testing.assert_array_equal(tracks["train/loss"].value, without["losses"].numpy().astype(float))
    assert {len(tracks[name]) for name in ("grad/norm", "weights/norm", "weights/update_ratio")} == {STEPS}


def test_the_comparison_would_notice_one_bit() -> None:
    without, other = train(mlp, adam, None), train(mlp, adam, None)
    weight = next(iter(other["model"].values()))
    weight.view(torch.int32)[0, 0] ^= 1
    with pytest.raises(AssertionError, match=r"/model/0\.weight"):
        assert_same(without, other)
