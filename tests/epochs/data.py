"""Data for small trainings, drawn from a seed: pictures of a few classes, clusters, and a regression.

Every set is drawn from one distribution per task, so that a validation set of a realistic small size and a held-out
set large enough to show the curve without noise come from the same place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

SIDE = 12  # pixels
Draw = Callable[[int, torch.Generator], tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Task:
    """``draw(n, generator)`` gives inputs and targets; ``classes`` is 0 for a regression."""

    draw: Draw
    classes: int
    width: int  # of an input


def glyphs(seed: int, classes: int = 10, noise: float = 0.6, styles: int = 3, shift: int = 2) -> Task:
    """Pictures of 12 x 12: each class has a few smooth random shapes, moved about, mixed with another and noisy."""
    g = torch.Generator().manual_seed(seed)
    rough = torch.randn(classes * styles, 1, SIDE + 4, SIDE + 4, generator=g)
    shapes = torch.nn.functional.avg_pool2d(rough, 5, stride=1)[:, 0]  # smooth, 12 x 12
    shapes = shapes / shapes.std(dim=(1, 2), keepdim=True)

    def draw(n: int, g: torch.Generator) -> tuple[Tensor, Tensor]:
        y = torch.randint(0, classes, (n,), generator=g)
        which = y * styles + torch.randint(0, styles, (n,), generator=g)
        other = torch.randint(0, classes * styles, (n,), generator=g)
        moves = torch.randint(-shift, shift + 1, (n, 2), generator=g)
        at = torch.arange(SIDE)
        rows = (at[None, :] + moves[:, :1]) % SIDE
        columns = (at[None, :] + moves[:, 1:]) % SIDE
        pictures = shapes[which][torch.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :]]
        light = 0.6 + 0.8 * torch.rand(n, 1, 1, generator=g)
        pictures = light * pictures + 0.3 * shapes[other] + noise * torch.randn(n, SIDE, SIDE, generator=g)
        return pictures.reshape(n, -1), y

    return Task(draw, classes, SIDE * SIDE)


def blobs(seed: int, classes: int = 4, width: int = 16, apart: float = 1.5, modes: int = 3) -> Task:
    """Clusters, several for each class: no straight line parts the classes where there are many."""
    g = torch.Generator().manual_seed(seed)
    centres = apart * torch.randn(classes, modes, width, generator=g)

    def draw(n: int, g: torch.Generator) -> tuple[Tensor, Tensor]:
        y = torch.randint(0, classes, (n,), generator=g)
        mode = torch.randint(0, modes, (n,), generator=g)
        return centres[y, mode] + torch.randn(n, width, generator=g), y

    return Task(draw, classes, width)


def skewed(task: Task, share: float) -> Task:
    """The same classes, the first of them with this share of all examples."""

    def draw(n: int, g: torch.Generator) -> tuple[Tensor, Tensor]:
        x, y = task.draw(int(n * task.classes * 2 + 64), g)
        first = int(torch.binomial(torch.tensor(float(n)), torch.tensor(share), generator=g))
        order = torch.cat([torch.nonzero(y == 0)[:first, 0], torch.nonzero(y != 0)[: n - first, 0]])
        order = order[torch.randperm(len(order), generator=g)]
        return x[order], y[order]

    return Task(draw, task.classes, task.width)


def surface(
    seed: int, width: int = 8, noise: float = 0.1, units: int = 12, sharp: float = 1.5, scale: float = 1.0
) -> Task:
    """A regression: the output of a fixed random network, of variance 1, with noise; ``scale`` multiplies it."""
    g = torch.Generator().manual_seed(seed)
    first = sharp * torch.randn(width, units, generator=g) / width**0.5
    offset, second = torch.randn(units, generator=g), torch.randn(units, generator=g)

    def plain(x: Tensor) -> Tensor:
        return torch.tanh(x @ first + offset) @ second

    seen = plain(torch.randn(20_000, width, generator=g))

    def draw(n: int, g: torch.Generator) -> tuple[Tensor, Tensor]:
        x = torch.randn(n, width, generator=g)
        y = (plain(x) - seen.mean()) / seen.std() + noise * torch.randn(n, generator=g)
        return x, scale * y

    return Task(draw, 0, width)


def relabelled(y: Tensor, classes: int, share: float, g: torch.Generator) -> Tensor:
    """A share of the labels drawn anew from all classes."""
    hit = torch.rand(len(y), generator=g) < share
    return torch.where(hit, torch.randint(0, classes, (len(y),), generator=g), y)
