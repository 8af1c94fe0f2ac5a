"""Training with and without the recorder ends in the same bits, whatever is trained and whatever is measured."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402  # after the skip

from exact import assert_same  # noqa: E402
from runopsy.recorder import record  # noqa: E402
from runopsy.store import read_run  # noqa: E402
from zoo import SPECIMENS, Specimen  # noqa: E402

STEPS = 8
RENTED = ("_orig_mod", "_compiled_call_impl")  # what torch.compile keeps in a module, new for each


class Nothing:
    """A recorder that is not there."""

    def step(self, *_: object) -> None: ...

    log = step

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...


def recorded(folder: Path, specimen: Specimen, model: nn.Module, optimizer: Any) -> Any:
    """A recording of everything at every step."""
    batches = {name: specimen.batch(n) for name, n in (("probe", 40), ("heldout", 40), ("canaries", 20))}
    return record(
        folder, model=model, optimizer=optimizer, loss_fn=specimen.loss_fn, **batches, head=specimen.head,
        signals="full", every=1, budget=None,
    )  # fmt: skip


def seed() -> None:
    torch.manual_seed(0), random.seed(0), np.random.seed(0)  # noqa: NPY002  # the global states are what is compared


def own(module: nn.Module) -> dict[str, Any]:
    """What a module keeps by itself."""
    return {name: value for name, value in vars(module).items() if not name.startswith("_") and name not in RENTED}


def train(specimen: Specimen, folder: Path | None) -> dict[str, Any]:
    """Train; everything that a later step could depend on."""
    seed()
    model = specimen.model()
    optimizer = specimen.optimizer(model)
    schedule = torch.optim.lr_scheduler.StepLR(optimizer, 5)
    losses = []
    run = recorded(folder, specimen, model, optimizer) if folder else Nothing()
    seed()
    with run:
        for step in range(STEPS):
            optimizer.zero_grad(set_to_none=step % 2 == 0)
            for _ in range(specimen.batches):
                x, y = specimen.batch(16)
                with specimen.around():
                    loss = specimen.loss_fn(model(x), y) / specimen.batches
                loss.backward()
            run.step(step, {"train/loss": loss})
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            losses.append(loss)
            if step % 4 == 3:
                model.eval()
                with torch.no_grad():
                    run.log(step, {"val/loss": specimen.loss_fn(model(x), y)})
                model.train()
    return {
        "losses": torch.stack(losses).detach(),
        "model": model.state_dict(),
        "gradients": [p.grad for p in model.parameters()],
        "versions": [p._version for p in (*model.parameters(), *model.buffers())],
        "modes": [m.training for m in model.modules()],
        "own": [own(m) for m in model.modules() if type(m).__name__ == "Odd"],
        "parts": [[list(m._parameters), list(m._buffers), list(m._modules), list(vars(m))] for m in model.modules()],
        "hooks": [len(m._forward_hooks) + len(m._forward_pre_hooks) + len(m._backward_hooks) for m in model.modules()],
        "hooks of weights": [len(p._backward_hooks or ()) for p in model.parameters()],
        "optimizer": optimizer.state_dict(),
        "random": [torch.get_rng_state(), random.getstate(), np.random.get_state()],  # noqa: NPY002
        "grad mode": torch.is_grad_enabled(),
    }


@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")  # of a checkpoint, in the validation here
@pytest.mark.parametrize("name", list(SPECIMENS))
def test_training_with_and_without_the_recorder_ends_in_the_same_bits(tmp_path: Path, name: str) -> None:
    specimen = SPECIMENS[name]
    without = train(specimen, None)
    assert_same(without, train(specimen, tmp_path / "run"))
    tracks = read_run(tmp_path / "run").tracks
    np.testing.assert_array_equal(tracks["train/loss"].value, without["losses"].float().numpy().astype(float))
    for signal in ("grad/norm", "weights/norm", "weights/update_ratio", "logits/scale"):
        assert len(tracks[signal]) == STEPS, signal


def test_the_comparison_would_notice_one_bit() -> None:
    without, other = train(SPECIMENS["mlp"], None), train(SPECIMENS["mlp"], None)
    weight = next(iter(other["model"].values()))
    weight.view(torch.int32)[0, 0] ^= 1
    with pytest.raises(AssertionError, match=r"/model/0\.weight"):
        assert_same(without, other)


def test_a_compiled_model_is_not_compiled_again(tmp_path: Path) -> None:
    def compiles(folder: Path | None) -> int:
        torch._dynamo.reset()
        torch._dynamo.utils.counters.clear()
        train(SPECIMENS["compiled"], folder)
        return int(torch._dynamo.utils.counters["stats"]["unique_graphs"])

    assert compiles(tmp_path / "run") == compiles(None) > 0
