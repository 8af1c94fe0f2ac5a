"""Runs of several signals that step together at a known place, or do not: the truth of ``common_change``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from runopsy.model import Signal

FEWEST, MOST = 150, 5000  # rows
TRENDS = (
    lambda t, size, width: size * t,
    lambda t, size, width: 2 * size * np.exp(-t / width),
    lambda t, size, width: size * np.cos(np.pi * t),
)


@dataclass(frozen=True)
class Planted:
    signals: Mapping[str, Signal]
    at: float | None  # the place of the step; None: there is none
    moved: frozenset[str]
    rows: int


def alike_noise(rng, rows, count, phi, rho):
    """(rows, count) noise of variance one: AR(1) in time, equally correlated between columns."""
    drawn = np.sqrt(rho) * rng.standard_normal(rows)[:, None] + np.sqrt(1 - rho) * rng.standard_normal((rows, count))
    noise = np.empty_like(drawn)
    noise[0] = drawn[0]
    for i in range(1, rows):
        noise[i] = phi * noise[i - 1] + np.sqrt(1 - phi**2) * drawn[i]
    return noise


def planted(seed, *, size=0.0, share=0.5, rows=None, count=None, unlike=True):
    """A run of 5 to 20 signals; ``share`` of them step by ``size`` standard deviations of a row, up or down."""
    rng = np.random.default_rng(seed)
    count = count or int(rng.integers(5, 21))
    rows = rows or int(np.exp(rng.uniform(np.log(FEWEST), np.log(MOST))))
    noise = alike_noise(rng, rows, count, rng.choice([0.0, 0.3, 0.5]), rng.choice([0.0, 0.3, 0.5]))
    t = np.arange(rows)
    at = float(rng.uniform(0.15, 0.85) * rows) if size else None
    moved = set(rng.permutation(count)[: int(np.ceil(share * count))].tolist()) if size else set()
    signals = {}
    for i in range(count):
        value = noise[:, i]
        if i < len(TRENDS):
            value = value + rng.choice([-1, 1]) * TRENDS[i](t / rows, rng.uniform(2, 20), rng.uniform(0.02, 0.3))
        if i in moved:
            value = value + (t >= at) * size * rng.choice([-1, 1])
        every = int(rng.choice([1, 1, 1, 2, 5])) if unlike else 1
        begins = int(rng.integers(every))
        value = 10 + rng.uniform(0.01, 1) * value
        name = f"signal/{i}"
        signals[name] = Signal(name, name, t[begins::every].astype(float), value[begins::every])
    return Planted(signals, at, frozenset(f"signal/{i}" for i in moved), rows)
