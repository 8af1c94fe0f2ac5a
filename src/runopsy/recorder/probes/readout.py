"""What a fresh linear readout could make of the features, beside what the model's own head makes of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from runopsy.errors import Unavailable
from runopsy.recorder.probes.arrays import exact, thinned
from runopsy.recorder.probes.base import Gauge, Loop, Reading, Simple
from runopsy.signal_specs import ERROR, cost_of, needs_of, units_of

ROWS = 4096  # of features at most
ROUNDING = 1e-12  # of the largest squared singular value: below that is no direction
PENALTIES = tuple(10.0**k for k in range(-4, 3))  # × the mean eigenvalue; chosen by leave-one-out, a decade apart
PER_CLASS = 5  # held-out examples a class, on average, below which a probe says nothing about its features


@dataclass(frozen=True, slots=True)
class HeldoutProbe:
    """Representation quality on held-out data: a ridge probe of the last hidden features, and the head's lag behind it.

    ``probe/acc_heldout``: accuracy of ridge regression onto one-hot labels, each example scored by the probe that
    was fitted on the held-out features of all others. ``readout/gap``: that minus the model's own accuracy on the same
    examples; above 0, the features know more than the head reads. Fewer rows than twice the units, and the
    probe understates the features: run.json gives both numbers.
    (Chou et al., "Two Speeds of Learning", arXiv 2605.27078.)
    """

    units: ClassVar[Mapping[str, str]] = units_of("probe/acc_heldout", "readout/gap")
    needs: ClassVar[tuple[str, ...]] = needs_of("probe/acc_heldout")
    cost: ClassVar[str] = cost_of("probe/acc_heldout")

    def start(self, loop: Loop) -> Gauge:
        def read(step: int) -> Iterable[Reading]:
            x, y, _ = _side(loop, "heldout")
            for name in self.units:
                loop.note(name, features=f"{len(x)} rows of {x.shape[1]} units")
            right = loop.sight.once("probe/acc_heldout", lambda: left_out_right(x, y))
            own = thinned(loop.sight.labelled("heldout").right, ROWS)
            for name, shares in (("probe/acc_heldout", right), ("readout/gap", right.double() - own.double())):
                yield step, name, shares.double().mean()
                yield step, name + ERROR, error(shares)

        return Simple(read)


@dataclass(frozen=True, slots=True)
class TrainProbe:
    """How much the training side misleads a readout: a ridge probe fitted on training features, scored held-out.

    ``probe/acc_train``: accuracy on the held-out batch of a ridge probe fitted on the probe batch's features.
    ``readout/train_bias``: ``probe/acc_heldout`` minus that. Both probes are fitted on equally many rows.
    """

    units: ClassVar[Mapping[str, str]] = units_of("probe/acc_train", "readout/train_bias")
    needs: ClassVar[tuple[str, ...]] = needs_of("probe/acc_train")
    cost: ClassVar[str] = cost_of("probe/acc_train")

    def start(self, loop: Loop) -> Gauge:
        def read(step: int) -> Iterable[Reading]:
            x, y, _ = _side(loop, "probe")
            held, labels, classes = _side(loop, "heldout")
            fitted = min(len(x), len(held) - 1)
            probe = ridge(thinned(x, fitted), thinned(y, fitted), classes)
            right = probe.scores(held).argmax(dim=1) == labels
            yield step, "probe/acc_train", right.double().mean()
            yield step, "probe/acc_train/se", error(right)
            same = fitted + 1
            other = (
                loop.sight.once("probe/acc_heldout", lambda: left_out_right(held, labels))
                if same >= len(held)
                else left_out_right(thinned(held, same), thinned(labels, same))
            )
            yield step, "readout/train_bias", other.double().mean() - right.double().mean()

        return Simple(read)


def _side(loop: Loop, side: str) -> tuple[Tensor, Tensor, int]:
    """(features (N, d), labels (N,), classes) of a batch, rows with a label only.

    Raises:
        Unavailable: no classes, or too few examples of each.
    """
    labelled = loop.sight.labelled(side)
    seen = len(torch.unique(labelled.y))
    if seen < 2 or len(labelled.y) < PER_CLASS * seen:
        raise Unavailable(
            f"needs two classes and {PER_CLASS} examples of each; the {side} batch has {len(labelled.y)} of {seen}"
        )
    x = thinned(labelled.of(loop.sight.hidden(side)), ROWS)
    return x, thinned(labelled.y, ROWS), labelled.logits.shape[1]


@dataclass(frozen=True, slots=True, eq=False)
class Ridge:
    """Scores x ↦ ((x − mean)/scale) W + intercept, W (d, K)."""

    mean: Tensor
    scale: Tensor
    weights: Tensor
    intercept: Tensor
    penalty: float  # λ of W = (XᵀX + λI)⁻¹ XᵀY, X the standardised features (n, d), Y centred one-hot labels (n, K)
    left_out: Tensor  # (n, K) the score of each example under the fit without it

    def scores(self, features: Tensor) -> Tensor:
        return (exact(features) - self.mean) / self.scale @ self.weights + self.intercept


def ridge(features: Tensor, y: Tensor, classes: int, penalty: float | None = None) -> Ridge:
    """Ridge regression of one-hot labels on standardised features, in closed form.

    Without ``penalty``, the one with the least leave-one-out error eᵢ/(1 − Sᵢᵢ), all from one
    eigen-decomposition.
    """
    x = exact(features)
    mean, scale = x.mean(dim=0), x.std(dim=0, correction=0)
    scale = torch.where(scale > 1e-8 * (1 + mean.abs()), scale, torch.ones_like(scale))  # a dead unit stays at 0
    x = (x - mean) / scale
    target = torch.nn.functional.one_hot(y, classes).to(x.dtype)
    intercept = target.mean(dim=0)
    target = target - intercept
    eigenvalues, basis, turned = _axes(x)
    moments, squares = turned.T @ target, turned.square()
    unit = float(eigenvalues.sum()) / x.shape[1] or 1.0
    penalties = [p * unit for p in PENALTIES] if penalty is None else [penalty]
    tried = ((p, _left_out(turned, squares, moments, eigenvalues, target, p)) for p in penalties)
    penalty, errors = min(tried, key=lambda one: float(one[1].square().sum()))
    weights = basis @ (moments / (eigenvalues + penalty)[:, None])
    return Ridge(mean, scale, weights, intercept, penalty, target - errors + intercept)


def _axes(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(s², V, XV) of X (n, d) with singular values s, from the smaller of XᵀX and XXᵀ."""
    n, d = x.shape
    if d <= n:
        eigenvalues, basis = torch.linalg.eigh(x.T @ x)
        return eigenvalues.clamp_min(0), basis, x @ basis
    eigenvalues, left = torch.linalg.eigh(x @ x.T)
    keep = eigenvalues > ROUNDING * eigenvalues.max()
    eigenvalues, left = eigenvalues[keep], left[:, keep]
    size = eigenvalues.sqrt()
    return eigenvalues, x.T @ left / size, left * size


def _left_out(
    turned: Tensor, squares: Tensor, moments: Tensor, eigenvalues: Tensor, target: Tensor, penalty: float
) -> Tensor:
    """Errors (n, K) of each example under the fit without it; the intercept takes 1/n of every leverage."""
    shrunk = 1 / (eigenvalues + penalty)
    leverage = squares @ shrunk + 1 / len(target)
    errors = target - turned @ (moments * shrunk[:, None])
    return errors / (1 - leverage).clamp_min(1e-9)[:, None]


def left_out_right(features: Tensor, y: Tensor) -> Tensor:
    """(n,) whether a probe fitted on all other examples gets each right: exact, from one decomposition."""
    fitted = ridge(features, y, int(y.max()) + 1)
    right: Tensor = fitted.left_out.argmax(dim=1) == y
    return right


def error(values: Tensor) -> Tensor:
    """One standard error of the mean of (n,), taken for independent."""
    found: Tensor = values.double().std() / len(values) ** 0.5
    return found
