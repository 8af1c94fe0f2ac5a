"""The Hugging Face callback in the real Trainer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("transformers")
torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402  # after the skips
from transformers import Trainer, TrainingArguments  # noqa: E402

from exact import assert_same  # noqa: E402
from runopsy.errors import RunExists  # noqa: E402
from runopsy.recorder.huggingface import RunopsyCallback  # noqa: E402
from runopsy.store import read_run  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # of the library itself, whose warnings are not ours to mend
STEPS = 12


class Tiny(nn.Module):
    """A classifier that computes its own loss, as the Trainer expects."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Linear(6, 8), nn.Linear(8, 3)

    def forward(self, x: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        logits = self.head(torch.tanh(self.body(x)))
        return {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}


def examples(n: int, seed: int) -> list[dict[str, torch.Tensor]]:
    source = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 6, generator=source)
    y = x[:, :3].argmax(dim=1)
    return [{"x": row, "labels": label} for row, label in zip(x, y, strict=True)]


def accuracy(said: Any) -> dict[str, float]:
    return {"accuracy": float((said.predictions.argmax(axis=1) == said.label_ids).mean())}


def trainer(folder: Path, *callbacks: Any, **options: Any) -> Trainer:
    torch.manual_seed(0)
    wanted = {
        "output_dir": str(folder / "out"), "max_steps": STEPS, "per_device_train_batch_size": 8, "logging_steps": 1,
        "eval_strategy": "steps", "eval_steps": 4, "save_steps": 6, "learning_rate": 0.05, "report_to": [],
        "disable_tqdm": True, "use_cpu": True, "seed": 0, "remove_unused_columns": False,
    } | options  # fmt: skip
    return Trainer(
        Tiny(), TrainingArguments(**wanted), train_dataset=examples(96, 1), eval_dataset=examples(48, 2),
        compute_metrics=accuracy, callbacks=list(callbacks),
    )  # fmt: skip


def test_what_the_trainer_logs_is_recorded_under_our_names(tmp_path: Path) -> None:
    ours = trainer(tmp_path, RunopsyCallback(tmp_path / "run", budget=None))
    ours.train()
    run = read_run(tmp_path / "run")
    history = ours.state.log_history
    logged = [(row["step"], row["loss"]) for row in history if "loss" in row]
    assert list(zip(run.tracks["train/loss"].step, run.tracks["train/loss"].value, strict=True)) == logged
    assert run.tracks["val/acc"].value.tolist() == [row["eval_accuracy"] for row in history if "eval_accuracy" in row]
    assert run.tracks["val/loss"].step.tolist() == [4, 8, 12]
    assert run.tracks["lr"].value[0] == pytest.approx(0.05)
    assert len(run.tracks["weights/update_ratio"]) == STEPS
    assert run.status == "finished"
    assert run.config["per_device_train_batch_size"] == 8
    assert run.sizes == {"train": 96}, "of the loader of training examples"


def test_the_gradient_norm_is_the_one_before_clipping(tmp_path: Path) -> None:
    trainer(tmp_path, RunopsyCallback(tmp_path / "clipped", budget=None), max_grad_norm=0.1).train()
    trainer(tmp_path, RunopsyCallback(tmp_path / "free", budget=None), max_grad_norm=0.0).train()
    clipped, free = read_run(tmp_path / "clipped"), read_run(tmp_path / "free")
    assert clipped.tracks["grad/norm"].value[0] == pytest.approx(free.tracks["grad/norm"].value[0], rel=1e-4)
    assert clipped.tracks["grad/norm"].value[0] > 0.2, "the norm after clipping would be 0.1"
    said = json.loads((tmp_path / "clipped/run.json").read_text())["not_recorded"]
    assert "clipped" in said["grad/norm/<module>"]
    assert "grad/norm/body" in free.tracks


def test_micro_batches_give_the_noise_scale_whether_gradients_are_clipped_or_not(tmp_path: Path) -> None:
    pieces = {}
    for clip in (0.0, 0.01):
        run = tmp_path / f"clip{clip}"
        options = {"gradient_accumulation_steps": 4, "max_steps": 3, "learning_rate": 0.0, "max_grad_norm": clip}
        trainer(tmp_path, RunopsyCallback(run, budget=None), **options).train()
        pieces[clip] = read_run(run).tracks["gns/s"].value
    assert len(pieces[0.0]) == 2
    np.testing.assert_allclose(pieces[0.01], pieces[0.0], rtol=1e-3)


def test_a_training_that_resumes_continues_its_run(tmp_path: Path) -> None:
    callback = RunopsyCallback(tmp_path / "run", budget=None)
    trainer(tmp_path, callback, max_steps=6).train()
    trainer(tmp_path, callback).train(resume_from_checkpoint=True)
    loss = read_run(tmp_path / "run").tracks["train/loss"]
    assert loss.step.tolist() == list(range(1, STEPS + 1))
    assert loss.session.tolist() == [0] * 6 + [1] * 6


def test_a_run_that_exists_is_refused_before_training_begins(tmp_path: Path) -> None:
    trainer(tmp_path, RunopsyCallback(tmp_path / "run"), max_steps=1).train()
    with pytest.raises(RunExists):
        trainer(tmp_path, RunopsyCallback(tmp_path / "run"), max_steps=1).train()


def test_the_training_is_the_same_to_the_last_bit(tmp_path: Path) -> None:
    batch = {k: torch.stack([one[k] for one in examples(40, 3)]) for k in ("x", "labels")}
    plain, recorded = (
        trainer(tmp_path),
        trainer(tmp_path, RunopsyCallback(tmp_path / "run", signals="full", every=1, budget=None, probe=batch)),
    )
    plain.train(), recorded.train()
    assert_same(plain.model.state_dict(), recorded.model.state_dict())
    assert "hessian/top" in read_run(tmp_path / "run").tracks


def test_a_training_stops_on_what_it_is_asked_to(tmp_path: Path, capfd: Any) -> None:
    class Breaks(Tiny):
        def forward(self, x: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
            self.calls = getattr(self, "calls", 0) + self.training
            found = super().forward(x, labels)
            return found | {"loss": found["loss"] * (float("nan") if self.calls > 4 else 1.0)}

    for asked, last in (({"stop_on": "not_finite"}, 5), ({}, STEPS)):
        folder = tmp_path / str(last)
        made = trainer(
            folder, RunopsyCallback(folder / "run", signals="scalars", **asked), logging_nan_inf_filter=False
        )
        made.model = made.model_wrapped = Breaks()
        made.train()
        assert made.state.global_step == last
    assert "stopped, as stop_on asks: not finite since step 5" in capfd.readouterr().err
