"""Synthetic runs that come with their own truth, for tests only: sample_logs/ holds the real ones."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from runopsy.model import Run, Track

Array = NDArray[np.float64]


def run(step: ArrayLike, curves: Mapping[str, ArrayLike], *, time: bool = False) -> Run:
    """A run whose columns share one axis; None or a NaN-free shorter pair (step, value) is not needed here."""
    axis = np.asarray(step, dtype=np.float64)
    clock = 1_700_000_000.0 + 0.01 * axis if time else None
    tracks = {name: Track(name, axis, np.asarray(value, dtype=np.float64), clock) for name, value in curves.items()}
    return Run("planted", "planted", "step", tracks)


def noisy(curve: ArrayLike, sd: float, seed: int = 0) -> Array:
    """Multiplied by log-normal noise, as losses have it."""
    curve = np.asarray(curve, dtype=np.float64)
    return curve * np.exp(sd * np.random.default_rng(seed).standard_normal(len(curve)))


def decay(step: ArrayLike, start: float = 2.3, floor: float = 0.1, scale: float = 200.0) -> Array:
    """A power law with a floor: one passage, no event in it."""
    return floor + (start - floor) / (1 + np.asarray(step, dtype=np.float64) / scale)


def sigmoid(step: ArrayLike, centre: float, width: float, low: float, high: float) -> Array:
    """A rise from low to high, half way at ``centre``."""
    return low + (high - low) / (1 + np.exp(-(np.asarray(step, dtype=np.float64) - centre) / width))


def grokking(last: int = 4000, half: float = 1500.0, seed: int = 0) -> Run:
    """Training fitted by step 100; validation accuracy half way at ``half``."""
    step = np.arange(0, last + 1, 10)
    train_acc = np.clip(sigmoid(step, 50, 10, 0.0, 1.0), 0, 1)
    val_acc = sigmoid(step, half, half / 10, 0.02, 0.99)
    train_loss = noisy(4.0 * np.exp(-step / 40) + 1e-3, 0.02, seed)
    rise = 4 + sigmoid(step, 100, 30, 0, 4)
    val_loss = noisy(rise * (1 - sigmoid(step, half, half / 10, 0, 0.99)), 0.02, seed + 1)
    return run(step, {"train/loss": train_loss, "train/acc": train_acc, "val/loss": val_loss, "val/acc": val_acc})


def overfitting(last: int = 4000, turn: float = 800.0, seed: int = 0) -> Run:
    """Validation loss has its minimum at ``turn`` while training goes on falling."""
    step = np.arange(0, last + 1, 20)
    train = noisy(decay(step, 2.3, 0.01, 150), 0.03, seed)
    val = noisy(0.6 + 0.25 * np.log((step + 1) / (turn + 1)) ** 2 * np.where(step < turn, 0.25, 1.5), 0.01, seed + 1)
    return run(step, {"train/loss": train, "val/loss": np.minimum(val, 2.3)})


def healthy(last: int = 4000, seed: int = 0) -> Run:
    step = np.arange(0, last + 1, 20)
    return run(
        step,
        {"train/loss": noisy(decay(step), 0.03, seed), "val/loss": noisy(decay(step, floor=0.12), 0.01, seed + 1)},
    )
