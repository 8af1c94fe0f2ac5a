"""Curves that carry their own truth, for bench_segments.py: smooth decays without an event, and planted stories.

Every curve is drawn from a seed: its length, noise, autocorrelation, cadence of validation and shape.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

import planted
from runopsy.model import Run, Track

Array = NDArray[np.float64]
LENGTHS = (300, 1_000, 3_000, 10_000, 30_000, 100_000, 1_000_000)
SHARE = (0.15, 0.2, 0.25, 0.2, 0.1, 0.08, 0.02)


def noise(rng: np.random.Generator, n: int, kind: str, phi: float, sd: float) -> Array:
    """Log-scale noise of marginal standard deviation sd: Gaussian, Student t3, or growing sixfold; AR(1)."""
    white = rng.standard_t(3, n) / np.sqrt(3) if kind == "t3" else rng.standard_normal(n)
    if phi:
        from scipy.signal import lfilter

        white = lfilter([np.sqrt(1 - phi**2)], [1, -phi], white)
    grown = np.geomspace(1 / 6, 1, n) if kind == "growing" else 1.0
    return sd * grown * white


def smooth(rng: np.random.Generator, n: int) -> tuple[str, Array]:
    """A decay from start to floor over n steps, of one of four families."""
    t = np.arange(n) / n
    start, floor = rng.uniform(1, 10), 10 ** rng.uniform(-2, 0)
    floor = min(floor, 0.6 * start)
    family = rng.choice(["power", "exponential", "stretched", "two"])
    scale = 10 ** rng.uniform(-2.5, -0.7)
    if family == "power":
        shape = (1 + t / scale) ** -rng.uniform(0.3, 1.5)
    elif family == "exponential":
        shape = np.exp(-t / scale)
    elif family == "stretched":
        shape = np.exp(-((t / scale) ** rng.uniform(0.3, 0.9)))
    else:
        share = rng.uniform(0.3, 0.7)
        shape = share * np.exp(-t / scale) + (1 - share) * (1 + t / (scale * 5)) ** -rng.uniform(0.3, 1.0)
    return str(family), floor + (start - floor) * shape


def as_log(step: Array, curves: dict[str, Array], every: int) -> Run:
    """Training on every row, validation on every ``every``-th."""
    tracks = {}
    for name, value in curves.items():
        rows = slice(None, None, every if name.startswith("val") else 1)
        tracks[name] = Track(name, step[rows], value[rows])
    return Run("planted", "planted", "step", tracks)


def null(seed: int) -> tuple[str, Run]:
    rng = np.random.default_rng([1, seed])
    n = int(rng.choice(LENGTHS, p=SHARE))
    family, curve = smooth(rng, n)
    kind = str(rng.choice(["gauss", "gauss", "t3", "growing"]))
    phi = float(rng.choice([0, 0, 0.5, 0.9, 0.99]))
    phi = 0.0 if kind == "t3" else phi  # a hard batch is one row; a tenfold shock that dies away slowly is a spike
    sd = float(rng.choice([0.01, 0.03, 0.1]))
    every = max(1, n // int(rng.choice([50, 100, 300])))
    step = np.arange(n, dtype=float)
    train = curve * np.exp(noise(rng, n, kind, phi, sd))
    val = curve * (1 + rng.uniform(0, 0.02)) * np.exp(noise(rng, n, "gauss", 0, sd / 4))
    curves = {"train/loss": train, "val/loss": val}
    if rng.random() < 0.5:
        made = (curve[0] - curve) / (curve[0] - min(float(curve[-1]), 0.99 * float(curve[0])))
        best, batch = rng.uniform(0.5, 1), 0.02 * rng.standard_normal(n)
        curves["train/acc"] = np.clip(best * made + batch, 0, 1)
        curves["val/acc"] = np.clip(best * made * rng.uniform(0.93, 1) + 0.005 * rng.standard_normal(n), 0, 1)
    run = as_log(step, curves, every)
    return f"{family} {kind} phi={phi} sd={sd} n={n}", run


@dataclass(frozen=True)
class Story:
    """A run and what is in it."""

    name: str
    run: Run
    events: tuple[tuple[str, float], ...]  # (kind, step) that must be told
    fair: tuple[str, ...] = ()  # kinds that a reader may see in it as well


def positive(seed: int) -> Story:
    """One planted story; the seeds go round all of them."""
    rng = np.random.default_rng([2, seed])
    n = int(rng.choice([1_000, 3_000, 10_000, 30_000]))
    sd, phi = float(rng.choice([0.03, 0.1])), float(rng.choice([0, 0.5, 0.9]))
    every = max(1, n // int(rng.choice([100, 300])))
    return STORIES[seed % len(STORIES)](rng, np.arange(n, dtype=float), sd, phi, every)


def _noisy(rng: np.random.Generator, curve: Array, sd: float, phi: float) -> Array:
    return curve * np.exp(noise(rng, len(curve), "gauss", phi, sd))


def _grokking(rng: np.random.Generator, step: Array, sd: float, phi: float, every: int) -> Story:
    n = len(step)
    fit, half = n * rng.uniform(0.01, 0.04), n * rng.uniform(0.2, 0.6)
    width = half * rng.uniform(0.03, 0.3) / 4
    acc = planted.sigmoid(step, half, width, 0.02, rng.uniform(0.7, 1.0))
    curves = {
        "train/loss": _noisy(rng, 1e-3 + 4 * np.exp(-step / (fit / 3)), sd, phi),
        "train/acc": np.clip(planted.sigmoid(step, fit / 2, fit / 10, 0, 1), 0, 1),
        "val/loss": _noisy(
            rng, 4 + planted.sigmoid(step, fit, fit / 3, 0, 3) - planted.sigmoid(step, half, width, 0, 6.5), sd / 4, 0
        ),
        "val/acc": np.clip(acc + 0.01 * rng.standard_normal(n), 0, 1),
    }
    return Story("grokking", as_log(step, curves, every), (("grokking", half),), fair=("memorization_onset",))


def _descent(rng: np.random.Generator, step: Array, sd: float, phi: float, every: int) -> Story:
    n = len(step)
    peak = n * rng.uniform(0.1, 0.3)
    u = np.log((step + 1) / (peak + 1))
    val = (
        1
        + rng.uniform(0.3, 1) * np.exp(-(u**2) / 0.3)
        + 1.2 * planted.sigmoid(-u, 2.3, 0.2, 0, 1)
        - 0.3 * planted.sigmoid(u, 0.8, 0.2, 0, 1)
    )
    curves = {
        "train/loss": _noisy(rng, 0.02 + 2 / (1 + step / (n / 100)), sd, phi),
        "val/loss": _noisy(rng, val, sd / 4, 0),
    }
    top = float(step[np.argmax(np.where(np.abs(u) < 1, val, 0))])  # the second descent moves it a little
    return Story("loss descent", as_log(step, curves, every), (("double_descent_peak", top),))


def _error_descent(rng: np.random.Generator, step: Array, sd: float, phi: float, every: int) -> Story:
    """Accuracy rises, falls back and rises again, while the validation loss only falls."""
    n = len(step)
    peak = n * rng.uniform(0.1, 0.3)
    u = np.log((step + 1) / (peak + 1))
    error = (
        0.2
        + rng.uniform(0.1, 0.3) * np.exp(-(u**2) / 0.3)
        + 0.45 * planted.sigmoid(-u, 2.3, 0.2, 0, 1)
        - 0.08 * planted.sigmoid(u, 0.8, 0.2, 0, 1)
    )
    top = float(step[np.argmax(np.where(np.abs(u) < 1, error, 0))])
    train = 0.02 + 2 / (1 + step / (n / 100))
    curves = {
        "train/loss": _noisy(rng, train, sd, phi),
        "val/loss": _noisy(rng, 0.5 + 1.6 / (1 + step / (n / 60)), sd / 4, 0),
        "val/acc": np.clip(1 - error + 0.01 * rng.standard_normal(n), 0, 1),
    }
    fair = ("memorization_onset",)
    return Story("error descent", as_log(step, curves, every), (("double_descent_peak", top),), fair)


def _onset(rng: np.random.Generator, step: Array, sd: float, phi: float, every: int) -> Story:
    n = len(step)
    turn = n * rng.uniform(0.1, 0.4)
    u = np.log((step + n / 500) / (turn + n / 500))
    val = 0.6 + np.where(u < 0, 0.12, rng.uniform(0.2, 0.6)) * u**2
    curves = {
        "train/loss": _noisy(rng, 0.02 + 2 / (1 + step / (n / 50)), sd, phi),
        "val/loss": _noisy(rng, val, sd / 4, 0),
    }
    return Story("onset", as_log(step, curves, every), (("memorization_onset", turn),))


def _drop(rng: np.random.Generator, step: Array, sd: float, phi: float, every: int) -> Story:
    n = len(step)
    at = n * rng.uniform(0.2, 0.7)
    curve = (0.5 + 2 / (1 + step / (n / 50))) * (1 - planted.sigmoid(step, at, n * 0.002, 0, rng.uniform(0.3, 0.6)))
    curves = {"train/loss": _noisy(rng, curve, sd, phi), "val/loss": _noisy(rng, curve * 1.01, sd / 4, 0)}
    return Story("drop", as_log(step, curves, every), (("loss_drop", at),))


def _rates(rng: np.random.Generator, step: Array, sd: float, phi: float, every: int) -> Story:
    n = len(step)
    first, second = n * rng.uniform(0.3, 0.5), n * rng.uniform(0.6, 0.85)
    fall = sum(planted.sigmoid(step, at, n * 0.004, 0, 0.25) for at in (first, second))
    curve = (0.5 + 2 / (1 + step / (n / 50))) * (1 - fall)
    lr = np.where(step < first, 0.1, np.where(step < second, 0.01, 0.001))
    curves = {"train/loss": _noisy(rng, curve, sd, phi), "val/loss": _noisy(rng, curve * 1.01, sd / 4, 0), "lr": lr}
    return Story("lr steps", as_log(step, curves, every), (("lr_change", first), ("lr_change", second)))


def _stages(rng: np.random.Generator, step: Array, sd: float, phi: float, every: int) -> Story:
    """Plateaus with an abrupt fall between each and the next, as in deep linear networks."""
    n = len(step)
    count = int(rng.integers(3, 5))
    at = n * 0.035 * np.cumprod(rng.uniform(1.8, 2.2, count))
    falls = sum(planted.sigmoid(step, t, 0.04 * t, 0, s) for t, s in zip(at, (1.0, 0.6, 0.35, 0.2), strict=False))
    curve = 0.1 + sum((1.0, 0.6, 0.35, 0.2)[:count]) - falls
    curves = {"train/loss": _noisy(rng, curve, sd / 3, phi), "val/loss": _noisy(rng, curve * 1.01, sd / 4, 0)}
    return Story("stages", as_log(step, curves, every), tuple(("loss_drop", float(t)) for t in at))


def _divergence(rng: np.random.Generator, step: Array, sd: float, phi: float, every: int) -> Story:
    n = len(step)
    at = n * rng.uniform(0.3, 0.8)
    base = 0.3 + 2 / (1 + step / (n / 50))
    curve = np.where(step < at, base, base + np.minimum(8, (step - at) / (n * 0.01)))
    curves = {"train/loss": _noisy(rng, curve, sd, phi), "val/loss": _noisy(rng, curve * 1.01, sd / 4, 0)}
    return Story("divergence", as_log(step, curves, every), (("divergence", at),))


def _spike(rng: np.random.Generator, step: Array, sd: float, phi: float, every: int) -> Story:
    n = len(step)
    at = n * rng.uniform(0.2, 0.8)
    base = 0.3 + 2 / (1 + step / (n / 50))
    curve = base * (1 + np.where(step >= at, rng.uniform(3, 8) * np.exp(-(step - at) / (n * 0.004)), 0))
    curves = {"train/loss": _noisy(rng, curve, sd, phi), "val/loss": _noisy(rng, curve * 1.01, sd / 4, 0)}
    return Story("spike", as_log(step, curves, every), (("loss_spike", at),))


STORIES: tuple[Callable[[np.random.Generator, Array, float, float, int], Story], ...] = (
    _grokking, _descent, _error_descent, _onset, _drop, _stages, _rates, _divergence, _spike
)  # fmt: skip
