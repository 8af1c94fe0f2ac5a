"""Epoch-wise double descent in linear regression by gradient descent, where every curve has a closed form.

After Heckel & Yilmaz, "Early stopping in deep networks: double descent and how to eliminate it" (arXiv
2007.10099): two groups of features on very different scales are two superposed bias-variance
trade-offs. The noise in the fast group is fitted before the signal in the slow one.

With XᵀX/n = diag(λ), y = Xθ + ε, w(0) = 0 and steps of size η along the gradient of ‖Xw - y‖²/2n:

    w(t) = (1 - (1 - ηλ)ᵗ) ŵ,       ŵ = θ + Xᵀε/(nλ) the least-squares solution
    R(t) = Σ λ (w(t) - θ)²          the excess risk over inputs x ~ N(0, diag λ)

exactly, coordinate by coordinate, for the noise that was drawn. Losses are half mean squares, so the
validation loss is (R(t) + σ²)/2.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from runopsy.lab.loop import Examples, Experiment, every, log_spaced, quiet_corner, stream, train
from runopsy.lab.task import Destination, Planted, Progress, Truth, expect

ROWS = 200  # training examples; more than features, so that least squares is unique
FAST, SLOW = 160, 10  # features of each group: FAST/ROWS of the noise goes into the fast one and makes the peak
SLOWNESS = 1e-2  # λ of the slow group, that of the fast one being 1; from about 1/30 the descents separate
SIGNAL_FAST, SIGNAL_SLOW = 1.2, 2.0  # Σλθ² of each group: what the first and the second descent can gain
NOISE = 2.0  # σ² of the targets: the rise to the peak is about 1/2 of this x FAST/ROWS
RATE = 0.02  # η: puts the first minimum at about step 25, late enough for a log to show it
STEPS = 15_000  # the second minimum is at about 13 900
LOOK = 25  # steps between validations, besides log-spaced ones: a ninth of the step of the peak
PROMINENT = 0.07  # of the peak: what it must stand above both sides to be called one
CLOSE = 0.02  # of the rise to the peak: a reader of the curve may put the top wherever it is this close
OVER = 0.10  # of the fall to the first minimum: likewise for the bottom, which is flatter


def half_mean_square(output: Tensor, target: Tensor) -> Tensor:
    return 0.5 * nn.functional.mse_loss(output, target)


@dataclass(frozen=True, slots=True)
class Problem:
    """A regression whose design is orthogonal, and all there is to know about it."""

    x: Tensor  # (n, d), XᵀX/n = diag(scale)
    y: Tensor  # (n, 1)
    scale: Tensor  # (d,) λ
    theta: Tensor  # (d,) θ

    @classmethod
    def draw(cls, seed: int) -> Problem:
        """Directions, signal and noise from the seed; the sizes are the module's."""
        random, exact = stream(seed, "data"), torch.float64
        d = FAST + SLOW
        scale = torch.cat([torch.ones(FAST, dtype=exact), torch.full((SLOW,), SLOWNESS, dtype=exact)])
        basis = torch.linalg.qr(torch.randn(ROWS, d, generator=random, dtype=exact)).Q
        x = ROWS**0.5 * basis * scale.sqrt()
        theta = torch.randn(d, generator=random, dtype=exact)
        for group, signal in ((slice(0, FAST), SIGNAL_FAST), (slice(FAST, d), SIGNAL_SLOW)):
            theta[group] *= (signal / (scale[group] * theta[group].square()).sum()).sqrt()
        noise = NOISE**0.5 * torch.randn(ROWS, generator=random, dtype=exact)
        return cls(x, (x @ theta + noise)[:, None], scale, theta)

    def population(self) -> Examples:
        """2d points whose mean loss is the expected loss over the whole population, for any linear model.

        The loss is quadratic, so its mean over x ~ N(0, diag λ) and noise of variance σ² is matched by
        inputs √(dλⱼ)·eⱼ with noise ±σ: a validation set as good as one of infinite size.
        """
        d = len(self.scale)
        x = torch.diag((d * self.scale).sqrt())
        clean, deviation = x @ self.theta, NOISE**0.5
        return Examples(torch.cat([x, x]), torch.cat([clean - deviation, clean + deviation])[:, None])

    def risk(self, steps: Tensor) -> Tensor:
        """Validation loss at each of ``steps``, in closed form."""
        solution = (self.x.T @ self.y)[:, 0] / (ROWS * self.scale)
        left = (1 - RATE * self.scale) ** steps[:, None]  # (steps, d): share of each coordinate still to go
        error = (1 - left) * solution - self.theta
        return 0.5 * ((self.scale * error.square()).sum(dim=1) + NOISE)


def double_descent(to: Destination, seed: int, progress: Progress) -> Truth:
    """Gradient descent on the two-scale problem, for real, beside its closed form."""
    with quiet_corner(seed):
        problem = Problem.draw(seed)
        model = nn.Linear(FAST + SLOW, 1, bias=False, dtype=torch.float64)
        nn.init.zeros_(model.weight)
        config = {
            "data": "linear regression on features of two scales",
            "examples": ROWS,
            "features": [FAST, SLOW],
            "scales": [1.0, SLOWNESS],
            "signal": [SIGNAL_FAST, SIGNAL_SLOW],
            "noise": NOISE,
            "optimizer": "SGD",
            "lr": RATE,
        }
        experiment = Experiment(
            model,
            torch.optim.SGD(model.parameters(), lr=RATE),
            Examples(problem.x, problem.y),
            problem.population(),
            STEPS,
            seed,
            every(LOOK, STEPS) | log_spaced(STEPS),
            config,
            loss_fn=half_mean_square,
        )
        train(experiment, to, progress)
        return _truth(seed, problem.risk(torch.arange(STEPS + 1, dtype=torch.float64)))


def _truth(seed: int, risk: Tensor) -> Truth:
    """The first minimum and the peak after it, read off the closed form at every step."""
    turn = _first(risk[1:] > risk[:-1])
    peak = turn + _first(risk[turn + 1 :] < risk[turn:-1])
    top, bottom, start, end = (float(risk[at]) for at in (peak, turn, 0, -1))
    expect(top - max(bottom, end) >= PROMINENT * top, "validation falls, rises and falls again", seed)
    low = top - CLOSE * (top - bottom)
    high = bottom + OVER * (start - bottom)
    events = (
        Planted("memorization_onset", turn, *_stretch(risk <= high, turn), optional=True),
        Planted("double_descent_peak", peak, *_stretch(risk >= low, peak)),
    )
    why = (
        "the closed form of the risk for the features, the signal and the noise that were drawn: "
        f"{bottom:.3f} at step {turn}, {top:.3f} at step {peak}, {end:.3f} at the last"
    )
    return Truth("double-descent", seed, ("double_descent",), events, why)


def _first(condition: Tensor) -> int:
    return int(condition.nonzero()[0])


def _stretch(condition: Tensor, around: int) -> tuple[int, int]:
    """First and last step of the unbroken stretch of true values that holds ``around``."""
    broken = (~condition).nonzero()[:, 0]
    before, after = broken[broken < around], broken[broken > around]
    return int(before[-1]) + 1 if len(before) else 0, int(after[0]) - 1 if len(after) else len(condition) - 1
