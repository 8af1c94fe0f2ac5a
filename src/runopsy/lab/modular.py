"""Modular addition with a two-layer network of quadratic units: grokking, and its control without weight decay.

The architecture is that of Gromov, "Grokking modular arithmetic" (arXiv 2301.02679); delayed
generalisation was described by Power et al., "Grokking" (arXiv 2201.02177).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from runopsy.lab.loop import Curves, Examples, Experiment, every, quiet_corner, stream, train
from runopsy.lab.task import Destination, Planted, Progress, Truth, expect

PRIME = 53  # 2 809 sums: small enough for full batches in milliseconds, large enough that chance is 2 %
SHARE = 0.4  # of all sums in the training set; with 0.3 the rule comes more than twice as late
WIDTH = 128  # hidden units, ample for this prime
RATE = 5e-3  # at 1e-3 the same happens four times later
BETAS = (0.9, 0.98)  # as Power et al. train
DECAY = 0.5  # the delay goes as 1/decay: validation reaches 0.95 at 14 times the step of fitting, with 1.0 at 7 times
STEPS = 2500  # the rule is there at about 1 100; the rest shows that it stays
LOOK = 10  # steps between validations: an eighth of the time it takes to fit

FITTED = 0.99  # training accuracy from which the training set counts as known
RULE = 0.97  # validation accuracy from which the rule counts as found
CHANCE = 0.15  # validation accuracy up to which it does not: a little structure is always picked up
LATE = 2.0  # half of the late gain comes at least this many times later than the fit
UNDERWAY, TURN, FITTING = 0.05, 0.30, 0.60  # shares of the training loss's drop: see _onset


class Quadratic(nn.Module):
    """logits = C (A[a] + B[b])², the square taken unit by unit; A, B (p, width), C (p, width), no biases."""

    def __init__(self, prime: int, width: int) -> None:
        super().__init__()
        self.left = nn.Embedding(prime, width)
        self.right = nn.Embedding(prime, width)
        self.readout = nn.Linear(width, prime, bias=False)
        for table in (self.left, self.right):
            nn.init.normal_(table.weight, std=(2 * prime) ** -0.5)  # as for one dense layer on two one-hot codes

    def forward(self, pairs: Tensor) -> Tensor:
        """Logits (n, p) for pairs (n, 2) of whole numbers below p."""
        hidden = (self.left(pairs[:, 0]) + self.right(pairs[:, 1])).square()
        return self.readout(hidden)  # type: ignore[no-any-return]


class Knobs(NamedTuple):
    """What two runs of this training may differ in."""

    decay: float
    lr: float
    train_share: float
    steps: int


def grokking(
    to: Destination,
    seed: int,
    progress: Progress,
    *,
    weight_decay: float = DECAY,
    lr: float = RATE,
    train_share: float = SHARE,
    steps: int = STEPS,
) -> Truth:
    """Weight decay takes the network from the memorized sums to the rule."""
    curves = _train(to, seed, progress, Knobs(weight_decay, lr, train_share, int(steps)))
    fit = _fitted(curves, seed)
    gain = _late_gain(curves, fit)
    expect(curves.val_acc[-1] >= RULE, "the rule is found", seed)
    expect(gain.step >= LATE * fit, "the rule is found late", seed)
    why = (
        f"full-set evaluation every {LOOK} steps: training accuracy first reached {FITTED} at step {fit}; "
        "grokking is where validation accuracy had made half of what it gained after that (from 10 % to 90 % of it), "
        "the onset where training loss had made 30 % of its drop (from 5 % to 60 %)"
    )
    return Truth("grokking", seed, ("grokked",), (_onset(curves), gain), why)


def memorization(to: Destination, seed: int, progress: Progress) -> Truth:
    """Nothing moves the network off the memorized sums."""
    curves = _train(to, seed, progress, Knobs(0.0, RATE, SHARE, STEPS))
    fit = _fitted(curves, seed)
    expect(max(curves.val_acc) <= CHANCE, "validation stays near chance", seed)
    why = (
        f"trained without weight decay; full-set evaluation: training accuracy first reached {FITTED} at step {fit}, "
        f"validation accuracy is {curves.val_acc[-1]:.3f} at the last step; the onset is where training loss had made "
        "30 % of its drop (from 5 % to 60 %)"
    )
    return Truth("memorization", seed, ("memorized",), (_onset(curves),), why)


def _train(to: Destination, seed: int, progress: Progress, knobs: Knobs) -> Curves:
    with quiet_corner(seed):
        known, held = _sums(seed, knobs.train_share)
        model = Quadratic(PRIME, WIDTH)
        optimizer = torch.optim.AdamW(model.parameters(), lr=knobs.lr, betas=BETAS, weight_decay=knobs.decay)
        config = {
            "data": "modular addition",
            "prime": PRIME,
            "train_share": knobs.train_share,
            "model": "quadratic MLP",
            "width": WIDTH,
            "optimizer": "AdamW",
            "lr": knobs.lr,
            "betas": list(BETAS),
            "weight_decay": knobs.decay,
        }
        experiment = Experiment(model, optimizer, known, held, knobs.steps, seed, every(LOOK, knobs.steps), config)
        return train(experiment, to, progress)


def _sums(seed: int, share: float) -> tuple[Examples, Examples]:
    """All p² sums, split at random into those to learn from and those to be asked."""
    pairs = torch.cartesian_prod(torch.arange(PRIME), torch.arange(PRIME))
    sums = Examples(pairs, pairs.sum(dim=1) % PRIME)
    order = torch.randperm(len(sums), generator=stream(seed, "data"))
    cut = int(share * len(sums))
    return sums[order[:cut]], sums[order[cut:]]


def _fitted(curves: Curves, seed: int) -> int:
    """The first step at which the training set is known."""
    expect(max(curves.train_acc) >= FITTED, "the training set is learnt by heart", seed)
    return next(step for step, acc in zip(curves.step, curves.train_acc, strict=True) if acc >= FITTED)


def _onset(curves: Curves) -> Planted:
    """Memorization begins where the training loss has made 30 % of its drop, validation never having improved.

    The interval runs from 5 % (something is being learnt) to 60 % (most of it is).
    """
    losses = list(zip(curves.step, curves.train_loss, strict=True))
    first, drop = curves.train_loss[0], curves.train_loss[0] - min(curves.train_loss)
    at, lo, hi = (next(s for s, loss in losses if loss <= first - x * drop) for x in (TURN, UNDERWAY, FITTING))
    return Planted("memorization_onset", at, lo, hi)


def _late_gain(curves: Curves, fit: int) -> Planted:
    """Where validation accuracy passes 50 %, 10 % and 90 % of what it gains after the training set is fitted."""
    after = [(step, acc) for step, acc in zip(curves.step, curves.val_acc, strict=True) if step >= fit]
    start, gain = after[0][1], after[-1][1] - after[0][1]
    at, lo, hi = (next(step for step, acc in after if acc >= start + x * gain) for x in (0.5, 0.1, 0.9))
    return Planted("grokking", at, lo, hi)
