"""Trainings whose events are known from a formula (research: Saxe et al. 1312.6120; Heckel & Yilmaz 2007.10099)."""

import math

import numpy as np
import pytest

import planted
import runopsy


def events(run, kind):
    return [e for e in runopsy.analyze(run).events if e.kind == kind]


def test_the_stages_of_a_deep_linear_network_lie_at_their_half_times():
    """Gradient descent on |S - W2 W1|^2 / 2 from a balanced start: mode s is half learnt at ln(s/u0 - 1)/(2 s eta)."""
    strengths, u0, eta = np.array([8.0, 2.0, 0.5]), 1e-4, 0.002
    steps = np.arange(0, 12_001)
    loss = np.zeros(len(steps))
    for s in strengths:
        grown = s * u0 * np.exp(2 * s * eta * steps) / (s - u0 + u0 * np.exp(2 * s * eta * steps))
        loss += 0.5 * (s - grown) ** 2
    half = [math.log(s / u0 - 1) / (2 * s * eta) for s in strengths]
    run = planted.run(
        steps, {"train/loss": planted.noisy(loss + 1e-3, 0.02), "val/loss": planted.noisy(loss + 1e-3, 0.005, 1)}
    )
    found = [e.step for e in events(run, "loss_drop")]
    assert len(found) == 3
    assert found == pytest.approx(half, rel=0.1)


def test_grokking_by_weight_decay_comes_when_the_formula_says():
    """A linear student: the nuisance weights decay as A (1 - eta omega)^t, accuracy is 1 - arccos(cos angle)/pi."""
    steps = np.arange(0, 8001, 5)
    signal = 1.0 * (1 - 0.9 ** (steps * 0.1 + 1))
    nuisance = 10.0 * (1 - 0.1 * 0.01) ** steps
    accuracy = 1 - np.arccos(signal / np.hypot(signal, nuisance)) / np.pi
    rng = np.random.default_rng(0)
    run = planted.run(
        steps,
        {
            "train/loss": planted.noisy(np.exp(-steps / 20) + 1e-4, 0.02),
            "train/acc": np.minimum(1, 0.5 + steps / 50),
            "val/acc": np.clip(accuracy + 0.005 * rng.standard_normal(len(steps)), 0, 1),
        },
    )
    fitted = np.interp(25, steps, accuracy)
    middle = (fitted + accuracy[-1]) / 2
    want = float(steps[np.argmax(accuracy >= middle)])
    (event,) = events(run, "grokking")
    assert event.step == pytest.approx(want, rel=0.05)


def two_groups(steps):
    """Expected risk of gradient descent with two groups of features, science notes, second row of the table."""
    n, k1, k2, fast, slow, s1, s2, noise, eta = 200, 160, 10, 1.0, 1e-2, 1.0, 1.0, 1.25, 0.1
    risk = np.zeros(len(steps))
    for k, rate, s in ((k1, fast, s1), (k2, slow, s2)):
        left = (1 - eta * rate) ** steps
        risk += s * left**2 + noise * k / n * (1 - left) ** 2
    return risk


def test_the_peak_of_the_two_group_double_descent_is_where_the_formula_puts_it():
    steps = np.unique(np.geomspace(1, 20_000, 600).astype(int)).astype(float)
    risk = two_groups(steps)
    early = np.flatnonzero(steps < 30)
    first = int(early[np.argmin(risk[early])])
    peak = first + int(np.argmax(risk[first : np.searchsorted(steps, 500)]))
    assert (steps[first], steps[peak]) == (7, 45)  # the science notes' own figures
    run = planted.run(
        steps,
        {
            "train/loss": planted.noisy(0.05 + np.exp(-steps / 30) + 0.3 * np.exp(-steps / 2000), 0.01),
            "val/loss": planted.noisy(risk, 0.003, 1),
        },
    )
    (event,) = events(run, "double_descent_peak")
    assert event.step == pytest.approx(steps[peak], rel=0.1)
    assert event.interval[0] <= steps[peak] <= event.interval[1]
    assert event.evidence[2].observed == pytest.approx(risk[peak:].min(), rel=0.02)
