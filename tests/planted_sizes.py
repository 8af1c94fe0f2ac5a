"""Sweeps over sizes and scaling laws whose answer is known from how they were made."""

from __future__ import annotations

import numpy as np
import polars as pl

NOISES = (0.02, 0.05, 0.1, 0.2)  # of log loss, from seed to seed


def noise(random, shape, tail):
    """Unit noise: Gaussian, or Student's with three degrees of freedom."""
    return random.normal(size=shape) if tail == "gauss" else random.standard_t(3, size=shape) / 3**0.5


def sizes(random, m):
    return np.unique(np.round(np.geomspace(4, 4 * 10 ** random.uniform(1, 3) + 4 * m, m)))


def table(size, log_loss, train=None):
    """One row per size and seed; ``log_loss`` is (seeds, m)."""
    seeds, m = log_loss.shape
    columns = {
        "width": np.tile(size, seeds),
        "seed": np.repeat(np.arange(seeds), m),
        "test_loss": np.exp(log_loss).ravel(),
    }
    if train is not None:
        columns["train_loss"] = np.tile(train, seeds)
    return pl.DataFrame(columns)


def monotone(random, m, seeds, sd, tail="gauss"):
    """A loss that falls as a power law with a floor, falls fast and stays, or is flat."""
    size = sizes(random, m)
    course = {
        "power": lambda: np.log(0.3 + 3 * size**-0.5),
        "fast": lambda: np.log(0.2 + np.exp(-np.arange(len(size)) / 2)),
        "flat": lambda: np.zeros(len(size)),
    }[random.choice(["power", "fast", "flat"])]()
    return table(size, course + sd * noise(random, (seeds, len(size)), tail))


def double_descent(random, m, seeds, sd, height=1.5):
    """A falling loss with a bump of ``height`` in log loss; returns the table and where the bump is highest."""
    size = sizes(random, m)
    x = np.linspace(0, 1, len(size))
    course = np.log(0.3 + 3 * np.exp(-4 * x))
    middle, wide = random.uniform(0.3, 0.7), random.uniform(0.06, 0.15)
    course = course + height * np.exp(-(((x - middle) / wide) ** 2))
    inner = np.flatnonzero((course[1:-1] > course[:-2]) & (course[1:-1] > course[2:])) + 1
    top = inner[np.argmax(course[inner])] if len(inner) else 0
    return table(size, course + sd * random.normal(size=(seeds, len(size)))), float(size[top])


def ridgeless_risk(gamma, noise_variance):
    """Excess risk of least squares of least norm on isotropic features, |β| = 1: Hastie et al., arXiv 1903.08560."""
    below = noise_variance * gamma / (1 - gamma)
    return below if gamma < 1 else (1 - 1 / gamma) + noise_variance / (gamma - 1)


def ridgeless(random, n, p, noise_variance):
    """The same of one drawn design, averaged over noise and over the direction of β exactly."""
    scale = np.linalg.svd(random.normal(size=(n, p)), compute_uv=False)
    return max(p - n, 0) / p + noise_variance * float(np.sum(scale**-2.0))


LAW = {"E": 1.8, "A": 400.0, "alpha": 0.34, "B": 2000.0, "beta": 0.36}


def joint(random, runs, sd, law=LAW):
    """Trainings around the compute-optimal line, as published sweeps have them."""
    compute = 10 ** random.uniform(17.5, 21, runs)
    n = np.sqrt(compute / 120) * 10 ** random.uniform(-0.7, 0.7, runs)
    d = compute / 6 / n
    loss = law["E"] + law["A"] / n ** law["alpha"] + law["B"] / d ** law["beta"]
    return pl.DataFrame({"params": n, "tokens": d, "loss": loss * np.exp(sd * random.normal(size=runs))})


def alone(random, kind, m, sd):
    """A law in one quantity: "power", "floor" or "broken"; returns the table and the break."""
    x = np.geomspace(1e6, 1e6 * 10 ** random.uniform(2, 4), m)
    alpha = random.uniform(0.15, 0.5)
    at = np.exp(np.log(x[0]) + random.uniform(0.35, 0.65) * np.log(x[-1] / x[0]))
    loss = 5 * (x / x[0]) ** -alpha
    if kind == "floor":
        loss = 1.5 + 4 * (x / x[0]) ** -random.uniform(0.3, 0.8)
    if kind == "broken":
        loss = np.where(x > at, 5 * (at / x[0]) ** -alpha * (x / at) ** (-2.5 * alpha), loss)
    return pl.DataFrame({"params": x, "loss": loss * np.exp(sd * random.normal(size=m))}), float(at)
