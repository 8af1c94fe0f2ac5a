"""NC1 against the formula with NumPy's pseudo-inverse."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import Tensor  # noqa: E402  # after the skip

from runopsy.errors import Unavailable  # noqa: E402
from runopsy.recorder.probes.collapse import nc1  # noqa: E402


def naive(features: Tensor, y: Tensor) -> float:
    x, labels = features.double().numpy(), y.numpy()
    classes = np.unique(labels)
    means = np.stack([x[labels == c].mean(axis=0) for c in classes])
    within = sum(np.outer(h - m, h - m) for c, m in zip(classes, means, strict=True) for h in x[labels == c]) / len(x)
    apart = means - means.mean(axis=0)
    between = apart.T @ apart / len(classes)
    return float(np.trace(within @ np.linalg.pinv(between, rcond=1e-10)) / len(classes))


@pytest.mark.parametrize(("spread", "classes", "d"), [(1.0, 4, 12), (0.01, 4, 12), (1.0, 3, 2), (1.0, 10, 9)])
def test_nc1_is_its_formula(spread: float, classes: int, d: int) -> None:
    """Relative error below 1e-6."""
    torch.manual_seed(0)
    y = torch.arange(300) % classes
    features = torch.randn(classes, d)[y] + spread * torch.randn(300, d)
    assert float(nc1(features, y)) == pytest.approx(naive(features, y), rel=1e-6)


def test_it_goes_with_the_square_of_the_spread_within_classes() -> None:
    torch.manual_seed(0)
    y, noise, means = torch.arange(200) % 4, torch.randn(200, 8), torch.randn(4, 8)
    noise -= torch.stack([noise[y == c].mean(dim=0) for c in range(4)])[y]
    wide, narrow = (float(nc1(means[y] + s * noise, y)) for s in (1.0, 0.1))
    assert wide / narrow == pytest.approx(100, rel=1e-4)


def test_before_the_classes_part_there_is_no_nc1() -> None:
    assert nc1(torch.ones(40, 3), torch.arange(40) % 2) is None


@pytest.mark.parametrize(
    ("n", "classes", "d", "text"), [(40, 1, 3, "classes"), (40, 6, 4, "classes"), (9, 3, 4, "5 examples")]
)
def test_where_it_means_nothing_it_is_refused(n: int, classes: int, d: int, text: str) -> None:
    with pytest.raises(Unavailable, match=text):
        nc1(torch.randn(n, d), torch.arange(n) % classes)
