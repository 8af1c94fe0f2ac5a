"""Comparison to the last bit, and as near as a precision allows."""

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


def rounding(terms: int, dtype: torch.dtype = torch.float32) -> float:
    """Relative error that rounding leaves in a sum of so many numbers of one sign, in whatever order it is taken.

    8·√terms·u, u = eps/2 the unit roundoff, with a probability of 1 − 2·terms·exp(−32) at least (Higham and Mary 2019,
    SIAM J. Sci. Comput. 41, A2815, theorem 2.4 at λ = 8). Each processor, library and number of threads adds in an
    order of its own, so that nothing closer holds everywhere. Of a sum that cancels, it is relative to Σ|terms|.
    """
    return 4 * terms**0.5 * float(torch.finfo(dtype).eps)
