"""The tracker in the real Accelerator."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("accelerate")
torch = pytest.importorskip("torch")

from accelerate import Accelerator  # noqa: E402  # after the skips
from torch import nn  # noqa: E402

from runopsy.errors import RunExists  # noqa: E402
from runopsy.recorder.accelerate import RunopsyTracker  # noqa: E402
from runopsy.store import read_run  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # of the library itself, whose warnings are not ours to mend


def test_what_is_logged_is_recorded_under_our_names(tmp_path: Path) -> None:
    accelerator = Accelerator(cpu=True, log_with=RunopsyTracker(tmp_path / "run"))
    accelerator.init_trackers("project", config={"lr": 0.1})
    for step in range(5):
        accelerator.log({"train_loss": 1.0 / (step + 1), "note": "text"}, step=step)
    accelerator.log({"eval_accuracy": 0.5}, step=5)
    accelerator.end_training()
    run = read_run(tmp_path / "run")
    assert run.tracks["train/loss"].step.tolist() == [0, 1, 2, 3, 4]
    assert run.tracks["val/acc"].value.tolist() == [0.5]
    assert (run.status, run.config) == ("finished", {"lr": 0.1})


def test_a_model_can_be_measured_too(tmp_path: Path) -> None:
    tracker = RunopsyTracker(tmp_path / "run", budget=None)
    accelerator = Accelerator(cpu=True, log_with=tracker)
    accelerator.init_trackers("project")
    model = nn.Linear(4, 2)
    model, optimizer = accelerator.prepare(model, torch.optim.SGD(model.parameters(), lr=0.1))
    tracker.begin(model=model, optimizer=optimizer)
    norms = []
    for step in range(4):
        optimizer.zero_grad()
        accelerator.backward(model(torch.randn(8, 4)).square().mean())
        norms.append(float(torch.nn.utils.get_total_norm([p.grad for p in model.parameters()])))
        tracker.step(step)
        accelerator.clip_grad_norm_(model.parameters(), 0.01)
        optimizer.step()
    accelerator.end_training()
    run = read_run(tmp_path / "run")
    assert run.tracks["grad/norm"].value.tolist() == pytest.approx(norms)
    assert run.tracks["lr"].value.tolist() == [0.1] * 4


def test_resuming_continues_the_run_and_nothing_else_takes_its_place(tmp_path: Path) -> None:
    for resume in (False, True):
        accelerator = Accelerator(cpu=True, log_with=RunopsyTracker(tmp_path / "run", resume=resume))
        accelerator.init_trackers("project")
        accelerator.log({"loss": 1.0}, step=3 if resume else 2)
        accelerator.end_training()
    assert read_run(tmp_path / "run").tracks["loss"].session.tolist() == [0, 1]
    accelerator = Accelerator(cpu=True, log_with=RunopsyTracker(tmp_path / "run"))
    with pytest.raises(RunExists):
        accelerator.init_trackers("project")
