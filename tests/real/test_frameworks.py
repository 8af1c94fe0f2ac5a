"""Frameworks train, runopsy reads: Lightning's tables and the Hugging Face trainer's checkpoints and lines.

``make test-readers`` installs the frameworks; where one is missing, its tests are skipped. Each trains in a process
of its own, on a CPU, for a few seconds.
"""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest

from realruns import roles, trained
from runopsy.readers import read, runs
from runopsy.signals import assign, measure


@pytest.fixture
def train(tmp_path):
    """Runs a script that trains with a framework, in ``tmp_path``; gives what it printed."""
    return lambda library, script: trained(tmp_path, library, script)


LIGHTNING = """
import torch, lightning
from lightning.pytorch.loggers import CSVLogger

class Net(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(4, 1)
    def training_step(self, batch, index):
        loss = ((self.layer(batch[0]) - 1) ** 2).mean()
        self.log("train_loss", loss, on_step=True, on_epoch=True)
        return loss
    def validation_step(self, batch, index):
        self.log("val_loss", ((self.layer(batch[0]) - 1) ** 2).mean())
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.01)

torch.manual_seed(0)
data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.randn(64, 4)), batch_size=8)
def fit(epochs, checkpoint=None):
    logger = CSVLogger(".", flush_logs_every_n_steps=1)
    trainer = lightning.Trainer(max_epochs=epochs, logger=logger, log_every_n_steps=1,
                                accelerator="cpu", enable_progress_bar=False, enable_model_summary=False)
    trainer.fit(Net(), data, data, ckpt_path=checkpoint)
    trainer.save_checkpoint("last.ckpt")
fit(4)
"""


def test_a_table_that_lightning_wrote(train, tmp_path):
    train("lightning", LIGHTNING)
    run = read(tmp_path / "lightning_logs")
    assert run.axis == "step"
    assert {"train/loss": "train_loss_step", "val/loss": "val_loss"}.items() <= roles(run).items()
    assert run.tracks["train_loss_step"].step.tolist() == list(range(32))
    assert run.tracks["val_loss"].step.tolist() == [7, 15, 23, 31]
    assert run.tracks["train_loss_step"].session is None


def test_a_resume_of_lightning_lies_in_a_new_folder(train, tmp_path):
    train("lightning", LIGHTNING + 'fit(6, "last.ckpt")\n')
    assert len(runs(tmp_path / "lightning_logs")) == 2
    joined = read(tmp_path / "lightning_logs", "1+2")
    measured = measure(joined, assign(joined.tracks))
    assert measured.resumes == (32,)
    assert measured.signals["train/loss"].step.tolist() == list(range(48))


TRANSFORMERS = """
import torch, transformers

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(4, 1)
    def forward(self, x, labels=None):
        out = self.layer(x)
        return {"loss": ((out - labels) ** 2).mean(), "logits": out}

torch.manual_seed(0)
rows = [{"x": torch.randn(4), "labels": torch.ones(1)} for _ in range(64)]
args = transformers.TrainingArguments(
    output_dir="out", max_steps=40, per_device_train_batch_size=8, logging_steps=2, eval_strategy="steps",
    eval_steps=10,
    save_strategy="steps", save_steps=20, report_to=[], use_cpu=True, save_safetensors=False)
transformers.Trainer(Net(), args, train_dataset=rows, eval_dataset=rows).train()
"""


def test_checkpoints_and_lines_of_the_hugging_face_trainer(train, tmp_path):
    script = TRANSFORMERS
    if importlib.util.find_spec("transformers") is not None:
        import transformers

        fields = transformers.TrainingArguments.__dataclass_fields__
        script = script if "save_safetensors" in fields else script.replace(", save_safetensors=False", "")
    printed = train("transformers", script)
    run = read(tmp_path / "out")
    assert run.axis == "step"
    assert {"train/loss": "loss", "val/loss": "eval_loss"}.items() <= roles(run).items()
    assert run.tracks["loss"].step.tolist() == list(range(2, 41, 2))
    assert run.tracks["eval_loss"].step.tolist() == [10, 20, 30, 40]
    assert "checkpoint-40" in run.notes[0]
    assert "train_loss" not in run.tracks
    (tmp_path / "train.log").write_text(printed)
    lines = read(tmp_path / "train.log")
    np.testing.assert_allclose(lines.tracks["loss"].value, run.tracks["loss"].value, rtol=1e-3)
    np.testing.assert_allclose(lines.tracks["eval_loss"].value, run.tracks["eval_loss"].value, rtol=1e-3)
