"""Logs of 10 to 70 epochs as people have them, drawn from a seed, with the verdicts that a careful reader accepts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runopsy.model import Run, Track

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Draw:
    """What a story is drawn with."""

    rng: np.random.Generator
    t: Array  # (n,) 0 to 1
    size: int  # examples that validation accuracy is counted on

    def loss(self, curve: Array, noise: float = 0.03) -> Array:
        return curve * np.exp(noise * self.rng.standard_normal(len(curve)))

    def counted(self, share: Array) -> Array:
        return self.rng.binomial(self.size, np.clip(share, 0, 1)) / self.size

    def between(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def towards(self, start: float, end: float, pace: float) -> Array:
        """A saturating course from start to end."""
        return start + (end - start) * (1 - np.exp(-self.t / pace))

    def after(self, turn: float) -> Array:
        """0 until the turn, then rising to 1 at the end."""
        return np.clip((self.t - turn) / (1 - turn), 0, 1)


def label_noise(d: Draw) -> dict[str, Array]:
    return {
        "loss": d.loss(2.2 * np.exp(-d.t / 0.3) + 0.03, 0.02),
        "acc": np.clip(d.towards(0.2, 0.99, 0.3), 0, 1),
        "val_loss": d.loss(d.towards(2.3, 0.6, 0.06) + d.between(0.4, 1.5) * d.after(0.15)),
        "val_acc": d.counted(d.towards(0.1, d.between(0.75, 0.92), 0.06) - d.between(0.06, 0.2) * d.after(0.2)),
    }


def fine_tuning_overfits(d: Draw) -> dict[str, Array]:
    return {
        "train_loss": d.loss(0.35 * np.exp(-d.t / 0.2) + 0.005),
        "train_acc": d.towards(0.9, 0.999, 0.2),
        "val_loss": d.loss(d.towards(0.33, 0.28, 0.08) + d.between(0.15, 0.5) * d.after(0.15)),
        "val_acc": d.counted(d.towards(0.88, 0.92, 0.1)),
    }


def fine_tuning(d: Draw) -> dict[str, Array]:
    return {
        "train_loss": d.loss(0.35 * np.exp(-d.t / 0.3) + 0.1),
        "train_acc": d.towards(0.9, 0.96, 0.2),
        "val_loss": d.loss(0.3 * np.exp(-d.t / 0.2) + 0.13),
        "val_acc": d.counted(d.towards(0.9, 0.95, 0.15)),
    }


def skewed_classes_overfit(d: Draw) -> dict[str, Array]:
    most = d.between(0.9, 0.97)
    return {
        "train_loss": d.loss(0.3 * np.exp(-d.t / 0.3) + 0.01),
        "train_acc": d.towards(most, 1.0, 0.4),
        "val_loss": d.loss(d.towards(0.32, 0.24, 0.07) + d.between(0.1, 0.4) * d.after(0.2)),
        "val_acc": d.counted(np.full(len(d.t), most)),
    }


def regression(d: Draw) -> dict[str, Array]:
    unit = 10 ** d.between(-2, 3)
    return {
        "loss": d.loss(unit * (np.exp(-d.t / 0.1) + 0.08)),
        "val_loss": d.loss(unit * (np.exp(-d.t / 0.1) + 0.09), 0.05),
    }


def regression_overfits(d: Draw) -> dict[str, Array]:
    unit = 10 ** d.between(-2, 3)
    return {
        "loss": d.loss(unit * (np.exp(-d.t / 0.25) + 0.02)),
        "val_loss": d.loss(unit * (d.towards(1.1, 0.35, 0.1) + d.between(0.15, 0.5) * d.after(0.25)), 0.05),
    }


def still_falling(d: Draw) -> dict[str, Array]:
    return {
        "loss": d.loss(2.3 - 1.4 * d.t, 0.01),
        "acc": 0.1 + 0.6 * d.t,
        "val_loss": d.loss(2.3 - 1.35 * d.t, 0.015),
        "val_acc": d.counted(0.1 + 0.58 * d.t),
    }


def random_labels(d: Draw) -> dict[str, Array]:
    return {
        "loss": d.loss(2.31 * np.exp(-d.t / 0.3) + 0.02, 0.02),
        "acc": d.towards(0.1, 1.0, 0.3),
        "val_loss": d.loss(2.32 + d.between(1, 5) * d.t, 0.02),
        "val_acc": d.counted(np.full(len(d.t), 0.1)),
    }


def swinging_evaluations(d: Draw) -> dict[str, Array]:
    n = len(d.t)
    return {
        "loss": d.loss(1.8 * np.exp(-d.t / 0.15) + 0.03, 0.02),
        "acc": d.towards(0.3, 0.99, 0.15),
        "val_loss": np.exp(d.rng.uniform(-0.5, 2.2, n)),
        "val_acc": d.counted(np.where(np.arange(n) % 2, d.rng.uniform(0.1, 0.3, n), d.rng.uniform(0.75, 0.95, n))),
    }


def collapse_to_chance(d: Draw) -> dict[str, Array]:
    n = len(d.t)
    epoch, at = np.arange(n), int(n * d.between(0.3, 0.7))
    acc = np.where(epoch < at, 0.1 + 0.6 * (1 - np.exp(-epoch / (at / 3))), 0.1)
    loss = np.where(epoch < at, 2.3 * np.exp(-epoch / at) + 0.1, 2.303)
    return {
        "loss": d.loss(loss, 0.01), "acc": acc, "val_loss": d.loss(1.02 * loss, 0.01), "val_acc": d.counted(acc),
    }  # fmt: skip


def loss_runs_away(d: Draw) -> dict[str, Array]:
    n = len(d.t)
    epoch, at = np.arange(n), int(n * d.between(0.3, 0.6))
    loss = np.where(epoch < at, 2.3 * np.exp(-2 * epoch / at) + 0.2, 2.3 + (epoch - at) * d.between(0.5, 3))
    return {"loss": d.loss(loss), "val_loss": d.loss(1.05 * loss)}


def wide_gap(d: Draw) -> dict[str, Array]:
    return {
        "loss": d.loss(1.8 * np.exp(-d.t / 0.15) + 0.03, 0.02),
        "acc": d.towards(0.3, 0.99, 0.15),
        "val_loss": d.loss(d.towards(1.8, 0.9, 0.08) + d.between(0.3, 1) * d.after(0.2)),
        "val_acc": d.counted(d.towards(0.3, d.between(0.62, 0.72), 0.1)),
    }


def healthy(d: Draw) -> dict[str, Array]:
    return {
        "loss": d.loss(1.8 * np.exp(-d.t / 0.15) + 0.06, 0.02),
        "acc": d.towards(0.3, 0.98, 0.15),
        "val_loss": d.loss(1.75 * np.exp(-d.t / 0.13) + 0.15),
        "val_acc": d.counted(d.towards(0.3, 0.95, 0.13)),
    }


def too_small_a_model(d: Draw) -> dict[str, Array]:
    return {
        "loss": d.loss(1.6 + 0.7 * np.exp(-d.t / 0.08), 0.01),
        "acc": d.towards(0.1, 0.45, 0.08),
        "val_loss": d.loss(1.62 + 0.7 * np.exp(-d.t / 0.08), 0.01),
        "val_acc": d.counted(d.towards(0.1, 0.44, 0.08)),
    }


def never_learns(d: Draw) -> dict[str, Array]:
    n = len(d.t)
    return {
        "loss": d.loss(np.full(n, np.log(10)), 0.002), "acc": d.counted(np.full(n, 0.1)),
        "val_loss": d.loss(np.full(n, np.log(10)), 0.002), "val_acc": d.counted(np.full(n, 0.1)),
    }  # fmt: skip


STORIES: Mapping[Callable[[Draw], dict[str, Array]], set[str]] = {
    label_noise: {"overfit"},
    fine_tuning_overfits: {"overfit"},
    fine_tuning: {"healthy", "undertrained"},
    skewed_classes_overfit: {"overfit"},
    regression: {"healthy"},
    regression_overfits: {"overfit"},
    still_falling: {"undertrained"},
    random_labels: {"memorized"},
    swinging_evaluations: {"unstable"},
    collapse_to_chance: {"diverged"},
    loss_runs_away: {"diverged"},
    wide_gap: {"overfit", "memorized"},
    healthy: {"healthy"},
    too_small_a_model: {"underfit"},
    never_learns: {"underfit"},
}


def draw(story: Callable[[Draw], dict[str, Array]], seed: int) -> Run:
    """A log of one row per epoch, printed with four digits."""
    rng = np.random.default_rng([list(STORIES).index(story), seed])
    n = int(rng.integers(12, 70))
    d = Draw(rng, np.arange(n) / (n - 1), int(rng.choice([200, 500, 2000])))
    epoch = np.arange(1.0, n + 1)
    return Run("log", "log", "epoch", {k: Track(k, epoch, np.round(v, 4)) for k, v in story(d).items()})
