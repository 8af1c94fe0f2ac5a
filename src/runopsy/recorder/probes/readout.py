"""What a fresh linear readout could make of the features, beside what the model's own head makes of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from runopsy.errors import Unavailable
from runopsy.recorder.batches import shuffled
from runopsy.recorder.probes.arrays import exact, thinned
from runopsy.recorder.probes.base import Gauge, Loop, Reading, Simple

ROWS = 4096  # of features at most
FOLDS = 5  # of the held-out batch: four fifths fit a probe, the rest score it
PENALTIES = tuple(10.0**k for k in range(-4, 3))  # × the mean eigenvalue; chosen by leave-one-out, a decade apart
PER_CLASS = 5  # held-out examples a class, on average, below which a probe says nothing about its features


@dataclass(frozen=True, slots=True)
class HeldoutProbe:
    """Representation quality on held-out data: a ridge probe of the last hidden features, and the head's lag behind it.

    ``probe/acc_heldout``: accuracy, in five folds, of ridge regression onto one-hot labels fitted on the
    held-out features of the other folds. ``readout/gap``: that minus the model's own accuracy on the same
    examples; above 0, the features know more than the head reads. Fewer rows than twice the units, and the
    probe understates the features: run.json gives both numbers.
    (Chou et al., "Two Speeds of Learning", arXiv 2605.27078.)
    """

    units: ClassVar[Mapping[str, str]] = {"probe/acc_heldout": "share", "readout/gap": "share"}
    needs: ClassVar[tuple[str, ...]] = ("model", "heldout")
    cost: ClassVar[str] = "one forward pass of the held-out batch, and 5 eigen-decompositions of (d, d)"

    def start(self, loop: Loop) -> Gauge:
        def read(step: int) -> Iterable[Reading]:
            x, y, _ = _side(loop, "heldout")
            for name in self.units:
                loop.note(name, features=f"{len(x)} rows of {x.shape[1]} units")
            probed = loop.sight.once("probe/acc_heldout", lambda: crossed_accuracy(x, y))
            yield step, "probe/acc_heldout", probed
            yield step, "readout/gap", probed - float(loop.sight.labelled("heldout").accuracy())

        return Simple(read)


@dataclass(frozen=True, slots=True)
class TrainProbe:
    """How much the training side misleads a readout: a ridge probe fitted on training features, scored held-out.

    ``probe/acc_train``: accuracy on the held-out batch of a ridge probe fitted on the probe batch's features.
    ``readout/train_bias``: ``probe/acc_heldout`` minus that. Both probes are fitted on equally many rows.
    """

    units: ClassVar[Mapping[str, str]] = {"probe/acc_train": "share", "readout/train_bias": "share"}
    needs: ClassVar[tuple[str, ...]] = ("model", "probe", "heldout")
    cost: ClassVar[str] = "a forward pass of both batches, and 6 eigen-decompositions of (d, d)"

    def start(self, loop: Loop) -> Gauge:
        def read(step: int) -> Iterable[Reading]:
            x, y, _ = _side(loop, "probe")
            held, labels, classes = _side(loop, "heldout")
            fitted = min(len(x), len(held) * (FOLDS - 1) // FOLDS)
            probe = ridge(thinned(x, fitted), thinned(y, fitted), classes)
            accuracy = float((probe.scores(held).argmax(dim=1) == labels).double().mean())
            yield step, "probe/acc_train", accuracy
            same = fitted * FOLDS // (FOLDS - 1) + 1
            other = (
                loop.sight.once("probe/acc_heldout", lambda: crossed_accuracy(held, labels))
                if same >= len(held)
                else crossed_accuracy(thinned(held, same), thinned(labels, same))
            )
            yield step, "readout/train_bias", other - accuracy

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

    def scores(self, features: Tensor) -> Tensor:
        return (exact(features) - self.mean) / self.scale @ self.weights + self.intercept


def ridge(features: Tensor, y: Tensor, classes: int, penalty: float | None = None) -> Ridge:
    """Ridge regression of one-hot labels on standardised features, in closed form.

    Without ``penalty``, the one with the least leave-one-out error eᵢ/(1 − Sᵢᵢ), all from one
    eigen-decomposition of XᵀX.
    """
    x = exact(features)
    mean, scale = x.mean(dim=0), x.std(dim=0, correction=0)
    scale = torch.where(scale > 1e-8 * (1 + mean.abs()), scale, torch.ones_like(scale))  # a dead unit stays at 0
    x = (x - mean) / scale
    target = torch.nn.functional.one_hot(y, classes).to(x.dtype)
    intercept = target.mean(dim=0)
    target = target - intercept
    eigenvalues, basis = torch.linalg.eigh(x.T @ x)
    eigenvalues = eigenvalues.clamp_min(0)
    turned, moments = x @ basis, basis.T @ (x.T @ target)
    if penalty is None:
        unit = float(eigenvalues.mean()) or 1.0
        penalty = min((p * unit for p in PENALTIES), key=lambda p: _left_out(turned, moments, eigenvalues, target, p))
    weights = basis @ (moments / (eigenvalues + penalty)[:, None])
    return Ridge(mean, scale, weights, intercept, penalty)


def _left_out(turned: Tensor, moments: Tensor, eigenvalues: Tensor, target: Tensor, penalty: float) -> float:
    """Mean squared leave-one-out error; the intercept takes 1/n of every leverage."""
    shrunk = 1 / (eigenvalues + penalty)
    leverage = (turned.square() * shrunk).sum(dim=1) + 1 / len(target)
    errors = target - turned @ (moments * shrunk[:, None])
    return float((errors / (1 - leverage).clamp_min(1e-9)[:, None]).square().mean())


def crossed_accuracy(features: Tensor, y: Tensor) -> float:
    """Accuracy over all examples, each scored by the probe that was fitted without its fold.

    Folds are drawn at random, the same at every call: a batch may be sorted by class, or go round them.
    """
    fold = (shuffled(len(y)) % FOLDS).to(y.device)
    classes = int(y.max()) + 1
    right = 0
    for k in range(FOLDS):
        fitted = ridge(features[fold != k], y[fold != k], classes)
        right += int((fitted.scores(features[fold == k]).argmax(dim=1) == y[fold == k]).sum())
    return right / len(y)
