"""Recipes drawn at random: task, size, noise, model, optimizer, schedule and the way of writing it down.

The first 110 were looked at one by one and rules were mended by what they taught; the 90 from 200 on were drawn when
that was done, and scored once before anybody looked at them (README.md says how).
"""

from __future__ import annotations

import random
from typing import Any

from data import blobs, glyphs, skewed, surface
from schedules import cosine, drops, linear, restarts, warmup
from train import Recipe

STYLES = ("keras", "keras_old", "script", "percent", "lightning", "fastai", "timm", "trainer", "lines")
KINDS = ("labelnoise", "finetune", "skew", "regression", "regression", "tiny", "random", "norm", "plain", "plain",
         "bigmodel", "smoothing", "mixed")  # fmt: skip


def drawn(number: int) -> Recipe:
    """The recipe of a number; always the same."""
    r = random.Random(9000 + number)
    kind = r.choice(KINDS)
    epochs = r.choice([8, 10, 12, 15, 20, 20, 25, 30, 30, 40, 50, 60, 80, 100])
    more: dict[str, Any] = {"n": r.choice([300, 500, 800, 1200, 2000, 3000])}
    more |= {"n_val": r.choice([80, 150, 200, 300, 500]), "seed": number, "style": r.choice(STYLES)}
    more |= {"lr_logged": r.random() < 0.4, "batch": r.choice([16, 32, 64])}
    noise, classes = r.choice([0.15, 0.3, 0.4, 0.5, 0.6, 0.8]), r.choice([2, 3, 4, 5, 6, 10])
    task = (
        glyphs(7000 + number, classes, noise=noise)
        if r.random() < 0.6
        else blobs(
            7000 + number, classes, r.choice([8, 16, 24]), r.choice([0.7, 1.0, 1.3, 1.8]), modes=r.choice([1, 2, 3, 5])
        )
    )
    more["hidden"] = r.choice([(32,), (64,), (128,), (64, 64), (128, 128)])
    if r.random() < 0.25 and task.width == 144:
        more["conv"] = r.choice([4, 6, 8])
    if r.random() < 0.4:
        more |= {"optimizer": "sgd", "lr": r.choice([0.003, 0.01, 0.03, 0.1])}
    else:
        more["lr"] = r.choice([2e-4, 5e-4, 1e-3, 2e-3, 5e-3])
    chance = r.random()
    ends = {0.15: cosine(epochs), 0.25: drops(epochs // 2, (3 * epochs) // 4), 0.32: linear(epochs)}
    ends |= {0.38: warmup(epochs, 3), 0.42: restarts(max(epochs // 3, 2))}
    schedule = next((s for most, s in ends.items() if chance < most), None)
    if schedule is not None:
        more["schedule"] = schedule
    if kind == "labelnoise":
        more |= {"relabel": r.choice([0.1, 0.2, 0.3, 0.5]), "relabel_all": r.random() < 0.4}
    if kind == "finetune":
        more |= {"start_from": r.choice(["near", "far"]), "frozen": r.random() < 0.4}
        more |= {"n": r.choice([100, 200, 400, 800]), "lr": r.choice([1e-4, 3e-4, 1e-3]), "optimizer": "adam"}
    if kind == "skew":
        task = skewed(task, r.choice([0.7, 0.85, 0.95]))
    if kind == "regression":
        width, rough = r.choice([4, 8, 16]), r.choice([0.05, 0.1, 0.3, 0.6])
        task = surface(7000 + number, width, noise=rough, scale=r.choice([1.0, 1.0, 20.0, 300.0]))
        more |= {"loss": r.choice(["mse", "mse", "mae"])}
        more.pop("conv", None)
        if more.get("optimizer") == "sgd":
            more["lr"] = min(more["lr"], 0.01)
        if more["style"] in ("percent", "timm"):  # which write accuracies alone
            more["style"] = "script"
    if kind == "tiny":
        more |= {"n": r.choice([30, 60, 100, 150]), "n_val": r.choice([20, 40, 80]), "batch": 16}
    if kind == "random":
        more |= {"shuffle_all": True, "n": r.choice([200, 400, 800])}
    if kind == "norm":
        more |= {"norm": True, "norm_momentum": r.choice([0.1, 0.1, 0.02])}
    if kind == "bigmodel":
        more |= {"hidden": (256, 128), "n": r.choice([300, 600])}
    if kind == "smoothing":
        more |= {"smoothing": 0.1, "relabel": r.choice([0, 0.1])}
    if kind == "mixed":
        more |= {"dropout": r.choice([0.2, 0.4]), "decay": r.choice([0, 0.1, 1.0]), "augment": r.choice([0, 0.5])}
    return Recipe(f"{number:03d}", kind, task, epochs, **more)


RECIPES = [drawn(number) for number in (*range(110), *range(200, 290))]
