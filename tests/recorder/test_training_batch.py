"""How many examples the loop trains on: seen once, and nothing stays behind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402  # after the skip

from runopsy.recorder import record  # noqa: E402
from runopsy.recorder.session import Recording  # noqa: E402
from runopsy.recorder.training_batch import TrainingBatch  # noqa: E402
from runopsy.store import read_run  # noqa: E402


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


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")
def test_a_scripted_model_takes_no_hook() -> None:
    assert TrainingBatch(torch.jit.script(nn.Linear(3, 2))).examples is None


@pytest.mark.parametrize("model", [nn.Linear(3, 2), nn.Sequential(nn.Linear(3, 2))], ids=["layer", "container"])
def test_a_step_that_is_compiled_as_a_whole_is_not_entered(model: nn.Module) -> None:
    batch = TrainingBatch(model)
    step = torch.compile(lambda x: model(x).sum(), backend="eager", fullgraph=True)
    step(torch.randn(5, 3)).backward()
    batch.close()
    assert hooks(model) == 0


CLASSES = torch.arange(400) % 2


def begun(folder: Path, model: nn.Module, **options: object) -> Recording:
    given = {"loss_fn": nn.functional.cross_entropy, "probe": (torch.randn(400, 3), CLASSES)}
    return record(folder, model=model, **given, **({"signals": "full", "every": 1, "budget": None} | options))


def test_there_is_no_hook_before_training_runs(tmp_path: Path) -> None:
    """A model may be compiled, scripted, copied or captured after the recording began."""
    model = nn.Linear(3, 2)
    run = begun(tmp_path / "run", model)
    assert hooks(model) == 0
    run.step(0)
    assert hooks(model) == 2  # and the window of the noise scale
    run.step(1)
    assert hooks(model) <= 1
    run.finish()
    assert hooks(model) == 0


@pytest.mark.parametrize("steps", [0, 1])
def test_the_hook_is_gone_when_the_run_ends_before_it_has_seen_anything(tmp_path: Path, steps: int) -> None:
    model = nn.Linear(3, 2)
    run = begun(tmp_path / "run", model)
    for step in range(steps):
        run.step(step)
    run.finish()
    assert hooks(model) == 0


def test_what_depends_on_it_is_read_one_step_late(tmp_path: Path) -> None:
    model = nn.Linear(3, 2)
    asked = ["hessian/top", "ntk/velocity", "grad/variance", "weights/norm"]
    with begun(tmp_path / "run", model, signals=asked, every=3) as run:
        for step in range(5):
            nn.functional.cross_entropy(model(torch.randn(120, 3)), CLASSES[:120]).backward()
            run.step(step)
    tracks = read_run(tmp_path / "run").tracks
    assert tracks["weights/norm"].step.tolist() == [0, 3]
    assert tracks["hessian/top"].step.tolist() == tracks["grad/variance"].step.tolist() == [1, 3]
    assert tracks["ntk/velocity"].step.tolist() == [3]
    said = json.loads((tmp_path / "run" / "run.json").read_text())["signals"]
    assert said["hessian/top"]["source"] == "30 of the 400 examples of the probe batch"
    assert said["hessian/top"]["targets"] == 30
    assert "of 30 examples" in said["ntk/velocity"]["source"]
    assert "64 single examples" in said["grad/variance"]["source"]


@pytest.mark.parametrize("signals", [["ntk/velocity"], ["ntk/velocity", "hessian/top"]])
def test_how_many_examples_are_taken_does_not_depend_on_what_else_is_read(tmp_path: Path, signals: list[str]) -> None:
    model = nn.Linear(3, 2)
    with begun(tmp_path / "run", model, signals=signals) as run:
        for step in range(3):
            model(torch.randn(64, 3)).sum().backward()
            run.step(step)
    said = json.loads((tmp_path / "run" / "run.json").read_text())["signals"]
    assert "of 16 examples" in said["ntk/velocity"]["source"]
