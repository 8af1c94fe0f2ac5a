"""Entropies and the logit scale against NumPy."""

from __future__ import annotations

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn  # noqa: E402  # after the skip

from runopsy.recorder.batches import Batch  # noqa: E402
from runopsy.recorder.probes import Loop  # noqa: E402
from runopsy.recorder.probes.entropy import BINS, LogitScale, PredictionEntropy, activity_entropy  # noqa: E402


def naive(features: Tensor) -> float:
    """Unit by unit: histogram, plug-in entropy, Miller's correction."""
    total = 0.0
    for column in features.double().numpy().T:
        counts, _ = np.histogram(column, bins=BINS)
        used = counts[counts > 0]
        p = used / used.sum()
        entropy = float(-(p * np.log(p)).sum()) + (len(used) - 1) / (2 * len(column))
        total += min(entropy, math.log(BINS)) if column.min() < column.max() else 0.0
    return total / features.shape[1]


def test_the_activity_entropy_is_that_of_a_histogram_per_unit() -> None:
    torch.manual_seed(0)
    features = torch.randn(300, 7).relu()
    features[:, 3] = 2.5  # a unit that never moves
    assert float(activity_entropy(features)) == pytest.approx(naive(features), rel=1e-9)


def test_a_uniform_unit_has_the_most_and_a_dead_one_none() -> None:
    assert float(activity_entropy(torch.linspace(0, 1, 1600)[:, None])) == pytest.approx(math.log(16), rel=1e-3)
    assert float(activity_entropy(torch.zeros(100, 3))) == 0
    halves = torch.tensor([0.0, 1.0]).repeat(500)[:, None]
    assert float(activity_entropy(halves)) == pytest.approx(math.log(2), rel=2e-3)


class Constant(nn.Module):
    """The same logits whatever goes in."""

    def __init__(self, logits: Tensor) -> None:
        super().__init__()
        self.logits = nn.Parameter(logits)

    def forward(self, x: Tensor) -> Tensor:
        return self.logits[: len(x)]


def read(probe: PredictionEntropy | LogitScale, logits: Tensor, y: Tensor, **more: Batch) -> float:
    loop = Loop(Constant(logits), probe=Batch.of((torch.zeros(len(y), 2), y), "probe"), **more)
    with torch.no_grad():
        ((_, _, value),) = probe.start(loop).measure(0)
    return float(value)


def test_the_prediction_entropy_is_the_mean_over_rows() -> None:
    logits = torch.tensor([[0.0, 0.0, 0.0], [100.0, 0.0, 0.0], [math.log(2), 0.0, -1e9]])
    third = -(2 / 3 * math.log(2 / 3) + 1 / 3 * math.log(1 / 3))
    found = read(PredictionEntropy(), logits, torch.tensor([0, 1, 2]))
    assert found == pytest.approx((math.log(3) + 0 + third) / 3, rel=1e-6)


def test_the_prediction_entropy_is_of_the_heldout_batch_where_there_is_one() -> None:
    logits = torch.tensor([[0.0, 0.0], [50.0, 0.0]])
    held = Batch.of((torch.zeros(1, 2), torch.tensor([0])), "heldout")
    assert read(PredictionEntropy(), logits, torch.tensor([0, 1]), heldout=held) == pytest.approx(math.log(2))


def test_what_softmax_ignores_does_not_count_for_the_logit_scale() -> None:
    logits = torch.tensor([[3.0, -3.0], [1.0, -1.0]])
    y = torch.tensor([0, 1])
    assert read(LogitScale(), logits, y) == pytest.approx(math.sqrt(5), rel=1e-6)
    assert read(LogitScale(), logits + 100, y) == pytest.approx(math.sqrt(5), rel=1e-6)


def test_the_scale_of_predictions_that_are_no_classes_is_their_size() -> None:
    found = read(LogitScale(), torch.tensor([[3.0], [-4.0]]), torch.tensor([[0.5], [0.1]]))
    assert found == pytest.approx(math.sqrt(12.5), rel=1e-6)
