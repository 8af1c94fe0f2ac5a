"""Rows of features, as the estimators want them."""

from __future__ import annotations

import torch
from torch import Tensor

from runopsy.recorder.batches import some_rows


def thinned(features: Tensor, most: int) -> Tensor:
    """At most that many rows (n, d), always the same."""
    return features if len(features) <= most else features[some_rows(len(features), most).to(features.device)]


def exact(t: Tensor) -> Tensor:
    """In float64, where the device has it: sums of squares of float32 features lose too many digits in float32."""
    return t.detach().to(_widest(t))


def _widest(t: Tensor) -> torch.dtype:
    return torch.float32 if t.device.type == "mps" else torch.float64


def centred(features: Tensor) -> Tensor:
    """Exact, with the mean of each column (unit) taken off."""
    features = exact(features)
    return features - features.mean(dim=0)


def gram(features: Tensor) -> Tensor:
    """X Xᵀ (n, n) of the centred features (n, d).

    In float32, as features are: what rounding leaves of the mean, and adds to the products, is theirs as well.
    """
    x = features.detach().to(torch.promote_types(features.dtype, torch.float32))
    x = x - x.mean(dim=0, dtype=_widest(x)).to(x.dtype)
    return exact(x @ x.T)
