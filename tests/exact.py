"""Comparison to the last bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch


def assert_same(one: Any, two: Any, where: str = "") -> None:
    """Equal to the last bit, whatever it is made of."""
    assert type(one) is type(two), where
    if isinstance(one, torch.Tensor):
        assert (one.dtype, one.shape) == (two.dtype, two.shape), where
        assert one.detach().numpy().tobytes() == two.detach().numpy().tobytes(), where
    elif isinstance(one, np.ndarray):
        assert one.tobytes() == two.tobytes(), where
    elif isinstance(one, dict):
        assert list(one) == list(two), where
        for key in one:
            assert_same(one[key], two[key], f"{where}/{key}")
    elif isinstance(one, (list, tuple)):
        assert len(one) == len(two), where
        for i, (a, b) in enumerate(zip(one, two, strict=True)):
            assert_same(a, b, f"{where}/{i}")
    else:
        assert one == two, where
