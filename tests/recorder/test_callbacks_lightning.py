"""The Lightning callback in the real Trainer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

lightning = pytest.importorskip("lightning")
torch = pytest.importorskip("torch")

from lightning.pytorch import LightningModule, Trainer, seed_everything  # noqa: E402  # after the skips
from torch import nn  # noqa: E402
from torch.utils.data import DataLoader, TensorDataset  # noqa: E402

from exact import assert_same  # noqa: E402
from runopsy.recorder.lightning import RunopsyCallback  # noqa: E402
from runopsy.store import read_run  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # of the library itself, whose warnings are not ours to mend


class Module(LightningModule):
    def __init__(self, width: int = 8, fails_at: int | None = None) -> None:
        super().__init__()
        self.save_hyperparameters("width")
        self.net = nn.Sequential(nn.Linear(6, width), nn.Tanh(), nn.Linear(width, 3))
        self.fails_at, self.norms = fails_at, []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x)

    def training_step(self, batch: Any, number: int) -> torch.Tensor:
        if number == self.fails_at:
            raise RuntimeError("a loop of somebody's")
        return nn.functional.cross_entropy(self(batch[0]), batch[1])

    def validation_step(self, batch: Any, number: int) -> None:
        logits = self(batch[0])
        self.log("val_loss", nn.functional.cross_entropy(logits, batch[1]))
        self.log("val_acc", (logits.argmax(dim=1) == batch[1]).float().mean())

    def on_before_optimizer_step(self, optimizer: Any) -> None:
        self.norms.append(float(torch.nn.utils.get_total_norm([p.grad for p in self.parameters()])))

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def data(n: int) -> DataLoader:
    source = torch.Generator().manual_seed(n)
    x = torch.randn(n, 6, generator=source)
    return DataLoader(TensorDataset(x, x[:, :3].argmax(dim=1)), batch_size=8)


def fit(folder: Path, *callbacks: Any, module: Module | None = None, resume: Any = None, **options: Any) -> Module:
    seed_everything(0, verbose=False)
    module = module or Module()
    wanted = {
        "max_epochs": 2, "accelerator": "cpu", "logger": False, "enable_progress_bar": False,
        "enable_model_summary": False, "default_root_dir": str(folder), "enable_checkpointing": False,
    } | options  # fmt: skip
    ours = Trainer(callbacks=list(callbacks), **wanted)
    ours.fit(module, data(48), data(24), ckpt_path=resume)
    if options.get("enable_checkpointing"):
        ours.save_checkpoint(folder / "last.ckpt")
    return module


def test_every_step_and_what_the_module_logs_are_recorded_under_our_names(tmp_path: Path) -> None:
    module = fit(tmp_path, RunopsyCallback(tmp_path / "run", budget=None), gradient_clip_val=0.01)
    run = read_run(tmp_path / "run")
    assert run.tracks["train/loss"].step.tolist() == run.tracks["grad/norm"].step.tolist() == list(range(12))
    assert run.tracks["grad/norm"].value.tolist() == pytest.approx(module.norms), "before clipping"
    assert run.tracks["val/loss"].step.tolist() == run.tracks["val/acc"].step.tolist() == [6, 12]
    assert run.tracks["lr"].value.tolist() == [0.1] * 12
    assert (run.status, run.config) == ("finished", {"width": 8})
    assert run.sizes == {"train": 48}, "of the loader of training examples"
    assert run.parameters == run.trainable == 6 * 8 + 8 + 8 * 3 + 3


def test_the_loss_of_accumulated_batches_is_not_divided(tmp_path: Path) -> None:
    fit(tmp_path, RunopsyCallback(tmp_path / "run", budget=None), accumulate_grad_batches=3)
    run = read_run(tmp_path / "run")
    assert run.tracks["train/loss"].step.tolist() == [0, 1, 2, 3]
    assert 0.8 < run.tracks["train/loss"].value[0] < 1.6, "of three classes at the start, about log 3"
    assert len(run.tracks["gns/s"]) == 3


def test_a_training_that_resumes_continues_its_run(tmp_path: Path) -> None:
    callback = RunopsyCallback(tmp_path / "run", budget=None)
    fit(tmp_path, callback, max_epochs=1, enable_checkpointing=True)
    fit(tmp_path, callback, max_epochs=2, resume=tmp_path / "last.ckpt")
    loss = read_run(tmp_path / "run").tracks["train/loss"]
    assert loss.step.tolist() == list(range(12))
    assert loss.session.tolist() == [0] * 6 + [1] * 6


def test_a_training_that_fails_is_a_run_that_failed(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="somebody's"):
        fit(tmp_path, RunopsyCallback(tmp_path / "run"), module=Module(fails_at=4))
    run = read_run(tmp_path / "run")
    assert (run.status, len(run.tracks["train/loss"])) == ("failed", 4)


def test_the_training_is_the_same_to_the_last_bit(tmp_path: Path) -> None:
    source = torch.Generator().manual_seed(5)
    probe = torch.randn(40, 6, generator=source), torch.randint(0, 3, (40,), generator=source)
    options = {"signals": "full", "every": 1, "budget": None, "probe": probe, "loss_fn": nn.functional.cross_entropy}
    plain, recorded = fit(tmp_path), fit(tmp_path, RunopsyCallback(tmp_path / "run", **options))
    assert_same(plain.state_dict(), recorded.state_dict())
    assert "hessian/top" in read_run(tmp_path / "run").tracks


def test_a_training_stops_on_what_it_is_asked_to(tmp_path: Path, capfd: Any) -> None:
    class Breaks(Module):
        def training_step(self, batch: Any, number: int) -> torch.Tensor:
            return super().training_step(batch, number) * (float("nan") if self.global_step >= 5 else 1.0)

    for asked in ({"stop_on": ("not_finite",)}, {}):
        run = tmp_path / f"run-{len(asked)}"
        module = Breaks()
        fit(tmp_path, RunopsyCallback(run, signals="scalars", **asked), module=module)
        assert (module.trainer.global_step == 6) == bool(asked)
    assert "stopped, as stop_on asks: not finite since step 5" in capfd.readouterr().err
