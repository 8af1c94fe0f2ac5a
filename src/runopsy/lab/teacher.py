"""Learning from a teacher network: overfitting, health and underfitting on one kind of data.

Inputs are Gaussian; a fixed random two-layer network decides which class each belongs to (Gardner &
Derrida's teacher-student setting, J. Phys. A 22, 1989, with a hidden layer). What differs between the
tasks is how many examples there are, how many of them are mislabelled, and how wide the student is.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from runopsy.lab.loop import Curves, Examples, Experiment, every, quiet_corner, stream, train
from runopsy.lab.task import Destination, Planted, Progress, Truth, expect

INPUTS = 20  # dimensions: enough that a thousand examples do not fill the space
UNITS = 8  # of the teacher: more than one student unit can imitate, few enough to be learnt within seconds
CLASSES = 4
UNCLEAR = 0.3  # share of inputs closest to a boundary, which are left out: the rest can be learnt to 99 %
HELD = 4000  # validation examples: accuracy is known to half a percentage point
REFERENCE = 20_000  # inputs on which the teacher's outputs are brought to one scale, so that no class is rare

FEW, PLENTY = 1000, 20_000  # training examples
MISLABELLED = 0.25  # of the few: fitted by heart once the rest is learnt, for want of any rule
WIDE, MEDIUM, NARROW = 256, 64, 1  # student's hidden units; the wide one can hold a thousand arbitrary labels

NEAR = 0.02  # of validation loss's drop: the bottom of the curve, for a careful reader
WORSE, LOST = 1.5, 0.05  # overfitting at least multiplies validation loss by, and takes off accuracy
GOOD, STEADY = 0.94, 1.02  # a healthy run's final validation accuracy, and its final loss over its lowest
POOR, APART = 0.85, 0.05  # underfitting ends with training accuracy below, and validation this close to it


def overfitting(to: Destination, seed: int, progress: Progress) -> Truth:
    """The clean examples are learnt first; then validation pays for the mislabelled ones."""
    steps, look = 3000, 20  # 20 steps are one epoch; all labels are fitted by the end
    with quiet_corner(seed):
        known, held = lesson(seed, FEW, mislabelled=MISLABELLED)
        model = student(WIDE)
        experiment = Experiment(
            model,
            torch.optim.Adam(model.parameters(), lr=1e-3),
            known,
            held,
            steps,
            seed,
            every(look, steps),
            {**about(WIDE, known, MISLABELLED), "optimizer": "Adam", "lr": 1e-3},
            batch=50,
        )
        curves = train(experiment, to, progress)
    low = min(curves.val_loss)
    expect(curves.val_loss[-1] >= WORSE * low, "validation loss rises well above its minimum", seed)
    expect(max(curves.val_acc) - curves.val_acc[-1] >= LOST, "validation accuracy falls", seed)
    onset = _bottom(curves)
    why = (
        f"{MISLABELLED:.0%} of the training labels were replaced by wrong ones, none of the validation labels; "
        f"full-set evaluation every {look} steps: validation loss was lowest, {low:.3f}, at step {onset.step} and is "
        f"{curves.val_loss[-1]:.3f} at the end"
    )
    return Truth("overfitting", seed, ("overfit",), (onset,), why)


def healthy(to: Destination, seed: int, progress: Progress) -> Truth:
    """Enough examples, clean labels, a student that is wide enough, and a learning rate that comes to rest."""
    steps, look, peak = 2500, 20, 2e-3
    with quiet_corner(seed):
        known, held = lesson(seed, PLENTY)
        model = student(MEDIUM)
        decay = 1e-2  # AdamW's default
        experiment = Experiment(
            model,
            torch.optim.AdamW(model.parameters(), lr=peak, weight_decay=decay),
            known,
            held,
            steps,
            seed,
            every(look, steps),
            {**about(MEDIUM, known), "optimizer": "AdamW", "lr": peak, "weight_decay": decay, "schedule": "cosine"},
            batch=128,
            rate=cosine(peak, steps),
        )
        curves = train(experiment, to, progress)
    expect(curves.val_acc[-1] >= GOOD, "the task is learnt", seed)
    expect(curves.val_loss[-1] <= STEADY * min(curves.val_loss), "validation loss ends where it is lowest", seed)
    why = (
        "plenty of examples, every label clean, nothing planted; full-set evaluation at the last step: accuracy "
        f"{curves.train_acc[-1]:.3f} in training and {curves.val_acc[-1]:.3f} in validation"
    )
    return Truth("healthy", seed, ("healthy",), (), why)


def underfitting(to: Destination, seed: int, progress: Progress) -> Truth:
    """One hidden unit sees the inputs along one direction only; the teacher uses eight."""
    steps, look, rate = 2500, 20, 5e-3
    with quiet_corner(seed):
        known, held = lesson(seed, PLENTY)
        model = student(NARROW)
        experiment = Experiment(
            model,
            torch.optim.Adam(model.parameters(), lr=rate),
            known,
            held,
            steps,
            seed,
            every(look, steps),
            {**about(NARROW, known), "optimizer": "Adam", "lr": rate},
            batch=128,
        )
        curves = train(experiment, to, progress)
    expect(curves.train_acc[-1] <= POOR, "the student cannot fit", seed)
    expect(abs(curves.train_acc[-1] - curves.val_acc[-1]) <= APART, "training and validation stay together", seed)
    why = (
        f"a student with {NARROW} hidden unit for a teacher with {UNITS}; full-set evaluation at the last step: "
        f"accuracy {curves.train_acc[-1]:.3f} in training and {curves.val_acc[-1]:.3f} in validation"
    )
    return Truth("underfitting", seed, ("underfit", "undertrained"), (), why)


# --- what the tasks are made of ------------------------------------------------------------------


def lesson(seed: int, size: int, *, mislabelled: float = 0.0, both: bool = False) -> tuple[Examples, Examples]:
    """A training set of ``size`` and a validation set, labelled by one random teacher.

    Args:
        seed: of the teacher, the inputs and the wrong labels.
        size: of the training set.
        mislabelled: share of the training labels that are replaced by a wrong one.
        both: mislabel as many of the validation set.
    """
    random = stream(seed, "data")
    inward = torch.randn(INPUTS, UNITS, generator=random) / INPUTS**0.5
    outward = torch.randn(UNITS, CLASSES, generator=random)

    def answers(x: Tensor) -> Tensor:
        return torch.tanh(x @ inward) @ outward

    reference = answers(torch.randn(REFERENCE, INPUTS, generator=random))
    scale = torch.std_mean(reference, dim=0)
    limit = float(_margin(_standard(reference, *scale)).quantile(UNCLEAR))

    def draw(n: int, wrong: float) -> Examples:
        x = torch.randn(2 * n + 100, INPUTS, generator=random)  # of which UNCLEAR is left out, and the surplus
        outputs = _standard(answers(x), *scale)
        clear = (_margin(outputs) >= limit).nonzero()[:n, 0]
        return Examples(x[clear], _mislabel(outputs[clear].argmax(dim=1), wrong, random))

    return draw(size, mislabelled), draw(HELD, mislabelled if both else 0.0)


def _standard(outputs: Tensor, deviation: Tensor, mean: Tensor) -> Tensor:
    return (outputs - mean) / deviation


def _margin(outputs: Tensor) -> Tensor:
    """How far the winning class is ahead of the next."""
    best = outputs.topk(2, dim=1).values
    return best[:, 0] - best[:, 1]


def _mislabel(labels: Tensor, share: float, random: torch.Generator) -> Tensor:
    """Replace a random ``share`` of the labels by one of the other classes."""
    hit = torch.rand(len(labels), generator=random) < share
    other = (labels + torch.randint(1, CLASSES, labels.shape, generator=random)) % CLASSES
    return torch.where(hit, other, labels)


def student(width: int) -> nn.Sequential:
    """One hidden layer of ``width`` rectified units."""
    return nn.Sequential(nn.Linear(INPUTS, width), nn.ReLU(), nn.Linear(width, CLASSES))


def about(width: int, known: Examples, mislabelled: float = 0.0) -> dict[str, object]:
    """What a user would write down about the data and the student."""
    return {
        "data": "teacher-student classification",
        "inputs": INPUTS,
        "teacher_units": UNITS,
        "classes": CLASSES,
        "examples": len(known),
        "mislabelled": mislabelled,
        "model": "MLP",
        "width": width,
    }


def cosine(peak: float, steps: int) -> Callable[[int], float]:
    """Learning rate by step: half a cosine from ``peak`` to 0 (Loshchilov & Hutter, arXiv 1608.03983)."""
    return lambda step: 0.5 * peak * (1 + math.cos(math.pi * step / steps))


def _bottom(curves: Curves) -> Planted:
    """The minimum of validation loss, and the steps between which it is within NEAR of its drop from there."""
    low = min(curves.val_loss)
    limit = low + NEAR * (curves.val_loss[0] - low)
    near = [step for step, loss in zip(curves.step, curves.val_loss, strict=True) if loss <= limit]
    return Planted("memorization_onset", curves.step[curves.val_loss.index(low)], near[0], near[-1])
