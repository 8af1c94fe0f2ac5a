"""Trains the small runs whose logs lie in this folder, and writes log and dense curves of each.

``python tests/epochs/train.py --into DIR [--sealed] [--only PATTERN]``. A log is written once per epoch, as people
write it: training figures are running means over the epoch in training mode, validation is on a set of a few hundred
examples. The dense curves, from which the truth is made (``label.py``), are in evaluation mode on the training set
and on 4 000 held-out examples, several times per epoch. Same seeds, same logs, on one kind of processor.
"""

from __future__ import annotations

import argparse
import csv
import fnmatch
import importlib.util
import json
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).parent))

from data import SIDE, Task, relabelled

HERE = Path(__file__).parent
HELD_OUT = 4_000
AT_MOST = 2_000  # training examples that the dense curve reads


@dataclass(frozen=True)
class Recipe:
    """One training, and how its log is written."""

    name: str
    family: str
    task: Task
    epochs: int
    n: int = 1000
    n_val: int = 200
    batch: int = 32
    seed: int = 0
    # the model
    hidden: tuple[int, ...] = (64,)
    conv: int = 0  # channels; 0: a perceptron
    norm: bool = False
    norm_momentum: float = 0.1  # weight of the newest batch in the running statistics
    dropout: float = 0.0
    init: str = ""  # "zero", "dead", "wide"
    start_from: str = ""  # "": fresh; "near": trained on the same classes elsewhere; "far": trained on other data
    frozen: bool = False
    # the training
    optimizer: str = "adam"
    lr: float = 1e-3
    momentum: float = 0.9
    decay: float = 0.0
    schedule: Callable[[float], float] | None = None  # of epochs done, a factor
    augment: float = 0.0  # noise added to inputs in training
    smoothing: float = 0.0
    loss: str = "ce"  # "ce", "mse", "mae", "handmade", "root"
    relabel: float = 0.0
    relabel_all: bool = False  # validation too
    shuffle_all: bool = False  # labels have nothing to do with the inputs, in training only
    scale: float = 1.0  # of the inputs
    spoil: dict[str, float] = field(default_factory=dict)  # {"at": epoch, "factor": of one batch's inputs}
    # the log
    style: str = "keras"
    lr_logged: bool = False
    acc_logged: bool = True
    loss_logged: bool = True
    digits: int = 4
    note: str = ""


def flat(width: int, hidden: tuple[int, ...], out: int, recipe: Recipe) -> nn.Sequential:
    layers: list[nn.Module] = []
    for size in hidden:
        layers.append(nn.Linear(width, size))
        if recipe.norm:
            layers.append(nn.BatchNorm1d(size, momentum=recipe.norm_momentum))
        layers.append(nn.ReLU())
        if recipe.dropout:
            layers.append(nn.Dropout(recipe.dropout))
        width = size
    return nn.Sequential(*layers, nn.Linear(width, out))


def network(recipe: Recipe) -> nn.Sequential:
    out = recipe.task.classes or 1
    if not recipe.conv:
        model = flat(recipe.task.width, recipe.hidden, out, recipe)
    else:
        c = recipe.conv
        norm = [nn.BatchNorm2d(c, momentum=recipe.norm_momentum)] if recipe.norm else []
        norms = [nn.BatchNorm2d(2 * c, momentum=recipe.norm_momentum)] if recipe.norm else []
        model = nn.Sequential(
            nn.Unflatten(1, (1, SIDE, SIDE)),
            *(nn.Conv2d(1, c, 3, padding=1), *norm, nn.ReLU(), nn.MaxPool2d(2)),
            *(nn.Conv2d(c, 2 * c, 3, padding=1), *norms, nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()),
            *flat(2 * c * (SIDE // 4) ** 2, recipe.hidden, out, recipe),
        )
    linears = [m for m in model.modules() if isinstance(m, nn.Linear | nn.Conv2d)]
    with torch.no_grad():
        for m in linears:
            if recipe.init == "zero":
                m.weight.zero_()
                m.bias.zero_()
            elif recipe.init == "dead" and m is not linears[-1]:
                m.bias.fill_(-12.0)
            elif recipe.init == "wide":
                m.weight.mul_(6.0)
    return model


def error(recipe: Recipe, out: Tensor, y: Tensor) -> Tensor:
    """The loss of a batch, as the recipe wrote it."""
    if recipe.loss == "mse":
        return nn.functional.mse_loss(out[:, 0], y)
    if recipe.loss == "mae":
        return nn.functional.l1_loss(out[:, 0], y)
    if recipe.loss == "root":  # its gradient is not finite where an error is exactly 0
        return torch.sqrt(nn.functional.relu(out[:, 0] - y) ** 2).mean()
    if recipe.loss == "handmade":  # softmax and logarithm written out: the logarithm of 0 is one large logit away
        return -torch.log(torch.softmax(out, 1)[torch.arange(len(y)), y]).mean()
    return nn.functional.cross_entropy(out, y, label_smoothing=recipe.smoothing)


def hits(recipe: Recipe, out: Tensor, y: Tensor) -> Tensor:
    """Right answers of a classification; the absolute error of a regression."""
    return (out.argmax(1) == y).double() if recipe.task.classes else (out[:, 0] - y).abs().double()


def read(model: nn.Module, recipe: Recipe, x: Tensor, y: Tensor) -> tuple[float, float]:
    """Loss and score in evaluation mode."""
    was = model.training
    model.eval()
    with torch.no_grad():
        out = model(x)
        kind = "ce" if recipe.loss == "handmade" else recipe.loss
        plain = Recipe(recipe.name, recipe.family, recipe.task, 1, loss=kind)
        found = float(error(plain, out, y)), float(hits(recipe, out, y).mean())
    model.train(was)
    return found


def sets(recipe: Recipe) -> dict[str, tuple[Tensor, Tensor]]:
    g = torch.Generator().manual_seed(1000 + recipe.seed)
    found = {}
    for name, n in (("train", recipe.n), ("val", recipe.n_val), ("held", HELD_OUT)):
        x, y = recipe.task.draw(n, g)
        if recipe.relabel and (name == "train" or recipe.relabel_all):
            y = relabelled(y, recipe.task.classes, recipe.relabel, g)
        if recipe.shuffle_all and name == "train":
            y = y[torch.randperm(n, generator=g)]
        found[name] = (recipe.scale * x, y)
    return found


def majority(recipe: Recipe, y: Tensor) -> float:
    return float(torch.bincount(y).max() / len(y)) if recipe.task.classes else 0.0


def optimizer_of(recipe: Recipe, model: nn.Module) -> torch.optim.Optimizer:
    weights = [p for p in model.parameters() if p.requires_grad]
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(weights, recipe.lr, momentum=recipe.momentum, weight_decay=recipe.decay)
    return torch.optim.AdamW(weights, recipe.lr, weight_decay=recipe.decay)


def pretrain(model: nn.Sequential, recipe: Recipe) -> None:
    """A model trained before: on plenty of the same task, or on a task of its own kind ("far")."""
    g = torch.Generator().manual_seed(77 + recipe.seed)
    x, y = recipe.task.draw(3000, g)
    if recipe.start_from == "far":
        x = x.roll(3, 1) + 0.5 * torch.randn(x.shape, generator=g)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    for _ in range(8 if recipe.start_from == "near" else 4):
        for rows in torch.randperm(len(x), generator=g).split(64):
            optimizer.zero_grad()
            error(recipe, model(x[rows]), y[rows]).backward()
            optimizer.step()
    if recipe.start_from == "far":
        model[-1].reset_parameters()  # type: ignore[operator]
    if recipe.frozen:
        for layer in model[:-1]:
            layer.requires_grad_(requires_grad=False)


@dataclass
class Told:
    """The rows of a log, and the dense curves."""

    rows: list[dict[str, float]] = field(default_factory=list)
    dense: list[tuple[float, ...]] = field(default_factory=list)
    majority: float = 0.0  # share of the most frequent class: what a constant answer gets


def train(recipe: Recipe) -> Told:
    torch.manual_seed(recipe.seed)
    data = sets(recipe)
    model = network(recipe)
    if recipe.start_from:
        pretrain(model, recipe)
    optimizer = optimizer_of(recipe, model)
    told, g = Told(), torch.Generator().manual_seed(recipe.seed)
    told.majority = majority(recipe, data["held"][1])
    points = 4 if recipe.epochs <= 40 else 2

    def look(at: float) -> None:
        few = data["train"][0][:AT_MOST], data["train"][1][:AT_MOST]
        told.dense.append(
            (at, *read(model, recipe, *few), *read(model, recipe, *data["held"]), *read(model, recipe, *data["val"]))
        )

    look(0.0)
    for epoch in range(recipe.epochs):
        told.rows.append(one_epoch(model, optimizer, recipe, data["train"], g, epoch, points, look))
        loss, score = read(model, recipe, *data["val"])
        told.rows[-1] |= {"val_loss": loss, "val_acc": score, "step": (epoch + 1) * math.ceil(recipe.n / recipe.batch)}
    return told


def one_epoch(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    recipe: Recipe,
    data: tuple[Tensor, Tensor],
    g: torch.Generator,
    epoch: int,
    points: int,
    look: Callable[[float], None],
) -> dict[str, float]:
    model.train()
    x, y = data
    batches = torch.randperm(len(x), generator=g).split(recipe.batch)
    loss = score = smoothed = 0.0
    if len(batches[-1]) < 2:
        batches = batches[:-1]
    due = [round(len(batches) * (k + 1) / points) for k in range(points)]
    for k, rows in enumerate(batches):
        done = epoch + k / len(batches)
        rate = recipe.lr * (recipe.schedule(done) if recipe.schedule else 1.0)
        for group in optimizer.param_groups:
            group["lr"] = rate
        seen = x[rows] + recipe.augment * torch.randn(x[rows].shape, generator=g)
        if recipe.spoil and int(recipe.spoil["at"]) == epoch and k == len(batches) // 2:
            seen = seen * recipe.spoil["factor"]
        optimizer.zero_grad()
        out = model(seen)
        batch_loss = error(recipe, out, y[rows])
        batch_loss.backward()
        optimizer.step()
        loss += float(batch_loss.detach()) * len(rows)
        smoothed = 0.98 * smoothed + 0.02 * float(batch_loss.detach())
        score += float(hits(recipe, out.detach(), y[rows]).sum())
        if k + 1 in due:
            look(epoch + (k + 1) / len(batches))
    n = sum(len(rows) for rows in batches)
    return {"train_loss": loss / n, "train_acc": score / n, "lr": rate}


# ---- how people write it down

Row = dict[str, float | int | str]


def keras(recipe: Recipe, rows: list[dict[str, float]]) -> Iterator[Row]:
    score = "accuracy" if recipe.task.classes else "mae"
    for k, row in enumerate(rows):
        found = {"epoch": k, score: row["train_acc"], "loss": row["train_loss"]}
        lr = {"learning_rate": row["lr"]} if recipe.lr_logged else {}
        yield found | lr | {f"val_{score}": row["val_acc"], "val_loss": row["val_loss"]}


def keras_old(recipe: Recipe, rows: list[dict[str, float]]) -> Iterator[Row]:
    score = "acc" if recipe.task.classes else "mean_absolute_error"
    for k, row in enumerate(rows):
        lr = {"lr": row["lr"]} if recipe.lr_logged else {}
        found = {"epoch": k, score: row["train_acc"], "loss": row["train_loss"]}
        yield found | lr | {f"val_{score}": row["val_acc"], "val_loss": row["val_loss"]}


def script(recipe: Recipe, rows: list[dict[str, float]]) -> Iterator[Row]:
    score = "acc" if recipe.task.classes else "mae"
    for k, row in enumerate(rows):
        lr = {"lr": row["lr"]} if recipe.lr_logged else {}
        found = {"epoch": k + 1, "train_loss": row["train_loss"], f"train_{score}": row["train_acc"]}
        yield found | {"val_loss": row["val_loss"], f"val_{score}": row["val_acc"]} | lr


def percent(recipe: Recipe, rows: list[dict[str, float]]) -> Iterator[Row]:
    for k, row in enumerate(rows):
        train, test = (round(100 * row[name], 2) for name in ("train_acc", "val_acc"))
        lr = {"LR": row["lr"]} if recipe.lr_logged else {}
        found = {"Epoch": k + 1, "Train Loss": row["train_loss"], "Train Acc": train}
        yield found | {"Test Loss": row["val_loss"], "Test Acc": test} | lr


def lightning(recipe: Recipe, rows: list[dict[str, float]]) -> Iterator[Row]:
    score = "acc" if recipe.task.classes else "mae"
    for k, row in enumerate(rows):
        at = {"epoch": k, "step": int(row["step"]) - 1}
        names = (
            "epoch",
            "step",
            *(["lr-Adam"] if recipe.lr_logged else []),
            f"train_{score}",
            "train_loss",
            f"val_{score}",
            "val_loss",
        )
        blank: Row = dict.fromkeys(names, "")
        if recipe.lr_logged:
            yield blank | {"step": at["step"], "lr-Adam": row["lr"]}
        yield blank | at | {f"val_{score}": row["val_acc"], "val_loss": row["val_loss"]}
        yield blank | at | {f"train_{score}": row["train_acc"], "train_loss": row["train_loss"]}


def fastai(recipe: Recipe, rows: list[dict[str, float]]) -> Iterator[Row]:
    score = "accuracy" if recipe.task.classes else "mae"
    for k, row in enumerate(rows):
        found = {"epoch": k, "train_loss": row["train_loss"], "valid_loss": row["val_loss"], score: row["val_acc"]}
        yield found | {"time": f"00:0{1 + (7 * k) % 3}"}


def timm(recipe: Recipe, rows: list[dict[str, float]]) -> Iterator[Row]:
    for k, row in enumerate(rows):
        found = {"epoch": k, "train_loss": row["train_loss"], "eval_loss": row["val_loss"]}
        yield found | {"eval_top1": round(100 * row["val_acc"], 3), "lr": row["lr"]}


def trainer(recipe: Recipe, rows: list[dict[str, float]]) -> Iterator[Row]:
    score = "eval_accuracy" if recipe.task.classes else "eval_mae"
    for k, row in enumerate(rows):
        at = {"epoch": float(k + 1), "step": int(row["step"])}
        yield {"loss": round(row["train_loss"], 4), "learning_rate": row["lr"], **at}
        yield {"eval_loss": row["val_loss"], score: row["val_acc"], "eval_runtime": 0.41, **at}


def lines(recipe: Recipe, rows: list[dict[str, float]]) -> Iterator[Row]:
    score = "acc" if recipe.task.classes else "mae"
    for k, row in enumerate(rows):
        lr = {"lr": row["lr"]} if recipe.lr_logged else {}
        found = {"epoch": k + 1, "train/loss": row["train_loss"], f"train/{score}": row["train_acc"]}
        yield found | {"valid/loss": row["val_loss"], f"valid/{score}": row["val_acc"]} | lr


STYLES: dict[str, tuple[Callable[..., Iterator[Row]], str, int]] = {  # writer, suffix, number of the first epoch
    "keras": (keras, ".csv", 0),
    "keras_old": (keras_old, ".csv", 0),
    "script": (script, ".csv", 1),
    "percent": (percent, ".csv", 1),
    "lightning": (lightning, ".csv", 0),
    "fastai": (fastai, ".csv", 0),
    "timm": (timm, ".csv", 0),
    "trainer": (trainer, ".jsonl", 1),
    "lines": (lines, ".jsonl", 1),
}


def shown(value: float | str, digits: int) -> float | int | str:
    """A number as it is printed: whole numbers and words as they are."""
    if isinstance(value, str | int) or not math.isfinite(value):
        return value
    return float(f"{value:.{digits}f}") if abs(value) >= 0.05 else float(f"{value:.{digits}g}")


def written(recipe: Recipe, rows: list[dict[str, float]]) -> list[Row]:
    found = [{k: shown(v, recipe.digits) for k, v in row.items()} for row in STYLES[recipe.style][0](recipe, rows)]
    left_out = [] if recipe.acc_logged else ["acc", "Acc", "top1", "accuracy", "mae", "mean_absolute_error"]
    left_out += [] if recipe.loss_logged else ["loss", "Loss"]
    return [{k: v for k, v in row.items() if not any(k.endswith(word) for word in left_out)} for row in found]


def write(recipe: Recipe, told: Told, into: Path) -> Path:
    _, suffix, first = STYLES[recipe.style]
    path = into / f"{recipe.family}-{recipe.name}{suffix}"
    rows = written(recipe, told.rows)
    with path.open("w", newline="") as out:
        if suffix == ".csv":
            table = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
            table.writeheader()
            table.writerows(rows)
        else:
            out.writelines(json.dumps(row) + "\n" for row in rows)
    per_epoch = told.rows[0]["step"]
    shift = 1.0 if recipe.style == "lightning" else 0.0
    curves = np.array(told.dense, dtype=float).T
    held = {
        k: np.array([row[k] for row in told.rows]) for k in ("train_loss", "train_acc", "val_loss", "val_acc", "lr")
    }
    np.savez(
        into / "dense" / f"{path.stem}.npz",
        curves=curves,
        axis=np.array([first - 1.0, 1.0, -shift, per_epoch]),
        about=np.array(
            json.dumps(
                {
                    "file": path.name,
                    "family": recipe.family,
                    "classes": recipe.task.classes,
                    "epochs": recipe.epochs,
                    "chance": told.majority,
                    "trained": bool(recipe.start_from),
                    "lr_logged": any(
                        k.lower().startswith(("lr", "learning_rate")) for k in rows[0] | rows[min(1, len(rows) - 1)]
                    ),
                    "scheduled": recipe.schedule is not None,
                    "note": recipe.note,
                    "n_val": recipe.n_val,
                }
            )
        ),
        **held,
    )
    return path


def recipes(folder: Path) -> list[Recipe]:
    """The table RECIPES of ``folder/families.py``."""
    spec = importlib.util.spec_from_file_location(f"families_{folder.name}", folder / "families.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return list(module.RECIPES)


def main() -> None:
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--into", type=Path, required=True)
    ask.add_argument("--sealed", action="store_true")
    ask.add_argument("--drawn", action="store_true", help="the recipes drawn at random")
    ask.add_argument("--only", default="*")
    ask.add_argument("--part", default="0/1", help="k/n: every n-th from k on")
    asked = ask.parse_args()
    torch.set_num_threads(1)
    (asked.into / "dense").mkdir(parents=True, exist_ok=True)
    k, n = map(int, asked.part.split("/"))
    for recipe in recipes(HERE / ("sealed" if asked.sealed else "drawn" if asked.drawn else ""))[k::n]:
        if fnmatch.fnmatch(f"{recipe.family}-{recipe.name}", asked.only):
            print(write(recipe, train(recipe), asked.into).name, flush=True)


if __name__ == "__main__":
    main()
