"""Notebooks that a Jupyter kernel executed: the table of Transformers' callback, the bars of Lightning.

``make test-readers`` installs them; where one is missing, its test is skipped.
"""

from __future__ import annotations

import re

import pytest

from realruns import executed, roles, same, trained, truth
from runopsy.readers import read

TRANSFORMERS = """
import json, torch, transformers

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(4, 2)
    def forward(self, x, labels=None):
        out = self.layer(x)
        return {"loss": torch.nn.functional.cross_entropy(out, labels), "logits": out}

torch.manual_seed(0)
rows = [{"x": x, "labels": (x[0] > 0).long()} for x in torch.randn(64, 4)]
settings = transformers.TrainingArguments(
    output_dir="out", num_train_epochs=5, per_device_train_batch_size=8, report_to=[], use_cpu=True, save_strategy="no",
    learning_rate=0.05, STRATEGY)
trainer = transformers.Trainer(
    Net(), settings, train_dataset=rows[:48], eval_dataset=rows[48:],
    compute_metrics=lambda judged: {"accuracy": float((judged.predictions.argmax(1) == judged.label_ids).mean())})
"""
KEEP = 'json.dump(trainer.state.log_history, open("truth.json", "w"))'


@pytest.mark.parametrize(
    ("strategy", "axis", "column"),
    [
        ('eval_strategy="epoch", logging_strategy="epoch"', "epoch", "epoch"),
        ('eval_strategy="steps", logging_steps=6, eval_steps=6', "step", "step"),
    ],
)
def test_the_table_of_the_callback_of_transformers(strategy, axis, column, tmp_path):
    script = TRANSFORMERS.replace("STRATEGY", strategy)
    found = executed(tmp_path, "transformers", script, "trainer.train()", KEEP)
    history = truth(tmp_path)
    run = read(found)
    assert run.axis == axis
    assert roles(run) == {"train/loss": "Training Loss", "val/loss": "Validation Loss", "val/acc": "Accuracy"}
    trains = {row[column]: row["loss"] for row in history if "loss" in row}
    held = [row for row in history if "eval_loss" in row]
    at = [row[column] for row in held]
    same(run, "Training Loss", [trains[here] for here in at], at, digits=6)
    same(run, "Validation Loss", [row["eval_loss"] for row in held], at, digits=6)
    same(run, "Accuracy", [row["eval_accuracy"] for row in held], at, digits=6)


LIGHTNING = """
import json, torch, lightning
from lightning.pytorch.callbacks import RichProgressBar, TQDMProgressBar

class Net(lightning.LightningModule):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(4, 1)
    def training_step(self, batch, index):
        loss = ((self.layer(batch[0]) - 1) ** 2).mean()
        self.log("train_loss", loss, prog_bar=True, on_step=False, on_epoch=True)
        return loss
    def validation_step(self, batch, index):
        self.log("val_loss", ((self.layer(batch[0]) - 1) ** 2).mean(), prog_bar=True)
    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.02)

truth = {"train_loss": [], "val_loss": []}

class Keep(lightning.Callback):
    def on_train_epoch_end(self, trainer, module):
        for name, values in truth.items():
            values.append(float(trainer.callback_metrics[name]))
        json.dump(truth, open("truth.json", "w"))

def fit(bar):
    torch.manual_seed(0)
    data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.randn(64, 4)), batch_size=8)
    trainer = lightning.Trainer(max_epochs=5, logger=False, accelerator="cpu", enable_checkpointing=False,
                                enable_model_summary=False, callbacks=[bar, Keep()])
    trainer.fit(Net(), data, data)
"""


def follows(run, known):
    assert run.axis == "epoch"
    found = roles(run)
    for role, name in (("train/loss", "train_loss"), ("val/loss", "val_loss")):
        assert name in found[role]
        same(run, found[role], known[name], range(5), digits=2)  # three digits are printed


def test_the_bars_of_lightning_in_a_console(tmp_path):
    printed = trained(tmp_path, "lightning", LIGHTNING + "fit(TQDMProgressBar(leave=True))")
    assert re.search(r"\d+%\|", printed)
    (tmp_path / "console.txt").write_text(printed)
    follows(read(tmp_path / "console.txt"), truth(tmp_path))


def test_the_bars_that_lightning_draws_with_rich(tmp_path):
    terminal = 'import os\nos.environ.update(FORCE_COLOR="1", TTY_COMPATIBLE="1", COLUMNS="160", TERM="xterm")\n'
    printed = trained(tmp_path, "lightning rich", terminal + LIGHTNING + "fit(RichProgressBar(leave=True))")
    assert "━━━" in printed
    (tmp_path / "console.txt").write_text(printed)
    follows(read(tmp_path / "console.txt"), truth(tmp_path))
