"""How many examples the loop trains on: seen once, and nothing stays behind."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402  # after the skip

from runopsy.recorder import record  # noqa: E402
from runopsy.recorder.training_batch import TrainingBatch  # noqa: E402


def hooks(model: nn.Module) -> int:
    return len(model._forward_pre_hooks)


def test_the_first_pass_in_training_mode_is_counted() -> None:
    model = nn.Linear(3, 2)
    batch = TrainingBatch(model)
    model.eval()
    model(torch.randn(9, 3))  # a validation before training
    model.train()
    with torch.no_grad():
        model(torch.randn(8, 3))
    assert batch.examples is None
    model(torch.randn(7, 3))
    model(torch.randn(6, 3))
    assert batch.examples == 7
    assert hooks(model) == 0


def test_inputs_may_come_by_keyword() -> None:
    class Named(nn.Module):
        def forward(self, scale: float, *, tokens: Tensor) -> Tensor:
            return scale * tokens

    model = Named()
    batch = TrainingBatch(model)
    model(2.0, tokens=torch.zeros(5, 4))
    assert batch.examples == 5


def test_a_model_without_tensors_has_no_count() -> None:
    class Silent(nn.Module):
        def forward(self, text: list[str]) -> int:
            return len(text)

    model = Silent()
    batch = TrainingBatch(model)
    assert model(["a"]) == 1
    assert batch.examples is None
    assert hooks(model) == 0


def test_what_a_tensor_of_somebody_elses_raises_stays_here() -> None:
    class Odd(Tensor):
        def __len__(self) -> int:
            raise RuntimeError("no length")

    model = nn.Identity()
    batch = TrainingBatch(model)
    model(torch.zeros(3, 2).as_subclass(Odd))
    assert batch.examples is None
    assert hooks(model) == 0


def test_a_model_compiled_in_place_is_left_alone() -> None:
    model = nn.Linear(3, 2)
    model.compile(backend="eager")
    assert TrainingBatch(model).examples is None
    assert hooks(model) == 0


@pytest.mark.parametrize("steps", [0, 1])
def test_the_hook_is_gone_when_the_run_ends_before_it_has_seen_anything(tmp_path: Path, steps: int) -> None:
    model = nn.Linear(3, 2)
    x, y = torch.randn(40, 3), torch.arange(40) % 2
    run = record(tmp_path / "run", model=model, loss_fn=nn.functional.cross_entropy, probe=(x, y), signals="full")
    assert hooks(model) == 1
    for step in range(steps):
        run.step(step)
        assert hooks(model) <= 1  # the window of the noise scale
    run.finish()
    assert hooks(model) == 0


def test_cheap_signals_need_no_count(tmp_path: Path) -> None:
    model = nn.Linear(3, 2)
    x, y = torch.randn(40, 3), torch.arange(40) % 2
    with record(tmp_path / "run", model=model, loss_fn=nn.functional.cross_entropy, probe=(x, y)):
        assert hooks(model) == 0


def test_the_hessian_is_that_of_a_quarter_of_a_training_batch(tmp_path: Path) -> None:
    model = nn.Linear(3, 2)
    x, y = torch.randn(400, 3), torch.arange(400) % 2
    loss_fn = nn.functional.cross_entropy
    asked = {"signals": ["hessian/top"], "every": 1, "budget": None}
    with record(tmp_path / "run", model=model, loss_fn=loss_fn, probe=(x, y), **asked) as run:
        loss_fn(model(x[:120]), y[:120]).backward()
        run.step(0)
    assert "30 of the 400" in (tmp_path / "run" / "run.json").read_text()
