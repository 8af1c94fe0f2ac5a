"""Double descent over width: regression on random features, trained until nothing moves any more.

After Belkin et al. (arXiv 1812.11118) and Mei & Montanari (arXiv 1908.05355): the first layer of a two-layer network
stays as it was drawn, the second is trained by gradient descent. With fewer features than examples it cannot fit
the noise in the targets; with more it can, and of all weights that do, gradient descent from zero finds the smallest.
In between, where the width is the number of examples, it just can, with huge weights: the validation loss peaks there.

Features are whitened on the training set, as any good preconditioner would have it: the fit is then reached within
some hundred steps at every width, and remains the one of least squares.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from runopsy.lab import linear
from runopsy.lab.linear import half_mean_square
from runopsy.lab.loop import Curves, Examples, Experiment, every, quiet_corner, stream, train
from runopsy.lab.task import Destination, Progress, Truth, expect

INPUTS = 20  # dimensions of the inputs
EXAMPLES = 100  # training examples: the interpolation threshold is at this width
HELD = 2000  # validation examples
NOISE = 0.5  # standard deviation of the noise in the targets, whose signal has 1: high enough for a clear peak
RATE = 0.3  # on whitened features every direction closes by this share per step
STEPS = 60  # after which 1e-9 of the way is left
LOOK = 3  # steps between validations
CUT = 1e-10  # singular values below this share of the largest are rounding: no direction of the data
FITTED = 1e-6  # of the targets' variance: a training loss below it is an exact fit


def double_descent(to: Destination, seed: int, progress: Progress, width: float | None = None) -> Truth:
    """Double descent over the steps of one training; of a width, one network of a sweep over widths.

    Args:
        to: where it is recorded.
        seed: of the data and of the features.
        progress: is given the share that is done.
        width: of the hidden layer, at least 1; None: the linear problem whose double descent is over steps.
    """
    return linear.double_descent(to, seed, progress) if width is None else _of_width(to, seed, progress, width)


def _of_width(to: Destination, seed: int, progress: Progress, width: float) -> Truth:
    """One network of a width, trained until it fits as well as it can."""
    size = max(1, round(width))
    with quiet_corner(seed):
        known, held = _lesson(seed, size)
        model = nn.Linear(known.x.shape[1], 1, bias=False, dtype=torch.float64)
        nn.init.zeros_(model.weight)
        config = {
            "data": "random-feature regression",
            "inputs": INPUTS,
            "examples": EXAMPLES,
            "noise": NOISE,
            "width": size,
            "optimizer": "SGD",
            "lr": RATE,
        }
        # the mean over examples is taken out of the rate, so that it is a share per step
        optimizer = torch.optim.SGD(model.parameters(), lr=RATE * EXAMPLES)
        experiment = Experiment(
            model, optimizer, known, held, STEPS, seed, every(LOOK, STEPS), config, loss_fn=half_mean_square
        )
        curves = train(experiment, to, progress)
    return _truth(seed, size, curves, known)


def _lesson(seed: int, size: int) -> tuple[Examples, Examples]:
    """Examples of a random network of tanh units with noise, seen through ``size`` random features."""
    random, exact = stream(seed, "data"), torch.float64
    inward = torch.randn(INPUTS, 2 * INPUTS, generator=random, dtype=exact) / INPUTS**0.5
    outward = torch.randn(2 * INPUTS, 1, generator=random, dtype=exact)
    x = torch.randn(EXAMPLES + HELD, INPUTS, generator=random, dtype=exact)
    clean = torch.tanh(x @ inward) @ outward
    clean = (clean - clean.mean()) / clean.std()
    y = clean + NOISE * torch.randn(clean.shape, generator=random, dtype=exact)
    # one stream for the features of every width: a wider network holds the narrower one's
    features = torch.randn(size, INPUTS, generator=stream(seed, "features"), dtype=exact).T / INPUTS**0.5
    hidden = torch.relu(x @ features)
    white = _whitened(hidden)
    return Examples(white[:EXAMPLES], y[:EXAMPLES]), Examples(white[EXAMPLES:], y[EXAMPLES:])


def _whitened(hidden: Tensor) -> Tensor:
    """All features in the directions of the training examples, each of which has length 1 there."""
    _, scale, directions = torch.linalg.svd(hidden[:EXAMPLES], full_matrices=False)
    kept = scale > CUT * scale[0]
    white: Tensor = hidden @ directions[kept].T / scale[kept]
    return white


def _truth(seed: int, size: int, curves: Curves, known: Examples) -> Truth:
    """What gradient descent must have come to: the exact least-squares fit, of rank min(width, examples)."""
    start, end = curves.train_loss[0], curves.train_loss[-1]
    best = half_mean_square(known.x @ (known.x.T @ known.y), known.y)  # features are orthonormal on the training set
    expect(abs(end - float(best)) <= FITTED * start, "the least-squares fit is reached", seed)
    fits = end <= FITTED * start
    why = (
        f"{size} features for {EXAMPLES} examples: training ends at the least-squares fit, "
        f"{'which is exact' if fits else f'{end / start:.2f} of where it began'}; validation went from "
        f"{curves.val_loss[0]:.3f} to {curves.val_loss[-1]:.3f}"
    )
    gained = curves.val_loss[-1] <= min(curves.val_loss) * 1.1
    verdicts = ("healthy", "underfit", "undertrained") if gained else ("overfit", "no_learning", "diverged", "underfit")
    return Truth("double-descent", seed, verdicts, (), why)
