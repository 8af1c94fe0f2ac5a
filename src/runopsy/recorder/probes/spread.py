"""How far a sample's curvature can be trusted, from groups of other examples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean

import torch
from torch import Tensor

from runopsy.recorder.probes.eigen import Vector, dot

ENOUGH = 3  # groups, of which a spread means something
CLEAR = 2.0  # its own errors, that ‖g‖² has to lie above 0: a ratio to less than that is no number


def variance(values: Sequence[float]) -> float:
    return float(torch.tensor(values, dtype=torch.float64, device="cpu").var())


def error_of_top(value: float, n: int, along: Sequence[float], size: float, outside: bool) -> float:
    """One standard error of λmax of ``n`` examples, as that of all: spread, and how far it lies above.

    λmax moves with vᵀHv to first order (v its eigenvector), and vᵀHv is a mean over examples. To second order the
    sample's λmax lies as far above that of all as vᵀHv of other examples lies below it: half of what is between
    the two, beyond what their spread explains, is the bias.

    Args:
        value: the sample's λmax.
        n: examples in the sample.
        along: vᵀHv of each of several groups of ``size`` examples.
        outside: whether these are none of the sample's.
    """
    each = variance(along) * size  # of one example's vᵀHv
    others = size * len(along)
    bias = max((value - fmean(along)) ** 2 - each * (1 / n + 1 / others), 0.0) / 4 if outside else 0.0
    return math.sqrt(each / n + bias)


def alignment(gradients: Sequence[Vector], v: Vector) -> tuple[float, float] | None:
    """(vᵀg)² / ‖g‖² of the mean gradient g of all examples, and its standard error by the jackknife over groups.

    Both squares are means over pairs of different groups, for the square of a group's mean holds its noise too; so
    v must not be made of these examples. None where ‖g‖² is not clearly above 0: the ratio is unknown then.
    """
    a = torch.tensor([dot(v, g) for g in gradients], dtype=torch.float64, device="cpu")
    rows = [[dot(g, h) for h in gradients] for g in gradients]
    gram = torch.tensor(rows, dtype=torch.float64, device="cpu")
    m = len(gradients)

    def pieces(kept: Tensor) -> tuple[float, float]:
        pairs = gram[kept][:, kept]
        along = float(a[kept].sum() ** 2 - a[kept].square().sum())
        return along / len(kept) / (len(kept) - 1), float(pairs.sum() - pairs.diag().sum()) / len(kept) / (
            len(kept) - 1
        )

    every = torch.arange(m, device="cpu")
    along, square = pieces(every)
    without = [pieces(every[every != i]) for i in range(m)]
    if not square > CLEAR * _jackknife([s for _, s in without]) or min(s for _, s in without) <= 0:
        return None
    return min(max(along / square, 0.0), 1.0), _jackknife([b / s for b, s in without])


def _jackknife(without: Sequence[float]) -> float:
    """One standard error, from the values without each group."""
    m = len(without)
    return math.sqrt((m - 1) / m * sum((x - fmean(without)) ** 2 for x in without))
